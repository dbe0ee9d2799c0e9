//! The events `Network.webSocket…` of Chrome's DevTools protocol, by which a debugger shows the
//! sockets of both ends.
//!
//! Nobody observes a program that is not being debugged. [`is_on`] is all that its messages
//! cost then, and a connection remembers nothing for it.

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
    /// Its name, such as `Network.webSocketFrameSent`.
    pub method: &'static str,
    /// What it says, as the protocol describes it.
    pub params: Value,
}

/// Has `observer` told of each event of this thread from now on. It must not run script. A
/// thread has one observer: that of its runtime.
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

/// Whether anybody observes. This is what a program pays that nobody debugs.
#[inline(always)]
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

static IS_ON: AtomicBool = AtomicBool::new(false);
static LAST_REQUEST: AtomicU64 = AtomicU64::new(0);
/// From when the protocol's timestamps count.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static OBSERVER: RefCell<Option<Observer>> = const { RefCell::new(None) };
}

struct Observer {
    tell: Rc<dyn Fn(NetworkEvent)>,
    /// By the places of the connections in memory, each of which is there until it has ended.
    requests: HashMap<usize, RequestId>,
}

/// A connection, as events know it.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// Its place in memory.
    pub place: usize,
    pub role: Role,
}

/// What the events of one socket have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(u64);

impl RequestId {
    fn name(self) -> String {
        format!("duplex-websocket-{}", self.0)
    }
}

/// A client dials `url`, or a server was dialled by it.
pub(crate) fn created(url: &str) -> Option<RequestId> {
    if !is_on() {
        return None;
    }
    let id = RequestId(LAST_REQUEST.fetch_add(1, Ordering::Relaxed) + 1);
    let event = json!({ "requestId": id.name(), "url": url });
    tell("Network.webSocketCreated", event);
    Some(id)
}

/// The headers of the request are these.
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

/// The server has answered.
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

/// There is a connection now, whose frames belong to this socket.
pub(crate) fn opened(id: RequestId, connection: Shown) {
    OBSERVER.with_borrow_mut(|observer| {
        if let Some(observer) = observer {
            observer.requests.insert(connection.place, id);
        }
    });
}

/// There will be none.
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

/// The connection has ended. Its frames are told no more.
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

/// Text is told as it is, and all else in Base64: the protocol decides by the opcode.
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

/// Seconds of a clock that only goes forwards.
fn timestamp() -> f64 {
    START.elapsed().as_secs_f64()
}

/// The protocol has one value for each name; lines of one name are joined as HTTP does.
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

/// The lines of a head of HTTP/1.1, behind the first one: names and values.
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
