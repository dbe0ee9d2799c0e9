//! The place of each number in a block.

use super::kinds::{Class, CloseCodes, DialFailure, MessageKind, PassedLimit, Queued};

/// The upper bounds of the buckets of all histograms, in seconds.
pub(super) const BOUNDS: [f64; 17] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0,
    300.0,
];

/// The HTTP statuses that an answer can have.
pub(super) const STATUSES: std::ops::Range<u16> = 200..600;

/// The place of one number.
#[derive(Clone, Copy)]
pub(crate) struct Place(usize);

impl Place {
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

/// Places one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    start: usize,
    count: usize,
}

impl Places {
    const fn first(count: usize) -> Self {
        Self { start: 0, count }
    }

    /// The `count` places after these.
    const fn then(self, count: usize) -> Self {
        Self {
            start: self.end(),
            count,
        }
    }

    const fn end(self) -> usize {
        self.start + self.count
    }

    /// The place with the number `index`, or the last one.
    #[inline]
    pub(super) const fn at(self, index: usize) -> Place {
        Place(if index < self.count {
            self.start + index
        } else {
            self.start + self.count - 1
        })
    }

    /// The only place.
    pub(super) const fn only(self) -> Place {
        self.at(0)
    }
}

/// The buckets of a histogram, one more than it has bounds, and the sum in nanoseconds.
const HISTOGRAM: usize = BOUNDS.len() + 2;
/// The place of the sum in a histogram.
pub(super) const SUM: usize = BOUNDS.len() + 1;

/// Connections that are open. These numbers also fall.
pub(crate) const OPEN: Places = Places::first(Class::COUNT);
pub(crate) const OPENED: Places = OPEN.then(Class::COUNT);
/// Connections that have ended, by their codes: first servers', then clients'.
pub(crate) const CLOSED: [Places; 2] = {
    let servers = OPENED.then(CloseCodes::COUNT);
    [servers, servers.then(CloseCodes::COUNT)]
};
pub(crate) const RECEIVED: Places = CLOSED[1].then(MessageKind::COUNT);
pub(crate) const RECEIVED_BYTES: Places = RECEIVED.then(MessageKind::COUNT);
pub(crate) const SENT: Places = RECEIVED_BYTES.then(MessageKind::COUNT);
pub(crate) const SENT_BYTES: Places = SENT.then(MessageKind::COUNT);
/// Bytes that the kernel does not take for now. This number also falls.
pub(crate) const SEND_QUEUE: Places = SENT_BYTES.then(1);
pub(crate) const BACKPRESSURE: Places = SEND_QUEUE.then(Queued::COUNT);
pub(crate) const LIMITS: Places = BACKPRESSURE.then(PassedLimit::COUNT);
pub(crate) const REFUSED: Places = LIMITS.then((STATUSES.end - STATUSES.start) as usize);
pub(crate) const DIALS_FAILED: Places = REFUSED.then(DialFailure::COUNT);
/// How long handshakes took: servers', then clients'.
pub(crate) const HANDSHAKES: [Places; 2] = {
    let servers = DIALS_FAILED.then(HISTOGRAM);
    [servers, servers.then(HISTOGRAM)]
};
/// How long connections lasted: servers', then clients'.
pub(crate) const AGES: [Places; 2] = {
    let servers = HANDSHAKES[1].then(HISTOGRAM);
    [servers, servers.then(HISTOGRAM)]
};
/// Topics with a subscriber. This number also falls.
pub(crate) const TOPICS: Places = AGES[1].then(1);
/// This number also falls.
pub(crate) const SUBSCRIPTIONS: Places = TOPICS.then(1);
pub(crate) const PUBLISHED: Places = SUBSCRIPTIONS.then(1);
pub(crate) const DELIVERED: Places = PUBLISHED.then(1);
/// How late the event loop was.
pub(crate) const LAG: Places = DELIVERED.then(HISTOGRAM);

/// How long Pings took.
pub(crate) const PINGS: Places = LAG.then(HISTOGRAM);

/// How many places there are.
pub(crate) const COUNT: usize = PINGS.end();
