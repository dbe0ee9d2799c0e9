//! Publish and subscribe through a broker: NATS, or Redis and what speaks its protocol.
//!
//! | module | concern |
//! |---|---|
//! | [`address`] | the URL of a broker |
//! | `embedder` | what an embedder gives: connections, and who takes the messages |
//! | `payload` | what a message holds |
//! | `names` | topics as subjects and channels |
//! | `loss` | why messages were lost |
//! | `recording` | topics whose last messages the broker keeps: positions, messages, who takes them |
//! | `digits` | numbers as both protocols write them |
//! | `heard` | what a broker says, in either protocol |
//! | `nats` | the protocol of NATS: bytes in, events out |
//! | `nats_log` | logs of topics in a stream of JetStream |
//! | `resp` | how Redis writes: RESP3 |
//! | `redis` | the protocol of Redis (RESP3), likewise |
//! | `redis_log` | logs of topics in streams of Redis |
//! | `wire` | what the two have alike |
//! | `shared` | what the threads of a program and the connection have in common |
//! | `logs` | following and reading the logs of topics: no gap that is not filled or told |
//! | `session` | the connection: dialling, subscribing, probing, dialling again |
//!
//! The protocols do no I/O, and connections are made by a [`Dial`] of the embedder: what may
//! be connected to, and which certificates are trusted, is decided there. A [`Broker`] has a
//! thread of its own, so that a script that does not come back holds up no answer to the
//! broker.
//!
//! Both protocols are written here because of three promises that the crates `async-nats` and
//! `redis` cannot keep. What the broker has not confirmed is counted, to the message. The
//! address that was resolved is checked against the permissions before it is dialled. And a
//! topic costs some hundred bytes, where a subscription of `async-nats` has a channel of
//! several kilobytes of its own.

pub mod address;
mod digits;
mod embedder;
mod heard;
mod logs;
mod loss;
mod names;
mod nats;
mod nats_log;
mod payload;
mod recording;
mod redis;
mod redis_log;
mod resp;
mod session;
mod shared;
mod wire;

use std::future::Future;
use std::io;
use std::sync::Arc;

pub use crate::address::{Address, AddressError, Protocol};
pub use crate::embedder::{Dial, Dialled, Options, Sink, Stream};
pub use crate::loss::{Loss, lost};
pub use crate::payload::Payload;
pub use crate::recording::{Extent, LogSink, Position, RecordError, Recorded, Recording};
pub use crate::shared::{BrokerEvent, FlushError, State, Status};

use crate::shared::Shared;
use crate::wire::Publisher;

/// A connection to a broker, made anew whenever it is lost. It ends when it is dropped.
pub struct Broker(Arc<Shared>);

impl Broker {
    /// Starts the thread that connects, and returns at once.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(options: Options) -> io::Result<Self> {
        let node = rand::random();
        let recording = options.recording.as_ref().map(|it| it.0);
        let publisher = Publisher::new(options.address.protocol, &options.prefix, node, recording);
        let shared = Shared::new(publisher, recording.is_some());
        session::spawn(options, shared.clone(), node)?;
        Ok(Self(shared))
    }

    /// Says whether this process has a subscriber of `topic`. The broker is told of a first
    /// one at once, and of the end of the last one some seconds later.
    pub fn set_wanted(&self, topic: &Arc<str>, is_wanted: bool) {
        self.0.set_wanted(topic, is_wanted);
    }

    /// Sends a message to the other processes. It is counted as lost where there is no
    /// connection, where the connection ends before the broker has confirmed it, where more
    /// than 64 MiB wait for the broker, and where it is longer than the broker takes.
    pub fn publish(&self, topic: &str, payload: &[u8], is_text: bool) {
        self.0.publish(topic, payload, is_text);
    }

    /// Has the broker keep a message and send it to all processes, to this one too: with a
    /// `tag` that is not 0, by which it is known again. Returns false where the broker is away
    /// or does not take it: then it is counted as lost. For a broker with
    /// [`Options::recording`].
    pub fn record(&self, topic: &str, payload: &[u8], is_text: bool, tag: u64) -> bool {
        self.0.record(topic, payload, is_text, tag)
    }

    /// Records a message likewise, and waits for its position.
    ///
    /// # Errors
    /// The broker is away or does not take the message. Where the connection ends meanwhile
    /// the message may have been recorded.
    pub fn record_and_tell(
        &self,
        topic: &str,
        payload: &[u8],
        is_text: bool,
    ) -> impl Future<Output = Result<Position, RecordError>> + Send + use<> {
        self.0.record_and_tell(topic, payload, is_text)
    }

    /// Waits until the [`LogSink`] has been given what the log of `topic`, which is wanted, has
    /// behind `since`, as far as all of that is there; without `since` until it knows where the
    /// log is.
    ///
    /// # Errors
    /// The broker is away, or does not answer this.
    pub fn read(
        &self,
        topic: &Arc<str>,
        since: Option<Position>,
    ) -> impl Future<Output = Result<(), RecordError>> + Send + use<> {
        self.0.read(topic, since)
    }

    /// Waits until the broker has confirmed all that was published, and all subscriptions that
    /// were made, before. While the first connection is being made, waits for that.
    ///
    /// # Errors
    /// The connection is down, or goes down before.
    pub fn flush(&self) -> impl Future<Output = Result<(), FlushError>> + Send + use<> {
        self.0.flush()
    }

    /// How the connection is.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Waits for the first event behind the one with the number `after`, of those that are
    /// remembered: the last 64. The first of all has the number 1.
    pub fn next_event(
        &self,
        after: u64,
    ) -> impl Future<Output = (u64, BrokerEvent)> + Send + use<> {
        self.0.next_event(after)
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        self.0.last_event()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.0.close();
    }
}
