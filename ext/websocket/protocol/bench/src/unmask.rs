//! Only unmasking, in place. Of the three crates, only fastwebsockets has a public function for it.
//! The one of tungstenite is the same algorithm, and the one of tokio-websockets is measured as a
//! part of decoding.

use std::hint::black_box;

use duplex_protocol::mask::{MaskKey, apply_mask, apply_mask_checking_ascii};

use crate::harness::Contender;

/// The contenders for payloads of `length` bytes, which begin at a cache line or anywhere else.
pub fn contenders(length: usize, aligned: bool) -> (usize, Vec<Contender<'static>>) {
    let payloads = Payloads::new(length, aligned);
    let count = payloads.starts.len();
    let contenders = vec![
        contender("duplex", &payloads, |payload, key| {
            apply_mask(payload, key, 0);
        }),
        contender("duplex, ASCII known", &payloads, |payload, key| {
            black_box(apply_mask_checking_ascii(payload, key, 0));
        }),
        contender("fastwebsockets", &payloads, fastwebsockets::unmask),
    ];
    (count, contenders)
}

#[derive(Clone)]
struct Payloads {
    buffer: Vec<u8>,
    /// The place in the buffer where its first cache line begins.
    origin: usize,
    starts: Vec<usize>,
    keys: Vec<MaskKey>,
    length: usize,
}

impl Payloads {
    fn new(length: usize, aligned: bool) -> Self {
        let stride = (length + LINE).next_multiple_of(LINE);
        let count = (BUFFER / stride).max(1);
        let offset = |i: usize| if aligned { 0 } else { 1 + i * 7 % (LINE - 1) };
        Self {
            buffer: vec![0x55; count * stride + LINE],
            origin: 0,
            starts: (0..count).map(|i| i * stride + offset(i)).collect(),
            keys: (0..count).map(|_| rand::random()).collect(),
            length,
        }
    }
}

fn contender(
    name: &'static str,
    payloads: &Payloads,
    unmask: impl Fn(&mut [u8], MaskKey) + 'static,
) -> Contender<'static> {
    let mut payloads = payloads.clone();
    payloads.origin = payloads.buffer.as_ptr().align_offset(LINE);
    Contender::new(name, move || {
        let buffer = &mut payloads.buffer[payloads.origin..];
        for (start, key) in payloads.starts.iter().zip(&payloads.keys) {
            let payload = &mut buffer[*start..][..payloads.length];
            unmask(black_box(payload), *key);
        }
    })
}

/// The bytes of a cache line.
const LINE: usize = 64;

/// The payloads fill about this much memory, which fits the second level of cache.
const BUFFER: usize = 64 << 10;
