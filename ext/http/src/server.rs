//! A server: the state that its exchanges share, and the delivery of events to the script.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use deno_core::OpState;
use deno_core::Resource;
use deno_core::V8TaskSpawner;
use deno_core::v8;
use duplex_protocol::close::Close;
use duplex_protocol::close::CloseCode;
use duplex_websocket::SocketGroup;

use crate::connections::Connections;
use crate::exchange_table::ExchangeId;
use crate::exchange_table::Exchanges;
use crate::held::FirstRead;
use crate::limits::Http1;
use crate::limits::OwnLimits;
use crate::limits::ServerLimits;

/// A request came.
pub(crate) const EVENT_REQUEST: i32 = 0;
/// An exchange that the script watches has ended with success.
pub(crate) const EVENT_ENDED: i32 = 1;
/// An exchange that the script watches has ended without success.
const EVENT_FAILED: i32 = 2;
/// A socket is open. The script has answered its handshake.
pub(crate) const EVENT_OPENED: i32 = 3;

/// An event that a script is told.
pub(crate) enum ServerEvent<E> {
    /// A request came.
    Request(Rc<E>),
    /// A socket is open. This exchange was its handshake.
    Opened(ExchangeId),
    /// An exchange that the script watches is over. Without success, the client
    /// went away or the body failed before all was sent.
    Ended {
        /// The exchange.
        id: ExchangeId,
        /// Whether all was sent.
        success: bool,
    },
}

impl<E: Deliver> ServerEvent<E> {
    fn parts(&self) -> (i32, ExchangeId) {
        match *self {
            ServerEvent::Request(ref exchange) => (EVENT_REQUEST, exchange.id()),
            ServerEvent::Ended { id, success: true } => (EVENT_ENDED, id),
            ServerEvent::Ended { id, success: false } => (EVENT_FAILED, id),
            ServerEvent::Opened(id) => (EVENT_OPENED, id),
        }
    }
}

/// An exchange that can be handed to the script.
pub(crate) trait Deliver: 'static {
    /// The id by which the script knows the exchange.
    fn id(&self) -> ExchangeId;

    /// Answers with status 500, because the script could not be called.
    fn fail(&self);

    /// The script's turn in which it was handed the request is over.
    fn end_turn(self: &Rc<Self>);

    /// Drops a held connection, because the script is not called any more.
    fn drop_held(&self);
}

/// One `Deno.serve`, whose requests become exchanges of the type `E`.
pub(crate) struct Server<E> {
    scheme: &'static str,
    /// The authority of requests that do not name one.
    fallback_authority: String,
    http1: Http1,
    limits: ServerLimits,
    exchanges: Rc<Exchanges<E>>,

    spawner: V8TaskSpawner,
    dispatch: RefCell<Option<v8::Global<v8::Function>>>,
    events: RefCell<VecDeque<ServerEvent<E>>>,
    delivering: Cell<bool>,

    first_read: FirstRead,
    connections: Rc<Connections>,
    /// The WebSockets that requests have become.
    sockets: SocketGroup,
    /// The key of the server in all event loops of the program, if they share it.
    shared_as: Option<String>,
}

impl<E: Deliver> Server<E> {
    /// A server that hands its requests to `dispatch`, which takes the number of an [`ServerEvent`]
    /// and the id of an exchange. `own_limits` take precedence over the [`ServerLimits`] of the
    /// embedder. `shared` is the key of the server in all event loops, and the number of this
    /// loop's connections. A server that `is_lone` serves one connection that the script has
    /// accepted itself.
    pub(crate) fn new(
        state: &mut OpState,
        (scheme, fallback_authority): (&'static str, String),
        dispatch: v8::Global<v8::Function>,
        own_limits: OwnLimits,
        shared: Option<(String, Arc<AtomicUsize>)>,
        is_lone: bool,
    ) -> Rc<Self> {
        let limits = state.try_borrow::<ServerLimits>().copied();
        let limits = limits.unwrap_or_default().with(own_limits);
        let (shared_as, load) = shared.unzip();
        Rc::new(Self {
            scheme,
            fallback_authority,
            http1: limits.http1(),
            limits,
            exchanges: state.borrow::<Rc<Exchanges<E>>>().clone(),
            spawner: state.borrow::<V8TaskSpawner>().clone(),
            dispatch: RefCell::new(Some(dispatch)),
            events: RefCell::default(),
            delivering: Cell::new(false),
            first_read: FirstRead::default(),
            sockets: (load.clone()).map_or_else(SocketGroup::default, SocketGroup::counted),
            connections: Connections::new(load, is_lone),
            shared_as,
        })
    }

    /// The scheme of the URLs of the server's requests, with `://`.
    pub(crate) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The authority of requests that do not name one.
    pub(crate) fn fallback_authority(&self) -> &str {
        &self.fallback_authority
    }

    /// hyper's server, with the limits.
    pub(crate) fn http1(&self) -> &Http1 {
        &self.http1
    }

    /// The limits for clients.
    pub(crate) fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// The exchanges of the runtime.
    pub(crate) fn exchanges(&self) -> &Exchanges<E> {
        &self.exchanges
    }

    /// The connections that speak HTTP.
    pub(crate) fn connections(&self) -> &Rc<Connections> {
        &self.connections
    }

    /// How many connections and WebSockets the server has.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.len() + self.sockets.len()
    }

    /// The buffer for the first packet of a connection.
    pub(crate) fn first_read(&self) -> &FirstRead {
        &self.first_read
    }

    /// Queues an event for the script. The event loop delivers all queued
    /// events in one task.
    pub(crate) fn push(self: &Rc<Self>, event: ServerEvent<E>) {
        self.events.borrow_mut().push_back(event);
        if !self.delivering.replace(true) {
            let server = self.clone();
            self.spawner.spawn(move |scope| server.deliver(scope));
        }
    }

    /// Tells the clients of all WebSockets that the server goes away (RFC 6455
    /// section 7.4.1).
    pub(crate) fn close_sockets(&self, state: &mut OpState) {
        if self.connections.is_lone() {
            return;
        }
        let close = Close::new(CloseCode::GOING_AWAY, "Server shutting down");
        self.sockets.close_all(state, &close);
    }

    /// The name of the server's topics in the process: the `name` of the script, or else the key of
    /// the server if event loops share it.
    pub(crate) fn topics_name(&self, name: Option<String>) -> Option<String> {
        match (name, &self.shared_as) {
            (Some(name), _) => Some(format!("name {name}")),
            (None, Some(key)) => Some(format!("server {key}")),
            (None, None) => None,
        }
    }

    /// The WebSockets that requests have become.
    pub(crate) fn sockets(&self) -> &SocketGroup {
        &self.sockets
    }

    /// Waits until no connection is left.
    pub(crate) async fn ended(&self) {
        self.connections.ended().await;
        if !self.connections.is_lone() {
            self.sockets.emptied().await;
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
            // The dispatcher catches the exceptions of handlers. The call only
            // fails if the engine is out of stack or was told to terminate.
            if !delivered
                && let ServerEvent::Request(exchange) = &event
                && self.exchanges.remove(exchange.id()).is_some()
            {
                exchange.fail();
            }
            let has_terminated = scope.has_terminated();
            if !has_terminated {
                // Each request is a task of its own: the microtasks of its
                // handler run before the next request is handled.
                scope.perform_microtask_checkpoint();
            }
            if let ServerEvent::Request(exchange) = event {
                exchange.end_turn();
            }
            if has_terminated {
                return;
            }
        }
    }
}

/// The resource of a server. Closing it ends the server at once.
pub(crate) struct ServerResource<E: Deliver>(pub Rc<Server<E>>);

impl<E: Deliver> Resource for ServerResource<E> {
    fn name(&self) -> std::borrow::Cow<'_, str> {
        "httpServer".into()
    }
}

impl<E: Deliver> Drop for ServerResource<E> {
    fn drop(&mut self) {
        if !self.0.connections.has_ended() {
            self.0.connections.abort();
            // The engine may end before the last connection.
            self.0.dispatch.borrow_mut().take();
            for event in self.0.events.take() {
                if let ServerEvent::Request(exchange) = event {
                    exchange.drop_held();
                }
            }
        }
    }
}
