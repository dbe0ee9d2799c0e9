//! What became of a message, and what ends a connection.

/// What became of a message that the script sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
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

impl Sent {
    /// What became of a message of `length` bytes, as scripts are told.
    #[inline]
    pub fn outcome(self, length: usize) -> i32 {
        match self {
            Self::Taken => i32::try_from(length).unwrap_or(i32::MAX).max(1),
            Self::Buffered => -1,
            Self::Refused => 0,
            Self::Closed => -2,
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
