//! Web workers: programs with an engine and a thread of their own, which talk
//! by messages to the one that made them, their owner (HTML, section 10).
//!
//! | module | concern |
//! |---|---|
//! | `lifeline` | how a worker is ended from any thread, and what it ended by |
//! | `thread` | starting and running one |
//! | `script` | reading the classic scripts of one |
//!
//! The ops that scripts see are in `ops/worker_host.rs`, for the owner, and
//! `ops/worker_scope.rs`, for the worker.

mod lifeline;
mod script;
mod thread;

use std::rc::Rc;
use std::sync::Arc;

use deno_core::ModuleLoader;
use deno_core::error::CoreError;
use deno_core::url::Url;
use deno_permissions::PermissionsContainer;

use crate::module_loader::ModuleOverride;
use crate::packages::Node;

pub(crate) use lifeline::Failure;
pub(crate) use lifeline::Lifeline;
pub use lifeline::end_all;
pub(crate) use script::ScriptError;
pub(crate) use script::ScriptSource;
pub(crate) use thread::Inside;
pub(crate) use thread::NodeThread;
pub(crate) use thread::STACK_SIZE;
pub(crate) use thread::Start;
pub(crate) use thread::event_loop;
pub(crate) use thread::halt;
pub(crate) use thread::spawn;

/// Makes the loader of a web worker, on the worker's thread.
pub type WebWorkerLoaders = Arc<dyn Fn(WebWorkerRequest) -> WebWorkerLoader + Send + Sync>;

/// What a loader is to know of its web worker.
pub struct WebWorkerRequest {
    /// What the owner may load, and so what the worker consists of: its own
    /// module and what is named in the text of that.
    pub owner_permissions: PermissionsContainer,
    /// What the worker may do, so what it may `import()`.
    pub permissions: PermissionsContainer,
    /// The worker's module.
    pub main_module: Url,
    /// Its text, where that was read when the worker was made: a `blob:` URL may
    /// be revoked since.
    pub source: Option<ModuleOverride>,
}

/// What a web worker needs of its embedder.
pub struct WebWorkerLoader {
    pub module_loader: Rc<dyn ModuleLoader>,
    pub node: Node,
    /// The text of an error that ends the worker, for the log.
    pub format_error: Box<dyn Fn(&CoreError) -> String>,
}
