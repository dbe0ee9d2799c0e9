//! Encoding: from the payloads of messages to a transport that takes everything.
//!
//! | | how |
//! |---|---|
//! | duplex | `encode_text`, `encode_binary` into one buffer, written when the messages have ended; a server's of 64 KiB or more are written from where they lie |
//! | fastwebsockets | `WebSocket::write_frame` of a borrowed payload, written frame by frame, long ones as two parts |
//! | tokio-websockets | `poll_ready`, `start_send` of shared `Bytes`, written each 8 KiB, header and payload apart |
//! | tungstenite | `WebSocket::write` of shared `Bytes` into one buffer, written each 128 KiB |
//!
//! Only tokio-websockets and tungstenite check that text is UTF-8, when their message is made, and
//! that time is not counted. In all of them, the masking keys come from the thread's generator of
//! the `rand` crate, as RFC 6455, section 10.3, asks. tokio-websockets could also use a faster
//! generator, whose keys can be predicted.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use bytes::Bytes;
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::encoder::{encode_binary, encode_text, frame_header};
use duplex_protocol::frame::{Opcode, Role};
use fastwebsockets::{Frame, Payload};
use futures_sink::Sink as _;

use crate::decode::ready;
use crate::harness::Contender;
use crate::sample::{Sample, text};
use crate::transport::Sink;

/// The contenders for what `role` sends.
pub fn contenders(sample: &Sample, role: Role) -> Vec<Contender<'_>> {
    vec![
        contender("duplex", sample, role, duplex),
        contender("fastwebsockets", sample, role, fastwebsockets),
        contender("tokio-websockets", sample, role, tokio_websockets),
        contender("tungstenite", sample, role, tungstenite),
    ]
}

/// Checks that a contender, which `make` makes of a sample, does the work, and measures it.
fn contender<'a, P: FnMut() + 'a>(
    name: &'static str,
    sample: &'a Sample,
    role: Role,
    make: impl FnOnce(&'a Sample, Role, Sink) -> P,
) -> Contender<'a> {
    let sink = Sink::default();
    let mut pass = make(sample, role, sink.clone());
    pass();
    check(name, sample, role, sink.to_vec());
    let length = sink.len();
    Contender::new(name, move || {
        sink.clear();
        pass();
        assert_eq!(sink.len(), length);
    })
}

fn check(name: &str, sample: &Sample, sender: Role, mut wire: Vec<u8>) {
    let receiver = match sender {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let mut decoder = Decoder::new(receiver, DecoderLimits::default());
    let mut rest = wire.as_mut_slice();
    for message in &sample.messages {
        let decoded = decoder.decode(rest).expect("legal");
        match decoded.event {
            Some(Event::Text { text, .. }) => assert!(text.as_bytes() == message, "{name}"),
            Some(Event::Binary(bytes)) => assert!(*bytes == **message, "{name}"),
            event => panic!("{name}: {event:?}"),
        }
        rest = decoded.rest;
    }
    assert!(rest.is_empty(), "{name}");
}

fn duplex(sample: &Sample, role: Role, sink: Sink) -> impl FnMut() {
    let mut out = Vec::new();
    let is_text = sample.kind.is_text();
    // The strings of a script are known to be valid text.
    let texts: Vec<&str> = match is_text {
        true => sample.messages.iter().map(text).collect(),
        false => Vec::new(),
    };
    move || {
        if role == Role::Server && sample.length >= WRITTEN_FROM {
            let opcode = if is_text {
                Opcode::Text
            } else {
                Opcode::Binary
            };
            for message in &sample.messages {
                let (header, length) = frame_header(opcode, true, None, message.len());
                sink.append(&header[..length]);
                sink.append(black_box(message));
            }
            return;
        }
        out.clear();
        let key = || (role == Role::Client).then(rand::random);
        if is_text {
            for text in &texts {
                encode_text(&mut out, key(), black_box(text));
            }
        } else {
            for message in &sample.messages {
                encode_binary(&mut out, key(), black_box(message));
            }
        }
        sink.append(&out);
    }
}

fn fastwebsockets(sample: &Sample, role: Role, sink: Sink) -> impl FnMut() {
    let role = match role {
        Role::Client => fastwebsockets::Role::Client,
        Role::Server => fastwebsockets::Role::Server,
    };
    let is_text = sample.kind.is_text();
    let mut socket = fastwebsockets::WebSocket::after_handshake(sink, role);
    move || {
        let all = pin!(async {
            for message in &sample.messages {
                let payload = Payload::Borrowed(black_box(message));
                let frame = match is_text {
                    true => Frame::text(payload),
                    false => Frame::binary(payload),
                };
                socket.write_frame(frame).await.expect("open");
            }
        });
        ready(all.poll(&mut Context::from_waker(Waker::noop())));
    }
}

fn tokio_websockets(sample: &Sample, role: Role, sink: Sink) -> impl FnMut() {
    use tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder};

    // Each message is one frame, as with the other contenders.
    let config = Config::default().frame_size(usize::MAX);
    let mut socket = match role {
        Role::Client => ClientBuilder::new().config(config).take_over(sink),
        Role::Server => ServerBuilder::new().config(config).serve(sink),
    };
    let messages: Vec<Message> = sample
        .messages
        .iter()
        .map(|message| match sample.kind.is_text() {
            true => Message::text(text(message).to_owned()),
            false => Message::binary(message.clone()),
        })
        .collect();
    move || {
        let mut context = Context::from_waker(Waker::noop());
        for message in &messages {
            ready(Pin::new(&mut socket).poll_ready(&mut context)).expect("open");
            let message = black_box(message).clone();
            Pin::new(&mut socket).start_send(message).expect("open");
        }
        ready(Pin::new(&mut socket).poll_flush(&mut context)).expect("open");
    }
}

fn tungstenite(sample: &Sample, role: Role, sink: Sink) -> impl FnMut() {
    use tungstenite::{Message, Utf8Bytes, WebSocket, protocol};

    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let mut socket = WebSocket::from_raw_socket(sink, role, None);
    let shared = |message: &Bytes| match sample.kind.is_text() {
        true => Message::Text(Utf8Bytes::try_from(message.clone()).expect("text")),
        false => Message::Binary(message.clone()),
    };
    let messages: Vec<Message> = sample.messages.iter().map(shared).collect();
    move || {
        for message in &messages {
            socket.write(black_box(message).clone()).expect("open");
        }
        socket.flush().expect("open");
    }
}

/// From this length on, in bytes, duplex writes the messages of a server without copying them.
const WRITTEN_FROM: usize = 64 << 10;
