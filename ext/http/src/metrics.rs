//! The numbers of the program, for operators and for scripts.

use std::collections::BTreeMap;

use deno_core::op2;
use duplex_broker::Loss;
use duplex_broker::State;
use duplex_websocket::metrics::Class;
use duplex_websocket::metrics::CloseCodes;
use duplex_websocket::metrics::DialFailure;
use duplex_websocket::metrics::Exposition;
use duplex_websocket::metrics::Kind;
use duplex_websocket::metrics::MessageKind;
use duplex_websocket::metrics::PassedLimit;
use duplex_websocket::metrics::Queued;
use duplex_websocket::metrics::Snapshot;
use http::StatusCode;

use crate::broker;
use crate::exchange::Exchange;
use crate::peer::Peer;
use crate::warnings::refused_connections;

/// Adds the numbers of WebSockets, topics, event loops and brokers for Prometheus.
pub fn expose(out: &mut Exposition) {
    Snapshot::take().expose(out);
    out.family(
        "duplex_http_connections_refused_total",
        Kind::Counter,
        "Connections that were closed when they were accepted, because of --max-connections.",
    );
    out.sample(&[], refused_connections());
    expose_brokers(out);
}

fn expose_brokers(out: &mut Exposition) {
    // Two servers may name the same broker in different ways.
    let mut brokers: BTreeMap<(String, String), (bool, f64)> = BTreeMap::new();
    for broker in broker::all() {
        let is_up = broker.status.state == State::Up;
        let round_trip = broker.status.round_trip.as_secs_f64();
        let known = brokers.entry((broker.address, broker.prefix));
        let (all_up, longest) = known.or_insert((true, 0.0));
        *all_up &= is_up;
        *longest = longest.max(round_trip);
    }
    fn labels((address, prefix): &(String, String)) -> [(&str, &str); 2] {
        [("broker", address), ("prefix", prefix)]
    }
    out.family(
        "duplex_broker_up",
        Kind::Gauge,
        "1 if the broker is connected and knows all subscriptions, otherwise 0.",
    );
    for (broker, (is_up, _)) in &brokers {
        out.sample(&labels(broker), u8::from(*is_up));
    }
    out.family(
        "duplex_broker_lag_seconds",
        Kind::Gauge,
        "How long the broker took to confirm the last thing that it was asked to.",
    );
    for (broker, (_, round_trip)) in &brokers {
        out.sample(&labels(broker), *round_trip);
    }
    out.family(
        "duplex_broker_lost_total",
        Kind::Counter,
        "Messages of this process that no broker has confirmed, by the reason.",
    );
    for loss in Loss::ALL {
        let count = duplex_broker::lost(loss);
        out.sample(&[("reason", loss.name())], count);
    }
}

/// A number of the object that scripts get: the member that contains the number, or an empty
/// string, then its name, and its value.
type Number = (&'static str, String, f64);

/// The numbers of the program, as `metrics()` of `00_metrics.js` takes them.
#[op2]
pub(crate) fn op_http_metrics() -> Vec<Number> {
    let snapshot = Snapshot::take();
    let mut numbers = Vec::new();
    let mut push = |group, name: &str, value: u64| {
        numbers.push((group, name.to_owned(), value as f64));
    };
    for (is_client, role) in [(false, "server"), (true, "client")] {
        let classes = || Class::all().filter(|class| class.is_client() == is_client);
        push(
            "connections",
            role,
            classes().map(|it| snapshot.open(it)).sum(),
        );
        push(
            "opened",
            role,
            classes().map(|it| snapshot.opened(it)).sum(),
        );
    }
    for codes in CloseCodes::all() {
        let count = snapshot.closed(false, codes) + snapshot.closed(true, codes);
        if count > 0 {
            push("closed", &codes.name(), count);
        }
    }
    for &kind in MessageKind::ALL {
        let name = kind.name();
        push("messagesReceived", name, snapshot.received(kind));
        push("bytesReceived", name, snapshot.received_bytes(kind));
        push("messagesSent", name, snapshot.sent(kind));
        push("bytesSent", name, snapshot.sent_bytes(kind));
    }
    for &outcome in Queued::ALL {
        push(
            "backpressure",
            outcome.name(),
            snapshot.backpressure(outcome),
        );
    }
    for &limit in PassedLimit::ALL {
        push("limitsExceeded", limit.name(), snapshot.passed(limit));
    }
    for (status, count) in snapshot.refused() {
        push("handshakesRefused", &status.to_string(), count);
    }
    for &reason in DialFailure::ALL {
        push("dialsFailed", reason.name(), snapshot.dials_failed(reason));
    }
    for (name, value) in [
        ("connectionsRefused", refused_connections()),
        ("sendQueueBytes", snapshot.send_queue_bytes()),
        ("topics", snapshot.topics()),
        ("subscriptions", snapshot.subscriptions()),
        ("published", snapshot.published()),
        ("delivered", snapshot.delivered()),
        (
            "brokerLost",
            Loss::ALL.into_iter().map(duplex_broker::lost).sum(),
        ),
    ] {
        push("", name, value);
    }
    numbers
}

/// The script has answered `exchange` with an ordinary response. If the client asked for a
/// WebSocket, it is refused.
pub(crate) fn note_answer(exchange: &Exchange, status: StatusCode) {
    if exchange.asks_for_websocket() {
        let status = status.as_u16();
        duplex_websocket::metrics::handshake_refused(status);
        if duplex_websocket::logs_connections() {
            duplex_websocket::log_refused(status, &exchange.peer, exchange.target());
        }
    }
}

/// The client of `exchange` has got a WebSocket, the connection `id`.
pub(crate) fn note_upgrade(exchange: &Exchange, id: u32) {
    if let Some(began) = exchange.began() {
        duplex_websocket::metrics::handshake_done(false, began.elapsed());
    }
    if duplex_websocket::logs_connections() {
        let extensions = exchange.deflate.get();
        let extensions = extensions.map_or_else(String::new, |(agreed, _)| agreed.to_string());
        duplex_websocket::log_opened(
            id,
            &exchange.peer,
            exchange.target(),
            &exchange.agreement.borrow().protocol,
            &extensions,
        );
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}
