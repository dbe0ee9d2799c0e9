//! The numbers of all threads, summed.

use super::block::{self, Block};
use super::event_loop;
use super::kinds::{Class, CloseCodes, DialFailure, MessageKind, PassedLimit, Queued};
use super::places::{self, BOUNDS, COUNT, Place, Places, STATUSES, SUM};

/// The numbers of all threads at about one moment. Each thread goes on while its numbers are read.
pub struct Snapshot {
    values: Box<[u64; COUNT]>,
    /// How many event loops are watched.
    event_loops: u64,
    /// By how many seconds the most overdue event loop is overdue.
    blocked: f64,
}

/// A histogram of seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSnapshot {
    /// The upper bound of each bucket in seconds, and how many values were at
    /// most that bound.
    pub buckets: Vec<(f64, u64)>,
    /// How many values there were.
    pub count: u64,
    /// The sum of all values, in seconds.
    pub sum: f64,
}

impl Snapshot {
    /// Sums up all threads.
    pub fn take() -> Self {
        let blocks = block::all();
        let (event_loops, blocked) = event_loop::blocked(&blocks);
        Self {
            event_loops,
            blocked,
            ..Self::of(&blocks)
        }
    }

    pub(super) fn of(blocks: &[&Block]) -> Self {
        let mut values = Box::new([0; COUNT]);
        for block in blocks {
            block.add_to(&mut values);
        }
        Self {
            values,
            event_loops: 0,
            blocked: 0.0,
        }
    }

    fn counter(&self, place: Place) -> u64 {
        self.values[place.index()]
    }

    /// A number that also falls. While the blocks are read, the sum can seem to be below 0. It is 0
    /// then.
    fn gauge(&self, place: Place) -> u64 {
        u64::try_from(self.counter(place).cast_signed()).unwrap_or(0)
    }

    fn histogram(&self, places: Places) -> HistogramSnapshot {
        let mut count = 0;
        let mut below = |index: usize| {
            count += self.counter(places.at(index));
            count
        };
        let buckets = BOUNDS.iter().enumerate();
        let buckets = buckets.map(|(index, bound)| (*bound, below(index)));
        let buckets = buckets.collect();
        HistogramSnapshot {
            buckets,
            count: below(BOUNDS.len()),
            sum: self.counter(places.at(SUM)) as f64 / 1e9,
        }
    }

    /// Connections that are open.
    pub fn open(&self, class: Class) -> u64 {
        self.gauge(places::OPEN.at(class.index()))
    }

    /// Connections that were opened.
    pub fn opened(&self, class: Class) -> u64 {
        self.counter(places::OPENED.at(class.index()))
    }

    /// Connections that have ended with one of the codes `codes`.
    pub fn closed(&self, is_client: bool, codes: CloseCodes) -> u64 {
        self.counter(places::CLOSED[usize::from(is_client)].at(codes.index()))
    }

    /// Messages that programs were handed.
    pub fn received(&self, kind: MessageKind) -> u64 {
        self.counter(places::RECEIVED.at(kind as usize))
    }

    /// The bytes of messages that programs were handed.
    pub fn received_bytes(&self, kind: MessageKind) -> u64 {
        self.counter(places::RECEIVED_BYTES.at(kind as usize))
    }

    /// Messages that were queued for a peer.
    pub fn sent(&self, kind: MessageKind) -> u64 {
        self.counter(places::SENT.at(kind as usize))
    }

    /// The bytes of messages that were queued for a peer.
    pub fn sent_bytes(&self, kind: MessageKind) -> u64 {
        self.counter(places::SENT_BYTES.at(kind as usize))
    }

    /// Bytes of frames that wait for a kernel that takes no more for now.
    pub fn send_queue_bytes(&self) -> u64 {
        self.gauge(places::SEND_QUEUE.only())
    }

    /// Messages that were sent while the kernel took no more.
    pub fn backpressure(&self, outcome: Queued) -> u64 {
        self.counter(places::BACKPRESSURE.at(outcome as usize))
    }

    /// Connections that ended because of a limit.
    pub fn passed(&self, limit: PassedLimit) -> u64 {
        self.counter(places::LIMITS.at(limit as usize))
    }

    /// How many handshakes servers refused, by the status of the answer.
    /// Statuses without a refusal are left out.
    pub fn refused(&self) -> impl Iterator<Item = (u16, u64)> {
        STATUSES
            .map(|status| {
                let index = usize::from(status - STATUSES.start);
                (status, self.counter(places::REFUSED.at(index)))
            })
            .filter(|(_, count)| *count > 0)
    }

    /// Clients that got no connection.
    pub fn dials_failed(&self, reason: DialFailure) -> u64 {
        self.counter(places::DIALS_FAILED.at(reason as usize))
    }

    /// How long opening handshakes took.
    pub fn handshakes(&self, is_client: bool) -> HistogramSnapshot {
        self.histogram(places::HANDSHAKES[usize::from(is_client)])
    }

    /// How long connections lasted that have ended.
    pub fn ages(&self, is_client: bool) -> HistogramSnapshot {
        self.histogram(places::AGES[usize::from(is_client)])
    }

    /// Topics that have a subscriber.
    pub fn topics(&self) -> u64 {
        self.gauge(places::TOPICS.only())
    }

    /// Subscriptions of all sockets.
    pub fn subscriptions(&self) -> u64 {
        self.gauge(places::SUBSCRIPTIONS.only())
    }

    /// Messages that were published.
    pub fn published(&self) -> u64 {
        self.counter(places::PUBLISHED.only())
    }

    /// Messages that publishing has queued for subscribers.
    pub fn delivered(&self) -> u64 {
        self.counter(places::DELIVERED.only())
    }

    /// How late event loops were.
    pub fn lag(&self) -> HistogramSnapshot {
        self.histogram(places::LAG)
    }

    /// How long Pings of the idle timeout took to be answered.
    pub fn pings(&self) -> HistogramSnapshot {
        self.histogram(places::PINGS)
    }

    /// How many event loops are watched.
    pub fn event_loops(&self) -> u64 {
        self.event_loops
    }

    /// By how many seconds the most overdue event loop is overdue.
    pub fn blocked(&self) -> f64 {
        self.blocked
    }
}
