//! The conditions that must hold in a simulation: at each callback, after each run of a hub, when
//! everything has settled, and when everything has ended.

use duplex_protocol::session::Ending;

use super::Simulation;
use super::end::{Item, Kind};
use crate::connection::Connection;
use crate::hub::Hub;

impl Simulation {
    // At each callback.

    /// Each message arrives once, in order and whole.
    pub(super) fn on_message(&self, socket: usize, kind: Kind, bytes: &[u8]) {
        self.trace(|| format!("{socket}: gets {kind:?} of {} bytes", bytes.len()));
        let ends = &mut self.ends.borrow_mut();
        let end = &ends[socket];
        assert!(
            end.is_attached && end.ending.is_none(),
            "{socket}: a message after the end"
        );
        // A script that closes drops later messages, but texts that were kept
        // still come.
        if !end.listens() || end.is_corrupt || end.shut_down.is_some() {
            return;
        }
        let expected = ends[socket ^ 1].sent.pop_front();
        let is_expected = expected.is_some_and(|item| item.kind == kind && item.bytes() == bytes);
        assert!(
            is_expected,
            "{socket}: got {kind:?} of {} bytes: {:?}, and not {expected:?}",
            bytes.len(),
            String::from_utf8_lossy(&bytes[..bytes.len().min(20)])
        );
    }

    /// Pings arrive as messages do, and Pongs in the order of their Pings.
    pub(super) fn on_control(&self, socket: usize, payload: &[u8], is_pong: bool) {
        if self.ends.borrow()[socket].is_corrupt {
            return;
        }
        if payload.is_empty() {
            // The Pings of an idle timeout are empty. A Pong of such a Ping answers all earlier
            // Pings too.
            self.ends.borrow_mut()[socket].is_last_ping_covered |= is_pong;
            return;
        }
        if !is_pong || payload[0] == b'!' {
            let kind = [Kind::Ping, Kind::Pong][usize::from(is_pong)];
            self.on_message(socket, kind, payload);
            return;
        }
        self.trace(|| {
            format!(
                "{socket}: gets the Pong {}",
                String::from_utf8_lossy(payload)
            )
        });
        let end = &mut self.ends.borrow_mut()[socket];
        assert!(end.ending.is_none(), "{socket}: a Pong after the end");
        let number = Item::number_of(payload);
        assert!(
            number > end.last_pong && number <= end.last_ping,
            "{socket}: the Pong {number:?} after {:?}, of {:?}",
            end.last_pong,
            end.last_ping
        );
        end.last_pong = number;
    }

    /// An actor that is told to go on was told to wait before, and no bytes
    /// wait any more.
    pub(super) fn on_drained(&self, socket: usize, connection: &Connection) {
        self.trace(|| format!("{socket}: drained"));
        let end = &mut self.ends.borrow_mut()[socket];
        assert!(end.ending.is_none(), "{socket}: drained after the end");
        if !end.is_pull {
            assert!(end.is_drain_awaited, "{socket}: drained, and nobody waits");
            let amount = connection.queued();
            assert_eq!(
                amount.0,
                connection.written(),
                "{socket}: drained too early"
            );
        }
        end.is_drain_awaited = false;
    }

    /// The beginning of the closing handshake is told once, and only to an end
    /// that did not begin it.
    pub(super) fn on_closing(&self, socket: usize) {
        self.trace(|| format!("{socket}: is closing"));
        let end = &mut self.ends.borrow_mut()[socket];
        let knows = end.is_closing_told || end.asked_to_close.is_some();
        assert!(
            end.is_attached && end.ending.is_none() && !knows,
            "{socket}: told that it is closing"
        );
        end.is_closing_told = true;
    }

    /// The end is told once, and has the right values.
    pub(super) fn on_closed(&self, socket: usize, ending: &Ending) {
        self.trace(|| format!("{socket}: {ending:?}"));
        let (now, heard) = (self.clock.get(), self.network.heard(socket));
        let mut ends = self.ends.borrow_mut();
        let peer_sent: Vec<_> = ends[socket ^ 1].sent.iter().copied().take(3).collect();
        let peer_blobs = ends[socket ^ 1].blobs.len();
        let codes = [socket, socket ^ 1].map(|it| ends[it].asked_to_close.map(|(_, code)| code));
        let peer_was_refused = ends[socket ^ 1].is_refused;
        let end = &mut ends[socket];
        assert_eq!(end.ending, None, "{socket}: a second end: {ending:?}");
        let listened = end.listens() && !end.is_corrupt && end.shut_down.is_none();
        end.ending = Some(ending.clone());
        // An end that was not attached has no script to tell.
        if !end.is_attached {
            self.excuse(socket);
            return;
        }
        let is_silent = ending.error.as_deref() == Some("No response from ping frame.");
        if is_silent {
            let timeout = end.idle_timeout.expect("no idle timeout was asked for");
            // A part of a TLS record does not count as heard.
            assert!(
                now - heard >= timeout || end.is_tls,
                "{socket}: given up after {:?}",
                now - heard
            );
            self.excuse(socket);
        }
        let is_abnormal = ending.code == 1006;
        if !is_abnormal && !ending.was_clean {
            // The peer did not take the Close frame, or a stream lost a
            // message.
            self.excuse(socket);
        }
        if is_abnormal && ending.error.is_none() && !end.is_terminated {
            // This end gave up in the closing handshake, or the peer dropped
            // the connection in it.
            let is_excused = self.excused.borrow()[socket / 2];
            let begun = end.begun_to_close().expect("an end without a reason");
            let had_its_time = now - begun >= end.close_timeout;
            assert!(
                had_its_time || is_excused,
                "{socket}: given up after {:?}",
                now - begun
            );
            self.excuse(socket);
        }
        if is_abnormal && !self.excused.borrow()[socket / 2] {
            panic!("{socket}: failed without a cause: {ending:?}");
        }
        if ending.was_clean {
            let is_known = codes.contains(&Some(ending.code));
            let is_failure = matches!(ending.code, 1001 | 1002 | 1007..=1009);
            assert!(
                is_known || is_failure || end.is_corrupt,
                "{socket}: the code is nobody's"
            );
            // The peer's messages come before its Close frame.
            let is_complete = peer_sent.is_empty() || !listened || peer_blobs > 0;
            assert!(
                is_complete || peer_was_refused || self.excused.borrow()[socket / 2],
                "{socket}: a clean end without {peer_sent:?}"
            );
        }
    }

    // After each run of a hub.

    pub(super) fn check_run(&self, index: usize, hub: &Hub) {
        assert!(
            hub.dirty.take().is_empty(),
            "hub {index}: something is to be flushed still"
        );
        assert!(!hub.is_running.get());
        for socket in 0..self.network.len() {
            if self.ends.borrow()[socket].hub == index
                && let Some((_, connection)) = self.connection(socket)
            {
                self.check_counts(socket, &connection);
                let is_idle = connection.is_blocked() || connection.session().is_cut_off();
                let (queued, _) = connection.queued();
                assert!(
                    is_idle || queued == connection.written(),
                    "{socket}: not flushed, and not blocked"
                );
            }
        }
    }

    /// The queued bytes are counted right.
    pub(super) fn check_counts(&self, socket: usize, connection: &Connection) {
        let (queued, _) = connection.queued();
        let written = connection.written();
        assert!(
            written <= queued,
            "{socket}: {written} of {queued} bytes were written"
        );
        // With TLS, the kernel has records and not frames.
        let is_tls = self.ends.borrow()[socket].is_tls;
        if !connection.session().is_cut_off() && !is_tls {
            let taken = self.network.written(socket);
            assert_eq!(written, taken, "{socket}: the kernel has other bytes");
        }
    }

    // When everything has settled.

    /// Nothing that could have come is still awaited.
    pub(super) fn check_settled(&self) {
        for socket in self.live() {
            let (Some((_, connection)), true) = (
                self.connection(socket),
                self.ends.borrow()[socket ^ 1].is_live(),
            ) else {
                continue;
            };
            let ends = self.ends.borrow();
            let end = &ends[socket];
            if self.network.is_reset(socket) {
                panic!("{socket}: was reset, and nobody was told");
            }
            if end.is_corrupt {
                continue;
            }
            assert!(
                end.begun_to_close().is_none() && !end.is_closing_told && !end.is_terminated,
                "{socket}: the closing handshake is not through"
            );
            assert_eq!(
                connection.buffered_amount(),
                0,
                "{socket}: bytes are queued"
            );
            assert!(!connection.is_blocked(), "{socket}: waits for the kernel");
            assert!(
                end.sent.is_empty(),
                "{socket}: lost, or not delivered: {:?} and {} others",
                end.sent.front(),
                end.sent.len() - 1
            );
            assert!(
                !end.is_drain_awaited || end.is_pull,
                "{socket}: waits to be drained"
            );
            assert!(
                end.last_ping == end.last_pong || end.is_last_ping_covered,
                "{socket}: the last Ping has no Pong"
            );
        }
    }

    // When everything has ended.

    /// Every actor was told the end, and nothing is left.
    pub(super) fn check_ended(&self) {
        let ends = self.ends.borrow();
        for (socket, end) in ends.iter().enumerate() {
            assert!(
                end.is_gone || end.ending.is_some(),
                "{socket}: its end was not told"
            );
            assert!(
                end.connection.upgrade().is_none(),
                "{socket}: its connection is left"
            );
        }
        for (index, slot) in self.hubs.iter().enumerate() {
            if let Some(hub) = &*slot.hub.borrow() {
                assert!(
                    hub.connections.borrow().is_empty(),
                    "hub {index} has connections"
                );
                assert_eq!(
                    slot.holds.get(),
                    0,
                    "hub {index} keeps its event loop going"
                );
                for topic in ["one", "two", "three", "four", "five"] {
                    assert_eq!(
                        slot.group.subscriber_count(topic),
                        0,
                        "hub {index}: {topic}"
                    );
                }
            }
        }
    }
}
