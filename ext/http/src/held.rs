//! A connection that is held while the script handles its handshake.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use deno_tls::TlsStream;
use duplex_websocket::Transport;
use tokio::io::AsyncRead;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use crate::connections::Entry;
use crate::control::Control;
use crate::first_packet::MAX_LENGTH;

/// A connection whose handshake the script is handling.
pub(crate) struct HeldRequest {
    /// The stream of the connection.
    pub stream: Stream,
    /// All bytes that were read from the stream.
    pub bytes: Bytes,
    /// The end of the head in `bytes`.
    pub head_end: usize,
    /// The connection in the list of its server.
    pub entry: Entry,
}

impl HeldRequest {
    /// The server's handle on the connection.
    pub(crate) fn control(&self) -> &Rc<Control> {
        &self.entry.control
    }

    /// The head of the request.
    pub(crate) fn head(&self) -> Bytes {
        self.bytes.slice(..self.head_end)
    }

    /// The transport for a WebSocket, and the bytes that were read after the
    /// head.
    pub(crate) fn into_transport(self) -> io::Result<(Transport, Bytes)> {
        let transport = match self.stream {
            Stream::Accepted(stream) => Transport::Tcp(TcpStream::from_std(stream)?),
            Stream::Tcp(stream) => Transport::Tcp(stream),
            Stream::Tls(stream) => stream.into(),
            Stream::Unix(stream) => Transport::Unix(stream),
        };
        // A slice would keep the memory of the head.
        Ok((
            transport,
            Bytes::copy_from_slice(&self.bytes[self.head_end..]),
        ))
    }
}

/// The stream of a connection.
pub(crate) enum Stream {
    /// A socket that is not registered with the reactor.
    Accepted(std::net::TcpStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Accepted(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

/// The buffer for the first read of each connection, one after the other.
#[derive(Default)]
pub(crate) struct FirstRead(Cell<Vec<u8>>);

impl FirstRead {
    /// Lends the memory to `read`.
    pub(crate) fn with<R>(&self, read: impl FnOnce(&mut [u8]) -> R) -> R {
        let mut buffer = self.0.take();
        if buffer.is_empty() {
            buffer.resize(MAX_LENGTH, 0);
        }
        let result = read(&mut buffer);
        self.0.set(buffer);
        result
    }
}
