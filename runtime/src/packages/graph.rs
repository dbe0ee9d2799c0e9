//! Remote modules and packages. All that a module needs is fetched, checked against the lock file
//! and installed before the first module of it is loaded.

use std::borrow::Cow;
use std::sync::Arc;

use deno_core::ModuleSourceCode;
use deno_core::ModuleSpecifier;
use deno_core::RequestedModuleType;
use deno_core::url::Url;
use deno_error::JsErrorBox;
use deno_error::JsErrorClass;
use deno_graph::CheckJsOption;
use deno_graph::GraphKind;
use deno_graph::ModuleGraph;
use deno_graph::WalkOptions;
use deno_npm_installer::PackageCaching;
use deno_permissions::CheckSpecifierKind;
use deno_permissions::PermissionsContainer;
use deno_resolver::deno_json::JsxImportSourceConfigResolver;
use deno_resolver::file_fetcher::DenoGraphLoader;
use deno_resolver::file_fetcher::DenoGraphLoaderOptions;
use deno_resolver::file_fetcher::FetchOptions;
use deno_resolver::file_fetcher::FetchPermissionsOptionRef;
use deno_resolver::file_fetcher::PermissionedFileFetcherOptions;
use deno_resolver::graph::EnhanceGraphErrorMode;
use deno_resolver::graph::NpmTypesResolutionMode;
use deno_resolver::graph::enhance_graph_error;
use deno_resolver::graph::format_deno_graph_error;
use deno_resolver::loader::LoadedModuleOrAsset;
use deno_semver::SmallStackString;
use deno_semver::jsr::JsrDepPackageReq;
use deno_semver::npm::NpmPackageReqReference;
use node_resolver::NodeResolutionKind;
use node_resolver::ResolutionMode;
use node_resolver::analyze::CjsAnalysisSourceProvider;

use crate::packages::NodeModulesDir;
use crate::packages::Packages;
use crate::packages::Parts;
use crate::packages::fetch::ModuleClient;
use crate::packages::files::Blobs;
use crate::packages::files::FileFetcher;
use crate::packages::found::Found;
use crate::packages::found::found;
use crate::packages::found::to_js_error;
use crate::packages::found::to_requested;
use crate::packages::jsr::jsr_url;
use crate::packages::progress::Progress;
use crate::packages::sys::Sys;

/// A request for a module.
pub struct Asking<'a> {
    /// The importing module, if there is one.
    pub referrer: Option<&'a ModuleSpecifier>,
    /// The type of module that the import asks for.
    pub requested: &'a RequestedModuleType,
    /// The permissions that are checked before anything is fetched or read.
    pub permissions: &'a PermissionsContainer,
    /// Whether the import is an `import()`.
    pub is_dynamic: bool,
    /// Reads other files to find the names that a CommonJS module exports.
    pub sources: &'a dyn CjsAnalysisSourceProvider,
}

impl Packages {
    /// Loads an `npm:…` or `jsr:…` specifier, a remote module, or a module of a package. All that
    /// the module needs is fetched first.
    ///
    /// # Errors
    /// If the module, or a module that it imports, does not exist, is not allowed, or differs from
    /// the lock file.
    pub async fn load(
        &self,
        specifier: &ModuleSpecifier,
        asking: Asking<'_>,
    ) -> Result<Found, JsErrorBox> {
        let is_remote = matches!(specifier.scheme(), "http" | "https");
        if is_remote
            && matches!(
                asking.requested,
                RequestedModuleType::Text | RequestedModuleType::Bytes
            )
        {
            return self.load_asset(specifier, &asking).await;
        }
        let specifier = match specifier.scheme() {
            "http" | "https" | "jsr" | "npm" => {
                self.prepare(specifier, asking.permissions, asking.is_dynamic)
                    .await?;
                self.installed(specifier, asking.referrer)?
            }
            _ => specifier.clone(),
        };
        let graph = self.graph();
        let specifier = graph.resolve(&specifier);
        let resolvers = &self.parts().resolvers;
        let loaded = resolvers
            .module_loader()
            .map_err(to_js_error)?
            .load(
                &graph,
                specifier,
                asking.referrer,
                &to_requested(asking.requested),
                Some(asking.sources),
            )
            .await
            .map_err(JsErrorBox::from_err)?;
        match loaded {
            LoadedModuleOrAsset::Module(module) => Ok(found(module)),
            LoadedModuleOrAsset::ExternalAsset { specifier, .. } => {
                self.load_asset(&specifier, &asking).await
            }
        }
    }

    /// Fetches and installs all that the modules need, and runs no code.
    ///
    /// # Errors
    /// The errors of [`load`](Self::load).
    pub async fn cache(
        &self,
        roots: &[ModuleSpecifier],
        permissions: &PermissionsContainer,
    ) -> Result<(), JsErrorBox> {
        self.wanted.borrow_mut().extend_from_slice(roots);
        let _permit = self.building.lock().await;
        self.build(permissions, false).await?;
        for root in roots {
            self.check(root)?;
        }
        Ok(())
    }

    /// Fetches the text of a remote file that the user named, which needs no permission. Returns
    /// the text with its final URL.
    ///
    /// # Errors
    /// If the file cannot be fetched.
    pub async fn fetch_text(
        &self,
        specifier: &ModuleSpecifier,
    ) -> Result<(ModuleSpecifier, String), JsErrorBox> {
        let file = self
            .files(self.parts(), &crate::permissions::allow_all())?
            .fetch_with_options(
                specifier,
                FetchPermissionsOptionRef::AllowAll,
                FetchOptions::default(),
            )
            .await
            .map_err(JsErrorBox::from_err)?;
        let text = String::from_utf8_lossy(&file.source).into_owned();
        Ok((file.url, text))
    }

    /// Installs the packages that `deno.json` and `package.json` name.
    ///
    /// # Errors
    /// If a package does not exist, or cannot be installed.
    pub async fn install(&self) -> Result<(), JsErrorBox> {
        let npm = &self.parts().npm;
        npm.initialize_npm_resolution_if_managed()
            .await
            .map_err(to_js_error)?;
        if let Some(installer) = npm.npm_installer_if_managed().await.map_err(to_js_error)? {
            installer
                .ensure_top_level_package_json_install()
                .await
                .map_err(with_causes)?;
            installer
                .cache_packages(PackageCaching::All)
                .await
                .map_err(with_causes)?;
        }
        self.write_lock_file().await
    }

    /// Fetches all that `specifier` needs, unless that was done already.
    async fn prepare(
        &self,
        specifier: &ModuleSpecifier,
        permissions: &PermissionsContainer,
        is_dynamic: bool,
    ) -> Result<(), JsErrorBox> {
        let kind = match is_dynamic {
            true => CheckSpecifierKind::Dynamic,
            false => CheckSpecifierKind::Static,
        };
        if matches!(specifier.scheme(), "http" | "https") {
            permissions
                .check_specifier(specifier, kind)
                .map_err(JsErrorBox::from_err)?;
        }
        if !self.is_prepared(specifier) {
            self.wanted.borrow_mut().push(specifier.clone());
            // The packages in other imports of the same module are fetched together with this one,
            // because npm then resolves them to fewer versions.
            tokio::task::yield_now().await;
            let _permit = self.building.lock().await;
            if !self.is_prepared(specifier) {
                self.build(permissions, is_dynamic).await?;
            }
        }
        self.check(specifier)
    }

    fn is_prepared(&self, specifier: &ModuleSpecifier) -> bool {
        matches!(self.graph().try_get(specifier), Ok(Some(_)))
    }

    /// Fetches the modules in `wanted`, with all that they need.
    async fn build(
        &self,
        permissions: &PermissionsContainer,
        is_dynamic: bool,
    ) -> Result<(), JsErrorBox> {
        let roots = std::mem::take(&mut *self.wanted.borrow_mut());
        let parts = self.parts();
        let resolvers = &parts.resolvers;
        let workspace = resolvers.workspace_factory();
        parts
            .npm
            .initialize_npm_resolution_if_managed()
            .await
            .map_err(to_js_error)?;
        self.install_workspace(parts).await?;
        let lock_file = parts.npm.maybe_lockfile().await.map_err(to_js_error)?;
        let mut graph = ModuleGraph::clone(&self.graph());
        if graph.roots.is_empty()
            && let Some(lock_file) = lock_file
        {
            lock_file.fill_graph(&mut graph);
        }
        let redirects = graph.redirects.len();
        let package_deps = graph.packages.package_deps_sum();
        let mappings = graph.packages.mappings().len();

        let loader = DenoGraphLoader::new(
            self.files(parts, permissions)?.clone(),
            workspace
                .global_http_cache()
                .map_err(|error| to_js_error(error.into()))?
                .clone(),
            resolvers
                .in_npm_package_checker()
                .map_err(to_js_error)?
                .clone(),
            Sys::default(),
            DenoGraphLoaderOptions {
                file_header_overrides: Default::default(),
                include_npm_sources: false,
                permissions: Some(permissions.clone()),
                file_permission_api_name: None,
                reporter: None,
            },
        );
        let jsx = JsxImportSourceConfigResolver::from_compiler_options_resolver(
            resolvers.compiler_options_resolver().map_err(to_js_error)?,
        )
        .map_err(JsErrorBox::from_err)?;
        let resolver = resolvers.deno_resolver().await.map_err(to_js_error)?;
        let resolver = resolver.as_graph_resolver(
            resolvers.cjs_tracker().map_err(to_js_error)?,
            &jsx,
            None,
            NpmTypesResolutionMode::Strict,
        );
        let npm_resolver = parts
            .npm
            .npm_deno_graph_resolver()
            .await
            .map_err(to_js_error)?;
        let parser = resolvers.parsed_source_cache().as_capturing_parser();
        let analyzer = deno_graph::ast::ParserModuleAnalyzer::new(&parser);
        let mut locker = lock_file.map(|lock_file| lock_file.as_deno_graph_locker());
        graph
            .build(
                roots,
                Vec::new(),
                &loader,
                deno_graph::BuildOptions {
                    is_dynamic,
                    file_system: &Sys::default(),
                    jsr_url_provider: &JsrUrl,
                    jsr_version_resolver: Cow::Borrowed(
                        resolvers.jsr_version_resolver().map_err(to_js_error)?,
                    ),
                    locker: locker.as_mut().map(|locker| locker as _),
                    module_analyzer: &analyzer,
                    npm_resolver: Some(npm_resolver.as_ref()),
                    resolver: Some(&resolver),
                    prefer_cached_jsr_versions: self.options.cache
                        == deno_cache_dir::file_fetcher::CacheSetting::Only,
                    unstable_bytes_imports: true,
                    ..Default::default()
                },
            )
            .await;

        if let Some(lock_file) = lock_file {
            let mut lock_file = lock_file.lock();
            if graph.redirects.len() != redirects {
                let redirects = graph
                    .redirects
                    .iter()
                    .filter(|(from, _)| !matches!(from.scheme(), "npm" | "file" | "deno"));
                for (from, to) in redirects {
                    lock_file.insert_redirect(from.to_string(), to.to_string());
                }
            }
            if graph.packages.mappings().len() != mappings {
                for (from, to) in graph.packages.mappings() {
                    lock_file.insert_package_specifier(
                        JsrDepPackageReq::jsr(from.clone()),
                        to.version.to_custom_string::<SmallStackString>(),
                    );
                }
            }
            if graph.packages.package_deps_sum() != package_deps {
                for (package, deps) in graph.packages.packages_with_deps() {
                    lock_file.add_package_deps(package, deps.cloned());
                }
            }
        }
        *self.graph.borrow_mut() = Arc::new(graph);
        self.write_lock_file().await
    }

    /// With `"nodeModulesDir": "auto"`, installs what is missing in the `node_modules` folder.
    async fn install_workspace(&self, parts: &Parts) -> Result<(), JsErrorBox> {
        let workspace = parts.resolvers.workspace_factory();
        let mode = workspace.node_modules_dir_mode().map_err(to_js_error)?;
        if mode == NodeModulesDir::Auto
            && let Some(installer) = parts
                .npm
                .npm_installer_if_managed()
                .await
                .map_err(to_js_error)?
        {
            installer
                .ensure_top_level_package_json_install()
                .await
                .map_err(with_causes)?;
        }
        Ok(())
    }

    async fn write_lock_file(&self) -> Result<(), JsErrorBox> {
        let npm = &self.parts().npm;
        match npm.maybe_lockfile().await.map_err(to_js_error)? {
            Some(lock_file) => lock_file.write_if_changed().map_err(JsErrorBox::from_err),
            None => Ok(()),
        }
    }

    /// Checks that all that `root` needs was found.
    fn check(&self, root: &ModuleSpecifier) -> Result<(), JsErrorBox> {
        let graph = self.graph();
        let options = WalkOptions {
            check_js: CheckJsOption::False,
            follow_dynamic: false,
            kind: GraphKind::CodeOnly,
            prefer_fast_check_graph: false,
        };
        if let Some(error) = graph.walk(std::iter::once(root), options).errors().next() {
            let error = enhance_graph_error(
                &Sys::default(),
                error,
                EnhanceGraphErrorMode::ShowRange,
                &[],
            );
            return Err(JsErrorBox::from_err(error));
        }
        match &graph.npm_dep_graph_result {
            Ok(()) => Ok(()),
            Err(error) => Err(JsErrorBox::new(
                error.get_class(),
                format_deno_graph_error(error),
            )),
        }
    }

    /// The file of the installed package that an `npm:…` specifier names.
    fn installed(
        &self,
        specifier: &ModuleSpecifier,
        referrer: Option<&ModuleSpecifier>,
    ) -> Result<ModuleSpecifier, JsErrorBox> {
        let graph = self.graph();
        let resolved = graph.resolve(specifier);
        let Ok(reference) = NpmPackageReqReference::from_specifier(resolved) else {
            return Ok(resolved.clone());
        };
        let here = Url::from_directory_path(&self.options.cwd).ok();
        let referrer = referrer.or(here.as_ref()).unwrap_or(specifier);
        self.resolver()?
            .resolve_non_workspace_npm_req_ref_to_file(
                &reference,
                referrer,
                ResolutionMode::Import,
                NodeResolutionKind::Execution,
            )
            .map_err(JsErrorBox::from_err)?
            .into_url()
            .map_err(JsErrorBox::from_err)
    }

    /// Loads a file that is imported as text or as bytes.
    async fn load_asset(
        &self,
        specifier: &ModuleSpecifier,
        asking: &Asking<'_>,
    ) -> Result<Found, JsErrorBox> {
        let kind = match asking.is_dynamic {
            true => CheckSpecifierKind::Dynamic,
            false => CheckSpecifierKind::Static,
        };
        let file = self
            .files(self.parts(), asking.permissions)?
            .fetch_with_options(
                specifier,
                FetchPermissionsOptionRef::Restricted(asking.permissions, kind),
                FetchOptions::default(),
            )
            .await
            .map_err(JsErrorBox::from_err)?;
        let (media_type, _) = file.resolve_media_type_and_charset();
        Ok(Found {
            specifier: file.url,
            media_type,
            code: ModuleSourceCode::Bytes(file.source.into()),
        })
    }

    fn files<'a>(
        &self,
        parts: &'a Parts,
        permissions: &PermissionsContainer,
    ) -> Result<&'a Arc<FileFetcher>, JsErrorBox> {
        if let Some(files) = parts.files.get() {
            return Ok(files);
        }
        let workspace = parts.resolvers.workspace_factory();
        let cache = workspace
            .http_cache()
            .map_err(|error| to_js_error(error.into()))?;
        let client = ModuleClient::new(
            self.options.downloads.clone(),
            Progress::default(),
            Some(permissions.clone()),
        );
        let files = FileFetcher::new(
            Blobs(self.options.blob_store.clone()),
            Arc::new(cache.clone()),
            client,
            Arc::default(),
            Sys::default(),
            PermissionedFileFetcherOptions {
                allow_remote: !self.options.no_remote,
                cache_setting: self.options.cache.clone(),
            },
        );
        Ok(parts.files.get_or_init(|| Arc::new(files)))
    }
}

#[derive(Debug)]
struct JsrUrl;

impl deno_graph::source::JsrUrlProvider for JsrUrl {
    fn url(&self) -> &'static ModuleSpecifier {
        jsr_url()
    }
}

/// An error with its causes in the message.
fn with_causes(error: JsErrorBox) -> JsErrorBox {
    JsErrorBox::new(error.get_class(), format_deno_graph_error(&error))
}
