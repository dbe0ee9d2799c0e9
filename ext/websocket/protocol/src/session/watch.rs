//! How long a peer may take to answer, measured in progress.

use std::time::{Duration, Instant};

/// The time that a peer has to answer.
///
/// The frame that the peer must answer may stand after many bytes. While the peer takes at least
/// [`Pace::least`] of these bytes a second, the peer's time does not run. The time runs from when
/// all of the bytes have arrived.
///
/// Time in which this end could not have heard the peer does not count either: while the event loop
/// is busy, the peer's bytes wait in the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    timeout: Duration,
    /// From when on the time counts.
    since: Instant,
    /// When to look next.
    due: Instant,
    /// How many bytes the peer had taken at `since`.
    taken: u64,
    /// How many bytes the peer will have taken when all have arrived.
    goal: u64,
    /// Whether the last look came late.
    was_late: bool,
}

/// How far the peer has come, in bytes since the connection began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pace {
    /// What the peer has taken.
    pub taken: u64,
    /// How many bytes a second count as progress.
    pub least: u64,
}

impl Watch {
    /// Begins when the peer has taken `taken` bytes and owes something for the last of
    /// `goal` bytes, which were queued just now.
    pub(super) fn new(timeout: Duration, now: Instant, taken: u64, goal: u64) -> Self {
        let mut watch = Self {
            timeout: timeout.min(LONGEST),
            since: now,
            due: now,
            taken,
            goal,
            was_late: false,
        };
        watch.schedule(now);
        watch
    }

    /// Begins a watch if no bytes stand before the frame that the peer must answer.
    pub(super) fn unhindered(timeout: Duration, now: Instant) -> Self {
        Self::new(timeout, now, 0, 0)
    }

    /// When to [`look`](Self::look).
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Looks at how far the peer has come. Returns whether the peer's time is
    /// over.
    pub(super) fn look(&mut self, now: Instant, pace: impl FnOnce() -> Pace) -> bool {
        if now < self.due {
            return false;
        }
        // The event loop was busy, and may not know yet what has come. One late look is forgiven
        // and not two, because the reactor was polled between two looks.
        let is_late = now - self.due > self.timeout / LOOKS;
        if is_late && !self.was_late {
            self.since = now;
        }
        self.was_late = is_late;
        if self.taken < self.goal {
            let pace = pace();
            let elapsed = (now - self.since).as_secs_f64();
            let least = (pace.least as f64 * elapsed).max(1.0);
            let left = self.goal - self.taken;
            let moved = pace.taken.saturating_sub(self.taken);
            if moved >= left || moved as f64 >= least {
                self.since = now;
                self.taken = pace.taken;
            }
        }
        if now - self.since >= self.timeout {
            return true;
        }
        self.schedule(now);
        false
    }

    fn schedule(&mut self, now: Instant) {
        let end = self.since + self.timeout;
        self.due = match self.taken < self.goal {
            true => end.min(now + self.timeout / LOOKS),
            false => end,
        };
    }
}

/// How many times within the timeout the session looks at a peer that is taking
/// bytes.
const LOOKS: u32 = 8;
/// An `Instant` can add this duration without an overflow.
pub(super) const LONGEST: Duration = Duration::from_secs(1_000_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(8);
    const SECOND: Duration = Duration::from_secs(1);

    fn at(taken: u64) -> impl FnOnce() -> Pace {
        move || Pace { taken, least: 100 }
    }

    #[test]
    fn a_peer_that_owes_an_answer_has_its_time() {
        let start = Instant::now();
        let mut watch = Watch::unhindered(TIMEOUT, start);
        assert_eq!(watch.due(), start + TIMEOUT);
        assert!(!watch.look(start + SECOND * 7, at(0)));
        assert!(watch.look(start + SECOND * 8, at(0)));
    }

    #[test]
    fn the_time_of_a_peer_that_takes_bytes_does_not_run() {
        let start = Instant::now();
        let mut watch = Watch::new(TIMEOUT, start, 1000, 101_000);
        for second in 1..=100 {
            assert_eq!(watch.due(), start + SECOND * second);
            let taken = 1000 + 1000 * u64::from(second);
            assert!(!watch.look(watch.due(), at(taken)), "{second}");
        }
        // Now the peer has taken all, and owes the answer.
        assert_eq!(watch.due(), start + SECOND * 108);
        assert!(!watch.look(start + SECOND * 107, at(101_000)));
        assert!(watch.look(start + SECOND * 108, at(101_000)));
    }

    #[test]
    fn a_peer_that_takes_too_little_is_given_up() {
        let start = Instant::now();
        let mut watch = Watch::new(TIMEOUT, start, 0, 1 << 20);
        // 99 bytes a second.
        let end = (1..100).find(|second| {
            let now = start + SECOND * *second;
            watch.look(now, at(99 * u64::from(*second)))
        });
        assert_eq!(end, Some(8));
    }

    #[test]
    fn a_peer_that_stops_is_given_up() {
        let start = Instant::now();
        let mut watch = Watch::new(TIMEOUT, start, 0, 1 << 20);
        let taken = |second: u32| u64::from(second.min(50)) * 1000;
        let end = (1..100).find(|&second| watch.look(start + SECOND * second, at(taken(second))));
        assert_eq!(end, Some(58));
    }

    #[test]
    fn the_last_bytes_are_progress_however_few() {
        let start = Instant::now();
        let mut watch = Watch::new(TIMEOUT, start, 0, 5);
        assert!(!watch.look(start + SECOND * 7, at(5)));
        assert!(!watch.look(start + SECOND * 14, at(5)));
        assert!(watch.look(start + SECOND * 15, at(5)));
    }

    #[test]
    fn time_in_which_this_end_was_busy_does_not_count() {
        let start = Instant::now();
        let mut watch = Watch::unhindered(TIMEOUT, start);
        assert!(!watch.look(start + SECOND * 60, at(0)));
        assert!(!watch.look(start + SECOND * 67, at(0)));
        assert!(watch.look(start + SECOND * 68, at(0)));

        // The second late look counts.
        let mut watch = Watch::unhindered(TIMEOUT, start);
        assert!(!watch.look(start + SECOND * 60, at(0)));
        assert!(watch.look(start + SECOND * 120, at(0)));
    }
}
