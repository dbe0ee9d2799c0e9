//! What a connection has to remember so that it can be counted.

use std::cell::Cell;
use std::time::Instant;

use crate::metrics::{Stamp, here};

/// What a connection has to remember so that it can be counted.
pub(super) struct Counted {
    pub opened: Stamp,
    /// How many of its bytes the send queue of the metrics has.
    queued: Cell<u32>,
}

impl Counted {
    pub fn new(now: Instant) -> Self {
        Self {
            opened: Stamp::at(now),
            queued: Cell::new(0),
        }
    }

    pub fn queued(&self) -> u32 {
        self.queued.get()
    }

    pub fn set_queued(&self, queued: u32) {
        let before = self.queued.replace(queued);
        if before != queued {
            here().queue_changed(before, queued);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set_queued(0);
    }
}
