//! If the server takes bytes for the opening handshake of a WebSocket without hyper, hyper reads
//! the same request from them. The source files are those of the crate, without the engine.
#![no_main]

#[path = "../../src/first_packet/against_hyper.rs"]
mod against_hyper;
#[allow(dead_code)]
#[path = "../../src/first_packet.rs"]
mod first_packet;
#[allow(dead_code)]
#[path = "../../src/host.rs"]
mod host;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(difference) = against_hyper::compare(input) {
        panic!("{difference}");
    }
});
