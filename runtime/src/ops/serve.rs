//! The ops that `duplex serve` needs beyond those of `Deno.serve`: for the address on the command
//! line, the signals that end the server, and the other event loops.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use deno_core::OpState;
use deno_core::ToV8;
use deno_core::op2;
use duplex_http::health;
use tokio::sync::mpsc;

use crate::serve_options::ServeOptions;
use crate::siblings::ServerEnd;
use crate::siblings::Siblings;

#[derive(ToV8)]
pub(super) struct OptionsForScript {
    hostname: Option<String>,
    port: Option<u32>,
    /// The port if neither the command line nor the module names a port.
    fallback: u32,
    broker: Option<String>,
    path: Option<String>,
    is_secure: bool,
    /// In milliseconds.
    shutdown_timeout: f64,
}

#[op2]
pub(crate) fn op_serve_options(state: &mut OpState) -> OptionsForScript {
    let options = state.try_borrow::<ServeOptions>().cloned();
    let options = options.unwrap_or_default();
    let path = options.path.as_ref();
    let shutdown_timeout = options.shutdown_milliseconds();
    OptionsForScript {
        hostname: options.hostname,
        port: options.port.map(u32::from),
        fallback: options.default_port.unwrap_or(8000).into(),
        path: path.map(|path| path.display().to_string()),
        is_secure: options.certificates.is_some(),
        shutdown_timeout,
        broker: options.broker,
    }
}

/// Whether the user wants to see only warnings or errors, so that servers do not print their
/// address. A program without a logger is not quiet, because it does not know what the user wants.
#[op2(fast)]
pub(crate) fn op_serve_is_quiet() -> bool {
    let level = log::max_level();
    level != log::LevelFilter::Off && level < log::LevelFilter::Info
}

/// The name of the first SIGINT or SIGTERM of the process.
static FIRST_SIGNAL: OnceLock<&str> = OnceLock::new();

/// Resolves with the name of the first SIGINT or SIGTERM. The second signal ends the process at
/// once, even if a script is busy.
#[op2]
#[string]
pub(crate) async fn op_serve_signal() -> Result<&'static str, std::io::Error> {
    let is_second = Arc::new(AtomicBool::new(false));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for (signal, name) in [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM")] {
        let (is_second, sender) = (is_second.clone(), sender.clone());
        let heard = move || {
            if is_second.swap(true, Ordering::Relaxed) {
                end_by(signal);
            }
            let _ = FIRST_SIGNAL.set(name);
            health::note_ending();
            let _ = sender.send(name);
        };
        deno_signals::register(signal, true, Box::new(heard))?;
    }
    if let Some(name) = FIRST_SIGNAL.get() {
        // The signal came while this event loop was starting.
        return Ok(name);
    }
    match receiver.recv().await {
        Some(name) => Ok(name),
        // This does not happen, because the handlers stay and hold the sender.
        None => std::future::pending().await,
    }
}

/// Tells how many event loops the module wants: -1 if it does not say, and 0 for the default number
/// (see [`Parallel::default_loops`](crate::parallel::Parallel::default_loops)). The command line
/// takes precedence.
#[op2(fast)]
pub(crate) fn op_serve_loops(state: &OpState, wanted: i32) {
    Siblings::set_loops(state, usize::try_from(wanted).ok());
}

/// Starts the other event loops if this is the first of several.
#[op2(fast)]
pub(crate) fn op_serve_start_loops(state: &mut OpState) -> Result<(), std::io::Error> {
    Siblings::start(state)
}

/// Whether this is the first event loop of the program.
#[op2(fast)]
pub(crate) fn op_serve_is_first(state: &OpState) -> bool {
    state
        .try_borrow::<Siblings>()
        .is_none_or(Siblings::is_first)
}

/// To be called when the server has been shut down. In the first event loop this resolves when all
/// others have ended, with the first of their exit codes that is not 0. In every other event loop
/// it ends the loop.
#[op2]
pub(crate) async fn op_serve_end(state: Rc<RefCell<OpState>>) -> i32 {
    let first = {
        let state = state.borrow();
        match state.try_borrow::<Siblings>() {
            None => return 0,
            Some(siblings) if siblings.is_first() => Some(siblings.together()),
            Some(_) => {
                if let Some(end) = state.try_borrow::<ServerEnd>() {
                    end.set();
                }
                None
            }
        }
    };
    match first {
        Some(together) => together.others_ended().await,
        None => std::future::pending().await,
    }
}

/// Ends the process with the exit code that a shell shows for the signal.
fn end_by(signal: i32) -> ! {
    deno_signals::run_exit();
    // SAFETY: `_exit` takes a number and runs none of the process's code. This runs on another
    // thread than the engine, and the engine must not be taken down while it runs.
    unsafe { libc::_exit(128 + signal) }
}
