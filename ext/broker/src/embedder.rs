//! The parts that an embedder provides for a broker.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::address::Address;
use crate::payload::Payload;
use crate::recording::{LogSink, Recording};

/// The options of a [`Broker`](crate::Broker).
pub struct Options {
    /// The address of the broker.
    pub address: Address,
    /// The prefix of the names of all subjects and channels.
    pub prefix: String,
    /// Makes the connections.
    pub dial: Arc<dyn Dial>,
    /// Takes the messages of other processes.
    pub sink: Arc<dyn Sink>,
    /// How many messages the broker keeps, and the receiver of the logs. `None`
    /// means that the broker keeps no messages.
    pub recording: Option<(Recording, Arc<dyn LogSink>)>,
}

/// A byte stream to a broker.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The result of a [`Dial`].
pub type Dialled<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Makes connections. The functions run on the broker's thread, in a tokio runtime.
pub trait Dial: Send + Sync {
    /// Connects to the address, without TLS.
    fn connect<'a>(&'a self, address: &'a Address) -> Dialled<'a>;

    /// Puts TLS on a stream to the address.
    fn secure<'a>(&'a self, address: &'a Address, stream: Box<dyn Stream>) -> Dialled<'a>;
}

/// Takes the messages of a broker. The functions run on the broker's thread and must not block.
pub trait Sink: Send + Sync {
    /// Takes a message of another process that the broker does not keep.
    fn message(&self, topic: &str, payload: Payload);
}
