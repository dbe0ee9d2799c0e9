//! Web workers: programs with an engine and a thread of their own, which exchange messages with
//! their owner, the program that made them (HTML, section 10).
//!
//! | module | concern |
//! |---|---|
//! | `lifeline` | ends a worker from any thread, and keeps what it ended by |
//! | `request` | what a worker gets from its embedder |
//! | `start` | the parameters of a worker's start, and its state |
//! | `thread` | starts and runs a worker |
//! | `script` | reads the classic scripts of a worker |
//!
//! The ops that scripts see are in `ops/worker_host.rs`, for the owner, and
//! `ops/worker_scope.rs`, for the worker.

pub(crate) mod lifeline;
pub(crate) mod request;
pub(crate) mod script;
pub(crate) mod start;
pub(crate) mod thread;

pub use lifeline::end_all;
pub use request::WebWorkerLoader;
pub use request::WebWorkerLoaders;
pub use request::WebWorkerRequest;
