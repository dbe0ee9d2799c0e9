//! The options of a module loader.

use std::collections::HashMap;
use std::sync::Arc;

use ::import_map::ImportMap;
use deno_ast::TranspileOptions;
use deno_core::ModuleSpecifier;
use deno_permissions::PermissionsContainer;
use deno_web::BlobStoreTrait;

use crate::config::default_transpile_options;
use crate::module_override::ModuleOverride;
use crate::packages::PackagesOptions;
use crate::startup_data::StartupData;
use crate::web_worker::request::WebWorkerRequest;

/// The options of a [`DuplexModuleLoader`](crate::module_loader::DuplexModuleLoader).
#[derive(Clone)]
pub struct ModuleLoaderOptions {
    /// Checked before a module is loaded by `import()`. Modules that the text of the program names
    /// are part of the program and need no permission.
    pub permissions: PermissionsContainer,
    /// Checked before each module of the program is loaded, including its main module. If this is
    /// `None`, they need no permission.
    pub program_permissions: Option<PermissionsContainer>,
    /// Applied to every specifier but the main module's.
    pub import_map: Option<ImportMap>,
    /// How TypeScript and JSX become JavaScript.
    pub transpile: TranspileOptions,
    /// The store of `blob:` modules. If this is `None`, there are no such modules.
    pub blob_store: Option<Arc<dyn BlobStoreTrait>>,
    /// Modules with a given text, such as the argument of `duplex eval`, and modules with a media
    /// type that the user chose (`--ext`).
    pub overrides: HashMap<ModuleSpecifier, ModuleOverride>,
    /// How packages and remote modules are found.
    pub packages: PackagesOptions,
    /// The start-up data of the worker, so that the engine need not compile the runtime's own
    /// scripts. The default is empty.
    pub startup: StartupData,
    /// Whether transpiled code contains its source map with the source, for debuggers.
    pub inline_source_maps: bool,
}

impl ModuleLoaderOptions {
    /// The defaults: no import map, no overrides, the default transforms, and packages as for a
    /// program in the current directory.
    pub fn new(permissions: PermissionsContainer) -> Self {
        Self {
            permissions,
            program_permissions: None,
            import_map: None,
            transpile: default_transpile_options(),
            blob_store: None,
            overrides: HashMap::new(),
            packages: PackagesOptions::new(std::env::current_dir().unwrap_or_default()),
            startup: StartupData::default(),
            inline_source_maps: false,
        }
    }

    /// The options for the loader of a web worker of this program.
    pub fn for_web_worker(&self, request: WebWorkerRequest) -> Self {
        let mut overrides = self.overrides.clone();
        if let Some(source) = request.source {
            overrides.insert(request.main_module, source);
        }
        Self {
            permissions: request.permissions,
            program_permissions: Some(request.owner_permissions),
            startup: self.startup,
            inline_source_maps: self.inline_source_maps,
            import_map: self.import_map.clone(),
            transpile: self.transpile.clone(),
            blob_store: self.blob_store.clone(),
            packages: self.packages.clone(),
            overrides,
        }
    }
}
