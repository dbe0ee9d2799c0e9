//! Reading on demand. For `WebSocketStream`, nothing is read from the transport, nor decoded,
//! before the script asks for a message. `pause()` of a `WebSocket` holds reading back.

use std::time::Instant;

use super::Connection;
use super::pull_state::Unread;

impl Connection {
    #[inline]
    pub(crate) fn is_pull(&self) -> bool {
        self.pull.get().is_some()
    }

    /// Whether nothing may be read now: the script has asked for no message, or holds reading back.
    /// When the script cannot ask any more, the remaining messages are read and discarded, because
    /// the peer's Close frame stands after them.
    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        let is_unwanted = match self.pull.get() {
            Some(pull) => !pull.is_wanted.get(),
            None => self.is_held_back.get(),
        };
        is_unwanted && {
            let session = self.session();
            !session.has_lost_data() && session.delivers()
        }
    }

    /// Whether the script holds reading back.
    pub(crate) fn is_held_back(&self) -> bool {
        self.is_held_back.get()
    }

    /// The script holds reading back, or goes on at `now`. Returns whether the hub must look at
    /// this connection.
    pub(crate) fn hold_back(&self, is_held_back: bool, now: Instant) -> bool {
        let goes_on = self.is_held_back.replace(is_held_back) && !is_held_back;
        if goes_on && self.settings.session.idle.is_some() {
            // The time in which this end did not read does not count as
            // silence.
            self.record_heard(now);
        }
        goes_on
    }

    /// The script asks for a message at `now`. Returns whether the hub must look at this
    /// connection: it need not if the hub is delivering to the connection now.
    pub(crate) fn want(&self, now: Instant) -> bool {
        let Some(pull) = self.pull.get() else {
            return false;
        };
        if pull.is_wanted.replace(true) {
            return false;
        }
        if self.settings.session.idle.is_some() {
            // The time in which this end did not read does not count as
            // silence.
            self.record_heard(now);
        }
        !pull.is_delivering.get()
    }

    /// A message is about to be delivered.
    #[inline]
    pub(crate) fn begin_delivery(&self) {
        if let Some(pull) = self.pull.get() {
            pull.is_wanted.set(false);
            pull.is_delivering.set(true);
        }
    }

    /// The message was delivered. Returns whether the next may be delivered.
    #[inline]
    pub(crate) fn end_delivery(&self) -> bool {
        match self.pull.get() {
            Some(pull) => {
                pull.is_delivering.set(false);
                !self.is_paused()
            }
            None => true,
        }
    }

    /// Keeps the bytes that were read after the last message.
    pub(crate) fn keep_unread(&self, bytes: &[u8]) {
        if let Some(pull) = self.pull.get()
            && !bytes.is_empty()
        {
            *pull.unread.borrow_mut() = Unread {
                bytes: bytes.to_vec(),
                start: 0,
            };
        }
    }

    /// Takes the kept bytes, which are decoded before anything else.
    pub(crate) fn take_unread(&self) -> Option<Unread> {
        let unread = self.pull.get()?.unread.take();
        (!unread.bytes.is_empty()).then_some(unread)
    }

    /// Puts the kept bytes back if the last `left` bytes of them are left.
    pub(crate) fn restore_unread(&self, mut unread: Unread, left: usize) {
        if let Some(pull) = self.pull.get()
            && left > 0
        {
            unread.start = unread.bytes.len() - left;
            *pull.unread.borrow_mut() = unread;
        }
    }
}
