//! A message on its way from one thread to others.

use bytes::Bytes;

use crate::message::Message;

/// A message on its way to other threads: the frame of a server, uncompressed.
#[derive(Clone)]
pub(crate) struct Parcel {
    frame: Bytes,
    /// The index of the payload in the frame.
    payload: usize,
    is_text: bool,
}

impl Parcel {
    pub(crate) fn new(message: Message<'_>) -> Self {
        let mut frame = Vec::with_capacity(message.length() + MAX_SERVER_HEADER);
        message.encode(&mut frame, None, None);
        Self::of(message, frame.into())
    }

    /// The parcel of `message`, whose frame has been made already.
    pub(crate) fn of(message: Message<'_>, frame: Bytes) -> Self {
        Self {
            payload: frame.len() - message.length(),
            frame,
            is_text: matches!(message, Message::Text(_)),
        }
    }

    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }

    pub(crate) fn is_text(&self) -> bool {
        self.is_text
    }

    pub(crate) fn message(&self) -> Message<'_> {
        let payload = &self.frame[self.payload..];
        match self.is_text {
            // SAFETY: the end of the frame is the payload, which was a `str`, because the frame of
            // a server is not masked and this frame is not compressed.
            true => Message::Text(unsafe { std::str::from_utf8_unchecked(payload) }),
            false => Message::Binary(payload),
        }
    }

    pub(crate) fn into_payload(self) -> Bytes {
        self.frame.slice(self.payload..)
    }
}

/// The header of a server's frame with 2^16 bytes or more (RFC 6455 section 5.2).
const MAX_SERVER_HEADER: usize = 10;
