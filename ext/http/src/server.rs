//! A server: its listener, its connections and the delivery of what happens
//! on them to the script.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use deno_core::OpState;
use deno_core::Resource;
use deno_core::V8TaskSpawner;
use deno_core::v8;
use duplex_protocol::close::Close;
use duplex_protocol::close::CloseCode;
use duplex_websocket::SocketGroup;
use http::StatusCode;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::connection::Control;
use crate::connection::Limits;
use crate::connection::Peer;
use crate::connection::Protocol;
use crate::connection::Signal;
use crate::event_loops::Load;
use crate::exchange::Exchange;
use crate::exchange::ExchangeId;
use crate::exchange::Exchanges;
use crate::exchange::plain;
use crate::listener::Accepted;
use crate::listener::Listener;
use crate::numbers::EVENT_ENDED;
use crate::numbers::EVENT_FAILED;
use crate::numbers::EVENT_OPENED;
use crate::numbers::EVENT_REQUEST;
use crate::opening;
use crate::opening::FirstRead;
use crate::opening::Stream;

/// How long to wait after the system refused to accept (out of descriptors,
/// out of memory) before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a script is told about.
pub enum Event {
    /// A request came.
    Request(Rc<Exchange>),
    /// The socket is open whose handshake was that of an exchange.
    Opened(ExchangeId),
    /// An exchange that the script watches is over. Without success its
    /// client went away, or its body failed, before all was sent.
    Ended { id: ExchangeId, success: bool },
}

impl Event {
    fn parts(&self) -> (i32, ExchangeId) {
        match *self {
            Event::Request(ref exchange) => (EVENT_REQUEST, exchange.id()),
            Event::Ended { id, success: true } => (EVENT_ENDED, id),
            Event::Ended { id, success: false } => (EVENT_FAILED, id),
            Event::Opened(id) => (EVENT_OPENED, id),
        }
    }
}

/// One `Deno.serve`.
pub struct Server {
    scheme: &'static str,
    /// The authority of requests that do not name one.
    fallback_authority: String,
    protocol: Protocol,
    pub limits: Limits,
    exchanges: Rc<Exchanges>,

    spawner: V8TaskSpawner,
    dispatch: RefCell<Option<v8::Global<v8::Function>>>,
    events: RefCell<VecDeque<Event>>,
    delivering: Cell<bool>,

    pub first_read: FirstRead,
    connections: RefCell<Slab<Rc<Control>>>,
    /// What requests have been upgraded to.
    sockets: SocketGroup,
    /// What the server is known by in other event loops of the program, if it is there.
    shared_as: Option<String>,
    /// The number of connections of the event loop, where it shares them with others.
    load: Option<Arc<AtomicUsize>>,
    phase: Cell<Phase>,
    phase_changed: Notify,
    /// Whether this serves one connection that the script accepted itself. Its end
    /// is not that of the WebSocket which it may become.
    is_lone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Listening,
    /// No new connections, no second request on those that are there.
    Draining,
    /// Nothing is left of it.
    Ended,
}

impl Server {
    /// Starts to accept connections on `listener` and to hand their requests
    /// to `dispatch`, which takes the number of an [`Event`] and the id of an
    /// exchange. `head_bytes` takes the place of [`Limits::head_bytes`] where it
    /// is not 0.
    pub fn start(
        state: &mut OpState,
        listener: Listener,
        dispatch: v8::Global<v8::Function>,
        head_bytes: u32,
    ) -> io::Result<Rc<Self>> {
        let shared = listener.as_shared();
        let shared = shared.map(|listener| (listener.key().to_owned(), listener.load()));
        let server = Self::new(
            state,
            (listener.scheme(), listener.authority()?),
            dispatch,
            head_bytes,
            shared,
            false,
        );
        deno_core::unsync::spawn(run(server.clone(), Some(listener)));
        Ok(server)
    }

    /// Serves one connection that the script has accepted, until it ends or becomes
    /// a WebSocket; or none, which has ended.
    pub fn start_lone(
        state: &mut OpState,
        accepted: Option<Accepted>,
        dispatch: v8::Global<v8::Function>,
    ) -> Rc<Self> {
        let origin = match &accepted {
            Some(accepted) => (accepted.scheme(), accepted.authority()),
            None => ("http://", String::new()),
        };
        let server = Self::new(state, origin, dispatch, 0, None, true);
        if let Some(accepted) = accepted {
            server.accept(accepted);
        }
        deno_core::unsync::spawn(run(server.clone(), None));
        server
    }

    fn new(
        state: &mut OpState,
        (scheme, fallback_authority): (&'static str, String),
        dispatch: v8::Global<v8::Function>,
        head_bytes: u32,
        shared: Option<(String, Arc<AtomicUsize>)>,
        is_lone: bool,
    ) -> Rc<Self> {
        let mut limits = state.try_borrow::<Limits>().copied().unwrap_or_default();
        if head_bytes != 0 {
            limits.head_bytes = head_bytes as usize;
        }
        let (shared_as, load) = shared.unzip();
        Rc::new(Self {
            scheme,
            fallback_authority,
            protocol: limits.protocol(),
            limits,
            exchanges: state.borrow::<Rc<Exchanges>>().clone(),
            spawner: state.borrow::<V8TaskSpawner>().clone(),
            dispatch: RefCell::new(Some(dispatch)),
            events: RefCell::default(),
            delivering: Cell::new(false),
            first_read: FirstRead::default(),
            connections: RefCell::default(),
            sockets: (load.clone()).map_or_else(SocketGroup::default, SocketGroup::counted),
            shared_as,
            load,
            phase: Cell::new(Phase::Listening),
            phase_changed: Notify::new(),
            is_lone,
        })
    }

    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    pub fn fallback_authority(&self) -> &str {
        &self.fallback_authority
    }

    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    pub fn exchanges(&self) -> &Exchanges {
        &self.exchanges
    }

    /// Queues an event for the script. All that are queued when the event
    /// loop comes round are delivered in one go.
    pub fn push(self: &Rc<Self>, event: Event) {
        self.events.borrow_mut().push_back(event);
        if !self.delivering.replace(true) {
            let server = self.clone();
            self.spawner.spawn(move |scope| server.deliver(scope));
        }
    }

    /// Stops accepting, ends idle connections, lets exchanges end.
    pub fn shutdown(&self) {
        if self.phase.get() == Phase::Listening {
            self.set_phase(Phase::Draining);
            self.signal(Signal::Finish);
        }
    }

    /// Stops accepting and drops all connections.
    pub fn abort(&self) {
        if self.phase.get() == Phase::Listening {
            self.set_phase(Phase::Draining);
        }
        self.signal(Signal::Kill);
    }

    /// Tells the clients of all WebSockets that the server goes away (RFC 6455
    /// section 7.4.1).
    pub fn close_sockets(&self, state: &mut OpState) {
        if self.is_lone {
            return;
        }
        let close = Close::new(CloseCode::GOING_AWAY, "Server shutting down");
        self.sockets.close_all(state, &close);
    }

    /// What its topics are known by in the process: the `name` that the script gives, or
    /// where it gives none and the server is the same one in several event loops, what it is
    /// known by there.
    pub fn topics_name(&self, name: Option<String>) -> Option<String> {
        match (name, &self.shared_as) {
            (Some(name), _) => Some(format!("name {name}")),
            (None, Some(key)) => Some(format!("server {key}")),
            (None, None) => None,
        }
    }

    pub fn sockets(&self) -> &SocketGroup {
        &self.sockets
    }

    pub fn is_ending(&self) -> bool {
        !self.is_lone && self.phase.get() != Phase::Listening
    }

    /// Waits until no connection is left.
    pub async fn ended(&self) {
        self.served().await;
        if !self.is_lone {
            self.sockets.emptied().await;
        }
    }

    /// Waits until no connection is left that speaks HTTP.
    async fn served(&self) {
        while self.phase.get() != Phase::Ended {
            self.phase_changed.notified().await;
        }
    }

    fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        self.phase_changed.notify_waiters();
    }

    fn signal(&self, signal: Signal) {
        for (_, connection) in self.connections.borrow().iter() {
            connection.send(signal);
        }
    }

    fn deliver(self: Rc<Self>, scope: &mut v8::PinScope<'_, '_>) {
        let Some(dispatch) = self.dispatch.borrow().clone() else {
            return;
        };
        loop {
            let Some(event) = self.events.borrow_mut().pop_front() else {
                self.delivering.set(false);
                return;
            };
            v8::scope!(let scope, scope);
            v8::tc_scope!(let scope, scope);
            let (kind, id) = event.parts();
            let dispatch = v8::Local::new(scope, &dispatch);
            let receiver = v8::undefined(scope).into();
            let kind = v8::Integer::new(scope, kind).into();
            let id_value = v8::Number::new(scope, id as f64).into();
            let delivered = dispatch.call(scope, receiver, &[kind, id_value]).is_some();
            // The dispatcher catches what handlers throw; what is left is an
            // engine out of stack or told to terminate.
            if !delivered
                && let Event::Request(exchange) = &event
                && self.exchanges.remove(exchange.id()).is_some()
            {
                exchange.answer(plain(StatusCode::INTERNAL_SERVER_ERROR));
            }
            let has_terminated = scope.has_terminated();
            if !has_terminated {
                // Each request is a task of its own: what its handler left for
                // later runs before the next one is looked at.
                scope.perform_microtask_checkpoint();
            }
            if let Event::Request(exchange) = event {
                exchange.end_turn();
            }
            if has_terminated {
                return;
            }
        }
    }

    fn accept(self: &Rc<Self>, accepted: Accepted) {
        let (stream, peer) = match accepted {
            Accepted::Fresh(stream, address) => {
                // A client that is gone already concerns nobody.
                let _ = opening::serve_accepted(self, stream, Peer::Ip(address));
                return;
            }
            Accepted::Tcp(stream, address) => (Stream::Tcp(stream), Peer::Ip(address)),
            Accepted::Tls(stream, address) => (Stream::Tls(stream), Peer::Ip(address)),
            Accepted::Unix(stream) => (Stream::Unix(stream), Peer::Unix),
        };
        let entry = self.enter(Control::new());
        deno_core::unsync::spawn(opening::serve(self.clone(), stream, peer, entry));
    }

    /// Puts a connection on the list.
    pub fn enter(self: &Rc<Self>, control: Rc<Control>) -> Entry {
        let key = self.connections.borrow_mut().insert(control.clone());
        Entry {
            server: self.clone(),
            control,
            key,
            _load: self.load.as_ref().map(Load::new),
        }
    }

    fn sweep(&self) {
        for (_, connection) in self.connections.borrow().iter() {
            connection.sweep(&self.limits);
        }
    }
}

/// A connection in the list of its server.
pub struct Entry {
    pub server: Rc<Server>,
    pub control: Rc<Control>,
    key: usize,
    _load: Option<Load>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.server.connections.borrow_mut().remove(self.key);
        if self.server.is_lone || self.server.phase.get() != Phase::Listening {
            self.server.phase_changed.notify_waiters();
        }
    }
}

/// The life of a server, from its first connection to its last.
async fn run(server: Rc<Server>, mut listener: Option<Listener>) {
    let mut sweep = tokio::time::interval(server.limits.sweep_interval());
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let idle = server.connections.borrow().is_empty();
        if server.phase.get() != Phase::Listening {
            listener = None;
        }
        if idle && listener.is_none() {
            break;
        }
        tokio::select! {
            accepted = accept(listener.as_mut(), &server), if listener.is_some() => match accepted {
                Ok(true) => tokio::task::yield_now().await,
                // Another event loop has accepted the connections, and its server has ended.
                Ok(false) => server.shutdown(),
                Err(error) if is_connection_error(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            _ = sweep.tick(), if !idle => server.sweep(),
            _ = server.phase_changed.notified() => {}
        }
    }
    server.set_phase(Phase::Ended);
}

/// Accepts what is waiting, or waits for one.
async fn accept(listener: Option<&mut Listener>, server: &Rc<Server>) -> io::Result<bool> {
    match listener {
        Some(listener) => listener.accept(|accepted| server.accept(accepted)).await,
        None => std::future::pending().await,
    }
}

/// Whether accepting failed for the one connection that was accepted, so that
/// the next one can be tried at once.
fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// A server as the script holds it. Closing it ends the server at once.
pub struct ServerResource(pub Rc<Server>);

impl Resource for ServerResource {
    fn name(&self) -> std::borrow::Cow<'_, str> {
        "httpServer".into()
    }
}

impl Drop for ServerResource {
    fn drop(&mut self) {
        if self.0.phase.get() != Phase::Ended {
            self.0.abort();
            // The engine may be gone before the last connection.
            self.0.dispatch.borrow_mut().take();
            for event in self.0.events.take() {
                if let Event::Request(exchange) = event {
                    exchange.drop_held();
                }
            }
        }
    }
}
