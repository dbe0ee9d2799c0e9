//! The event loop that a hub lives in.

use std::time::Instant;

/// What a hub asks of the event loop that it lives in.
pub(crate) trait EventLoop {
    fn now(&self) -> Instant;

    /// Has the hub run at `due`, and not at the time that was set before.
    fn set_timer(&self, due: Option<Instant>);

    /// A connection keeps the event loop going.
    fn hold(&self);

    /// It does not any more.
    fn release(&self);
}
