//! The ops that start, stop and wait for servers.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::op2;
use deno_core::v8;
use duplex_websocket::HistoryOptions;
use duplex_websocket::Message;
use duplex_websocket::Reach;
use duplex_websocket::Recording;
use duplex_websocket::TopicSpace;

use crate::broker;
use crate::certificates::Certificates;
use crate::error::HttpError;
use crate::event_loops::EventLoop;
use crate::exchange;
use crate::exchange::Exchange;
use crate::exchange::Server;
use crate::limits::OwnLimits;
use crate::limits::ServerLimits;
use crate::listener::Accepted;
use crate::listener::Listener;
use crate::server::ServerResource;
use crate::server_listener::ServerListener;
use crate::serving::start_lone_server;
use crate::serving::start_server;

/// Binds and serves a TCP port, over TLS if there are a certificate and a key. The head of a
/// request has at most `head_bytes` bytes, and the body at most `body_bytes`. 0 means the default.
/// `is_own` says whether the embedder starts the server, which may then use the
/// [`OwnAddress`](crate::OwnAddress). `is_shared` says whether the event loops of the program share
/// the server.
///
/// Returns the server, the address that was bound, its port, the number of event loops for which
/// this loop accepts, and whether the server speaks TLS. The number of event loops is 0 if another
/// loop accepts.
#[op2(stack_trace)]
pub(crate) fn op_http_serve_tcp(
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
    body_bytes: f64,
    is_own: bool,
    is_shared: bool,
) -> Result<(ResourceId, String, u16, u32, bool), HttpError> {
    Listener::check_tcp(state, hostname, port, is_own)?;
    let event_loop = take_event_loop(state, is_shared);
    let bind = |state: &mut OpState| {
        let listener = Listener::tcp(state, hostname, port, reuse_port, backlog)?;
        if is_own && let Some(certificates) = state.try_borrow::<Arc<Certificates>>() {
            return Ok(listener.with_certificates(certificates.clone()));
        }
        match (certificate, key) {
            (Some(certificate), Some(key)) => listener.with_tls(&certificate, &key),
            _ => Ok(listener),
        }
    };
    let address = format!("{hostname}:{port}");
    let listener = listen(state, event_loop, is_own, &address, bind)?;
    let loops = accepting_for(state, &listener);
    let address = listener
        .tcp_address()?
        .ok_or(HttpError::NoResolvedAddress)?;
    let is_secure = listener.scheme() == "https://";
    let server = start_server(
        state,
        listener,
        v8::Global::new(scope, dispatch),
        OwnLimits::new(head_bytes, body_bytes),
    )?;
    let rid = state.resource_table.add(ServerResource(server));
    let host = address.ip().to_string();
    Ok((rid, host, address.port(), loops, is_secure))
}

/// Binds and serves a unix socket, as [`op_http_serve_tcp`] does with a port. Returns the server,
/// the path that was bound, if it has a name, and the number of event loops for which this loop
/// accepts.
#[op2(stack_trace)]
pub(crate) fn op_http_serve_unix(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    dispatch: v8::Local<v8::Function>,
    #[string] path: &str,
    #[smi] head_bytes: u32,
    body_bytes: f64,
    is_own: bool,
    is_shared: bool,
) -> Result<(ResourceId, Option<String>, u32), HttpError> {
    let path = Listener::check_unix(state, path, is_own)?;
    let event_loop = take_event_loop(state, is_shared);
    let address = path.display().to_string();
    let listener = listen(state, event_loop, is_own, &address, |_| {
        Listener::unix(&path, is_own)
    })?;
    let loops = accepting_for(state, &listener);
    let path = listener.unix_path()?;
    let server = start_server(
        state,
        listener,
        v8::Global::new(scope, dispatch),
        OwnLimits::new(head_bytes, body_bytes),
    )?;
    let rid = state.resource_table.add(ServerResource(server));
    Ok((rid, path, loops))
}

/// Takes this event loop's place among the loops of the program, if the server
/// is shared.
fn take_event_loop(state: &mut OpState, is_shared: bool) -> Option<EventLoop> {
    match is_shared && EventLoop::of(state).is_some() {
        true => state.try_take::<EventLoop>(),
        false => None,
    }
}

/// Binds a listener, or shares the listener of another event loop. The server of the embedder is
/// the same in all loops, even if the loops ask for different addresses.
fn listen(
    state: &mut OpState,
    event_loop: Option<EventLoop>,
    is_own: bool,
    address: &str,
    bind: impl FnOnce(&mut OpState) -> Result<Listener, HttpError>,
) -> Result<ServerListener, HttpError> {
    let Some(event_loop) = event_loop else {
        return bind(state).map(ServerListener::Own);
    };
    let limits = state.try_borrow::<ServerLimits>().copied();
    let max_connections = limits.unwrap_or_default().max_connections;
    let key = event_loop.key(if is_own { "" } else { address });
    let listener = event_loop.listen(key, max_connections, || bind(state));
    state.put(event_loop);
    listener.map(ServerListener::Shared)
}

/// The number of event loops for which this loop accepts connections.
fn accepting_for(state: &OpState, listener: &ServerListener) -> u32 {
    match (listener.as_shared(), EventLoop::of(state)) {
        (Some(shared), _) if !shared.is_bound() => 0,
        (Some(_), Some(event_loop)) => event_loop.count() as u32,
        _ => 1,
    }
}

/// Shares the topics of the server with other servers. With a `broker`, these are the servers of
/// all processes that use the broker with the same `prefix`. Without a broker, these are the
/// servers of this process with the same `name`. Without a name, these are the same server in other
/// event loops. Call this before the server has a connection.
#[op2(stack_trace)]
pub(crate) fn op_http_share_topics(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[string] name: Option<String>,
    #[string] broker: Option<String>,
    #[string] prefix: &str,
    #[smi] history_size: u32,
    history_ttl: f64,
) -> Result<(), HttpError> {
    let server = server(state, rid)?;
    let history = (history_size > 0).then(|| HistoryOptions {
        size: history_size as usize,
        ttl: Duration::try_from_secs_f64(history_ttl).unwrap_or(Duration::MAX),
    });
    if let Some(url) = broker {
        let space = broker::topic_space(state, &url, prefix, history)?;
        server.sockets().share_topics(state, space);
        return Ok(());
    }
    let space = match server.topics_name(name) {
        Some(name) => TopicSpace::named(&name),
        None if history.is_some() => TopicSpace::unnamed(),
        None => return Ok(()),
    };
    if history.is_some_and(|options| !space.keep_history(options)) {
        return Err(HttpError::OtherHistory);
    }
    server.sockets().share_topics(state, space);
    Ok(())
}

/// Serves the connection `conn`, which the script has accepted. The call takes the resource.
/// Returns the server, which ends when the connection ends or becomes a WebSocket.
#[op2(fast)]
#[smi]
pub(crate) fn op_http_serve_connection(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    dispatch: v8::Local<v8::Function>,
    #[smi] conn: ResourceId,
) -> Result<ResourceId, HttpError> {
    let accepted = Accepted::take(state, conn)?;
    let server = start_lone_server(state, accepted, v8::Global::new(scope, dispatch));
    Ok(state.resource_table.add(ServerResource(server)))
}

/// Resolves when the server has ended: it does not listen, and no connection is
/// left. The pending promise keeps the event loop alive.
#[op2]
pub(crate) async fn op_http_wait(
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

/// Ends the server after the exchanges under way and the closing handshakes of
/// its WebSockets. Does nothing if the server has ended.
#[op2(fast)]
pub(crate) fn op_http_shutdown(state: &mut OpState, #[smi] rid: ResourceId) {
    if let Ok(server) = server(state, rid) {
        server.connections().shutdown();
        server.close_sockets(state);
    }
}

/// Ends the server and its connections now.
#[op2(fast)]
pub(crate) fn op_http_abort(state: &mut OpState, #[smi] rid: ResourceId) {
    if let Ok(server) = server(state, rid) {
        server.connections().abort();
        server.close_sockets(state);
    }
}

/// Sends a text to all WebSockets that are subscribed to `topic` of the server; if `is_local`, only
/// to those of this process. Returns the outcome, as
/// [`SocketGroup::publish`](duplex_websocket::SocketGroup::publish) does.
#[op2(fast)]
#[smi]
pub(crate) fn op_http_publish_text(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[string] topic: &str,
    #[string] text: &str,
    is_local: bool,
) -> i32 {
    publish(state, rid, topic, Message::Text(text), is_local)
}

/// Sends bytes, as [`op_http_publish_text`] sends a text.
#[op2]
#[smi]
pub(crate) fn op_http_publish_binary(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[string] topic: &str,
    #[anybuffer] bytes: &[u8],
    is_local: bool,
) -> i32 {
    publish(state, rid, topic, Message::Binary(bytes), is_local)
}

/// Sends a text to all WebSockets that are subscribed to `topic`, and keeps it. Resolves with its
/// position, or with null if the server keeps no messages.
#[op2]
#[string]
pub(crate) async fn op_http_publish_recorded_text(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
    #[string] topic: String,
    #[string] text: String,
) -> Result<Option<String>, HttpError> {
    publish_recorded(state, rid, &topic, Message::Text(&text)).await
}

/// Sends bytes and keeps them, as [`op_http_publish_recorded_text`] does with a
/// text.
#[op2]
#[string]
pub(crate) async fn op_http_publish_recorded_binary(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
    #[string] topic: String,
    #[anybuffer(copy)] bytes: Vec<u8>,
) -> Result<Option<String>, HttpError> {
    publish_recorded(state, rid, &topic, Message::Binary(&bytes)).await
}

async fn publish_recorded(
    state: Rc<RefCell<OpState>>,
    rid: ResourceId,
    topic: &str,
    message: Message<'_>,
) -> Result<Option<String>, HttpError> {
    let server = server(&state.borrow(), rid).ok();
    let recording = server.and_then(|server| {
        server
            .sockets()
            .publish_recorded(&mut state.borrow_mut(), topic, message)
    });
    let position = match recording {
        None => return Ok(None),
        Some(Recording::Done(position)) => position,
        Some(Recording::Later(position)) => position.await.map_err(HttpError::Record)?,
    };
    Ok(Some(position.to_string()))
}

fn publish(
    state: &mut OpState,
    rid: ResourceId,
    topic: &str,
    message: Message<'_>,
    is_local: bool,
) -> i32 {
    let reach = match is_local {
        true => Reach::Process,
        false => Reach::All,
    };
    match server(state, rid) {
        Ok(server) => server.sockets().publish(state, topic, message, reach),
        // The server has ended, and all its sockets with it.
        Err(_) => 0,
    }
}

/// How many WebSockets of the server are subscribed to `topic`.
#[op2(fast)]
#[smi]
pub(crate) fn op_http_subscriber_count(
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
pub(crate) fn op_http_socket_count(state: &mut OpState, #[smi] rid: ResourceId) -> u32 {
    server(state, rid).map_or(0, |server| server.sockets().len() as u32)
}

/// How many requests of the server wait for their answer.
#[op2(fast)]
#[smi]
pub(crate) fn op_http_pending_requests(state: &mut OpState, #[smi] rid: ResourceId) -> u32 {
    server(state, rid).map_or(0, |server| exchange::pending(&server) as u32)
}

fn server(state: &OpState, rid: ResourceId) -> Result<Rc<Server>, HttpError> {
    Ok(state
        .resource_table
        .get::<ServerResource<Exchange>>(rid)?
        .0
        .clone())
}
