//! Frames on their way to the kernel.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use crate::transport::Transport;

/// The frames of a connection that the kernel has not taken, in order.
///
/// The buffer also knows how many bytes of application data are among them.
/// This number is the `bufferedAmount` of the WebSockets standard.
///
/// An empty buffer holds no memory. All connections of a thread share the few queues that are
/// needed at a time, so that the queues stay in the caches.
#[derive(Default)]
pub(crate) struct OutBuffer {
    queue: Option<Box<FrameQueue>>,
    /// How many bytes had been queued when the last queue was given back.
    end: u64,
}

/// The queue of an [`OutBuffer`] that is not empty.
#[derive(Default)]
struct FrameQueue {
    /// The bytes that go before `bytes`: long frames that other connections share, and full
    /// buffers.
    chunks: VecDeque<Bytes>,
    /// The buffer that frames are appended to.
    bytes: Vec<u8>,
    /// How many bytes the kernel has taken of the first chunk, or of `bytes` if there is no chunk.
    taken: usize,
    /// How many bytes were pushed since the connection began.
    end: u64,
    /// How many of these bytes the kernel has taken.
    written: u64,
    /// The end of the last Pong that answers a Ping, by the count of `end`. 0
    /// if there was none.
    pong_end: u64,
    /// The frames that end after `written`. If there are many, short neighbours are joined into
    /// one.
    frames: VecDeque<Span>,
    /// How many bytes of the first frame's payload `pending` does not count any
    /// more.
    front_taken: usize,
    /// Bytes of payload the kernel has not taken.
    pending: usize,
    /// Bytes of payload that the kernel took during the current turn of the
    /// script.
    taken_this_turn: usize,
    /// Whether the transport holds bytes of its own, as TLS does.
    needs_flush: bool,
}

/// A data frame: its end, by the count of [`FrameQueue::end`], and the length of its payload. The
/// payload is the end of the frame.
struct Span {
    end: u64,
    /// In bytes of application data. A compressed frame has fewer bytes than
    /// its application data.
    payload: usize,
    is_compressed: bool,
}

impl OutBuffer {
    /// Whether the kernel has taken everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.is_empty())
    }

    /// Bytes on their way, frame headers included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len())
    }

    /// How much memory the queued frames take, in bytes. Included are the bytes that the kernel has
    /// taken and that are not freed, and the notes about the frames.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.held())
    }

    /// How many bytes have been queued since the connection began.
    pub(crate) fn end(&self) -> u64 {
        self.queue.as_ref().map_or(self.end, |queue| queue.end)
    }

    /// How many of the queued bytes the kernel has taken.
    pub(crate) fn written(&self) -> u64 {
        self.queue.as_ref().map_or(self.end, |queue| queue.written)
    }

    /// Bytes of application data that the script sent, and that had not reached
    /// the kernel when the script's current turn began, or that were sent since
    /// then.
    pub(crate) fn buffered_amount(&self) -> usize {
        let queue = self.queue.as_ref();
        queue.map_or(0, |queue| queue.pending + queue.taken_this_turn)
    }

    /// Bytes of application data that the kernel has not taken.
    pub(crate) fn pending(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.pending)
    }

    /// Whether a message is on its way, even an empty one.
    pub(crate) fn has_data(&self) -> bool {
        let queue = self.queue.as_ref();
        queue.is_some_and(|queue| !queue.frames.is_empty())
    }

    /// Called between two turns of the script. From now on `buffered_amount`
    /// does not count the bytes that the kernel has taken.
    pub(crate) fn end_turn(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.taken_this_turn = 0;
            // Lost bytes stay in `bufferedAmount`.
            if queue.is_empty() && queue.pending == 0 {
                self.end = queue.end;
                POOL.with_borrow_mut(|pool| pool.give(self.queue.take()));
            }
        }
    }

    /// Appends bytes that are not a frame.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.queue().append(|out| out.extend_from_slice(bytes));
    }

    /// Appends a frame by `encode`, a function of the encoder. The frame
    /// carries `payload` bytes of application data.
    #[inline]
    pub(crate) fn push_data(&mut self, payload: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let queue = self.queue();
        let length = queue.append(encode);
        queue.record_frame(length, payload);
    }

    /// Appends a frame that other connections send too. A long frame is not
    /// copied.
    pub(crate) fn push_shared(&mut self, payload: usize, frame: &Bytes) {
        if frame.len() < SHARED_FROM {
            return self.push_data(payload, |bytes| bytes.extend_from_slice(frame));
        }
        let queue = self.queue();
        queue.freeze();
        queue.chunks.push_back(frame.clone());
        queue.end += frame.len() as u64;
        queue.record_frame(frame.len(), payload);
    }

    /// Appends a control frame.
    pub(crate) fn push_control(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.queue().append(encode);
    }

    /// Appends the answer to a Ping.
    pub(crate) fn push_answer(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let queue = self.queue();
        queue.append(encode);
        queue.pong_end = queue.end;
    }

    /// Whether the kernel has not taken all of the answer to a Ping.
    pub(crate) fn has_answer(&self) -> bool {
        let queue = self.queue.as_ref();
        queue.is_some_and(|queue| queue.written < queue.pong_end)
    }

    /// Discards the bytes that have not been written, because the transport is
    /// gone.
    pub(crate) fn clear(&mut self) {
        if let Some(queue) = &mut self.queue {
            // Bytes that never reached the kernel stay in `bufferedAmount`.
            **queue = FrameQueue {
                end: queue.end,
                written: queue.end,
                pending: queue.pending,
                taken_this_turn: queue.taken_this_turn,
                ..FrameQueue::default()
            };
        }
    }

    /// Writes the last bytes, after which the transport is shut down, as far as the transport takes
    /// them at once.
    pub(crate) fn write_last_to(&mut self, transport: &Transport) {
        if let Some(queue) = &mut self.queue
            && queue.chunks.is_empty()
        {
            let count = transport.write_last(&queue.bytes[queue.taken..]);
            queue.record_written(count);
        }
    }

    /// The bytes that a [`SendBatch`](crate::hub::send_batch::SendBatch) can write: all, unless
    /// they are in several pieces.
    #[cfg(target_os = "linux")]
    pub(crate) fn unwritten(&self) -> Option<&[u8]> {
        let queue = self.queue.as_ref()?;
        let bytes = &queue.bytes[queue.taken.min(queue.bytes.len())..];
        (queue.chunks.is_empty() && !bytes.is_empty()).then_some(bytes)
    }

    /// Notes that the batch wrote `count` of these bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn record_written(&mut self, count: usize) {
        if let Some(queue) = &mut self.queue {
            queue.record_written(count);
        }
    }

    /// Writes the bytes that the transport takes without blocking. Ready if the
    /// transport took everything. Pending if `cx` will be woken to go on.
    pub(crate) fn poll_write_to(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.queue {
            Some(queue) => queue.poll_write(transport, cx, [&[], &[]]),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Appends an uncompressed frame and writes, as [`poll_write_to`](Self::poll_write_to) does.
    /// Only the bytes of the frame that the transport did not take are copied.
    pub(crate) fn poll_write_long(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
        header: &[u8],
        payload: &[u8],
    ) -> Poll<io::Result<()>> {
        let length = header.len() + payload.len();
        let queue = self.queue();
        queue.end += length as u64;
        queue.record_frame(length, payload.len());
        let result = queue.poll_write(transport, cx, [header, payload]);
        if queue.written < queue.end {
            let skip = match queue.chunks.is_empty() {
                true => queue.taken.saturating_sub(queue.bytes.len()),
                false => 0,
            };
            if skip > 0 {
                queue.bytes.clear();
                queue.taken = 0;
            } else if queue.bytes.len() >= FULL_FROM {
                queue.freeze();
            }
            queue.bytes.reserve_exact(length - skip);
            let bytes = &mut queue.bytes;
            bytes.extend_from_slice(header.get(skip..).unwrap_or_default());
            let skip = skip.saturating_sub(header.len());
            bytes.extend_from_slice(&payload[skip..]);
        }
        result
    }

    #[inline]
    fn queue(&mut self) -> &mut FrameQueue {
        self.queue
            .get_or_insert_with(|| POOL.with_borrow_mut(|pool| pool.take(self.end)))
    }
}

impl FrameQueue {
    fn is_empty(&self) -> bool {
        self.len() == 0 && !self.needs_flush
    }

    fn len(&self) -> usize {
        (self.end - self.written) as usize
    }

    fn held(&self) -> usize {
        let notes = self.frames.len() * size_of::<Span>() + self.chunks.len() * CHUNK;
        self.len() + self.taken + notes
    }

    /// Appends the bytes that `encode` appends. Returns how many bytes these
    /// are.
    #[inline]
    fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
        if self.bytes.len() >= FULL_FROM {
            // Moving the bytes to a longer buffer would cost as much as a new buffer, and the
            // written part of a longer buffer could not be freed.
            self.freeze();
        }
        let start = self.bytes.len();
        encode(&mut self.bytes);
        let length = self.bytes.len() - start;
        self.end += length as u64;
        length
    }

    /// Puts the appended bytes into a chunk of their own. The chunk holds little more memory than
    /// the bytes.
    fn freeze(&mut self) {
        let length = self.bytes.len();
        if length == 0 {
            return;
        }
        if self.bytes.capacity() - length <= length / 16 {
            self.chunks.push_back(mem::take(&mut self.bytes).into());
            return;
        }
        self.chunks.push_back(Bytes::copy_from_slice(&self.bytes));
        match self.bytes.capacity() {
            ..=LONGEST_KEPT => self.bytes.clear(),
            _ => self.bytes = Vec::new(),
        }
    }

    /// Counts the frame of `length` bytes that ends at `end`.
    #[inline]
    fn record_frame(&mut self, length: usize, payload: usize) {
        self.pending += payload;
        let is_compressed = length < payload;
        if self.frames.len() >= SEPARATE_FRAMES && self.join_frame(payload, is_compressed) {
            return;
        }
        self.frames.push_back(Span {
            end: self.end,
            payload,
            is_compressed,
        });
    }

    /// Counts the frame that ends at `end` together with the frame before it if both are short, so
    /// that the notes about frames take little memory. Returns whether the frames
    /// were joined.
    #[cold]
    fn join_frame(&mut self, payload: usize, is_compressed: bool) -> bool {
        let Some([before, last]) = self
            .frames
            .len()
            .checked_sub(2)
            .map(|at| [at, at + 1].map(|at| self.frames[at].end))
        else {
            return false;
        };
        debug_assert!(before <= last);
        if self.end - before > JOINED {
            return false;
        }
        if let Some(span) = self.frames.back_mut() {
            span.end = self.end;
            span.payload += payload;
            span.is_compressed |= is_compressed;
        }
        true
    }

    /// The transport has taken `count` bytes, which it may still hold.
    fn record_written(&mut self, count: usize) {
        if count > 0 {
            self.advance(count);
            self.needs_flush = true;
        }
    }

    /// Writes the queued bytes and then `tail`, which `end` counts already.
    fn poll_write(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
        tail: [&[u8]; 2],
    ) -> Poll<io::Result<()>> {
        let mut transport = Pin::new(transport);
        let is_plain = tail[0].is_empty();
        while self.written < self.end {
            let written = if is_plain && self.chunks.is_empty() {
                transport.as_mut().poll_write(cx, &self.bytes[self.taken..])
            } else {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let count = self.slices(tail, &mut slices);
                let transport = transport.as_mut();
                transport.poll_write_vectored(cx, &slices[..count])
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => self.record_written(count),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.account();
                    return Poll::Pending;
                }
            }
        }
        // Lost bytes stay in `pending`. In that case there are no frames and no
        // bytes.
        if !self.frames.is_empty() || !self.bytes.is_empty() {
            self.taken_this_turn += self.pending;
            self.pending = 0;
            self.front_taken = 0;
            self.taken = 0;
            self.frames.clear();
            self.bytes.clear();
        }
        if self.needs_flush {
            match transport.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Puts the parts that must be written into `slices`, as many as fit. Returns how many.
    fn slices<'b>(&'b self, tail: [&'b [u8]; 2], slices: &mut [IoSlice<'b>]) -> usize {
        let chunks = self.chunks.iter().map(|chunk| &chunk[..]);
        let mut taken = self.taken;
        let mut count = 0;
        for part in chunks.chain([&self.bytes[..], tail[0], tail[1]]) {
            let Some(slice) = slices.get_mut(count) else {
                break;
            };
            if taken < part.len() {
                *slice = IoSlice::new(&part[taken..]);
                count += 1;
            }
            taken = taken.saturating_sub(part.len());
        }
        count
    }

    /// The transport has taken `count` bytes more.
    fn advance(&mut self, count: usize) {
        self.written += count as u64;
        self.taken += count;
        while let Some(chunk) = self.chunks.front()
            && self.taken >= chunk.len()
        {
            self.taken -= chunk.len();
            self.chunks.pop_front();
        }
    }

    /// Brings `pending` up to `written`.
    fn account(&mut self) {
        while let Some(front) = self.frames.front() {
            let left = front.end.saturating_sub(self.written) as usize;
            let taken = match front.is_compressed {
                // A byte of a compressed frame does not stand for a known
                // number of bytes of the message.
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
    }
}

/// The queues that no connection of a thread needs now.
struct Pool {
    #[expect(clippy::vec_box, reason = "they are handed on as they are")]
    queues: Vec<Box<FrameQueue>>,
    /// How many bytes the buffers of these queues hold.
    bytes: usize,
}

impl Pool {
    /// A queue for a connection that has queued `end` bytes so far.
    #[inline]
    fn take(&mut self, end: u64) -> Box<FrameQueue> {
        let mut queue = self.queues.pop().unwrap_or_default();
        self.bytes -= queue.bytes.capacity();
        queue.end = end;
        queue.written = end;
        queue.pong_end = 0;
        queue
    }

    /// Keeps an empty queue for the next connection, unless the pool is full.
    #[inline]
    fn give(&mut self, queue: Option<Box<FrameQueue>>) {
        let Some(mut queue) = queue.filter(|_| self.queues.len() < POOLED) else {
            return;
        };
        let capacity = queue.bytes.capacity();
        if capacity >= LONGEST_KEPT || self.bytes + capacity > POOLED_BYTES {
            queue.bytes = Vec::new();
        }
        if queue.frames.capacity().max(queue.chunks.capacity()) > POOLED_FRAMES {
            queue.frames = VecDeque::new();
            queue.chunks = VecDeque::new();
        }
        self.bytes += queue.bytes.capacity();
        self.queues.push(queue);
    }
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            queues: Vec::new(),
            bytes: 0,
        })
    };
}

/// How many queues are kept.
const POOLED: usize = 1 << 10;
/// How many bytes of buffers are kept.
const POOLED_BYTES: usize = 2 << 20;
/// For how many frames a kept queue may have room.
const POOLED_FRAMES: usize = 64;
/// A buffer with this many bytes is full. The next frame goes into another
/// buffer.
const FULL_FROM: usize = 64 << 10;
/// A longer buffer is freed and not used again.
const LONGEST_KEPT: usize = 2 * FULL_FROM;
/// Up to this many frames are noted one by one.
const SEPARATE_FRAMES: usize = 64;
/// Of more frames, neighbours are noted as one frame up to this total length,
/// in bytes.
const JOINED: u64 = 4 << 10;
/// The memory of a chunk besides its bytes, in bytes.
const CHUNK: usize = 96;
/// A shared frame of at least this many bytes is not copied.
const SHARED_FROM: usize = 4 << 10;
/// How many parts are written at once.
const MAX_SLICES: usize = 32;

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
    async fn what_is_written_is_freed() {
        let (mut far, near) = tokio::io::duplex(FULL_FROM);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        frame(&mut out, FULL_FROM - 4);
        frame(&mut out, 7);
        assert!(out.poll_write_to(&mut transport, &mut cx).is_pending());
        let queue = out.queue.as_ref().unwrap();
        assert!(queue.chunks.is_empty());
        assert_eq!((queue.bytes.len(), out.len()), (11, 11));
        out.end_turn();
        assert_eq!(out.buffered_amount(), 7);

        let mut taken = vec![0; FULL_FROM];
        far.read_exact(&mut taken).await.unwrap();
        frame(&mut out, 2000);
        assert!(out.poll_write_to(&mut transport, &mut cx).is_ready());
        assert_eq!(out.buffered_amount(), 2007);
        out.end_turn();
        assert!(out.queue.is_none());
    }

    #[tokio::test]
    async fn an_empty_queue_goes_to_the_next_connection() {
        let (_far, near) = tokio::io::duplex(1 << 20);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let [mut first, mut second, mut third] = [0; 3].map(|_| OutBuffer::default());
        frame(&mut first, 5000);
        frame(&mut second, 1);
        let at = |out: &OutBuffer| out.queue.as_ref().unwrap().bytes.as_ptr();
        let memory = at(&first);
        assert_ne!(at(&second), memory);
        assert!(first.poll_write_to(&mut transport, &mut cx).is_ready());
        frame(&mut first, 1);
        assert_eq!(at(&first), memory, "not before the turn ends");
        assert!(first.poll_write_to(&mut transport, &mut cx).is_ready());
        first.end_turn();
        frame(&mut third, 5000);
        assert_eq!((at(&third), third.len()), (memory, 5004));
        assert_eq!(third.buffered_amount(), 5000);
    }

    #[tokio::test]
    async fn what_is_kept_for_others_is_limited() {
        let (_far, near) = tokio::io::duplex(64 << 20);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        for (payload, count) in [
            (1, 2 * POOLED),
            (10_000, 500),
            (FULL_FROM, 100),
            (4 * FULL_FROM, 20),
        ] {
            let mut outs: Vec<_> = (0..count).map(|_| OutBuffer::default()).collect();
            for out in &mut outs {
                (0..=2 * POOLED_FRAMES).for_each(|_| frame(out, 0));
                frame(out, payload);
            }
            for out in &mut outs {
                // tokio's transports pause in a task that does not yield.
                tokio::task::yield_now().await;
                assert!(out.poll_write_to(&mut transport, &mut cx).is_ready());
                out.end_turn();
            }
            POOL.with_borrow(|pool| {
                let bytes = pool.queues.iter().map(|queue| queue.bytes.capacity());
                let frames = pool.queues.iter().map(|queue| queue.frames.capacity());
                assert!(frames.max().unwrap() <= POOLED_FRAMES);
                assert_eq!(bytes.sum::<usize>(), pool.bytes);
                assert!(pool.bytes <= POOLED_BYTES && pool.queues.len() <= POOLED);
            });
        }
    }

    /// A long payload in which no byte is like its neighbour.
    fn payload(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    /// How [`whatever_the_transport_takes`] queues its frames.
    type Push = fn(&mut OutBuffer, &mut Transport, &mut Context<'_>, &[u8]);

    fn queue(out: &mut OutBuffer, _: &mut Transport, _: &mut Context<'_>, payload: &[u8]) {
        out.push_data(payload.len(), |bytes| {
            bytes.extend_from_slice(b"head");
            bytes.extend_from_slice(payload);
        });
    }

    fn share(out: &mut OutBuffer, _: &mut Transport, _: &mut Context<'_>, payload: &[u8]) {
        let frame: Bytes = [b"head", payload].concat().into();
        let capacity = |out: &OutBuffer| out.queue.as_ref().map_or(0, |it| it.bytes.capacity());
        let allocated = capacity(out);
        out.push_shared(payload.len(), &frame);
        if frame.len() >= SHARED_FROM {
            assert!(!frame.is_unique() && capacity(out) <= allocated);
        }
    }

    fn write(out: &mut OutBuffer, transport: &mut Transport, cx: &mut Context<'_>, payload: &[u8]) {
        let poll = out.poll_write_long(transport, cx, b"head", payload);
        assert_eq!(poll.is_ready(), out.is_empty());
    }

    /// All bytes arrive in order however few the transport takes at a time, and
    /// `bufferedAmount` is the number of bytes that have not been taken.
    #[tokio::test]
    async fn whatever_the_transport_takes() {
        let lengths = [3, SHARED_FROM, 1, FULL_FROM, 0, 2 * SHARED_FROM, 10];
        let orders: [&[Push]; 5] = [
            &[queue],
            &[share],
            &[write],
            &[share, queue],
            &[queue, write, share],
        ];
        for order in orders {
            for step in [1, 3, 1000, SHARED_FROM + 4, FULL_FROM - 1, 1 << 20] {
                // Single bytes of the first frames will do.
                let lengths = &lengths[..if step < 10 { 3 } else { lengths.len() }];
                let (mut far, near) = tokio::io::duplex(step);
                let mut transport = Transport::Stream(Box::new(near));
                let mut cx = Context::from_waker(Waker::noop());
                let mut out = OutBuffer::default();
                let (mut expected, mut ends) = (Vec::new(), Vec::new());
                for (length, push) in lengths.iter().zip(order.iter().cycle()) {
                    let payload = payload(*length);
                    push(&mut out, &mut transport, &mut cx, &payload);
                    expected.extend_from_slice(b"head");
                    expected.extend_from_slice(&payload);
                    ends.push((expected.len(), *length));
                }
                let total = lengths.iter().sum::<usize>();
                assert_eq!(out.buffered_amount(), total, "not during the turn");

                let mut arrived = Vec::new();
                loop {
                    // tokio's transports pause in a task that does not yield.
                    tokio::task::yield_now().await;
                    let is_done = out.poll_write_to(&mut transport, &mut cx).is_ready();
                    out.end_turn();
                    let written = expected.len() - out.len();
                    let left =
                        |&(end, length): &(usize, usize)| end.saturating_sub(written).min(length);
                    let left: usize = ends.iter().map(left).sum();
                    assert_eq!(out.buffered_amount(), left);
                    let mut taken = vec![0; written - arrived.len()];
                    far.read_exact(&mut taken).await.unwrap();
                    arrived.extend(taken);
                    if is_done {
                        break;
                    }
                }
                assert!(arrived == expected, "{step}");
                assert!(out.is_empty() && out.queue.is_none());
            }
        }
    }

    #[tokio::test]
    async fn of_a_long_frame_only_what_was_not_taken_is_kept() {
        let (mut far, near) = tokio::io::duplex(1000);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        let payload = payload(FULL_FROM);
        write(&mut out, &mut transport, &mut cx, &payload[..900]);
        let capacity = out.queue.as_ref().unwrap().bytes.capacity();
        assert_eq!((capacity, out.buffered_amount()), (0, 900));
        out.end_turn();
        assert_eq!(out.buffered_amount(), 0);

        far.read_exact(&mut [0; 904]).await.unwrap();
        write(&mut out, &mut transport, &mut cx, &payload);
        let left = payload.len() + 4 - 1000;
        let kept = out.queue.as_ref().unwrap().bytes.len();
        assert_eq!((out.len(), kept), (left, left));
        assert_eq!(out.buffered_amount(), payload.len());
        out.end_turn();
        assert_eq!(out.buffered_amount(), left);
    }

    #[tokio::test]
    async fn what_is_lost_stays_in_buffered_amount() {
        let (far, near) = tokio::io::duplex(1000);
        drop(far);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        frame(&mut out, 20);
        let result = out.poll_write_long(&mut transport, &mut cx, b"head", &payload(5000));
        assert!(matches!(result, Poll::Ready(Err(_))));
        out.clear();
        out.end_turn();
        assert_eq!((out.buffered_amount(), out.len()), (5020, 0));
    }

    /// The counted memory is the held memory, for all kinds of frames.
    #[tokio::test]
    async fn what_is_held_is_counted() {
        const LIMIT: usize = 4 << 20;
        for length in [
            0,
            1,
            100,
            1000,
            2040,
            2100,
            4090,
            20_000,
            33_000,
            70_000,
            1 << 20,
        ] {
            let mut out = OutBuffer::default();
            while out.held() < LIMIT {
                frame(&mut out, length);
            }
            let queue = out.queue.as_ref().unwrap();
            let chunks: usize = queue.chunks.iter().map(Bytes::len).sum();
            let notes = queue.frames.capacity() * size_of::<Span>();
            let lists = queue.chunks.capacity() * size_of::<Bytes>();
            let held = chunks + queue.bytes.capacity() + notes + lists;
            assert!(held < LIMIT + LIMIT / 20 + 2 * length, "{length}: {held}");
            // The frames take most of the memory.
            assert!(out.len() > LIMIT - LIMIT / 20, "{length}: {}", out.len());
        }
    }

    #[tokio::test]
    async fn frames_that_are_joined_count_as_before() {
        let (mut far, near) = tokio::io::duplex(1000);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        let lengths = || (0..10_000).map(|at| at % 7);
        lengths().for_each(|length| frame(&mut out, length));
        let mut left: usize = lengths().sum();
        assert_eq!(out.buffered_amount(), left);
        assert!(out.queue.as_ref().unwrap().frames.len() < 100);
        let total = out.end();
        loop {
            tokio::task::yield_now().await;
            let is_done = out.poll_write_to(&mut transport, &mut cx).is_ready();
            out.end_turn();
            let now = out.buffered_amount();
            assert!(now <= left && now <= out.len() && out.has_data() != is_done);
            left = now;
            if is_done {
                break;
            }
            let mut taken = vec![0; 1000];
            far.read_exact(&mut taken).await.unwrap();
        }
        assert_eq!((left, out.written(), out.end()), (0, total, total));
    }

    #[tokio::test]
    async fn the_answer_to_a_ping_is_known_until_it_is_written() {
        let (mut far, near) = tokio::io::duplex(10);
        let mut transport = Transport::Stream(Box::new(near));
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = OutBuffer::default();
        frame(&mut out, 8);
        out.push_answer(|bytes| bytes.extend_from_slice(&[0x8a, 0]));
        frame(&mut out, 8);
        assert!(out.poll_write_to(&mut transport, &mut cx).is_pending());
        assert!(out.has_answer());
        far.read_exact(&mut [0; 10]).await.unwrap();
        assert!(out.poll_write_to(&mut transport, &mut cx).is_pending());
        assert!(!out.has_answer());
        far.read_exact(&mut [0; 10]).await.unwrap();
        assert!(out.poll_write_to(&mut transport, &mut cx).is_ready());
        out.end_turn();
        assert_eq!((out.end(), out.written()), (26, 26));
        // The next connection gets the same queue.
        frame(&mut out, 1);
        assert!(!out.has_answer());
    }
}
