//! Compression of messages: the permessage-deflate extension ([RFC 7692]).
//!
//! | module | concern | section |
//! |---|---|---|
//! | [`parameters`] | the extension's parameters, and their form in the header | 7.1 |
//! | [`negotiation`] | offer, acceptance, and the check of the answer | 7.1 |
//! | [`compressor`] | messages that this end sends | 7.2.1 |
//! | [`decompressor`] | messages that this end receives | 7.2.2 |
//!
//! A connection agrees on [`Parameters`] in its handshake. From them come the
//! [`Compressor`] that the [encoder](crate::encoder) takes, and the
//! decompressor of [`Decoder::with_deflate`](crate::decoder::Decoder::with_deflate).
//! A connection that never compresses a message, or never receives a compressed
//! one, has no memory for it.
//!
//! [RFC 7692]: https://www.rfc-editor.org/rfc/rfc7692

pub mod compressor;
pub mod decompressor;
pub mod negotiation;
pub mod parameters;
mod spare;

pub use compressor::{Compression, Compressor, Level};
pub use negotiation::{AnswerError, ClientConfig, ServerConfig};
pub use parameters::{Parameters, WindowBits};

/// The name of the extension (section 7).
pub const NAME: &str = "permessage-deflate";

/// The end of a flushed stream, an empty stored block without its header. It
/// does not go on the wire (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
