//! The progress of the program: whether it has started, listens, or must end.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

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

/// A server does not accept connections any more.
pub(crate) fn note_not_listening() {
    LISTENING.fetch_sub(1, Ordering::Relaxed);
}

/// The reason in the program itself why it cannot be sent work now, or `None`.
pub(crate) fn obstacle() -> Option<&'static str> {
    if IS_ENDING.load(Ordering::Relaxed) {
        return Some("the program is shutting down");
    }
    if LISTENING.load(Ordering::Relaxed) > 0 {
        return None;
    }
    if HAS_LISTENED.load(Ordering::Relaxed) {
        return Some("no server listens any more");
    }
    match IS_STARTED.load(Ordering::Relaxed) {
        true => None,
        false => Some("the program is starting"),
    }
}
