//! The options of a worker.

use std::rc::Rc;
use std::sync::Arc;

use deno_core::ModuleLoader;
use deno_core::url::Url;
use deno_permissions::PermissionsContainer;
use deno_web::BlobStore;
use deno_web::BlobStoreTrait;

use crate::debugging::Debugging;
use crate::features::Features;
use crate::inspector::Inspector;
use crate::packages::Node;
use crate::root_certs::RootCerts;
use crate::startup_data::StartupData;
use crate::versions::DENO_VERSION;
use crate::web_worker::request::WebWorkerLoaders;

/// The options of a [`MainWorker`](crate::MainWorker).
pub struct WorkerOptions {
    /// The program's arguments, `Deno.args`.
    pub args: Vec<String>,
    /// The program, `Deno.mainModule`.
    pub main_module: Url,
    /// `globalThis.location`, which is undefined if this is `None`.
    pub location: Option<Url>,
    /// The permissions of the program. See [`crate::permissions`].
    pub permissions: PermissionsContainer,
    /// Resolves and loads the program's modules.
    pub module_loader: Rc<dyn ModuleLoader>,
    /// Node.js's modules and packages. Share the packages with the loader.
    pub node: Node,
    /// The store that `URL.createObjectURL` fills. Share it with the loader for `blob:` modules.
    pub blob_store: Arc<dyn BlobStoreTrait>,
    /// The certificate authorities that TLS clients trust.
    pub root_certs: Arc<RootCerts>,
    /// Hosts whose certificates are not verified. An empty list means all hosts.
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    /// The seed that makes `Math.random` and `crypto.getRandomValues` repeatable.
    pub seed: Option<u64>,
    /// The unstable features of Deno that are on.
    pub features: Features,
    /// The data that the build script prepared. See [`crate::write_startup_data`].
    pub startup: StartupData,
    /// `navigator.userAgent` and the `User-Agent` of requests.
    pub user_agent: String,
    /// Modules that are evaluated before the main module.
    pub preload: Vec<Url>,
    /// Makes the module loaders of web workers. If this is `None`, a program cannot make web
    /// workers.
    pub web_workers: Option<WebWorkerLoaders>,
    /// Lets debuggers attach. V8 only.
    pub inspector: Option<Inspector>,
    /// Which files the engine writes about itself. V8 only.
    pub debugging: Debugging,
}

impl WorkerOptions {
    /// Options for `main_module` with the given permissions and loader, and defaults for everything
    /// else.
    pub fn new(
        main_module: Url,
        permissions: PermissionsContainer,
        module_loader: Rc<dyn ModuleLoader>,
    ) -> Self {
        Self {
            args: Vec::new(),
            main_module,
            location: None,
            permissions,
            module_loader,
            node: Node::default(),
            blob_store: BlobStore::default_arc(),
            root_certs: Arc::default(),
            unsafely_ignore_certificate_errors: None,
            seed: None,
            features: Features::default(),
            startup: StartupData::default(),
            user_agent: format!("Deno/{DENO_VERSION} duplex/{}", env!("CARGO_PKG_VERSION")),
            preload: Vec::new(),
            web_workers: None,
            inspector: None,
            debugging: Debugging::default(),
        }
    }
}
