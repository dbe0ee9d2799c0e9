//! Topics whose last messages the broker keeps.

use std::time::Duration;

use crate::payload::Payload;

/// How many messages the broker keeps of each topic, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    /// How many messages are kept. The oldest are dropped first.
    pub size: u64,
    /// How long messages are kept.
    pub ttl: Duration,
}

/// The place of a message in the log of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch of the log. A log that begins again has another epoch.
    pub epoch: u64,
    /// The offset, which rises from message to message. 0 is before the first
    /// message.
    pub offset: u64,
}

/// A message of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The position of the message.
    pub position: Position,
    /// The offset of the message before this one, or 0 if the log had none.
    pub previous: u64,
    /// The tag that this process gave the message, if the message is its own.
    pub tag: Option<u64>,
    /// The content of the message. `None` for a mark that a process has set, which is not delivered
    /// to programs.
    pub payload: Option<Payload>,
}

/// The extent of a log in this process: the process has all messages after `floor` up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The epoch of the log.
    pub epoch: u64,
    /// The offset before the first message that the process has.
    pub floor: u64,
    /// The offset of the last message.
    pub last: u64,
}

/// Takes the messages of the logs: each message of a topic once, in order. The functions run on the
/// broker's thread and must not block.
pub trait LogSink: Send + Sync {
    /// The extent of the log of `topic` in this process.
    fn extent(&self, topic: &str) -> Option<Extent>;

    /// The next message of the topic comes after `position`. Earlier messages of the topic are not
    /// valid any more.
    fn begin(&self, topic: &str, position: Position);

    /// Takes the next message of the topic.
    fn append(&self, topic: &str, message: Recorded);

    /// Takes older messages of the topic: all messages after the offset `since` up to the floor or
    /// beyond.
    fn prepend(&self, topic: &str, since: u64, messages: Vec<Recorded>);

    /// Messages were missed that cannot be read any more. The next message of the topic comes after
    /// `position`.
    fn lose(&self, topic: &str, position: Position);

    /// The process does not want the topic any more.
    fn forget(&self, topic: &str);
}

/// A message to be recorded.
pub(crate) struct Recordable<'a> {
    pub payload: &'a [u8],
    pub is_text: bool,
    pub node: u64,
    pub tag: u64,
}

/// Why a message was not recorded, or a log not read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RecordError(pub String);

/// A question to a broker about a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The position of the last message.
    Position {
        /// Whether a log begins if there is none.
        begins: bool,
    },
    /// The messages after a position.
    After {
        position: Position,
        /// Whether none of the messages is so old that it can have expired.
        is_recent: bool,
    },
}

/// The answer of a broker about a log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Position(Position),
    /// There is no log.
    Nothing,
    Messages {
        messages: Vec<Recorded>,
        /// Whether these are all messages.
        is_end: bool,
    },
    /// The log does not have all of the messages any more.
    Gone,
    /// The broker refuses to answer, with this message.
    Refused(String),
}

impl Position {
    /// Reads the text that [`Display`](std::fmt::Display) writes: the epoch as
    /// 16 hexadecimal digits, a hyphen, and the offset. Returns `None` for any
    /// other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.split_once('-')?;
        let is_epoch = epoch.len() == 16 && epoch.bytes().all(|it| it.is_ascii_hexdigit());
        Some(Self {
            epoch: is_epoch.then(|| u64::from_str_radix(epoch, 16).ok())??,
            offset: offset.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.offset)
    }
}

/// How many messages a broker is asked for at once.
pub(crate) const PAGE: usize = 128;
