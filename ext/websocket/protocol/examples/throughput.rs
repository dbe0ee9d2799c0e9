//! How fast frames are decoded and encoded, from and to a full buffer:
//! `cargo run --release -p duplex_protocol --example throughput`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use duplex_protocol::decoder::{Decoder, Event, Limits};
use duplex_protocol::encoder::{encode_binary, encode_text};
use duplex_protocol::frame::Role;

fn main() {
    for length in [20, 125, 1000, 16 << 10] {
        let text = "a".repeat(length);
        let accented = "\u{e9}a".repeat(length / 3);
        let mask = Some(KEY);
        measure(
            "decode masked text",
            length,
            |out| encode_text(out, mask, &text),
            Role::Server,
        );
        measure(
            "decode masked text, not ASCII",
            length,
            |out| encode_text(out, mask, &accented),
            Role::Server,
        );
        measure(
            "decode masked binary",
            length,
            |out| encode_binary(out, mask, text.as_bytes()),
            Role::Server,
        );
        measure(
            "decode text",
            length,
            |out| encode_text(out, None, &text),
            Role::Client,
        );

        let mut out = Vec::new();
        report("encode text", length, |frames| {
            out.clear();
            for _ in 0..frames {
                encode_text(&mut out, None, black_box(&text));
            }
            black_box(&out);
        });
        report("encode masked text", length, |frames| {
            out.clear();
            for _ in 0..frames {
                encode_text(&mut out, mask, black_box(&text));
            }
            black_box(&out);
        });
    }
}

/// Measures decoding of a buffer full of frames that `encode` appends.
fn measure(name: &str, length: usize, encode: impl Fn(&mut Vec<u8>), role: Role) {
    let mut pristine = Vec::new();
    for _ in 0..frames(length) {
        encode(&mut pristine);
    }
    let mut wire = pristine.clone();
    let mut decoder = Decoder::new(role, Limits::default());
    report(name, length, |_| {
        // Part of what is measured: decoding unmasks in place.
        wire.copy_from_slice(&pristine);
        let mut rest = wire.as_mut_slice();
        loop {
            let decoded = decoder.decode(rest).expect("legal frames");
            rest = decoded.rest;
            match decoded.event {
                Some(Event::Text { text, is_ascii }) => _ = black_box((&*text, is_ascii)),
                Some(event) => _ = black_box(&event),
                None => break,
            }
        }
    });
}

/// Repeats `run`, which passes over a buffer full of frames, and prints what a
/// frame takes in the fastest pass: the one that nothing else disturbed.
fn report(name: &str, length: usize, mut run: impl FnMut(usize)) {
    let frames = frames(length);
    let mut fastest = Duration::MAX;
    for _ in 0..PASSES {
        let start = Instant::now();
        run(frames);
        fastest = fastest.min(start.elapsed());
    }
    let seconds = fastest.as_secs_f64();
    println!(
        "{name:30} {length:6} B  {:8.1} ns a frame  {:7.2} GB/s",
        seconds * 1e9 / frames as f64,
        (frames * length) as f64 / seconds / 1e9,
    );
}

/// How many frames with `length` bytes of payload fill the buffer.
fn frames(length: usize) -> usize {
    (64 << 10) / length
}

const PASSES: usize = 3000;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
