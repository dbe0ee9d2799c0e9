//! Any sequence of messages, cut into any fragments and any reads, arrives as
//! it was sent, in both roles; and any bytes at all give the same events however
//! they are cut into reads.
//!
//! The cases come from a seeded generator: a failure names its seed.

use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::decoder::{Decoder, Event, Limits};
use duplex_protocol::encoder::{encode_close, encode_frame, encode_ping, encode_pong};
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::{Opcode, Role};

#[test]
fn messages_arrive_as_they_were_sent() {
    for seed in 0..2000 {
        for role in [Role::Client, Role::Server] {
            let mut random = Random(seed);
            let (wire, sent) = conversation(&mut random, role);
            let mut decoder = Decoder::new(role, Limits::default());
            let (received, error) = decode(&mut decoder, &wire, |rest| random.piece(rest));
            assert_eq!(error, None, "seed {seed}");
            assert!(received == sent, "seed {seed} as {role:?}");
        }
    }
}

#[test]
fn reads_do_not_matter() {
    for seed in 0..4000 {
        for role in [Role::Client, Role::Server] {
            let mut random = Random(seed);
            let (mut wire, _) = conversation(&mut random, role);
            wire.truncate(2000);
            random.damage(&mut wire);
            let limits = Limits {
                max_payload_length: 1000,
                max_fragments: 4,
            };
            let decode = |piece: &mut dyn FnMut(usize) -> usize| {
                decode(&mut Decoder::new(role, limits), &wire, piece)
            };
            let at_once = decode(&mut |rest| rest);
            let by_byte = decode(&mut |_| 1);
            let by_chance = decode(&mut |rest| random.piece(rest));
            assert!(at_once == by_byte, "seed {seed} as {role:?}");
            assert!(at_once == by_chance, "seed {seed} as {role:?}");
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

/// Frames that `role` receives, and what they say.
fn conversation(random: &mut Random, role: Role) -> (Vec<u8>, Vec<Message>) {
    let mut wire = Vec::new();
    let mut sent = Vec::new();
    for _ in 0..random.below(8) {
        let (opcode, payload, message) = if random.below(2) == 0 {
            let text = random.text();
            (Opcode::Text, text.clone().into_bytes(), Message::Text(text))
        } else {
            let bytes = random.payload();
            (Opcode::Binary, bytes.clone(), Message::Binary(bytes))
        };
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
            encode_frame(&mut wire, opcode, fin, random.mask(role), fragment);
            if fin {
                break;
            }
            opcode = Opcode::Continuation;
            rest = tail;
            if random.below(3) == 0 {
                sent.push(random.control(&mut wire, role));
            }
        }
        sent.push(message);
        if random.below(3) == 0 {
            sent.push(random.control(&mut wire, role));
        }
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
                    // Checked anew: what is handed over must be UTF-8.
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

    /// How many bytes of `rest` the next read delivers: one at least.
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
        (0..length).map(|_| self.next() as u8).collect()
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
