//! Compression of messages: the permessage-deflate extension ([RFC 7692]).
//!
//! | module | concern | section |
//! |---|---|---|
//! | [`parameters`] | the extension's parameters, and their form in the header | 7.1 |
//! | [`negotiation`] | offer, acceptance, and the check of the answer | 7.1 |
//! | [`compressor`] | messages that this end sends | 7.2.1 |
//! | `decompressor` | messages that this end receives | 7.2.2 |
//!
//! A connection agrees on [`Parameters`] in its handshake. From them come the [`Compressor`] that
//! the [encoder](crate::encoder) takes, and the decompressor of
//! [`Decoder::with_deflate`](crate::decoder::Decoder::with_deflate). A connection that never
//! compresses a message, or never receives a compressed message, has no memory for compression.
//!
//! ```
//! use duplex_protocol::decoder::{Decoder, Event, DecoderLimits};
//! use duplex_protocol::deflate::{ClientConfig, Compressor, ServerConfig};
//! use duplex_protocol::encoder::encode_text_compressed;
//! use duplex_protocol::frame::Role;
//! use duplex_protocol::handshake::extension;
//!
//! // The client offers, the server accepts, the client checks the answer.
//! let (client, server) = (ClientConfig::default(), ServerConfig::default());
//! let offer = client.offer();
//! assert_eq!(offer, "permessage-deflate; client_max_window_bits");
//! let offers = extension::parse(offer.as_bytes())?;
//! let accepted = server.accept(&offers).expect("a legal offer");
//! let answer = accepted.to_string();
//! let parameters = client.check_lines([answer.as_bytes()])?.expect("accepted");
//!
//! // The server sends a message.
//! let mut compressor = Compressor::new(Role::Server, &accepted, server.compression);
//! let text = "hello ".repeat(100);
//! let mut wire = Vec::new();
//! encode_text_compressed(&mut wire, None, &text, &mut compressor);
//! assert!(wire.len() < 30);
//!
//! // The client reads it.
//! let mut decoder = Decoder::with_deflate(Role::Client, DecoderLimits::default(), &parameters);
//! let decoded = decoder.decode(&mut wire)?;
//! assert!(matches!(decoded.event, Some(Event::Text { text: read, .. }) if read == text));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [RFC 7692]: https://www.rfc-editor.org/rfc/rfc7692

pub mod compressor;
pub(crate) mod decompressor;
pub mod negotiation;
pub mod parameters;
mod spare;

pub use compressor::{Compression, Compressor, Level};
pub use negotiation::{ClientConfig, DeflateAnswerError, ServerConfig};
pub use parameters::{Parameters, WindowBits};

/// The name of the extension (section 7).
pub const NAME: &str = "permessage-deflate";

/// The end of a flushed stream, an empty stored block without its header. The
/// tail does not go on the wire (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
