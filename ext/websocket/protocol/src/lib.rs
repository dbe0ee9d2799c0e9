//! The WebSocket protocol, [RFC 6455], with compression, [RFC 7692], without
//! I/O: bytes in, events out.
//!
//! This crate owns no socket, no clock and no source of randomness. The driver
//! of a connection reads bytes into its own buffer and hands them to a
//! [`Decoder`](decoder::Decoder). The driver writes what the [`encoder`]
//! appends, and draws masking keys and nonces itself. A test can therefore
//! check every rule of the protocol by feeding bytes.
//!
//! | module | concern | section |
//! |---|---|---|
//! | [`handshake`] | opening handshake, client and server | 4 |
//! | [`frame`] | the frame header | 5.2 |
//! | [`mask`] | masking | 5.3 |
//! | [`decoder`] | frames to messages, fragmentation, limits | 5.4 - 5.6, 6.2 |
//! | [`encoder`] | messages to frames | 6.1 |
//! | [`deflate`] | permessage-deflate: negotiation and both directions | RFC 7692 |
//! | [`control_rate`] | how many Pings and Pongs a peer may send | 10.4 |
//! | [`session`] | the life of one end: closing handshake, Pings, deadlines, the end | 5.5, 7 |
//! | [`close`] | status codes and the Close payload | 5.5.1, 7.4 |
//! | [`utf8`] | text, checked as it arrives | 8.1 |
//! | [`error`] | what a peer can do wrong | 7.1.7, 10 |
//!
//! ```
//! use duplex_protocol::decoder::{Decoder, Event, DecoderLimits};
//! use duplex_protocol::encoder;
//! use duplex_protocol::frame::Role;
//!
//! // A client sends two messages; masking keys come from its caller.
//! let mut wire = Vec::new();
//! encoder::encode_text(&mut wire, Some([1, 2, 3, 4]), "hello");
//! encoder::encode_binary(&mut wire, Some([5, 6, 7, 8]), &[1, 2, 3]);
//!
//! // A server decodes them where they lie.
//! let mut decoder = Decoder::new(Role::Server, DecoderLimits::default());
//! let mut rest = wire.as_mut_slice();
//! let mut seen = 0;
//! loop {
//!     let decoded = decoder.decode(rest)?;
//!     match decoded.event {
//!         Some(Event::Text { text, is_ascii }) => {
//!             assert_eq!((&*text, is_ascii), ("hello", true));
//!         }
//!         Some(Event::Binary(bytes)) => assert_eq!(*bytes, [1, 2, 3]),
//!         Some(_) => unreachable!(),
//!         None => break,
//!     }
//!     seen += 1;
//!     rest = decoded.rest;
//! }
//! assert_eq!(seen, 2);
//! # Ok::<(), duplex_protocol::error::ProtocolError>(())
//! ```
//!
//! [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455
//! [RFC 7692]: https://www.rfc-editor.org/rfc/rfc7692

/// The example in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod close;
mod close_code;
pub mod control_rate;
pub mod decoder;
pub mod deflate;
pub mod encoder;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod mask;
pub mod session;
pub mod utf8;
