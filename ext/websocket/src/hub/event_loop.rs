//! The event loop that a hub lives in.

use std::time::Instant;

/// The functions that a hub needs of its event loop.
pub(crate) trait EventLoop {
    fn now(&self) -> Instant;

    /// Makes the event loop run the hub at `due`. This replaces the time that was set before.
    fn set_timer(&self, due: Option<Instant>);

    /// A connection keeps the event loop going.
    fn hold(&self);

    /// The connection does not keep the event loop going any more.
    fn release(&self);
}
