//! The events that a decoder finds in the bytes of a peer.

use std::borrow::Cow;

use crate::close::Close;

/// What the peer said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<'b> {
    /// A complete text message.
    Text {
        /// The text: borrowed if its frame lay wholly in the input, owned if the text was assembled
        /// from fragments or several inputs.
        text: Cow<'b, str>,
        /// Whether the text is pure ASCII.
        is_ascii: bool,
    },
    /// A complete binary message, borrowed or owned by the same rule.
    Binary(Cow<'b, [u8]>),
    /// A Ping: to be answered by a Pong with the same payload (section 5.5.3).
    Ping(Cow<'b, [u8]>),
    /// A Pong.
    Pong(Cow<'b, [u8]>),
    /// A Close, the last frame of the peer. This end answers with a Close of
    /// the same code, unless this end has sent a Close before (section 5.5.1).
    /// All bytes after the frame are discarded.
    Close(Close),
}

/// A complete message that is lent from the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageInPlace<'b> {
    /// A text message.
    Text {
        /// The text.
        text: &'b str,
        /// Whether the text is pure ASCII.
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
