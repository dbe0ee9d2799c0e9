//! The protocol without a connection, for scripts that own the stream. The scripts of
//! deno.land/std/ws do.
//!
//! Such a script reads and writes the bytes itself, and this module decodes and
//! encodes the frames, by the rules and default limits of all other
//! connections.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::CStr;
use std::time::Instant;

use deno_core::{GarbageCollected, op2, v8};
use duplex_protocol::decoder::{Decoder, Event};
use duplex_protocol::encoder;
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::{Opcode, Role};
use duplex_protocol::session::{Config, Session};

use crate::connection::Settings;
use crate::limits::Limits;

/// Both directions of one connection.
pub(crate) struct WebSocketCodec {
    role: Role,
    incoming: RefCell<Incoming>,
}

struct Incoming {
    decoder: Decoder,
    session: Session,
    config: Config,
}

// SAFETY: the codec holds no reference into the engine's heap, so there is
// nothing to trace.
unsafe impl GarbageCollected for WebSocketCodec {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static CStr {
        c"WebSocketCodec"
    }
}

#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum CodecError {
    #[class(range)]
    #[error("{0} is no opcode of RFC 6455 section 5.2")]
    Opcode(u8),
    #[class(range)]
    #[error("The data size must not be greater than 125 bytes")]
    ControlTooLong,
}

/// The codec of a server or a client.
#[op2]
#[cppgc]
pub(crate) fn op_ws_codec_create(is_server: bool) -> WebSocketCodec {
    let role = match is_server {
        true => Role::Server,
        false => Role::Client,
    };
    let limits = Limits::default();
    WebSocketCodec {
        role,
        incoming: RefCell::new(Incoming {
            decoder: Decoder::new(role, limits.decoder()),
            session: Session::new(Instant::now()),
            config: Settings::new(limits, None).session,
        }),
    }
}

/// Decodes bytes that were read. Returns a list with four elements for each event: the opcode, the
/// payload as an ArrayBuffer (of a Close frame, its reason), the code of a Close frame or 0, and
/// undefined. An error has these four elements: 0, undefined, the code to close with, and the
/// message. Nothing follows a Close frame or an error.
#[op2]
pub(crate) fn op_ws_codec_decode<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] codec: &WebSocketCodec,
    #[anybuffer] input: &[u8],
) -> v8::Local<'s, v8::Array> {
    let mut elements = Vec::new();
    if let Ok(mut incoming) = codec.incoming.try_borrow_mut() {
        incoming.decode(scope, input, &mut elements);
    }
    v8::Array::new_with_elements(scope, &elements)
}

impl Incoming {
    fn decode<'s>(
        &mut self,
        scope: &mut v8::PinScope<'s, '_>,
        input: &[u8],
        elements: &mut Vec<v8::Local<'s, v8::Value>>,
    ) {
        let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
        // Payloads are unmasked in place, and the script may read its bytes
        // again.
        let mut input = input.to_vec();
        let mut rest = &mut input[..];
        // Nothing follows the peer's Close frame, or an error.
        while self.session.can_receive() && self.session.close_received().is_none() {
            let event = match self.decoder.decode(rest) {
                Ok(decoded) => {
                    rest = decoded.rest;
                    decoded.event
                }
                Err(error) => {
                    self.fail(scope, error, elements);
                    return;
                }
            };
            let (opcode, payload, code) = match event {
                None => return,
                Some(Event::Text { text, .. }) => (Opcode::Text, into_bytes(text), 0),
                Some(Event::Binary(bytes)) => (Opcode::Binary, bytes.into_owned(), 0),
                Some(Event::Ping(bytes)) => (Opcode::Ping, bytes.into_owned(), 0),
                Some(Event::Pong(bytes)) => (Opcode::Pong, bytes.into_owned(), 0),
                Some(Event::Close(close)) => {
                    // The script answers the Close frame.
                    let _ = self.session.receive_close(close.clone());
                    let code = close.event_code();
                    (Opcode::Close, close.into_reason().into_bytes(), code)
                }
            };
            if matches!(opcode, Opcode::Ping | Opcode::Pong)
                && let Err(error) = self.session.count_control(Instant::now(), &self.config)
            {
                self.fail(scope, error, elements);
                return;
            }
            let payload = array_buffer(scope, payload).into();
            elements.extend([
                v8::Integer::new(scope, opcode as i32).into(),
                payload,
                v8::Integer::new(scope, code.into()).into(),
                undefined,
            ]);
        }
    }

    fn fail<'s>(
        &mut self,
        scope: &mut v8::PinScope<'s, '_>,
        error: ProtocolError,
        elements: &mut Vec<v8::Local<'s, v8::Value>>,
    ) {
        // The script sends the Close frame, and tells its program the end.
        let _ = self.session.fail(error.close_code(), error.to_string());
        elements.extend([
            v8::Integer::new(scope, 0).into(),
            v8::undefined(scope).into(),
            v8::Integer::new(scope, error.close_code().get().into()).into(),
            string(scope, &error.to_string()),
        ]);
    }
}

/// Encodes one frame, masked if the role is a client.
#[op2]
pub(crate) fn op_ws_codec_encode<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] codec: &WebSocketCodec,
    #[smi] opcode: u8,
    #[anybuffer] payload: &[u8],
) -> Result<v8::Local<'s, v8::ArrayBuffer>, CodecError> {
    let mask = match codec.role {
        Role::Client => Some(rand::random()),
        Role::Server => None,
    };
    let kind = match opcode {
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        _ => return Err(CodecError::Opcode(opcode)),
    };
    if opcode >= 8 && payload.len() > 125 {
        return Err(CodecError::ControlTooLong);
    }
    let mut out = Vec::new();
    encoder::encode_frame(&mut out, kind, true, mask, payload);
    Ok(array_buffer(scope, out))
}

/// The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key.
#[op2]
#[string]
pub(crate) fn op_ws_accept_key(#[string] key: &str) -> String {
    duplex_protocol::handshake::accept_key(key.as_bytes())
}

fn into_bytes(text: Cow<'_, str>) -> Vec<u8> {
    text.into_owned().into_bytes()
}

fn array_buffer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: Vec<u8>,
) -> v8::Local<'s, v8::ArrayBuffer> {
    let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
    v8::ArrayBuffer::with_backing_store(scope, &store)
}

fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::Value> {
    v8::String::new(scope, text)
        .unwrap_or_else(|| v8::String::empty(scope))
        .into()
}
