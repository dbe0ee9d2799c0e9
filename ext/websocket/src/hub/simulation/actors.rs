//! The acts of the actors of a simulation, and the delivery of a hub to them.

use std::borrow::Cow;
use std::rc::Rc;

use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::session::Ending;

use super::Simulation;
use super::end::{Item, Kind};
use crate::connection::{Connection, SendStatus};
use crate::hub::Hub;
use crate::hub::delivery::{Delivered, Delivery, Events, Inbox, InboxWork};
use crate::message::{Message, Reach};
use crate::publishing;
use crate::recycler::Recycled;

impl Simulation {
    /// The actor of `socket` does something, or nothing.
    pub(super) fn act(&self, socket: usize) {
        let Some((hub, connection)) = self.connection(socket) else {
            return;
        };
        let is_live = self.ends.borrow()[socket].is_live();
        if self.is_settling.get() || !is_live {
            return;
        }
        let random = &self.random;
        match random.below(40) {
            0..14 => self.send(socket, &hub, &connection),
            14..16 => {
                for _ in 0..random.part_of(20) {
                    self.send(socket, &hub, &connection);
                }
            }
            16..18 => {
                // Sends to all on the hub, as a chat without topics does.
                let others = self.live();
                for other in others {
                    if let Some((hub, connection)) = self.connection(other) {
                        self.send(other, &hub, &connection);
                        if self.likes_long && random.one_in(2) {
                            let length = 66_000 + random.below(100_000);
                            self.send_bytes(other, &hub, &connection, length);
                        }
                    }
                }
            }
            18..21 => {
                for _ in 0..random.part_of(4) {
                    self.ping(socket, &hub, &connection);
                }
            }
            21..25 => self.publish(socket, &hub, &connection),
            25..28 => {
                let topic = TOPICS[random.below(TOPICS.len())];
                match random.one_in(3) {
                    true => _ = publishing::unsubscribe(&connection, topic),
                    false => _ = publishing::subscribe(&connection, topic),
                }
                if !connection.session().delivers() || !connection.session().can_send() {
                    // More topics than the limit.
                    self.excuse(socket);
                }
            }
            28..31 => self.pull(socket),
            31 => self.defer_blob(socket, &hub, &connection),
            32 | 33 => _ = self.read_blob(socket),
            34 if random.one_in(3) => self.close(socket, &hub, &connection),
            35 if random.one_in(10) => self.terminate(socket, &connection),
            36 => hub.set_ref(&connection, random.one_in(2)),
            37 => {
                // Some other actor of the same hub.
                self.act(random.below(self.network.len()));
            }
            38 => _ = connection.backlog(),
            39 if !connection.is_pull() => hub.hold_back(connection.id, random.one_in(2)),
            _ => {}
        }
    }

    /// The actor of `socket` ends its connection, in one way or another.
    pub(super) fn leave(&self, socket: usize) {
        let Some((hub, connection)) = self.connection(socket) else {
            return;
        };
        match self.random.one_in(6) {
            true => self.terminate(socket, &connection),
            false => self.close(socket, &hub, &connection),
        }
    }

    fn length(&self) -> usize {
        let random = &self.random;
        if self.likes_long && random.one_in(8) {
            return 60_000 + random.below(200_000);
        }
        match random.below(60) {
            0..30 => random.below(126),
            30..45 => random.below(1_000),
            45..52 => random.below(9_000),
            52..57 => random.below(66_000),
            57 => [125, 126, 127, 65_535, 65_536][random.below(5)],
            58 => 60_000 + random.below(20_000),
            _ => random.below(300_000),
        }
    }

    /// What `socket` sends next, unless enough was sent.
    fn next_item(&self, socket: usize, kind: Kind, length: usize) -> Option<Item> {
        let (messages, bytes) = self.budget.get();
        let left = (messages.checked_sub(1)?, bytes.checked_sub(length)?);
        self.budget.set(left);
        let end = &mut self.ends.borrow_mut()[socket];
        let number = end.next_number;
        end.next_number += 1;
        // A text is only cut between characters.
        let length = match kind {
            Kind::Text if length < 12 => length.max(12),
            Kind::Ping | Kind::Pong => length.clamp(12, 125),
            _ => length,
        };
        Some(Item {
            kind,
            number,
            length,
        })
    }

    fn send(&self, socket: usize, hub: &Hub, connection: &Rc<Connection>) {
        self.send_bytes(socket, hub, connection, self.length());
    }

    fn send_bytes(&self, socket: usize, hub: &Hub, connection: &Rc<Connection>, length: usize) {
        let kind = [Kind::Text, Kind::Binary][self.random.below(2)];
        let Some(item) = self.next_item(socket, kind, length) else {
            return;
        };
        let bytes = item.bytes();
        let sent = hub.send(connection.id, |connection| match item.kind {
            Kind::Text => connection.send_text(std::str::from_utf8(&bytes).unwrap()),
            _ => connection.send_binary(&bytes),
        });
        self.record_sent(socket, item, sent);
    }

    fn ping(&self, socket: usize, hub: &Hub, connection: &Rc<Connection>) {
        let kind = [Kind::Ping, Kind::Ping, Kind::Pong][self.random.below(3)];
        if self.ends.borrow()[socket].asked_to_close.is_some() {
            // A Close frame that waits for a Blob does not hold up control frames. But a script
            // that closed sends none.
            return;
        }
        let length = self.random.below(126);
        let Some(item) = self.next_item(socket, kind, length) else {
            return;
        };
        let bytes = item.bytes();
        let sent = hub.send(connection.id, |connection| match item.kind {
            Kind::Ping => connection.send_ping(&bytes),
            _ => connection.send_pong(&bytes),
        });
        self.record_sent(socket, item, sent);
        if item.kind == Kind::Ping && matches!(sent, SendStatus::Taken | SendStatus::Buffered) {
            let end = &mut self.ends.borrow_mut()[socket];
            end.last_ping = Some(item.number);
            end.is_last_ping_covered = false;
        }
    }

    fn defer_blob(&self, socket: usize, hub: &Hub, connection: &Rc<Connection>) {
        let Some(item) = self.next_item(socket, Kind::Binary, self.length()) else {
            return;
        };
        let sent = hub.send(connection.id, |connection| {
            connection.defer_blob(item.length)
        });
        self.record_sent(socket, item, sent);
        if sent == SendStatus::Taken {
            self.ends.borrow_mut()[socket].blobs.push_back(item);
        }
    }

    /// The content of the first Blob has been read, or cannot be read. Returns whether there was
    /// one.
    pub(super) fn read_blob(&self, socket: usize) -> bool {
        let blob = self.ends.borrow_mut()[socket].blobs.pop_front();
        let (Some(item), Some((hub, connection))) = (blob, self.connection(socket)) else {
            return false;
        };
        let fails = self.random.one_in(4);
        self.trace(|| format!("{socket}: a Blob is read: {item:?}, fails: {fails}"));
        if fails {
            let end = &mut self.ends.borrow_mut()[socket];
            end.sent.retain(|sent| *sent != item);
        }
        let bytes = (!fails).then(|| item.bytes());
        let queued = connection.queued();
        hub.send_blob(&connection, bytes.as_deref());
        if connection.is_blocked() && connection.queued().0 > queued.0 {
            self.ends.borrow_mut()[socket].is_drain_awaited = true;
        }
        self.check_counts(socket, &connection);
        true
    }

    /// Notes the outcome of something that was sent, and checks that this outcome is possible.
    fn record_sent(&self, socket: usize, item: Item, sent: SendStatus) {
        self.trace(|| format!("{socket}: sends {item:?}: {sent:?}"));
        let peer = self.ends.borrow()[socket ^ 1].max_payload_length;
        let end = &mut self.ends.borrow_mut()[socket];
        match sent {
            SendStatus::Taken | SendStatus::Buffered => {
                let is_control = matches!(item.kind, Kind::Ping | Kind::Pong);
                let waits_for_blob = is_control && !end.blobs.is_empty();
                assert!(
                    (end.begun_to_close().is_none() || waits_for_blob) && !end.is_terminated,
                    "{socket}: sent after it closed: {item:?}"
                );
                // All that is sent waits for the Blobs before it, except control frames.
                let blob = end.blobs.front().copied();
                let blob = blob.and_then(|blob| end.sent.iter().position(|it| *it == blob));
                match (item.kind, blob) {
                    (Kind::Ping | Kind::Pong, Some(at)) => end.sent.insert(at, item),
                    _ => end.sent.push_back(item),
                }
                end.is_drain_awaited |= sent == SendStatus::Buffered;
                if item.length > peer {
                    self.excuse(socket);
                }
            }
            SendStatus::Refused => end.is_drain_awaited = true,
            SendStatus::Closed => {
                end.is_refused = true;
                if end.begun_to_close().is_none() && !end.is_closing_told {
                    // The limit of backpressure was exceeded, or the transport
                    // has gone.
                    self.excuse(socket);
                }
            }
        }
    }

    fn publish(&self, socket: usize, hub: &Rc<Hub>, connection: &Rc<Connection>) {
        let kind = [Kind::Text, Kind::Binary][self.random.below(2)];
        let Some(item) = self.next_item(socket, kind, self.length().max(12)) else {
            return;
        };
        let topic = TOPICS[self.random.below(TOPICS.len())];
        let bytes = item.bytes();
        let index = self.ends.borrow()[socket].hub;
        let subscribers: Vec<_> = (0..self.network.len())
            .filter(|other| *other != socket && self.ends.borrow()[*other].hub == index)
            .filter_map(|other| Some((other, self.connection(other)?.1)))
            .filter(|(_, connection)| publishing::is_subscribed(connection, topic))
            .map(|(other, connection)| (other, connection.queued(), connection))
            .collect();
        let membership = connection.membership.borrow();
        let Some(membership) = &*membership else {
            return;
        };
        let message = match item.kind {
            Kind::Text => Message::Text(std::str::from_utf8(&bytes).unwrap()),
            _ => Message::Binary(&bytes),
        };
        let sender = Some(connection);
        let reach = Reach::Process;
        publishing::publish(hub, membership.topics(), topic, message, sender, reach);
        for (other, queued, connection) in subscribers {
            let sent = match connection.queued() == queued {
                // A message that waits for a Blob is not reported as waiting
                // for the kernel.
                false if connection.is_deferring() => SendStatus::Taken,
                false if connection.is_blocked() => SendStatus::Buffered,
                false => SendStatus::Taken,
                true if connection.session().can_send() => SendStatus::Refused,
                true => SendStatus::Closed,
            };
            self.record_sent(other, item, sent);
        }
    }

    /// Asks for a message, if the connection is read on demand.
    pub(super) fn pull(&self, socket: usize) {
        if let Some((hub, connection)) = self.connection(socket)
            && self.ends.borrow()[socket].is_live()
        {
            hub.pull(connection.id);
        }
    }

    /// The actor of `socket` resumes reading.
    pub(super) fn resume(&self, socket: usize) {
        if let Some((hub, connection)) = self.connection(socket)
            && connection.is_held_back()
        {
            hub.hold_back(connection.id, false);
        }
    }

    fn close(&self, socket: usize, hub: &Hub, connection: &Rc<Connection>) {
        let code = [1000, 3000, 4999][self.random.below(3)];
        {
            let end = &mut self.ends.borrow_mut()[socket];
            if end.asked_to_close.is_some() || end.is_terminated || !end.is_live() {
                return;
            }
            end.asked_to_close = Some((self.clock.get(), code));
        }
        self.trace(|| format!("{socket}: closes with {code}"));
        connection.announce_closing();
        let close = CloseCode::new(code).map_or_else(Close::empty, |code| Close::new(code, "bye"));
        hub.close(connection, &close);
    }

    fn terminate(&self, socket: usize, connection: &Rc<Connection>) {
        {
            let end = &mut self.ends.borrow_mut()[socket];
            if !end.is_live() {
                return;
            }
            end.is_terminated = true;
        }
        self.trace(|| format!("{socket}: terminates"));
        self.excuse(socket);
        connection.announce_closing();
        connection.terminate();
    }

    /// The socket that a hub means by `connection`.
    fn socket_of(&self, hub: usize, connection: &Connection) -> usize {
        let ends = self.ends.borrow();
        let found = ends
            .iter()
            .position(|end| end.hub == hub && std::ptr::eq(end.connection.as_ptr(), connection));
        found.expect("the hub tells of a connection that nobody has")
    }
}

/// One run of a hub.
pub(super) struct SimulatedDelivery<'s> {
    pub simulation: &'s Simulation,
    pub hub: usize,
    /// Whether no more script may run.
    pub has_stopped: bool,
}

impl Events for SimulatedDelivery<'_> {
    fn drained(&mut self, connection: &Connection) {
        let socket = self.simulation.socket_of(self.hub, connection);
        self.simulation.on_drained(socket, connection);
        // Most actors go on when they are told that they may.
        for _ in 0..self.simulation.random.below(3) {
            self.simulation.act(socket);
        }
    }

    fn closing(&mut self, connection: &Connection) {
        let socket = self.simulation.socket_of(self.hub, connection);
        self.simulation.on_closing(socket);
        self.simulation.act(socket);
    }

    fn closed(&mut self, connection: &Connection, ending: &Ending) {
        let socket = self.simulation.socket_of(self.hub, connection);
        self.simulation.on_closed(socket, ending);
        // An actor that is told an end may do something on another connection.
        let other = self.simulation.random.below(self.simulation.network.len());
        self.simulation.act(other);
    }
}

impl Delivery for SimulatedDelivery<'_> {
    fn with_inbox<W: InboxWork>(&mut self, connection: &Connection, work: W) -> W::Output {
        let socket = self.simulation.socket_of(self.hub, connection);
        let keeps_texts = self.simulation.hubs[self.hub].keeps_texts && !connection.is_pull();
        work.run(&mut SimulatedInbox {
            delivery: self,
            socket,
            keeps_texts,
            waiting: Vec::new(),
        })
    }
}

/// The messages that one read brought.
struct SimulatedInbox<'d, 's> {
    delivery: &'d mut SimulatedDelivery<'s>,
    socket: usize,
    keeps_texts: bool,
    waiting: Vec<String>,
}

impl SimulatedInbox<'_, '_> {
    fn deliver(&mut self, kind: Kind, bytes: &[u8]) -> Delivered {
        assert!(!self.delivery.has_stopped, "script runs that may not");
        let simulation = self.delivery.simulation;
        simulation.on_message(self.socket, kind, bytes);
        simulation.act(self.socket);
        if simulation.random.one_in(2) || simulation.is_settling.get() {
            simulation.pull(self.socket);
        }
        if !simulation.is_settling.get() && simulation.random.one_in(5_000) {
            self.delivery.has_stopped = true;
            return Delivered::Stopped;
        }
        Delivered::Yes
    }
}

impl Events for SimulatedInbox<'_, '_> {
    fn drained(&mut self, connection: &Connection) {
        self.delivery.drained(connection);
    }

    fn closing(&mut self, connection: &Connection) {
        self.delivery.closing(connection);
    }

    fn closed(&mut self, connection: &Connection, ending: &Ending) {
        self.delivery.closed(connection, ending);
    }
}

impl Inbox for SimulatedInbox<'_, '_> {
    fn make_room(&mut self) -> bool {
        self.waiting.len() < 8 || self.deliver_waiting()
    }

    fn deliver_waiting(&mut self) -> bool {
        let waiting = std::mem::take(&mut self.waiting);
        let mut texts = waiting.into_iter();
        texts.all(|text| self.deliver(Kind::Text, text.as_bytes()) == Delivered::Yes)
    }

    fn text(&mut self, text: &str, is_ascii: bool) -> Delivered {
        assert_eq!(text.is_ascii(), is_ascii);
        if self.keeps_texts {
            self.waiting.push(text.to_owned());
            return Delivered::Yes;
        }
        self.deliver(Kind::Text, text.as_bytes())
    }

    fn binary(&mut self, payload: Cow<'_, [u8]>) -> Delivered {
        assert!(self.waiting.is_empty(), "it overtakes a text");
        self.deliver(Kind::Binary, &payload)
    }

    fn recycled(&mut self, mut payload: Recycled) -> Delivered {
        self.deliver(Kind::Binary, payload.as_mut())
    }

    fn control(&mut self, payload: Cow<'_, [u8]>, is_pong: bool) -> Delivered {
        assert!(self.waiting.is_empty(), "it overtakes a text");
        let simulation = self.delivery.simulation;
        simulation.on_control(self.socket, &payload, is_pong);
        simulation.act(self.socket);
        Delivered::Yes
    }
}

const TOPICS: [&str; 5] = ["one", "two", "three", "four", "five"];
