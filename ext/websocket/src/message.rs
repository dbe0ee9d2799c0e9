//! A message that is sent or published.

use duplex_protocol::deflate::Compressor;
use duplex_protocol::encoder;
use duplex_protocol::mask::MaskKey;

use crate::metrics::MessageKind;

/// A message of an application.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl Message<'_> {
    /// The kind that the metrics count the message as.
    #[inline]
    pub(crate) fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// Bytes of application data.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// The application data.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Appends the message's frame to `out`.
    #[inline]
    pub(crate) fn encode(
        self,
        out: &mut Vec<u8>,
        key: Option<MaskKey>,
        compressor: Option<&mut Compressor>,
    ) {
        match (self, compressor) {
            (Self::Text(text), None) => encoder::encode_text(out, key, text),
            (Self::Binary(bytes), None) => encoder::encode_binary(out, key, bytes),
            (Self::Text(text), Some(compressor)) => {
                encoder::encode_text_compressed(out, key, text, compressor);
            }
            (Self::Binary(bytes), Some(compressor)) => {
                encoder::encode_binary_compressed(out, key, bytes, compressor);
            }
        }
    }
}

/// How far a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To the sockets of this process.
    Process,
    /// To the sockets of all processes that have the server's topics.
    All,
}
