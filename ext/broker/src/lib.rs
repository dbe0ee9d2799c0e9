//! Publish and subscribe through a broker: NATS, Redis, or a server with the protocol of Redis.
//!
//! | module | concern |
//! |---|---|
//! | [`address`] | the URL of a broker |
//! | `embedder` | the parts that an embedder provides: connections, and the receiver of messages |
//! | `payload` | the content of a message |
//! | `names` | topics as subjects and channels |
//! | `loss` | why messages were lost |
//! | `recording` | topics whose last messages the broker keeps: positions, messages, and their receiver |
//! | `digits` | numbers in the form of both protocols |
//! | `heard` | the messages of a broker, in either protocol |
//! | `nats` | the protocol of NATS: bytes in, events out |
//! | `nats_log` | logs of topics in a stream of JetStream |
//! | `resp` | the encoding of Redis: RESP3 |
//! | `redis` | the protocol of Redis (RESP3): bytes in, events out |
//! | `redis_log` | logs of topics in streams of Redis |
//! | `wire` | the common interface of the two protocols |
//! | `shared` | the state that the threads of a program and the connection share |
//! | `logs` | following and reading the logs of topics: every gap is filled or reported |
//! | `session` | the connection: dialling, subscribing, probing, dialling again |
//!
//! The protocols do no I/O. A [`Dial`] of the embedder makes the connections, and decides which
//! addresses are allowed and which certificates are trusted. A [`Broker`] has a thread of its own,
//! so that a busy script does not delay the answers to the broker.
//!
//! This crate implements both protocols itself, because the crates `async-nats` and `redis` cannot
//! keep three promises. Every message that the broker has not confirmed is counted. The resolved
//! address is checked against the permissions before it is dialled. And a topic costs a few hundred
//! bytes, but a subscription of `async-nats` has a channel of several kilobytes.

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

/// A connection to a broker. A lost connection is made again. Dropping this value ends the
/// connection.
pub struct Broker(Arc<Shared>);

impl Broker {
    /// Starts the thread that connects, and returns at once.
    ///
    /// # Errors
    /// The error of the system if it cannot start a thread.
    pub fn start(options: Options) -> io::Result<Self> {
        let node = rand::random();
        let recording = options.recording.as_ref().map(|it| it.0);
        let publisher = Publisher::new(options.address.protocol, &options.prefix, node, recording);
        let shared = Shared::new(publisher, recording.is_some());
        session::spawn(options, shared.clone(), node)?;
        Ok(Self(shared))
    }

    /// Says whether this process has a subscriber of `topic`. The broker is told the first
    /// subscriber at once, and the end of the last one some seconds later.
    pub fn set_wanted(&self, topic: &Arc<str>, is_wanted: bool) {
        self.0.set_wanted(topic, is_wanted);
    }

    /// Sends a message to the other processes. The message is counted as lost if there is no
    /// connection, if the connection ends before the broker has confirmed the message, if more than
    /// 64 MiB wait for the broker, or if the message is longer than the broker accepts.
    pub fn publish(&self, topic: &str, payload: &[u8], is_text: bool) {
        self.0.publish(topic, payload, is_text);
    }

    /// Makes the broker keep a message and send it to all processes, including this one. This
    /// process recognises the message by a `tag` other than 0. Returns false, and counts the
    /// message as lost, if the broker is away or does not accept the message. This is for a broker
    /// with [`Options::recording`].
    pub fn record(&self, topic: &str, payload: &[u8], is_text: bool, tag: u64) -> bool {
        self.0.record(topic, payload, is_text, tag)
    }

    /// Records a message, and waits for its position.
    ///
    /// # Errors
    /// [`RecordError`] if the broker is away or does not accept the message. If the connection ends
    /// meanwhile, the message may have been recorded.
    pub fn record_and_tell(
        &self,
        topic: &str,
        payload: &[u8],
        is_text: bool,
    ) -> impl Future<Output = Result<Position, RecordError>> + Send + use<> {
        self.0.record_and_tell(topic, payload, is_text)
    }

    /// Waits until the [`LogSink`] has all messages of the log of `topic` after `since`, if the
    /// log still has all of them. Without `since`, waits until the sink knows the end of the log.
    /// The topic must be wanted.
    ///
    /// # Errors
    /// [`RecordError`] if the broker is away, or refuses to answer.
    pub fn read(
        &self,
        topic: &Arc<str>,
        since: Option<Position>,
    ) -> impl Future<Output = Result<(), RecordError>> + Send + use<> {
        self.0.read(topic, since)
    }

    /// Waits until the broker has confirmed all messages that were published before, and all
    /// subscriptions that were made before. Also waits for the first connection.
    ///
    /// # Errors
    /// [`FlushError`] if the connection is down or goes down.
    pub fn flush(&self) -> impl Future<Output = Result<(), FlushError>> + Send + use<> {
        self.0.flush()
    }

    /// The state of the connection.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Waits for the first event whose number is greater than `after`. The last 64 events are
    /// remembered. The first event of all has the number 1.
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
