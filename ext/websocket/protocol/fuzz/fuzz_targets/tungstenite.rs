//! Gives the same bytes, without compression, to this crate and to tungstenite. Both give the same
//! messages and control frames, and either both fail at the same frame or neither fails. Then
//! tungstenite reads what this crate's encoder makes of the messages.
//!
//! Intended differences, and no others, are allowed: see [`Leniency`] and [`expected_close`].
#![no_main]

use std::io::{self, Read, Write};

use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::encoder;
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::Role;
use duplex_protocol::mask::MaskKey;
use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, WebSocket, error, protocol};

/// A message of this length is legal, a longer one is not. It is so small that inputs reach it.
const LIMIT: usize = 200;

fuzz_target!(|input: &[u8]| {
    let [flags, wire @ ..] = input else {
        return;
    };
    let role = match flags & 1 {
        0 => Role::Client,
        _ => Role::Server,
    };
    let (ours, failure) = duplex(role, wire);
    match failure {
        None => {
            let (theirs, error) = tungstenite(role, wire);
            assert_eq!(ours, theirs);
            assert!(error.is_none(), "only tungstenite fails: {error:?}");
        }
        Some((error, at)) => {
            let frame = Frame::around(wire, at);
            match Leniency::of(error, &frame) {
                None => {
                    // tungstenite decides when the frame is complete.
                    let (theirs, failed) = tungstenite(role, &frame.completed(wire, role));
                    assert_eq!(ours, theirs);
                    assert!(failed.is_some(), "only this crate fails: {error}");
                }
                Some(Leniency::Length) => {
                    let (theirs, failed) = tungstenite(role, &wire[..frame.start]);
                    assert_eq!(ours, theirs);
                    assert!(failed.is_none(), "they failed before: {failed:?}");
                }
                Some(Leniency::CloseCode) => {
                    let (mut theirs, failed) = tungstenite(role, &frame.completed(wire, role));
                    // A reason that is not UTF-8 is an error of tungstenite, too.
                    if failed.is_none() {
                        assert_eq!(theirs.pop(), Some(violation()));
                    }
                    assert_eq!(ours, theirs);
                }
            }
        }
    }

    let wire = encode(role, &ours, *flags);
    let (theirs, error) = tungstenite(role, &wire);
    assert_eq!(ours, theirs);
    assert!(
        error.is_none(),
        "tungstenite refuses what we send: {error:?}"
    );
});

/// The cases in which tungstenite accepts what this crate refuses.
enum Leniency {
    /// tungstenite accepts a length that is not minimally encoded, which RFC 6455, section 5.2,
    /// forbids. It does so for control frames too, and this crate refuses such a length at its
    /// first byte.
    Length,
    /// tungstenite gives an illegal status code to its caller as 1002. This crate fails the
    /// connection (section 7.4).
    CloseCode,
}

impl Leniency {
    fn of(error: ProtocolError, frame: &Frame) -> Option<Self> {
        match error {
            ProtocolError::LengthNotMinimal => Some(Self::Length),
            ProtocolError::ControlTooLong if frame.length <= 125 => Some(Self::Length),
            ProtocolError::CloseCode(_) => Some(Self::CloseCode),
            _ => None,
        }
    }
}

/// How tungstenite shows a Close that this crate accepts.
fn expected_close(close: Close) -> Message {
    match close.event_code() {
        // This code has been registered with IANA since then. tungstenite takes it for illegal.
        1014 => violation(),
        code => Message::Close(code, close.into_reason()),
    }
}

/// The status code that tungstenite gives in place of a code that it takes for illegal.
fn violation() -> Message {
    Message::Close(1002, "Protocol violation".to_owned())
}

#[derive(Debug, PartialEq)]
enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The code (1005 if there is none) and the reason.
    Close(u16, String),
}

/// Decodes `wire` byte by byte. Also returns how the connection failed, and at which byte.
fn duplex(role: Role, wire: &[u8]) -> (Vec<Message>, Option<(ProtocolError, usize)>) {
    // tungstenite limits only the length.
    let limits = DecoderLimits {
        max_payload_length: LIMIT,
        max_fragments: u32::MAX,
    };
    let mut decoder = Decoder::new(role, limits);
    let mut messages = Vec::new();
    for (at, byte) in wire.iter().enumerate() {
        let mut read = [*byte];
        let event = match decoder.decode(&mut read) {
            Ok(decoded) => decoded.event,
            Err(error) => return (messages, Some((error, at))),
        };
        messages.push(match event {
            None => continue,
            Some(Event::Text { text, .. }) => Message::Text(text.into_owned()),
            Some(Event::Binary(bytes)) => Message::Binary(bytes.into_owned()),
            Some(Event::Ping(bytes)) => Message::Ping(bytes.into_owned()),
            Some(Event::Pong(bytes)) => Message::Pong(bytes.into_owned()),
            Some(Event::Close(close)) => expected_close(close),
        });
    }
    (messages, None)
}

/// Decodes `wire` up to its end, a Close, or an error. The end of the bytes is not an error.
fn tungstenite(role: Role, wire: &[u8]) -> (Vec<Message>, Option<Error>) {
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_frame_size(Some(LIMIT))
        .max_message_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Wire(wire), role, Some(config));
    let mut messages = Vec::new();
    loop {
        let message = match socket.read() {
            Ok(message) => message,
            Err(Error::Protocol(error::ProtocolError::ResetWithoutClosingHandshake)) => {
                return (messages, None);
            }
            Err(error) => return (messages, Some(error)),
        };
        messages.push(match message {
            tungstenite::Message::Text(text) => Message::Text(text.as_str().to_owned()),
            tungstenite::Message::Binary(bytes) => Message::Binary(bytes.into()),
            tungstenite::Message::Ping(bytes) => Message::Ping(bytes.into()),
            tungstenite::Message::Pong(bytes) => Message::Pong(bytes.into()),
            tungstenite::Message::Close(close) => {
                messages.push(match close {
                    None => Message::Close(1005, String::new()),
                    Some(close) => {
                        Message::Close(close.code.into(), close.reason.as_str().to_owned())
                    }
                });
                return (messages, None);
            }
            tungstenite::Message::Frame(_) => unreachable!("only sent"),
        });
    }
}

/// The bytes that this crate sends to `role` for `messages`.
fn encode(role: Role, messages: &[Message], seed: u8) -> Vec<u8> {
    let mask: Option<MaskKey> = match role {
        Role::Client => None,
        Role::Server => Some([seed, 0x5a, !seed, seed.rotate_left(3)]),
    };
    let mut wire = Vec::new();
    for message in messages {
        match message {
            Message::Text(text) => encoder::encode_text(&mut wire, mask, text),
            Message::Binary(bytes) => encoder::encode_binary(&mut wire, mask, bytes),
            Message::Ping(bytes) => encoder::encode_ping(&mut wire, mask, bytes).expect("short"),
            Message::Pong(bytes) => encoder::encode_pong(&mut wire, mask, bytes).expect("short"),
            Message::Close(code, reason) => {
                let close = match code {
                    1005 => Close::empty(),
                    code => {
                        let code = CloseCode::new(*code).expect("it was received");
                        Close::new(code, reason.as_str())
                    }
                };
                encoder::encode_close(&mut wire, mask, &close);
            }
        }
    }
    wire
}

/// The place of a frame in the bytes, found only by the lengths.
struct Frame {
    start: usize,
    /// The length of the header.
    header: usize,
    /// The length of the payload that the header announces.
    length: u64,
}

impl Frame {
    /// The frame that the byte at `at` is part of.
    fn around(wire: &[u8], at: usize) -> Self {
        let mut start = 0;
        loop {
            let frame = Self::at(wire, start);
            // The lengths are compared first, so that no sum overflows.
            if frame.length > at as u64 || frame.end() > at {
                return frame;
            }
            start = frame.end();
        }
    }

    /// The end of the frame, if its length is not too great.
    fn end(&self) -> usize {
        self.start + self.header + self.length as usize
    }

    fn at(wire: &[u8], start: usize) -> Self {
        let byte = |at: usize| wire.get(start + at).copied().unwrap_or_default();
        let number = |bytes: usize| (2..2 + bytes).fold(0, |n, at| n << 8 | u64::from(byte(at)));
        let (extended, length) = match byte(1) & 0x7f {
            126 => (2, number(2)),
            127 => (8, number(8)),
            short => (0, u64::from(short)),
        };
        let key = if byte(1) & 0x80 == 0 { 0 } else { 4 };
        Self {
            start,
            header: 2 + extended + key,
            length,
        }
    }

    /// `wire` up to the end of this frame. Missing bytes of the frame are zeros. If the payload is
    /// too long for a message, it is left out.
    fn completed(&self, wire: &[u8], role: Role) -> Vec<u8> {
        let mut wire = wire.to_vec();
        // A frame with only one byte gets the right mask bit.
        if wire.len() == self.start + 1 {
            wire.push(if role == Role::Server { 0x80 } else { 0 });
        }
        let mut frame = Self::at(&wire, self.start);
        if frame.length > LIMIT as u64 {
            frame.length = 0;
        }
        wire.resize(frame.end(), 0);
        wire
    }
}

/// A transport that has received `.0`, and drops the bytes that are sent.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
