//! Resolves specifiers that are neither a path nor a URL of this machine, and finds the source of
//! their modules: `node_modules`, npm, JSR, remote modules, workspaces. Deno's crates do the work,
//! with Deno's cache and lock file. This module puts these crates together.
//!
//! | module | concern |
//! |---|---|
//! | `fetch` | requests to registries and to hosts of modules |
//! | `graph` | remote modules and packages, fetched before they are loaded |
//! | `files` | the fetcher of the files of modules |
//! | `found` | a module in the types of deno_core |
//! | `jsr` | the registry of JSR |
//! | `lifecycle` | the lifecycle scripts of packages |
//! | `reads` | what a program may read of packages |
//! | `node` | what `node:module` needs: `require` |
//! | `progress` | how downloads are shown to the user |
//!
//! Nothing of this is set up for a program that needs no packages.

mod fetch;
mod files;
mod found;
mod graph;
mod jsr;
mod lifecycle;
mod node;
mod progress;
mod reads;
mod sys;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use deno_ast::MediaType;
use deno_core::ModuleSpecifier;
use deno_core::futures::FutureExt;
use deno_core::serde_json;
use deno_error::JsErrorBox;
use deno_graph::ModuleGraph;
use deno_npm_cache::NpmCacheSetting;
use deno_npm_installer::LifecycleScriptsConfig;
use deno_npm_installer::NpmInstallerFactory;
use deno_npm_installer::NpmInstallerFactoryOptions;
use deno_npm_installer::PackagesAllowedScripts;
use deno_npm_installer::graph::NpmCachingStrategy;
use deno_permissions::PermissionsContainer;
use deno_resolver::cjs::IsCjsResolutionMode;
use deno_resolver::factory::ConfigDiscoveryOption;
use deno_resolver::factory::ResolverFactory;
use deno_resolver::factory::ResolverFactoryOptions;
use deno_resolver::factory::SpecifiedImportMapProvider;
use deno_resolver::factory::WorkspaceFactory;
use deno_resolver::factory::WorkspaceFactoryOptions;
use deno_resolver::graph::DefaultDenoResolverRc;
use deno_resolver::graph::ResolveWithGraphErrorKind;
use deno_resolver::graph::ResolveWithGraphOptions;
use deno_resolver::workspace::SpecifiedImportMap;
use deno_semver::package::PackageReq;
use deno_semver::package::PackageReqParseError;
use deno_web::BlobStoreTrait;
use node_resolver::InNpmPackageChecker;
use node_resolver::NodeResolutionKind;
use node_resolver::ResolutionMode;
use node_resolver::analyze::CjsAnalysisSourceProvider;
use node_resolver::cache::NodeResolutionThreadLocalCache;

pub use deno_cache_dir::file_fetcher::CacheSetting;
pub use deno_config::deno_json::NodeModulesDirMode as NodeModulesDir;
pub use fetch::Downloads;
pub use found::Found;
pub(crate) use found::to_js_error;
pub use graph::Asking;
pub use jsr::jsr_url;
pub use node::Node;
pub use node::NodeServices;
pub use node::PackageChecker;
pub use node::PackageFolders;
pub use node::take_channel;
pub use sys::Sys;

use self::fetch::RegistryClient;
use self::files::FileFetcher;
use self::found::found;
use self::found::to_requested;
use self::lifecycle::LifecycleScripts;
use self::progress::Progress;
use self::reads::check_package_read;

type Npm = NpmInstallerFactory<RegistryClient, Progress, Sys>;

/// How packages and remote modules are found.
#[derive(Clone)]
pub struct PackagesOptions {
    /// The working directory.
    pub cwd: PathBuf,
    /// Where to look for `deno.json` and `package.json`.
    pub config: ConfigDiscovery,
    /// The import map of `--import-map`, with the URL that its addresses are relative to.
    pub import_map: Option<(ModuleSpecifier, serde_json::Value)>,
    /// How the cache is used: `--reload`, `--cached-only`.
    pub cache: CacheSetting,
    /// Whether remote modules are refused.
    pub no_remote: bool,
    /// Whether packages of npm are refused.
    pub no_npm: bool,
    /// If true, no lock file is read or written.
    pub no_lock: bool,
    /// The path of the lock file, relative to `cwd`.
    pub lock: Option<PathBuf>,
    /// Whether a lock file that would change is an error. If this is `None`, the configuration
    /// decides.
    pub frozen: Option<bool>,
    /// Whether packages are installed into a `node_modules` folder. If this is `None`, the
    /// configuration decides.
    pub node_modules_dir: Option<NodeModulesDir>,
    /// The packages whose lifecycle scripts may run when they are installed.
    pub allowed_scripts: AllowedScripts,
    /// Whether all packages of the workspace should be installed, as `duplex install` does.
    pub is_installation: bool,
    /// The options of requests.
    pub downloads: Downloads,
    /// The store that `blob:` URLs are resolved in.
    pub blob_store: Option<Arc<dyn BlobStoreTrait>>,
    /// Whether a path may lack its extension, or name a folder with an index file.
    pub sloppy_imports: bool,
}

impl PackagesOptions {
    /// Deno's defaults, for programs in `cwd`.
    pub fn new(cwd: PathBuf) -> Self {
        Self {
            config: ConfigDiscovery::From(cwd.clone()),
            cwd,
            import_map: None,
            cache: CacheSetting::Use,
            no_remote: false,
            no_npm: false,
            no_lock: false,
            lock: None,
            frozen: None,
            node_modules_dir: None,
            allowed_scripts: AllowedScripts::None,
            is_installation: false,
            downloads: Downloads::default(),
            blob_store: None,
            sloppy_imports: false,
        }
    }
}

/// The packages whose scripts may run when they are installed.
#[derive(Clone, Debug, Default)]
pub enum AllowedScripts {
    /// No package's scripts.
    #[default]
    None,
    /// The scripts of these packages.
    Some(Vec<PackageReq>),
    /// The scripts of all packages.
    All,
}

impl AllowedScripts {
    /// The scripts of the packages with these names, such as `npm:sharp@1`. The version is
    /// optional.
    ///
    /// # Errors
    /// If a name is not a valid name of a package.
    pub fn some(names: &[String]) -> Result<Self, PackageReqParseError> {
        let parse = |name: &String| PackageReq::from_str(name.strip_prefix("npm:").unwrap_or(name));
        Ok(Self::Some(
            names.iter().map(parse).collect::<Result<_, _>>()?,
        ))
    }
}

/// Where `deno.json` and `package.json` are.
#[derive(Clone, Debug)]
pub enum ConfigDiscovery {
    /// In this folder or in a folder above it.
    From(PathBuf),
    /// The file at this path.
    Path(PathBuf),
    /// Such files are not used.
    Disabled,
}

/// Finds and loads modules that are not simply files of the program.
pub struct Packages {
    options: PackagesOptions,
    parts: OnceCell<Parts>,
    graph: RefCell<Arc<ModuleGraph>>,
    building: tokio::sync::Mutex<()>,
    wanted: RefCell<Vec<ModuleSpecifier>>,
    /// The packages in `node_modules` folders that neither a package.json nor a flag announces.
    unannounced: OnceCell<Rc<Packages>>,
    last_required: RefCell<Option<PathBuf>>,
}

struct Parts {
    resolvers: Arc<ResolverFactory<Sys>>,
    npm: Npm,
    files: OnceCell<Arc<FileFetcher>>,
}

impl Packages {
    /// Makes this from options. Nothing is looked up yet.
    pub fn new(options: PackagesOptions) -> Rc<Self> {
        Rc::new(Self {
            options,
            parts: OnceCell::new(),
            graph: RefCell::new(Arc::new(ModuleGraph::new(deno_graph::GraphKind::CodeOnly))),
            building: tokio::sync::Mutex::new(()),
            wanted: RefCell::default(),
            unannounced: OnceCell::new(),
            last_required: RefCell::default(),
        })
    }

    /// How packages and remote modules are found.
    pub fn options(&self) -> &PackagesOptions {
        &self.options
    }

    /// The file that `require` read last.
    pub fn last_required(&self) -> Option<PathBuf> {
        self.last_required.borrow().clone()
    }

    /// Whether a module is part of a package. If there is no `node_modules` in its path, the
    /// package can only be in the cache. A program that has such a module has asked for packages
    /// before, so the crates are set up then.
    pub fn in_package(&self, specifier: &ModuleSpecifier) -> bool {
        if specifier.scheme() != "file" {
            return false;
        }
        if specifier.path().contains("/node_modules/") {
            return true;
        }
        self.parts.get().is_some_and(|parts| {
            parts
                .resolvers
                .in_npm_package_checker()
                .is_ok_and(|checker| checker.in_npm_package(specifier))
        })
    }

    /// The `Packages` that are responsible for a module: these, or those of `node_modules` folders
    /// that nothing announces.
    fn of(&self, specifier: &ModuleSpecifier) -> &Packages {
        let is_own = !specifier.path().contains("/node_modules/")
            || self
                .parts()
                .resolvers
                .in_npm_package_checker()
                .is_ok_and(|checker| checker.in_npm_package(specifier));
        match is_own {
            true => self,
            false => self.unannounced(),
        }
    }

    /// The packages of `node_modules` folders, which are used as they are.
    fn unannounced(&self) -> &Packages {
        self.unannounced.get_or_init(|| {
            Self::new(PackagesOptions {
                node_modules_dir: Some(NodeModulesDir::Manual),
                ..self.options.clone()
            })
        })
    }

    /// Resolves a name as Node.js does, if a `node_modules` folder beside or above the module has a
    /// package of this name. Neither a package.json nor a flag needs to announce the folder.
    pub fn resolve_beside(
        &self,
        specifier: &str,
        referrer: &ModuleSpecifier,
    ) -> Option<ModuleSpecifier> {
        let path = referrer.to_file_path().ok()?;
        let mut parts = specifier.splitn(3, '/');
        let mut name = parts.next()?.to_string();
        if name.starts_with('@') {
            name = format!("{name}/{}", parts.next()?);
        }
        path.ancestors()
            .skip(1)
            .any(|folder| folder.join("node_modules").join(&name).is_dir())
            .then(|| self.unannounced().resolve(specifier, referrer, false).ok())?
    }

    /// Resolves `specifier` in the module `referrer`. A package that is not installed yet stays an
    /// `npm:…` or `jsr:…` specifier, which [`Self::load`] takes.
    ///
    /// # Errors
    /// If the specifier cannot be resolved, or the module may not import it.
    pub fn resolve(
        &self,
        specifier: &str,
        referrer: &ModuleSpecifier,
        is_import_meta: bool,
    ) -> Result<ModuleSpecifier, JsErrorBox> {
        let this = self.of(referrer);
        if !std::ptr::eq(this, self) {
            return this.resolve(specifier, referrer, is_import_meta);
        }
        let graph = self.graph();
        let options = ResolveWithGraphOptions {
            mode: ResolutionMode::Import,
            kind: NodeResolutionKind::Execution,
            maintain_npm_specifiers: !is_import_meta,
        };
        let position = deno_graph::Position::zeroed();
        let resolved = self
            .resolver()?
            .resolve_with_graph(&graph, specifier, referrer, position, options);
        match resolved {
            Ok(resolved) => {
                if !is_import_meta {
                    refuse_remote_import_of_package(&resolved, referrer)?;
                }
                Ok(resolved)
            }
            Err(error) => {
                // `import.meta.resolve` also resolves the name of a module that does not exist.
                if is_import_meta
                    && let Some(specifier) = error
                        .maybe_specifier()
                        .and_then(|specifier| specifier.into_owned().into_url().ok())
                {
                    return Ok(specifier);
                }
                Err(match error.into_kind() {
                    ResolveWithGraphErrorKind::Resolution(error) => {
                        JsErrorBox::type_error(error.to_string_with_range())
                    }
                    error => JsErrorBox::from_err(error),
                })
            }
        }
    }

    /// Whether packages are in a `node_modules` folder rather than in the cache.
    pub fn uses_node_modules(&self) -> bool {
        let workspace = self.parts().resolvers.workspace_factory();
        workspace
            .node_modules_dir_path()
            .is_ok_and(|path| path.is_some())
    }

    /// Loads a module of a package from the file system. It waits at most for a parser.
    ///
    /// # Errors
    /// If the module does not exist, or cannot be parsed.
    pub async fn load_file(
        &self,
        specifier: &ModuleSpecifier,
        referrer: Option<&ModuleSpecifier>,
        requested: &deno_core::RequestedModuleType,
        sources: &dyn CjsAnalysisSourceProvider,
    ) -> Result<Found, JsErrorBox> {
        let requested = to_requested(requested);
        let loader = self.of(specifier).parts().resolvers.npm_module_loader();
        let loader = loader.map_err(to_js_error)?;
        let loading = loader.load(
            Cow::Borrowed(specifier),
            referrer,
            &requested,
            Some(sources),
        );
        let module = loading.await.map_err(JsErrorBox::from_err)?;
        Ok(found(module))
    }

    /// Makes an ES module of a CommonJS module that is not in a package. It has the exports that
    /// can be found in the text. A text that is an ES module stays as it is.
    ///
    /// # Errors
    /// If the text cannot be parsed, or a module that it requires does not exist.
    pub async fn translate_common_js(
        &self,
        specifier: &ModuleSpecifier,
        media_type: MediaType,
        text: Arc<str>,
        sources: &dyn CjsAnalysisSourceProvider,
    ) -> Result<Arc<str>, JsErrorBox> {
        let resolvers = &self.parts().resolvers;
        let text = match media_type.is_emittable() {
            true => resolvers
                .emitter()
                .map_err(to_js_error)?
                .maybe_emit_source_sync(specifier, media_type, deno_ast::ModuleKind::Cjs, &text)
                .map_err(JsErrorBox::from_err)?,
            false => text,
        };
        let translator = resolvers.node_code_translator().map_err(to_js_error)?;
        let translating = translator.translate_cjs_to_esm_with_source_provider(
            specifier,
            Some(Cow::Borrowed(&*text)),
            Some(sources),
        );
        let translated = translating.await.map_err(JsErrorBox::from_err)?;
        Ok(match translated {
            Cow::Borrowed(_) => text.clone(),
            Cow::Owned(translated) => translated.into(),
        })
    }

    /// The text of a fetched module, before transpiling.
    pub fn fetched_text(&self, specifier: &str) -> Option<Arc<str>> {
        let specifier = ModuleSpecifier::parse(specifier).ok()?;
        match self.graph().get(&specifier)? {
            deno_graph::Module::Js(module) => Some(module.source.text.clone()),
            deno_graph::Module::Json(module) => Some(module.source.text.clone()),
            _ => None,
        }
    }

    fn graph(&self) -> Arc<ModuleGraph> {
        self.graph.borrow().clone()
    }

    fn resolver(&self) -> Result<&DefaultDenoResolverRc<Sys>, JsErrorBox> {
        now(self.parts().resolvers.deno_resolver())?.map_err(to_js_error)
    }

    fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| self.make_parts())
    }

    fn make_parts(&self) -> Parts {
        let options = &self.options;
        let workspace = Arc::new(WorkspaceFactory::new(
            Sys::default(),
            options.cwd.clone(),
            WorkspaceFactoryOptions {
                config_discovery: match &options.config {
                    ConfigDiscovery::From(folder) => ConfigDiscoveryOption::Discover {
                        start_paths: vec![folder.clone()],
                    },
                    ConfigDiscovery::Path(path) => {
                        ConfigDiscoveryOption::Path(options.cwd.join(path))
                    }
                    ConfigDiscovery::Disabled => ConfigDiscoveryOption::Disabled,
                },
                is_package_manager_subcommand: options.is_installation,
                import_npm_lockfile: options.is_installation,
                frozen_lockfile: options.frozen,
                lock_arg: options.lock.as_ref().map(|path| options.cwd.join(path)),
                node_modules_dir: options.node_modules_dir,
                no_lock: options.no_lock,
                no_npm: options.no_npm,
                ..Default::default()
            },
        ));
        let resolvers = Arc::new(ResolverFactory::new(
            workspace,
            ResolverFactoryOptions {
                is_cjs_resolution_mode: IsCjsResolutionMode::ExplicitTypeCommonJs,
                node_code_translator_mode:
                    node_resolver::analyze::NodeCodeTranslatorMode::ModuleLoader,
                node_resolution_cache: Some(Arc::new(NodeResolutionThreadLocalCache)),
                package_json_cache: Some(Arc::new(node_resolver::PackageJsonThreadLocalCache)),
                specified_import_map: Some(Box::new(ImportMap(options.import_map.clone()))),
                unstable_sloppy_imports: options.sloppy_imports,
                ..Default::default()
            },
        ));
        let progress = Progress::default();
        let npm = NpmInstallerFactory::new(
            resolvers.clone(),
            Arc::new(RegistryClient::new(
                options.downloads.clone(),
                progress.clone(),
            )),
            Arc::new(LifecycleScripts),
            progress,
            None,
            NpmInstallerFactoryOptions {
                cache_setting: NpmCacheSetting::from_cache_setting(&options.cache),
                caching_strategy: match options.is_installation {
                    true => NpmCachingStrategy::Eager,
                    false => NpmCachingStrategy::Lazy,
                },
                clean_on_install: options.is_installation,
                dedup_lockfile_peer_variants: true,
                lifecycle_scripts_config: LifecycleScriptsConfig {
                    allowed: match &options.allowed_scripts {
                        AllowedScripts::None => PackagesAllowedScripts::None,
                        AllowedScripts::Some(packages) => {
                            PackagesAllowedScripts::Some(packages.clone())
                        }
                        AllowedScripts::All => PackagesAllowedScripts::All,
                    },
                    denied: Vec::new(),
                    initial_cwd: options.cwd.clone(),
                    root_dir: options.cwd.clone(),
                    explicit_install: options.is_installation,
                },
                production: false,
                skip_types: false,
                resolve_npm_resolution_snapshot: Box::new(|| Ok(None)),
            },
        );
        Parts {
            resolvers,
            npm,
            files: OnceCell::new(),
        }
    }
}

/// The import map that the user named.
#[derive(Debug)]
struct ImportMap(Option<(ModuleSpecifier, serde_json::Value)>);

#[async_trait::async_trait(?Send)]
impl SpecifiedImportMapProvider for ImportMap {
    async fn get(&self) -> Result<Option<SpecifiedImportMap>, anyhow::Error> {
        let named = self.0.as_ref();
        Ok(named.map(|(base_url, value)| SpecifiedImportMap {
            base_url: base_url.clone(),
            value: value.clone(),
        }))
    }
}

/// Refuses remote imports in packages of JSR, as Deno does. So the user of such a package knows
/// where all of its code comes from.
fn refuse_remote_import_of_package(
    specifier: &ModuleSpecifier,
    referrer: &ModuleSpecifier,
) -> Result<(), JsErrorBox> {
    let jsr = jsr_url().as_str();
    let is_remote = matches!(specifier.scheme(), "http" | "https");
    if is_remote && referrer.as_str().starts_with(jsr) && !specifier.as_str().starts_with(jsr) {
        return Err(JsErrorBox::generic(format!(
            "Importing {specifier} blocked. JSR packages cannot import non-JSR remote modules \
             for security reasons."
        )));
    }
    Ok(())
}

/// The output of a future that is ready at once. Deno's crates have asynchronous functions that
/// they share with browsers, and with a file system they never wait.
fn now<F: Future>(future: F) -> Result<F::Output, JsErrorBox> {
    future
        .now_or_never()
        .ok_or_else(|| JsErrorBox::generic("A module cannot be resolved without waiting."))
}

/// Reads the files that are needed to find what a CommonJS module exports.
pub struct CjsSources<'a> {
    /// The permissions of the program, which the files are checked against.
    pub permissions: &'a PermissionsContainer,
}

impl CjsAnalysisSourceProvider for CjsSources<'_> {
    fn load_source<'b>(&'b self, specifier: &ModuleSpecifier) -> Option<Cow<'b, str>> {
        let path = specifier.to_file_path().ok()?;
        let path = check_package_read(self.permissions, Cow::Owned(path)).ok()?;
        let bytes = std::fs::read(path).ok()?;
        Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
