//! Any sequence of messages, cut into any fragments and any reads, arrives as it was sent, in both
//! roles, with and without compression. And any bytes give the same events, however they are cut
//! into reads.
//!
//! The cases come from a seeded generator. A failure names its seed.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::deflate::{Compression, Compressor, Level, Parameters, WindowBits};
use duplex_protocol::encoder::{
    encode_binary, encode_binary_compressed, encode_close, encode_frame, encode_ping, encode_pong,
    encode_text, encode_text_compressed, encode_with,
};
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::{FrameHeader, Opcode, Role};
use duplex_protocol::mask::apply_mask;

#[test]
fn messages_arrive_as_they_were_sent() {
    for seed in 0..2000 {
        for role in [Role::Client, Role::Server] {
            let mut random = Random(seed);
            let (wire, sent) = conversation(&mut random, role, None);
            let mut decoder = Decoder::new(role, DecoderLimits::default());
            let (received, error) = decode(&mut decoder, &wire, |rest| random.piece(rest));
            assert_eq!(error, None, "seed {seed}");
            assert!(received == sent, "seed {seed} as {role:?}");
        }
    }
}

#[test]
fn compressed_messages_arrive_as_they_were_sent() {
    let windows = || (8..=15).map(WindowBits::new).chain([None]);
    let mut seed = 0;
    for server in windows() {
        for client in windows() {
            for takeover in 0..4 {
                for role in [Role::Client, Role::Server] {
                    seed += 1;
                    let parameters = Parameters {
                        server_no_context_takeover: takeover & 1 == 0,
                        client_no_context_takeover: takeover & 2 == 0,
                        server_max_window_bits: server,
                        client_max_window_bits: client,
                    };
                    let mut random = Random(seed);
                    let (wire, sent) = conversation(&mut random, role, Some(&parameters));
                    let mut decoder =
                        Decoder::with_deflate(role, DecoderLimits::default(), &parameters);
                    let (received, error) = decode(&mut decoder, &wire, |rest| random.piece(rest));
                    assert_eq!(error, None, "seed {seed}");
                    assert!(received == sent, "seed {seed} as {role:?}, {parameters}");
                }
            }
        }
    }
}

#[test]
fn a_bomb_goes_off_at_the_limit() {
    // Ten gigabytes of zeros, in frames of a kilobyte each: a compressed message
    // and its tail are the start of a longer one.
    let mut compressor =
        Compressor::new(Role::Server, &Parameters::default(), Compression::default());
    let mebibyte = Message::Binary(vec![0; 1 << 20]);
    let mut fragment = || {
        let (mut payload, _) = compressed(&mut compressor, &mebibyte);
        payload.extend_from_slice(&[0x00, 0x00, 0xff, 0xff]);
        assert!(payload.len() < 1100);
        payload
    };
    let first = fragment();
    let next = fragment();
    let limits = DecoderLimits::default();
    let mut decoder = Decoder::with_deflate(Role::Client, limits, &Parameters::default());
    for i in 0..10_000 {
        let payload = if i == 0 { &first } else { &next };
        let header = FrameHeader {
            fin: false,
            rsv1: i == 0,
            opcode: if i == 0 {
                Opcode::Binary
            } else {
                Opcode::Continuation
            },
            mask: None,
            payload_length: payload.len() as u64,
        };
        let mut frame = Vec::new();
        push_frame(&mut frame, &header, payload);
        match decoder.decode(&mut frame) {
            Ok(decoded) => assert_eq!(decoded.event, None),
            Err(error) => {
                let limit = limits.max_payload_length;
                assert_eq!(error, ProtocolError::PayloadTooLong { limit });
                assert_eq!(i, limit >> 20);
                return;
            }
        }
    }
    panic!("no error");
}

#[test]
fn reads_do_not_matter() {
    let limits = DecoderLimits {
        max_payload_length: 1000,
        max_fragments: 4,
    };
    let parameters = Parameters::default();
    for seed in 0..2000 {
        for role in [Role::Client, Role::Server] {
            for parameters in [None, Some(&parameters)] {
                let mut random = Random(seed);
                let (mut wire, _) = conversation(&mut random, role, parameters);
                wire.truncate(2000);
                random.damage(&mut wire);
                let decode = |piece: &mut dyn FnMut(usize) -> usize| {
                    let mut decoder = match parameters {
                        Some(parameters) => Decoder::with_deflate(role, limits, parameters),
                        None => Decoder::new(role, limits),
                    };
                    decode(&mut decoder, &wire, piece)
                };
                let at_once = decode(&mut |rest| rest);
                let by_byte = decode(&mut |_| 1);
                let by_chance = decode(&mut |rest| random.piece(rest));
                assert!(at_once == by_byte, "seed {seed} as {role:?}");
                assert!(at_once == by_chance, "seed {seed} as {role:?}");
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Close),
}

/// Frames that `role` receives, and the messages in them.
fn conversation(
    random: &mut Random,
    role: Role,
    parameters: Option<&Parameters>,
) -> (Vec<u8>, Vec<Message>) {
    let mut compressor = parameters.map(|parameters| random.compressor(role, parameters));
    let mut wire = Vec::new();
    let mut sent = Vec::new();
    for _ in 0..random.below(8) {
        if random.below(3) == 0 {
            sent.push(random.control(&mut wire, role));
        }
        let (opcode, mut payload, message) = if random.below(2) == 0 {
            let text = random.text();
            (Opcode::Text, text.clone().into_bytes(), Message::Text(text))
        } else {
            let bytes = random.payload();
            (Opcode::Binary, bytes.clone(), Message::Binary(bytes))
        };
        if random.below(4) == 0 {
            let compressor = compressor.as_mut().filter(|_| random.below(5) != 0);
            encode(&mut wire, random.mask(role), &message, compressor);
            sent.push(message);
            continue;
        }
        let mut rsv1 = false;
        if let Some(compressor) = &mut compressor
            && random.below(5) != 0
        {
            (payload, rsv1) = compressed(compressor, &message);
            if random.below(6) == 0 {
                compressor.release();
            }
        }
        let mut opcode = opcode;
        let mut rest = payload.as_slice();
        // At least one frame, and sometimes an empty one at the end.
        loop {
            let cut = if random.below(2) == 0 {
                rest.len()
            } else {
                random.below(rest.len() + 1)
            };
            let fin = cut == rest.len() && random.below(4) != 0;
            let (fragment, tail) = rest.split_at(cut);
            let mask = random.mask(role);
            match random.below(3) {
                0 if !rsv1 => encode_frame(&mut wire, opcode, fin, mask, fragment),
                1 if !rsv1 => {
                    let guess = random.length();
                    encode_with(&mut wire, opcode, fin, mask, guess, |out| {
                        out.extend_from_slice(fragment);
                    });
                }
                _ => {
                    let header = FrameHeader {
                        fin,
                        rsv1,
                        opcode,
                        mask,
                        payload_length: fragment.len() as u64,
                    };
                    push_frame(&mut wire, &header, fragment);
                }
            }
            if fin {
                break;
            }
            opcode = Opcode::Continuation;
            rsv1 = false;
            rest = tail;
            if random.below(3) == 0 {
                sent.push(random.control(&mut wire, role));
            }
        }
        sent.push(message);
    }
    if random.below(2) == 0 {
        let close = match random.below(3) {
            0 => Close::empty(),
            1 => Close::from(CloseCode::GOING_AWAY),
            _ => Close::new(CloseCode::NORMAL, random.text()),
        };
        encode_close(&mut wire, random.mask(role), &close);
        sent.push(Message::Close(close));
    }
    (wire, sent)
}

/// Appends a message in one frame.
fn encode(
    out: &mut Vec<u8>,
    mask: Option<[u8; 4]>,
    message: &Message,
    compressor: Option<&mut Compressor>,
) {
    match (message, compressor) {
        (Message::Text(text), None) => encode_text(out, mask, text),
        (Message::Text(text), Some(it)) => encode_text_compressed(out, mask, text, it),
        (Message::Binary(bytes), None) => encode_binary(out, mask, bytes),
        (Message::Binary(bytes), Some(it)) => encode_binary_compressed(out, mask, bytes, it),
        (other, _) => unreachable!("{other:?}"),
    }
}

/// The payload of a message as the encoder sends it, and whether it is
/// compressed.
fn compressed(compressor: &mut Compressor, message: &Message) -> (Vec<u8>, bool) {
    let mut frame = Vec::new();
    encode(&mut frame, None, message, Some(compressor));
    let header = FrameHeader::decode(&frame, Role::Client).expect("legal");
    let (header, length) = header.expect("complete");
    frame.drain(..length);
    assert_eq!(header.payload_length, frame.len() as u64);
    (frame, header.rsv1)
}

fn push_frame(wire: &mut Vec<u8>, header: &FrameHeader, payload: &[u8]) {
    let (bytes, length) = header.encode();
    wire.extend_from_slice(&bytes[..length]);
    let start = wire.len();
    wire.extend_from_slice(payload);
    if let Some(key) = header.mask {
        apply_mask(&mut wire[start..], key, 0);
    }
}

/// Decodes `wire` in reads whose lengths `piece` picks, given what is left.
fn decode(
    decoder: &mut Decoder,
    wire: &[u8],
    mut piece: impl FnMut(usize) -> usize,
) -> (Vec<Message>, Option<ProtocolError>) {
    let mut messages = Vec::new();
    let mut left = wire;
    while !left.is_empty() {
        let (read, tail) = left.split_at(piece(left.len()));
        left = tail;
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
                    // The text is checked again, because it must be UTF-8.
                    let text = String::from_utf8(text.into_owned().into_bytes());
                    Message::Text(text.expect("UTF-8"))
                }
                Some(Event::Binary(bytes)) => Message::Binary(bytes.into_owned()),
                Some(Event::Ping(bytes)) => Message::Ping(bytes.into_owned()),
                Some(Event::Pong(bytes)) => Message::Pong(bytes.into_owned()),
                Some(Event::Close(close)) => Message::Close(close),
            });
        }
        assert!(rest.is_empty());
    }
    (messages, None)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// How many bytes of `rest` the next read delivers: at least one.
    fn piece(&mut self, rest: usize) -> usize {
        let longest = match self.below(4) {
            0 => 1,
            1 => 16,
            2 => 300,
            _ => rest,
        };
        1 + self.below(longest.min(rest))
    }

    /// A length that is short, near a boundary of the header's forms, or long.
    fn length(&mut self) -> usize {
        match self.below(8) {
            0 => 0,
            1 => 124 + self.below(4),
            2 => self.below(3000),
            3 if self.below(20) == 0 => 65534 + self.below(4),
            _ => self.below(40),
        }
    }

    fn payload(&mut self) -> Vec<u8> {
        let length = self.length();
        let distinct = if self.below(2) == 0 { 256 } else { 3 };
        (0..length).map(|_| self.below(distinct) as u8).collect()
    }

    fn text(&mut self) -> String {
        let length = self.length();
        let ascii = self.below(2) == 0;
        (0..length)
            .map(|_| {
                let end = match self.below(6) {
                    _ if ascii => 0x80,
                    0 => 0x80,
                    1 => 0x800,
                    2 => 0x1_0000,
                    3 => 0x11_0000,
                    _ => 0x80,
                };
                char::from_u32(self.below(end) as u32).unwrap_or('\u{d7ff}')
            })
            .collect()
    }

    fn mask(&mut self, receiver: Role) -> Option<[u8; 4]> {
        let [a, b, c, d, ..] = self.next().to_ne_bytes();
        (receiver == Role::Server).then_some([a, b, c, d])
    }

    /// A compressor for the messages that are sent to `receiver`.
    fn compressor(&mut self, receiver: Role, parameters: &Parameters) -> Compressor {
        let sender = match receiver {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let compression = Compression {
            level: Level::new(self.below(10) as u8).expect("0-9"),
            threshold: self.below(3) * 20,
        };
        Compressor::new(sender, parameters, compression)
    }

    /// Appends a Ping or a Pong.
    fn control(&mut self, wire: &mut Vec<u8>, role: Role) -> Message {
        let mut payload = self.payload();
        payload.truncate(125);
        let mask = self.mask(role);
        if self.below(2) == 0 {
            encode_ping(wire, mask, &payload).expect("short");
            Message::Ping(payload)
        } else {
            encode_pong(wire, mask, &payload).expect("short");
            Message::Pong(payload)
        }
    }

    /// Overwrites, removes and inserts a few bytes.
    fn damage(&mut self, wire: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            if wire.is_empty() {
                wire.push(self.next() as u8);
            }
            let at = self.below(wire.len());
            match self.below(4) {
                0 => wire[at] = self.next() as u8,
                1 => wire[at] ^= 1 << self.below(8),
                2 => drop(wire.remove(at)),
                _ => wire.insert(at, self.next() as u8),
            }
        }
    }
}
