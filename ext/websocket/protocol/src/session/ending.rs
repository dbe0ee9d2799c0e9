//! How a connection ends, as its application is told.

use crate::close::{ABNORMAL_CLOSURE, Close};

/// The end of a connection, as a `close` event tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ending {
    /// The code of the peer's Close frame, or a code that no frame carries
    /// (1005 or 1006), or 1001 after an idle timeout.
    pub code: u16,
    /// The reason in the peer's Close frame, or of an idle timeout. Otherwise
    /// empty.
    pub reason: String,
    /// Whether the closing handshake was completed (RFC 6455 section 7.1.4), and everything
    /// that the application sent before was handed to the transport.
    pub was_clean: bool,
    /// What went wrong. An `error` event tells the message before the `close`
    /// event.
    pub error: Option<String>,
}

impl Ending {
    /// The end after both Close frames.
    pub(super) fn closed(close: &Close, was_clean: bool) -> Self {
        Self {
            code: close.event_code(),
            reason: close.reason().to_owned(),
            was_clean,
            error: None,
        }
    }

    /// The end without the peer's Close frame.
    pub(super) const fn abnormal(error: Option<String>) -> Self {
        Self {
            code: ABNORMAL_CLOSURE,
            reason: String::new(),
            was_clean: false,
            error,
        }
    }
}

/// An end that this side brings about (RFC 6455 section 7.1.7).
#[derive(Debug, Eq, PartialEq)]
pub struct Failure {
    /// The Close frame to queue. `None` if this end has queued its Close frame
    /// before.
    pub close: Option<Close>,
    /// What to tell the application. `None` if it has been told an end before.
    pub ending: Option<Ending>,
}
