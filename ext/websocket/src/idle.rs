//! The watch over a peer that may have gone silently.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// A peer that is not heard for half of the timeout is sent a Ping, and has the
/// other half to be heard again; or it is not asked, and has all of it.
///
/// That is measured in time in which this end could have heard: while the event
/// loop is busy, answers wait in the kernel, and nobody is dropped for that.
pub(crate) struct Idle {
    timeout: Duration,
    sends_pings: bool,
    last_heard: Cell<Instant>,
    /// When the peer was asked for an answer, or given the rest of its time because
    /// this end was busy.
    asked: Cell<Option<Instant>>,
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
    pub fn new(timeout: Duration, sends_pings: bool, now: Instant) -> Self {
        Self {
            timeout,
            sends_pings,
            last_heard: Cell::new(now),
            asked: Cell::new(None),
        }
    }

    pub fn note_heard(&self, now: Instant) {
        self.last_heard.set(now);
        self.asked.set(None);
    }

    /// When [`check`](Self::check) is to be called.
    pub fn due(&self) -> Instant {
        match self.asked.get() {
            Some(asked) => asked + self.timeout / 2,
            None if self.sends_pings => self.last_heard.get() + self.timeout / 2,
            None => self.last_heard.get() + self.timeout,
        }
    }

    /// Called when all that had come by `now` has been read as far as the event
    /// loop knows of it.
    pub fn check(&self, now: Instant) -> Step {
        let due = self.due();
        if now < due {
            return Step::Nothing;
        }
        if self.sends_pings && self.asked.get().is_none() {
            self.asked.set(Some(now));
            return Step::Ask;
        }
        if now - due > self.timeout / 8 {
            // The loop was busy. It may not know yet what has come, and the peer may
            // have had no chance.
            self.asked.set(Some(now));
            return Step::Nothing;
        }
        Step::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn idle() -> (Idle, Instant) {
        let start = Instant::now();
        (Idle::new(SECOND * 30, true, start), start)
    }

    #[test]
    fn a_silent_peer_is_asked_and_given_up() {
        let (idle, start) = idle();
        assert_eq!(idle.check(start + SECOND * 14), Step::Nothing);
        assert_eq!(idle.due(), start + SECOND * 15);
        assert_eq!(idle.check(start + SECOND * 15), Step::Ask);
        assert_eq!(idle.check(start + SECOND * 29), Step::Nothing);
        assert_eq!(idle.due(), start + SECOND * 30);
        assert_eq!(idle.check(start + SECOND * 30), Step::GiveUp);
    }

    #[test]
    fn an_answer_starts_anew() {
        let (idle, start) = idle();
        assert_eq!(idle.check(start + SECOND * 15), Step::Ask);
        idle.note_heard(start + SECOND * 16);
        assert_eq!(idle.due(), start + SECOND * 31);
        assert_eq!(idle.check(start + SECOND * 31), Step::Ask);
    }

    #[test]
    fn a_busy_loop_drops_nobody() {
        let (idle, start) = idle();
        // Before the Ping: the peer has its time from when it is sent.
        assert_eq!(idle.check(start + SECOND * 60), Step::Ask);
        assert_eq!(idle.check(start + SECOND * 74), Step::Nothing);
        // After it: the answer may be there.
        assert_eq!(idle.check(start + SECOND * 120), Step::Nothing);
        assert_eq!(idle.check(start + SECOND * 134), Step::Nothing);
        // But not for ever.
        assert_eq!(idle.check(start + SECOND * 135), Step::GiveUp);
    }

    #[test]
    fn a_peer_that_is_not_asked_has_all_of_the_time() {
        let start = Instant::now();
        let idle = Idle::new(SECOND * 30, false, start);
        assert_eq!(idle.check(start + SECOND * 29), Step::Nothing);
        assert_eq!(idle.due(), start + SECOND * 30);
        assert_eq!(idle.check(start + SECOND * 30), Step::GiveUp);

        let idle = Idle::new(SECOND * 30, false, start);
        assert_eq!(idle.check(start + SECOND * 60), Step::Nothing);
        assert_eq!(idle.due(), start + SECOND * 75);
        assert_eq!(idle.check(start + SECOND * 75), Step::GiveUp);
    }
}
