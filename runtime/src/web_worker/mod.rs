//! Web workers: programs with an engine and a thread of their own, which talk
//! by messages to the one that made them, their owner (HTML, section 10).
//!
//! | module | concern |
//! |---|---|
//! | `lifeline` | how a worker is ended from any thread, and what it ended by |
//! | `request` | what an embedder gives to a worker |
//! | `start` | what a worker starts with, and its state knows |
//! | `thread` | starting and running one |
//! | `script` | reading the classic scripts of one |
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
