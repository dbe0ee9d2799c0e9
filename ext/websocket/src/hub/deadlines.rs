//! The deadlines of all connections, and one timer for the first of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::event_loop::EventLoop;

/// The deadlines of the connections of one hub.
///
/// A connection that is heard does not change its entry. When the entry is due, the hub looks at
/// the connection and adds an entry for the new deadline. A connection that ends does not remove
/// its entry either, because the entry costs little even if thousands of connections end in a
/// second. Entries that no connection waits for are removed when they are many.
pub(super) struct Deadlines {
    /// The ids of connections, by the [rounded](Self::round) time of their
    /// deadlines.
    entries: BTreeMap<Instant, Vec<u32>>,
    /// How many entries there are.
    count: usize,
    /// The time from which rounded times are counted.
    start: Instant,
    /// The time that the timer is set to.
    timer: Option<Instant>,
}

impl Deadlines {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            entries: BTreeMap::new(),
            count: 0,
            start,
            timer: None,
        }
    }

    /// Rounds `due` up to the next time that can have entries.
    pub(super) fn round(&self, due: Instant) -> Instant {
        let grains = (due - self.start).as_millis() / GRAIN.as_millis() + 1;
        u32::try_from(grains)
            .ok()
            .and_then(|grains| self.start.checked_add(GRAIN.checked_mul(grains)?))
            .unwrap_or(due)
    }

    pub(super) fn add(&mut self, due: Instant, id: u32, event_loop: &dyn EventLoop) {
        let is_first = self.entries.keys().next().is_none_or(|first| due < *first);
        self.entries.entry(due).or_default().push(id);
        self.count += 1;
        if is_first {
            self.arm(event_loop);
        }
    }

    /// If there are many more entries than `connections`, removes the entries for which `counts`
    /// returns false.
    pub(super) fn sweep(&mut self, connections: usize, counts: impl Fn(Instant, u32) -> bool) {
        if self.count < SWEPT_FROM + 4 * connections {
            return;
        }
        self.entries.retain(|due, ids| {
            ids.retain(|id| counts(*due, *id));
            !ids.is_empty()
        });
        self.count = self.entries.values().map(Vec::len).sum();
    }

    /// Takes the entries that are due at `now`.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(Instant, u32)> {
        let mut taken = Vec::new();
        while let Some(entry) = self.entries.first_entry()
            && *entry.key() <= now
        {
            let (due, ids) = entry.remove_entry();
            taken.extend(ids.into_iter().map(|id| (due, id)));
        }
        self.count -= taken.len();
        taken
    }

    /// Sets the timer again if it has expired at `now`.
    pub(super) fn rearm(&mut self, now: Instant, event_loop: &dyn EventLoop) {
        if self.timer.is_some_and(|timer| timer <= now) {
            self.arm(event_loop);
        }
    }

    /// Sets the timer to the first deadline.
    fn arm(&mut self, event_loop: &dyn EventLoop) {
        self.timer = self.entries.keys().next().copied();
        event_loop.set_timer(self.timer);
    }
}

/// How late a deadline may be handled. Rounding to this duration keeps the number of distinct times
/// small.
const GRAIN: Duration = Duration::from_millis(4);
/// Entries are not swept while there are fewer than this.
const SWEPT_FROM: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// An event loop whose time the test sets.
    #[derive(Default)]
    struct Timer(Cell<Option<Instant>>);

    impl EventLoop for Timer {
        fn now(&self) -> Instant {
            unreachable!("the deadlines read no clock")
        }

        fn set_timer(&self, due: Option<Instant>) {
            self.0.set(due);
        }

        fn hold(&self) {}

        fn release(&self) {}
    }

    #[test]
    fn deadlines_are_rounded_up_by_less_than_a_grain_or_by_one() {
        let start = Instant::now();
        let deadlines = Deadlines::new(start);
        for micros in [0, 1, 3_999, 4_000, 4_001, 1_000_000] {
            let due = start + Duration::from_micros(micros);
            let rounded = deadlines.round(due);
            assert!(rounded > due && rounded <= due + GRAIN, "{micros}");
            assert!((rounded - start).as_micros().is_multiple_of(4_000));
        }
        let far = start + Duration::from_secs(1 << 40);
        assert_eq!(deadlines.round(far), far);
    }

    #[test]
    fn the_timer_is_set_for_the_first_deadline() {
        let start = Instant::now();
        let (mut deadlines, timer) = (Deadlines::new(start), Timer::default());
        let at = |millis| start + Duration::from_millis(millis);
        deadlines.add(at(20), 1, &timer);
        deadlines.add(at(40), 2, &timer);
        assert_eq!(timer.0.get(), Some(at(20)));
        deadlines.add(at(8), 3, &timer);
        assert_eq!(timer.0.get(), Some(at(8)));

        assert_eq!(deadlines.take_due(at(20)), [(at(8), 3), (at(20), 1)]);
        deadlines.rearm(at(20), &timer);
        assert_eq!(timer.0.get(), Some(at(40)));
        // The timer has not expired, so it is left alone.
        timer.0.set(None);
        deadlines.rearm(at(39), &timer);
        assert_eq!(timer.0.get(), None);
        assert_eq!(deadlines.take_due(at(40)), [(at(40), 2)]);
        deadlines.rearm(at(40), &timer);
        assert_eq!(deadlines.timer, None);
    }

    #[test]
    fn entries_of_connections_that_have_gone_are_swept() {
        let start = Instant::now();
        let (mut deadlines, timer) = (Deadlines::new(start), Timer::default());
        let entries = SWEPT_FROM as u32 + 8;
        for id in 0..entries {
            deadlines.add(start + GRAIN * (id % 7), id, &timer);
        }
        deadlines.sweep(SWEPT_FROM, |_, _| unreachable!("there are too few"));
        deadlines.sweep(1, |_, id| id == 5);
        assert_eq!(deadlines.count, 1);
        assert_eq!(
            deadlines.take_due(start + GRAIN * 7),
            [(start + GRAIN * 5, 5)]
        );
    }
}
