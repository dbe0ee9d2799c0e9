//! One end of a simulated connection, as its actor sees it.

use std::collections::VecDeque;
use std::rc::Weak;
use std::time::{Duration, Instant};

use duplex_protocol::session::Ending;

use crate::connection::Connection;

/// A message or a control frame that an end has sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Item {
    pub kind: Kind,
    pub number: u64,
    pub length: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Text,
    Binary,
    Ping,
    /// A Pong that no Ping asked for.
    Pong,
}

impl Item {
    /// The bytes of the item. No two items of an end are the same, except very short ones.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mark = match self.kind {
            Kind::Text if self.number.is_multiple_of(5) => "é",
            Kind::Text | Kind::Binary => "",
            Kind::Ping => "?",
            Kind::Pong => "!",
        };
        let head = format!("{mark}{}.", self.number);
        let filler = b'a' + (self.number % 26) as u8;
        let mut bytes = vec![filler; self.length];
        if let Some(start) = bytes.get_mut(..head.len()) {
            start.copy_from_slice(head.as_bytes());
        }
        bytes
    }

    /// The number of an item, if the payload of a Ping or a Pong tells it.
    pub(super) fn number_of(payload: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(payload).ok()?;
        let digits = text.strip_prefix(['?', '!'])?.split('.').next()?;
        digits.parse().ok()
    }
}

/// One end.
pub(super) struct End {
    pub hub: usize,
    pub connection: Weak<Connection>,
    pub is_pull: bool,
    pub is_tls: bool,
    pub is_attached: bool,
    pub idle_timeout: Option<Duration>,
    pub close_timeout: Duration,
    pub max_payload_length: usize,
    /// The items that were taken from this end and have not come to the other,
    /// in order.
    pub sent: VecDeque<Item>,
    pub next_number: u64,
    /// The Blobs among `sent` whose content has not been read.
    pub blobs: VecDeque<Item>,
    /// When the actor began to close, and with which code.
    pub asked_to_close: Option<(Instant, u16)>,
    /// When the server closed the connection, without the actor's knowledge.
    pub shut_down: Option<Instant>,
    pub is_terminated: bool,
    /// Whether injected bytes were among the bytes of one of the two ends.
    pub is_corrupt: bool,
    /// Whether the hub of this end has been dropped.
    pub is_gone: bool,
    /// Whether something that this end sent was refused because the connection
    /// is ending.
    pub is_refused: bool,
    pub is_drain_awaited: bool,
    pub is_closing_told: bool,
    pub ending: Option<Ending>,
    /// The last Ping that was sent, and the last Pong that came.
    pub last_ping: Option<u64>,
    pub last_pong: Option<u64>,
    /// Whether the Pong of an idle timeout's Ping came after the last Ping.
    pub is_last_ping_covered: bool,
}

impl End {
    /// Whether the actor still takes part.
    pub(super) fn is_live(&self) -> bool {
        self.is_attached && !self.is_gone && self.ending.is_none()
    }

    /// When the closing handshake began on this side.
    pub(super) fn begun_to_close(&self) -> Option<Instant> {
        let asked = self.asked_to_close.map(|(asked, _)| asked);
        [asked, self.shut_down].into_iter().flatten().min()
    }

    /// Whether messages that come are still delivered, as far as the actor knows.
    pub(super) fn listens(&self) -> bool {
        self.is_live() && self.asked_to_close.is_none() && !self.is_terminated
    }
}
