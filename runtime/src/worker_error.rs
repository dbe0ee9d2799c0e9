//! Why a worker could not be made.

use deno_core::error::CoreError;
use deno_core::error::JsError;

/// Why a worker could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The engine or an extension did not start.
    #[error("cannot start the engine: {0}")]
    Core(#[from] CoreError),
    /// The bootstrap script threw, which is a defect of the runtime.
    #[error("cannot set up the globals: {0}")]
    Bootstrap(Box<JsError>),
    /// The bootstrap script did not define a function that the worker calls, which is a defect of
    /// the runtime.
    #[error("the bootstrap script does not define {0}")]
    Undefined(&'static str),
    /// A process cannot handle the signal in
    /// [`Debugging::heap_snapshot_signal`](crate::Debugging::heap_snapshot_signal).
    #[error("cannot wait for the signal: {0}")]
    Signal(std::io::Error),
}
