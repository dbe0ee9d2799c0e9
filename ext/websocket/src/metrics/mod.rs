//! The numbers that operators count: connections, messages, limits, handshakes, topics, event
//! loops.
//!
//! | module | concern |
//! |---|---|
//! | [`block`] | the numbers of one thread |
//! | [`places`] | the place of each number in a block |
//! | [`kinds`] | the kinds that are told apart: roles, limits, outcomes, reasons |
//! | [`notes`] | counting what happens |
//! | [`snapshot`] | the numbers of all threads, summed |
//! | [`families`] | the sums with the names that operators know |
//! | [`exposition`] | families of numbers, and the text format of Prometheus |
//! | [`event_loop`] | how late event loops are |
//!
//! Each thread has a block of numbers that only that thread writes, with plain loads and stores. A
//! reader sums all blocks. When a thread ends, its block is lent to the next thread that starts,
//! and keeps its numbers. Therefore a counter never falls, and there are only as many blocks as
//! there were threads at one time.

mod block;
mod event_loop;
mod exposition;
mod families;
mod kinds;
mod notes;
mod places;
mod snapshot;
#[cfg(test)]
mod tests;

pub(crate) use self::block::here;
pub use self::event_loop::{is_watching_event_loops, watch_event_loop, watch_event_loops};
pub use self::exposition::{Exposition, Family, Kind, Number, Sample};
pub use self::kinds::{Class, CloseCodes, DialFailure, MessageKind, PassedLimit, Queued};
pub(crate) use self::notes::Stamp;
pub use self::notes::{handshake_done, handshake_refused};
pub use self::snapshot::{HistogramSnapshot, Snapshot};
