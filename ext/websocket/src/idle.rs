//! The watch over a peer that may have gone silently.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// How long a peer may stay silent.
///
/// One that is not heard for half of the timeout is sent a Ping, and has the
/// other half to be heard again; or it is not asked, and has all of it.
///
/// That is measured in time in which this end could have heard: while the event
/// loop is busy, answers wait in the kernel, and nobody is dropped for that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct IdleTimeout {
    pub timeout: Duration,
    pub sends_pings: bool,
}

/// For how long one was.
pub(crate) struct Idle {
    /// When the peer was heard last, or asked for an answer, or given the rest of its time
    /// because this end was busy.
    since: Cell<Instant>,
    /// Whether it was asked, or given that.
    is_asked: Cell<bool>,
}

/// What is to be done now.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Nothing,
    /// Send a Ping.
    Ask,
    /// Give the peer up.
    GiveUp,
}

impl Idle {
    pub fn new(now: Instant) -> Self {
        Self {
            since: Cell::new(now),
            is_asked: Cell::new(false),
        }
    }

    #[inline]
    pub fn note_heard(&self, now: Instant) {
        self.since.set(now);
        self.is_asked.set(false);
    }

    /// When [`check`](Self::check) is to be called.
    pub fn due(&self, limit: IdleTimeout) -> Instant {
        let has_half = self.is_asked.get() || limit.sends_pings;
        self.since.get() + limit.timeout / if has_half { 2 } else { 1 }
    }

    /// Called when all that had come by `now` has been read as far as the event
    /// loop knows of it.
    pub fn check(&self, limit: IdleTimeout, now: Instant) -> Step {
        let due = self.due(limit);
        if now < due {
            return Step::Nothing;
        }
        if limit.sends_pings && !self.is_asked.get() {
            self.ask(now);
            return Step::Ask;
        }
        if now - due > limit.timeout / 8 {
            // The loop was busy. It may not know yet what has come, and the peer may
            // have had no chance.
            self.ask(now);
            return Step::Nothing;
        }
        Step::GiveUp
    }

    fn ask(&self, now: Instant) {
        self.since.set(now);
        self.is_asked.set(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const PINGS: IdleTimeout = IdleTimeout {
        timeout: Duration::from_secs(30),
        sends_pings: true,
    };
    const NO_PINGS: IdleTimeout = IdleTimeout {
        sends_pings: false,
        ..PINGS
    };

    fn idle() -> (Idle, Instant) {
        let start = Instant::now();
        (Idle::new(start), start)
    }

    #[test]
    fn a_silent_peer_is_asked_and_given_up() {
        let (idle, start) = idle();
        assert_eq!(idle.check(PINGS, start + SECOND * 14), Step::Nothing);
        assert_eq!(idle.due(PINGS), start + SECOND * 15);
        assert_eq!(idle.check(PINGS, start + SECOND * 15), Step::Ask);
        assert_eq!(idle.check(PINGS, start + SECOND * 29), Step::Nothing);
        assert_eq!(idle.due(PINGS), start + SECOND * 30);
        assert_eq!(idle.check(PINGS, start + SECOND * 30), Step::GiveUp);
    }

    #[test]
    fn an_answer_starts_anew() {
        let (idle, start) = idle();
        assert_eq!(idle.check(PINGS, start + SECOND * 15), Step::Ask);
        idle.note_heard(start + SECOND * 16);
        assert_eq!(idle.due(PINGS), start + SECOND * 31);
        assert_eq!(idle.check(PINGS, start + SECOND * 31), Step::Ask);
    }

    #[test]
    fn a_busy_loop_drops_nobody() {
        let (idle, start) = idle();
        // Before the Ping: the peer has its time from when it is sent.
        assert_eq!(idle.check(PINGS, start + SECOND * 60), Step::Ask);
        assert_eq!(idle.check(PINGS, start + SECOND * 74), Step::Nothing);
        // After it: the answer may be there.
        assert_eq!(idle.check(PINGS, start + SECOND * 120), Step::Nothing);
        assert_eq!(idle.check(PINGS, start + SECOND * 134), Step::Nothing);
        // But not for ever.
        assert_eq!(idle.check(PINGS, start + SECOND * 135), Step::GiveUp);
    }

    #[test]
    fn a_peer_that_is_not_asked_has_all_of_the_time() {
        let (idle, start) = idle();
        assert_eq!(idle.check(NO_PINGS, start + SECOND * 29), Step::Nothing);
        assert_eq!(idle.due(NO_PINGS), start + SECOND * 30);
        assert_eq!(idle.check(NO_PINGS, start + SECOND * 30), Step::GiveUp);

        idle.note_heard(start);
        assert_eq!(idle.check(NO_PINGS, start + SECOND * 60), Step::Nothing);
        assert_eq!(idle.due(NO_PINGS), start + SECOND * 75);
        assert_eq!(idle.check(NO_PINGS, start + SECOND * 75), Step::GiveUp);
    }
}
