//! The result of a successful dial.

use bytes::Bytes;
use duplex_protocol::deflate::Parameters;

use crate::transport::Transport;

/// A connection after the opening handshake.
pub(crate) struct Opened {
    pub transport: Transport,
    /// The bytes that came with the answer.
    pub read_ahead: Bytes,
    pub protocol: String,
    /// Whether the transport is a stream of HTTP/2.
    pub is_http2: bool,
    /// The agreed parameters of permessage-deflate.
    pub deflate: Option<Parameters>,
}
