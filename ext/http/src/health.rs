//! Whether the program can do its work: what a load balancer or an orchestrator asks.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use duplex_broker::State;

use crate::broker;

/// How many servers of the process accept connections.
static LISTENING: AtomicUsize = AtomicUsize::new(0);
static HAS_LISTENED: AtomicBool = AtomicBool::new(false);
static IS_STARTED: AtomicBool = AtomicBool::new(false);
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// The program's main module has been evaluated. A program without a server is ready then.
pub fn note_started() {
    IS_STARTED.store(true, Ordering::Relaxed);
}

/// The program was told to end.
pub fn note_ending() {
    IS_ENDING.store(true, Ordering::Relaxed);
}

/// A server accepts connections from now on.
pub(crate) fn note_listening() {
    LISTENING.fetch_add(1, Ordering::Relaxed);
    HAS_LISTENED.store(true, Ordering::Relaxed);
}

/// It does not any more.
pub(crate) fn note_not_listening() {
    LISTENING.fetch_sub(1, Ordering::Relaxed);
}

/// Whether the program can be sent work: at least one server listens, or there never was one
/// and the main module has been evaluated; the program was not told to end; and each broker is
/// connected and has all subscriptions.
///
/// # Errors
///
/// Why it cannot, in one line.
pub fn ready() -> Result<(), String> {
    if IS_ENDING.load(Ordering::Relaxed) {
        return Err("the program is shutting down".to_owned());
    }
    if LISTENING.load(Ordering::Relaxed) == 0 {
        if HAS_LISTENED.load(Ordering::Relaxed) {
            return Err("no server listens any more".to_owned());
        }
        if !IS_STARTED.load(Ordering::Relaxed) {
            return Err("the program is starting".to_owned());
        }
    }
    for broker in broker::all() {
        let state = match broker.status.state {
            State::Up => continue,
            State::Connecting => "is being connected to",
            State::Down => "is away",
        };
        let reason = broker.status.error.unwrap_or_default();
        let reason = match reason.is_empty() {
            true => reason,
            // A line of its own would feign another answer.
            false => format!(": {}", reason.escape_debug()),
        };
        return Err(format!("the broker {} {state}{reason}", broker.address));
    }
    Ok(())
}
