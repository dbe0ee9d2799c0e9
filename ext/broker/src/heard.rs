//! What a broker says.

use std::sync::Arc;

use crate::payload::Payload;
use crate::recording::{Answer, Position, Recorded};

/// What a broker says.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The handshake is done: it may be subscribed and published.
    Ready {
        /// Bytes of a message that the broker takes.
        longest: usize,
        /// TLS is to begin before anything is written.
        must_secure: bool,
    },
    Message(Arc<str>, Payload),
    /// A message of a topic's log.
    Recorded(Arc<str>, Recorded),
    /// A message that this process has published is in its log, or is refused.
    Stored {
        number: u64,
        result: Result<Position, String>,
    },
    /// The answer to a question about a log.
    Answer {
        number: u64,
        answer: Answer,
    },
    /// The broker has done all that was asked before [`Wire::sync`](crate::wire::Wire::sync) with this number.
    Synced(u64),
    /// It has taken so many messages.
    Confirmed(u64),
    /// It has refused to publish or to subscribe.
    Refused {
        message: String,
        /// How many messages are lost with that.
        lost: u64,
    },
    /// The probe has come back.
    Probe,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// In its own words.
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
