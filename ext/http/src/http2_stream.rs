//! A stream of HTTP/2, as a body and a WebSocket use it.

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

/// What is sent on a stream.
pub(crate) enum Data {
    /// Bytes of a WebSocket.
    Bytes(Bytes),
    /// A part of a body.
    Part(Part),
}

/// Some bytes of the body of a response.
pub(crate) struct Part {
    /// What it is a part of.
    pub whole: Rc<BufView>,
    /// Where it begins in that.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Data {
    /// Nothing, to end a stream with.
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

/// The stream of an extended CONNECT, which a WebSocket speaks over.
///
/// Bytes are taken for sending as far as the windows have room. A drop before
/// [`poll_shutdown`](AsyncWrite::poll_shutdown) resets the stream with CANCEL, and what
/// it has not sent is lost (RFC 8441 section 5).
pub(crate) struct Http2Stream {
    send: SendStream<Data>,
    receive: RecvStream,
    /// What has been received and not read.
    chunk: Bytes,
    /// How much has been read since the window was last opened.
    unreleased: usize,
    is_shut_down: bool,
    _live: LiveStream,
}

impl Http2Stream {
    /// The two directions of a stream of HTTP/2.
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
                // The client has all that it wants, and said so.
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
            // A stream that has ended has no window.
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
            // A stream that the client has reset has ended too.
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

/// An error of the transport as it was, any other in the words of h2.
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

/// How many streams of a connection somebody is at work on.
#[derive(Default)]
pub(crate) struct Live {
    count: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Live {
    /// Counts one more, until that is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> LiveStream {
        self.count.set(self.count.get() + 1);
        LiveStream(self.clone())
    }

    /// Whether there is any. If so, the end of the last one wakes.
    pub(crate) fn is_any(&self, cx: &Context<'_>) -> bool {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        self.count.get() > 0
    }
}

/// One of them.
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

/// How much the windows let through, at least 1; none where the client has gone.
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

/// How much a client may send ahead on a stream, in bytes.
pub(crate) const STREAM_WINDOW: u32 = 256 << 10;
/// How much is read before the window is opened again, in bytes. A window that is
/// opened by little makes the client send little frames.
const RELEASE: usize = STREAM_WINDOW as usize / 4;
/// How much is handed to HTTP/2 at a time, in bytes.
pub(crate) const CHUNK: usize = 64 << 10;
