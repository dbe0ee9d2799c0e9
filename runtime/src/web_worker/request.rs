//! What an embedder gives to a web worker: the loader of its modules.

use std::rc::Rc;
use std::sync::Arc;

use deno_core::ModuleLoader;
use deno_core::error::CoreError;
use deno_core::url::Url;
use deno_permissions::PermissionsContainer;

use crate::module_override::ModuleOverride;
use crate::packages::Node;

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
    /// Loads its modules.
    pub module_loader: Rc<dyn ModuleLoader>,
    /// Node.js's modules and packages.
    pub node: Node,
    /// The text of an error that ends the worker, for the log.
    pub format_error: Box<dyn Fn(&CoreError) -> String>,
}
