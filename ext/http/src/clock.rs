//! How late the client of a connection is.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use http::Version;

use crate::limits::ServerLimits;

/// Measures how long the client has been sending a request head, has sent no request, or has taken
/// none of the bytes that are sent to it.
///
/// The clock counts sweeps of the server's only timer, so that a connection needs no timer of its
/// own. The time of a head counts from its first byte until the head is whole. The time of the
/// first head counts from the start of the connection. The time between two requests counts from
/// the last byte in either direction.
///
/// The counters are atomic only because hyper requires a transport that is
/// `Send`. All of them are used on one thread.
pub(crate) struct Clock {
    /// Sweeps since the head began. 0 means that there is no head, and
    /// [`Clock::OFF`] that heads are not timed.
    head: AtomicU16,
    /// Sweeps since the last request.
    idle: AtomicU16,
    /// Sweeps since the client last took some of the waiting bytes. 0 if none wait.
    stalled: AtomicU16,
    /// Whether the body of the last request was not read to its end.
    is_unread: AtomicBool,
    /// How many exchanges have a request that has not been read to its end or
    /// has not been answered.
    exchanges: AtomicU32,
}

impl Clock {
    const OFF: u16 = u16::MAX;

    /// A clock that waits for the first head.
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self {
            head: AtomicU16::new(1),
            idle: AtomicU16::new(0),
            stalled: AtomicU16::new(0),
            is_unread: AtomicBool::new(false),
            exchanges: AtomicU32::new(0),
        })
    }

    /// An exchange begins, and its head is whole.
    pub(crate) fn exchange(self: &Arc<Self>, version: Version) -> InFlight {
        self.exchanges
            .store(self.exchanges.load(Relaxed).saturating_add(1), Relaxed);
        // HTTP/2 interleaves control frames with heads, and h2 has its own
        // limits for heads that are not finished.
        let head = if version == Version::HTTP_2 {
            Self::OFF
        } else {
            0
        };
        self.head.store(head, Relaxed);
        self.idle.store(0, Relaxed);
        // The body before this request has been read or discarded.
        self.is_unread.store(false, Relaxed);
        InFlight(self.clone())
    }

    /// The body of a request was given up before its end.
    pub(crate) fn left_unread(&self) {
        self.is_unread.store(true, Relaxed);
    }

    /// Whether a request is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.exchanges.load(Relaxed) > 0
    }

    /// Whether the client may be sending bytes that no code reads.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.is_unread.load(Relaxed) || self.head.load(Relaxed) != 0
    }

    /// Bytes came from the client.
    pub(crate) fn read(&self) {
        self.idle.store(0, Relaxed);
        if self.head.load(Relaxed) == 0 && !self.is_busy() {
            self.head.store(1, Relaxed);
        }
    }

    /// Bytes went to the client, or the client takes none if `is_blocked`.
    pub(crate) fn wrote(&self, is_blocked: bool) {
        if is_blocked {
            if self.stalled.load(Relaxed) == 0 {
                self.stalled.store(1, Relaxed);
            }
            return;
        }
        self.stalled.store(0, Relaxed);
        self.idle.store(0, Relaxed);
        // The time of the next head begins when this answer has left.
        let head = self.head.load(Relaxed);
        if head != 0 && head != Self::OFF {
            self.head.store(1, Relaxed);
        }
    }

    /// Counts a sweep. Returns whether the client is late.
    pub(crate) fn tick(&self, limits: &ServerLimits) -> bool {
        let age = |counter: &AtomicU16| {
            let age = counter.load(Relaxed).saturating_add(1).min(Self::OFF - 1);
            counter.store(age, Relaxed);
            age
        };
        let head = self.head.load(Relaxed);
        let is_head_late = match head {
            0 | Self::OFF => false,
            _ => age(&self.head) > ServerLimits::SWEEPS,
        };
        let is_idle = head == 0 && !self.is_busy();
        // HTTP/2 has a timeout for each stream, because some streams may be
        // WebSockets.
        let is_stalled = head != Self::OFF && self.stalled.load(Relaxed) != 0;
        is_head_late
            || is_stalled && age(&self.stalled) > limits.sweeps(limits.send_timeout)
            || is_idle && age(&self.idle) > limits.sweeps(limits.keep_alive_timeout)
    }
}

/// While this value lives, a request is under way, and arriving bytes do not
/// begin a new head.
pub(crate) struct InFlight(Arc<Clock>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let exchanges = &self.0.exchanges;
        exchanges.store(exchanges.load(Relaxed).saturating_sub(1), Relaxed);
    }
}
