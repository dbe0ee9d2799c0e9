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
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::Version;
use http::request::Parts;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep;

use crate::exchange::Answer;
use crate::exchange::Exchange;
use crate::exchange::Upgrade;
use crate::http2;
use crate::request_body::ReceivedBody;
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
pub async fn serve<S>(requests: Requests, mut io: ServerIo<S>, control: Rc<Control>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let has_request = requests.first.borrow().is_some();
    if has_request {
        return serve_http1(requests, io, control).await;
    }
    let is_http2 = poll_fn(|cx| match control.poll_signal(cx) {
        // There is no request yet.
        Some(_) => Poll::Ready(None),
        None => io.poll_is_http2(cx).map(Result::ok),
    });
    match is_http2.await {
        Some(true) => http2::serve(requests, io, control).await,
        Some(false) => serve_http1(requests, io, control).await,
        None => {}
    }
}

async fn serve_http1<S>(requests: Requests, io: ServerIo<S>, control: Rc<Control>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut has_request = requests.first.borrow().is_some();
    let server = requests.server.clone();
    let connection = server
        .protocol()
        .serve_connection(TokioIo::new(io), requests);
    let mut connection = pin!(connection.with_upgrades());
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
    clock: OnceCell<Arc<Clock>>,
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

    pub fn clock(&self) -> Arc<Clock> {
        let clock = self.clock.get_or_init(|| {
            Arc::new(Clock {
                head: AtomicU16::new(1),
                idle: AtomicU16::new(0),
                stalled: AtomicU16::new(0),
                is_unread: AtomicBool::new(false),
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

    /// Ages what is being waited for, and ends the connection where that took too long.
    pub fn sweep(&self, limits: &Limits) {
        if self.clock.get().is_some_and(|clock| clock.tick(limits)) {
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

/// How long the client has been sending a request head, has sent none, or has taken
/// nothing of what it is sent.
///
/// Counted in sweeps of the server's one timer, so that a connection costs no
/// timer of its own. A head counts from its first byte until it is whole, the first one
/// from the start of the connection. The time between two requests counts from the last
/// byte in either direction.
///
/// The counters are atomic only because hyper requires a transport that is
/// `Send`; all of them are used on one thread.
pub struct Clock {
    /// Sweeps since the head began; 0 is no head, [`Clock::OFF`] is never.
    head: AtomicU16,
    /// Sweeps since the last request.
    idle: AtomicU16,
    /// Sweeps since the client last took something of what waits for it; 0 where nothing
    /// waits.
    stalled: AtomicU16,
    /// Whether the body of the last request was not read to its end.
    is_unread: AtomicBool,
    /// Exchanges whose request has not been read to its end or not answered.
    exchanges: AtomicU32,
}

impl Clock {
    const OFF: u16 = u16::MAX;

    /// An exchange began; the head that led to it is whole.
    pub fn exchange(self: &Arc<Self>, version: Version) -> InFlight {
        self.exchanges
            .store(self.exchanges.load(Relaxed).saturating_add(1), Relaxed);
        // HTTP/2 interleaves control frames with heads, and h2 has its own
        // limits for heads that are not finished.
        let head = if version == Version::HTTP_2 {
            Self::OFF
        } else {
            0
        };
        self.head.store(head, Relaxed);
        self.idle.store(0, Relaxed);
        // The body before this one has been read, be it by nobody.
        self.is_unread.store(false, Relaxed);
        InFlight(self.clone())
    }

    /// The body of a request was given up before its end.
    pub fn left_unread(&self) {
        self.is_unread.store(true, Relaxed);
    }

    fn is_busy(&self) -> bool {
        self.exchanges.load(Relaxed) > 0
    }

    /// Whether the client may be sending something that nobody reads.
    fn is_cut_short(&self) -> bool {
        self.is_unread.load(Relaxed) || self.head.load(Relaxed) != 0
    }

    fn read(&self) {
        self.idle.store(0, Relaxed);
        if self.head.load(Relaxed) == 0 && !self.is_busy() {
            self.head.store(1, Relaxed);
        }
    }

    fn wrote(&self, is_blocked: bool) {
        if is_blocked {
            if self.stalled.load(Relaxed) == 0 {
                self.stalled.store(1, Relaxed);
            }
            return;
        }
        self.stalled.store(0, Relaxed);
        self.idle.store(0, Relaxed);
        // The next request waits until this answer has left.
        let head = self.head.load(Relaxed);
        if head != 0 && head != Self::OFF {
            self.head.store(1, Relaxed);
        }
    }

    /// Whether something is late in this sweep.
    fn tick(&self, limits: &Limits) -> bool {
        let age = |counter: &AtomicU16| {
            let age = counter.load(Relaxed).saturating_add(1).min(Self::OFF - 1);
            counter.store(age, Relaxed);
            age
        };
        let head = self.head.load(Relaxed);
        let is_head_late = match head {
            0 | Self::OFF => false,
            _ => age(&self.head) > Limits::SWEEPS,
        };
        let is_idle = head == 0 && !self.is_busy();
        // HTTP/2 looks at each of its streams, some of which may be WebSockets.
        let is_stalled = head != Self::OFF && self.stalled.load(Relaxed) != 0;
        is_head_late
            || is_stalled && age(&self.stalled) > limits.sweeps(limits.send_timeout)
            || is_idle && age(&self.idle) > limits.sweeps(limits.keep_alive_timeout)
    }
}

/// While it lives, bytes that arrive belong to a request under way.
pub struct InFlight(Arc<Clock>);

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
    clock: Arc<Clock>,
    /// The answer to the first request, where that has been handed to the script
    /// before.
    first: RefCell<Option<Answer>>,
}

impl Requests {
    pub fn new(server: Rc<Server>, peer: Peer, clock: Arc<Clock>, first: Option<Answer>) -> Self {
        Self {
            server,
            peer,
            clock,
            first: RefCell::new(first),
        }
    }
}

impl Requests {
    pub fn limits(&self) -> Limits {
        self.server.limits
    }

    /// Hands a request to the script.
    pub fn start(&self, head: Parts, body: ReceivedBody, upgrade: Option<Upgrade>) -> Answer {
        let in_flight = self.clock.exchange(head.version);
        Exchange::start(
            self.server.clone(),
            self.peer,
            in_flight,
            head,
            body,
            upgrade,
        )
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let (mut head, body) = request.into_parts();
        let body = ReceivedBody::http1(body, self.clock.clone());
        let upgrade = head.extensions.remove::<OnUpgrade>().map(Upgrade::Http1);
        match self.first.take() {
            Some(answer) => {
                let in_flight = self.clock.exchange(head.version);
                answer.exchange().resume(body, upgrade, in_flight);
                answer
            }
            None => self.start(head, body, upgrade),
        }
    }
}

/// A transport that tells the clock when bytes come and go, that takes the end
/// of what a client sends for the end of the client only after a moment, and that
/// lingers when it closes.
///
/// hyper gives up a request whose client has ended its side, as nothing else
/// tells that a client has left. Some send a request and end their side to say
/// that it was the last one. A handler that answers at once answers them too.
///
/// A socket that is closed while its client still sends is reset, and the client may
/// lose an answer that it has not read (RFC 9112 section 9.6). So this side is ended
/// first, and what comes is read and forgotten for a time.
pub struct ServerIo<S> {
    io: S,
    /// What has been read of it already.
    read_ahead: Bytes,
    clock: Arc<Clock>,
    end: End,
    linger: Option<Linger>,
}

/// How long what a client still sends after its answer is read.
struct Linger {
    /// The end of its silence.
    silence: Pin<Box<Sleep>>,
    /// The end in any case.
    end: Instant,
}

impl Linger {
    /// After so long without a byte, the client is given up.
    const SILENCE: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(30);
}

/// The end of what the client sends.
enum End {
    Ahead,
    /// It was read during an exchange, and is held back.
    Held(Pin<Box<dyn Future<Output = ()> + Send>>),
    Told,
}

impl<S> ServerIo<S> {
    pub fn new(io: S, clock: Arc<Clock>, read_ahead: Bytes) -> Self {
        Self {
            io,
            read_ahead,
            clock,
            end: End::Ahead,
            linger: None,
        }
    }

    /// The transport, and what was read of it and not by hyper.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.io, self.read_ahead)
    }
}

impl<S: AsyncRead + Unpin> ServerIo<S> {
    /// Whether the client begins as HTTP/2 does (RFC 9113 section 3.4).
    fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
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

    /// Reads and forgets what the client sends, until it ends or is given up.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            silence: Box::pin(sleep(Linger::SILENCE)),
            end: Instant::now() + Linger::LONGEST,
        });
        let mut rest = [0; 16 << 10];
        // Others have their turn.
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

/// What a client of HTTP/2 sends first.
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

/// Waits until the event loop has come round: a request that was read is
/// handled in the first turn, and its answer is taken in the second.
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

/// hyper's server of HTTP/1.1, with the limits of a server.
pub type Protocol = http1::Builder;

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
    pub head_timeout: Duration,
    /// How long a connection may wait for the next request. It is closed after that.
    /// Proxies commonly do so after 60 s, and are to be first. Default 75 s.
    pub keep_alive_timeout: Duration,
    /// How long a client may send nothing of a body that the script is reading. The
    /// reading fails after that. Default 60 s.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer. The connection, or the stream
    /// of HTTP/2, is ended after that. Default 60 s.
    pub send_timeout: Duration,
    /// Bytes of a request head. More is answered with 431, or 414 for the
    /// request line. Default 64 KiB.
    pub head_bytes: usize,
    /// Header fields of a request. More is answered with 431. Default 128.
    pub header_fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            head_bytes: 64 * 1024,
            header_fields: 128,
        }
    }
}

impl Limits {
    /// Sweeps after which a head is late.
    pub const SWEEPS: u16 = 6;

    pub fn sweep_interval(&self) -> Duration {
        (self.head_timeout / u32::from(Self::SWEEPS)).max(Duration::from_millis(1))
    }

    /// Sweeps after which `timeout` has passed.
    fn sweeps(&self, timeout: Duration) -> u16 {
        let sweeps = timeout.div_duration_f64(self.sweep_interval()).ceil();
        // Larger ones saturate.
        sweeps as u16
    }

    pub fn protocol(&self) -> Protocol {
        let mut protocol = http1::Builder::new();
        protocol
            // hyper refuses buffers under 8 KiB.
            .max_buf_size(self.head_bytes.max(8 * 1024))
            .max_header_size(self.head_bytes)
            .max_headers(self.header_fields)
            .header_read_timeout(None);
        protocol
    }
}
