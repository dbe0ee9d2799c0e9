//! The memory of long messages that scripts no longer use, for the next messages.
//!
//! Such memory is still in the caches. An allocator would search for memory, or split and join it,
//! each time. The engine frees messages by hundreds, and on any thread.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The buffers that the scripts of one runtime no longer use.
#[derive(Clone, Default)]
pub(crate) struct Recycler(Arc<Mutex<Free>>);

struct Free {
    /// Empty buffers, by their capacity in units of [`STEP`].
    buffers: [Vec<Vec<u8>>; STEPS],
    /// How many bytes these buffers have.
    bytes: usize,
}

impl Default for Free {
    fn default() -> Self {
        Self {
            buffers: [const { Vec::new() }; STEPS],
            bytes: 0,
        }
    }
}

impl Recycler {
    /// An empty buffer with a capacity of at least `length` bytes. `length` is at most [`LONGEST`].
    pub(crate) fn take(&self, length: usize) -> Vec<u8> {
        let step = length.div_ceil(STEP);
        let mut free = self.lock();
        match free.buffers.get_mut(step).and_then(Vec::pop) {
            Some(buffer) => {
                free.bytes -= buffer.capacity();
                buffer
            }
            None => {
                drop(free);
                Vec::with_capacity(step * STEP)
            }
        }
    }

    /// Keeps a buffer that [`take`](Self::take) returned, unless [`KEPT`] bytes
    /// are kept.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let mut free = self.lock();
        let bytes = free.bytes + capacity;
        if capacity >= STEP
            && bytes <= KEPT
            && let Some(buffers) = free.buffers.get_mut(capacity / STEP)
        {
            buffer.clear();
            buffers.push(buffer);
            free.bytes = bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The payload of a message in memory of a [`Recycler`]. Dropping the payload
/// returns the memory.
pub(crate) struct Recycled {
    frame: Vec<u8>,
    /// Where the payload starts.
    start: usize,
    recycler: Recycler,
}

impl Recycled {
    /// The bytes of `frame` from `start` on. `recycler` has handed out `frame`.
    pub(crate) fn new(frame: Vec<u8>, start: usize, recycler: Recycler) -> Self {
        Self {
            frame,
            start,
            recycler,
        }
    }
}

impl AsMut<[u8]> for Recycled {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.frame[self.start..]
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        self.recycler.give(mem::take(&mut self.frame));
    }
}

/// The longest buffer that is handed out, in bytes.
pub(crate) const LONGEST: usize = 64 << 10;
/// Capacities are multiples of this number of bytes.
const STEP: usize = 1 << 10;
const STEPS: usize = LONGEST / STEP + 1;
/// How many bytes are kept at most.
const KEPT: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back() {
        let recycler = Recycler::default();
        let mut frame = recycler.take(5000);
        assert!((5000..6144).contains(&frame.capacity()));
        frame.extend_from_slice(b"..payload");
        let at = frame.as_ptr();
        let mut message = Recycled::new(frame, 2, recycler.clone());
        assert_eq!(message.as_mut(), b"payload");
        let other = recycler.take(5000);
        assert_ne!(other.as_ptr(), at, "it is in use");

        std::thread::spawn(move || drop(message)).join().unwrap();
        let again = recycler.take(5100);
        assert_eq!((again.as_ptr(), again.len()), (at, 0));
    }

    #[test]
    fn what_is_kept_is_limited() {
        let recycler = Recycler::default();
        let lengths = [1, STEP, STEP + 1, LONGEST - 1, LONGEST];
        for length in lengths.into_iter().cycle().take(1000) {
            let buffers = [recycler.take(length), recycler.take(length)];
            for buffer in buffers {
                assert!(buffer.is_empty() && buffer.capacity() >= length);
                recycler.give(buffer);
            }
        }
        let many: Vec<_> = (0..2 * KEPT / LONGEST)
            .map(|_| recycler.take(LONGEST))
            .collect();
        many.into_iter().for_each(|buffer| recycler.give(buffer));
        let free = recycler.lock();
        let kept: usize = free.buffers.iter().flatten().map(Vec::capacity).sum();
        assert_eq!(kept, free.bytes);
        assert!((KEPT - LONGEST..=KEPT).contains(&kept), "{kept}");
    }

    #[test]
    fn other_memory_is_not_kept() {
        let recycler = Recycler::default();
        recycler.give(Vec::with_capacity(2 * LONGEST));
        recycler.give(Vec::new());
        assert_eq!(recycler.lock().buffers.iter().flatten().count(), 0);
    }
}
