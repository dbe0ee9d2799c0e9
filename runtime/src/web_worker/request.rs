//! What a web worker gets from its embedder: the loader of its modules.

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

/// What the embedder needs to make the loader of a web worker.
pub struct WebWorkerRequest {
    /// The permissions of the owner. They decide which modules the worker may consist of: its own
    /// module and the modules that the text of that module names.
    pub owner_permissions: PermissionsContainer,
    /// The permissions of the worker. They decide what it may `import()`.
    pub permissions: PermissionsContainer,
    /// The worker's module.
    pub main_module: Url,
    /// The text of that module, if it was read when the worker was made, because a `blob:` URL may
    /// have been revoked since then.
    pub source: Option<ModuleOverride>,
}

/// What a web worker needs from its embedder.
pub struct WebWorkerLoader {
    /// Loads the modules of the worker.
    pub module_loader: Rc<dyn ModuleLoader>,
    /// Node.js's modules and packages.
    pub node: Node,
    /// Formats an error that ends the worker, for the log.
    pub format_error: Box<dyn Fn(&CoreError) -> String>,
}
