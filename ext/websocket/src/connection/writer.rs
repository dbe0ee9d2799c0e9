//! Sending, backpressure, and writing to the transport.

use std::io;
use std::task::{Context, Poll};

use duplex_protocol::deflate::Compressor;
use duplex_protocol::encoder;
use duplex_protocol::frame::{Opcode, Role};
use duplex_protocol::mask::MaskKey;

use super::Connection;
use super::status::{Backlog, Exceeded, SendStatus};
use crate::deflate;
use crate::message::Message;
use crate::metrics::{Queued, here};
use crate::out_buffer::OutBuffer;
use crate::publication::Publication;
#[cfg(target_os = "linux")]
use crate::transport::Transport;

impl Connection {
    // Sending.

    /// Queues the answer to the opening handshake, before anything else is
    /// queued.
    pub(crate) fn send_answer(&self, answer: &[u8]) {
        self.out.borrow_mut().push_bytes(answer);
    }

    /// Queues a text message.
    #[inline]
    pub(crate) fn send_text(&self, text: &str) -> SendStatus {
        if self.is_deferring.get() {
            return self.defer(Message::Text(text));
        }
        let sent = self.send_long(Opcode::Text, text.as_bytes());
        let sent = sent.unwrap_or_else(|| {
            self.send(text.len(), |out, key, compressor| {
                Message::Text(text).encode(out, key, compressor);
            })
        });
        self.count_sent(sent, Message::Text(text))
    }

    /// Queues a binary message.
    #[inline]
    pub(crate) fn send_binary(&self, bytes: &[u8]) -> SendStatus {
        if self.is_deferring.get() {
            return self.defer(Message::Binary(bytes));
        }
        let sent = self.send_long(Opcode::Binary, bytes);
        let sent = sent.unwrap_or_else(|| {
            self.send(bytes.len(), |out, key, compressor| {
                Message::Binary(bytes).encode(out, key, compressor);
            })
        });
        self.count_sent(sent, Message::Binary(bytes))
    }

    #[inline]
    fn send(
        &self,
        payload: usize,
        encode: impl FnOnce(&mut Vec<u8>, Option<MaskKey>, Option<&mut Compressor>),
    ) -> SendStatus {
        let mut out = self.out.borrow_mut();
        if let Some(refused) = self.refusal(&mut out) {
            return refused;
        }
        self.push_message(&mut out, payload, encode);
        self.was_queued(&mut out)
    }

    #[inline]
    pub(super) fn push_message(
        &self,
        out: &mut OutBuffer,
        payload: usize,
        encode: impl FnOnce(&mut Vec<u8>, Option<MaskKey>, Option<&mut Compressor>),
    ) {
        let key = self.mask_key();
        let mut compressor = self.compressor.borrow_mut();
        if payload > BACKLOG_LIMIT && compressor.is_some() && !self.is_blocked.get() {
            // The queued bytes need not wait while a long message is
            // compressed.
            self.write(out);
        }
        let is_huge = payload > COMPRESSED_LIMIT && self.is_pull();
        let compressor = compressor.as_deref_mut();
        let compressor = compressor.filter(|_| !is_huge && !deflate::is_suspended());
        out.push_data(payload, |out| encode(out, key, compressor));
    }

    /// Writes a long message from its own memory, after the queued bytes. Returns `None` if the
    /// message has to be copied anyway, because it has to be masked, compressed, encrypted or kept.
    #[inline]
    fn send_long(&self, opcode: Opcode, payload: &[u8]) -> Option<SendStatus> {
        if payload.len() < WRITTEN_FROM
            || self.role == Role::Client
            || self.is_blocked.get()
            || self.compressor.borrow().is_some()
        {
            return None;
        }
        let mut out = self.out.borrow_mut();
        let mut transport = self.transport.borrow_mut();
        let may_send = self.session().can_send() && out.held() <= self.backpressure_limit();
        if !transport.is_socket() || !may_send {
            return None;
        }
        let (header, length) = encoder::frame_header(opcode, true, None, payload.len());
        let mut cx = Context::from_waker(&self.waker);
        let written = out.poll_write_long(&mut transport, &mut cx, &header[..length], payload);
        drop(transport);
        self.record_written(&mut out, written);
        Some(self.was_queued(&mut out))
    }

    /// Queues a message that was encoded once for all subscribers.
    pub(crate) fn send_published(&self, publication: &Publication<'_>) -> SendStatus {
        if self.is_deferring.get() {
            return self.defer(publication.message());
        }
        let mut out = self.out.borrow_mut();
        if let Some(refused) = self.refusal(&mut out) {
            return refused;
        }
        let mut compressor = self.compressor.borrow_mut();
        let compressor = compressor.as_deref_mut();
        let compressor = compressor.filter(|_| !deflate::is_suspended());
        publication.with_frame(compressor, |frame| {
            out.push_shared(publication.payload_length(), frame);
        });
        let sent = self.was_queued(&mut out);
        self.count_sent(sent, publication.message())
    }

    pub(super) fn send_control(
        &self,
        encode: impl FnOnce(&mut Vec<u8>, Option<MaskKey>),
    ) -> SendStatus {
        let mut out = self.out.borrow_mut();
        if let Some(refused) = self.refusal(&mut out) {
            return refused;
        }
        let key = self.mask_key();
        out.push_control(|out| encode(out, key));
        self.was_queued(&mut out)
    }

    // Backpressure.

    /// How many bytes may be queued when a message is sent.
    #[inline]
    fn backpressure_limit(&self) -> usize {
        self.settings.limits.backpressure_limit
    }

    /// Why no message can be queued now, or `None` if one can.
    #[inline]
    fn refusal(&self, out: &mut OutBuffer) -> Option<SendStatus> {
        if !self.session().can_send() {
            return Some(SendStatus::Closed);
        }
        if out.held() > self.backpressure_limit() {
            return self.overflow(out, 0);
        }
        None
    }

    /// Why no message can be queued if `deferred` more bytes wait for a Blob,
    /// or `None` if one can.
    #[cold]
    pub(super) fn overflow(&self, out: &mut OutBuffer, deferred: usize) -> Option<SendStatus> {
        let limit = self.backpressure_limit();
        if out.held() + deferred > limit && !self.is_blocked.get() {
            self.write(out);
        }
        if out.held() + deferred <= limit {
            return None;
        }
        if self.settings.limits.close_on_backpressure_limit || self.is_pull() {
            self.exceed(Exceeded::Backpressure);
            here().met_backpressure(Queued::Closed);
            return Some(SendStatus::Closed);
        }
        self.is_drain_awaited.set(true);
        here().met_backpressure(Queued::Refused);
        Some(SendStatus::Refused)
    }

    /// A message was queued.
    #[inline]
    fn was_queued(&self, out: &mut OutBuffer) -> SendStatus {
        // If a script sends much in one turn, not all of it need be held in
        // memory.
        if out.len() >= FLUSH_EARLY_FROM && !self.is_blocked.get() {
            self.write(out);
        }
        if self.is_blocked.get() {
            self.is_drain_awaited.set(true);
            self.count_queue(out);
            here().met_backpressure(Queued::Waits);
            return SendStatus::Buffered;
        }
        SendStatus::Taken
    }

    /// How far the messages of the script have come. If the script has to wait,
    /// [`take_drained`](Self::take_drained) will return `true` when the script
    /// need not wait any more.
    pub(crate) fn backlog(&self) -> Backlog {
        if self.session().is_cut_off() {
            if self.is_pull() && self.session.borrow_mut().lose_data() {
                self.waker.wake_by_ref();
            }
            return Backlog::Closed;
        }
        if !self.session().delivers() {
            return Backlog::Closed;
        }
        if self.has_drained() {
            return Backlog::Low;
        }
        if let Some(pull) = self.pull.get() {
            pull.is_write_pending.set(true);
        }
        Backlog::High
    }

    /// Whether the script was told to wait and need not wait any more. A socket waits until the
    /// kernel has taken all. A stream's writer waits somewhat less.
    pub(crate) fn take_drained(&self) -> bool {
        let Some(pull) = self.pull.get() else {
            return self.is_drain_awaited.get()
                && !self.is_deferring.get()
                && self.session().can_send()
                && self.out.borrow().is_empty()
                && self.is_drain_awaited.replace(false);
        };
        if !pull.is_write_pending.get() {
            return false;
        }
        let session = self.session();
        let is_told = !session.is_cut_off() && !session.has_lost_data() && !session.has_ended();
        is_told && self.has_drained() && pull.is_write_pending.replace(false)
    }

    /// Whether the kernel has taken nearly all bytes, counted before and after
    /// compression.
    fn has_drained(&self) -> bool {
        let out = self.out.borrow();
        let limit = self.backpressure_limit().min(BACKLOG_LIMIT);
        out.pending() <= limit && out.len() <= limit
    }

    /// The bytes that are left in `out` will not arrive, or the peer will not read them. Only a
    /// stream counts such a loss as unclean.
    pub(super) fn record_lost_data(&self, out: &OutBuffer) {
        if self.is_pull() && out.has_data() {
            self.session.borrow_mut().lose_data();
        }
    }

    /// Bytes of application data that have not reached the kernel.
    pub(crate) fn buffered_amount(&self) -> usize {
        self.out.borrow().buffered_amount() + self.deferred_payload()
    }

    /// Whether the kernel takes nothing for now.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked.get()
    }

    // Writing to the transport.

    /// Hands `body` the socket and the queued bytes that a
    /// [`SendBatch`](crate::hub::send_batch::SendBatch) can write, unless the kernel refuses bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_unwritten(&self, body: impl FnOnce(std::os::fd::RawFd, &[u8])) {
        // The last frame of a connection is written by `flush`.
        if self.session().is_last_word() || self.is_blocked.get() {
            return;
        }
        let mut out = self.out.borrow_mut();
        let Some(bytes) = out.unwritten() else {
            return;
        };
        let mut transport = self.transport.borrow_mut();
        if let Some(socket) = transport.socket() {
            body(socket, bytes);
        } else if let Transport::Tls(tls) = &mut *transport
            && let Some((count, socket, records)) = tls.seal(bytes)
        {
            body(socket, records);
            out.record_written(count);
        }
    }

    /// Notes that `count` of these bytes were written.
    #[cfg(target_os = "linux")]
    pub(crate) fn record_batch_written(&self, count: usize) {
        match &mut *self.transport.borrow_mut() {
            Transport::Tls(tls) => tls.record_sent(count),
            _ => self.out.borrow_mut().record_written(count),
        }
    }

    /// Writes the queued bytes. Returns whether the kernel has taken all of it.
    pub(crate) fn flush(&self) -> bool {
        let mut out = self.out.borrow_mut();
        out.end_turn();
        if self.session().is_last_word() {
            out.write_last_to(&self.transport.borrow());
        }
        self.write(&mut out);
        if self.push_pending_pong(&mut out) && !self.is_blocked.get() {
            self.write(&mut out);
        }
        out.end_turn();
        out.is_empty()
    }

    pub(super) fn write(&self, out: &mut OutBuffer) -> bool {
        let mut transport = self.transport.borrow_mut();
        let mut cx = Context::from_waker(&self.waker);
        let written = out.poll_write_to(&mut transport, &mut cx);
        drop(transport);
        self.record_written(out, written)
    }

    /// Notes the result of a write. Returns whether the kernel has taken all
    /// queued bytes.
    fn record_written(&self, out: &mut OutBuffer, written: Poll<io::Result<()>>) -> bool {
        let is_written = match written {
            Poll::Ready(Ok(())) => {
                self.is_blocked.set(false);
                true
            }
            Poll::Pending => {
                self.is_blocked.set(true);
                false
            }
            Poll::Ready(Err(_)) => {
                // What the peer sent before it went may still be read, and its
                // Close frame may be among it.
                self.record_lost_data(out);
                out.clear();
                self.is_blocked.set(true);
                self.session.borrow_mut().cut_off();
                self.waker.wake_by_ref();
                false
            }
        };
        self.count_queue(out);
        is_written
    }
}

/// If a script has queued this many bytes in one turn, they are written before
/// the turn ends.
pub(super) const FLUSH_EARLY_FROM: usize = 256 << 10;
/// A message of at least this many bytes is written at once from its own memory. For a shorter
/// message, a copy costs less than waking the peer earlier: at 16 KiB, 0.5 µs instead of 2.5.
const WRITTEN_FROM: usize = 64 << 10;
/// A stream's messages that are longer than this are not compressed, because
/// compressing them would hold up all other connections. A program that streams
/// can cut its messages.
const COMPRESSED_LIMIT: usize = 16 << 20;
/// A stream's writer waits while the kernel has more bytes than this to take.
const BACKLOG_LIMIT: usize = 64 << 10;
