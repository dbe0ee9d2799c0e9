//! Why messages were lost.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a message of this process has reached no other, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There was no connection when it was published.
    Away,
    /// It is longer than the broker takes.
    TooLong,
    /// More waited for the broker than may wait.
    Overflow,
    /// The broker has refused it.
    Refused,
    /// The connection ended before the broker confirmed it.
    Unconfirmed,
}

/// Those of all brokers of the process.
static LOST: [AtomicU64; Loss::ALL.len()] = [const { AtomicU64::new(0) }; Loss::ALL.len()];

impl Loss {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Away,
        Self::TooLong,
        Self::Overflow,
        Self::Refused,
        Self::Unconfirmed,
    ];

    /// What metrics call it.
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

/// How many messages the process has lost in this way, with all of its brokers, those among
/// them that have ended.
pub fn lost(loss: Loss) -> u64 {
    LOST[loss as usize].load(Ordering::Relaxed)
}
