//! The idle timeout: how long a peer may stay silent.

use std::time::{Duration, Instant};

use super::watch::{LONGEST, Pace, Watch};

/// How long a peer may stay silent.
///
/// A peer that is not heard for half of the timeout is sent a Ping, unless
/// [`sends_pings`](Self::sends_pings) is false. The peer then has the other half to be heard again.
/// The second half does not run while the peer makes progress, because the Ping may stand after
/// many bytes that the peer is still taking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IdleTimeout {
    /// The whole time, both halves.
    pub timeout: Duration,
    /// Whether the peer is sent a Ping after the first half.
    pub sends_pings: bool,
}

/// The silence of one peer.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    /// When the peer was heard last.
    since: Instant,
    /// Whether the second half runs.
    is_watched: bool,
    /// The second half. The memory is kept when the peer is heard. The value
    /// counts only while `is_watched` is set.
    second: Option<Box<SecondHalf>>,
}

#[derive(Clone, Debug)]
struct SecondHalf {
    watch: Watch,
    /// When the peer was sent the Ping that it has not answered.
    pinged: Option<Instant>,
}

/// What the driver must do.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing yet.
    Nothing,
    /// The first half is over: [`watch`](Idle::watch) begins the second.
    Ask,
    /// The second half is over.
    GiveUp,
}

impl Idle {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            is_watched: false,
            second: None,
        }
    }

    #[inline]
    pub(super) const fn heard(&mut self, now: Instant) {
        self.since = now;
        self.is_watched = false;
    }

    /// When [`check`](Self::check) must be called.
    pub(super) fn due(&self, limit: IdleTimeout) -> Instant {
        match &self.second {
            Some(second) if self.is_watched => second.watch.due(),
            _ => self.since + limit.timeout.min(LONGEST) / 2,
        }
    }

    /// Looks at the silence. [`heard`](Self::heard) has been called before for everything that had
    /// come by `now`.
    pub(super) fn check(
        &mut self,
        limit: IdleTimeout,
        now: Instant,
        pace: impl FnOnce() -> Pace,
    ) -> Step {
        let due = self.due(limit);
        match &mut self.second {
            Some(second) if self.is_watched => match second.watch.look(now, pace) {
                true => Step::GiveUp,
                false => Step::Nothing,
            },
            _ if now < due => Step::Nothing,
            _ => Step::Ask,
        }
    }

    /// Begins the second half, in which something must come from the peer. `pinged` is the time of
    /// the Ping, if the peer is sent one.
    pub(super) fn watch(&mut self, watch: Watch, pinged: Option<Instant>) {
        let second = SecondHalf { watch, pinged };
        match &mut self.second {
            Some(earlier) => **earlier = second,
            none => *none = Some(Box::new(second)),
        }
        self.is_watched = true;
    }

    /// A Pong came at `now`. Returns the time since the Ping that the Pong answers, if a Ping was
    /// sent.
    pub(super) fn answered(&mut self, now: Instant) -> Option<Duration> {
        let pinged = self.second.as_mut()?.pinged.take()?;
        Some(now.saturating_duration_since(pinged))
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

    /// A peer, and how it is checked when nothing waits for it.
    fn idle() -> (Idle, Instant, impl Fn(&mut Idle, Instant) -> Step) {
        let start = Instant::now();
        let check = |idle: &mut Idle, now| {
            let step = idle.check(LIMIT, now, || unreachable!("nothing waits"));
            if step == Step::Ask {
                idle.watch(Watch::unhindered(LIMIT.timeout / 2, now), None);
            }
            step
        };
        (Idle::new(start), start, check)
    }

    #[test]
    fn a_silent_peer_is_asked_and_given_up() {
        let (mut idle, start, check) = idle();
        assert_eq!(check(&mut idle, start + SECOND * 14), Step::Nothing);
        assert_eq!(idle.due(LIMIT), start + SECOND * 15);
        assert_eq!(check(&mut idle, start + SECOND * 15), Step::Ask);
        assert_eq!(check(&mut idle, start + SECOND * 29), Step::Nothing);
        assert_eq!(idle.due(LIMIT), start + SECOND * 30);
        assert_eq!(check(&mut idle, start + SECOND * 30), Step::GiveUp);
    }

    #[test]
    fn an_answer_starts_anew() {
        let (mut idle, start, check) = idle();
        assert_eq!(check(&mut idle, start + SECOND * 15), Step::Ask);
        idle.heard(start + SECOND * 16);
        assert_eq!(idle.due(LIMIT), start + SECOND * 31);
        assert_eq!(check(&mut idle, start + SECOND * 31), Step::Ask);
        assert_eq!(check(&mut idle, start + SECOND * 46), Step::GiveUp);
    }

    #[test]
    fn a_busy_loop_drops_nobody() {
        let (mut idle, start, check) = idle();
        // Late before the Ping: the peer's time begins with the Ping.
        assert_eq!(check(&mut idle, start + SECOND * 60), Step::Ask);
        assert_eq!(check(&mut idle, start + SECOND * 74), Step::Nothing);
        // Late after the Ping: the answer may have come.
        assert_eq!(check(&mut idle, start + SECOND * 120), Step::Nothing);
        assert_eq!(check(&mut idle, start + SECOND * 134), Step::Nothing);
        // The second late look counts.
        assert_eq!(check(&mut idle, start + SECOND * 135), Step::GiveUp);
    }

    #[test]
    fn a_peer_that_takes_what_stands_before_the_ping_is_not_silent() {
        let (mut idle, start, _) = idle();
        let pace = |taken| move || Pace { taken, least: 1000 };
        let asked = start + SECOND * 15;
        assert_eq!(idle.check(LIMIT, asked, pace(0)), Step::Ask);
        idle.watch(Watch::new(LIMIT.timeout / 2, asked, 0, 1_000_000), None);
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
