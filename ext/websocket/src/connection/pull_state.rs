//! The additional state of a connection that is read on demand.

use std::cell::{Cell, RefCell};

/// How far a stream is with the messages that it asks for.
#[derive(Default)]
pub(super) struct Pull {
    /// Whether the script asks for a message.
    pub is_wanted: Cell<bool>,
    /// Whether the script is being handed a message, and may ask for the next.
    pub is_delivering: Cell<bool>,
    /// The bytes that were read after the last message: at most those of one
    /// read.
    pub unread: RefCell<Unread>,
    /// Whether the script waits for its messages to be written.
    pub is_write_pending: Cell<bool>,
}

/// Bytes that have not been decoded.
#[derive(Default)]
pub(crate) struct Unread {
    pub bytes: Vec<u8>,
    /// The index of the first byte that has not been decoded.
    pub start: usize,
}

impl Unread {
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}
