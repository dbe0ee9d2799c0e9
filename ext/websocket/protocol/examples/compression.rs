//! How fast messages are compressed and inflated, and how far.
//!
//! `cargo run --release -p duplex_protocol --example compression`

#![expect(clippy::expect_used, reason = "an example may end by a panic")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use duplex_protocol::decoder::{Decoder, DecoderLimits};
use duplex_protocol::deflate::{Compression, Compressor, Level, Parameters};
use duplex_protocol::encoder::encode_text_compressed;
use duplex_protocol::frame::Role;

fn main() {
    println!(
        "{:>7} {:>5} {:>8} {:>7} {:>13} {:>13}",
        "bytes", "level", "takeover", "ratio", "deflate", "inflate"
    );
    for length in [64, 256, 1024, 16 << 10, 256 << 10] {
        for takeover in [true, false] {
            for level in [1, 3, 6, 9] {
                measure(length, takeover, level);
            }
        }
    }
}

fn measure(length: usize, takeover: bool, level: u8) {
    let parameters = Parameters {
        server_no_context_takeover: !takeover,
        ..Parameters::default()
    };
    let compression = Compression {
        level: Level::new(level).unwrap_or_default(),
        threshold: 0,
    };
    let mut compressor = Compressor::new(Role::Server, &parameters, compression);
    let mut decoder = Decoder::with_deflate(Role::Client, DecoderLimits::default(), &parameters);
    let mut wire = Vec::new();
    let mut deflating = Duration::ZERO;
    let mut inflating = Duration::ZERO;
    let mut messages = 0u32;
    let mut sent = 0;
    while deflating + inflating < Duration::from_millis(200) {
        let message = message(length, messages);
        wire.clear();
        let start = Instant::now();
        encode_text_compressed(&mut wire, None, &message, &mut compressor);
        deflating += start.elapsed();
        sent += wire.len();
        let start = Instant::now();
        let decoded = decoder.decode(&mut wire).expect("legal");
        black_box(decoded.event);
        inflating += start.elapsed();
        messages += 1;
    }
    let total = f64::from(messages) * length as f64;
    let speed = |took: Duration| {
        format!(
            "{:.1}us {:4.0}MB/s",
            took.as_secs_f64() * 1e6 / f64::from(messages),
            total / took.as_secs_f64() / 1e6
        )
    };
    println!(
        "{length:>7} {level:>5} {takeover:>8} {:>7.2} {:>13} {:>13}",
        total / sent as f64,
        speed(deflating),
        speed(inflating)
    );
}

/// A message of `length` bytes, as a feed sends them.
fn message(length: usize, number: u32) -> String {
    let mut message = String::with_capacity(length + 100);
    let mut seed = number;
    while message.len() < length {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        message.push_str(&format!(
            r#"{{"type":"trade","id":{},"price":{}.{:02},"side":"{}"}},"#,
            seed,
            seed % 997,
            seed % 100,
            if seed & 256 == 0 { "buy" } else { "sell" }
        ));
    }
    message.truncate(length);
    message
}
