//! However the bytes of a connection are cut into reads, they give the same
//! events and the same error.
#![no_main]

use duplex_protocol::close::Close;
use duplex_protocol::decoder::{Decoder, Event, Limits};
use duplex_protocol::deflate::Parameters;
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::Role;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 16;

fuzz_target!(|input: &[u8]| {
    let [flags, seed, wire @ ..] = input else {
        return;
    };
    let decoder = || {
        let role = match flags & 1 {
            0 => Role::Client,
            _ => Role::Server,
        };
        let limits = Limits {
            max_payload_length: LIMIT,
            max_fragments: 16,
        };
        let parameters = Parameters {
            server_no_context_takeover: flags & 4 != 0,
            client_no_context_takeover: flags & 4 != 0,
            ..Parameters::default()
        };
        match flags & 2 {
            0 => Decoder::new(role, limits),
            _ => Decoder::with_deflate(role, limits, &parameters),
        }
    };
    let at_once = decode(decoder(), wire, |_| usize::MAX);
    let by_byte = decode(decoder(), wire, |_| 1);
    let mixed = decode(decoder(), wire, |i| {
        1 + (usize::from(*seed) + 1).wrapping_mul(i + 7) % 13
    });
    assert_eq!(at_once, by_byte);
    assert_eq!(at_once, mixed);
});

#[derive(Debug, PartialEq)]
enum Message {
    Text(String, bool),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Close),
}

/// Decodes `wire` in reads of the lengths that `length` gives by their number.
fn decode(
    mut decoder: Decoder,
    wire: &[u8],
    length: impl Fn(usize) -> usize,
) -> (Vec<Message>, Option<ProtocolError>) {
    let mut messages = Vec::new();
    let mut left = wire;
    let mut reads = 0;
    while !left.is_empty() {
        let (read, tail) = left.split_at(length(reads).min(left.len()));
        left = tail;
        reads += 1;
        let mut read = read.to_vec();
        let mut rest = read.as_mut_slice();
        loop {
            let decoded = match decoder.decode(rest) {
                Ok(decoded) => decoded,
                Err(error) => {
                    assert!(decoder.is_finished());
                    return (messages, Some(error));
                }
            };
            rest = decoded.rest;
            messages.push(match decoded.event {
                None => break,
                Some(Event::Text { text, is_ascii }) => {
                    assert_eq!(is_ascii, text.is_ascii());
                    assert!(text.len() <= LIMIT);
                    let text = String::from_utf8(text.into_owned().into_bytes());
                    Message::Text(text.expect("UTF-8"), is_ascii)
                }
                Some(Event::Binary(bytes)) => {
                    assert!(bytes.len() <= LIMIT);
                    Message::Binary(bytes.into_owned())
                }
                Some(Event::Ping(bytes)) => Message::Ping(bytes.into_owned()),
                Some(Event::Pong(bytes)) => Message::Pong(bytes.into_owned()),
                Some(Event::Close(close)) => Message::Close(close),
            });
        }
        assert!(rest.is_empty());
    }
    (messages, None)
}
