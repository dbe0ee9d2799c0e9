//! The ops of `WebSocket` and `WebSocketStream`.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::time::Instant;

use deno_core::convert::ByteString;
use deno_core::{
    CancelFuture, CancelHandle, Canceled, OpState, Resource, ResourceId, ToV8, op2, url, v8,
};
use deno_permissions::{PermissionCheckError, PermissionsContainer};
use deno_tls::TlsKeysHolder;
use duplex_protocol::close::{Close, ScriptCloseError};
use duplex_protocol::deflate::ClientConfig;
use duplex_protocol::frame::Role;
use url::Url;

use crate::client::{
    self, ClientOptions, Connector, DialError, Opened, Target, TimeoutOptions, Timeouts,
};
use crate::connection::{Backlog, Connection, Options, SendStatus, Settings};
use crate::connection_log;
use crate::deflate::PerMessageDeflate;
use crate::history::Position;
use crate::hub::Hub;
use crate::limits::{LimitOptions, Limits};
use crate::message::{Message, Reach};
use crate::metrics::{self, DialFailure};
use crate::network_events::{self, RequestId};
use crate::numbers::{
    CLOSE_ALLOWED, CLOSE_CODE_REFUSED, CLOSE_REASON_REFUSED, SUBSCRIBE_ENDED, SUBSCRIBE_FROM_NOW,
    SUBSCRIBE_LATER, SUBSCRIBE_NO_HISTORY, SUBSCRIBE_RECOVERED,
};
use crate::publishing::{self, NotReplayed};
use crate::script::{Script, SocketCallbacks};

/// The permission to dial a URL once. Closing the resource cancels the dial.
struct DialHandle {
    /// The URL for which the permission was checked.
    url: Url,
    cancel: Rc<CancelHandle>,
}

impl Resource for DialHandle {
    fn close(self: Rc<Self>) {
        self.cancel.cancel();
    }
}

#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum OpError {
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[class(inherit)]
    #[error(transparent)]
    Dial(#[from] DialError),
    #[class(inherit)]
    #[error(transparent)]
    Resource(#[from] deno_core::error::ResourceError),
    #[class(type)]
    #[error("invalid URL: {0}")]
    Url(#[from] url::ParseError),
    #[class("Interrupted")]
    #[property("code" = "EINTR")]
    #[error("WebSocket is closed before the connection is established")]
    Canceled,
    /// The log of a topic cannot be read.
    #[class(generic)]
    #[error("{0}")]
    Log(String),
}

/// Checks the net permission for `url`, before any look-up. Returns the
/// resource that [`op_ws_create`] takes, and whose closing cancels the dial.
#[op2(fast, stack_trace)]
#[smi]
pub(crate) fn op_ws_check_permission_and_cancel_handle(
    state: &mut OpState,
    #[string] api_name: &str,
    #[string] url: &str,
) -> Result<ResourceId, OpError> {
    let url = Url::parse(url)?;
    state
        .borrow_mut::<PermissionsContainer>()
        .check_net_url(&url, api_name)?;
    let handle = DialHandle {
        url,
        cancel: CancelHandle::new_rc(),
    };
    Ok(state.resource_table.add(handle))
}

/// A client's connection that has been opened.
#[derive(ToV8)]
pub(crate) struct Created {
    id: u32,
    protocol: String,
    extensions: String,
}

/// Dials the URL that `dial_handle` was made for. `deflate` is the offer of
/// permessage-deflate, or null to offer nothing.
#[op2]
pub(crate) async fn op_ws_create(
    state: Rc<RefCell<OpState>>,
    #[scoped] protocols: Vec<String>,
    #[scoped] headers: Vec<(ByteString, ByteString)>,
    #[smi] dial_handle: ResourceId,
    #[smi] client: Option<ResourceId>,
    #[scoped] deflate: Option<PerMessageDeflate>,
    #[scoped] limits: Option<LimitOptions>,
    #[scoped] timeouts: Option<TimeoutOptions>,
) -> Result<Created, OpError> {
    let handle = state
        .borrow()
        .resource_table
        .get::<DialHandle>(dial_handle)?;
    let deflate = deflate.map(ClientConfig::from);
    let compression = deflate.unwrap_or_default().compression;
    let target = Target {
        url: handle.url.clone(),
        protocols,
        headers: headers
            .into_iter()
            .map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value.to_vec()))
            .collect(),
        client,
        deflate,
        timeouts: timeouts.map_or_else(Timeouts::default, Timeouts::from),
        request: network_events::created(handle.url.as_str()),
    };
    let request = target.request;
    let began = Instant::now();
    let dialled = Box::pin(client::dial(state.clone(), target))
        .or_cancel(&handle.cancel)
        .await;
    let mut state = state.borrow_mut();
    let _ = state.resource_table.take_any(dial_handle);
    let Opened {
        transport,
        read_ahead,
        protocol,
        is_http2,
        deflate,
    } = note_failure(&handle.url, request, dialled)?;
    metrics::handshake_done(true, began.elapsed());
    let extensions = deflate.map_or_else(String::new, |parameters| parameters.to_string());
    let hub = Hub::of(&mut state);
    let options = Options {
        settings: hub.shared(Settings::new(
            limits.map_or_else(Limits::default, Limits::from),
            None,
        )),
        deflate: deflate.map(|parameters| (parameters, compression)),
        remote_addr: None,
        is_http2,
        is_tls: handle.url.scheme() == "wss",
    };
    let connection = hub.add(|place, now| {
        Connection::new(place, Role::Client, transport, read_ahead, options, now)
    });
    connection_log::client_opened(&connection, &handle.url, &protocol, &extensions);
    if let Some(request) = request {
        network_events::opened(request, connection.shown());
    }
    Ok(Created {
        id: connection.id,
        protocol,
        extensions,
    })
}

/// The result of dialling. A failure is counted, logged, and told to debuggers.
fn note_failure(
    url: &Url,
    request: Option<RequestId>,
    dialled: Result<Result<Opened, DialError>, Canceled>,
) -> Result<Opened, OpError> {
    let (kind, error) = match dialled {
        Ok(Ok(opened)) => return Ok(opened),
        Ok(Err(error)) => (error.kind(), OpError::Dial(error)),
        Err(Canceled) => (DialFailure::Canceled, OpError::Canceled),
    };
    metrics::here().dial_failed(kind);
    connection_log::client_failed(url, &error);
    if let Some(request) = request {
        network_events::failed(request, &error);
    }
    Err(error)
}

/// Takes the `Deno.HttpClient` `client`, which deno_fetch has just made of the
/// same options, for WebSockets.
#[op2]
pub(crate) fn op_ws_add_http_client(
    state: &mut OpState,
    #[smi] client: ResourceId,
    #[scoped] options: ClientOptions,
    #[cppgc] keys: &TlsKeysHolder,
) -> Result<(), OpError> {
    Ok(Connector::register(state, client, options, keys.take())?)
}

/// Sets the functions that the hub calls; see [`SocketCallbacks`]. Returns a function that drains
/// the microtasks. It is faster than deno_core's own op, which has to find its state first.
#[op2]
pub(crate) fn op_ws_set_callbacks<'s>(
    state: &mut OpState,
    scope: &mut v8::PinScope<'s, '_>,
    message: v8::Local<v8::Function>,
    messages: v8::Local<v8::Function>,
    closing: v8::Local<v8::Function>,
    closed: v8::Local<v8::Function>,
    drained: v8::Local<v8::Function>,
    control: v8::Local<v8::Function>,
) -> v8::Local<'s, v8::Value> {
    Script::of(state).set_socket_callbacks(SocketCallbacks {
        message: v8::Global::new(scope, message),
        messages: v8::Global::new(scope, messages),
        closing: v8::Global::new(scope, closing),
        closed: v8::Global::new(scope, closed),
        drained: v8::Global::new(scope, drained),
        control: Some(v8::Global::new(scope, control)),
    });
    let run_microtasks = v8::Function::new(scope, run_microtasks);
    run_microtasks.map_or_else(|| v8::undefined(scope).into(), v8::Local::from)
}

fn run_microtasks(
    scope: &mut v8::PinScope<'_, '_>,
    _args: v8::FunctionCallbackArguments<'_>,
    _result: v8::ReturnValue<'_, v8::Value>,
) {
    scope.perform_microtask_checkpoint();
}

/// Sets the functions that the hub calls for streams.
#[op2(fast)]
pub(crate) fn op_ws_set_stream_callbacks(
    state: &mut OpState,
    scope: &mut v8::PinScope<'_, '_>,
    message: v8::Local<v8::Function>,
    closing: v8::Local<v8::Function>,
    closed: v8::Local<v8::Function>,
    drained: v8::Local<v8::Function>,
) {
    Script::of(state).set_stream_callbacks(SocketCallbacks {
        message: v8::Global::new(scope, message),
        messages: v8::Global::new(scope, message),
        closing: v8::Global::new(scope, closing),
        closed: v8::Global::new(scope, closed),
        drained: v8::Global::new(scope, drained),
        control: None,
    });
}

/// Starts delivery of connection `id` to `socket`.
#[op2(fast)]
pub(crate) fn op_ws_attach(
    state: &mut OpState,
    scope: &mut v8::PinScope<'_, '_>,
    #[smi] id: u32,
    socket: v8::Local<v8::Object>,
) {
    let socket = v8::Global::new(scope, socket);
    let hub = Hub::of(state);
    if hub.get(id).is_some() {
        Script::of(state).attach(id, socket);
        hub.attach(id);
    }
}

/// Starts delivery of connection `id` to `handle`, one message for each
/// [`op_ws_pull`].
#[op2(fast)]
pub(crate) fn op_ws_attach_pull(
    state: &mut OpState,
    scope: &mut v8::PinScope<'_, '_>,
    #[smi] id: u32,
    handle: v8::Local<v8::Object>,
) {
    let handle = v8::Global::new(scope, handle);
    let hub = Hub::of(state);
    if hub.get(id).is_some() {
        Script::of(state).attach(id, handle);
        hub.attach_pull(id);
    }
}

/// Asks for the next message. Asking again before it is there changes nothing.
#[op2(fast)]
pub(crate) fn op_ws_pull(state: &mut OpState, #[smi] id: u32) {
    Hub::of(state).pull(id);
}

/// How far the sent messages have come, as the number of a [`Backlog`].
#[op2(fast)]
#[smi]
pub(crate) fn op_ws_backlog(state: &mut OpState, #[smi] id: u32) -> u32 {
    Hub::of(state)
        .get(id)
        .map_or(Backlog::Closed, |connection| connection.backlog()) as u32
}

/// Queues a text message. Lone surrogates become U+FFFD. Returns the outcome: the length of the
/// message in bytes, at least 1, if the message was taken, or else [`SEND_BUFFERED`],
/// [`SEND_REFUSED`] or [`SEND_CLOSED`].
#[op2(fast)]
#[smi]
pub(crate) fn op_ws_send_text(
    state: &OpState,
    isolate: &mut v8::Isolate,
    #[smi] id: u32,
    text: v8::Local<v8::String>,
) -> i32 {
    with_utf8(isolate, text, |text| {
        send(state, id, text.len(), |connection| {
            connection.send_text(text)
        })
    })
}

/// Hands a string to `body` as UTF-8. An ASCII string is not copied from the engine's memory.
#[inline]
fn with_utf8<R>(
    isolate: &mut v8::Isolate,
    text: v8::Local<v8::String>,
    body: impl FnOnce(&str) -> R,
) -> R {
    // The engine makes a handle if it has to flatten the string first.
    v8::scope!(let scope, isolate);
    #[cfg(feature = "v8")]
    {
        // Nothing allocates in the engine while the view lives.
        let view = v8::ValueView::new(scope, text);
        if let v8::ValueViewData::OneByte(bytes) = view.data()
            && bytes.is_ascii()
        {
            // SAFETY: ASCII is UTF-8.
            return body(unsafe { std::str::from_utf8_unchecked(bytes) });
        }
    }
    let mut buffer = [MaybeUninit::uninit(); STRING_BUFFER_LENGTH];
    body(&text.to_rust_cow_lossy(scope, &mut buffer))
}

/// Longer strings are copied to the heap.
const STRING_BUFFER_LENGTH: usize = 8 << 10;

/// Queues a binary message. Returns the outcome, as [`op_ws_send_text`] does.
#[op2]
#[smi]
pub(crate) fn op_ws_send_binary(state: &OpState, #[smi] id: u32, #[anybuffer] bytes: &[u8]) -> i32 {
    send(state, id, bytes.len(), |connection| {
        connection.send_binary(bytes)
    })
}

/// Queues an ArrayBuffer as [`op_ws_send_binary`] does. The engine hands over
/// an ArrayBuffer faster.
#[op2(fast)]
#[smi]
pub(crate) fn op_ws_send_arraybuffer(
    state: &OpState,
    #[smi] id: u32,
    #[arraybuffer] bytes: &[u8],
) -> i32 {
    send(state, id, bytes.len(), |connection| {
        connection.send_binary(bytes)
    })
}

/// Keeps the place of a Blob of `length` bytes. Returns the outcome, as
/// [`op_ws_send_text`] does. Messages that are sent before [`op_ws_send_blob`]
/// or [`op_ws_drop_blob`] wait for the Blob.
#[op2(fast)]
#[smi]
pub(crate) fn op_ws_defer_blob(state: &OpState, #[smi] id: u32, #[number] length: usize) -> i32 {
    send(state, id, length, |connection| {
        connection.defer_blob(length)
    })
}

/// Queues the bytes of the first Blob that has a place, and the messages that
/// waited for them.
#[op2(fast)]
pub(crate) fn op_ws_send_blob(state: &OpState, #[smi] id: u32, #[arraybuffer] bytes: &[u8]) {
    send_blob(state, id, Some(bytes));
}

/// Queues the messages that waited for the first Blob, because the Blob cannot
/// be read.
#[op2(fast)]
pub(crate) fn op_ws_drop_blob(state: &OpState, #[smi] id: u32) {
    send_blob(state, id, None);
}

fn send_blob(state: &OpState, id: u32, bytes: Option<&[u8]>) {
    if let Some(hub) = Hub::existing(state)
        && let Some(connection) = hub.get(id)
    {
        hub.send_blob(&connection, bytes);
    }
}

/// Queues a Ping, or a Pong that no Ping asked for. Returns the outcome, as [`op_ws_send_text`]
/// does. The caller has checked that there are no more than 125 bytes.
#[op2]
#[smi]
pub(crate) fn op_ws_send_control(
    state: &OpState,
    #[smi] id: u32,
    is_pong: bool,
    #[anybuffer] bytes: &[u8],
) -> i32 {
    send(state, id, bytes.len(), |connection| match is_pong {
        true => connection.send_pong(bytes),
        false => connection.send_ping(bytes),
    })
}

#[inline]
fn send(
    state: &OpState,
    id: u32,
    length: usize,
    queue: impl FnOnce(&Connection) -> SendStatus,
) -> i32 {
    // If there is a connection, there is a hub.
    let Some(hub) = Hub::existing(state) else {
        return SendStatus::Closed.outcome(length);
    };
    hub.send(id, queue).outcome(length)
}

/// Whether a script of a server or a client may close with `code`, if it has one, and `reason`:
/// [`CLOSE_ALLOWED`], [`CLOSE_CODE_REFUSED`] or [`CLOSE_REASON_REFUSED`].
#[op2(fast)]
#[smi]
pub(crate) fn op_ws_check_close(
    has_code: bool,
    #[smi] code: u16,
    #[string] reason: &str,
    is_server: bool,
) -> u32 {
    let role = match is_server {
        true => Role::Server,
        false => Role::Client,
    };
    match Close::from_script(has_code.then_some(code), reason, role) {
        Ok(_) => CLOSE_ALLOWED,
        Err(ScriptCloseError::Code(_)) => CLOSE_CODE_REFUSED,
        Err(ScriptCloseError::Reason) => CLOSE_REASON_REFUSED,
    }
}

/// Begins the closing handshake, after the messages that were sent. `code` 0 means no code. The
/// caller has had the code and the reason [checked](op_ws_check_close). If they are not allowed all
/// the same, an empty Close frame is sent.
#[op2(fast)]
pub(crate) fn op_ws_close(
    state: &mut OpState,
    #[smi] id: u32,
    #[smi] code: u16,
    #[string] reason: &str,
) {
    let hub = Hub::of(state);
    if let Some(connection) = hub.get(id) {
        let code = (code != 0).then_some(code);
        let close = Close::from_script(code, reason, connection.role()).unwrap_or_default();
        connection.announce_closing();
        hub.close(&connection, &close);
    }
}

/// Bytes of application data that have not reached the kernel.
#[op2(fast)]
pub(crate) fn op_ws_buffered_amount(state: &mut OpState, #[smi] id: u32) -> f64 {
    let hub = Hub::of(state);
    hub.get(id)
        .map_or(0.0, |connection| connection.buffered_amount() as f64)
}

/// Drops the connection without a closing handshake. The script is told the end
/// later.
#[op2(fast)]
pub(crate) fn op_ws_terminate(state: &mut OpState, #[smi] id: u32) {
    if let Some(connection) = Hub::of(state).get(id) {
        connection.announce_closing();
        connection.terminate();
    }
}

/// Sets whether the connection keeps the event loop going.
#[op2(fast)]
pub(crate) fn op_ws_set_ref(state: &mut OpState, #[smi] id: u32, is_ref: bool) {
    let hub = Hub::of(state);
    if let Some(connection) = hub.get(id) {
        hub.set_ref(&connection, is_ref);
    }
}

/// Stops reading from the connection, or goes on.
#[op2(fast)]
pub(crate) fn op_ws_hold_back(state: &mut OpState, #[smi] id: u32, is_held_back: bool) {
    Hub::of(state).hold_back(id, is_held_back);
}

/// Whether the script has stopped reading from the connection.
#[op2(fast)]
pub(crate) fn op_ws_is_held_back(state: &OpState, #[smi] id: u32) -> bool {
    connection(state, id).is_some_and(|connection| connection.is_held_back())
}

/// The IP address and the port of a server's peer, if the peer has them.
#[op2]
pub(crate) fn op_ws_remote_addr(state: &OpState, #[smi] id: u32) -> Option<(String, u16)> {
    let address = connection(state, id)?.remote_addr()?;
    Some((address.ip().to_string(), address.port()))
}

/// Subscribes a server's connection to a topic of the server. Returns whether the connection was
/// not subscribed before.
#[op2(fast)]
pub(crate) fn op_ws_subscribe(state: &OpState, #[smi] id: u32, #[string] topic: &str) -> bool {
    let connection = connection(state, id);
    connection.is_some_and(|connection| publishing::subscribe(&connection, topic))
}

/// Subscribes a server's connection to a topic, and sends first the messages that were published
/// after the position `since`. Returns the result, from [`SUBSCRIBE_FROM_NOW`] to
/// [`SUBSCRIBE_LATER`], and the position of the last message so far. `is_read` says that
/// [`op_ws_read_log`] has resolved.
#[op2]
pub(crate) fn op_ws_subscribe_since(
    state: &OpState,
    #[smi] id: u32,
    #[string] topic: &str,
    #[string] since: Option<String>,
    is_read: bool,
) -> (i32, String) {
    let subscribed = match (Hub::existing(state), connection(state, id)) {
        (Some(hub), Some(connection)) => {
            let since = since.as_deref().and_then(Position::parse);
            publishing::subscribe_since(hub, &connection, topic, since, is_read)
        }
        _ => Err(NotReplayed::Ended),
    };
    match subscribed {
        Ok(recovery) => {
            let outcome = match recovery.recovered {
                true => SUBSCRIBE_RECOVERED,
                false => SUBSCRIBE_FROM_NOW,
            };
            (outcome, recovery.position.to_string())
        }
        Err(NotReplayed::NoHistory) => (SUBSCRIBE_NO_HISTORY, String::new()),
        Err(NotReplayed::Ended) => (SUBSCRIBE_ENDED, String::new()),
        Err(NotReplayed::Later) => (SUBSCRIBE_LATER, String::new()),
    }
}

/// Resolves when the process has the messages of the broker's log after the position `since`. Then
/// [`op_ws_subscribe_since`] can go on.
#[op2]
pub(crate) async fn op_ws_read_log(
    state: Rc<RefCell<OpState>>,
    #[smi] id: u32,
    #[string] topic: String,
    #[string] since: Option<String>,
) -> Result<(), OpError> {
    let since = since.as_deref().and_then(Position::parse);
    let read = connection(&state.borrow(), id)
        .and_then(|connection| publishing::read_log(&connection, &topic, since));
    match read {
        Some(read) => read.await.map_err(OpError::Log),
        None => Ok(()),
    }
}

/// Ends a subscription. Returns whether there was one.
#[op2(fast)]
pub(crate) fn op_ws_unsubscribe(state: &OpState, #[smi] id: u32, #[string] topic: &str) -> bool {
    let connection = connection(state, id);
    connection.is_some_and(|connection| publishing::unsubscribe(&connection, topic))
}

/// Whether a connection is subscribed to a topic.
#[op2(fast)]
pub(crate) fn op_ws_is_subscribed(state: &OpState, #[smi] id: u32, #[string] topic: &str) -> bool {
    let connection = connection(state, id);
    connection.is_some_and(|connection| publishing::is_subscribed(&connection, topic))
}

/// The topics of a connection, in the order of their subscriptions.
#[op2]
pub(crate) fn op_ws_subscriptions(state: &OpState, #[smi] id: u32) -> Vec<String> {
    connection(state, id).map_or_else(Vec::new, |connection| publishing::of(&connection))
}

/// Connection `id`, while it lives.
fn connection(state: &OpState, id: u32) -> Option<Rc<Connection>> {
    Hub::existing(state)?.get(id)
}

/// Sends a text to all other subscribers of a topic of the connection's server. Returns the
/// outcome, as [`op_ws_send_text`] does: -1 if some subscriber's kernel takes no more for now, 0 if
/// no subscriber took the text.
#[op2(fast)]
#[smi]
pub(crate) fn op_ws_publish_text(
    state: &mut OpState,
    #[smi] id: u32,
    #[string] topic: &str,
    #[string] text: &str,
) -> i32 {
    publish(state, id, topic, Message::Text(text))
}

/// Sends bytes to all other subscribers, as [`op_ws_publish_text`] sends a
/// text.
#[op2]
#[smi]
pub(crate) fn op_ws_publish_binary(
    state: &mut OpState,
    #[smi] id: u32,
    #[string] topic: &str,
    #[anybuffer] bytes: &[u8],
) -> i32 {
    publish(state, id, topic, Message::Binary(bytes))
}

fn publish(state: &mut OpState, id: u32, topic: &str, message: Message<'_>) -> i32 {
    let hub = Hub::of(state);
    let Some(connection) = hub.get(id) else {
        return 0;
    };
    let membership = connection.membership.borrow();
    let Some(membership) = &*membership else {
        return 0;
    };
    publishing::publish(
        &hub,
        membership.topics(),
        topic,
        message,
        Some(&connection),
        Reach::All,
    )
}
