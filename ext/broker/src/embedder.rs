//! What an embedder gives to a broker.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::address::Address;
use crate::payload::Payload;
use crate::recording::{LogSink, Recording};

/// How to make a [`Broker`](crate::Broker).
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// What the names of all subjects and channels begin with.
    pub prefix: String,
    /// Makes the connections.
    pub dial: Arc<dyn Dial>,
    /// Takes the messages of other processes.
    pub sink: Arc<dyn Sink>,
    /// Where the broker keeps messages: how many, and who takes them.
    pub recording: Option<(Recording, Arc<dyn LogSink>)>,
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
    /// A message of another process that is not kept; a text `payload` is UTF-8.
    fn message(&self, topic: &str, payload: Payload);
}
