//! Publish and subscribe through a broker: NATS, or Redis and what speaks its protocol.
//!
//! | module | concern |
//! |---|---|
//! | [`address`] | the URL of a broker |
//! | `names` | topics as subjects and channels |
//! | `nats` | the protocol of NATS: bytes in, events out |
//! | `redis` | that of Redis (RESP3), likewise |
//! | `wire` | what the two have alike |
//! | `shared` | what the threads of a program and the connection have in common |
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
mod names;
mod nats;
mod redis;
mod session;
mod shared;
mod wire;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

pub use crate::address::{Address, AddressError, Protocol};
pub use crate::shared::{Event, FlushError, State, Status};

use crate::shared::Shared;
use crate::wire::Publisher;

/// A connection to a broker, made anew whenever it is lost. It ends when it is dropped.
pub struct Broker(Arc<Shared>);

/// How to make a [`Broker`].
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// What the names of all subjects and channels begin with.
    pub prefix: String,
    /// Makes the connections.
    pub dial: Arc<dyn Dial>,
    /// Takes the messages of other processes.
    pub sink: Arc<dyn Sink>,
}

/// A byte stream to a broker.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a [`Dial`] returns.
pub type Dialled<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Makes connections. The functions run on the broker's thread, in a tokio runtime.
pub trait Dial: Send + Sync {
    /// Connects to the address, without TLS.
    fn connect<'a>(&'a self, address: &'a Address) -> Dialled<'a>;

    /// Puts TLS on a stream to the address.
    fn secure<'a>(&'a self, address: &'a Address, stream: Box<dyn Stream>) -> Dialled<'a>;
}

/// Takes what comes from a broker. The functions run on the broker's thread and must not
/// wait.
pub trait Sink: Send + Sync {
    /// A message of another process; a text `payload` is UTF-8.
    fn message(&self, topic: &str, payload: Payload);
}

/// What a message holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    Text(String),
    Binary(Bytes),
}

impl Payload {
    /// A text where it is one, and nobody says that it is none.
    fn of(bytes: &[u8], is_binary: bool) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !is_binary => Self::Text(text.to_string()),
            _ => Self::Binary(Bytes::copy_from_slice(bytes)),
        }
    }
}

impl Broker {
    /// Starts the thread that connects, and returns at once.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(options: Options) -> io::Result<Self> {
        let node = rand::random();
        let publisher = Publisher::new(options.address.protocol, &options.prefix, node);
        let shared = Shared::new(publisher);
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
    pub fn next_event(&self, after: u64) -> impl Future<Output = (u64, Event)> + Send + use<> {
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
