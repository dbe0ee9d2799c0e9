//! The logs of the topics that this process wants: joining them, following them in order,
//! finding and filling gaps, and reading what lies before.
//!
//! A topic's live messages come by the subscription. What is asked about its log comes as
//! answers, of which one is awaited at a time. A message that does not follow the one before
//! is held until what is missing has been read. After the connection was away all logs are
//! read from where they were left.
//!
//! A topic that is only subscribed to leaves nothing at the broker: its log begins with the
//! first message, or when somebody asks where it is.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::recording::{Answer, Ask, Extent, LogSink, Position, RecordError, Recorded};

/// A wish to have in this process what the log of a topic has behind a position.
pub(crate) struct Read {
    pub topic: Arc<str>,
    /// Without one, only where the log is.
    pub since: Option<Position>,
    pub done: oneshot::Sender<Result<(), RecordError>>,
}

/// The logs of the topics that are wanted.
pub(crate) struct Logs {
    sink: Arc<dyn LogSink>,
    /// How long messages are kept.
    ttl: Duration,
    topics: HashMap<Arc<str>, TopicLog>,
    /// The topics of the questions that have no answer yet.
    asked: HashMap<u64, Arc<str>>,
    last_question: u64,
    /// Topics to look at, each once.
    due: VecDeque<Arc<str>>,
    is_due: HashSet<Arc<str>>,
    /// Topics about which the broker refused to answer.
    refused: Vec<Arc<str>>,
    has_lost: bool,
}

#[derive(Default)]
struct TopicLog {
    /// Where it is, once that is known.
    at: Option<Position>,
    /// Whether there was no log when that was asked.
    was_empty: bool,
    /// Whether live messages follow on `at`, or are the first ones, as far as it is known.
    is_current: bool,
    /// When the connection ended on which that was so.
    left: Option<Instant>,
    /// Whether what follows on `at` is gone.
    is_lost: bool,
    /// Live messages that do not follow on `at` yet.
    held: VecDeque<Recorded>,
    /// Messages behind the position, of which there are more before those that are there.
    before: Option<(Position, Vec<Recorded>)>,
    question: Option<Question>,
    readers: Vec<Reader>,
}

/// What an answer is for.
enum Question {
    /// Where the log is.
    Join,
    /// What follows on `at`.
    Fill,
    /// Where the log is by now: what was missed is gone.
    Lost,
    /// Where the log is by now: somebody knows a later position, or another epoch.
    Check,
    /// What lies between a position and what is there.
    Before {
        since: Position,
        messages: Vec<Recorded>,
    },
}

struct Reader {
    since: Option<Position>,
    /// Whether the broker was asked where the log is.
    is_checked: bool,
    done: oneshot::Sender<Result<(), RecordError>>,
}

impl Logs {
    pub fn new(sink: Arc<dyn LogSink>, ttl: Duration) -> Self {
        Self {
            sink,
            ttl,
            topics: HashMap::new(),
            asked: HashMap::new(),
            last_question: 0,
            due: VecDeque::new(),
            is_due: HashSet::new(),
            refused: Vec::new(),
            has_lost: false,
        }
    }

    /// There is a new connection, on which `wanted` are subscribed to.
    pub fn reconnect(&mut self, wanted: &[Arc<str>]) {
        self.asked.clear();
        self.due.clear();
        self.is_due.clear();
        self.refused.clear();
        let mut before = std::mem::take(&mut self.topics);
        for topic in wanted {
            let mut log = before.remove(topic).unwrap_or_default();
            log.leave();
            self.topics.insert(topic.clone(), log);
            self.look_at(topic);
        }
        for topic in before.into_keys() {
            self.sink.forget(&topic);
        }
    }

    /// The connection has ended. Whoever waits is told so.
    pub fn disconnect(&mut self, reason: &str) {
        self.asked.clear();
        for log in self.topics.values_mut() {
            log.leave();
            for reader in log.readers.drain(..) {
                reader.finish(Err(RecordError(format!("The broker is away: {reason}"))));
            }
        }
    }

    /// The broker is being told of a subscription.
    pub fn want(&mut self, topic: &Arc<str>) {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.clone(), TopicLog::default());
            self.look_at(topic);
        }
    }

    /// The subscription has ended.
    pub fn forget(&mut self, topic: &Arc<str>) {
        self.topics.remove(topic);
        self.sink.forget(topic);
    }

    pub fn read(&mut self, read: Read) {
        let Some(log) = self.topics.get_mut(&read.topic) else {
            // Whoever reads wants the topic: it may have been given up since.
            let _ = (read.done).send(Err(RecordError("the topic is not wanted".to_string())));
            return;
        };
        log.readers.push(Reader {
            since: read.since,
            is_checked: false,
            done: read.done,
        });
        self.look_at(&read.topic);
    }

    /// A message has come by the subscription.
    pub fn live(&mut self, topic: &Arc<str>, message: Recorded) {
        let Some(log) = self.topics.get_mut(topic) else {
            return;
        };
        if log.is_current
            && log.held.is_empty()
            && let Some(at) = log.at
            && at.epoch == message.position.epoch
            && at.offset < message.position.offset
            && message.previous <= at.offset
        {
            log.at = Some(message.position);
            self.sink.append(topic, message);
            return;
        }
        if log.held.len() == MAX_HELD {
            // They are read again from the log.
            log.held.clear();
            log.is_current = false;
        }
        log.held.push_back(message);
        self.look_at(topic);
    }

    /// Takes the answer to a question.
    pub fn answer(&mut self, number: u64, answer: Answer) {
        let Some(topic) = self.asked.remove(&number) else {
            return;
        };
        let Some(log) = self.topics.get_mut(&topic) else {
            return;
        };
        let Some(question) = log.question.take() else {
            return;
        };
        if matches!(answer, Answer::Refused(_)) {
            // Not at once: it would be refused again.
            self.refused.push(topic.clone());
            log.settle(&topic, question, answer, &*self.sink);
            return;
        }
        self.has_lost |= log.settle(&topic, question, answer, &*self.sink);
        self.look_at(&topic);
    }

    /// Asks again what the broker has refused to answer.
    pub fn tick(&mut self) {
        for topic in std::mem::take(&mut self.refused) {
            self.look_at(&topic);
        }
    }

    /// Does what is to be done, and hands questions to `ask`: their number, the topic, and what
    /// is asked.
    pub fn pump(&mut self, mut ask: impl FnMut(u64, &Arc<str>, Ask)) {
        while self.asked.len() < MAX_ASKED
            && let Some(topic) = self.due.pop_front()
        {
            self.is_due.remove(&topic);
            let Some(log) = self.topics.get_mut(&topic) else {
                continue;
            };
            if let Some(asked) = log.advance(&topic, self.ttl, &*self.sink) {
                self.last_question += 1;
                self.asked.insert(self.last_question, topic.clone());
                ask(self.last_question, &topic, asked);
            }
        }
    }

    /// Whether messages have been missed since this was last asked that cannot be had any more.
    pub fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.has_lost)
    }

    fn look_at(&mut self, topic: &Arc<str>) {
        if self.is_due.insert(topic.clone()) {
            self.due.push_back(topic.clone());
        }
    }
}

impl TopicLog {
    /// The connection is another one, or there is none.
    fn leave(&mut self) {
        if std::mem::take(&mut self.is_current) {
            self.left = Some(Instant::now());
        }
        self.is_lost = false;
        self.held.clear();
        self.before = None;
        self.question = None;
    }

    /// Goes on as far as possible. Returns what has to be asked for that.
    fn advance(&mut self, topic: &str, ttl: Duration, sink: &dyn LogSink) -> Option<Ask> {
        if self.question.is_some() {
            return None;
        }
        if self.at.is_none()
            && self.is_current
            && let Some(first) = self.held.front().map(|it| it.position)
        {
            self.begin(topic, first.epoch, sink);
        }
        let Some(at) = self.at else {
            let begins = !self.readers.is_empty();
            return match self.is_current && !begins {
                true => None,
                false => Some(self.ask(Question::Join, Ask::Position { begins })),
            };
        };
        if self.is_lost {
            return Some(self.ask(Question::Lost, Ask::Position { begins: true }));
        }
        let at = match self.take_held(at, topic, sink) {
            Ok(at) => at,
            Err(ask) => return Some(ask),
        };
        if !self.is_current {
            let ask = Ask::After {
                position: at,
                // What was missed was published after the connection was lost.
                is_recent: self.left.is_none_or(|left| left.elapsed() < ttl),
            };
            return Some(self.ask(Question::Fill, ask));
        }
        if let Some((since, messages)) = self.before.take() {
            let behind = messages.last().map_or(since, |it| it.position);
            let question = Question::Before { since, messages };
            return Some(self.ask(question, Ask::behind(behind)));
        }
        self.serve_readers(at, sink.extent(topic))
    }

    fn ask(&mut self, question: Question, ask: Ask) -> Ask {
        self.question = Some(question);
        ask
    }

    /// Takes the live messages that follow. Returns where the log is then, or what has to be
    /// asked.
    fn take_held(
        &mut self,
        mut at: Position,
        topic: &str,
        sink: &dyn LogSink,
    ) -> Result<Position, Ask> {
        while self.is_current
            && let Some(message) = self.held.front()
        {
            let begins_anew = message.position.epoch != at.epoch;
            if begins_anew && message.previous != 0 {
                return Err(self.ask(Question::Check, Ask::Position { begins: true }));
            }
            if !begins_anew && message.previous > at.offset {
                self.is_current = false;
                break;
            }
            let Some(message) = self.held.pop_front() else {
                break;
            };
            if begins_anew {
                // The log was over, for nothing was published for long. Nothing came between:
                // the connection has been there.
                at = Position {
                    epoch: message.position.epoch,
                    offset: 0,
                };
                sink.begin(topic, at);
            }
            if message.position.offset > at.offset {
                at = message.position;
                sink.append(topic, message);
            }
            self.at = Some(at);
        }
        Ok(at)
    }

    /// Tells the readers whose wish is fulfilled. Returns what has to be asked for others.
    fn serve_readers(&mut self, at: Position, extent: Option<Extent>) -> Option<Ask> {
        let floor = extent.map_or(at.offset, |it| it.floor);
        let mut must_check = false;
        let mut oldest: Option<Position> = None;
        for reader in std::mem::take(&mut self.readers) {
            let waits = match reader.since {
                Some(since) if since.epoch != at.epoch || since.offset > at.offset => {
                    must_check |= !reader.is_checked;
                    !reader.is_checked
                }
                Some(since) if since.offset < floor => {
                    // All that is missed by one is enough for those who have missed less.
                    if oldest.is_none_or(|it| since.offset < it.offset) {
                        oldest = Some(since);
                    }
                    true
                }
                _ => false,
            };
            match waits {
                true => self.readers.push(reader),
                false => reader.finish(Ok(())),
            }
        }
        if must_check {
            return Some(self.ask(Question::Check, Ask::Position { begins: true }));
        }
        let since = oldest?;
        let question = Question::Before {
            since,
            messages: Vec::new(),
        };
        Some(self.ask(question, Ask::behind(since)))
    }

    /// Takes the answer to `question`. Returns whether messages are lost.
    fn settle(
        &mut self,
        topic: &str,
        question: Question,
        answer: Answer,
        sink: &dyn LogSink,
    ) -> bool {
        match (question, answer) {
            (_, Answer::Refused(message)) => {
                for reader in self.readers.drain(..) {
                    reader.finish(Err(RecordError(format!("the broker refuses: {message}"))));
                }
            }
            (Question::Join, Answer::Position(position)) if self.was_empty => {
                // All that is there has come since.
                self.begin(topic, position.epoch, sink);
                self.is_current = position.offset == 0;
            }
            (Question::Join, Answer::Position(position)) => {
                sink.begin(topic, position);
                self.at = Some(position);
                self.become_current();
            }
            (Question::Join, Answer::Nothing) => {
                self.was_empty = true;
                self.become_current();
            }
            (Question::Lost, Answer::Position(position)) => {
                return self.lose(topic, position, sink);
            }
            (Question::Check, Answer::Position(position)) => {
                return self.check(topic, position, sink);
            }
            (Question::Fill, Answer::Messages { messages, is_end }) => {
                for message in messages {
                    self.at = Some(message.position);
                    sink.append(topic, message);
                }
                if is_end {
                    self.become_current();
                }
            }
            (Question::Fill, Answer::Gone) => self.is_lost = true,
            (
                Question::Before { since, messages },
                Answer::Messages {
                    messages: more,
                    is_end,
                },
            ) => {
                let messages = [messages, more].concat();
                let reached = messages.last().map_or(since, |it| it.position).offset;
                let floor = sink.extent(topic).map_or(u64::MAX, |it| it.floor);
                if is_end || reached >= floor {
                    sink.prepend(topic, since.offset, messages);
                    self.finish_readers(since);
                } else {
                    self.before = Some((since, messages));
                }
            }
            (Question::Before { since, .. }, Answer::Gone) => self.finish_readers(since),
            // The answer to another question: no protocol gives one.
            (
                Question::Join | Question::Lost | Question::Check,
                Answer::Messages { .. } | Answer::Gone,
            )
            | (Question::Fill | Question::Before { .. }, Answer::Position(_))
            | (_, Answer::Nothing) => {}
        }
        false
    }

    /// Compares where the log is with where it should be.
    fn check(&mut self, topic: &str, position: Position, sink: &dyn LogSink) -> bool {
        for reader in &mut self.readers {
            reader.is_checked = true;
        }
        match self.at {
            Some(at) if at.epoch != position.epoch => self.lose(topic, position, sink),
            Some(at) => {
                // What is held came before the answer.
                self.held.retain(|it| it.position.epoch == at.epoch);
                self.is_current = at.offset >= position.offset;
                false
            }
            None => false,
        }
    }

    /// Goes on at `position`, and returns whether there was something before.
    fn lose(&mut self, topic: &str, position: Position, sink: &dyn LogSink) -> bool {
        self.is_lost = false;
        self.held.retain(|it| it.position.epoch == position.epoch);
        if let Some(at) = self.at
            && at.offset == 0
            && at.epoch != position.epoch
        {
            // There was nothing in the log: all of the new one may be there.
            self.begin(topic, position.epoch, sink);
            self.is_current = false;
            return false;
        }
        sink.lose(topic, position);
        self.at = Some(position);
        self.become_current();
        true
    }

    /// The log of this epoch is read from its begin on.
    fn begin(&mut self, topic: &str, epoch: u64, sink: &dyn LogSink) {
        let start = Position { epoch, offset: 0 };
        sink.begin(topic, start);
        self.at = Some(start);
        self.was_empty = false;
    }

    fn become_current(&mut self) {
        self.is_current = true;
        self.left = None;
    }

    fn finish_readers(&mut self, since: Position) {
        for reader in std::mem::take(&mut self.readers) {
            match reader.since == Some(since) {
                true => reader.finish(Ok(())),
                false => self.readers.push(reader),
            }
        }
    }
}

impl Ask {
    /// The messages behind a position that somebody had at whatever time.
    fn behind(position: Position) -> Self {
        Self::After {
            position,
            is_recent: false,
        }
    }
}

impl Reader {
    fn finish(self, result: Result<(), RecordError>) {
        // Who does not wait any more is not told.
        let _ = self.done.send(result);
    }
}

/// Messages of a topic that are held at most: more are read again from the log.
const MAX_HELD: usize = 4096;
/// Questions without an answer at most: what comes live goes before.
const MAX_ASKED: usize = 256;

#[cfg(test)]
mod tests;
