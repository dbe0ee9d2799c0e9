//! Frames on their way to the kernel.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use crate::transport::Transport;

/// The frames of a connection that the kernel has not taken, in order.
///
/// It also knows how many bytes of application data are among them, which is
/// the `bufferedAmount` of the WebSockets standard.
#[derive(Default)]
pub(crate) struct OutBuffer {
    bytes: Vec<u8>,
    /// How much of `bytes` the kernel has taken.
    written: usize,
    /// The frames that end behind `written`.
    frames: VecDeque<Span>,
    /// How much of the first frame's payload `pending` no longer counts.
    front_taken: usize,
    /// Bytes of payload the kernel has not taken.
    pending: usize,
    /// Bytes of payload it took during the current turn of the script.
    taken_this_turn: usize,
    /// Whether the transport holds bytes of its own, as TLS does.
    needs_flush: bool,
    /// Whether `bytes` is of a size that nothing else will need.
    is_odd: bool,
}

/// Where a data frame lies in [`OutBuffer::bytes`], and how long its payload,
/// the end of it, is.
struct Span {
    end: usize,
    /// In bytes of application data: of a compressed frame, more than it has.
    payload: usize,
    is_compressed: bool,
}

impl OutBuffer {
    /// One whose first bytes are no frame.
    pub fn starting_with(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            is_odd: true,
            ..Self::default()
        }
    }

    /// Whether the kernel has taken everything.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.needs_flush
    }

    /// Bytes on their way, frame headers included.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Bytes of application data sent by the script that had not reached the
    /// kernel when its current turn began, or that were sent since.
    pub fn buffered_amount(&self) -> usize {
        self.pending + self.taken_this_turn
    }

    /// Bytes of application data that the kernel has not taken.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Whether application data is on its way, be it an empty message.
    pub fn has_data(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Called between two turns of the script: what was taken counts from now.
    pub fn end_turn(&mut self) {
        self.taken_this_turn = 0;
    }

    /// Appends a frame that carries `payload` bytes of application data by the
    /// encoder's function `encode`.
    #[inline]
    pub fn push_data(&mut self, payload: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        encode(&mut self.bytes);
        let end = self.bytes.len();
        self.pending += payload;
        self.frames.push_back(Span {
            end,
            payload,
            is_compressed: end - start < payload,
        });
    }

    /// Appends a control frame.
    pub fn push_control(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
    }

    /// Discards what has not been written: the transport is gone.
    pub fn clear(&mut self) {
        // What never reached the kernel stays in `bufferedAmount`.
        self.bytes = Vec::new();
        self.frames = VecDeque::new();
        self.written = 0;
        self.needs_flush = false;
    }

    /// Writes the last of it, behind which the transport is shut down, as far as the
    /// transport takes it at once.
    pub fn write_last_to(&mut self, transport: &Transport) {
        let count = transport.write_last(&self.bytes[self.written..]);
        if count > 0 {
            self.written += count;
            self.needs_flush = true;
        }
    }

    /// Writes what the transport takes without blocking. Ready where it took
    /// everything; pending where `cx` will be woken to go on.
    pub fn poll_write_to(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut transport = Pin::new(transport);
        while self.written < self.bytes.len() {
            match transport
                .as_mut()
                .poll_write(cx, &self.bytes[self.written..])
            {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.needs_flush = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.account();
                    return Poll::Pending;
                }
            }
        }
        if !self.bytes.is_empty() {
            self.taken_this_turn += self.pending;
            self.pending = 0;
            self.front_taken = 0;
            self.written = 0;
            self.frames.clear();
            self.bytes.clear();
            // An idle connection keeps no large buffer.
            if self.bytes.capacity() > KEPT_CAPACITY || std::mem::take(&mut self.is_odd) {
                self.bytes = Vec::new();
                self.frames = VecDeque::new();
            }
        }
        if self.needs_flush {
            match transport.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Brings `pending` up to `written`, and drops a long written start.
    fn account(&mut self) {
        while let Some(front) = self.frames.front() {
            let left = front.end.saturating_sub(self.written);
            let taken = match front.is_compressed {
                // Which byte stands for which is not to be told.
                true if left > 0 => 0,
                true => front.payload,
                false => front.payload.saturating_sub(left),
            };
            self.pending -= taken - self.front_taken;
            self.taken_this_turn += taken - self.front_taken;
            self.front_taken = taken;
            if left > 0 {
                break;
            }
            self.front_taken = 0;
            self.frames.pop_front();
        }
        if self.written >= COMPACT_FROM && self.written >= self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            for span in &mut self.frames {
                span.end -= self.written;
            }
            self.written = 0;
        }
    }
}

/// A drained buffer up to this many bytes is kept for the next message.
const KEPT_CAPACITY: usize = 4 << 10;
/// A written start of this many bytes is worth moving the rest.
const COMPACT_FROM: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::AsyncReadExt;

    use super::*;

    fn frame(out: &mut OutBuffer, payload: usize) {
        out.push_data(payload, |bytes| {
            bytes.extend_from_slice(&[0; 4]);
            bytes.resize(bytes.len() + payload, 1);
        });
    }

    #[tokio::test]
    async fn buffered_amount_falls_by_what_the_transport_took() {
        let (mut far, near) = tokio::io::duplex(10);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        frame(&mut out, 8);
        frame(&mut out, 3);
        assert_eq!(out.buffered_amount(), 11);

        // 10 bytes: the header and 6 bytes of the first payload.
        assert!(out.poll_write_to(&mut transport, &mut cx).is_pending());
        assert_eq!(out.buffered_amount(), 11, "not during the turn");
        out.end_turn();
        assert_eq!(out.buffered_amount(), 5);

        let mut taken = [0; 10];
        far.read_exact(&mut taken).await.unwrap();
        assert!(out.poll_write_to(&mut transport, &mut cx).is_ready());
        out.end_turn();
        assert_eq!(out.buffered_amount(), 0);
        assert!(out.is_empty());
    }

    #[tokio::test]
    async fn a_compressed_message_counts_until_it_is_through() {
        let (mut far, near) = tokio::io::duplex(4);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        out.push_data(1000, |bytes| bytes.extend_from_slice(&[0; 6]));
        assert!(out.poll_write_to(&mut transport, &mut cx).is_pending());
        out.end_turn();
        assert_eq!(out.buffered_amount(), 1000);

        far.read_exact(&mut [0; 4]).await.unwrap();
        assert!(out.poll_write_to(&mut transport, &mut cx).is_ready());
        out.end_turn();
        assert_eq!(out.buffered_amount(), 0);
    }

    #[tokio::test]
    async fn control_frames_do_not_count() {
        let (_far, near) = tokio::io::duplex(1);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        out.push_control(|bytes| bytes.extend_from_slice(&[0x89, 0]));
        frame(&mut out, 5);
        assert!(out.poll_write_to(&mut transport, &mut cx).is_pending());
        out.end_turn();
        assert_eq!((out.buffered_amount(), out.len()), (5, 10));
    }

    #[tokio::test]
    async fn a_long_written_start_is_dropped() {
        let (mut far, near) = tokio::io::duplex(COMPACT_FROM);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        frame(&mut out, COMPACT_FROM - 4);
        frame(&mut out, 7);
        assert!(out.poll_write_to(&mut transport, &mut cx).is_pending());
        assert_eq!(out.bytes.len(), 11);
        out.end_turn();
        assert_eq!(out.buffered_amount(), 7);

        let mut taken = vec![0; COMPACT_FROM];
        far.read_exact(&mut taken).await.unwrap();
        assert!(out.poll_write_to(&mut transport, &mut cx).is_ready());
        assert_eq!(out.bytes.capacity(), 0);
    }
}
