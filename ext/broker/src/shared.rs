//! The state that the threads of a program and the connection to the broker
//! share.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot, watch};

use crate::logs::Read;
use crate::loss::Loss;
use crate::recording::{Position, RecordError};
use crate::wire::Publisher;

/// The status of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether there is a connection.
    pub state: State,
    /// When the connection came into this state.
    pub since: SystemTime,
    /// How many messages of this process have not reached other processes, as far as is known,
    /// because the broker has not confirmed them.
    pub lost: u64,
    /// How long the broker took to answer the last question of this connection.
    pub round_trip: Duration,
    /// The last error, even if it did not end the connection.
    pub error: Option<String>,
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The first connection is being made.
    Connecting,
    /// The connection is up, with all subscriptions.
    Up,
    /// There is no connection, and it is dialled again and again.
    Down,
}

/// An event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerEvent {
    /// The connection is up, with all subscriptions.
    Up,
    /// The connection has ended, or the first connection could not be made.
    Down {
        /// The reason.
        reason: String,
    },
    /// Messages of other processes may have been missed, because the connection
    /// was down.
    Gap {
        /// When the connection went down.
        since: SystemTime,
    },
}

/// Why a flush failed.
#[derive(Debug, thiserror::Error)]
#[error("The broker is away: {0}")]
pub struct FlushError(pub String);

pub(crate) struct Shared {
    state: Mutex<Inner>,
    /// Notified when there is work for the connection.
    pub work: Notify,
    events: watch::Sender<u64>,
}

struct Inner {
    publisher: Publisher,
    /// The encoded commands that publish messages.
    out: Vec<u8>,
    /// How many messages are in `out`.
    queued: u64,
    /// How many messages have ever been queued. The number of the next message is one greater.
    numbered: u64,
    /// The callers that wait for the position of a message, by its number.
    waiting: HashMap<u64, oneshot::Sender<Recorded>>,
    reads: Vec<Read>,
    /// Whether messages of other processes that are missed can be read later.
    has_logs: bool,
    /// How many messages this connection has taken that are not confirmed.
    unconfirmed: u64,
    /// The topics that have become wanted or unwanted.
    changes: Vec<(Arc<str>, bool)>,
    /// A number that rises with each message and each change.
    marker: u64,
    status: Status,
    down_since: Option<SystemTime>,
    /// The longest message that the broker accepts, in bytes.
    longest: usize,
    flushes: Vec<Flush>,
    events: VecDeque<BrokerEvent>,
    last_event: u64,
    is_closed: bool,
}

/// The outcome of a message that is recorded.
type Recorded = Result<Position, RecordError>;

struct Flush {
    marker: u64,
    done: oneshot::Sender<Result<(), FlushError>>,
}

/// The work for the connection.
pub(crate) struct Work {
    pub changes: Vec<(Arc<str>, bool)>,
    pub reads: Vec<Read>,
    pub published: u64,
    /// The number of the first message in the work.
    pub first: u64,
    pub marker: u64,
    pub is_closed: bool,
}

impl Shared {
    pub(crate) fn new(publisher: Publisher, has_logs: bool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(Inner {
                publisher,
                out: Vec::new(),
                queued: 0,
                numbered: 0,
                waiting: HashMap::new(),
                reads: Vec::new(),
                has_logs,
                unconfirmed: 0,
                changes: Vec::new(),
                marker: 0,
                status: Status {
                    state: State::Connecting,
                    since: SystemTime::now(),
                    lost: 0,
                    round_trip: Duration::ZERO,
                    error: None,
                },
                down_since: None,
                longest: usize::MAX,
                flushes: Vec::new(),
                events: VecDeque::new(),
                last_event: 0,
                is_closed: false,
            }),
            work: Notify::new(),
            events: watch::Sender::new(0),
        })
    }

    pub(crate) fn set_wanted(&self, topic: &Arc<str>, is_wanted: bool) {
        let mut inner = self.lock();
        inner.changes.push((topic.clone(), is_wanted));
        inner.marker += 1;
        drop(inner);
        self.work.notify_one();
    }

    pub(crate) fn publish(&self, topic: &str, payload: &[u8], is_text: bool) {
        let mut inner = self.lock();
        let was_empty = inner.out.is_empty();
        if let Err(refusal) = inner.check(payload, is_text) {
            inner.note_refused(refusal);
            return;
        }
        let inner_ref = &mut *inner;
        (inner_ref.publisher).publish(topic, payload, is_text, &mut inner_ref.out);
        inner.note_queued();
        drop(inner);
        if was_empty {
            self.work.notify_one();
        }
    }

    /// Records a message. Returns false if the message is lost.
    pub(crate) fn record(&self, topic: &str, payload: &[u8], is_text: bool, tag: u64) -> bool {
        let mut inner = self.lock();
        match inner.record(topic, payload, is_text, tag) {
            Ok(_) => {
                drop(inner);
                self.work.notify_one();
                true
            }
            Err(refusal) => {
                inner.note_refused(refusal);
                false
            }
        }
    }

    pub(crate) fn record_and_tell(
        &self,
        topic: &str,
        payload: &[u8],
        is_text: bool,
    ) -> impl Future<Output = Recorded> + Send + use<> {
        let (done, result) = oneshot::channel();
        let mut inner = self.lock();
        match inner.record(topic, payload, is_text, 0) {
            Ok(number) => {
                inner.waiting.insert(number, done);
            }
            Err(refusal) => {
                let error = match refusal {
                    Refusal::Away => inner.away().to_string(),
                    Refusal::Full(_, message) => message,
                };
                let _ = done.send(Err(RecordError(error)));
            }
        }
        drop(inner);
        self.work.notify_one();
        answered(result)
    }

    /// The message with this number is in its log, or was refused.
    pub(crate) fn stored(&self, number: u64, result: Result<Position, String>) {
        let mut inner = self.lock();
        inner.unconfirmed = inner.unconfirmed.saturating_sub(1);
        let waiting = inner.waiting.remove(&number);
        drop(inner);
        let result = result.map_err(|message| {
            self.refuse(message.clone(), u64::from(waiting.is_none()), false);
            RecordError(format!("the broker refuses: {message}"))
        });
        if let Some(waiting) = waiting {
            let _ = waiting.send(result);
        }
    }

    pub(crate) fn read(
        &self,
        topic: &Arc<str>,
        since: Option<Position>,
    ) -> impl Future<Output = Result<(), RecordError>> + Send + use<> {
        let (done, result) = oneshot::channel();
        let mut inner = self.lock();
        match inner.status.state {
            State::Down => {
                let _ = done.send(Err(RecordError(inner.away().to_string())));
            }
            State::Connecting | State::Up => {
                let topic = topic.clone();
                inner.reads.push(Read { topic, since, done });
            }
        }
        drop(inner);
        self.work.notify_one();
        answered(result)
    }

    /// Messages of other processes were missed and cannot be read later.
    pub(crate) fn note_gap(&self) {
        let mut inner = self.lock();
        let since = inner.missing_since();
        inner.push(BrokerEvent::Gap { since });
        self.events.send_replace(inner.last_event);
    }

    pub(crate) fn flush(&self) -> impl Future<Output = Result<(), FlushError>> + Send + use<> {
        let (done, result) = oneshot::channel();
        let mut inner = self.lock();
        match inner.status.state {
            State::Down => {
                let _ = done.send(Err(inner.away()));
            }
            State::Connecting | State::Up => {
                // The marker rises so that the broker is asked again, even if nothing has happened
                // since the last flush.
                inner.marker += 1;
                let marker = inner.marker;
                inner.flushes.push(Flush { marker, done });
            }
        }
        drop(inner);
        self.work.notify_one();
        async move {
            result
                .await
                .unwrap_or_else(|_| Err(FlushError("the connection was closed".to_string())))
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    pub(crate) fn last_event(&self) -> u64 {
        self.lock().last_event
    }

    pub(crate) fn next_event(
        self: &Arc<Self>,
        after: u64,
    ) -> impl Future<Output = (u64, BrokerEvent)> + Send + use<> {
        let shared = self.clone();
        let mut changed = self.events.subscribe();
        async move {
            loop {
                {
                    let inner = shared.lock();
                    let oldest = inner.last_event - inner.events.len() as u64;
                    let index = after.max(oldest) - oldest;
                    if let Some(event) = inner.events.get(index as usize) {
                        return (oldest + index + 1, event.clone());
                    }
                }
                // `shared` keeps the sender alive.
                let _ = changed.changed().await;
            }
        }
    }

    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.work.notify_one();
    }

    /// Appends the commands that publish messages to `out`, and returns the other work.
    pub(crate) fn take_work(&self, out: &mut Vec<u8>) -> Work {
        let mut inner = self.lock();
        if out.is_empty() {
            std::mem::swap(out, &mut inner.out);
        } else {
            out.append(&mut inner.out);
        }
        if inner.out.capacity() > KEPT_CAPACITY {
            inner.out = Vec::new();
        }
        let published = std::mem::take(&mut inner.queued);
        inner.unconfirmed += published;
        Work {
            changes: std::mem::take(&mut inner.changes),
            reads: std::mem::take(&mut inner.reads),
            published,
            first: inner.numbered - published + 1,
            marker: inner.marker,
            is_closed: inner.is_closed,
        }
    }

    /// Takes only the changes, because there is no connection.
    pub(crate) fn take_changes(&self) -> Work {
        let mut inner = self.lock();
        Work {
            changes: std::mem::take(&mut inner.changes),
            reads: Vec::new(),
            published: 0,
            first: 0,
            marker: inner.marker,
            is_closed: inner.is_closed,
        }
    }

    /// The broker has taken `count` messages, or they are lost.
    pub(crate) fn confirm(&self, count: u64) {
        let mut inner = self.lock();
        inner.unconfirmed = inner.unconfirmed.saturating_sub(count);
    }

    /// A command was refused, and `lost` messages that were not confirmed are lost.
    pub(crate) fn refuse(&self, message: String, lost: u64, is_settled: bool) {
        let mut inner = self.lock();
        inner.lose(Loss::Refused, lost);
        if is_settled {
            inner.unconfirmed = inner.unconfirmed.saturating_sub(lost);
        }
        if inner.status.error.as_ref() != Some(&message) {
            log::warn!("The broker refuses: {message}");
        }
        inner.status.error = Some(message);
    }

    /// The broker has done everything up to `marker`. The answer took `round_trip`.
    pub(crate) fn synced(&self, marker: u64, round_trip: Duration) {
        let mut inner = self.lock();
        inner.status.round_trip = round_trip;
        let (done, left) = std::mem::take(&mut inner.flushes)
            .into_iter()
            .partition(|flush| flush.marker <= marker);
        inner.flushes = left;
        drop(inner);
        let done: Vec<Flush> = done;
        for flush in done {
            let _ = flush.done.send(Ok(()));
        }
    }

    pub(crate) fn set_up(&self, longest: usize) {
        let mut inner = self.lock();
        inner.longest = longest;
        inner.status.state = State::Up;
        inner.status.since = SystemTime::now();
        inner.status.error = None;
        inner.push(BrokerEvent::Up);
        if !inner.has_logs
            && let Some(since) = inner.down_since.take()
        {
            inner.push(BrokerEvent::Gap { since });
        }
        self.events.send_replace(inner.last_event);
    }

    /// There is no connection. If there was one, all messages that it has not confirmed are lost.
    pub(crate) fn set_down(&self, reason: String) {
        let mut inner = self.lock();
        // A caller that waits for a position gets an error, so its message is
        // not counted as lost.
        let waiting = std::mem::take(&mut inner.waiting);
        let reads = std::mem::take(&mut inner.reads);
        let unconfirmed = inner.queued + inner.unconfirmed - waiting.len() as u64;
        inner.lose(Loss::Unconfirmed, unconfirmed);
        inner.queued = 0;
        inner.unconfirmed = 0;
        inner.out = Vec::new();
        if inner.status.state == State::Down {
            inner.status.error = Some(reason);
            drop(inner);
            fail(waiting, reads, &FlushError(String::new()));
            return;
        }
        log::warn!("The broker is away: {reason}");
        inner.status.state = State::Down;
        inner.status.since = SystemTime::now();
        inner.status.error = Some(reason.clone());
        inner.down_since = Some(inner.status.since);
        inner.push(BrokerEvent::Down { reason });
        let flushes = std::mem::take(&mut inner.flushes);
        let away = inner.away().0;
        self.events.send_replace(inner.last_event);
        drop(inner);
        for flush in flushes {
            let _ = flush.done.send(Err(FlushError(away.clone())));
        }
        fail(waiting, reads, &FlushError(away));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn lose(&mut self, loss: Loss, count: u64) {
        self.status.lost += count;
        loss.count(count);
    }

    fn push(&mut self, event: BrokerEvent) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.last_event += 1;
    }

    /// Whether a message can be queued.
    fn check(&self, payload: &[u8], is_text: bool) -> Result<(), Refusal> {
        if self.status.state != State::Up {
            return Err(Refusal::Away);
        }
        let length = self.publisher.length(payload, is_text);
        let longest = self.longest;
        if length > longest {
            let message =
                format!("A message of {length} bytes is longer than the broker takes: {longest}");
            return Err(Refusal::Full(Loss::TooLong, message));
        }
        if self.out.len() + length > MAX_QUEUED && !self.out.is_empty() {
            let message = "More is published than the broker takes: messages were dropped";
            return Err(Refusal::Full(Loss::Overflow, message.to_string()));
        }
        Ok(())
    }

    /// Queues a message that is recorded. Returns its number.
    fn record(
        &mut self,
        topic: &str,
        payload: &[u8],
        is_text: bool,
        tag: u64,
    ) -> Result<u64, Refusal> {
        self.check(payload, is_text)?;
        let number = self.numbered + 1;
        (self.publisher).record(topic, payload, is_text, tag, number, &mut self.out);
        self.note_queued();
        Ok(number)
    }

    fn note_queued(&mut self) {
        self.queued += 1;
        self.numbered += 1;
        self.marker += 1;
    }

    fn note_refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Away => self.lose(Loss::Away, 1),
            Refusal::Full(loss, message) => {
                self.lose(loss, 1);
                self.status.error = Some(message);
            }
        }
    }

    /// The time since which the messages may be missing.
    fn missing_since(&mut self) -> SystemTime {
        self.down_since.unwrap_or(self.status.since)
    }

    fn away(&self) -> FlushError {
        FlushError(self.status.error.clone().unwrap_or_default())
    }
}

/// Why a message is not queued.
enum Refusal {
    Away,
    /// The reason, as a kind of loss and as a message.
    Full(Loss, String),
}

/// Tells all waiting callers that the connection is down.
fn fail(waiting: HashMap<u64, oneshot::Sender<Recorded>>, reads: Vec<Read>, away: &FlushError) {
    for waiting in waiting.into_values() {
        // The message may have been recorded. This is not known.
        let error = format!("{away} (the message may have been recorded)");
        let _ = waiting.send(Err(RecordError(error)));
    }
    for read in reads {
        let _ = read.done.send(Err(RecordError(away.to_string())));
    }
}

async fn answered<T>(result: oneshot::Receiver<Result<T, RecordError>>) -> Result<T, RecordError> {
    (result.await).unwrap_or_else(|_| Err(RecordError("the connection was closed".to_string())))
}

/// How many events are remembered.
const EVENTS: usize = 64;
/// How many bytes may wait for the broker.
const MAX_QUEUED: usize = 64 << 20;
/// A larger buffer is freed after a busy time.
const KEPT_CAPACITY: usize = 1 << 20;
