//! What a worker starts with, and what its engine's state knows of it.

use std::sync::Arc;

use deno_core::url::Url;
use deno_permissions::PermissionsContainer;
use deno_web::MessagePort;

use crate::module_override::ModuleOverride;
use crate::shared_options::SharedOptions;
use crate::web_worker::lifeline::Lifeline;
use crate::web_worker::request::WebWorkerLoaders;

/// Starts the threads of workers. It is in the state of each engine, for the ops that make
/// workers are part of the engine that a worker starts.
#[derive(Clone, Copy)]
pub(crate) struct WorkerSpawner(pub fn(WebWorkerStart) -> std::io::Result<()>);

/// What a worker starts with.
pub(crate) struct WebWorkerStart {
    pub shared: SharedOptions,
    pub loaders: WebWorkerLoaders,
    pub url: Url,
    /// The text, where it was read already.
    pub source: Option<ModuleOverride>,
    pub name: String,
    pub is_classic: bool,
    /// Where it is a thread of `node:worker_threads`.
    pub node: Option<NodeThread>,
    pub owner_permissions: PermissionsContainer,
    pub permissions: PermissionsContainer,
    pub port: MessagePort,
    pub lifeline: Arc<Lifeline>,
}

/// What a thread of `node:worker_threads` is beyond a web worker.
pub(crate) struct NodeThread {
    /// The number that Node.js knows it by.
    pub id: u32,
    /// Whether the first message is what the owner gave it on its way.
    pub has_metadata: bool,
    /// The text to run, in place of a module.
    pub code: Option<String>,
}

/// The worker as its own engine's state knows it.
pub(crate) struct WebWorkerState {
    pub name: String,
    pub is_classic: bool,
    pub node: Option<NodeThread>,
    /// To the owner.
    pub port: MessagePort,
    pub lifeline: Arc<Lifeline>,
}
