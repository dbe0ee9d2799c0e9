//! Decoding: from a transport that has all bytes to the payloads of messages.
//!
//! | | how | what it checks of text |
//! |---|---|---|
//! | duplex | `Decoder::decode` on a buffer of 64 KiB that the transport was read into, longer messages are read into themselves; payloads are lent | ASCII while unmasking, else UTF-8 (simdutf8) |
//! | fastwebsockets | `WebSocket::read_frame`, which does not assemble fragments; a payload is a part of its buffer | UTF-8 (simdutf8) |
//! | tokio-websockets | `WebSocketStream::poll_next`; likewise | UTF-8 (simdutf8) |
//! | tungstenite | `WebSocket::read`; likewise | UTF-8 (standard library) |
//!
//! All of them are polled directly, without a runtime. Of the rules of RFC 6455, fastwebsockets
//! checks neither that a client's frames are masked nor that lengths are minimal, and tungstenite
//! does not check the latter.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::frame::Role;
use futures_core::Stream;

use crate::harness::Contender;
use crate::sample::Sample;
use crate::transport::Source;

/// The contenders for what `role` receives.
pub fn contenders(sample: &Sample, role: Role) -> Vec<Contender<'_>> {
    let wire = sample.wire(role);
    vec![
        contender("duplex", sample, Duplex::new(role, &wire)),
        contender(
            "fastwebsockets",
            sample,
            FastWebsockets::new(role, &wire, sample),
        ),
        contender(
            "tokio-websockets",
            sample,
            TokioWebsockets::new(role, &wire, sample),
        ),
        contender("tungstenite", sample, Tungstenite::new(role, &wire, sample)),
    ]
}

trait Decode {
    /// Decodes all messages, and shows `visit` the payload of each.
    fn decode(&mut self, visit: impl FnMut(&[u8]));
}

/// Checks that `decode` does the work, and measures it.
fn contender<'a>(
    name: &'static str,
    sample: &'a Sample,
    mut decode: impl Decode + 'a,
) -> Contender<'a> {
    let mut expected = sample.messages.iter();
    decode.decode(|payload| assert!(expected.next().is_some_and(|it| it == payload), "{name}"));
    assert!(expected.next().is_none(), "{name}");
    Contender::new(name, move || {
        let mut bytes = 0;
        decode.decode(|payload| bytes += black_box(payload).len());
        assert_eq!(bytes, sample.bytes());
    })
}

struct Duplex {
    decoder: Decoder,
    source: Source,
    length: usize,
    buffer: Vec<u8>,
}

impl Duplex {
    fn new(role: Role, wire: &[u8]) -> Self {
        Self {
            decoder: Decoder::new(role, DecoderLimits::default()),
            source: Source::new(wire.to_vec()),
            length: wire.len(),
            buffer: vec![0; READ],
        }
    }
}

impl Decode for Duplex {
    fn decode(&mut self, mut visit: impl FnMut(&[u8])) {
        let mut visit = |event: Event<'_>| match event {
            Event::Text { text, .. } => visit(text.as_bytes()),
            Event::Binary(bytes) => visit(&bytes),
            event => unreachable!("{event:?}"),
        };
        let mut left = self.length;
        while left > 0 {
            if let Some(spare) = self.decoder.spare() {
                let read = self.source.deliver(spare.len().min(READ_INTO));
                spare[..read.len()].write_copy_of_slice(read);
                left -= read.len();
                // SAFETY: this many bytes have just been written there.
                let event = unsafe { self.decoder.filled(read.len()) };
                if let Some(event) = event.expect("legal") {
                    visit(event);
                }
                continue;
            }
            let read = self.source.deliver(READ);
            left -= read.len();
            let mut rest = &mut self.buffer[..read.len()];
            rest.copy_from_slice(read);
            loop {
                let decoded = self.decoder.decode(rest).expect("legal");
                let Some(event) = decoded.event else {
                    break;
                };
                visit(event);
                rest = decoded.rest;
            }
        }
    }
}

struct FastWebsockets {
    socket: fastwebsockets::WebSocket<Source>,
    count: usize,
}

impl FastWebsockets {
    fn new(role: Role, wire: &[u8], sample: &Sample) -> Self {
        let role = match role {
            Role::Client => fastwebsockets::Role::Client,
            Role::Server => fastwebsockets::Role::Server,
        };
        let source = Source::new(wire.to_vec());
        Self {
            socket: fastwebsockets::WebSocket::after_handshake(source, role),
            count: sample.count(),
        }
    }
}

impl Decode for FastWebsockets {
    fn decode(&mut self, mut visit: impl FnMut(&[u8])) {
        let all = pin!(async {
            for _ in 0..self.count {
                let frame = self.socket.read_frame().await.expect("legal");
                visit(&frame.payload);
            }
        });
        ready(all.poll(&mut Context::from_waker(Waker::noop())));
    }
}

struct TokioWebsockets {
    socket: tokio_websockets::WebSocketStream<Source>,
    count: usize,
}

impl TokioWebsockets {
    fn new(role: Role, wire: &[u8], sample: &Sample) -> Self {
        let source = Source::new(wire.to_vec());
        Self {
            socket: match role {
                Role::Client => tokio_websockets::ClientBuilder::new().take_over(source),
                Role::Server => tokio_websockets::ServerBuilder::new().serve(source),
            },
            count: sample.count(),
        }
    }
}

impl Decode for TokioWebsockets {
    fn decode(&mut self, mut visit: impl FnMut(&[u8])) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..self.count {
            let message = ready(Pin::new(&mut self.socket).poll_next(&mut context));
            visit(message.expect("endless").expect("legal").as_payload());
        }
    }
}

struct Tungstenite {
    socket: tungstenite::WebSocket<Source>,
    count: usize,
}

impl Tungstenite {
    fn new(role: Role, wire: &[u8], sample: &Sample) -> Self {
        let role = match role {
            Role::Client => tungstenite::protocol::Role::Client,
            Role::Server => tungstenite::protocol::Role::Server,
        };
        let source = Source::new(wire.to_vec());
        Self {
            socket: tungstenite::WebSocket::from_raw_socket(source, role, None),
            count: sample.count(),
        }
    }
}

impl Decode for Tungstenite {
    fn decode(&mut self, mut visit: impl FnMut(&[u8])) {
        for _ in 0..self.count {
            match self.socket.read().expect("legal") {
                tungstenite::Message::Text(text) => visit(text.as_bytes()),
                tungstenite::Message::Binary(bytes) => visit(&bytes),
                message => unreachable!("{message}"),
            }
        }
    }
}

/// How much duplex reads at once, in bytes.
const READ: usize = 64 << 10;
/// How much duplex reads at once into a message, in bytes.
const READ_INTO: usize = 256 << 10;

/// The result of a poll, which is always ready, because the transports are.
pub fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready"),
    }
}
