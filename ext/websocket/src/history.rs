//! The latest messages of each topic, so that a client that comes back misses
//! nothing.
//!
//! Each message of a topic has a position: the epoch of the topic's log and an offset. The epoch is
//! a random number that is drawn for each new log. The offset counts from 1 without a gap. One lock
//! protects the log of a topic. A publisher holds the lock while the message goes into the log and
//! on its way to all event loops. A subscriber holds the lock from the first message that is
//! replayed until the subscription is there. Therefore no message is lost or doubled between the
//! replay and the subscription, and all subscribers see one order.
//!
//! With a broker the logs belong to the broker, and this module holds copies of their ends: the
//! last messages of each topic to which the process has a subscriber. The thread of the broker then
//! appends the messages, and offsets may skip numbers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::message::Message;
use crate::parcel::Parcel;

/// How many messages of each topic are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// How many messages are kept. The oldest are dropped first.
    pub size: usize,
    /// How long each message is kept.
    pub ttl: Duration,
}

/// The place of a message among those of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch of the topic's log.
    pub epoch: u64,
    /// The offset of the message. 0 is before the first message.
    pub offset: u64,
}

/// The result of a subscription that asks for missed messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Whether all missed messages were replayed. If not, none was replayed.
    pub recovered: bool,
    /// The position of the last message so far. Live messages come after this
    /// position.
    pub position: Position,
}

/// The logs of the topics of a space.
pub(crate) struct History {
    options: HistoryOptions,
    /// Whether the logs are copies of a broker's.
    is_copy: bool,
    logs: Mutex<Logs>,
}

#[derive(Default)]
struct Logs {
    by_topic: HashMap<Box<str>, Arc<Mutex<Log>>>,
    /// How many times a log was asked for since the last removal of expired
    /// logs.
    asked: usize,
}

/// The last messages of a topic.
pub(crate) struct Log {
    epoch: u64,
    /// All messages after this offset are in the log.
    floor: u64,
    last: u64,
    entries: VecDeque<Entry>,
}

struct Entry {
    at: Instant,
    offset: u64,
    parcel: Parcel,
}

impl History {
    pub(crate) fn new(options: HistoryOptions) -> Self {
        Self {
            options,
            is_copy: false,
            logs: Mutex::default(),
        }
    }

    /// A history of copies of a broker's logs.
    pub(crate) fn copy(options: HistoryOptions) -> Self {
        Self {
            is_copy: true,
            ..Self::new(options)
        }
    }

    /// Whether the logs are copies of a broker's.
    pub(crate) fn is_copy(&self) -> bool {
        self.is_copy
    }

    pub(crate) fn options(&self) -> HistoryOptions {
        self.options
    }

    /// The log of a topic. A new log begins if there is none.
    pub(crate) fn log(&self, topic: &str) -> Arc<Mutex<Log>> {
        let mut logs = lock(&self.logs);
        logs.asked += 1;
        if logs.asked > SWEPT_AFTER.max(logs.by_topic.len()) {
            logs.asked = 0;
            let now = Instant::now();
            // A log that no caller holds and that has no messages left is removed. When the log is
            // wanted again, it begins with a new epoch, which differs from the epoch of old
            // positions.
            logs.by_topic.retain(|_, log| {
                Arc::strong_count(log) > 1 || !lock(log).is_expired(now, self.options.ttl)
            });
        }
        if let Some(log) = logs.by_topic.get(topic) {
            return log.clone();
        }
        let log = Arc::new(Mutex::new(Log::new()));
        logs.by_topic.insert(topic.into(), log.clone());
        log
    }
}

impl History {
    /// The log of a topic, if there is one.
    pub(crate) fn existing(&self, topic: &str) -> Option<Arc<Mutex<Log>>> {
        lock(&self.logs).by_topic.get(topic).cloned()
    }

    /// Makes the log of a topic go on after `position`. All messages in the log are forgotten.
    pub(crate) fn begin(&self, topic: &str, position: Position) {
        let mut logs = lock(&self.logs);
        match logs.by_topic.get(topic).cloned() {
            Some(log) => {
                drop(logs);
                *lock(&log) = Log::at(position);
            }
            None => {
                let log = Arc::new(Mutex::new(Log::at(position)));
                logs.by_topic.insert(topic.into(), log);
            }
        }
    }

    pub(crate) fn forget(&self, topic: &str) {
        lock(&self.logs).by_topic.remove(topic);
    }
}

impl Log {
    fn new() -> Self {
        Self::at(Position {
            epoch: rand::random(),
            offset: 0,
        })
    }

    fn at(position: Position) -> Self {
        Self {
            epoch: position.epoch,
            floor: position.offset,
            last: position.offset,
            entries: VecDeque::new(),
        }
    }

    /// All messages after this offset are in the log.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// The position of the last message.
    pub(crate) fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.last,
        }
    }

    /// Appends a message. The frame that is kept and sent contains the position: see
    /// [`Position::label`].
    pub(crate) fn append(&mut self, message: Message<'_>, options: HistoryOptions) -> Parcel {
        self.append_at(self.last + 1, message, options)
    }

    /// Appends a message that has `offset` in the log of a broker.
    pub(crate) fn append_at(
        &mut self,
        offset: u64,
        message: Message<'_>,
        options: HistoryOptions,
    ) -> Parcel {
        let now = Instant::now();
        self.last = offset;
        let parcel = self.position().label(message);
        self.entries.push_back(Entry {
            at: now,
            offset,
            parcel: parcel.clone(),
        });
        while self.entries.len() > options.size {
            self.drop_first();
        }
        self.expire(now, options.ttl);
        parcel
    }

    /// Notes that there are no further messages up to `offset`.
    pub(crate) fn skip_to(&mut self, offset: u64) {
        self.last = offset;
    }

    /// Adds older messages before those in the log. `messages` are all entries after the offset
    /// `since` up to the floor, or more. If they do not reach the floor, nothing is added. An entry
    /// that is not a message has only an offset.
    pub(crate) fn prepend<'a>(
        &mut self,
        since: u64,
        messages: impl Iterator<Item = (u64, Option<Message<'a>>)>,
    ) {
        let now = Instant::now();
        let (mut reached, mut older) = (since, VecDeque::new());
        for (offset, message) in messages {
            reached = offset;
            if offset <= self.floor
                && let Some(message) = message
            {
                let position = Position {
                    offset,
                    ..self.position()
                };
                older.push_back(Entry {
                    at: now,
                    offset,
                    parcel: position.label(message),
                });
            }
        }
        if since < self.floor && reached >= self.floor {
            older.append(&mut self.entries);
            self.entries = older;
            self.floor = since;
        }
    }

    /// All messages after `since`. Returns `None` if some of them are gone, or if `since` is not a
    /// position of this log.
    pub(crate) fn since(
        &mut self,
        since: Position,
        options: HistoryOptions,
    ) -> Option<Vec<Parcel>> {
        self.expire(Instant::now(), options.ttl);
        if !self.covers(since) {
            return None;
        }
        let first = (self.entries).partition_point(|entry| entry.offset <= since.offset);
        let entries = self.entries.range(first..);
        Some(entries.map(|entry| entry.parcel.clone()).collect())
    }

    /// Whether all messages after `since` are in the log.
    pub(crate) fn covers(&self, since: Position) -> bool {
        since.epoch == self.epoch && (self.floor..=self.last).contains(&since.offset)
    }

    fn expire(&mut self, now: Instant, ttl: Duration) {
        while (self.entries.front()).is_some_and(|entry| now.duration_since(entry.at) > ttl) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.floor = entry.offset;
        }
    }

    fn is_expired(&mut self, now: Instant, ttl: Duration) -> bool {
        self.expire(now, ttl);
        self.entries.is_empty()
    }
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

impl Position {
    /// Makes a message whose first line is its position. The client takes the position from this
    /// line.
    fn label(self, message: Message<'_>) -> Parcel {
        labelled(&format!("{self}\n"), message)
    }
}

/// A message without a position, of a server whose messages have positions. The message is in no
/// log. Its first line is empty.
pub(crate) fn without_position(message: Message<'_>) -> Parcel {
    labelled("\n", message)
}

fn labelled(label: &str, message: Message<'_>) -> Parcel {
    match message {
        Message::Text(text) => Parcel::new(Message::Text(&[label, text].concat())),
        Message::Binary(bytes) => Parcel::new(Message::Binary(&[label.as_bytes(), bytes].concat())),
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.offset)
    }
}

/// Ignores the poison of a lock, because the data is consistent between any two
/// statements that hold the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Expired logs are removed after this many requests for a log.
const SWEPT_AFTER: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: HistoryOptions = HistoryOptions {
        size: 3,
        ttl: Duration::from_secs(3600),
    };

    fn texts(parcels: Vec<Parcel>) -> Vec<String> {
        let text = |parcel: Parcel| match parcel.message() {
            Message::Text(text) => text.to_string(),
            Message::Binary(_) => panic!("it was a text"),
        };
        parcels.into_iter().map(text).collect()
    }

    #[test]
    fn all_that_was_missed_or_none() {
        let mut log = Log::new();
        let at = |offset| Position {
            epoch: log.epoch,
            offset,
        };
        let [zero, one, two, five, six] = [0, 1, 2, 5, 6].map(at);
        assert_eq!(log.since(zero, OPTIONS).map(texts), Some(vec![]));
        for number in 1..=5 {
            log.append(Message::Text(&number.to_string()), OPTIONS);
        }
        assert_eq!(log.position(), five);
        // Messages 1 and 2 are gone.
        assert!(log.since(zero, OPTIONS).is_none());
        assert!(log.since(one, OPTIONS).is_none());
        let expected: Vec<_> = (3..=5)
            .map(|offset| format!("{:016x}-{offset}\n{offset}", log.epoch))
            .collect();
        assert_eq!(log.since(two, OPTIONS).map(texts), Some(expected));
        assert_eq!(log.since(five, OPTIONS).map(texts), Some(vec![]));
        // A position that does not exist yet is not of this log.
        assert!(log.since(six, OPTIONS).is_none());
        let other = Position {
            epoch: log.epoch ^ 1,
            offset: 5,
        };
        assert!(log.since(other, OPTIONS).is_none());
    }

    #[test]
    fn a_copy_has_the_offsets_of_its_broker_and_grows_at_both_ends() {
        let at = |offset| Position { epoch: 7, offset };
        let history = History::copy(HistoryOptions { size: 5, ..OPTIONS });
        history.begin("topic", at(20));
        let log = history.existing("topic").unwrap();
        let mut log = lock(&log);
        let options = history.options();
        log.append_at(23, Message::Text("c"), options);
        log.skip_to(30);
        assert_eq!(log.position(), at(30));
        assert!(log.since(at(19), options).is_none());
        // Older messages that do not reach the floor are of no use.
        log.prepend(10, [(12, Some(Message::Text("a")))].into_iter());
        assert!(log.since(at(12), options).is_none());
        let older = [
            (12, Some(Message::Text("a"))),
            (20, None),
            (23, Some(Message::Text("c"))),
        ];
        log.prepend(10, older.into_iter());
        let all = ["0000000000000007-12\na", "0000000000000007-23\nc"];
        assert_eq!(log.since(at(10), options).map(texts).unwrap(), all);
        assert_eq!(log.since(at(12), options).map(texts).unwrap(), all[1..]);
        assert_eq!(log.since(at(30), options).map(texts).unwrap().len(), 0);
        assert!(log.since(at(9), options).is_none());
        for offset in 31..=34 {
            log.append_at(offset, Message::Text("d"), options);
        }
        assert!(log.since(at(10), options).is_none());
        assert_eq!(log.since(at(12), options).unwrap().len(), 5);
        drop(log);
        history.begin("topic", at(40));
        let log = history.existing("topic").unwrap();
        assert!(lock(&log).since(at(34), options).is_none());
        history.forget("topic");
        assert!(history.existing("topic").is_none());
    }

    #[test]
    fn what_is_too_old_is_gone() {
        let options = HistoryOptions {
            ttl: Duration::ZERO,
            ..OPTIONS
        };
        let mut log = Log::new();
        log.append(Message::Binary(b"1"), options);
        std::thread::sleep(Duration::from_millis(1));
        let zero = Position {
            offset: 0,
            ..log.position()
        };
        assert!(log.since(zero, options).is_none());
        assert_eq!(
            log.since(log.position(), options).map(|it| it.len()),
            Some(0)
        );
    }

    #[test]
    fn positions_are_read_as_they_are_written() {
        let position = Position {
            epoch: 0xabc,
            offset: 17,
        };
        assert_eq!(position.to_string(), "0000000000000abc-17");
        assert_eq!(Position::parse("0000000000000abc-17"), Some(position));
        for text in [
            "",
            "-",
            "abc-17",
            "0000000000000abc-",
            "0000000000000abc-x",
            "+000000000000abc-1",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_log_that_is_over_begins_with_another_epoch() {
        let history = History::new(HistoryOptions {
            size: 1,
            ttl: Duration::ZERO,
        });
        let before = lock(&history.log("topic")).position().epoch;
        for _ in 0..=SWEPT_AFTER {
            history.log("another");
        }
        assert_ne!(lock(&history.log("topic")).position().epoch, before);
    }
}
