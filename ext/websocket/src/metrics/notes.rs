//! Counting what happens.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::block::{Block, here};
use super::kinds::{Class, CloseCodes, DialFailure, MessageKind, PassedLimit, Queued};
use super::places::{self, BOUNDS, Places, STATUSES, SUM};

impl Block {
    pub(crate) fn opened(&self, class: Class) {
        self.add(places::OPEN.at(class.index()), 1);
        self.add(places::OPENED.at(class.index()), 1);
    }

    /// The application is told that a connection has ended, with this code and
    /// after this time.
    pub(crate) fn closed(&self, class: Class, code: u16, age: Duration) {
        let role = class.role_index();
        self.sub(places::OPEN.at(class.index()), 1);
        self.add(places::CLOSED[role].at(CloseCodes::of(code).index()), 1);
        self.observe(places::AGES[role], age);
    }

    /// The application is handed a message of `length` bytes.
    #[inline]
    pub(crate) fn received(&self, kind: MessageKind, length: usize) {
        self.add(places::RECEIVED.at(kind as usize), 1);
        self.add(places::RECEIVED_BYTES.at(kind as usize), length as u64);
    }

    /// A message of `length` bytes was queued for the peer.
    #[inline]
    pub(crate) fn sent(&self, kind: MessageKind, length: usize) {
        self.add(places::SENT.at(kind as usize), 1);
        self.add(places::SENT_BYTES.at(kind as usize), length as u64);
    }

    /// Now `now` bytes of a connection wait for the kernel. Before, `before`
    /// bytes did.
    pub(crate) fn queue_changed(&self, before: u32, now: u32) {
        let place = places::SEND_QUEUE.only();
        self.sub(place, before.into());
        self.add(place, now.into());
    }

    pub(crate) fn met_backpressure(&self, outcome: Queued) {
        self.add(places::BACKPRESSURE.at(outcome as usize), 1);
    }

    pub(crate) fn passed(&self, limit: PassedLimit) {
        self.add(places::LIMITS.at(limit as usize), 1);
    }

    pub(crate) fn dial_failed(&self, reason: DialFailure) {
        self.add(places::DIALS_FAILED.at(reason as usize), 1);
    }

    pub(crate) fn topic_began(&self) {
        self.add(places::TOPICS.only(), 1);
    }

    pub(crate) fn topic_ended(&self) {
        self.sub(places::TOPICS.only(), 1);
    }

    pub(crate) fn subscribed(&self) {
        self.add(places::SUBSCRIPTIONS.only(), 1);
    }

    pub(crate) fn unsubscribed(&self) {
        self.sub(places::SUBSCRIPTIONS.only(), 1);
    }

    pub(crate) fn published(&self) {
        self.add(places::PUBLISHED.only(), 1);
    }

    /// A published message was queued for `count` subscribers.
    pub(crate) fn delivered(&self, count: u64) {
        self.add(places::DELIVERED.only(), count);
    }

    /// The peer has answered a Ping of the idle timeout, after `elapsed`.
    pub(crate) fn ping_answered(&self, elapsed: Duration) {
        self.observe(places::PINGS, elapsed);
    }

    /// The event loop was late by `lag`.
    pub(crate) fn lagged(&self, lag: Duration) {
        self.observe(places::LAG, lag);
    }

    fn observe(&self, histogram: Places, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        self.add(histogram.at(bucket), 1);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.add(histogram.at(SUM), nanoseconds);
    }
}

/// An opening handshake has led to a connection, `elapsed` after the handshake began. A server's
/// handshake begins when the request was read. A client's handshake begins when the program asks
/// for the connection.
pub fn handshake_done(is_client: bool, elapsed: Duration) {
    here().observe(places::HANDSHAKES[usize::from(is_client)], elapsed);
}

/// A client that asked this server for a WebSocket was answered with this status.
pub fn handshake_refused(status: u16) {
    let status = status.clamp(STATUSES.start, STATUSES.end - 1);
    here().add(places::REFUSED.at((status - STATUSES.start).into()), 1);
}

/// A time, in milliseconds since the process began to count. The number takes only 4 bytes, because
/// each connection has one.
#[derive(Clone, Copy)]
pub(crate) struct Stamp(u32);

impl Stamp {
    pub(crate) fn at(now: Instant) -> Self {
        // The number begins again every 49 days.
        Self(since_start(now).as_millis() as u32)
    }

    /// How long before `now` the time was. The result is right up to 49 days.
    pub(crate) fn elapsed(self, now: Instant) -> Duration {
        Duration::from_millis(Self::at(now).0.wrapping_sub(self.0).into())
    }
}

/// How long the process has been counting.
pub(super) fn since_start(now: Instant) -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    now.saturating_duration_since(*START)
}
