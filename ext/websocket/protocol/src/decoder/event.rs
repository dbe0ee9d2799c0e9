//! What a decoder finds in the bytes of a peer.

use std::borrow::Cow;

use crate::close::Close;

/// What the peer said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<'b> {
    /// A complete text message.
    Text {
        /// The text: borrowed where its frame lay in the input, owned where it was
        /// assembled from fragments or several inputs.
        text: Cow<'b, str>,
        /// Whether it is pure ASCII.
        is_ascii: bool,
    },
    /// A complete binary message, borrowed or owned likewise.
    Binary(Cow<'b, [u8]>),
    /// A Ping: to be answered by a Pong with the same payload (section 5.5.3).
    Ping(Cow<'b, [u8]>),
    /// A Pong.
    Pong(Cow<'b, [u8]>),
    /// The peer's last word: to be answered by a Close with the same code, unless
    /// this end has sent one (section 5.5.1). What follows is discarded.
    Close(Close),
}

/// A complete message, where its frame lay in the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageInPlace<'b> {
    /// A text message.
    Text {
        /// The text.
        text: &'b str,
        /// Whether it is pure ASCII.
        is_ascii: bool,
    },
    /// A binary message.
    Binary(&'b [u8]),
}

impl<'b> From<MessageInPlace<'b>> for Event<'b> {
    #[inline(always)]
    fn from(message: MessageInPlace<'b>) -> Self {
        match message {
            MessageInPlace::Text { text, is_ascii } => Self::Text {
                text: Cow::Borrowed(text),
                is_ascii,
            },
            MessageInPlace::Binary(payload) => Self::Binary(Cow::Borrowed(payload)),
        }
    }
}
