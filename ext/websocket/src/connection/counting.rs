//! What operators are told about a connection: numbers, and how long the connection has been open.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Connection;
use super::status::SendStatus;
use crate::message::Message;
use crate::metrics::{Class, here};
use crate::network_events::{self, Shown};
use crate::out_buffer::OutBuffer;

impl Connection {
    /// The name of this connection for debuggers.
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            place: std::ptr::from_ref(self).addr(),
            role: self.role,
        }
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// How long the connection has been open at `now`.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.counted.opened.elapsed(now)
    }

    /// Counts a message, if it was queued.
    #[inline]
    pub(super) fn count_sent(&self, sent: SendStatus, message: Message<'_>) -> SendStatus {
        if matches!(sent, SendStatus::Taken | SendStatus::Buffered) {
            self.record_sent(message);
        }
        sent
    }

    /// Counts a message that was queued.
    #[inline]
    pub(super) fn record_sent(&self, message: Message<'_>) {
        here().sent(message.kind(), message.length());
        if network_events::is_on() {
            network_events::sent_message(self.shown(), message);
        }
    }

    /// Counts the bytes that wait in `out` while the kernel takes nothing.
    #[inline]
    pub(super) fn count_queue(&self, out: &OutBuffer) {
        if self.is_blocked.get() || self.counted.queued() != 0 {
            self.recount_queue(out);
        }
    }

    #[cold]
    fn recount_queue(&self, out: &OutBuffer) {
        let queued = match self.is_blocked.get() {
            true => u32::try_from(out.len()).unwrap_or(u32::MAX),
            false => 0,
        };
        self.counted.set_queued(queued);
    }

    /// The peer's address, if there is one. The address may be that of a proxy.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        let known = self.remote_addr;
        known.or_else(|| self.transport.borrow().peer_addr())
    }

    /// How many bytes of frames the transport has taken.
    pub(crate) fn written(&self) -> u64 {
        self.out.borrow().written()
    }
}
