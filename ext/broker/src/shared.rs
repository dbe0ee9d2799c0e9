//! What the threads of a program and the connection to the broker have in common.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot, watch};

use crate::loss::Loss;
use crate::wire::Publisher;

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether there is a connection.
    pub state: State,
    /// Since when it is in this state.
    pub since: SystemTime,
    /// How many messages of this process have reached no other, as far as it is known: the
    /// broker has not confirmed them.
    pub lost: u64,
    /// How long the broker took to confirm the last thing that it was asked to.
    pub round_trip: Duration,
    /// What went wrong last, also where that did not end the connection.
    pub error: Option<String>,
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The first one is being made.
    Connecting,
    /// All that is subscribed to comes, and what is published goes.
    Up,
    /// There is none, and it is dialled again and again.
    Down,
}

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is there, and has all subscriptions.
    Up,
    /// It has ended, or the first one could not be made.
    Down {
        /// Why.
        reason: String,
    },
    /// Messages of other processes may have been missed: the connection was away.
    Gap {
        /// Since when.
        since: SystemTime,
    },
}

/// Why a flush failed.
#[derive(Debug, thiserror::Error)]
#[error("The broker is away: {0}")]
pub struct FlushError(pub String);

pub(crate) struct Shared {
    state: Mutex<Inner>,
    /// Told when there is work for the connection.
    pub work: Notify,
    events: watch::Sender<u64>,
}

struct Inner {
    publisher: Publisher,
    /// Commands that publish.
    out: Vec<u8>,
    /// How many messages are in them.
    queued: u64,
    /// Of this connection, how many have been taken and are not confirmed.
    unconfirmed: u64,
    /// Topics that are wanted or not any more.
    changes: Vec<(Arc<str>, bool)>,
    /// Goes up with each message and each change.
    marker: u64,
    status: Status,
    down_since: Option<SystemTime>,
    /// Bytes of a message that the broker takes.
    longest: usize,
    flushes: Vec<Flush>,
    events: VecDeque<Event>,
    last_event: u64,
    is_closed: bool,
}

struct Flush {
    marker: u64,
    done: oneshot::Sender<Result<(), FlushError>>,
}

/// What there is to do for the connection.
pub(crate) struct Work {
    pub changes: Vec<(Arc<str>, bool)>,
    pub published: u64,
    pub marker: u64,
    pub is_closed: bool,
}

impl Shared {
    pub fn new(publisher: Publisher) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(Inner {
                publisher,
                out: Vec::new(),
                queued: 0,
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

    pub fn set_wanted(&self, topic: &Arc<str>, is_wanted: bool) {
        let mut inner = self.lock();
        inner.changes.push((topic.clone(), is_wanted));
        inner.marker += 1;
        drop(inner);
        self.work.notify_one();
    }

    pub fn publish(&self, topic: &str, payload: &[u8], is_text: bool) {
        let mut inner = self.lock();
        let inner_ref = &mut *inner;
        if inner_ref.status.state != State::Up {
            inner_ref.lose(Loss::Away, 1);
            return;
        }
        let length = inner_ref.publisher.length(payload, is_text);
        if length > inner_ref.longest {
            inner_ref.lose(Loss::TooLong, 1);
            inner_ref.status.error = Some(format!(
                "A message of {length} bytes is longer than the broker takes: {}",
                inner_ref.longest
            ));
            return;
        }
        if inner_ref.out.len() + length > MAX_QUEUED && !inner_ref.out.is_empty() {
            inner_ref.lose(Loss::Overflow, 1);
            inner_ref.status.error =
                Some("More is published than the broker takes: messages were dropped".to_string());
            return;
        }
        let was_empty = inner_ref.out.is_empty();
        (inner_ref.publisher).publish(topic, payload, is_text, &mut inner_ref.out);
        inner_ref.queued += 1;
        inner_ref.marker += 1;
        drop(inner);
        if was_empty {
            self.work.notify_one();
        }
    }

    pub fn flush(&self) -> impl Future<Output = Result<(), FlushError>> + Send + use<> {
        let (done, result) = oneshot::channel();
        let mut inner = self.lock();
        match inner.status.state {
            State::Down => {
                let _ = done.send(Err(inner.away()));
            }
            State::Connecting | State::Up => {
                // Nothing may have happened since the last one: then this asks anew.
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

    pub fn status(&self) -> Status {
        self.lock().status.clone()
    }

    pub fn last_event(&self) -> u64 {
        self.lock().last_event
    }

    pub fn next_event(
        self: &Arc<Self>,
        after: u64,
    ) -> impl Future<Output = (u64, Event)> + Send + use<> {
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
                // The sender lives as long as `shared`.
                let _ = changed.changed().await;
            }
        }
    }

    pub fn close(&self) {
        self.lock().is_closed = true;
        self.work.notify_one();
    }

    /// Moves what is to be published behind what is in `out`, and returns what else there is
    /// to do.
    pub fn take_work(&self, out: &mut Vec<u8>) -> Work {
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
            published,
            marker: inner.marker,
            is_closed: inner.is_closed,
        }
    }

    /// The changes alone, while there is no connection.
    pub fn take_changes(&self) -> Work {
        let mut inner = self.lock();
        Work {
            changes: std::mem::take(&mut inner.changes),
            published: 0,
            marker: inner.marker,
            is_closed: inner.is_closed,
        }
    }

    /// The broker has taken so many messages, or they are lost.
    pub fn confirm(&self, count: u64) {
        let mut inner = self.lock();
        inner.unconfirmed = inner.unconfirmed.saturating_sub(count);
    }

    /// Something was refused, and with it so many messages that were not confirmed.
    pub fn refuse(&self, message: String, lost: u64, is_settled: bool) {
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

    /// All that happened up to `marker` is with the broker, which took so long to say so.
    pub fn synced(&self, marker: u64, round_trip: Duration) {
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

    pub fn set_up(&self, longest: usize) {
        let mut inner = self.lock();
        inner.longest = longest;
        inner.status.state = State::Up;
        inner.status.since = SystemTime::now();
        inner.status.error = None;
        inner.push(Event::Up);
        if let Some(since) = inner.down_since.take() {
            inner.push(Event::Gap { since });
        }
        self.events.send_replace(inner.last_event);
    }

    /// There is no connection. Where there was one, all that it has not confirmed is lost.
    pub fn set_down(&self, reason: String) {
        let mut inner = self.lock();
        let unconfirmed = inner.queued + inner.unconfirmed;
        inner.lose(Loss::Unconfirmed, unconfirmed);
        inner.queued = 0;
        inner.unconfirmed = 0;
        inner.out = Vec::new();
        if inner.status.state == State::Down {
            inner.status.error = Some(reason);
            return;
        }
        log::warn!("The broker is away: {reason}");
        inner.status.state = State::Down;
        inner.status.since = SystemTime::now();
        inner.status.error = Some(reason.clone());
        inner.down_since = Some(inner.status.since);
        inner.push(Event::Down { reason });
        let flushes = std::mem::take(&mut inner.flushes);
        let away = inner.away().0;
        self.events.send_replace(inner.last_event);
        drop(inner);
        for flush in flushes {
            let _ = flush.done.send(Err(FlushError(away.clone())));
        }
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

    fn push(&mut self, event: Event) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.last_event += 1;
    }

    fn away(&self) -> FlushError {
        FlushError(self.status.error.clone().unwrap_or_default())
    }
}

/// How many events are remembered.
const EVENTS: usize = 64;
/// What may wait for the broker, in bytes.
const MAX_QUEUED: usize = 64 << 20;
/// Memory of a busy time that is not kept.
const KEPT_CAPACITY: usize = 1 << 20;
