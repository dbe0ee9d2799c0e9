//! Servers that the event loops of a program share.
//!
//! Each loop runs the same program on a thread of its own. The first loop that asks for a shared
//! listener binds it and accepts for all loops. Each connection goes to the loop that has the
//! fewest. The other loops receive their connections from the first.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use deno_core::OpState;
use deno_tls::rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::error::HttpError;
use crate::listener::ACCEPTS_IN_TURN;
use crate::listener::Accepted;
use crate::listener::Listener;
use crate::listener::accept_tls;
use crate::listener::tcp_authority;
use crate::warnings::Warnings;
use crate::warnings::warn_of_limit;

/// How many event loops a program may have.
pub const MAX_LOOPS: usize = 256;

/// The event loops of a program.
pub struct EventLoops {
    /// How many connections each loop has: those that speak HTTP, and WebSockets. The list may have
    /// more places than there are loops.
    loads: Box<[Arc<AtomicUsize>]>,
    count: OnceLock<usize>,
    listeners: Mutex<HashMap<String, Arc<Shared>>>,
}

/// One event loop of a program. The embedder puts this value into the loop's `OpState` before a
/// program runs.
pub struct EventLoop {
    loops: Arc<EventLoops>,
    index: usize,
    /// How many servers the loop has shared at each address.
    counts: RefCell<HashMap<String, u32>>,
}

impl EventLoops {
    /// The loops of a program. [`set_count`](Self::set_count) tells their
    /// number later.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            loads: (0..MAX_LOOPS).map(|_| Arc::default()).collect(),
            count: OnceLock::new(),
            listeners: Mutex::default(),
        })
    }

    /// Sets the number of loops, from 1 to [`MAX_LOOPS`]. A second call has no
    /// effect.
    pub fn set_count(&self, count: usize) {
        let _ = self.count.set(count.clamp(1, MAX_LOOPS));
    }

    /// How many loops there are. The number is 1 until it has been set.
    pub fn count(&self) -> usize {
        self.count.get().copied().unwrap_or(1)
    }

    /// The loop with the number `index`, which is less than [`MAX_LOOPS`].
    pub fn get(self: &Arc<Self>, index: usize) -> EventLoop {
        EventLoop {
            loops: self.clone(),
            index: index.min(MAX_LOOPS - 1),
            counts: RefCell::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Shared>>> {
        lock(&self.listeners)
    }
}

impl EventLoop {
    /// The loop of `state`, if the program has several loops or may have.
    pub(crate) fn of(state: &OpState) -> Option<&Self> {
        (state.try_borrow::<Self>()).filter(|it| it.loops.count.get() != Some(&1))
    }

    /// How many loops the program has.
    pub(crate) fn count(&self) -> usize {
        self.loops.count()
    }

    /// The key of the next shared server at `address`. The key is the same in every loop.
    pub(crate) fn key(&self, address: &str) -> String {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(address.to_owned()).or_default();
        *count += 1;
        format!("{address} #{count}")
    }

    /// The shared listener of this `key`, which the first loop makes by `bind`. New connections are
    /// closed while all loops together have `max_connections`.
    pub(crate) fn listen(
        &self,
        key: String,
        max_connections: usize,
        bind: impl FnOnce() -> Result<Listener, HttpError>,
    ) -> Result<SharedListener, HttpError> {
        let mut listeners = self.loops.lock();
        if let Some(shared) = listeners.get(&key) {
            let (sender, receiver) = mpsc::unbounded_channel();
            lock(&shared.senders)[self.index] = Some(sender);
            return Ok(SharedListener {
                source: Source::Handed(receiver),
                shared: shared.clone(),
                loops: self.loops.clone(),
                index: self.index,
            });
        }
        let (listener, tls) = bind()?.without_tls();
        let shared = Arc::new(Shared {
            scheme: match tls {
                Some(_) => "https://",
                None => listener.scheme(),
            },
            authority: match (&tls, listener.tcp_address()?) {
                (Some(_), Some(address)) => tcp_authority(address, 443),
                _ => listener.authority()?,
            },
            tcp_address: listener.tcp_address()?,
            unix_path: listener.unix_path()?,
            tls,
            senders: Mutex::new(vec![None; MAX_LOOPS]),
            turn: AtomicUsize::new(0),
            key: key.clone(),
        });
        listeners.insert(key, shared.clone());
        Ok(SharedListener {
            source: Source::Bound {
                listener: Box::new(listener),
                max_connections,
                refused: Warnings::default(),
            },
            shared,
            loops: self.loops.clone(),
            index: self.index,
        })
    }
}

/// The state of a listener that all loops share.
struct Shared {
    scheme: &'static str,
    authority: String,
    tcp_address: Option<SocketAddr>,
    unix_path: Option<String>,
    /// The configuration of TLS. All loops share it, so that a client can
    /// resume a session with any loop.
    tls: Option<Arc<ServerConfig>>,
    /// The channels to the loops that take connections. The loop that accepts
    /// has none.
    senders: Mutex<Vec<Option<mpsc::UnboundedSender<Handed>>>>,
    /// The loop that comes first among those with equally few connections.
    turn: AtomicUsize,
    key: String,
}

/// A listener as one loop has it.
pub(crate) struct SharedListener {
    source: Source,
    shared: Arc<Shared>,
    loops: Arc<EventLoops>,
    index: usize,
}

enum Source {
    /// This loop accepts for all loops.
    Bound {
        listener: Box<Listener>,
        max_connections: usize,
        refused: Warnings,
    },
    /// Another loop accepts.
    Handed(mpsc::UnboundedReceiver<Handed>),
}

/// A connection on its way to its loop. The loop registers the socket with its
/// own reactor.
struct Handed {
    stream: HandedStream,
    _load: Load,
}

enum HandedStream {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

impl SharedListener {
    /// Whether this loop accepts.
    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.source, Source::Bound { .. })
    }

    /// The key of the server in all loops.
    pub(crate) fn key(&self) -> &str {
        &self.shared.key
    }

    /// The number of this loop's connections.
    pub(crate) fn load(&self) -> Arc<AtomicUsize> {
        self.loops.loads[self.index].clone()
    }

    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        self.shared.tcp_address
    }

    pub(crate) fn unix_path(&self) -> Option<String> {
        self.shared.unix_path.clone()
    }

    pub(crate) fn scheme(&self) -> &'static str {
        self.shared.scheme
    }

    pub(crate) fn authority(&self) -> String {
        self.shared.authority.clone()
    }

    /// Like [`Listener::accept`], for the connections of this loop. Returns false if there will be
    /// no more.
    pub(crate) async fn accept(&mut self, mut each: impl FnMut(Accepted)) -> io::Result<bool> {
        let (shared, loops, index) = (&self.shared, &self.loops, self.index);
        match &mut self.source {
            Source::Bound {
                listener,
                max_connections,
                refused,
            } => {
                listener
                    .accept(|accepted| {
                        if loops.connection_count() >= *max_connections {
                            warn_of_limit(refused, *max_connections);
                        } else if let Some(stream) = loops.share_out(shared, index, accepted)
                            && let Some(accepted) = shared.take(stream)
                        {
                            each(accepted);
                        }
                    })
                    .await?;
                Ok(true)
            }
            Source::Handed(receiver) => {
                let Some(first) = receiver.recv().await else {
                    return Ok(false);
                };
                let mut next = Some(first);
                let mut count = 0;
                while let Some(Handed { stream, _load }) = next {
                    if let Some(accepted) = shared.take(stream) {
                        each(accepted);
                    }
                    count += 1;
                    next = match count < ACCEPTS_IN_TURN {
                        true => receiver.try_recv().ok(),
                        false => None,
                    };
                }
                Ok(true)
            }
        }
    }
}

impl Drop for SharedListener {
    fn drop(&mut self) {
        match &self.source {
            Source::Bound { .. } => {
                let mut listeners = self.loops.lock();
                if (listeners.get(self.key())).is_some_and(|it| Arc::ptr_eq(it, &self.shared)) {
                    listeners.remove(self.key());
                }
                // The other loops find their channels closed.
                lock(&self.shared.senders).fill(None);
            }
            Source::Handed(_) => lock(&self.shared.senders)[self.index] = None,
        }
    }
}

impl EventLoops {
    /// How many connections and WebSockets all loops have.
    fn connection_count(&self) -> usize {
        let loads = &self.loads[..self.count()];
        loads.iter().map(|load| load.load(Ordering::Relaxed)).sum()
    }

    /// Hands a connection to the loop that has the fewest. Returns the connection if that is the
    /// loop `own`, which accepts.
    fn share_out(&self, shared: &Shared, own: usize, accepted: Accepted) -> Option<HandedStream> {
        let mut stream = HandedStream::of(accepted)?;
        let senders = lock(&shared.senders);
        loop {
            // If several loops have equally few connections, they take turns. Otherwise one loop
            // would get all clients that come and go at once.
            let count = self.count();
            let first = shared.turn.load(Ordering::Relaxed);
            let target = (first..first + count)
                .map(|index| index % count)
                .filter(|&index| index == own || senders[index].as_ref().is_some_and(is_open))
                .min_by_key(|&index| self.loads[index].load(Ordering::Relaxed));
            if let Some(index) = target {
                shared.turn.store((index + 1) % count, Ordering::Relaxed);
            }
            let sender = target.and_then(|index| Some((index, senders[index].as_ref()?)));
            let Some((index, sender)) = sender else {
                return Some(stream);
            };
            let handed = Handed {
                stream,
                _load: Load::new(&self.loads[index]),
            };
            match sender.send(handed) {
                Ok(()) => return None,
                // The server of that loop has just ended.
                Err(refused) => stream = refused.0.stream,
            }
        }
    }
}

fn is_open(sender: &mpsc::UnboundedSender<Handed>) -> bool {
    !sender.is_closed()
}

impl HandedStream {
    /// Returns `None` if the connection has ended.
    fn of(accepted: Accepted) -> Option<Self> {
        match accepted {
            Accepted::Fresh(stream, address) => Some(Self::Tcp(stream, address)),
            Accepted::Tcp(stream, address) => Some(Self::Tcp(stream.into_std().ok()?, address)),
            Accepted::Unix(stream) => Some(Self::Unix(stream.into_std().ok()?)),
            // A listener that accepts for several loops does not speak TLS
            // itself.
            Accepted::Tls(..) => None,
        }
    }
}

impl Shared {
    /// Takes the connection on the loop that serves it. Returns `None` if the reactor does not take
    /// the socket. The connection then ends.
    fn take(&self, stream: HandedStream) -> Option<Accepted> {
        match (stream, &self.tls) {
            (HandedStream::Tcp(stream, address), None) => Some(Accepted::Fresh(stream, address)),
            (HandedStream::Tcp(stream, address), Some(config)) => {
                let stream = TcpStream::from_std(stream).ok()?;
                Some(accept_tls(stream, address, config))
            }
            (HandedStream::Unix(stream), _) => {
                Some(Accepted::Unix(UnixStream::from_std(stream).ok()?))
            }
        }
    }
}

/// Counts one connection of a loop until it is dropped.
pub(crate) struct Load(Arc<AtomicUsize>);

impl Load {
    pub(crate) fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ignores the poison of a lock, because the data is consistent between any two
/// statements that hold the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
