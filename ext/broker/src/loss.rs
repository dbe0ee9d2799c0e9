//! Why messages were lost.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a message of this process has not reached other processes, as far as is
/// known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There was no connection when the message was published.
    Away,
    /// The message is longer than the broker accepts.
    TooLong,
    /// More bytes waited for the broker than may wait.
    Overflow,
    /// The broker has refused the message.
    Refused,
    /// The connection ended before the broker confirmed the message.
    Unconfirmed,
}

/// The counts of all brokers of the process.
static LOST: [AtomicU64; Loss::ALL.len()] = [const { AtomicU64::new(0) }; Loss::ALL.len()];

impl Loss {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::Away,
        Self::TooLong,
        Self::Overflow,
        Self::Refused,
        Self::Unconfirmed,
    ];

    /// The name of the reason in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::TooLong => "too_long",
            Self::Overflow => "overflow",
            Self::Refused => "refused",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    pub(crate) fn count(self, count: u64) {
        LOST[self as usize].fetch_add(count, Ordering::Relaxed);
    }
}

/// How many messages the process has lost for this reason, with all of its brokers, including those
/// that have ended.
pub fn lost(loss: Loss) -> u64 {
    LOST[loss as usize].load(Ordering::Relaxed)
}
