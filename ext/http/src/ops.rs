//! The ops that start, stop and wait for servers.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::op2;
use deno_core::v8;
use duplex_websocket::Message;

use crate::error::HttpError;
use crate::listener::Accepted;
use crate::listener::Listener;
use crate::server::Server;
use crate::server::ServerResource;

/// Binds and serves a TCP port; with a certificate and a key, over TLS. A request
/// head has `head_bytes` bytes at most, or the default where that is 0. The server
/// `is_own` where an embedder starts it: the [`OwnAddress`](crate::OwnAddress) is for that
/// one. Returns the server, the address that was bound and its port.
#[op2(stack_trace)]
pub fn op_http_serve_tcp(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    dispatch: v8::Local<v8::Function>,
    #[string] hostname: &str,
    port: u16,
    reuse_port: bool,
    backlog: i32,
    #[string] certificate: Option<String>,
    #[string] key: Option<String>,
    #[smi] head_bytes: u32,
    is_own: bool,
) -> Result<(ResourceId, String, u16), HttpError> {
    let mut listener = Listener::tcp(state, hostname, port, reuse_port, backlog, is_own)?;
    if let (Some(certificate), Some(key)) = (certificate, key) {
        listener = listener.with_tls(&certificate, &key)?;
    }
    let address = listener
        .tcp_address()?
        .ok_or(HttpError::NoResolvedAddress)?;
    let server = Server::start(
        state,
        listener,
        v8::Global::new(scope, dispatch),
        head_bytes,
    )?;
    let rid = state.resource_table.add(ServerResource(server));
    Ok((rid, address.ip().to_string(), address.port()))
}

/// Binds and serves a unix socket likewise. Returns the server and the path that
/// was bound, if it has a name.
#[op2(stack_trace)]
pub fn op_http_serve_unix(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    dispatch: v8::Local<v8::Function>,
    #[string] path: &str,
    #[smi] head_bytes: u32,
) -> Result<(ResourceId, Option<String>), HttpError> {
    let listener = Listener::unix(state, path)?;
    let path = listener.unix_path()?;
    let server = Server::start(
        state,
        listener,
        v8::Global::new(scope, dispatch),
        head_bytes,
    )?;
    let rid = state.resource_table.add(ServerResource(server));
    Ok((rid, path))
}

/// Serves the connection `conn`, which the script has accepted. The resource is gone
/// then. Returns the server, which ends with the connection, or when that becomes a
/// WebSocket.
#[op2(fast)]
#[smi]
pub fn op_http_serve_connection(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    dispatch: v8::Local<v8::Function>,
    #[smi] conn: ResourceId,
) -> Result<ResourceId, HttpError> {
    let accepted = Accepted::take(state, conn)?;
    let server = Server::start_lone(state, accepted, v8::Global::new(scope, dispatch));
    Ok(state.resource_table.add(ServerResource(server)))
}

/// Resolves when the server has ended: it does not listen and has no
/// connection left. Its pending promise is what keeps the event loop alive.
#[op2]
pub async fn op_http_wait(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<(), HttpError> {
    let server = server(&state.borrow(), rid)?;
    server.ended().await;
    // The resource may have been closed by the script meanwhile.
    let resource = state.borrow_mut().resource_table.take_any(rid);
    drop(resource);
    Ok(())
}

/// Ends the server after the exchanges under way and the close handshakes of its
/// WebSockets. Nothing to do when it has ended.
#[op2(fast)]
pub fn op_http_shutdown(state: &mut OpState, #[smi] rid: ResourceId) {
    if let Ok(server) = server(state, rid) {
        server.shutdown();
        server.close_sockets(state);
    }
}

/// Ends the server and its connections now.
#[op2(fast)]
pub fn op_http_abort(state: &mut OpState, #[smi] rid: ResourceId) {
    if let Ok(server) = server(state, rid) {
        server.abort();
        server.close_sockets(state);
    }
}

/// Sends a text to all WebSockets of the server that are subscribed to `topic`. Returns
/// what [`SocketGroup::publish`](duplex_websocket::SocketGroup::publish) does.
#[op2(fast)]
#[smi]
pub fn op_http_publish_text(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[string] topic: &str,
    #[string] text: &str,
) -> i32 {
    publish(state, rid, topic, Message::Text(text))
}

/// Sends bytes likewise.
#[op2]
#[smi]
pub fn op_http_publish_binary(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[string] topic: &str,
    #[anybuffer] bytes: &[u8],
) -> i32 {
    publish(state, rid, topic, Message::Binary(bytes))
}

fn publish(state: &mut OpState, rid: ResourceId, topic: &str, message: Message<'_>) -> i32 {
    match server(state, rid) {
        Ok(server) => server.sockets().publish(state, topic, message),
        // It has ended, and with it all its sockets.
        Err(_) => 0,
    }
}

/// How many WebSockets of the server are subscribed to `topic`.
#[op2(fast)]
#[smi]
pub fn op_http_subscriber_count(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[string] topic: &str,
) -> u32 {
    // A process has far fewer than 2^32 sockets.
    server(state, rid).map_or(0, |server| server.sockets().subscriber_count(topic) as u32)
}

/// How many WebSockets of the server are open.
#[op2(fast)]
#[smi]
pub fn op_http_socket_count(state: &mut OpState, #[smi] rid: ResourceId) -> u32 {
    server(state, rid).map_or(0, |server| server.sockets().len() as u32)
}

/// How many requests of the server wait for their answer.
#[op2(fast)]
#[smi]
pub fn op_http_pending_requests(state: &mut OpState, #[smi] rid: ResourceId) -> u32 {
    server(state, rid).map_or(0, |server| server.exchanges().pending(&server) as u32)
}

fn server(state: &OpState, rid: ResourceId) -> Result<Rc<Server>, HttpError> {
    Ok(state.resource_table.get::<ServerResource>(rid)?.0.clone())
}
