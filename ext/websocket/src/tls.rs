//! TLS after its handshake.
//!
//! The streams that make the handshake read the socket until it has no more bytes, and write each
//! record by itself. This module saves system calls: a read that left room is the last, and short
//! records are written together with those of other connections.

use std::io::{self, BufRead, IoSlice, Read, Write};
#[cfg(target_os = "linux")]
use std::os::fd::RawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use deno_tls::rustls::{Connection, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream of bytes that carries TLS.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin {
    /// The socket, if the carrier is a socket whose bytes need no conversion.
    #[cfg(target_os = "linux")]
    fn socket(&self) -> Option<RawFd>;
}

/// Either end of a TLS connection.
pub struct Tls<C> {
    /// The carrier: most often a socket.
    carrier: C,
    session: Connection,
    /// Records that [`seal`](Self::seal) made. Other records stay in the session until the carrier
    /// takes them.
    #[cfg(target_os = "linux")]
    sealed: Vec<u8>,
    /// How many bytes of these records the carrier has taken.
    #[cfg(target_os = "linux")]
    sent: usize,
    is_closing: bool,
    /// The error with which the peer broke the connection. The bytes that came
    /// before the error are delivered first.
    failure: Option<Error>,
}

impl<C: Carrier> Tls<C> {
    /// Takes over the carrier and the session of a finished handshake, with the
    /// bytes that the session has read.
    pub fn new(carrier: C, session: Connection) -> Self {
        Self {
            carrier,
            session,
            #[cfg(target_os = "linux")]
            sealed: Vec::new(),
            #[cfg(target_os = "linux")]
            sent: 0,
            is_closing: false,
            failure: None,
        }
    }

    /// The carrier.
    pub(crate) fn carrier(&self) -> &C {
        &self.carrier
    }

    /// Makes records of `plaintext` for a [`SendBatch`](crate::hub::send_batch::SendBatch). Returns
    /// how many bytes of `plaintext` the records have, the socket, and the records. Returns `None`
    /// if `plaintext` is long, or if other records wait. Then the caller has to write `plaintext`.
    #[cfg(target_os = "linux")]
    pub(crate) fn seal(&mut self, plaintext: &[u8]) -> Option<(usize, RawFd, &[u8])> {
        let socket = self.carrier.socket()?;
        let waits = self.session.wants_write() || self.sent < self.sealed.len();
        if waits || self.is_closing || plaintext.len() > SEALED {
            return None;
        }
        let count = self.session.writer().write(plaintext).ok()?;
        while self.session.wants_write() {
            // A vector takes all bytes.
            self.session.write_tls(&mut self.sealed).ok()?;
        }
        Some((count, socket, &self.sealed))
    }

    /// The socket has taken `count` bytes of the sealed records.
    #[cfg(target_os = "linux")]
    pub(crate) fn record_sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.sealed.len() {
            self.sealed = Vec::new();
            self.sent = 0;
        }
    }

    /// Moves decrypted bytes to `buf`. Returns how many bytes were moved, and 0 at the end of the
    /// stream.
    fn take_plaintext(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        let mut reader = self.session.reader();
        let mut taken = 0;
        while buf.remaining() > 0 {
            match reader.fill_buf() {
                Ok([]) => break,
                Ok(chunk) => {
                    let count = chunk.len().min(buf.remaining());
                    buf.put_slice(&chunk[..count]);
                    reader.consume(count);
                    taken += count;
                }
                Err(_) if taken > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Writes all records to the carrier.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        #[cfg(target_os = "linux")]
        while self.sent < self.sealed.len() {
            let count =
                ready!(Pin::new(&mut self.carrier).poll_write(cx, &self.sealed[self.sent..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.record_sent(count);
        }
        while self.session.wants_write() {
            let carrier = Pin::new(&mut self.carrier);
            match self.session.write_tls(&mut Wire { carrier, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) => return pending_or(error),
            }
        }
        Pin::new(&mut self.carrier).poll_flush(cx)
    }
}

impl<C: Carrier> AsyncRead for Tls<C> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.take_plaintext(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.map(drop)),
            }
            if let Some(error) = &this.failure {
                return Poll::Ready(Err(into_io(error.clone())));
            }
            let carrier = Pin::new(&mut this.carrier);
            if let Err(error) = this.session.read_tls(&mut Wire { carrier, cx }) {
                return pending_or(error);
            }
            let processed = this.session.process_new_packets();
            // The session may have to answer a request for new keys, or to send an alert. Bytes
            // that the carrier does not take go with the next message.
            let _ = this.poll_send(cx);
            this.failure = processed.err();
        }
    }
}

impl<C: Carrier> AsyncWrite for Tls<C> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Nothing is encrypted before the carrier has taken all earlier
        // records.
        ready!(this.poll_send(cx))?;
        let count = this.session.writer().write(buf)?;
        if let Poll::Ready(Err(error)) = this.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_closing {
            this.is_closing = true;
            this.session.send_close_notify();
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.carrier).poll_shutdown(cx)
    }
}

/// The carrier as a blocking stream, which rustls wants.
struct Wire<'w, 'c, C> {
    carrier: Pin<&'w mut C>,
    cx: &'w mut Context<'c>,
}

impl<C: Carrier> Read for Wire<'_, '_, C> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        not_pending(self.carrier.as_mut().poll_read(self.cx, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl<C: Carrier> Write for Wire<'_, '_, C> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        not_pending(self.carrier.as_mut().poll_write(self.cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        not_pending(self.carrier.as_mut().poll_write_vectored(self.cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn not_pending<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn pending_or<T>(error: io::Error) -> Poll<io::Result<T>> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Poll::Pending,
        _ => Poll::Ready(Err(error)),
    }
}

/// The error with the message of rustls.
fn into_io(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Messages of at most this many bytes are encrypted for a batch, because a batch costs one more
/// copy.
#[cfg(target_os = "linux")]
const SEALED: usize = 4 << 10;
