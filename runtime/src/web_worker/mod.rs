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

mod lifeline;
mod request;
mod script;
mod start;
mod thread;

pub(crate) use lifeline::Failure;
pub(crate) use lifeline::Lifeline;
pub use lifeline::end_all;
pub use request::WebWorkerLoader;
pub use request::WebWorkerLoaders;
pub use request::WebWorkerRequest;
pub(crate) use script::ScriptError;
pub(crate) use script::ScriptSource;
pub(crate) use start::Inside;
pub(crate) use start::NodeThread;
pub(crate) use start::Start;
pub(crate) use start::WorkerSpawner;
pub(crate) use thread::STACK_SIZE;
pub(crate) use thread::event_loop;
pub(crate) use thread::halt;
pub(crate) use thread::spawn;
