//! The life of a connection: this module does what the
//! [`Session`](duplex_protocol::session::Session) decides.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::encoder;
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::Opcode;
use duplex_protocol::session::{Ending, Failure, Outgoing, Timeout};
use tokio::io::AsyncWrite;

use super::Connection;
use super::status::{Exceeded, SendStatus};
use crate::metrics::here;
use crate::network_events;
use crate::out_buffer::OutBuffer;

/// What [`Connection::handle_timeout`] found.
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// A Ping was queued.
    Ping,
    /// The peer did not answer the Ping. A Close frame was queued.
    Silent(Option<Ending>),
    /// The peer did not answer the Close frame, or did not end the stream. The connection is
    /// to be removed.
    GivenUp(Option<Ending>),
}

impl Connection {
    // The closing handshake (RFC 6455 section 7).

    /// Queues a Close frame, unless the closing handshake has begun. Returns
    /// whether a frame was queued.
    pub(crate) fn close(&self, close: &Close) -> bool {
        let begins = self.session.borrow_mut().close();
        if begins {
            self.queue_close(close);
        }
        begins
    }

    fn queue_close(&self, close: &Close) {
        let key = self.mask_key();
        self.out
            .borrow_mut()
            .push_control(|out| encoder::encode_close(out, key, close));
        if network_events::is_on() {
            network_events::sent_close(self.shown(), close);
        }
    }

    /// The script begins the closing handshake itself.
    pub(crate) fn announce_closing(&self) {
        self.session.borrow_mut().announce_closing();
    }

    /// Whether the closing handshake has begun without the script's knowledge, which must be told
    /// now.
    pub(crate) fn take_closing(&self) -> bool {
        self.session.borrow_mut().take_closing()
    }

    /// Notes the peer's Close frame and queues the answer, if the peer's frame
    /// is not the answer itself.
    pub(crate) fn receive_close(&self, close: Close) {
        if let Some(pull) = self.pull.get() {
            // If the script waits for the kernel, the peer was quicker, and the
            // queued messages are lost. If the script does not wait, the kernel
            // may still take the messages.
            let mut out = self.out.borrow_mut();
            if !pull.is_write_pending.get() && !self.is_blocked.get() {
                self.write(&mut out);
            }
            self.record_lost_data(&out);
        }
        let answer = self.session.borrow_mut().receive_close(close);
        if let Some(answer) = answer {
            self.queue_close(&answer);
        }
    }

    // The end.

    /// How the connection ends once everything is written, if both Close frames are there.
    pub(crate) fn finish(&self) -> Option<Ending> {
        self.session.borrow_mut().finish()
    }

    /// Whether nothing is left to do: both Close frames are there, and this
    /// end's frame is written.
    pub(crate) fn is_drained(&self) -> bool {
        self.session().is_last_word() && self.out.borrow().is_empty()
    }

    /// How the connection ends, now that the transport has ended.
    pub(crate) fn transport_ended(&self, error: Option<&io::Error>) -> Option<Ending> {
        let mut session = self.session.borrow_mut();
        match error {
            Some(error) => session.transport_ended(Some(error)),
            None => session.transport_ended(None),
        }
    }

    /// The script drops the connection. The hub does the work, because the hub has to tell the end.
    pub(crate) fn terminate(&self) {
        self.session.borrow_mut().terminate();
        self.waker.wake_by_ref();
    }

    /// How the connection ends, now that it is dropped.
    pub(crate) fn drop_connection(&self) -> Option<Ending> {
        self.session.borrow_mut().drop_connection()
    }

    /// Fails the connection (RFC 6455 section 7.1.7).
    pub(crate) fn fail(&self, code: CloseCode, message: String) -> Option<Ending> {
        let failure = self.session.borrow_mut().fail(code, message);
        self.queue_failure(failure)
    }

    /// Makes the hub end the connection because a limit was exceeded. A peer that goes on reading
    /// still gets the queued messages.
    pub(crate) fn exceed(&self, limit: Exceeded) {
        let limits = &self.settings.limits;
        let message = || match limit {
            Exceeded::Backpressure => {
                let limit = limits.backpressure_limit;
                format!("queued messages exceed backpressureLimit ({limit} bytes)")
            }
            Exceeded::Topics => {
                format!("subscriptions exceed maxTopics ({})", limits.max_topics)
            }
            Exceeded::TopicLength => {
                let limit = limits.max_topic_length;
                format!("topic is longer than maxTopicLength ({limit} bytes)")
            }
        };
        let code = CloseCode::POLICY_VIOLATION;
        if self.session.borrow_mut().fail_later(code, message) {
            here().passed(limit.into());
            self.waker.wake_by_ref();
        }
    }

    /// How the connection ends if a limit was exceeded.
    pub(crate) fn fail_now(&self) -> Option<Ending> {
        let failure = self.session.borrow_mut().fail_now()?;
        self.queue_failure(failure)
    }

    fn queue_failure(&self, failure: Failure) -> Option<Ending> {
        if let Some(close) = &failure.close {
            self.queue_close(close);
        }
        failure.ending
    }

    /// The script has been told the end: from now on, nothing is published to the connection.
    pub(crate) fn leave_topics(&self) {
        if let Some(membership) = &mut *self.membership.borrow_mut() {
            membership.unsubscribe_all();
        }
    }

    /// Tells the peer that nothing more follows.
    pub(crate) fn shut_down_write(&self) {
        let mut cx = Context::from_waker(&self.waker);
        let mut transport = self.transport.borrow_mut();
        let _ = Pin::new(&mut *transport).poll_shutdown(&mut cx);
    }

    // Pings and Pongs.

    /// Queues a Ping with at most 125 bytes of payload. A Ping is refused by the same rules as a
    /// message.
    pub(crate) fn send_ping(&self, payload: &[u8]) -> SendStatus {
        let sent = self.send_control(|out, key| {
            let _ = encoder::encode_ping(out, key, payload);
        });
        self.record_control(sent, Opcode::Ping, payload)
    }

    /// Queues a Pong that no Ping asked for (RFC 6455 section 5.5.3).
    pub(crate) fn send_pong(&self, payload: &[u8]) -> SendStatus {
        let sent = self.send_control(|out, key| {
            let _ = encoder::encode_pong(out, key, payload);
        });
        self.record_control(sent, Opcode::Pong, payload)
    }

    fn record_control(&self, sent: SendStatus, opcode: Opcode, payload: &[u8]) -> SendStatus {
        if network_events::is_on() && matches!(sent, SendStatus::Taken | SendStatus::Buffered) {
            network_events::sent(self.shown(), opcode, payload);
        }
        sent
    }

    /// Counts a Ping or a Pong that was received at `now`.
    pub(crate) fn count_control(&self, now: Instant) -> Result<(), ProtocolError> {
        let config = &self.settings.session;
        self.session.borrow_mut().count_control(now, config)
    }

    /// Answers a Ping, after the queued bytes. While the kernel refuses bytes, at most one answer
    /// is queued at a time. Returns whether there is something to flush.
    pub(crate) fn answer_ping(&self, payload: &[u8]) -> bool {
        let mut out = self.out.borrow_mut();
        let is_pong_waiting = self.is_blocked.get() && out.has_answer();
        let answers = (self.session.borrow_mut()).receive_ping(payload, is_pong_waiting);
        if answers {
            self.push_pong(&mut out, payload);
        }
        answers
    }

    /// Notes a Pong that was received at `now`. Returns the time since the Ping of the idle timeout
    /// that the Pong answers, if there was one.
    pub(crate) fn receive_pong(&self, now: Instant) -> Option<Duration> {
        self.session.borrow_mut().receive_pong(now)
    }

    fn push_pong(&self, out: &mut OutBuffer, payload: &[u8]) {
        let key = self.mask_key();
        out.push_answer(|out| {
            // The payload of a Ping fits a control frame, so the answer fits
            // too.
            let _ = encoder::encode_pong(out, key, payload);
        });
        if network_events::is_on() {
            network_events::sent(self.shown(), Opcode::Pong, payload);
        }
    }

    /// Queues the Pong that had to wait for another Pong, if the other Pong has been written.
    /// Returns whether a Pong was queued.
    pub(super) fn push_pending_pong(&self, out: &mut OutBuffer) -> bool {
        if out.has_answer() {
            return false;
        }
        let payload = self.session.borrow_mut().next_pong();
        if let Some(payload) = &payload {
            self.push_pong(out, payload);
        }
        payload.is_some()
    }

    // Deadlines.

    /// The peer's time to answer, or to end the stream, begins when the peer has taken the queued
    /// bytes.
    pub(crate) fn await_end(&self, now: Instant) {
        let outgoing = self.outgoing();
        let config = &self.settings.session;
        self.session.borrow_mut().await_end(now, config, outgoing);
    }

    /// How far the queued bytes have come, as far as this end can tell.
    fn outgoing(&self) -> Outgoing {
        let out = self.out.borrow();
        let in_kernel = self.transport.borrow().bytes_in_kernel();
        Outgoing {
            queued: out.end(),
            taken: out.written().saturating_sub(in_kernel),
            is_blocked: self.is_blocked.get(),
        }
    }

    /// When to look at this connection again, as things are now.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let config = &self.settings.session;
        let is_reading = !self.is_paused();
        self.session().poll_timeout(config, is_reading)
    }

    /// Acts on the deadlines that have passed at `now`.
    pub(crate) fn handle_timeout(&self, now: Instant) -> Due {
        let config = &self.settings.session;
        let is_reading = !self.is_paused();
        let outgoing = || self.outgoing();
        let mut session = self.session.borrow_mut();
        let timeout = session.handle_timeout(now, config, is_reading, outgoing);
        drop(session);
        match timeout {
            None => Due::Nothing,
            Some(Timeout::Ping) => {
                let key = self.mask_key();
                self.out.borrow_mut().push_control(|out| {
                    let _ = encoder::encode_ping(out, key, &[]);
                });
                self.record_control(SendStatus::Taken, Opcode::Ping, &[]);
                Due::Ping
            }
            Some(Timeout::Silent(failure)) => Due::Silent(self.queue_failure(failure)),
            Some(Timeout::GivenUp(ending)) => Due::GivenUp(ending),
        }
    }
}
