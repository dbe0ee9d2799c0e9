//! The parameters of a worker's start, and the state of the worker in its engine.

use std::sync::Arc;

use deno_core::url::Url;
use deno_permissions::PermissionsContainer;
use deno_web::MessagePort;

use crate::module_override::ModuleOverride;
use crate::shared_options::SharedOptions;
use crate::web_worker::lifeline::Lifeline;
use crate::web_worker::request::WebWorkerLoaders;

/// Starts the threads of workers. It is in the state of each engine, because the ops that make
/// workers cannot call the module that starts engines: engines contain these ops.
#[derive(Clone, Copy)]
pub(crate) struct WorkerSpawner(pub fn(WebWorkerStart) -> std::io::Result<()>);

/// The parameters of a worker's start.
pub(crate) struct WebWorkerStart {
    pub shared: SharedOptions,
    pub loaders: WebWorkerLoaders,
    pub url: Url,
    /// The text, if it was read already.
    pub source: Option<ModuleOverride>,
    pub name: String,
    pub is_classic: bool,
    /// Present if this is a thread of `node:worker_threads`.
    pub node: Option<NodeThread>,
    pub owner_permissions: PermissionsContainer,
    pub permissions: PermissionsContainer,
    pub port: MessagePort,
    pub lifeline: Arc<Lifeline>,
}

/// What a thread of `node:worker_threads` has beyond a web worker.
pub(crate) struct NodeThread {
    /// The thread id that Node.js uses.
    pub id: u32,
    /// Whether the first message has the data from the owner.
    pub has_metadata: bool,
    /// The text to run, in place of a module.
    pub code: Option<String>,
}

/// The state of a worker in its own engine.
pub(crate) struct WebWorkerState {
    pub name: String,
    pub is_classic: bool,
    pub node: Option<NodeThread>,
    /// The port to the owner.
    pub port: MessagePort,
    pub lifeline: Arc<Lifeline>,
}
