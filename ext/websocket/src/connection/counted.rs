//! What a connection remembers for the metrics.

use std::cell::Cell;
use std::time::Instant;

use crate::metrics::{Stamp, here};

/// What a connection remembers for the metrics.
pub(super) struct Counted {
    pub opened: Stamp,
    /// How many bytes of this connection the metrics count in the send queue.
    queued: Cell<u32>,
}

impl Counted {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            opened: Stamp::at(now),
            queued: Cell::new(0),
        }
    }

    pub(super) fn queued(&self) -> u32 {
        self.queued.get()
    }

    pub(super) fn set_queued(&self, queued: u32) {
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
