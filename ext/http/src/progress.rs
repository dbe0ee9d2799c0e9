//! How far the program is: whether it has started, listens, or is to end.

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
pub fn note_listening() {
    LISTENING.fetch_add(1, Ordering::Relaxed);
    HAS_LISTENED.store(true, Ordering::Relaxed);
}

/// It does not any more.
pub fn note_not_listening() {
    LISTENING.fetch_sub(1, Ordering::Relaxed);
}

/// Why no work can be sent to the program now, as far as the program itself goes.
pub fn obstacle() -> Option<&'static str> {
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
