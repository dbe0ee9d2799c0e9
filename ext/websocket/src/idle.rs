//! The watch over a peer that may have gone silently.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use tokio::time::Instant;

use crate::watch::{Pace, Watch};

/// How long a peer may stay silent.
///
/// One that is not heard for half of the timeout is sent a Ping, unless it is not to be
/// asked, and has the other half to be heard again. That half is a [`Watch`]: the Ping may
/// stand behind much that the peer is taking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct IdleTimeout {
    pub timeout: Duration,
    pub sends_pings: bool,
}

/// For how long one was.
pub(crate) struct Idle {
    /// When the peer was heard last.
    since: Cell<Instant>,
    /// Whether the second half runs.
    is_watched: Cell<bool>,
    /// The second half. What is left of an earlier one counts no more.
    watch: OnceCell<Box<Cell<Watch>>>,
}

/// What is to be done now.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Nothing,
    /// Send a Ping, where the peer is to be asked, and [`watch`](Idle::watch) it.
    Ask,
    /// Give the peer up.
    GiveUp,
}

impl Idle {
    pub fn new(now: Instant) -> Self {
        Self {
            since: Cell::new(now),
            is_watched: Cell::new(false),
            watch: OnceCell::new(),
        }
    }

    #[inline]
    pub fn note_heard(&self, now: Instant) {
        self.since.set(now);
        self.is_watched.set(false);
    }

    /// When [`check`](Self::check) is to be called.
    pub fn due(&self, limit: IdleTimeout) -> Instant {
        match self.second_half() {
            Some(watch) => watch.get().due(),
            None => self.since.get() + limit.timeout / 2,
        }
    }

    /// Called when all that had come by `now` has been read as far as the event
    /// loop knows of it.
    pub fn check(&self, limit: IdleTimeout, now: Instant, pace: impl FnOnce() -> Pace) -> Step {
        let Some(cell) = self.second_half() else {
            return match now < self.due(limit) {
                true => Step::Nothing,
                false => Step::Ask,
            };
        };
        let mut watch = cell.get();
        let is_over = watch.look(now, pace);
        cell.set(watch);
        match is_over {
            true => Step::GiveUp,
            false => Step::Nothing,
        }
    }

    /// Begins the second half, in which the peer is to be heard.
    pub fn watch(&self, watch: Watch) {
        let cell = self.watch.get_or_init(|| Box::new(Cell::new(watch)));
        cell.set(watch);
        self.is_watched.set(true);
    }

    fn second_half(&self) -> Option<&Cell<Watch>> {
        self.watch
            .get()
            .filter(|_| self.is_watched.get())
            .map(|it| &**it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const LIMIT: IdleTimeout = IdleTimeout {
        timeout: Duration::from_secs(30),
        sends_pings: true,
    };

    /// A peer, and how it is checked when it takes nothing: nothing waits for it.
    fn idle() -> (Idle, Instant, impl Fn(&Idle, Instant) -> Step) {
        let start = Instant::now();
        let check = |idle: &Idle, now| {
            let step = idle.check(LIMIT, now, || unreachable!("nothing waits"));
            if step == Step::Ask {
                idle.watch(Watch::unhindered(LIMIT.timeout / 2, now));
            }
            step
        };
        (Idle::new(start), start, check)
    }

    #[test]
    fn a_silent_peer_is_asked_and_given_up() {
        let (idle, start, check) = idle();
        assert_eq!(check(&idle, start + SECOND * 14), Step::Nothing);
        assert_eq!(idle.due(LIMIT), start + SECOND * 15);
        assert_eq!(check(&idle, start + SECOND * 15), Step::Ask);
        assert_eq!(check(&idle, start + SECOND * 29), Step::Nothing);
        assert_eq!(idle.due(LIMIT), start + SECOND * 30);
        assert_eq!(check(&idle, start + SECOND * 30), Step::GiveUp);
    }

    #[test]
    fn an_answer_starts_anew() {
        let (idle, start, check) = idle();
        assert_eq!(check(&idle, start + SECOND * 15), Step::Ask);
        idle.note_heard(start + SECOND * 16);
        assert_eq!(idle.due(LIMIT), start + SECOND * 31);
        assert_eq!(check(&idle, start + SECOND * 31), Step::Ask);
        assert_eq!(check(&idle, start + SECOND * 46), Step::GiveUp);
    }

    #[test]
    fn a_busy_loop_drops_nobody() {
        let (idle, start, check) = idle();
        // Before the Ping: the peer has its time from when it is sent.
        assert_eq!(check(&idle, start + SECOND * 60), Step::Ask);
        assert_eq!(check(&idle, start + SECOND * 74), Step::Nothing);
        // After it: the answer may be there.
        assert_eq!(check(&idle, start + SECOND * 120), Step::Nothing);
        assert_eq!(check(&idle, start + SECOND * 134), Step::Nothing);
        // But not for ever.
        assert_eq!(check(&idle, start + SECOND * 135), Step::GiveUp);
    }

    #[test]
    fn a_peer_that_takes_what_stands_before_the_ping_is_not_silent() {
        let (idle, start, _) = idle();
        let pace = |taken| move || Pace { taken, least: 1000 };
        let asked = start + SECOND * 15;
        assert_eq!(idle.check(LIMIT, asked, pace(0)), Step::Ask);
        idle.watch(Watch::new(LIMIT.timeout / 2, asked, 0, 1_000_000));
        for second in 1..=100 {
            let now = asked + SECOND * second;
            let taken = 10_000 * u64::from(second);
            assert_eq!(idle.check(LIMIT, now, pace(taken)), Step::Nothing);
        }
        assert!(idle.due(LIMIT) > asked + SECOND * 100);
        let end = asked + SECOND * 116;
        assert_eq!(idle.check(LIMIT, end, pace(1_000_000)), Step::GiveUp);
    }
}
