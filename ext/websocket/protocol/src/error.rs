//! The errors that a peer can cause after the opening handshake.

use thiserror::Error;

use crate::close_code::CloseCode;

/// A violation of the protocol or of a [limit](crate::decoder::DecoderLimits).
///
/// The error fails the connection (RFC 6455 section 7.1.7): the endpoint sends
/// a Close frame with [`close_code`](Self::close_code), processes no more
/// input, and closes the transport.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set without an extension that gives it a meaning.
    #[error("reserved bits of a frame are set without a negotiated extension (RFC 6455 5.2)")]
    ReservedBits,
    /// RSV1, which marks a compressed message, is set on a frame that is not the
    /// first of a message.
    #[error("RSV1 is set on a control or continuation frame (RFC 7692 6)")]
    CompressedBit,
    /// A compressed message is not a DEFLATE stream.
    #[error("compressed message is not valid DEFLATE data (RFC 7692 7.2.2)")]
    CompressedData,
    /// The opcode is one of 3-7 or 11-15.
    #[error("reserved opcode {0:#x} (RFC 6455 5.2)")]
    ReservedOpcode(u8),
    /// A client sent an unmasked frame.
    #[error("frame from a client is not masked (RFC 6455 5.1)")]
    MaskRequired,
    /// A server sent a masked frame.
    #[error("frame from a server is masked (RFC 6455 5.1)")]
    MaskForbidden,
    /// A length was written in more bytes than it needs.
    #[error("payload length is not minimally encoded (RFC 6455 5.2)")]
    LengthNotMinimal,
    /// The most significant bit of a 64-bit length is set.
    #[error("most significant bit of a 64-bit payload length is set (RFC 6455 5.2)")]
    LengthOverflow,
    /// A control frame announces more than 125 bytes of payload.
    #[error("control frame has a payload of more than 125 bytes (RFC 6455 5.5)")]
    ControlTooLong,
    /// A control frame has FIN clear.
    #[error("control frame is fragmented (RFC 6455 5.5)")]
    ControlFragmented,
    /// A Continuation frame came outside a fragmented message.
    #[error("continuation frame without a message to continue (RFC 6455 5.4)")]
    ContinuationUnexpected,
    /// A new message began inside a fragmented message.
    #[error("new message before the last fragment of the one in progress (RFC 6455 5.4)")]
    ContinuationExpected,
    /// A text message is not UTF-8.
    #[error("text message is not valid UTF-8 (RFC 6455 8.1)")]
    TextNotUtf8,
    /// A Close payload of a single byte, half a status code.
    #[error("close frame has a payload of one byte (RFC 6455 5.5.1)")]
    ClosePayload,
    /// A Close frame carries a status code that must not be sent.
    #[error("close frame has the illegal status code {0} (RFC 6455 7.4)")]
    CloseCode(u16),
    /// The reason in a Close frame is not UTF-8.
    #[error("reason in a close frame is not valid UTF-8 (RFC 6455 5.5.1)")]
    CloseReasonNotUtf8,
    /// A message exceeds [`DecoderLimits::max_payload_length`](crate::decoder::DecoderLimits).
    #[error("message exceeds maxPayloadLength ({limit} bytes)")]
    PayloadTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A message exceeds [`DecoderLimits::max_fragments`](crate::decoder::DecoderLimits).
    #[error("message exceeds maxFragments ({limit})")]
    TooManyFragments {
        /// The limit, in frames.
        limit: u32,
    },
    /// The peer exceeds its [`ControlRate`](crate::control_rate::ControlRate).
    #[error("control frames exceed maxControlFrames ({limit} a second)")]
    TooManyControlFrames {
        /// The limit, in frames a second.
        limit: u32,
    },
}

impl ProtocolError {
    /// The status code for the Close frame that answers this error (RFC 6455
    /// section 7.4.1): 1002, 1007, 1008 or 1009.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 | Self::CompressedData => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::PayloadTooLong { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments { .. } | Self::TooManyControlFrames { .. } => {
                CloseCode::POLICY_VIOLATION
            }
            Self::ReservedBits
            | Self::CompressedBit
            | Self::ReservedOpcode(_)
            | Self::MaskRequired
            | Self::MaskForbidden
            | Self::LengthNotMinimal
            | Self::LengthOverflow
            | Self::ControlTooLong
            | Self::ControlFragmented
            | Self::ContinuationUnexpected
            | Self::ContinuationExpected
            | Self::ClosePayload
            | Self::CloseCode(_) => CloseCode::PROTOCOL_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes() {
        for (error, code) in [
            (ProtocolError::ReservedBits, 1002),
            (ProtocolError::CloseCode(1005), 1002),
            (ProtocolError::CompressedBit, 1002),
            (ProtocolError::CompressedData, 1007),
            (ProtocolError::TextNotUtf8, 1007),
            (ProtocolError::CloseReasonNotUtf8, 1007),
            (ProtocolError::TooManyFragments { limit: 1 }, 1008),
            (ProtocolError::TooManyControlFrames { limit: 1 }, 1008),
            (ProtocolError::PayloadTooLong { limit: 1 }, 1009),
        ] {
            assert_eq!(error.close_code().get(), code, "{error}");
        }
    }

    #[test]
    fn a_limit_is_named() {
        assert_eq!(
            ProtocolError::PayloadTooLong { limit: 10 }.to_string(),
            "message exceeds maxPayloadLength (10 bytes)"
        );
    }
}
