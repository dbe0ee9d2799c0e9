//! permessage-deflate. None of the three crates has it, so the baseline is only DEFLATE: the
//! library that duplex uses, called directly, and flate2 on another library. These do no framing,
//! and know how long a message will be. When it inflates, duplex also checks the limit and the
//! text, and makes a buffer for each message.
//!
//! With context takeover, level 6.

use std::hint::black_box;

use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::deflate::{Compression, Compressor, Parameters};
use duplex_protocol::encoder::encode_text_compressed;
use duplex_protocol::frame::{FrameHeader, Role};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

use crate::harness::Contender;
use crate::sample::{Sample, text};

pub const FLATE2: &str = if cfg!(feature = "zlib-ng") {
    "flate2 on zlib-ng"
} else {
    "flate2 on miniz_oxide"
};

/// The contenders for compressing, and the ratio that each of them reaches.
pub fn deflate(sample: &Sample) -> Vec<(f64, Contender<'_>)> {
    let mut compressor = compressor();
    let mut out = Vec::new();
    let duplex = move || {
        out.clear();
        for message in &sample.messages {
            encode_text_compressed(&mut out, None, text(black_box(message)), &mut compressor);
        }
        out.len()
    };

    let mut state = Deflate::new(LEVEL, false, 15);
    let mut out = vec![0; sample.length * 2 + 1024];
    let zlib_rs = move || {
        let mut total = 0;
        for message in &sample.messages {
            let before = state.total_out();
            let flush = DeflateFlush::SyncFlush;
            state
                .compress(black_box(message), &mut out, flush)
                .expect("room");
            black_box(&out);
            total += (state.total_out() - before) as usize - TAIL.len();
        }
        total
    };

    let level = flate2::Compression::new(LEVEL as u32);
    let mut state = Compress::new(level, false);
    let mut out = vec![0; sample.length * 2 + 1024];
    let flate2 = move || {
        let mut total = 0;
        for message in &sample.messages {
            let before = state.total_out();
            state
                .compress(black_box(message), &mut out, FlushCompress::Sync)
                .expect("room");
            black_box(&out);
            total += (state.total_out() - before) as usize - TAIL.len();
        }
        total
    };

    vec![
        compressing("duplex", sample, duplex),
        compressing("zlib-rs", sample, zlib_rs),
        compressing(FLATE2, sample, flate2),
    ]
}

/// The contenders for inflating.
pub fn inflate(sample: &Sample) -> Vec<Contender<'_>> {
    let (wire, payloads) = compressed(sample);

    let mut decoder = Decoder::with_deflate(
        Role::Client,
        DecoderLimits::default(),
        &Parameters::default(),
    );
    let mut buffer = wire.clone();
    let duplex = move || {
        buffer.copy_from_slice(&wire);
        let mut rest = buffer.as_mut_slice();
        for message in &sample.messages {
            let decoded = decoder.decode(rest).expect("legal");
            match decoded.event {
                Some(Event::Text { text, .. }) => {
                    assert_eq!(black_box(text).len(), message.len());
                }
                event => panic!("{event:?}"),
            }
            rest = decoded.rest;
        }
    };

    let mut state = Inflate::new(false, 15);
    let mut out = vec![0; sample.length + 64];
    let inputs = payloads.clone();
    let zlib_rs = move || {
        for payload in &inputs {
            let before = state.total_out();
            let flush = InflateFlush::SyncFlush;
            state
                .decompress(black_box(payload), &mut out, flush)
                .expect("room");
            black_box(&out);
            assert_eq!((state.total_out() - before) as usize, sample.length);
        }
    };

    let mut state = Decompress::new(false);
    let mut out = vec![0; sample.length + 64];
    let flate2 = move || {
        for payload in &payloads {
            let before = state.total_out();
            state
                .decompress(black_box(payload), &mut out, FlushDecompress::Sync)
                .expect("room");
            black_box(&out);
            assert_eq!((state.total_out() - before) as usize, sample.length);
        }
    };

    vec![
        Contender::new("duplex", duplex),
        Contender::new("zlib-rs", zlib_rs),
        Contender::new(FLATE2, flate2),
    ]
}

/// A contender whose passes return how many bytes the sample took.
fn compressing<'a>(
    name: &'static str,
    sample: &Sample,
    mut pass: impl FnMut() -> usize + 'a,
) -> (f64, Contender<'a>) {
    // The first pass has no context, so it does not count.
    pass();
    let ratio = sample.bytes() as f64 / pass() as f64;
    let contender = Contender::new(name, move || _ = black_box(pass()));
    (ratio, contender)
}

/// The frames of the compressed messages, and their payloads with the tail that
/// is left out on the wire.
fn compressed(sample: &Sample) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut compressor = compressor();
    let mut wire = Vec::new();
    let mut payloads = Vec::new();
    for message in &sample.messages {
        let start = wire.len();
        encode_text_compressed(&mut wire, None, text(message), &mut compressor);
        let frame = &wire[start..];
        let header = FrameHeader::decode(frame, Role::Client).expect("legal");
        let (header, length) = header.expect("complete");
        assert!(header.rsv1);
        payloads.push([&frame[length..], &TAIL].concat());
    }
    (wire, payloads)
}

fn compressor() -> Compressor {
    Compressor::new(Role::Server, &Parameters::default(), Compression::default())
}

/// What duplex does by default.
const LEVEL: i32 = 6;

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
