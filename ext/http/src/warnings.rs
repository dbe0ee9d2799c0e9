//! Warnings about events that may happen thousands of times a second.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Warns at once, and then at most once a second.
#[derive(Default)]
pub(crate) struct Warnings {
    last: Option<Instant>,
}

impl Warnings {
    /// Logs the warning `message`, unless one was logged within the last second.
    pub(crate) fn warn(&mut self, message: impl FnOnce() -> String) {
        if self.is_due(Instant::now()) {
            log::warn!("{}", message());
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = (self.last).is_none_or(|last| now.duration_since(last) >= INTERVAL);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

/// Counts and logs that a connection was closed because there are `max`
/// connections.
pub(crate) fn warn_of_limit(warnings: &mut Warnings, max: usize) {
    REFUSED_CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    warnings.warn(|| {
        format!("A connection was refused: there are {max} connections and WebSockets already")
    });
}

/// How many connections the process has closed because of the limit.
pub(crate) fn refused_connections() -> u64 {
    REFUSED_CONNECTIONS.load(Ordering::Relaxed)
}

static REFUSED_CONNECTIONS: AtomicU64 = AtomicU64::new(0);

const INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_due_and_then_one_a_second() {
        let mut warnings = Warnings::default();
        let start = Instant::now();
        assert!(warnings.is_due(start));
        assert!(!warnings.is_due(start + Duration::from_millis(999)));
        assert!(warnings.is_due(start + Duration::from_millis(1_000)));
        assert!(!warnings.is_due(start + Duration::from_millis(1_999)));
    }
}
