//! Tests of a log. The test plays the broker.

use std::sync::Mutex;

use super::*;

const TOPIC: &str = "topic";
const TTL: Duration = Duration::from_secs(3600);

/// The calls of the sink, as text.
#[derive(Default)]
struct Written {
    words: Mutex<Vec<String>>,
    floor: Mutex<u64>,
}

impl Written {
    fn note(&self, words: String) {
        self.words.lock().unwrap().push(words);
    }
}

impl LogSink for Written {
    fn extent(&self, _topic: &str) -> Option<Extent> {
        let floor = *self.floor.lock().unwrap();
        Some(Extent {
            epoch: 1,
            floor,
            last: 1000,
        })
    }

    fn begin(&self, _topic: &str, position: Position) {
        *self.floor.lock().unwrap() = position.offset;
        self.note(format!("begin {}-{}", position.epoch, position.offset));
    }

    fn append(&self, _topic: &str, message: Recorded) {
        self.note(format!("{}", message.position.offset));
    }

    fn prepend(&self, _topic: &str, since: u64, messages: Vec<Recorded>) {
        *self.floor.lock().unwrap() = since;
        self.note(format!("{} before", messages.len()));
    }

    fn lose(&self, _topic: &str, position: Position) {
        self.note(format!("lose {}-{}", position.epoch, position.offset));
    }

    fn forget(&self, _topic: &str) {
        self.note("forget".to_string());
    }
}

struct Driven {
    logs: Logs,
    written: Arc<Written>,
}

impl Driven {
    fn new() -> Self {
        let written = Arc::<Written>::default();
        let mut logs = Logs::new(written.clone(), TTL);
        logs.reconnect(&[TOPIC.into()]);
        Self { logs, written }
    }

    /// A log that is at a position.
    fn at(epoch: u64, offset: u64) -> Self {
        let mut driven = Self::new();
        let (number, ask) = driven.asked().unwrap();
        assert_eq!(ask, Ask::Position { begins: false });
        driven.answer(number, Answer::Position(Position { epoch, offset }));
        assert_eq!(driven.written(), [format!("begin {epoch}-{offset}")]);
        driven
    }

    /// The question that is asked now.
    fn asked(&mut self) -> Option<(u64, Ask)> {
        let mut asked = Vec::new();
        self.logs.pump(|number, _, ask| asked.push((number, ask)));
        assert!(asked.len() <= 1);
        asked.pop()
    }

    fn asked_after(&mut self, offset: u64) -> u64 {
        match self.asked() {
            Some((number, Ask::After { position, .. })) if position.offset == offset => number,
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, number: u64, answer: Answer) {
        self.logs.answer(number, answer);
    }

    fn live(&mut self, epoch: u64, previous: u64, offset: u64) {
        let message = message(epoch, previous, offset);
        self.logs.live(&TOPIC.into(), message);
    }

    /// The calls since the last call of this function.
    fn written(&self) -> Vec<String> {
        std::mem::take(&mut *self.written.words.lock().unwrap())
    }

    fn read(&mut self, epoch: u64, offset: u64) -> oneshot::Receiver<Result<(), RecordError>> {
        let (done, result) = oneshot::channel();
        self.logs.read(Read {
            topic: TOPIC.into(),
            since: Some(Position { epoch, offset }),
            done,
        });
        result
    }
}

fn message(epoch: u64, previous: u64, offset: u64) -> Recorded {
    Recorded {
        position: Position { epoch, offset },
        previous,
        tag: None,
        payload: None,
    }
}

fn messages(offsets: std::ops::RangeInclusive<u64>, is_end: bool) -> Answer {
    Answer::Messages {
        messages: offsets.map(|it| message(1, it - 1, it)).collect(),
        is_end,
    }
}

#[test]
fn what_follows_is_taken_and_what_came_before_is_not() {
    let mut log = Driven::at(1, 5);
    for (previous, offset) in [(4, 5), (5, 6), (6, 7), (3, 4), (7, 9), (0, 12)] {
        log.live(1, previous, offset);
        assert_eq!(log.asked(), None);
    }
    assert_eq!(log.written(), ["6", "7", "9", "12"]);
}

#[test]
fn a_gap_is_read_and_what_comes_meanwhile_comes_behind_it() {
    let mut log = Driven::at(1, 5);
    log.live(1, 8, 9);
    let number = log.asked_after(5);
    log.live(1, 9, 10);
    assert_eq!(log.asked(), None);
    log.answer(number, messages(6..=7, false));
    let number = log.asked_after(7);
    log.answer(number, messages(8..=9, true));
    assert_eq!(log.asked(), None);
    assert_eq!(log.written(), ["6", "7", "8", "9", "10"]);
    assert!(!log.logs.take_lost());
}

#[test]
fn a_gap_that_cannot_be_filled_is_told_once() {
    let mut log = Driven::at(1, 5);
    log.live(1, 8, 9);
    let number = log.asked_after(5);
    log.answer(number, Answer::Gone);
    let (number, ask) = log.asked().unwrap();
    assert_eq!(ask, Ask::Position { begins: true });
    log.live(1, 9, 10);
    let position = Position {
        epoch: 1,
        offset: 9,
    };
    log.answer(number, Answer::Position(position));
    assert_eq!(log.asked(), None);
    assert_eq!(log.written(), ["lose 1-9", "10"]);
    assert!(log.logs.take_lost());
    assert!(!log.logs.take_lost());
}

#[test]
fn more_than_is_held_is_read_again() {
    let mut log = Driven::at(1, 5);
    log.live(1, 8, 9);
    let number = log.asked_after(5);
    let most = MAX_HELD as u64;
    for offset in 10..=10 + most {
        log.live(1, offset - 1, offset);
    }
    log.answer(number, messages(6..=9, true));
    let number = log.asked_after(9);
    log.answer(number, messages(10..=10 + most, true));
    log.live(1, 10 + most, 11 + most);
    assert_eq!(log.asked(), None);
    assert_eq!(log.written().len() as u64, 6 + most);
}

#[test]
fn a_log_that_was_over_begins_anew_on_the_same_connection() {
    let mut log = Driven::at(1, 5);
    log.live(2, 0, 1);
    log.live(2, 1, 2);
    assert_eq!(log.asked(), None);
    assert_eq!(log.written(), ["begin 2-0", "1", "2"]);
    // But a message of another log follows only if it is the first one.
    log.live(3, 7, 8);
    let (number, ask) = log.asked().unwrap();
    assert_eq!(ask, Ask::Position { begins: true });
    let position = Position {
        epoch: 3,
        offset: 8,
    };
    log.answer(number, Answer::Position(position));
    assert_eq!(log.asked(), None);
    assert_eq!(log.written(), ["lose 3-8"]);
}

#[test]
fn a_topic_without_a_log_begins_with_the_first_message() {
    let mut log = Driven::new();
    let (number, _) = log.asked().unwrap();
    log.answer(number, Answer::Nothing);
    assert_eq!(log.asked(), None);
    log.live(1, 0, 4);
    assert_eq!(log.asked(), None);
    assert_eq!(log.written(), ["begin 1-0", "4"]);
}

#[test]
fn a_topic_without_a_log_misses_nothing_while_the_connection_is_away() {
    let mut log = Driven::new();
    let (number, _) = log.asked().unwrap();
    log.answer(number, Answer::Nothing);
    log.logs.disconnect("away");
    log.logs.reconnect(&[TOPIC.into()]);
    let (number, ask) = log.asked().unwrap();
    assert_eq!(ask, Ask::Position { begins: false });
    let position = Position {
        epoch: 1,
        offset: 2,
    };
    log.answer(number, Answer::Position(position));
    let number = log.asked_after(0);
    log.answer(number, messages(1..=2, true));
    assert_eq!(log.asked(), None);
    assert_eq!(log.written(), ["begin 1-0", "1", "2"]);
}

#[test]
fn readers_wait_for_what_they_have_missed_and_the_oldest_is_read_for_all() {
    let mut log = Driven::at(1, 50);
    let mut here = log.read(1, 50);
    let [mut older, mut oldest] = [log.read(1, 30), log.read(1, 20)];
    let number = log.asked_after(20);
    assert!(here.try_recv().unwrap().is_ok());
    log.answer(number, messages(21..=40, false));
    let number = log.asked_after(40);
    assert!(oldest.try_recv().is_err());
    log.answer(number, messages(41..=50, true));
    assert_eq!(log.asked(), None);
    assert!(oldest.try_recv().unwrap().is_ok());
    assert!(older.try_recv().unwrap().is_ok());
    assert_eq!(log.written(), ["30 before"]);

    // A reader does not wait for ever for messages that are gone, or for a
    // position that never was.
    let mut gone = log.read(1, 10);
    let number = log.asked_after(10);
    log.answer(number, Answer::Gone);
    assert_eq!(log.asked(), None);
    assert!(gone.try_recv().unwrap().is_ok());
    let mut other = log.read(2, 10);
    let (number, _) = log.asked().unwrap();
    let position = Position {
        epoch: 1,
        offset: 50,
    };
    log.answer(number, Answer::Position(position));
    assert_eq!(log.asked(), None);
    assert!(other.try_recv().unwrap().is_ok());

    // Another process has told a position, and this process is behind it.
    let mut ahead = log.read(1, 52);
    let (number, _) = log.asked().unwrap();
    let position = Position {
        epoch: 1,
        offset: 52,
    };
    log.answer(number, Answer::Position(position));
    let number = log.asked_after(50);
    assert!(ahead.try_recv().is_err());
    log.answer(number, messages(51..=52, true));
    assert_eq!(log.asked(), None);
    assert!(ahead.try_recv().unwrap().is_ok());
    assert_eq!(log.written(), ["51", "52"]);
}

#[test]
fn what_is_refused_is_asked_again_later() {
    let mut log = Driven::at(1, 5);
    let mut reader = log.read(1, 1);
    let number = log.asked_after(1);
    log.answer(number, Answer::Refused("no".to_string()));
    let error = reader.try_recv().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the broker refuses: no");
    assert_eq!(log.asked(), None);

    log.live(1, 8, 9);
    let number = log.asked_after(5);
    log.answer(number, Answer::Refused("no".to_string()));
    assert_eq!(log.asked(), None);
    log.logs.tick();
    log.asked_after(5);
}

#[test]
fn who_waits_is_told_when_the_connection_ends() {
    let mut log = Driven::at(1, 5);
    let mut reader = log.read(1, 1);
    log.asked_after(1);
    log.logs.disconnect("cut");
    let error = reader.try_recv().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "The broker is away: cut");
    log.logs.reconnect(&[]);
    assert_eq!(log.written(), ["forget"]);
}
