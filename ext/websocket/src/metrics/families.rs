//! The numbers as families with the names that operators know.

use super::exposition::{Exposition, Kind};
use super::kinds::{Class, CloseCodes, DialFailure, MessageKind, PassedLimit, Queued, ROLES};
use super::snapshot::{HistogramSnapshot, Snapshot};

impl Snapshot {
    /// Adds all families.
    pub fn expose(&self, out: &mut Exposition) {
        self.expose_connections(out);
        self.expose_messages(out);
        self.expose_troubles(out);
        self.expose_topics(out);
        self.expose_event_loops(out);
    }

    fn expose_connections(&self, out: &mut Exposition) {
        out.family(
            "duplex_websocket_connections",
            Kind::Gauge,
            "WebSockets that are open.",
        );
        for class in Class::all() {
            out.sample(&class.labels(), self.open(class));
        }
        out.family(
            "duplex_websocket_opened_total",
            Kind::Counter,
            "WebSockets whose opening handshake succeeded.",
        );
        for class in Class::all() {
            out.sample(&class.labels(), self.opened(class));
        }
        out.family(
            "duplex_websocket_closed_total",
            Kind::Counter,
            "WebSockets that have ended, by the code of the close event. The codes 3000 to 4999 \
             count as application.",
        );
        for (index, role) in ROLES.iter().enumerate() {
            for codes in CloseCodes::all() {
                let labels = [("role", *role), ("code", &*codes.name())];
                out.sample(&labels, self.closed(index == 1, codes));
            }
        }
        expose_by_role(
            out,
            "duplex_websocket_handshake_seconds",
            "Opening handshakes that succeeded: of a server, from the request to the answer; of \
             a client, from the call to the open connection.",
            |is_client| self.handshakes(is_client),
        );
        expose_by_role(
            out,
            "duplex_websocket_connection_seconds",
            "How long WebSockets were open that have ended.",
            |is_client| self.ages(is_client),
        );
        out.family(
            "duplex_websocket_ping_rtt_seconds",
            Kind::Histogram,
            "How long a client took to answer a Ping that idleTimeout had a server send.",
        );
        out.histogram(&[], &self.pings());
    }

    fn expose_messages(&self, out: &mut Exposition) {
        type Read = fn(&Snapshot, MessageKind) -> u64;
        let families: [(&'static str, &str, Read); 4] = [
            (
                "duplex_websocket_messages_received_total",
                "Messages that the program was handed.",
                Snapshot::received,
            ),
            (
                "duplex_websocket_messages_sent_total",
                "Messages that were queued for a peer, published ones among them.",
                Snapshot::sent,
            ),
            (
                "duplex_websocket_bytes_received_total",
                "Bytes of the messages that the program was handed, inflated.",
                Snapshot::received_bytes,
            ),
            (
                "duplex_websocket_bytes_sent_total",
                "Bytes of the messages that were queued for a peer, before compression.",
                Snapshot::sent_bytes,
            ),
        ];
        for (name, help, read) in families {
            out.family(name, Kind::Counter, help);
            for kind in MessageKind::ALL {
                out.sample(&[("type", kind.name())], read(self, *kind));
            }
        }
    }

    fn expose_troubles(&self, out: &mut Exposition) {
        out.family(
            "duplex_websocket_send_queue_bytes",
            Kind::Gauge,
            "Bytes of frames that wait because the kernel takes no more for now.",
        );
        out.sample(&[], self.send_queue_bytes());
        out.family(
            "duplex_websocket_backpressure_total",
            Kind::Counter,
            "Messages, Pings and Pongs that were sent while the kernel took no more, by what became \
             of them.",
        );
        for outcome in Queued::ALL {
            out.sample(&[("outcome", outcome.name())], self.backpressure(*outcome));
        }
        out.family(
            "duplex_websocket_limit_exceeded_total",
            Kind::Counter,
            "WebSockets that ended because of a limit, by the option that sets it.",
        );
        for limit in PassedLimit::ALL {
            out.sample(&[("limit", limit.name())], self.passed(*limit));
        }
        out.family(
            "duplex_websocket_handshakes_refused_total",
            Kind::Counter,
            "Requests for a WebSocket that a server refused.",
        );
        for (status, count) in self.refused() {
            out.sample(&[("status", &status.to_string())], count);
        }
        out.family(
            "duplex_websocket_dials_failed_total",
            Kind::Counter,
            "Clients that got no connection, by the reason.",
        );
        for reason in DialFailure::ALL {
            out.sample(&[("reason", reason.name())], self.dials_failed(*reason));
        }
    }

    fn expose_topics(&self, out: &mut Exposition) {
        out.family(
            "duplex_topics",
            Kind::Gauge,
            "Topics that have a subscriber in this process.",
        );
        out.sample(&[], self.topics());
        out.family(
            "duplex_subscriptions",
            Kind::Gauge,
            "Subscriptions of all WebSockets of this process.",
        );
        out.sample(&[], self.subscriptions());
        out.family(
            "duplex_publish_total",
            Kind::Counter,
            "Messages that this process has published.",
        );
        out.sample(&[], self.published());
        out.family(
            "duplex_deliveries_total",
            Kind::Counter,
            "Published messages that were queued for a subscriber: one for each subscriber.",
        );
        out.sample(&[], self.delivered());
    }

    fn expose_event_loops(&self, out: &mut Exposition) {
        out.family(
            "duplex_event_loops",
            Kind::Gauge,
            "Event loops: the program's, those of --parallel, those of web workers.",
        );
        out.sample(&[], self.event_loops());
        out.family(
            "duplex_event_loop_lag_seconds",
            Kind::Histogram,
            "By how much a timer of an event loop came late, looked at twice a second.",
        );
        out.histogram(&[], &self.lag());
        out.family(
            "duplex_event_loop_blocked_seconds",
            Kind::Gauge,
            "How long the most overdue event loop is overdue.",
        );
        out.sample(&[], self.blocked());
    }
}

fn expose_by_role(
    out: &mut Exposition,
    name: &'static str,
    help: &str,
    read: impl Fn(bool) -> HistogramSnapshot,
) {
    out.family(name, Kind::Histogram, help);
    for (index, role) in ROLES.iter().enumerate() {
        out.histogram(&[("role", role)], &read(index == 1));
    }
}
