//! What was published lately, so that a client that comes back misses nothing.
//!
//! Each message of a topic has a position: the epoch of the topic's log, which is drawn anew
//! with each log, and an offset, which counts from 1 without a gap. The log of a topic is under
//! one lock. Whoever publishes holds it while the message goes into the log and on its way to
//! all event loops, and whoever subscribes holds it from the first message that is replayed
//! until the subscription is there: so no message is lost or doubled between the two, and all
//! subscribers see one order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::message::Message;
use crate::parcel::Parcel;

/// How much of each topic is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// Messages, of which the oldest go first.
    pub size: usize,
    /// How long each is kept.
    pub ttl: Duration,
}

/// The place of a message among those of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// That of the topic's log.
    pub epoch: u64,
    /// 0 is before the first message.
    pub offset: u64,
}

/// What became of a wish to have all that was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Whether all of it was replayed: else none of it was.
    pub recovered: bool,
    /// That of the last message so far: what comes live comes behind it.
    pub position: Position,
}

/// The logs of the topics of a space.
pub(crate) struct History {
    options: HistoryOptions,
    logs: Mutex<Logs>,
}

#[derive(Default)]
struct Logs {
    by_topic: HashMap<Box<str>, Arc<Mutex<Log>>>,
    /// How many times a log was asked for since expired ones were looked for.
    asked: usize,
}

/// The last messages of a topic.
pub(crate) struct Log {
    epoch: u64,
    last: u64,
    entries: VecDeque<Entry>,
}

struct Entry {
    at: Instant,
    parcel: Parcel,
}

impl History {
    pub fn new(options: HistoryOptions) -> Self {
        Self {
            options,
            logs: Mutex::default(),
        }
    }

    pub fn options(&self) -> HistoryOptions {
        self.options
    }

    /// The log of a topic, which begins where there is none.
    pub fn log(&self, topic: &str) -> Arc<Mutex<Log>> {
        let mut logs = lock(&self.logs);
        logs.asked += 1;
        if logs.asked > SWEPT_AFTER.max(logs.by_topic.len()) {
            logs.asked = 0;
            let now = Instant::now();
            // One that nobody holds and that has nothing left begins anew when it is wanted:
            // its epoch tells those who have a position in it.
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

impl Log {
    fn new() -> Self {
        Self {
            epoch: rand::random(),
            last: 0,
            entries: VecDeque::new(),
        }
    }

    /// The position of the last message.
    pub fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.last,
        }
    }

    /// Takes a message in. The frame that is kept and sent has its position in it: see
    /// [`labelled`].
    pub fn append(&mut self, message: Message<'_>, options: HistoryOptions) -> Parcel {
        let now = Instant::now();
        self.last += 1;
        let label = label(self.position());
        let parcel = match message {
            Message::Text(text) => Parcel::new(Message::Text(&labelled(&label, text))),
            Message::Binary(bytes) => {
                Parcel::new(Message::Binary(&[label.as_bytes(), bytes].concat()))
            }
        };
        self.entries.push_back(Entry {
            at: now,
            parcel: parcel.clone(),
        });
        while self.entries.len() > options.size {
            self.entries.pop_front();
        }
        self.expire(now, options.ttl);
        parcel
    }

    /// All messages behind `since`, or none where some are gone, or never were in this log.
    pub fn since(&mut self, since: Position, options: HistoryOptions) -> Option<Vec<Parcel>> {
        self.expire(Instant::now(), options.ttl);
        if since.epoch != self.epoch || since.offset > self.last {
            return None;
        }
        let missing = usize::try_from(self.last - since.offset).ok()?;
        let skipped = self.entries.len().checked_sub(missing)?;
        let entries = self.entries.iter().skip(skipped);
        Some(entries.map(|entry| entry.parcel.clone()).collect())
    }

    fn expire(&mut self, now: Instant, ttl: Duration) {
        while (self.entries.front()).is_some_and(|entry| now.duration_since(entry.at) > ttl) {
            self.entries.pop_front();
        }
    }

    fn is_expired(&mut self, now: Instant, ttl: Duration) -> bool {
        self.expire(now, ttl);
        self.entries.is_empty()
    }
}

impl Position {
    /// Reads what [`label`] wrote, without the end of the line.
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

/// The first line of a message, by which a client knows where it is.
fn label(position: Position) -> String {
    format!("{position}\n")
}

fn labelled(label: &str, text: &str) -> String {
    let mut labelled = String::with_capacity(label.len() + text.len());
    labelled.push_str(label);
    labelled.push_str(text);
    labelled
}

/// The data is whole between any two statements that hold it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs are asked for so often before those are looked for that have nothing left.
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
        // What never was cannot be missed.
        assert!(log.since(six, OPTIONS).is_none());
        let other = Position {
            epoch: log.epoch ^ 1,
            offset: 5,
        };
        assert!(log.since(other, OPTIONS).is_none());
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
