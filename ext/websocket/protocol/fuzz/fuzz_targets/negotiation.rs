//! The parameters that a server accepts are legal, and fit an offer that asks for the same
//! parameters.
#![no_main]

use duplex_protocol::deflate::{ClientConfig, ServerConfig, WindowBits};
use duplex_protocol::handshake::extension;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [server_flags, client_flags, line @ ..] = input else {
        return;
    };
    let bits = |flags: u8| WindowBits::new(8 + flags % 8).unwrap_or_default();
    let server = ServerConfig {
        server_no_context_takeover: server_flags & 1 != 0,
        client_no_context_takeover: server_flags & 2 != 0,
        server_max_window_bits: bits(server_flags >> 2),
        client_max_window_bits: bits(server_flags >> 5),
        ..ServerConfig::default()
    };
    let client = ClientConfig {
        server_no_context_takeover: client_flags & 1 != 0,
        client_no_context_takeover: client_flags & 2 != 0,
        server_max_window_bits: (client_flags & 4 != 0).then(|| bits(client_flags >> 3)),
        client_max_window_bits: bits(client_flags >> 5),
        ..ClientConfig::default()
    };

    // A client reads the parameters.
    if let Ok(Some(parameters)) = client.check_lines([line]) {
        let said = parameters.to_string();
        assert_eq!(client.check_lines([said.as_bytes()]), Ok(Some(parameters)));
    }

    // A server reads the parameters.
    let Ok(offers) = extension::parse(line) else {
        return;
    };
    if let Some(parameters) = server.accept(&offers) {
        assert!(
            parameters.server_max_window_bits.unwrap_or_default() <= server.server_max_window_bits
        );
        assert!(
            parameters.client_max_window_bits.unwrap_or_default() <= server.client_max_window_bits
        );
        let said = parameters.to_string();
        let read = ClientConfig::default().check_lines([said.as_bytes()]);
        assert_eq!(read, Ok(Some(parameters)));
    }

    // The parameters are between the two.
    let offer = client.offer();
    let offers = extension::parse(offer.as_bytes()).expect("legal");
    let accepted = server.accept(&offers).expect("every limit can be met");
    let said = accepted.to_string();
    client
        .check_lines([said.as_bytes()])
        .expect("a fitting answer");
});
