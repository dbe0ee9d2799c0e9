//! What a compressor writes, a decoder of the other role reads.
#![no_main]

use duplex_protocol::decoder::{Decoder, Event, Limits};
use duplex_protocol::deflate::{Compression, Compressor, Level, Parameters, WindowBits};
use duplex_protocol::encoder::encode_binary_compressed;
use duplex_protocol::frame::Role;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [flags, level, threshold, data @ ..] = input else {
        return;
    };
    let parameters = Parameters {
        server_no_context_takeover: flags & 1 != 0,
        client_no_context_takeover: flags & 1 != 0,
        server_max_window_bits: WindowBits::new(8 + (flags >> 1) % 8),
        client_max_window_bits: WindowBits::new(8 + (flags >> 1) % 8),
    };
    let (sender, receiver, mask) = match flags & 16 {
        0 => (Role::Server, Role::Client, None),
        _ => (Role::Client, Role::Server, Some([1, 2, 3, 4])),
    };
    let compression = Compression {
        level: Level::new(level % 10).unwrap_or_default(),
        threshold: usize::from(threshold % 16),
    };
    let mut compressor = Compressor::new(sender, &parameters, compression);
    let mut decoder = Decoder::with_deflate(receiver, Limits::default(), &parameters);
    // Repeated, so that windows fill.
    let times = 1 + usize::from(*threshold) * 8;
    for message in data.split(|byte| *byte == b'\n').take(20) {
        let message = message.repeat(times.min(1 + (1 << 12) / (message.len() + 1)));
        let mut wire = Vec::new();
        encode_binary_compressed(&mut wire, mask, &message, &mut compressor);
        let decoded = decoder.decode(&mut wire).expect("legal");
        assert!(decoded.rest.is_empty());
        assert_eq!(decoded.event, Some(Event::Binary(message.into())));
    }
});
