//! What dialling comes to.

use bytes::Bytes;
use duplex_protocol::deflate::Parameters;

use crate::transport::Transport;

/// A connection that a server has agreed to.
pub(crate) struct Opened {
    pub transport: Transport,
    /// What came with the answer.
    pub read_ahead: Bytes,
    pub protocol: String,
    /// Whether it is a stream of HTTP/2.
    pub is_http2: bool,
    /// What was agreed on for permessage-deflate.
    pub deflate: Option<Parameters>,
}
