//! How many control frames a peer may send (RFC 6455 section 10.4 leaves limits
//! to the implementation).
//!
//! A control frame costs its sender a few bytes, and costs the other end an
//! answer or an event. The decoder has no clock, so the driver of the decoder
//! counts the frames here.

use std::time::{Duration, Instant};

use crate::error::ProtocolError;

/// Counts the Ping and Pong frames of a peer, in windows of a second.
#[derive(Clone, Copy, Debug)]
pub struct ControlRate {
    limit: u32,
    count: u32,
    /// When the window began; `None` before the first frame.
    window: Option<Instant>,
}

impl ControlRate {
    /// How many frames a second are let through by default: far more than any
    /// keep-alive sends, even if the frames of a minute arrive together because
    /// this end was busy.
    pub const DEFAULT_LIMIT: u32 = 10_000;

    /// Lets `limit` frames through in each second.
    pub const fn new(limit: u32) -> Self {
        Self {
            limit,
            count: 0,
            window: None,
        }
    }

    /// Counts a frame that was received at `now`.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::TooManyControlFrames`] at the first frame beyond the
    /// limit.
    pub fn count(&mut self, now: Instant) -> Result<(), ProtocolError> {
        let is_over = self
            .window
            .is_none_or(|start| now.saturating_duration_since(start) >= WINDOW);
        if is_over {
            self.window = Some(now);
            self.count = 0;
        }
        if self.count == self.limit {
            return Err(ProtocolError::TooManyControlFrames { limit: self.limit });
        }
        self.count += 1;
        Ok(())
    }
}

impl Default for ControlRate {
    fn default() -> Self {
        Self::new(Self::DEFAULT_LIMIT)
    }
}

const WINDOW: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_room_for_the_limit() {
        let start = Instant::now();
        let mut rate = ControlRate::new(3);
        for window in 0..3 {
            for millis in [0, 1, 999] {
                let now = start + WINDOW * window + Duration::from_millis(millis);
                assert_eq!(rate.count(now), Ok(()));
            }
            let now = start + WINDOW * window + Duration::from_millis(999);
            assert_eq!(
                rate.count(now),
                Err(ProtocolError::TooManyControlFrames { limit: 3 })
            );
        }
    }

    #[test]
    fn a_slow_peer_is_never_stopped() {
        let start = Instant::now();
        let mut rate = ControlRate::new(1);
        for second in 0..1000 {
            assert_eq!(rate.count(start + WINDOW * second), Ok(()));
        }
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back() {
        let now = Instant::now() + WINDOW;
        let mut rate = ControlRate::new(2);
        assert_eq!(rate.count(now), Ok(()));
        assert_eq!(rate.count(now - WINDOW), Ok(()));
        assert!(rate.count(now).is_err());
    }
}
