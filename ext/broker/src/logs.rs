//! The logs of the topics that this process wants: joining them, following them in order, finding
//! and filling gaps, and reading older messages.
//!
//! A topic's live messages come by the subscription. Questions about its log get answers, and one
//! answer is awaited at a time. A message that does not follow the message before is held until the
//! missing messages have been read. After the connection was away, all logs are read on from their
//! last positions.
//!
//! A topic that is only subscribed to leaves nothing at the broker: its log begins with the first
//! message, or when a process asks for the position of the log.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::recording::{Answer, Ask, Extent, LogSink, Position, RecordError, Recorded};

/// A request to read the messages of a topic's log after a position.
pub(crate) struct Read {
    pub topic: Arc<str>,
    /// The position. `None` asks only for the position of the log.
    pub since: Option<Position>,
    pub done: oneshot::Sender<Result<(), RecordError>>,
}

/// The logs of the topics that are wanted.
pub(crate) struct Logs {
    sink: Arc<dyn LogSink>,
    /// How long messages are kept.
    ttl: Duration,
    topics: HashMap<Arc<str>, TopicLog>,
    /// The topics of the questions that have no answer yet, by the numbers of
    /// the questions.
    asked: HashMap<u64, Arc<str>>,
    last_question: u64,
    /// The topics that may need work. No topic occurs twice.
    due: VecDeque<Arc<str>>,
    is_due: HashSet<Arc<str>>,
    /// Topics about which the broker refused to answer.
    refused: Vec<Arc<str>>,
    has_lost: bool,
}

#[derive(Default)]
struct TopicLog {
    /// The position of the last message, if it is known.
    at: Option<Position>,
    /// Whether there was no log when its position was asked for.
    was_empty: bool,
    /// Whether live messages follow directly on `at`, or are the first messages of the log, as far
    /// as is known.
    is_current: bool,
    /// When the connection ended on which `is_current` was true.
    left: Option<Instant>,
    /// Whether the messages that follow on `at` are gone.
    is_lost: bool,
    /// Live messages that do not follow on `at` yet.
    held: VecDeque<Recorded>,
    /// The messages that were read after a position. More messages are missing between them and
    /// the floor.
    before: Option<(Position, Vec<Recorded>)>,
    question: Option<Question>,
    readers: Vec<Reader>,
}

/// The purpose of a question.
enum Question {
    /// The position of the log.
    Join,
    /// The messages that follow on `at`.
    Fill,
    /// The present position of the log, because the missed messages are gone.
    Lost,
    /// The present position of the log, because a later position or another epoch has been seen.
    Check,
    /// The messages between a position and the floor.
    Before {
        since: Position,
        messages: Vec<Recorded>,
    },
}

struct Reader {
    since: Option<Position>,
    /// Whether the broker was asked for the position of the log.
    is_checked: bool,
    done: oneshot::Sender<Result<(), RecordError>>,
}

impl Logs {
    pub(crate) fn new(sink: Arc<dyn LogSink>, ttl: Duration) -> Self {
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

    /// There is a new connection, with subscriptions to the topics `wanted`.
    pub(crate) fn reconnect(&mut self, wanted: &[Arc<str>]) {
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

    /// The connection has ended. All readers are told.
    pub(crate) fn disconnect(&mut self, reason: &str) {
        self.asked.clear();
        for log in self.topics.values_mut() {
            log.leave();
            for reader in log.readers.drain(..) {
                reader.finish(Err(RecordError(format!("The broker is away: {reason}"))));
            }
        }
    }

    /// A subscription to the topic is being made.
    pub(crate) fn want(&mut self, topic: &Arc<str>) {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.clone(), TopicLog::default());
            self.look_at(topic);
        }
    }

    /// The subscription to the topic has ended.
    pub(crate) fn forget(&mut self, topic: &Arc<str>) {
        self.topics.remove(topic);
        self.sink.forget(topic);
    }

    pub(crate) fn read(&mut self, read: Read) {
        let Some(log) = self.topics.get_mut(&read.topic) else {
            // A reader wants the topic, but the topic may have been given up
            // since.
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
    pub(crate) fn live(&mut self, topic: &Arc<str>, message: Recorded) {
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
            // The dropped messages are read again from the log.
            log.held.clear();
            log.is_current = false;
        }
        log.held.push_back(message);
        self.look_at(topic);
    }

    /// Takes the answer to a question.
    pub(crate) fn answer(&mut self, number: u64, answer: Answer) {
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
            // The question is not asked again at once, because it would be
            // refused again.
            self.refused.push(topic.clone());
            log.settle(&topic, question, answer, &*self.sink);
            return;
        }
        self.has_lost |= log.settle(&topic, question, answer, &*self.sink);
        self.look_at(&topic);
    }

    /// Asks the questions again that the broker has refused to answer.
    pub(crate) fn tick(&mut self) {
        for topic in std::mem::take(&mut self.refused) {
            self.look_at(&topic);
        }
    }

    /// Does the due work, and hands questions to `ask`: their number, the topic, and the question.
    pub(crate) fn pump(&mut self, mut ask: impl FnMut(u64, &Arc<str>, Ask)) {
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

    /// Whether messages have been lost since the last call, which cannot be read any more.
    pub(crate) fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.has_lost)
    }

    fn look_at(&mut self, topic: &Arc<str>) {
        if self.is_due.insert(topic.clone()) {
            self.due.push_back(topic.clone());
        }
    }
}

impl TopicLog {
    /// The connection has ended.
    fn leave(&mut self) {
        if std::mem::take(&mut self.is_current) {
            self.left = Some(Instant::now());
        }
        self.is_lost = false;
        self.held.clear();
        self.before = None;
        self.question = None;
    }

    /// Goes on as far as possible. Returns the question that has to be asked to
    /// go on.
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
                // The missed messages were published after the connection was
                // lost.
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

    /// Takes the held messages that follow. Returns the position of the log, or the question that
    /// has to be asked.
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
                // The log had expired, because nothing was published for a long time. No message
                // was missed, because the connection was up.
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

    /// Tells the readers whose messages have come. Returns the question that has to be asked for
    /// the others.
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
                    // The messages for the oldest position are enough for all readers with later
                    // positions.
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
                // There was no log before, so all of its messages are new.
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
            // The answer to another question, which no protocol gives.
            (
                Question::Join | Question::Lost | Question::Check,
                Answer::Messages { .. } | Answer::Gone,
            )
            | (Question::Fill | Question::Before { .. }, Answer::Position(_))
            | (_, Answer::Nothing) => {}
        }
        false
    }

    /// Compares the position of the log with the expected position.
    fn check(&mut self, topic: &str, position: Position, sink: &dyn LogSink) -> bool {
        for reader in &mut self.readers {
            reader.is_checked = true;
        }
        match self.at {
            Some(at) if at.epoch != position.epoch => self.lose(topic, position, sink),
            Some(at) => {
                // The held messages came before the answer.
                self.held.retain(|it| it.position.epoch == at.epoch);
                self.is_current = at.offset >= position.offset;
                false
            }
            None => false,
        }
    }

    /// Goes on at `position`. Returns whether messages were lost.
    fn lose(&mut self, topic: &str, position: Position, sink: &dyn LogSink) -> bool {
        self.is_lost = false;
        self.held.retain(|it| it.position.epoch == position.epoch);
        if let Some(at) = self.at
            && at.offset == 0
            && at.epoch != position.epoch
        {
            // The log was empty, so all messages of the new log may be
            // readable.
            self.begin(topic, position.epoch, sink);
            self.is_current = false;
            return false;
        }
        sink.lose(topic, position);
        self.at = Some(position);
        self.become_current();
        true
    }

    /// Begins to read the log of this epoch from its start.
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
    /// Asks for the messages after a position of any age.
    fn behind(position: Position) -> Self {
        Self::After {
            position,
            is_recent: false,
        }
    }
}

impl Reader {
    fn finish(self, result: Result<(), RecordError>) {
        // An error means that the reader does not wait any more.
        let _ = self.done.send(result);
    }
}

/// The most messages of a topic that are held. If there are more, they are read
/// again from the log.
const MAX_HELD: usize = 4096;
/// The most questions without an answer. The limit keeps answers from delaying
/// live messages.
const MAX_ASKED: usize = 256;

#[cfg(test)]
mod tests;
