//! What became of a message, and what ends a connection.

use crate::metrics::PassedLimit;

/// What an op that sends returns where the message is queued and the kernel takes no more for
/// now. Where the message was taken, the op returns the bytes that the message has, 1 at least.
pub(crate) const SEND_BUFFERED: i32 = -1;
/// What an op that sends returns where more is queued than the limit.
pub(crate) const SEND_REFUSED: i32 = 0;
/// What an op that sends returns where the connection is ending.
pub(crate) const SEND_CLOSED: i32 = -2;

/// What became of a message that the script sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SendStatus {
    /// It is on its way.
    Taken,
    /// It is queued behind what the kernel does not take for now. The hub says when
    /// it has taken all.
    Buffered,
    /// It was refused, for more is queued than the limit. The hub likewise.
    Refused,
    /// It cannot be sent any more: the connection is ending.
    Closed,
}

/// How far the messages of a script have come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backlog {
    /// So little is left for the kernel that the next may come.
    Low,
    /// The hub says when.
    High,
    /// The last one was not taken: the connection is ending.
    Closed,
}

impl SendStatus {
    /// What became of a message of `length` bytes, as scripts are told.
    #[inline]
    pub fn outcome(self, length: usize) -> i32 {
        match self {
            Self::Taken => i32::try_from(length).unwrap_or(i32::MAX).max(1),
            Self::Buffered => SEND_BUFFERED,
            Self::Refused => SEND_REFUSED,
            Self::Closed => SEND_CLOSED,
        }
    }
}

/// A limit that ends a connection because of what its script does for the peer.
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
