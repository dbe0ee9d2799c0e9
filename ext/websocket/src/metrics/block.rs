//! The numbers of one thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::places::{self, Place};

/// The numbers of one thread. Only that thread writes them; any thread may read them.
#[repr(align(128))] // No other thread's data shares a cache line with the numbers.
pub(crate) struct Block {
    values: [AtomicU64; places::COUNT],
    /// The number of this block, which no other block has.
    pub number: usize,
    /// When the event loop of the thread last turned, in microseconds since the process began to
    /// count, plus 1. 0 means that the event loop is not watched.
    pub turned: AtomicU64,
}

impl Block {
    pub(crate) const fn new(number: usize) -> Self {
        Self {
            values: [const { AtomicU64::new(0) }; places::COUNT],
            number,
            turned: AtomicU64::new(0),
        }
    }

    /// Adds to a number. A number that can also fall has the bits of an `i64`.
    #[inline]
    pub(crate) fn add(&self, place: Place, count: u64) {
        let value = &self.values[place.index()];
        // No other thread writes, so a plain addition is enough.
        let sum = value.load(Ordering::Relaxed).wrapping_add(count);
        value.store(sum, Ordering::Relaxed);
    }

    /// Subtracts from a number. The addition may have been made in the block of another thread,
    /// because only the sum of all blocks has to be right.
    #[inline]
    pub(crate) fn sub(&self, place: Place, count: u64) {
        self.add(place, count.wrapping_neg());
    }

    /// Adds all numbers to `sums`.
    pub(crate) fn add_to(&self, sums: &mut [u64; places::COUNT]) {
        for (sum, value) in sums.iter_mut().zip(&self.values) {
            *sum = sum.wrapping_add(value.load(Ordering::Relaxed));
        }
    }
}

thread_local! {
    /// The block of this thread. The variable has no destructor, so that reading it is one load.
    static HERE: Cell<Option<&'static Block>> = const { Cell::new(None) };
    /// Gives the block back when the thread ends.
    static LEASE: Lease = const { Lease(Cell::new(None)) };
}

/// The block of the thread.
#[inline]
pub(crate) fn here() -> &'static Block {
    match HERE.get() {
        Some(block) => block,
        None => enter(),
    }
}

#[cold]
fn enter() -> &'static Block {
    let mut blocks = lock();
    let block = blocks.free.pop().unwrap_or_else(|| {
        let block: &Block = Box::leak(Box::new(Block::new(blocks.all.len())));
        blocks.all.push(block);
        block
    });
    drop(blocks);
    HERE.set(Some(block));
    // If the thread is about to end, the block is never lent again.
    let _ = LEASE.try_with(|lease| lease.0.set(Some(block)));
    block
}

struct Lease(Cell<Option<&'static Block>>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(block) = self.0.take() {
            block.turned.store(0, Ordering::Relaxed);
            HERE.set(None);
            lock().free.push(block);
        }
    }
}

/// The blocks of all threads that have counted anything.
pub(super) fn all() -> Vec<&'static Block> {
    lock().all.clone()
}

#[derive(Default)]
struct Blocks {
    all: Vec<&'static Block>,
    /// The blocks of threads that have ended.
    free: Vec<&'static Block>,
}

fn lock() -> MutexGuard<'static, Blocks> {
    static BLOCKS: Mutex<Blocks> = Mutex::new(Blocks {
        all: Vec::new(),
        free: Vec::new(),
    });
    // The data is consistent between any two statements that hold the lock.
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}
