//! The messages of a broker.

use std::sync::Arc;

use crate::payload::Payload;
use crate::recording::{Answer, Position, Recorded};

/// A message of a broker.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The handshake is done. The process may subscribe and publish.
    Ready {
        /// The longest message that the broker accepts, in bytes.
        longest: usize,
        /// Whether TLS must begin before anything is written.
        must_secure: bool,
    },
    Message(Arc<str>, Payload),
    /// A message of a topic's log.
    Recorded(Arc<str>, Recorded),
    /// A message that this process has published was stored in its log, or was
    /// refused.
    Stored {
        number: u64,
        result: Result<Position, String>,
    },
    /// The answer to a question about a log.
    Answer {
        number: u64,
        answer: Answer,
    },
    /// The broker has done everything that was asked before [`Wire::sync`](crate::wire::Wire::sync)
    /// with this number.
    Synced(u64),
    /// The broker has taken this many messages.
    Confirmed(u64),
    /// The broker has refused to publish or to subscribe.
    Refused {
        message: String,
        /// How many messages are lost because of the refusal.
        lost: u64,
    },
    /// The probe has come back.
    Probe,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The broker has refused, with this message.
    #[error("the broker refuses: {0}")]
    Refused(String),
    #[error("the broker speaks no TLS")]
    NoTls,
    #[error(
        "the NATS server has no JetStream, which topics.history needs: start it with \
         `nats-server -js`, or put `jetstream {{}}` in its configuration"
    )]
    NoJetStream,
    #[error("the stream {0} was made anew")]
    AnotherStream(String),
    #[error("the broker's answer is not what its protocol says: {0}")]
    Malformed(&'static str),
}
