//! What the one who starts duplex may have left of the signals.

/// Takes SIGCHLD as it is by default. A process inherits which signals are ignored, and some
/// service managers and build runners ignore this one. The kernel then forgets how each child
/// process ended, so `execFileSync` and `new Deno.Command(…).outputSync()` would fail.
#[cfg(unix)]
pub(crate) fn hear_of_children() {
    // SAFETY: no other thread of this process has started, and the default action of SIGCHLD is
    // to do nothing.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// There are no such signals.
#[cfg(not(unix))]
pub fn hear_of_children() {}
