//! The events `Network.webSocket…` of Chrome's DevTools protocol, with which a debugger shows the
//! sockets of clients and of servers.
//!
//! A program that is not being debugged has no observer. Its messages then cost only the check
//! [`is_on`], and its connections store nothing for these events.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use deno_core::serde_json::{Map, Value, json};
use duplex_protocol::close::Close;
use duplex_protocol::decoder::Event;
use duplex_protocol::encoder;
use duplex_protocol::frame::{Opcode, Role};
use duplex_protocol::session::Ending;

use crate::message::Message;

/// One event of the protocol's domain `Network`.
#[derive(Clone, Debug)]
pub struct NetworkEvent {
    /// The event's name, such as `Network.webSocketFrameSent`.
    pub method: &'static str,
    /// The event's parameters, as the protocol describes them.
    pub params: Value,
}

/// From now on, calls `observer` with each event of this thread. `observer` must not run script. A
/// thread has one observer: a second call replaces the first observer.
///
/// ```
/// duplex_websocket::network_events::observe(|event| println!("{}", event.method));
/// ```
pub fn observe(observer: impl Fn(NetworkEvent) + 'static) {
    OBSERVER.with_borrow_mut(|slot| {
        *slot = Some(Observer {
            tell: Rc::new(observer),
            requests: HashMap::new(),
        });
    });
    IS_ON.store(true, Ordering::Relaxed);
}

/// Whether a thread of the process has an observer. A program that is not being
/// debugged pays only for this check.
#[inline(always)]
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

static IS_ON: AtomicBool = AtomicBool::new(false);
static LAST_REQUEST: AtomicU64 = AtomicU64::new(0);
/// The time from which the protocol's timestamps count.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static OBSERVER: RefCell<Option<Observer>> = const { RefCell::new(None) };
}

struct Observer {
    tell: Rc<dyn Fn(NetworkEvent)>,
    /// The sockets, by the addresses of their connections in memory. A connection does not move
    /// before it has ended.
    requests: HashMap<usize, RequestId>,
}

/// A connection, as the events identify it.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// The connection's address in memory.
    pub place: usize,
    pub role: Role,
}

/// The id that the events of one socket have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(u64);

impl RequestId {
    fn name(self) -> String {
        format!("duplex-websocket-{}", self.0)
    }
}

/// A client dials `url`, or a client has dialled this server by `url`.
pub(crate) fn created(url: &str) -> Option<RequestId> {
    if !is_on() {
        return None;
    }
    let id = RequestId(LAST_REQUEST.fetch_add(1, Ordering::Relaxed) + 1);
    let event = json!({ "requestId": id.name(), "url": url });
    tell("Network.webSocketCreated", event);
    Some(id)
}

/// The request has these headers.
pub(crate) fn asks<'a>(id: RequestId, headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let event = json!({
        "requestId": id.name(),
        "timestamp": timestamp(),
        "wallTime": now.map_or(0.0, |now| now.as_secs_f64()),
        "request": { "headers": header_object(headers) },
    });
    tell("Network.webSocketWillSendHandshakeRequest", event);
}

/// The server has answered with this status and these headers.
pub(crate) fn answered<'a>(
    id: RequestId,
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) {
    let text = http::StatusCode::from_u16(status).ok();
    let text = text.and_then(|status| status.canonical_reason());
    let event = json!({
        "requestId": id.name(),
        "timestamp": timestamp(),
        "response": {
            "status": status,
            "statusText": text.unwrap_or_default(),
            "headers": header_object(headers),
        },
    });
    tell("Network.webSocketHandshakeResponseReceived", event);
}

/// The socket has a connection now.
pub(crate) fn opened(id: RequestId, connection: Shown) {
    OBSERVER.with_borrow_mut(|observer| {
        if let Some(observer) = observer {
            observer.requests.insert(connection.place, id);
        }
    });
}

/// The socket will have no connection.
pub(crate) fn failed(id: RequestId, error: &dyn Display) {
    tell_error(id, &error.to_string());
    tell_closed(id);
}

/// A message was queued.
#[cold]
pub(crate) fn sent_message(connection: Shown, message: Message<'_>) {
    let opcode = match message {
        Message::Text(_) => Opcode::Text,
        Message::Binary(_) => Opcode::Binary,
    };
    sent(connection, opcode, message.bytes());
}

/// A Close frame was queued.
#[cold]
pub(crate) fn sent_close(connection: Shown, close: &Close) {
    sent(connection, Opcode::Close, &close_payload(close));
}

/// A frame was queued.
#[cold]
pub(crate) fn sent(connection: Shown, opcode: Opcode, payload: &[u8]) {
    let is_masked = connection.role == Role::Client;
    tell_frame(SENT, connection, opcode, is_masked, payload);
}

/// A message or a control frame was received.
#[cold]
pub(crate) fn received(connection: Shown, event: &Event<'_>) {
    let is_masked = connection.role == Role::Server;
    let tell = |opcode, payload: &[u8]| {
        tell_frame(RECEIVED, connection, opcode, is_masked, payload);
    };
    match event {
        Event::Text { text, .. } => tell(Opcode::Text, text.as_bytes()),
        Event::Binary(payload) => tell(Opcode::Binary, payload),
        Event::Ping(payload) => tell(Opcode::Ping, payload),
        Event::Pong(payload) => tell(Opcode::Pong, payload),
        Event::Close(close) => tell(Opcode::Close, &close_payload(close)),
    }
}

/// A long binary message was received.
#[cold]
pub(crate) fn received_binary(connection: Shown, payload: &[u8]) {
    let is_masked = connection.role == Role::Server;
    tell_frame(RECEIVED, connection, Opcode::Binary, is_masked, payload);
}

/// The connection has ended. No more of its frames are told.
#[cold]
pub(crate) fn ended(connection: Shown, ending: &Ending) {
    let id =
        OBSERVER.with_borrow_mut(|observer| observer.as_mut()?.requests.remove(&connection.place));
    let Some(id) = id else { return };
    if let Some(error) = &ending.error {
        tell_error(id, error);
    }
    tell_closed(id);
}

fn tell_error(id: RequestId, error: &str) {
    let event = json!({
        "requestId": id.name(),
        "timestamp": timestamp(),
        "errorMessage": error,
    });
    tell("Network.webSocketFrameError", event);
}

fn tell_closed(id: RequestId) {
    let event = json!({ "requestId": id.name(), "timestamp": timestamp() });
    tell("Network.webSocketClosed", event);
}

const SENT: &str = "Network.webSocketFrameSent";
const RECEIVED: &str = "Network.webSocketFrameReceived";

/// Tells text as it is, and all other payloads in Base64. The reader of the protocol decides by the
/// opcode.
fn tell_frame(
    method: &'static str,
    connection: Shown,
    opcode: Opcode,
    is_masked: bool,
    payload: &[u8],
) {
    let id = OBSERVER.with_borrow(|observer| {
        (observer.as_ref()?.requests)
            .get(&connection.place)
            .copied()
    });
    let Some(id) = id else { return };
    let data = match opcode {
        Opcode::Text => String::from_utf8_lossy(payload).into_owned(),
        _ => BASE64_STANDARD.encode(payload),
    };
    let event = json!({
        "requestId": id.name(),
        "timestamp": timestamp(),
        "response": { "opcode": opcode as u8, "mask": is_masked, "payloadData": data },
    });
    tell(method, event);
}

fn close_payload(close: &Close) -> Vec<u8> {
    let mut frame = Vec::new();
    encoder::encode_close(&mut frame, None, close);
    // Without a mask, the head of a control frame is two bytes (RFC 6455 section 5.2).
    frame.split_off(2)
}

fn tell(method: &'static str, params: Value) {
    let tell = OBSERVER.with_borrow(|observer| Some(observer.as_ref()?.tell.clone()));
    if let Some(tell) = tell {
        tell(NetworkEvent { method, params });
    }
}

/// The time in seconds, of a monotonic clock.
fn timestamp() -> f64 {
    START.elapsed().as_secs_f64()
}

/// Makes an object with one value for each name, as the protocol wants it. Lines of one name are
/// joined with a comma, as in HTTP.
fn header_object<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Value {
    let mut object = Map::new();
    for (name, value) in headers {
        let value = value.iter().copied().map(char::from).collect::<String>();
        match object.get_mut(name) {
            Some(Value::String(known)) => {
                known.push_str(", ");
                known.push_str(&value);
            }
            _ => {
                object.insert(name.to_owned(), Value::String(value));
            }
        }
    }
    Value::Object(object)
}

/// The header lines of a head of HTTP/1.1, as names and values. The first line
/// is left out.
pub fn head_lines(head: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
}
