//! The life of one end of a connection after its opening handshake: who may send what and
//! when, the closing handshake, Pings and Pongs, deadlines, and the end (RFC 6455 sections
//! 5.5, 7 and 10).
//!
//! A [`Session`] does no I/O and reads no clock. Its driver tells it what happens and when,
//! queues the frames that it asks for, and calls
//! [`handle_timeout`](Session::handle_timeout) at [`poll_timeout`](Session::poll_timeout).
//!
//! # States
//!
//! Two things change over the life of a connection, and each has its own type. The [`State`] says
//! what the two ends have sent each other. The [`ReadyState`] says what the application knows of
//! the connection, in the words of the WebSockets standard.
//!
//! | state | [`close`] | [`receive_close`] | [`fail_later`] | [`terminate`] | [`fail`] | [`transport_ended`] | [`finish`] |
//! |---|---|---|---|---|---|---|---|
//! | `Open` | `Closing(Sent)` | `Closing(Received)`, answers | `Failing` | `Terminated` | `Closed`, sends | `Closed` | – |
//! | `Failing` | – | `Closing(Received)`, answers | – | `Terminated` | `Closed`, sends | `Closed` | – |
//! | `Closing(Sent)` | – | `Closing(Received)` | – | `Terminated` | `Closed` | `Closed` | – |
//! | `Closing(Received)` | – | – | – | `Terminated` | `Closed` | `Closed` | `Closed` |
//! | `Terminated` | – | – | – | – | `Closed` | `Closed` | – |
//! | `Closed` | – | – | – | – | – | – | – |
//!
//! A dash means that nothing happens. "Sends" and "answers" mean that this end's Close frame must
//! be queued. The frame is queued once in the life of a connection. Each way into `Closed` gives
//! the [`Ending`], so the application is told exactly one ending.
//!
//! | ready state | becomes |
//! |---|---|
//! | `Connecting` | `Open` by [`attach`](Session::attach) |
//! | `Open` | `Closing` by [`announce_closing`](Session::announce_closing), when the application closes, or by [`take_closing`](Session::take_closing), when the driver tells the application |
//! | any | `Closed` when the state does |
//!
//! [`close`]: Session::close
//! [`receive_close`]: Session::receive_close
//! [`fail_later`]: Session::fail_later
//! [`terminate`]: Session::terminate
//! [`fail`]: Session::fail
//! [`transport_ended`]: Session::transport_ended
//! [`finish`]: Session::finish
//!
//! ```
//! use std::time::Instant;
//!
//! use duplex_protocol::close::{Close, CloseCode};
//! use duplex_protocol::session::Session;
//!
//! let mut session = Session::new(Instant::now());
//! session.attach(Instant::now());
//! assert!(session.can_send());
//!
//! // The peer begins the closing handshake. This end answers the Close frame, and neither end
//! // sends more.
//! let answer = session.receive_close(Close::new(CloseCode::NORMAL, "bye"));
//! assert_eq!(answer, Some(Close::new(CloseCode::NORMAL, "bye")));
//! assert!(!session.can_send());
//! let ending = session.finish().unwrap();
//! assert_eq!((ending.code, ending.was_clean), (1000, true));
//! ```

mod ending;
mod idle;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt::Display;
use std::time::{Duration, Instant};

pub use self::ending::{Ending, Failure};
pub use self::idle::IdleTimeout;
use self::idle::{Idle, Step};
use self::watch::{Pace, Watch};
use crate::close::{Close, CloseCode};
use crate::control_rate::ControlRate;
use crate::error::ProtocolError;

/// What the two ends have sent each other. The [table](self) says how it changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// The connection must be failed, and the driver has not failed it yet. The application sends
    /// nothing more. Messages that come are still delivered.
    Failing,
    /// The closing handshake has begun.
    Closing(Closing),
    /// The connection must be dropped, and the driver has not dropped it yet.
    Terminated,
    /// The application has been told the end. Queued bytes may still be on their way.
    Closed,
}

/// How far the closing handshake is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// This end has queued its Close frame first. The peer's Close frame is
    /// awaited.
    Sent,
    /// The peer's Close frame has come, and this end's has been queued.
    Received,
}

/// What the application knows, in the words of the WebSockets standard.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ReadyState {
    /// The application has not taken the connection over yet. Nothing is delivered.
    Connecting,
    /// The application may send.
    Open,
    /// The application knows that the closing handshake has begun.
    Closing,
    /// The application has been told the end.
    Closed,
}

/// What connections with the same settings have in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// How long the peer may stay silent. `None` means without a limit.
    pub idle: Option<IdleTimeout>,
    /// How long the peer may take to answer a Close frame, or to end the stream after it. `None`
    /// means without a limit.
    pub close_timeout: Option<Duration>,
    /// How long a failed connection is kept, so that its Close frame can arrive.
    pub linger_timeout: Duration,
    /// How many bytes a second the peer has to take of what was queued before a frame that it must
    /// answer. While the peer takes that many, its time to answer does not run.
    pub least_progress: u64,
    /// How many Pings and Pongs the peer may send in a second. One more fails
    /// the connection.
    pub max_control_frames: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle: None,
            close_timeout: Some(Duration::from_secs(10)),
            linger_timeout: Duration::from_secs(2),
            least_progress: 1 << 10,
            max_control_frames: ControlRate::DEFAULT_LIMIT,
        }
    }
}

/// How far the bytes have come that the driver queued for the peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outgoing {
    /// How many bytes were queued since the connection began.
    pub queued: u64,
    /// How many of these bytes the peer has taken, as far as this end can tell.
    pub taken: u64,
    /// Whether the transport takes no more for now.
    pub is_blocked: bool,
}

/// A deadline that has passed.
#[derive(Debug, Eq, PartialEq)]
pub enum Timeout {
    /// The peer was silent for half of the idle timeout. A Ping must be queued.
    Ping,
    /// The peer was silent for the second half too. The connection has failed.
    Silent(Failure),
    /// The peer did not answer the Close frame, or did not end the stream. The connection must be
    /// dropped. The ending is `None` if the application has been told one before.
    GivenUp(Option<Ending>),
}

/// One end of a connection. The [module](self) explains it.
#[derive(Debug)]
pub struct Session {
    state: State,
    ready_state: ReadyState,
    /// Whether the transport will never take another byte.
    is_cut_off: bool,
    /// Whether something that the application sent will not arrive, so that the ending is not
    /// clean.
    has_lost_data: bool,
    idle: Idle,
    cold: Option<Box<ColdState>>,
}

/// The state that most connections never need, or need only at their end.
#[derive(Debug, Default)]
struct ColdState {
    /// The peer's Close frame.
    close_received: Option<Close>,
    /// Why the connection must be failed.
    failure: Option<(CloseCode, String)>,
    /// The time that the peer has to finish the closing handshake, or to end
    /// the stream.
    closing: Option<Watch>,
    /// The last Ping that came while an earlier Pong waited. This end answers the Ping when that
    /// Pong is written.
    pending_ping: Option<Box<[u8]>>,
    control_rate: Option<ControlRate>,
}

impl Session {
    /// Makes the session of a connection whose opening handshake ended at
    /// `now`.
    pub const fn new(now: Instant) -> Self {
        Self {
            state: State::Open,
            ready_state: ReadyState::Connecting,
            is_cut_off: false,
            has_lost_data: false,
            idle: Idle::new(now),
            cold: None,
        }
    }

    fn cold(&mut self) -> &mut ColdState {
        self.cold.get_or_insert_with(Box::default)
    }

    /// What the two ends have sent each other.
    #[inline]
    pub const fn state(&self) -> State {
        self.state
    }

    /// What the application knows.
    #[inline]
    pub const fn ready_state(&self) -> ReadyState {
        self.ready_state
    }

    /// The application takes the connection over at `now`. From then on the driver delivers to the
    /// application.
    pub fn attach(&mut self, now: Instant) {
        if self.ready_state == ReadyState::Connecting {
            self.ready_state = ReadyState::Open;
        }
        self.heard(now);
    }

    // What may happen.

    /// Whether messages, Pings and unasked Pongs may be queued.
    #[inline]
    pub const fn can_send(&self) -> bool {
        matches!(self.state, State::Open) && !self.is_cut_off
    }

    /// Whether the bytes that come must be decoded. If not, the driver reads and discards them, so
    /// that no reset overtakes the Close frame.
    #[inline]
    pub const fn can_receive(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// Whether messages that come are delivered. The standard drops messages that come after this
    /// end has begun the closing handshake.
    #[inline]
    pub const fn delivers(&self) -> bool {
        matches!(self.state, State::Open | State::Failing)
    }

    /// Whether this end's Close frame has been queued, and the application has not been told the
    /// end.
    #[inline]
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing(_))
    }

    /// Whether the application has been told the end.
    #[inline]
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether the connection must be dropped.
    #[inline]
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Whether both Close frames are there, so that nothing follows this end's
    /// Close frame.
    #[inline]
    pub fn is_last_word(&self) -> bool {
        matches!(
            self.state,
            State::Closing(Closing::Received) | State::Closed
        ) && self.close_received().is_some()
    }

    /// The peer's Close frame.
    pub fn close_received(&self) -> Option<&Close> {
        self.cold.as_ref()?.close_received.as_ref()
    }

    /// Whether the transport takes no more bytes. What the peer has sent may still be read.
    #[inline]
    pub const fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// The transport takes no more bytes.
    pub const fn cut_off(&mut self) {
        self.is_cut_off = true;
    }

    /// Something that the application sent will not arrive, so that the ending is not clean.
    /// Returns whether this is the first loss.
    pub const fn lose_data(&mut self) -> bool {
        let is_news = !self.has_lost_data;
        self.has_lost_data = true;
        is_news
    }

    /// Whether something that the application sent will not arrive.
    #[inline]
    pub const fn has_lost_data(&self) -> bool {
        self.has_lost_data
    }

    // The closing handshake (section 7).

    /// This end begins the closing handshake. Returns whether its Close frame must be queued.
    #[must_use = "the Close frame is to be queued"]
    pub const fn close(&mut self) -> bool {
        let begins = matches!(self.state, State::Open);
        if begins {
            self.state = State::Closing(Closing::Sent);
        }
        begins
    }

    /// The peer's Close frame has come. Returns the Close frame to queue, unless the peer's frame
    /// is an answer itself. The frame to queue repeats the code and the reason (section 5.5.1).
    #[must_use = "the Close frame is to be queued"]
    pub fn receive_close(&mut self, close: Close) -> Option<Close> {
        let answers = match self.state {
            State::Open | State::Failing => true,
            State::Closing(Closing::Sent) => false,
            State::Closing(Closing::Received) | State::Terminated | State::Closed => return None,
        };
        self.state = State::Closing(Closing::Received);
        let answer = answers.then(|| close.clone());
        self.cold().close_received = Some(close);
        answer
    }

    /// The application begins the closing handshake itself.
    pub fn announce_closing(&mut self) {
        if self.ready_state == ReadyState::Open {
            self.ready_state = ReadyState::Closing;
        }
    }

    /// Returns whether the closing handshake has begun without the application's knowledge. The
    /// driver then tells the application. A second call returns `false`.
    #[must_use = "the application is to be told"]
    pub fn take_closing(&mut self) -> bool {
        let is_news = self.is_closing() && self.ready_state == ReadyState::Open;
        if is_news {
            self.ready_state = ReadyState::Closing;
        }
        is_news
    }

    // The end.

    /// Everything that was queued has been written. Returns the end if both Close frames are there.
    #[must_use = "the application is to be told"]
    pub fn finish(&mut self) -> Option<Ending> {
        match self.state {
            State::Closing(Closing::Received) => self.end(|session| session.exchanged()),
            _ => None,
        }
    }

    /// The transport has ended: by `error`, or orderly if `error` is `None`.
    #[must_use = "the application is to be told"]
    pub fn transport_ended(&mut self, error: Option<&dyn Display>) -> Option<Ending> {
        self.end(|session| match session.state {
            State::Closing(Closing::Received) => session.exchanged(),
            // A peer that drops the connection after this end asked it to close, or after the
            // application dropped it, made nothing fail.
            State::Closing(Closing::Sent) | State::Terminated => Ending::abnormal(None),
            State::Open | State::Failing | State::Closed => {
                let failure = session.cold.as_mut().and_then(|cold| cold.failure.take());
                Ending::abnormal(Some(match (failure, error) {
                    (Some((_, message)), _) => message,
                    (None, Some(error)) => error.to_string(),
                    (None, None) => "Unexpected EOF".to_owned(),
                }))
            }
        })
    }

    /// The application drops the connection. The driver finds
    /// [`is_terminated`](Self::is_terminated) and calls [`drop_connection`](Self::drop_connection),
    /// because the driver has to tell the end.
    pub const fn terminate(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Terminated;
        }
    }

    /// The connection is dropped without any handshake. Returns the end.
    #[must_use = "the application is to be told"]
    pub fn drop_connection(&mut self) -> Option<Ending> {
        self.end(|_| Ending::abnormal(None))
    }

    /// Fails the connection (section 7.1.7).
    #[must_use = "the Close frame is to be queued, and the application told"]
    pub fn fail(&mut self, code: CloseCode, message: String) -> Failure {
        let close = self
            .owes_close()
            .then(|| Close::new(code, message.as_str()));
        let ending = self.end(|_| Ending::abnormal(Some(message)));
        Failure { close, ending }
    }

    /// Makes the driver [fail](Self::fail_now) the connection when no script runs. The application
    /// can send nothing from now on. Returns `false`, and does nothing, if the application could
    /// not send before either.
    pub fn fail_later(&mut self, code: CloseCode, message: impl FnOnce() -> String) -> bool {
        let is_news = self.can_send();
        if is_news {
            self.state = State::Failing;
            self.cold().failure = Some((code, message()));
        }
        is_news
    }

    /// Fails the connection if [`fail_later`](Self::fail_later) asked for the
    /// failure.
    #[must_use = "the Close frame is to be queued, and the application told"]
    pub fn fail_now(&mut self) -> Option<Failure> {
        if self.state != State::Failing {
            return None;
        }
        let (code, message) = self.cold().failure.take()?;
        Some(self.fail(code, message))
    }

    /// Whether this end may still send its Close frame.
    const fn owes_close(&self) -> bool {
        matches!(self.state, State::Open | State::Failing)
    }

    /// The end, unless the application has been told one.
    fn end(&mut self, ending: impl FnOnce(&mut Self) -> Ending) -> Option<Ending> {
        if self.state == State::Closed {
            return None;
        }
        let ending = ending(self);
        self.state = State::Closed;
        self.ready_state = ReadyState::Closed;
        Some(ending)
    }

    /// The end after both Close frames. A failure that this end had noted before takes precedence.
    fn exchanged(&mut self) -> Ending {
        let has_lost_data = self.has_lost_data;
        let cold = self.cold();
        match (cold.failure.take(), &cold.close_received) {
            (None, Some(close)) => Ending::closed(close, !has_lost_data),
            (failure, _) => Ending::abnormal(failure.map(|(_, message)| message)),
        }
    }

    // Pings and Pongs (sections 5.5.2 and 5.5.3).

    /// Counts a Ping or a Pong that came at `now`.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::TooManyControlFrames`]: the connection must be failed.
    pub fn count_control(&mut self, now: Instant, config: &Config) -> Result<(), ProtocolError> {
        let rate = &mut self.cold().control_rate;
        rate.get_or_insert_with(|| ControlRate::new(config.max_control_frames))
            .count(now)
    }

    /// A Ping has come. Returns whether its Pong must be queued now. While an earlier Pong waits
    /// for the transport, the last Ping is kept for [`next_pong`](Self::next_pong), and the Pings
    /// between need no answer (section 5.5.3).
    #[must_use = "the Pong is to be queued"]
    pub fn receive_ping(&mut self, payload: &[u8], is_pong_waiting: bool) -> bool {
        if !self.owes_close() {
            return false;
        }
        if is_pong_waiting {
            self.cold().pending_ping = Some(payload.into());
            return false;
        }
        if let Some(cold) = &mut self.cold {
            // An earlier Ping needs no answer any more.
            cold.pending_ping = None;
        }
        true
    }

    /// Returns the payload of the Pong to queue, if there is one. The driver
    /// calls this when no Pong waits for the transport.
    pub fn next_pong(&mut self) -> Option<Box<[u8]>> {
        let may_send = self.owes_close();
        let pending = &mut self.cold.as_mut()?.pending_ping;
        // Nothing follows a Close frame.
        pending.take().filter(|_| may_send)
    }

    /// A Pong has come at `now`. Returns the time since the last Ping that
    /// [`handle_timeout`](Self::handle_timeout) asked for, if this is the first Pong after that
    /// Ping.
    pub fn receive_pong(&mut self, now: Instant) -> Option<Duration> {
        self.idle.answered(now)
    }

    // Deadlines.

    /// The peer was heard at `now`.
    #[inline]
    pub const fn heard(&mut self, now: Instant) {
        self.idle.heard(now);
    }

    /// The peer must answer the Close frame that has just been queued, or to end the stream. The
    /// peer's time runs from when the peer has taken everything that is queued.
    pub fn await_end(&mut self, now: Instant, config: &Config, outgoing: Outgoing) {
        let timeout = match self.state {
            State::Closed => Some(config.linger_timeout),
            _ => config.close_timeout,
        };
        if let Some(timeout) = timeout {
            self.cold().closing = Some(watch(timeout, now, outgoing));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called, unless something happens
    /// before. `is_reading` says whether the driver reads. If the driver does not read, the peer's
    /// silence does not count.
    pub fn poll_timeout(&self, config: &Config, is_reading: bool) -> Option<Instant> {
        let idle = self.idle_limit(config, is_reading);
        let idle = idle.map(|limit| self.idle.due(limit));
        let closing = self.cold.as_ref().and_then(|cold| cold.closing);
        let closing = closing.map(|watch| watch.due());
        [closing, idle].into_iter().flatten().min()
    }

    /// Acts on the deadlines that have passed at `now`. The driver has called
    /// [`heard`](Self::heard) before for everything that had come by `now`.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        config: &Config,
        is_reading: bool,
        outgoing: impl Fn() -> Outgoing,
    ) -> Option<Timeout> {
        let pace = || Pace {
            taken: outgoing().taken,
            least: config.least_progress,
        };
        let closing = self.cold.as_mut().and_then(|cold| cold.closing.as_mut());
        if closing.is_some_and(|watch| watch.look(now, pace)) {
            let ending = self.end(|session| match session.state {
                // The peer has not taken this end's Close frame.
                State::Closing(Closing::Received) => Ending {
                    was_clean: false,
                    ..session.exchanged()
                },
                _ => Ending::abnormal(None),
            });
            return Some(Timeout::GivenUp(ending));
        }
        let limit = self.idle_limit(config, is_reading)?;
        match self.idle.check(limit, now, pace) {
            Step::Nothing => None,
            Step::Ask => {
                let pinged = limit.sends_pings.then_some(now);
                let watch = watch(limit.timeout / 2, now, outgoing());
                self.idle.watch(watch, pinged);
                limit.sends_pings.then_some(Timeout::Ping)
            }
            Step::GiveUp => {
                let mut failure = self.fail(CloseCode::GOING_AWAY, NO_PONG.to_owned());
                if let Some(ending) = &mut failure.ending {
                    ending.code = CloseCode::GOING_AWAY.get();
                    NO_PONG.clone_into(&mut ending.reason);
                }
                Some(Timeout::Silent(failure))
            }
        }
    }

    /// The idle timeout, while silence matters. Silence does not matter before the application is
    /// attached, nor after the closing handshake has a deadline of its own.
    fn idle_limit(&self, config: &Config, is_reading: bool) -> Option<IdleTimeout> {
        let is_watched = is_reading && self.owes_close();
        config
            .idle
            .filter(|_| is_watched && self.ready_state != ReadyState::Connecting)
    }
}

/// Gives the peer `timeout` to answer the last of what is queued.
fn watch(timeout: Duration, now: Instant, outgoing: Outgoing) -> Watch {
    let waiting = outgoing.queued.saturating_sub(outgoing.taken);
    match outgoing.is_blocked || waiting > UNHINDERED {
        true => Watch::new(timeout, now, outgoing.taken, outgoing.queued),
        // A frame with nothing before it is written at once.
        false => Watch::unhindered(timeout, now),
    }
}

/// So few bytes do not delay a frame after them, because one packet carries
/// all of them.
const UNHINDERED: u64 = 1 << 10;
/// The reason that a peer is told if it did not answer a Ping, in the words of
/// Deno.
const NO_PONG: &str = "No response from ping frame.";
