//! The transport of a connection for the servers of HTTP.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep;

use crate::clock::Clock;

/// A transport that tells the clock when bytes come and go, that delays the end
/// of the client's stream, and that lingers when it closes.
///
/// hyper gives up a request if the client has ended its side, because nothing
/// else tells that a client has left. But some clients send a request and then
/// end their side, because it was their last request. With the delay, a handler
/// that answers at once answers these clients too.
///
/// If a socket is closed while its client still sends, the connection is reset, and the client may
/// lose an answer that it has not read (RFC 9112 section 9.6). Therefore this side is ended first,
/// and incoming bytes are read and discarded for a time.
pub(crate) struct ServerIo<S> {
    io: S,
    /// Bytes that have been read from `io` already.
    read_ahead: Bytes,
    clock: Arc<Clock>,
    end: End,
    linger: Option<Linger>,
}

/// How long bytes are read that a client sends after its answer.
struct Linger {
    /// Expires if the client is silent for too long.
    silence: Pin<Box<Sleep>>,
    /// The latest end.
    end: Instant,
}

impl Linger {
    /// The longest silence of the client.
    const SILENCE: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(30);
}

/// The state of the end of the client's stream.
enum End {
    Ahead,
    /// The end was read during an exchange, and is held back.
    Held(Pin<Box<dyn Future<Output = ()> + Send>>),
    Told,
}

impl<S> ServerIo<S> {
    /// `read_ahead` are the bytes that have been read from `io` already.
    pub(crate) fn new(io: S, clock: Arc<Clock>, read_ahead: Bytes) -> Self {
        Self {
            io,
            read_ahead,
            clock,
            end: End::Ahead,
            linger: None,
        }
    }

    /// The transport, and the bytes that were read from it and that hyper has
    /// not read.
    pub(crate) fn into_parts(self) -> (S, Bytes) {
        (self.io, self.read_ahead)
    }
}

impl<S: AsyncRead + Unpin> ServerIo<S> {
    /// Whether the client begins with the preface of HTTP/2 (RFC 9113 section
    /// 3.4).
    pub(crate) fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let known = self.read_ahead.len().min(PREFACE.len());
            if self.read_ahead[..known] != PREFACE[..known] {
                return Poll::Ready(Ok(false));
            }
            if known == PREFACE.len() {
                return Poll::Ready(Ok(true));
            }
            let mut more = [0; PREFACE.len()];
            let mut more = ReadBuf::new(&mut more);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut more))?;
            if more.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.read_ahead = [&self.read_ahead, more.filled()].concat().into();
        }
    }

    /// Reads and discards the client's bytes until the stream ends or the
    /// client is given up.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            silence: Box::pin(sleep(Linger::SILENCE)),
            end: Instant::now() + Linger::LONGEST,
        });
        let mut rest = [0; 16 << 10];
        // After this many reads, other tasks have their turn.
        for _ in 0..16 {
            let mut rest = ReadBuf::new(&mut rest);
            match Pin::new(&mut self.io).poll_read(cx, &mut rest) {
                Poll::Ready(Ok(())) if !rest.filled().is_empty() => {
                    let silence = Instant::now() + Linger::SILENCE;
                    linger.silence.as_mut().reset(silence.min(linger.end));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return linger.silence.as_mut().poll(cx),
            }
        }
        if linger.silence.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The connection preface of HTTP/2.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<S: AsyncRead + Unpin> AsyncRead for ServerIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let End::Held(turns) = &mut this.end {
            ready!(turns.as_mut().poll(cx));
            this.end = End::Told;
            return Poll::Ready(Ok(()));
        }
        if !this.read_ahead.is_empty() {
            let count = this.read_ahead.len().min(buf.remaining());
            buf.put_slice(&this.read_ahead.split_to(count));
            this.clock.read();
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            this.clock.read();
        } else if matches!(this.end, End::Ahead) && buf.remaining() > 0 && this.clock.is_busy() {
            let mut turns = Box::pin(two_turns());
            if turns.as_mut().poll(cx).is_pending() {
                this.end = End::Held(turns);
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Waits for two turns of the event loop. A request that was read is handled in
/// the first turn, and its answer is taken in the second.
async fn two_turns() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ServerIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.clock.wrote(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            if matches!(self.end, End::Told) || !self.clock.is_cut_short() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(cx).map(Ok)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.clock.wrote(written.is_pending());
        written
    }
}
