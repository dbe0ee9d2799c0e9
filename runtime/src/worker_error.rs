//! Why a worker could not be made.

use deno_core::error::CoreError;
use deno_core::error::JsError;

/// Why a worker could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The engine or an extension did not start.
    #[error("cannot start the engine: {0}")]
    Core(#[from] CoreError),
    /// The bootstrap script threw. A defect of the runtime.
    #[error("cannot set up the globals: {0}")]
    Bootstrap(Box<JsError>),
    /// The bootstrap script did not define what the worker calls. A defect of
    /// the runtime.
    #[error("the bootstrap script does not define {0}")]
    Undefined(&'static str),
    /// No process may wait for the signal of
    /// [`Debugging::heap_snapshot_signal`](crate::Debugging::heap_snapshot_signal).
    #[error("cannot wait for the signal: {0}")]
    Signal(std::io::Error),
}
