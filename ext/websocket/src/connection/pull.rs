//! Reading as the script wants it. For `WebSocketStream`, nothing is read from the transport, nor
//! decoded, before the script asks for a message. `pause()` of a `WebSocket` holds reading back.

use std::time::Instant;

use super::Connection;
use super::pull_state::Unread;

impl Connection {
    #[inline]
    pub fn is_pull(&self) -> bool {
        self.pull.get().is_some()
    }

    /// Whether nothing is to be read now: the script has asked for no message, or holds reading
    /// back. What it does not ask for is read and discarded once it cannot ask any more:
    /// the peer's Close frame stands behind it.
    #[inline]
    pub fn is_paused(&self) -> bool {
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
    pub fn is_held_back(&self) -> bool {
        self.is_held_back.get()
    }

    /// The script holds reading back, or goes on at `now`. Returns whether the hub is to look at
    /// this connection.
    pub fn hold_back(&self, is_held_back: bool, now: Instant) -> bool {
        let goes_on = self.is_held_back.replace(is_held_back) && !is_held_back;
        if goes_on && self.settings.session.idle.is_some() {
            // A peer that was not listened to was not silent.
            self.record_heard(now);
        }
        goes_on
    }

    /// The script asks for a message at `now`. Returns whether the hub is to look at this
    /// connection: not where it is at it already.
    pub fn want(&self, now: Instant) -> bool {
        let Some(pull) = self.pull.get() else {
            return false;
        };
        if pull.is_wanted.replace(true) {
            return false;
        }
        if self.settings.session.idle.is_some() {
            // A peer that was not listened to was not silent.
            self.record_heard(now);
        }
        !pull.is_delivering.get()
    }

    /// A message is about to be delivered.
    #[inline]
    pub fn begin_delivery(&self) {
        if let Some(pull) = self.pull.get() {
            pull.is_wanted.set(false);
            pull.is_delivering.set(true);
        }
    }

    /// It was delivered. Returns whether the next may be.
    #[inline]
    pub fn end_delivery(&self) -> bool {
        match self.pull.get() {
            Some(pull) => {
                pull.is_delivering.set(false);
                !self.is_paused()
            }
            None => true,
        }
    }

    /// Keeps what was read behind the last message.
    pub fn keep_unread(&self, bytes: &[u8]) {
        if let Some(pull) = self.pull.get()
            && !bytes.is_empty()
        {
            *pull.unread.borrow_mut() = Unread {
                bytes: bytes.to_vec(),
                start: 0,
            };
        }
    }

    /// Takes it, to be decoded before anything else.
    pub fn take_unread(&self) -> Option<Unread> {
        let unread = self.pull.get()?.unread.take();
        (!unread.bytes.is_empty()).then_some(unread)
    }

    /// Puts it back, where so many bytes at its end are left.
    pub fn restore_unread(&self, mut unread: Unread, left: usize) {
        if let Some(pull) = self.pull.get()
            && left > 0
        {
            unread.start = unread.bytes.len() - left;
            *pull.unread.borrow_mut() = unread;
        }
    }
}
