//! Repairs the state of signals that the process inherits.

/// Gives SIGCHLD its default action. A process inherits which signals are ignored, and some service
/// managers and build runners ignore this one. The kernel then forgets how each child process
/// ended, so `execFileSync` and `new Deno.Command(…).outputSync()` would fail.
#[cfg(unix)]
pub(crate) fn hear_of_children() {
    // SAFETY: no other thread of this process has started, and the default action of SIGCHLD is
    // to do nothing.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Does nothing, because there are no such signals.
#[cfg(not(unix))]
pub fn hear_of_children() {}
