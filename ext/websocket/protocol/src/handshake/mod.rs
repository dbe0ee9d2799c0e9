//! The opening handshake (RFC 6455 section 4, RFC 8441): [`client`] and
//! [`server`], and the rules that they share.

pub mod client;
pub mod extension;
pub mod header;
pub mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The version of the protocol, as `Sec-WebSocket-Version` carries it.
pub const VERSION: &str = "13";

/// The value of `:protocol` in an extended CONNECT (RFC 8441 section 5).
pub const PROTOCOL: &str = "websocket";

/// The value of `Sec-WebSocket-Accept` that answers the `Sec-WebSocket-Key`
/// header `key` (section 4.2.2, step 5.4): 28 characters.
pub fn accept_key(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_example() {
        // Section 1.3.
        assert_eq!(
            accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
