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
//! Two things change over the life of a connection, and each has its own type. The
//! [`State`] says what the two ends have sent each other. The [`ReadyState`] says what the
//! application knows of it, in the words of the WebSockets standard.
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
//! A dash means that nothing happens. "Sends" and "answers" mean that this end's Close frame
//! is to be queued; it is queued once in the life of a connection. Each way into `Closed`
//! gives the [`Ending`], so the application is told exactly one.
//!
//! | ready state | becomes |
//! |---|---|
//! | `Connecting` | `Open` by [`attach`](Session::attach) |
//! | `Open` | `Closing` by [`announce_closing`](Session::announce_closing), when the application closes, or by [`take_closing`](Session::take_closing), when the driver tells it |
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
//! // The peer begins the closing handshake. Its frame is answered, and then all is said.
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
    /// The connection is to be failed, and the driver has not done it yet. Nothing more is
    /// sent; what comes is delivered still.
    Failing,
    /// The closing handshake has begun.
    Closing(Closing),
    /// The connection is to be dropped, and the driver has not done it yet.
    Terminated,
    /// The application has been told the end. What is queued may still be on its way.
    Closed,
}

/// How far the closing handshake is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// This end has queued its Close frame first. The peer's is awaited.
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
    /// How long the peer may stay silent. `None` means for ever.
    pub idle: Option<IdleTimeout>,
    /// How long the peer may take to answer a Close frame, or to end the stream after it.
    /// `None` means for ever.
    pub close_timeout: Option<Duration>,
    /// How long a failed connection is kept, so that its Close frame can arrive.
    pub linger_timeout: Duration,
    /// How many bytes a second the peer has to take of what was queued before, so that its
    /// time to answer does not run.
    pub least_progress: u64,
    /// How many Pings and Pongs may come in a second.
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

/// How far the bytes have come that the driver has queued for the peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outgoing {
    /// How many were queued since the connection began.
    pub queued: u64,
    /// How many of those the peer has taken, as far as this end can tell.
    pub taken: u64,
    /// Whether the transport takes no more for now.
    pub is_blocked: bool,
}

/// A deadline that has passed.
#[derive(Debug, Eq, PartialEq)]
pub enum Timeout {
    /// The peer was silent for half of its time. A Ping is to be queued.
    Ping,
    /// The peer did not answer the Ping. The connection has failed.
    Silent(Failure),
    /// The peer did not answer the Close frame, or did not end the stream. The connection is
    /// to be dropped. The ending is `None` if the application has been told one.
    GivenUp(Option<Ending>),
}

/// One end of a connection. The [module](self) explains it.
#[derive(Debug)]
pub struct Session {
    state: State,
    ready_state: ReadyState,
    /// Whether the transport takes no more bytes, ever.
    is_cut_off: bool,
    /// Whether something that the application sent will not arrive, so that no end is clean.
    has_lost_data: bool,
    idle: Idle,
    cold: Option<Box<ColdState>>,
}

/// What most connections never need, or only at their end.
#[derive(Debug, Default)]
struct ColdState {
    /// The peer's Close frame.
    close_received: Option<Close>,
    /// Why the connection is to be failed.
    failure: Option<(CloseCode, String)>,
    /// How long the closing handshake, or the end of the stream, is waited for.
    closing: Option<Watch>,
    /// The last Ping that is to be answered once the answer to an earlier one is written.
    pending_ping: Option<Box<[u8]>>,
    control_rate: Option<ControlRate>,
}

impl Session {
    /// A connection whose opening handshake is through at `now`.
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

    /// The application takes the connection over at `now`, and is delivered to from then on.
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

    /// Whether what comes is to be decoded. Afterwards it is read and discarded, so that no
    /// reset overtakes the Close frame.
    #[inline]
    pub const fn can_receive(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// Whether messages that come are delivered. The standard drops those that come after
    /// this end has begun the closing handshake.
    #[inline]
    pub const fn delivers(&self) -> bool {
        matches!(self.state, State::Open | State::Failing)
    }

    /// Whether this end's Close frame has been queued, and the end has not been told.
    #[inline]
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing(_))
    }

    /// Whether the application has been told the end.
    #[inline]
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether the connection is to be dropped.
    #[inline]
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Whether both Close frames are there: nothing follows this end's.
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

    /// Something that the application sent will not arrive: no end is clean any more. Returns
    /// whether that is news.
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

    /// This end begins the closing handshake. Returns whether its Close frame is to be queued.
    #[must_use = "the Close frame is to be queued"]
    pub const fn close(&mut self) -> bool {
        let begins = matches!(self.state, State::Open);
        if begins {
            self.state = State::Closing(Closing::Sent);
        }
        begins
    }

    /// The peer's Close frame has come. Returns the Close frame to queue, if the peer's is not
    /// an answer itself: it echoes the code and the reason (section 5.5.1).
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

    /// Returns whether the closing handshake has begun without the application's knowledge.
    /// The driver tells the application then, and this is not returned again.
    #[must_use = "the application is to be told"]
    pub fn take_closing(&mut self) -> bool {
        let is_news = self.is_closing() && self.ready_state == ReadyState::Open;
        if is_news {
            self.ready_state = ReadyState::Closing;
        }
        is_news
    }

    // The end.

    /// Everything that was queued has been written. Returns the end, where both Close frames
    /// are through.
    #[must_use = "the application is to be told"]
    pub fn finish(&mut self) -> Option<Ending> {
        match self.state {
            State::Closing(Closing::Received) => self.end(|session| session.exchanged()),
            _ => None,
        }
    }

    /// The transport has ended: by `error`, or orderly.
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

    /// The application drops the connection. The driver does it, because it has to tell the
    /// end: [`is_terminated`](Self::is_terminated), then [`drop_connection`](Self::drop_connection).
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

    /// Has the driver [fail](Self::fail_now) the connection when no script runs. Nothing can be
    /// sent from now on. Returns whether that is news.
    pub fn fail_later(&mut self, code: CloseCode, message: impl FnOnce() -> String) -> bool {
        let is_news = self.can_send();
        if is_news {
            self.state = State::Failing;
            self.cold().failure = Some((code, message()));
        }
        is_news
    }

    /// Fails the connection if it is to be.
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

    /// The end, unless it has been told.
    fn end(&mut self, ending: impl FnOnce(&mut Self) -> Ending) -> Option<Ending> {
        if self.state == State::Closed {
            return None;
        }
        let ending = ending(self);
        self.state = State::Closed;
        self.ready_state = ReadyState::Closed;
        Some(ending)
    }

    /// The end after both Close frames. What this end had to fail for before that counts
    /// more.
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
    /// [`ProtocolError::TooManyControlFrames`]: the connection is to be failed.
    pub fn count_control(&mut self, now: Instant, config: &Config) -> Result<(), ProtocolError> {
        let rate = &mut self.cold().control_rate;
        rate.get_or_insert_with(|| ControlRate::new(config.max_control_frames))
            .count(now)
    }

    /// A Ping has come. Returns whether its Pong is to be queued now. While an earlier Pong
    /// waits for the transport, the last Ping is kept for [`next_pong`](Self::next_pong), and
    /// those between need no answer.
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
            // An earlier one needs no answer any more.
            cold.pending_ping = None;
        }
        true
    }

    /// The payload of the Pong to queue when no Pong waits for the transport.
    pub fn next_pong(&mut self) -> Option<Box<[u8]>> {
        let may_send = self.owes_close();
        let pending = &mut self.cold.as_mut()?.pending_ping;
        // Nothing follows a Close frame.
        pending.take().filter(|_| may_send)
    }

    /// A Pong has come at `now`. Returns how long the Ping took for which
    /// [`handle_timeout`](Self::handle_timeout) asked, if this is the first Pong since.
    pub fn receive_pong(&mut self, now: Instant) -> Option<Duration> {
        self.idle.answered(now)
    }

    // Deadlines.

    /// The peer was heard at `now`.
    #[inline]
    pub const fn heard(&mut self, now: Instant) {
        self.idle.heard(now);
    }

    /// The peer is to answer the Close frame that has just been queued, or to end the stream:
    /// its time runs from when it has taken everything that is queued.
    pub fn await_end(&mut self, now: Instant, config: &Config, outgoing: Outgoing) {
        let timeout = match self.state {
            State::Closed => Some(config.linger_timeout),
            _ => config.close_timeout,
        };
        if let Some(timeout) = timeout {
            self.cold().closing = Some(watch(timeout, now, outgoing));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, as things are.
    /// `is_reading` says whether the driver reads: a peer that nobody listens to is not
    /// silent.
    pub fn poll_timeout(&self, config: &Config, is_reading: bool) -> Option<Instant> {
        let idle = self.idle_limit(config, is_reading);
        let idle = idle.map(|limit| self.idle.due(limit));
        let closing = self.cold.as_ref().and_then(|cold| cold.closing);
        let closing = closing.map(|watch| watch.due());
        [closing, idle].into_iter().flatten().min()
    }

    /// Acts on the deadlines that have passed at `now`. Everything that had come by then has
    /// been noted with [`heard`](Self::heard) before.
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

    /// The idle timeout, while silence matters: not before the application is there, and not
    /// once the closing handshake has a deadline of its own.
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
        // What does not wait behind anything is written at once.
        false => Watch::unhindered(timeout, now),
    }
}

/// So few bytes hinder nothing that stands behind them: one packet takes them.
const UNHINDERED: u64 = 1 << 10;
/// What a peer that did not answer a Ping is told, in the words of Deno.
const NO_PONG: &str = "No response from ping frame.";
