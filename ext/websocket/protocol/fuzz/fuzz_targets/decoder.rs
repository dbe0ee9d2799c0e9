//! The bytes of a connection give the same events and the same error, however they are cut into
//! reads, and whether or not they are read into the message that is coming. This holds in both
//! roles, with any parameters and limits.
#![no_main]

use std::time::Instant;

use duplex_protocol::close::Close;
use duplex_protocol::control_rate::ControlRate;
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::deflate::{Parameters, WindowBits};
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::Role;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [flags, windows, seed, wire @ ..] = input else {
        return;
    };
    let role = match flags & 1 {
        0 => Role::Client,
        _ => Role::Server,
    };
    // The values 8 to 15 are windows, and a greater value means no window.
    let window = |bits: u8| WindowBits::new(8 + bits);
    let parameters = Parameters {
        server_no_context_takeover: flags & 4 != 0,
        client_no_context_takeover: flags & 8 != 0,
        server_max_window_bits: window(windows & 15),
        client_max_window_bits: window(windows >> 4),
    };
    let limits = DecoderLimits {
        max_payload_length: [1 << 16, 1000, 30, 0][usize::from(flags >> 4 & 3)],
        max_fragments: [1 << 16, 16, 3, 1][usize::from(flags >> 6)],
    };
    let decoder = || match flags & 2 {
        0 => Decoder::new(role, limits),
        _ => Decoder::with_deflate(role, limits, &parameters),
    };
    let mixed = |i| 1 + (usize::from(*seed) + 1).wrapping_mul(i + 7) % 13;
    let at_once = decode(decoder(), limits, wire, false, |_| usize::MAX);
    assert_eq!(at_once, decode(decoder(), limits, wire, false, |_| 1));
    for into_message in [false, true] {
        let cut = decode(decoder(), limits, wire, into_message, mixed);
        assert_eq!(at_once, cut);
    }
});

#[derive(Debug, PartialEq)]
enum Message {
    Text(String, bool),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Close),
}

/// Decodes `wire` in reads of the lengths that `length` gives by their number, into the message if
/// `into_message` is true and the decoder allows it.
fn decode(
    mut decoder: Decoder,
    limits: DecoderLimits,
    wire: &[u8],
    into_message: bool,
    length: impl Fn(usize) -> usize,
) -> (Vec<Message>, Option<ProtocolError>) {
    let mut messages = Vec::new();
    // All bytes come within a second.
    let (mut rate, now) = (ControlRate::new(MAX_CONTROL_FRAMES), Instant::now());
    let mut control_frames = 0;
    let mut left = wire;
    let mut reads = 0;
    while !left.is_empty() {
        let longest = length(reads).min(left.len());
        reads += 1;
        if into_message && let Some(spare) = decoder.spare() {
            let count = longest.min(spare.len());
            spare[..count].write_copy_of_slice(&left[..count]);
            left = &left[count..];
            // SAFETY: this many bytes have just been written there.
            match unsafe { decoder.filled(count) } {
                Ok(event) => messages.extend(event.map(|event| message(event, limits))),
                Err(error) => return (messages, Some(error)),
            }
            continue;
        }
        let (read, tail) = left.split_at(longest);
        left = tail;
        let mut read = read.to_vec();
        if into_message && let Some(start) = decoder.decode_sole_binary(&mut read) {
            messages.push(Message::Binary(read[start..].to_vec()));
            continue;
        }
        let mut rest = read.as_mut_slice();
        loop {
            let was_finished = decoder.is_finished();
            let decoded = match decoder.decode(rest) {
                Ok(decoded) => decoded,
                Err(error) => {
                    assert!(!was_finished && decoder.is_finished());
                    // The answer to the event is legal.
                    let close = Close::from(error);
                    let (payload, length) = close.encode();
                    assert_eq!(Close::decode(&payload[..length]), Ok(close));
                    return (messages, Some(error));
                }
            };
            rest = decoded.rest;
            let Some(event) = decoded.event else {
                break;
            };
            assert!(!was_finished, "a Close is the last event");
            if matches!(event, Event::Ping(_) | Event::Pong(_)) {
                if let Err(error) = rate.count(now) {
                    assert_eq!(control_frames, MAX_CONTROL_FRAMES);
                    return (messages, Some(error));
                }
                control_frames += 1;
            }
            let is_close = matches!(event, Event::Close(_));
            assert!(!is_close || decoder.is_finished());
            messages.push(message(event, limits));
        }
        assert!(rest.is_empty());
    }
    (messages, None)
}

fn message(event: Event<'_>, limits: DecoderLimits) -> Message {
    match event {
        Event::Text { text, is_ascii } => {
            assert_eq!(is_ascii, text.is_ascii());
            assert!(text.len() <= limits.max_payload_length);
            let text = String::from_utf8(text.into_owned().into_bytes());
            Message::Text(text.expect("UTF-8"), is_ascii)
        }
        Event::Binary(bytes) => {
            assert!(bytes.len() <= limits.max_payload_length);
            Message::Binary(bytes.into_owned())
        }
        Event::Ping(bytes) => Message::Ping(bytes.into_owned()),
        Event::Pong(bytes) => Message::Pong(bytes.into_owned()),
        Event::Close(close) => Message::Close(close),
    }
}

/// So few that inputs exceed the limit.
const MAX_CONTROL_FRAMES: u32 = 20;
