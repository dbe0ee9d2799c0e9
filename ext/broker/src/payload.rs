//! The content of a message.

use bytes::Bytes;

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

impl Payload {
    /// A text if `bytes` are UTF-8 and not marked as binary.
    pub(crate) fn of(bytes: &[u8], is_binary: bool) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !is_binary => Self::Text(text.to_string()),
            _ => Self::Binary(Bytes::copy_from_slice(bytes)),
        }
    }
}
