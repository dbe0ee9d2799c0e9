//! The first half of a run: reading, decoding and delivering.

use std::rc::Rc;
use std::time::Instant;

use duplex_protocol::close::CloseCode;
use duplex_protocol::decoder::Event;
use duplex_protocol::error::ProtocolError;
use duplex_protocol::session::Ending;

use super::Hub;
use super::delivery::{Delivered, Delivery, Inbox, InboxWork};
use crate::connection::{Connection, EventSink, Input, Read};
use crate::metrics::{MessageKind, PassedLimit, here};
use crate::network_events;
use crate::recycler::Recycled;

/// The result of reading some input.
enum InputProgress {
    All,
    /// The script has to ask for the messages in the last `left` bytes.
    Paused {
        left: usize,
    },
    /// Both Close frames have come and gone.
    Drained,
    /// No more script may run.
    Stopped,
}

impl Hub {
    /// Serves all connections on the ready list. Returns false if no more script may run.
    pub(super) fn read_ready(&self, delivery: &mut impl Delivery, now: Instant) -> bool {
        for id in self.ready.take() {
            // A connection may have ended, and its id may belong to another
            // connection by now. Looking at that connection once more is
            // harmless.
            let Some(connection) = self.get(id) else {
                continue;
            };
            let ending = connection.fail_now();
            if ending.is_some() {
                self.end_failed(delivery, &connection, ending);
            }
            if connection.session().is_terminated() {
                self.end(delivery, &connection, connection.drop_connection());
                self.remove(&connection);
                continue;
            }
            // If the peer of a stream has closed, it will not read what is left to write. Whether
            // the peer's Close frame is found must not depend on how much the kernel takes now.
            let reads_first = connection.is_pull();
            if connection.is_blocked() && !reads_first {
                self.flush(delivery, &connection);
            }
            if !self.read(delivery, &connection, now) {
                return false;
            }
            if connection.is_blocked() && reads_first {
                self.flush(delivery, &connection);
            }
        }
        true
    }

    /// Reads from `connection` and delivers the messages. Returns false if no more script may run.
    fn read(
        &self,
        delivery: &mut impl Delivery,
        connection: &Rc<Connection>,
        now: Instant,
    ) -> bool {
        if !connection.is_attached() {
            return true;
        }
        if connection.is_pull() {
            match self.read_unread(delivery, connection, now) {
                InputProgress::All => {}
                InputProgress::Paused { .. } | InputProgress::Drained => return true,
                InputProgress::Stopped => return false,
            }
        }
        if connection.is_paused() {
            return true;
        }
        let mut buffer = self.read_buffer.take();
        if buffer.is_empty() {
            buffer.resize(READ_BUFFER_LENGTH, 0);
        }
        let mut may_run = true;
        let mut left_in_turn = BYTES_IN_TURN;
        for turn in 0.. {
            if turn == READS_IN_TURN || left_in_turn == 0 {
                // The other connections have their turn. This connection goes
                // on after them.
                connection.waker().wake_by_ref();
                break;
            }
            let longest = left_in_turn.min(LONGEST_READ);
            let ending = match connection.read(&mut buffer, longest, &self.recycler) {
                Read::Input(input) => {
                    let count = input.length();
                    left_in_turn = left_in_turn.saturating_sub(count);
                    if connection.has_ended() {
                        continue;
                    }
                    connection.record_heard(now);
                    match self.decode(delivery, connection, input, &mut buffer, now) {
                        InputProgress::All if connection.is_paused() => {}
                        InputProgress::All => continue,
                        // Bytes that were read into a message are not in the buffer.
                        InputProgress::Paused { left: 0 } => {}
                        InputProgress::Paused { left } => {
                            connection.keep_unread(&buffer[count - left..count]);
                        }
                        InputProgress::Drained => {}
                        InputProgress::Stopped => may_run = false,
                    }
                    break;
                }
                Read::Blocked => break,
                Read::Eof => connection.transport_ended(None),
                Read::Failed(error) => connection.transport_ended(Some(&error)),
            };
            self.end(delivery, connection, ending);
            self.remove(connection);
            break;
        }
        self.read_buffer.set(buffer);
        may_run
    }

    /// Delivers a message from the bytes that were read from a stream's connection before the
    /// script asked for them.
    fn read_unread(
        &self,
        delivery: &mut impl Delivery,
        connection: &Rc<Connection>,
        now: Instant,
    ) -> InputProgress {
        if connection.has_ended() {
            return InputProgress::All;
        }
        if connection.is_paused() {
            return InputProgress::Paused { left: 0 };
        }
        let Some(mut unread) = connection.take_unread() else {
            return InputProgress::All;
        };
        let bytes = unread.bytes();
        let input = Input::Bytes(bytes.len());
        let decoded = self.decode(delivery, connection, input, bytes, now);
        if let InputProgress::Paused { left } = decoded {
            connection.restore_unread(unread, left);
        }
        decoded
    }

    /// Decodes `input` and delivers its events. A connection that breaks the
    /// protocol fails.
    fn decode(
        &self,
        delivery: &mut impl Delivery,
        connection: &Rc<Connection>,
        input: Input,
        buffer: &mut [u8],
        now: Instant,
    ) -> InputProgress {
        let work = Decode {
            hub: self,
            connection,
            input,
            buffer,
            now,
        };
        delivery.with_inbox(connection, work)
    }
}

/// Some input that must be decoded and delivered.
struct Decode<'d> {
    hub: &'d Hub,
    connection: &'d Rc<Connection>,
    input: Input,
    buffer: &'d mut [u8],
    now: Instant,
}

impl InboxWork for Decode<'_> {
    type Output = InputProgress;

    fn run(self, inbox: &mut impl Inbox) -> InputProgress {
        let Self {
            hub,
            connection,
            input,
            buffer,
            now,
        } = self;
        let mut sink = Sink {
            hub,
            connection,
            inbox,
            now,
            stop: None,
        };
        let result = connection.decode(input, buffer, &mut sink);
        let Sink { inbox, stop, .. } = sink;
        if matches!(stop, Some(Stop::Stopped)) || !inbox.deliver_waiting() {
            return InputProgress::Stopped;
        }
        if connection.is_drained() {
            return InputProgress::Drained;
        }
        let ending = match (result, stop) {
            (Err(error), _) => fail(connection, error),
            (_, Some(Stop::Broken(error))) => fail(connection, error),
            (_, Some(Stop::Failed(code, message))) => connection.fail(code, message),
            (Ok(left), Some(Stop::Paused)) => return InputProgress::Paused { left },
            _ => return InputProgress::All,
        };
        hub.end_failed(inbox, connection, ending);
        InputProgress::All
    }
}

/// Fails a connection whose peer has broken the protocol or a limit.
fn fail(connection: &Connection, error: ProtocolError) -> Option<Ending> {
    if let Some(limit) = PassedLimit::of_error(error) {
        here().passed(limit);
    }
    connection.fail(error.close_code(), error.to_string())
}

/// Hands the events of one input to an inbox.
struct Sink<'d, I> {
    hub: &'d Hub,
    connection: &'d Rc<Connection>,
    inbox: &'d mut I,
    now: Instant,
    /// Why no further event is taken.
    stop: Option<Stop>,
}

/// Why decoding stops before the end of the input.
enum Stop {
    /// The next message is not asked for.
    Paused,
    /// The peer has broken the protocol or a limit.
    Broken(ProtocolError),
    /// The connection must fail with this code and this message.
    Failed(CloseCode, String),
    /// No more script may run.
    Stopped,
}

impl<I: Inbox> EventSink for Sink<'_, I> {
    // Always inlined, because handing on an event takes as long as decoding it.
    #[inline(always)]
    fn event(&mut self, event: Event<'_>) -> bool {
        if network_events::is_on() {
            network_events::received(self.connection.shown(), &event);
        }
        let result = match event {
            Event::Text { text, is_ascii } => self.text(&text, is_ascii),
            event => self.other(event),
        };
        result.map_err(|stop| self.stop = Some(stop)).is_ok()
    }

    #[inline]
    fn recycled(&mut self, mut payload: Recycled) -> bool {
        let length = payload.as_mut().len();
        if network_events::is_on() {
            network_events::received_binary(self.connection.shown(), payload.as_mut());
        }
        let result = self.message(MessageKind::Binary, length, |inbox| inbox.recycled(payload));
        result.map_err(|stop| self.stop = Some(stop)).is_ok()
    }
}

impl<I: Inbox> Sink<'_, I> {
    #[inline(always)]
    fn text(&mut self, text: &str, is_ascii: bool) -> Result<(), Stop> {
        if !self.inbox.make_room() {
            return Err(Stop::Stopped);
        }
        self.message(MessageKind::Text, text.len(), |inbox| {
            inbox.text(text, is_ascii)
        })
    }

    /// Takes every event except text. Binary messages and control frames are
    /// delivered at once.
    #[inline]
    fn other(&mut self, event: Event<'_>) -> Result<(), Stop> {
        if !self.inbox.deliver_waiting() {
            return Err(Stop::Stopped);
        }
        let connection = self.connection;
        if matches!(event, Event::Ping(_) | Event::Pong(_)) {
            let counted = connection.count_control(self.now);
            counted.map_err(Stop::Broken)?;
        }
        let delivered = match event {
            Event::Text { .. } => Delivered::Yes,
            Event::Binary(payload) => {
                let length = payload.len();
                return self.message(MessageKind::Binary, length, |inbox| inbox.binary(payload));
            }
            Event::Ping(payload) => {
                if connection.answer_ping(&payload) {
                    self.hub.mark_dirty(connection);
                }
                self.inbox.control(payload, false)
            }
            Event::Pong(payload) => {
                if let Some(elapsed) = connection.receive_pong(self.now) {
                    here().ping_answered(elapsed);
                }
                self.inbox.control(payload, true)
            }
            Event::Close(close) => {
                connection.receive_close(close);
                self.hub.flush(self.inbox, connection);
                if !connection.is_drained() {
                    self.hub.await_end(connection);
                }
                Delivered::Yes
            }
        };
        delivered.into_result()
    }

    /// Delivers a message of `length` bytes by `deliver`.
    #[inline(always)]
    fn message(
        &mut self,
        kind: MessageKind,
        length: usize,
        deliver: impl FnOnce(&mut I) -> Delivered,
    ) -> Result<(), Stop> {
        // The standard drops messages that come after this end has begun the closing handshake.
        if !self.connection.session().delivers() {
            return Ok(());
        }
        here().received(kind, length);
        self.connection.begin_delivery();
        let delivered = deliver(self.inbox);
        let may_go_on = self.connection.end_delivery();
        delivered.into_result()?;
        match may_go_on {
            true => Ok(()),
            false => Err(Stop::Paused),
        }
    }
}

impl Delivered {
    #[inline(always)]
    fn into_result(self) -> Result<(), Stop> {
        match self {
            Self::Yes => Ok(()),
            Self::TooLong => {
                let message = "message is longer than a string can be".to_owned();
                Err(Stop::Failed(CloseCode::MESSAGE_TOO_BIG, message))
            }
            Self::Stopped => Err(Stop::Stopped),
        }
    }
}

/// The longest read, in bytes. A longer message takes several reads.
const READ_BUFFER_LENGTH: usize = 64 << 10;
/// The longest read that goes directly into a message, in bytes. So many bytes stay in the second
/// level of cache until they are unmasked.
const LONGEST_READ: usize = 256 << 10;
/// How many reads one connection has before the others have theirs.
const READS_IN_TURN: u32 = 16;
/// How many bytes one connection reads before the others have their turn.
const BYTES_IN_TURN: usize = 1 << 20;
