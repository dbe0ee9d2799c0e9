//! A stream of HTTP/2, for a body or a WebSocket.

use std::cell::Cell;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Buf;
use bytes::Bytes;
use deno_core::BufView;
use h2::Reason;
use h2::RecvStream;
use h2::SendStream;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

/// The data that is sent on a stream.
pub(crate) enum Data {
    /// Bytes of a WebSocket.
    Bytes(Bytes),
    /// A part of a body.
    Part(Part),
}

/// Some bytes of the body of a response.
pub(crate) struct Part {
    /// The whole chunk of the body.
    pub whole: Rc<BufView>,
    /// The start of the part in `whole`.
    pub start: usize,
    /// The end of the part in `whole`.
    pub end: usize,
}

impl Data {
    /// No data, which ends a stream.
    pub(crate) fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Buf for Data {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Part(part) => part.end - part.start,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Part(part) => &part.whole[part.start..part.end],
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::Part(part) => {
                assert!(count <= part.end - part.start);
                part.start += count;
            }
        }
    }
}

/// The stream of an extended CONNECT, which carries a WebSocket.
///
/// Written bytes are accepted as far as the windows have room. Dropping the stream before
/// [`poll_shutdown`](AsyncWrite::poll_shutdown) resets it with CANCEL, and unsent bytes are lost
/// (RFC 8441 section 5).
pub(crate) struct Http2Stream {
    send: SendStream<Data>,
    receive: RecvStream,
    /// Bytes that have been received and not read.
    chunk: Bytes,
    /// How many bytes have been read since the window was last opened.
    unreleased: usize,
    is_shut_down: bool,
    _live: LiveStream,
}

impl Http2Stream {
    /// A stream of its two directions.
    pub(crate) fn new(send: SendStream<Data>, receive: RecvStream, live: LiveStream) -> Self {
        Self {
            send,
            receive,
            chunk: Bytes::new(),
            unreleased: 0,
            is_shut_down: false,
            _live: live,
        }
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.chunk.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                Some(Ok(chunk)) => this.chunk = chunk,
                None => return Poll::Ready(Ok(())),
                // The client wants no more bytes, and has ended the stream
                // without an error.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(to_io(error))),
            }
        }
        let count = this.chunk.len().min(buf.remaining());
        buf.put_slice(&this.chunk[..count]);
        this.chunk.advance(count);
        this.unreleased += count;
        if this.unreleased >= RELEASE {
            let count = std::mem::take(&mut this.unreleased);
            // The call fails for a stream that has ended, which has no window.
            let _ = this.receive.flow_control().release_capacity(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.is_shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let send = &mut self.send;
        send.reserve_capacity(buf.len().min(CHUNK));
        let Some(capacity) = ready!(poll_capacity(send, cx)) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let count = capacity.min(buf.len());
        let data = Data::Bytes(Bytes::copy_from_slice(&buf[..count]));
        let sent = send.send_data(data, false).map_err(to_io);
        Poll::Ready(sent.map(|()| count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut_down {
            self.is_shut_down = true;
            // If the client has reset the stream, the stream has ended already.
            let _ = self.send.send_data(Data::empty(), true);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        if !self.is_shut_down {
            self.send.send_reset(Reason::CANCEL);
        }
    }
}

/// Returns an error of the transport unchanged, and any other error with the
/// message of h2.
fn to_io(error: h2::Error) -> io::Error {
    match error.is_io() {
        true => error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()),
        false if error.reason() == Some(Reason::CANCEL) => {
            io::Error::new(io::ErrorKind::ConnectionReset, error)
        }
        false => io::Error::other(error),
    }
}

/// Counts the streams of a connection that are in use.
#[derive(Default)]
pub(crate) struct Live {
    count: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Live {
    /// Counts one more stream until the returned value is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> LiveStream {
        self.count.set(self.count.get() + 1);
        LiveStream(self.clone())
    }

    /// Whether any stream is in use. If so, the end of the last one wakes the
    /// task.
    pub(crate) fn is_any(&self, cx: &Context<'_>) -> bool {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        self.count.get() > 0
    }
}

/// One stream that is in use.
pub(crate) struct LiveStream(Rc<Live>);

impl Drop for LiveStream {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        if self.0.count.get() == 0
            && let Some(waker) = self.0.waker.borrow_mut().take()
        {
            waker.wake();
        }
    }
}

/// How many bytes the windows have room for, at least 1, or `None` if the
/// client has gone.
pub(crate) fn poll_capacity(
    send: &mut SendStream<Data>,
    cx: &mut Context<'_>,
) -> Poll<Option<usize>> {
    if send.poll_reset(cx).is_ready() {
        return Poll::Ready(None);
    }
    loop {
        match send.capacity() {
            0 => match ready!(send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(None),
            },
            capacity => return Poll::Ready(Some(capacity)),
        }
    }
}

/// How many unread bytes a client may send on a stream.
pub(crate) const STREAM_WINDOW: u32 = 256 << 10;
/// How many bytes are read before the window is opened again. If the window is
/// opened by few bytes, the client sends small frames.
const RELEASE: usize = STREAM_WINDOW as usize / 4;
/// How many bytes are handed to HTTP/2 at a time.
pub(crate) const CHUNK: usize = 64 << 10;
