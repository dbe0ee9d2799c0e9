//! How late event loops are. A task in each event loop sleeps for a while, and measures how late it
//! wakes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::block::{Block, here};
use super::notes::since_start;

static IS_WATCHING: AtomicBool = AtomicBool::new(false);

/// Makes all event loops that start from now on measure their delay.
pub fn watch_event_loops() {
    IS_WATCHING.store(true, Ordering::Relaxed);
}

/// Whether event loops measure their delay.
pub fn is_watching_event_loops() -> bool {
    IS_WATCHING.load(Ordering::Relaxed)
}

/// Watches the event loop of this thread, until the thread's tokio runtime ends. The watch wakes
/// twice a second. It does not keep the program alive.
pub fn watch_event_loop() {
    if here().turned.load(Ordering::Relaxed) != 0 {
        // Another engine of the thread watches the event loop already.
        return;
    }
    turned(Instant::now());
    deno_core::unsync::spawn(async {
        let mut due = tokio::time::Instant::now();
        loop {
            due += INTERVAL;
            tokio::time::sleep_until(due).await;
            let now = tokio::time::Instant::now();
            turned(now.into_std());
            here().lagged(now.saturating_duration_since(due));
            due = now;
        }
    });
}

fn turned(now: Instant) {
    let microseconds = since_start(now).as_micros() as u64;
    here().turned.store(microseconds + 1, Ordering::Relaxed);
}

/// How many event loops are watched, and by how many seconds the most overdue event loop is
/// overdue.
pub(super) fn blocked(blocks: &[&Block]) -> (u64, f64) {
    let now = since_start(Instant::now());
    let (mut count, mut longest) = (0, Duration::ZERO);
    for block in blocks {
        let turned = block.turned.load(Ordering::Relaxed);
        if turned != 0 {
            count += 1;
            let due = Duration::from_micros(turned - 1) + INTERVAL;
            longest = longest.max(now.saturating_sub(due));
        }
    }
    (count, longest.as_secs_f64())
}

/// The time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
