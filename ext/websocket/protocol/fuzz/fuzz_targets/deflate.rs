//! A decoder of the other role can read what a compressor writes. The directions have different
//! parameters, so that a confusion of the two is found.
#![no_main]

use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::deflate::{Compression, Compressor, Level, Parameters, WindowBits};
use duplex_protocol::encoder::encode_binary_compressed;
use duplex_protocol::frame::Role;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [flags, level, threshold, data @ ..] = input else {
        return;
    };
    let no_takeover = flags & 1 != 0;
    let bits = flags >> 1 & 7;
    let window = WindowBits::new(8 + bits);
    let other_window = WindowBits::new(15 - bits);
    let (sender, receiver, mask) = match flags & 16 {
        0 => (Role::Server, Role::Client, None),
        _ => (Role::Client, Role::Server, Some([1, 2, 3, 4])),
    };
    let parameters = match sender {
        Role::Server => Parameters {
            server_no_context_takeover: no_takeover,
            client_no_context_takeover: !no_takeover,
            server_max_window_bits: window,
            client_max_window_bits: other_window,
        },
        Role::Client => Parameters {
            server_no_context_takeover: !no_takeover,
            client_no_context_takeover: no_takeover,
            server_max_window_bits: other_window,
            client_max_window_bits: window,
        },
    };
    let compression = Compression {
        level: Level::new(level % 10).unwrap_or_default(),
        threshold: usize::from(threshold % 16),
    };
    let mut compressor = Compressor::new(sender, &parameters, compression);
    let mut decoder = Decoder::with_deflate(receiver, DecoderLimits::default(), &parameters);
    // The data is repeated, so that it fills the windows.
    let times = 1 + usize::from(*threshold) * 8;
    for (i, message) in data.split(|byte| *byte == b'\n').take(20).enumerate() {
        let message = message.repeat(times.min(1 + (1 << 12) / (message.len() + 1)));
        let mut wire = Vec::new();
        encode_binary_compressed(&mut wire, mask, &message, &mut compressor);
        if flags & 32 != 0 && i % 3 == 2 {
            compressor.release();
        }
        // The bytes come in two reads or in one.
        let cut = match flags & 64 {
            0 => wire.len(),
            _ => usize::from(*level) % wire.len(),
        };
        let (first, second) = wire.split_at_mut(cut);
        let decoded = decoder.decode(first).expect("legal");
        assert!(decoded.rest.is_empty());
        let event = match decoded.event {
            None => decoder.decode(second).expect("legal").event,
            event => event,
        };
        assert_eq!(event, Some(Event::Binary(message.into())));
        assert!(decoder.is_idle());
    }
});
