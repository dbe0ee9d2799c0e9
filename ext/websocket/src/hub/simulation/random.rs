//! The only source of randomness in a simulation.

use std::cell::Cell;
use std::rc::Rc;

/// Numbers that look random and follow from one seed (SplitMix64). Clones share the sequence.
#[derive(Clone)]
pub(super) struct Random(Rc<Cell<u64>>);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))))
    }

    pub(super) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `limit`, which is not 0.
    pub(super) fn below(&self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number from 1 to `most`.
    pub(super) fn part_of(&self, most: usize) -> usize {
        1 + self.below(most)
    }

    /// True once in `of` times.
    pub(super) fn one_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }
}
