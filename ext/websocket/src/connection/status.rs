//! The outcome of a message, and the limits that end a connection.

use crate::metrics::PassedLimit;

/// The result of a sending op if the message is queued and the kernel takes no more for now. If the
/// message was taken, the op returns the length of the message in bytes, at least 1.
pub(crate) const SEND_BUFFERED: i32 = -1;
/// The result of a sending op if more bytes are queued than the limit allows.
pub(crate) const SEND_REFUSED: i32 = 0;
/// The result of a sending op if the connection is ending.
pub(crate) const SEND_CLOSED: i32 = -2;

/// The outcome of a message that the script sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SendStatus {
    /// The message is on its way.
    Taken,
    /// The message is queued, and the kernel takes no more for now. The hub tells when the kernel
    /// has taken all.
    Buffered,
    /// The message was refused, because more bytes are queued than the limit
    /// allows. The hub tells when the kernel has taken all.
    Refused,
    /// The message cannot be sent, because the connection is ending.
    Closed,
}

/// How far the messages of a script have come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backlog {
    /// So few bytes are left for the kernel that the script may send the next
    /// message.
    Low,
    /// The script has to wait. The hub tells when it need not.
    High,
    /// The connection is ending, so the last message may not have been taken.
    Closed,
}

impl SendStatus {
    /// The outcome of a message of `length` bytes, as a number for scripts.
    #[inline]
    pub(crate) fn outcome(self, length: usize) -> i32 {
        match self {
            Self::Taken => i32::try_from(length).unwrap_or(i32::MAX).max(1),
            Self::Buffered => SEND_BUFFERED,
            Self::Refused => SEND_REFUSED,
            Self::Closed => SEND_CLOSED,
        }
    }
}

/// A limit that ends a connection because of what the script does for the peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exceeded {
    Backpressure,
    Topics,
    TopicLength,
}

impl From<Exceeded> for PassedLimit {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Backpressure => Self::BackpressureLimit,
            Exceeded::Topics => Self::MaxTopics,
            Exceeded::TopicLength => Self::MaxTopicLength,
        }
    }
}
