//! One accepted connection: its transport, its clock and the hyper machine
//! that reads requests from it.

use std::cell::Cell;
use std::cell::OnceCell;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::Version;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

use crate::exchange::Answer;
use crate::exchange::Exchange;
use crate::response_body::ResponseBody;
use crate::server::Server;

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub enum Peer {
    Ip(SocketAddr),
    /// A unix socket: clients have no name of their own.
    Unix,
}

/// Reads requests from `io` until it ends, is upgraded, or is told to stop
/// through `control`.
pub async fn serve<S>(requests: Requests, io: ServerIo<S>, control: Rc<Control>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let server = requests.server.clone();
    let mut has_request = requests.first.borrow().is_some();
    let mut connection = pin!(
        server
            .protocol()
            .serve_connection_with_upgrades(TokioIo::new(io), requests)
    );
    poll_fn(|cx| {
        // hyper is to know of a request that the script has before it is told to
        // begin no other.
        if std::mem::take(&mut has_request) && connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match control.poll_signal(cx) {
            Some(Signal::Kill) => return Poll::Ready(()),
            Some(Signal::Finish) => connection.as_mut().graceful_shutdown(),
            None => {}
        }
        // A broken connection concerns nobody but its client, and what it
        // means for the exchange under way is told by dropping that.
        connection.as_mut().poll(cx).map(drop)
    })
    .await
}

/// What the server may ask of a connection that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End after the exchange under way; at once when there is none.
    Finish,
    /// End now.
    Kill,
}

/// The server's handle on a running connection.
pub struct Control {
    /// Ticks from when it is first asked for.
    clock: OnceCell<Arc<HeadClock>>,
    signal: Cell<Option<Signal>>,
    waker: RefCell<Option<Waker>>,
}

impl Control {
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            clock: OnceCell::new(),
            signal: Cell::new(None),
            waker: RefCell::new(None),
        })
    }

    pub fn clock(&self) -> Arc<HeadClock> {
        let clock = self.clock.get_or_init(|| {
            Arc::new(HeadClock {
                age: AtomicU16::new(1),
                exchanges: AtomicU32::new(0),
            })
        });
        clock.clone()
    }

    pub fn send(&self, signal: Signal) {
        self.signal.set(Some(signal));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Ages the request head that is being waited for, if there is one, and
    /// ends the connection when it took more than `limit` sweeps.
    pub fn sweep(&self, limit: u16) {
        if self.clock.get().is_some_and(|clock| clock.tick() > limit) {
            self.send(Signal::Kill);
        }
    }

    /// Whether the connection is to end now.
    pub fn is_killed(&self) -> bool {
        self.signal.get() == Some(Signal::Kill)
    }

    pub fn poll_signal(&self, cx: &Context<'_>) -> Option<Signal> {
        let signal = self.signal.take();
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        signal
    }
}

/// How long the client has been sending a request head.
///
/// Counted in sweeps of the server's one timer, so that a connection costs no
/// timer of its own. A connection that is idle between requests is not aged:
/// the count starts with the first byte of a head and ends when the head is
/// whole. The first head is counted from the start of the connection.
///
/// The counters are atomic only because hyper requires a transport that is
/// `Send`; all of them are used on one thread.
pub struct HeadClock {
    /// Sweeps since the head began; 0 is no head, [`HeadClock::OFF`] is never.
    age: AtomicU16,
    /// Exchanges whose request has not been read to its end or not answered.
    exchanges: AtomicU32,
}

impl HeadClock {
    const OFF: u16 = u16::MAX;

    /// An exchange began; the head that led to it is whole.
    pub fn exchange(self: &Arc<Self>, version: Version) -> InFlight {
        self.exchanges
            .store(self.exchanges.load(Relaxed).saturating_add(1), Relaxed);
        // HTTP/2 interleaves control frames with heads, and h2 has its own
        // limits for heads that are not finished.
        let age = if version == Version::HTTP_2 {
            Self::OFF
        } else {
            0
        };
        self.age.store(age, Relaxed);
        InFlight(self.clone())
    }

    fn is_busy(&self) -> bool {
        self.exchanges.load(Relaxed) > 0
    }

    fn read(&self) {
        if self.age.load(Relaxed) == 0 && !self.is_busy() {
            self.age.store(1, Relaxed);
        }
    }

    /// Returns the age after this sweep.
    fn tick(&self) -> u16 {
        match self.age.load(Relaxed) {
            0 | Self::OFF => 0,
            age => {
                let age = age.saturating_add(1).min(Self::OFF - 1);
                self.age.store(age, Relaxed);
                age
            }
        }
    }
}

/// While it lives, bytes that arrive belong to a request under way.
pub struct InFlight(Arc<HeadClock>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let exchanges = &self.0.exchanges;
        exchanges.store(exchanges.load(Relaxed).saturating_sub(1), Relaxed);
    }
}

/// The service that hyper calls for each request of one connection.
pub struct Requests {
    server: Rc<Server>,
    peer: Peer,
    clock: Arc<HeadClock>,
    /// The answer to the first request, where that has been handed to the script
    /// before.
    first: RefCell<Option<Answer>>,
}

impl Requests {
    pub fn new(
        server: Rc<Server>,
        peer: Peer,
        clock: Arc<HeadClock>,
        first: Option<Answer>,
    ) -> Self {
        Self {
            server,
            peer,
            clock,
            first: RefCell::new(first),
        }
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let in_flight = self.clock.exchange(request.version());
        if let Some(answer) = self.first.take() {
            answer.exchange().resume(request, in_flight);
            return answer;
        }
        Exchange::start(self.server.clone(), self.peer, in_flight, request)
    }
}

/// A transport that tells the clock when bytes arrive, and that takes the end
/// of what a client sends for the end of the client only after a moment.
///
/// hyper gives up a request whose client has ended its side, as nothing else
/// tells that a client has left. Some send a request and end their side to say
/// that it was the last one. A handler that answers at once answers them too.
pub struct ServerIo<S> {
    io: S,
    /// What has been read of it already.
    read_ahead: Bytes,
    clock: Arc<HeadClock>,
    end: End,
}

/// The end of what the client sends.
enum End {
    Ahead,
    /// It was read during an exchange, and is held back.
    Held(Pin<Box<dyn Future<Output = ()> + Send>>),
    Told,
}

impl<S> ServerIo<S> {
    pub fn new(io: S, clock: Arc<HeadClock>, read_ahead: Bytes) -> Self {
        Self {
            io,
            read_ahead,
            clock,
            end: End::Ahead,
        }
    }

    /// The transport, and what was read of it and not by hyper.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.io, self.read_ahead)
    }
}

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

/// Waits until the event loop has come round: a request that was read is
/// handled in the first turn, and its answer is taken in the second.
async fn two_turns() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ServerIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

/// Runs HTTP/2 streams on the thread of the runtime.
#[derive(Clone, Copy)]
pub struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        deno_core::unsync::spawn(future);
    }
}

/// The protocol machine that all connections of a server share.
pub type Protocol = auto::Builder<LocalExecutor>;

/// The limits of a server against clients that send too much or too slowly.
///
/// An embedder overrides the defaults by putting a `Limits` into the
/// `OpState` before a script serves.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a request head may take, from its first byte to its last, and
    /// how long a new connection may take to send its first head. The
    /// connection is closed after that. Exact to a sixth of itself. Default
    /// 30 s.
    pub head_timeout: std::time::Duration,
    /// Bytes of a request head. More is answered with 431, or 414 for the
    /// request line. Default 64 KiB.
    pub head_bytes: usize,
    /// Header fields of a request. More is answered with 431. Default 128.
    pub header_fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: std::time::Duration::from_secs(30),
            head_bytes: 64 * 1024,
            header_fields: 128,
        }
    }
}

impl Limits {
    /// Sweeps after which a head is late.
    pub const SWEEPS: u16 = 6;

    pub fn sweep_interval(&self) -> std::time::Duration {
        (self.head_timeout / u32::from(Self::SWEEPS)).max(std::time::Duration::from_millis(1))
    }

    pub fn protocol(&self) -> Protocol {
        let mut protocol = auto::Builder::new(LocalExecutor);
        protocol
            .http1()
            // hyper refuses buffers under 8 KiB.
            .max_buf_size(self.head_bytes.max(8 * 1024))
            .max_headers(self.header_fields)
            .header_read_timeout(None);
        protocol
            .http2()
            .enable_connect_protocol()
            .max_header_list_size(u32::try_from(self.head_bytes).unwrap_or(u32::MAX));
        protocol
    }
}
