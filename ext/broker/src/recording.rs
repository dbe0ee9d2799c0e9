//! Topics whose last messages the broker keeps.

use std::time::Duration;

use crate::payload::Payload;

/// How much the broker keeps of each topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Messages, of which the oldest go first.
    pub size: u64,
    /// How long they are kept.
    pub ttl: Duration,
}

/// The place of a message in the log of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// That of the log: one that begins anew has another.
    pub epoch: u64,
    /// Goes up from message to message. 0 is before the first.
    pub offset: u64,
}

/// A message of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Where it is.
    pub position: Position,
    /// The offset of the message before it, as far as the log had one.
    pub previous: u64,
    /// What this process gave along with the message, where the message is its own.
    pub tag: Option<u64>,
    /// What it holds. Nothing where it is a mark that a process has set, which nobody is to
    /// be told of.
    pub payload: Option<Payload>,
}

/// What of a log is there in this process: all messages behind `floor` up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// That of the log.
    pub epoch: u64,
    /// The offset before the first message that is there.
    pub floor: u64,
    /// The offset of the last one.
    pub last: u64,
}

/// Takes what comes of the logs: each message of a topic once, in their order. The functions
/// run on the broker's thread and must not wait.
pub trait LogSink: Send + Sync {
    /// What is there of the log of `topic`.
    fn extent(&self, topic: &str) -> Option<Extent>;

    /// What comes of the topic comes behind `position`; what is there of it is of no use any
    /// more.
    fn begin(&self, topic: &str, position: Position);

    /// The next message.
    fn append(&self, topic: &str, message: Recorded);

    /// Messages before those that are there: all from one that somebody asked for up to the
    /// floor or beyond.
    fn prepend(&self, topic: &str, since: u64, messages: Vec<Recorded>);

    /// Messages were missed that cannot be had any more. What comes of the topic comes behind
    /// `position`.
    fn lose(&self, topic: &str, position: Position);

    /// Nobody wants the topic any more.
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

/// What is asked of a broker about a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The position of the last message.
    Position {
        /// Whether a log begins where there is none.
        begins: bool,
    },
    /// The messages behind a position.
    After {
        position: Position,
        /// Whether none of them is so old that it can be gone for that.
        is_recent: bool,
    },
}

/// What a broker answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Position(Position),
    /// There is no log.
    Nothing,
    Messages {
        messages: Vec<Recorded>,
        /// Whether these are all.
        is_end: bool,
    },
    /// Not all of the messages are there any more.
    Gone,
    /// It does not answer, in its own words.
    Refused(String),
}

impl Position {
    /// Reads what [`Display`](std::fmt::Display) writes.
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
