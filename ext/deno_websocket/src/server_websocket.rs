//! The resource that deno_http knows the server's end of a WebSocket by.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use deno_core::error::ResourceError;
use deno_core::{OpState, Resource, ResourceId, op2};
use deno_net::raw::{NetworkStream, NetworkStreamAddress};
use duplex_protocol::close::{Close, CloseCode};
use duplex_websocket::limits::timeout;
use duplex_websocket::{AcceptedConnection, ServerOptions, SocketGroup, accept};

/// The server's end of a WebSocket.
pub struct ServerWebSocket {
    stage: RefCell<Stage>,
    /// What deno_http has asked for before there was a connection.
    asked: Cell<Option<End>>,
    /// deno_http sees by it that the socket lives.
    guard: Cell<Option<Box<dyn Any>>>,
}

/// How far a socket has come.
enum Stage {
    /// The client has been answered. The script does not know of it yet.
    Answered(Box<(NetworkStream, Bytes)>),
    /// The hub has the connection.
    Open(AcceptedConnection),
    /// The socket has ended, or the resource was closed.
    Closed,
}

/// An end that the server wants.
#[derive(Clone, Copy)]
enum End {
    GoingAway,
    Dropped,
}

impl End {
    fn of(self, connection: &AcceptedConnection) {
        match self {
            Self::GoingAway => connection.close(&going_away()),
            Self::Dropped => connection.terminate(),
        }
    }
}

impl ServerWebSocket {
    /// Begins the close handshake with code 1001, because the server shuts down. The guard is
    /// dropped when the client has answered, or has had its time to (`closeTimeout`).
    pub fn server_shutdown(self: &Rc<Self>) {
        self.end(End::GoingAway);
    }

    /// Drops the connection without a close handshake. The guard is dropped when the script
    /// has heard of it.
    pub fn server_force_close(self: &Rc<Self>) {
        self.end(End::Dropped);
    }

    fn end(&self, end: End) {
        match &*self.stage.borrow() {
            Stage::Answered(..) => self.asked.set(Some(end)),
            Stage::Open(connection) => end.of(connection),
            Stage::Closed => {}
        }
    }
}

impl Resource for ServerWebSocket {
    fn name(&self) -> Cow<'_, str> {
        "serverWebSocket".into()
    }

    /// Somebody closes the resource of a socket that has not ended.
    fn close(self: Rc<Self>) {
        let stage = self.stage.replace(Stage::Closed);
        if let Stage::Open(connection) = stage {
            connection.terminate();
        }
        self.guard.take();
    }
}

fn going_away() -> Close {
    // Code and reason are Deno's.
    Close::new(CloseCode::GOING_AWAY, "Server shutting down")
}

/// Takes over a connection whose opening handshake has been answered. `read_buf` is what was
/// read of the client's frames with the handshake.
pub fn ws_create_server_stream(
    state: &mut OpState,
    transport: NetworkStream,
    read_buf: Bytes,
) -> ResourceId {
    ws_create_server_stream_with_guard(state, transport, read_buf, None)
}

/// Does the same, and drops `lifetime_guard` when the WebSocket has ended and the script has
/// been told.
pub fn ws_create_server_stream_with_guard(
    state: &mut OpState,
    transport: NetworkStream,
    read_buf: Bytes,
    lifetime_guard: Option<Box<dyn Any>>,
) -> ResourceId {
    state.resource_table.add(ServerWebSocket {
        stage: RefCell::new(Stage::Answered(Box::new((transport, read_buf)))),
        asked: Cell::new(None),
        guard: Cell::new(lifetime_guard),
    })
}

/// Gives the connection of resource `rid` to the hub, which ends it if the client is silent for
/// `idle_timeout` seconds; 0 is without end. Returns the connection's id, or -1 if the hub has
/// had the connection before.
#[op2(fast)]
#[smi]
pub(crate) fn op_deno_websocket_open(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    idle_timeout: f64,
) -> Result<i32, ResourceError> {
    let resource = state.resource_table.get::<ServerWebSocket>(rid)?;
    let (transport, read_ahead) = match resource.stage.replace(Stage::Closed) {
        Stage::Answered(connection) => *connection,
        other => {
            resource.stage.replace(other);
            return Ok(NO_CONNECTION);
        }
    };
    let remote_addr = match transport.peer_address() {
        Ok(NetworkStreamAddress::Ip(address)) => Some(address),
        _ => None,
    };
    let options = ServerOptions {
        idle_timeout: timeout(idle_timeout),
        remote_addr,
        group: Some(group(state)),
        ..ServerOptions::default()
    };
    let id = accept(state, transport.into(), read_ahead, options);
    if let Some(connection) = AcceptedConnection::of(state, id) {
        if let Some(end) = resource.asked.take() {
            end.of(&connection);
        }
        resource.stage.replace(Stage::Open(connection));
    }
    // As many as a process can have sockets.
    Ok(id as i32)
}

/// The script has been told the end of the socket of resource `rid`. The hub may still have a last
/// frame to send.
#[op2(fast)]
pub(crate) fn op_deno_websocket_ended(state: &mut OpState, #[smi] rid: ResourceId) {
    if let Ok(resource) = state.resource_table.take::<ServerWebSocket>(rid) {
        resource.stage.replace(Stage::Closed);
        resource.guard.take();
    }
}

/// The group of all servers' sockets of this runtime: which server a socket is of, only deno_http
/// knows. So all of them have their topics in common.
fn group(state: &mut OpState) -> SocketGroup {
    if !state.has::<SocketGroup>() {
        state.put(SocketGroup::default());
    }
    state.borrow::<SocketGroup>().clone()
}

/// No id of a connection.
const NO_CONNECTION: i32 = -1;
