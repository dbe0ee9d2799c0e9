//! Sending behind a Blob, whose content is read asynchronously.

use std::cell::RefCell;

use duplex_protocol::close::Close;

use super::Connection;
use super::status::SendStatus;
use super::writer::FLUSH_EARLY_FROM;
use crate::deferred::Deferred;
use crate::message::Message;
use crate::out_buffer::OutBuffer;

impl Connection {
    fn deferred(&self) -> &RefCell<Deferred> {
        self.deferred.get_or_init(Box::default)
    }

    /// Keeps the place of a Blob of `length` bytes. Messages that the script sends before
    /// [`send_blob`](Self::send_blob) brings the bytes wait. The Close frame waits too.
    pub(crate) fn defer_blob(&self, length: usize) -> SendStatus {
        self.defer_entry(|deferred| deferred.push_blob(length))
    }

    /// Keeps a message behind a Blob.
    #[cold]
    pub(super) fn defer(&self, message: Message<'_>) -> SendStatus {
        self.defer_entry(|deferred| deferred.push(message))
    }

    fn defer_entry(&self, push: impl FnOnce(&mut Deferred)) -> SendStatus {
        let mut out = self.out.borrow_mut();
        let mut deferred = self.deferred().borrow_mut();
        if !self.session().can_send() || deferred.has_close() {
            return SendStatus::Closed;
        }
        if let Some(refused) = self.overflow(&mut out, deferred.held()) {
            return refused;
        }
        push(&mut deferred);
        self.is_deferring.set(true);
        SendStatus::Taken
    }

    /// Queues the bytes of the Blob whose turn it is, or nothing if the Blob cannot be read. Also
    /// queues the messages that were sent behind the Blob, up to the next Blob. Returns the Close
    /// frame that will follow.
    pub(crate) fn send_blob(&self, bytes: Option<&[u8]>) -> Option<Close> {
        let mut deferred = self.deferred().borrow_mut();
        if !self.session().can_send() {
            // The Blob will not be sent, and stays in `bufferedAmount`.
            return None;
        }
        deferred.pop_blob();
        let mut out = self.out.borrow_mut();
        // There was room for all of these messages when the script sent them.
        if let Some(bytes) = bytes {
            self.push_deferred(&mut out, Message::Binary(bytes));
        }
        while let Some(owned) = deferred.pop() {
            self.push_deferred(&mut out, owned.message());
        }
        self.is_deferring.set(!deferred.is_empty());
        match deferred.is_empty() {
            true => deferred.take_close(),
            false => None,
        }
    }

    fn push_deferred(&self, out: &mut OutBuffer, message: Message<'_>) {
        self.record_sent(message);
        self.push_message(out, message.length(), |out, key, compressor| {
            message.encode(out, key, compressor);
        });
        if !self.is_blocked.get() && out.len() >= FLUSH_EARLY_FROM {
            self.write(out);
        }
        if self.is_blocked.get() {
            self.is_drain_awaited.set(true);
        }
    }

    /// Makes the Close frame follow the messages that wait for a Blob, if there are any. Returns
    /// whether there are.
    pub(crate) fn defer_close(&self, close: &Close) -> bool {
        let is_deferring = self.is_deferring.get() && self.session().can_send();
        if is_deferring {
            self.deferred().borrow_mut().close(close);
        }
        is_deferring
    }

    /// Whether a message that is sent now waits for a Blob.
    #[cfg(test)]
    pub(crate) fn is_deferring(&self) -> bool {
        self.is_deferring.get()
    }

    /// How many bytes of application data wait for a Blob, those of Blobs
    /// included.
    pub(super) fn deferred_payload(&self) -> usize {
        let deferred = self.deferred.get();
        deferred.map_or(0, |deferred| deferred.borrow().payload())
    }
}
