//! The module loader: what a specifier means, where its source comes from, and
//! what an engine needs to run it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use ::import_map::ImportMap;
use ::import_map::ImportMapErrorKind;
use deno_ast::MediaType;
use deno_ast::TranspileOptions;
use deno_core::ModuleCodeBytes;
use deno_core::ModuleLoadOptions;
use deno_core::ModuleLoadReferrer;
use deno_core::ModuleLoadResponse;
use deno_core::ModuleLoader;
use deno_core::ModuleSource;
use deno_core::ModuleSourceCode;
use deno_core::ModuleSpecifier;
use deno_core::ModuleType;
use deno_core::RequestedModuleType;
use deno_core::ResolutionKind;
use deno_core::SourceCodeCacheInfo;
use deno_core::error::ModuleLoaderError;
use deno_core::futures::FutureExt;
use deno_core::serde_json;
use deno_core::v8;
use deno_error::JsErrorBox;
use deno_error::JsErrorClass;
use deno_node::is_builtin_node_module;
use deno_permissions::PermissionCheckError;
use deno_permissions::PermissionsContainer;
use deno_web::BlobStoreTrait;

pub use crate::module_override::ModuleOverride;

use crate::compat;
use crate::config::default_transpile_options;
use crate::dependencies::Dependency;
use crate::dependencies::analyze;
use crate::module_permissions;
use crate::module_permissions::Ground;
use crate::module_permissions::ModulePermissions;
use crate::module_permissions::ReadError;
use crate::module_permissions::Reader;
use crate::packages::Asking;
use crate::packages::CjsSources;
use crate::packages::Found;
use crate::packages::Node;
use crate::packages::Packages;
use crate::packages::PackagesOptions;
use crate::read_report::report_file;
use crate::startup_data::StartupData;
use crate::transpile::SourceParseError;
use crate::transpile::needs_transpile;
use crate::transpile::parse_module;
use crate::transpile::transpile;
use crate::web_worker::WebWorkerRequest;

/// How to make a [`DuplexModuleLoader`].
#[derive(Clone)]
pub struct ModuleLoaderOptions {
    /// Checked before a module is loaded by `import()`. Modules that the program
    /// names in its text are part of it and need no permission.
    pub permissions: PermissionsContainer,
    /// Checked before the modules of the program are loaded, its main module
    /// among them; without it they need no permission.
    pub program_permissions: Option<PermissionsContainer>,
    /// Applied to every specifier but the main module's.
    pub import_map: Option<ImportMap>,
    /// How TypeScript and JSX become JavaScript.
    pub transpile: TranspileOptions,
    /// Where `blob:` modules are; without it there are none.
    pub blob_store: Option<Arc<dyn BlobStoreTrait>>,
    /// Modules whose text is given rather than read, such as the argument of
    /// `duplex eval`, and modules whose media type the user chose (`--ext`).
    pub overrides: HashMap<ModuleSpecifier, ModuleOverride>,
    /// How packages and remote modules are found.
    pub packages: PackagesOptions,
    /// The worker's, so that the engine need not compile the runtime's own scripts. The
    /// default is empty.
    pub startup: StartupData,
    /// What was TypeScript names its source map and holds its source, for debuggers.
    pub inline_source_maps: bool,
}

impl ModuleLoaderOptions {
    /// No import map, no overrides, the default transforms; packages as for a program in the
    /// current directory.
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

    /// The same for the loader of a web worker.
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

/// Loads modules: the program's files, `data:` and `blob:` URLs by itself, JSON, text and
/// bytes by import attribute, TypeScript and JSX by transpiling, CommonJS by an ES module
/// that runs it; packages and remote modules by [`Packages`].
pub struct DuplexModuleLoader(Rc<Inner>);

/// What a load that waits holds.
pub struct Inner {
    options: ModuleLoaderOptions,
    permissions: ModulePermissions,
    packages: Rc<Packages>,
    /// What was loaded, for source maps, source lines and the rules of imports.
    loaded: RefCell<HashMap<String, LoadedModule>>,
    /// Whether the package.json that holds for a folder says that its files are CommonJS.
    common_js_folders: RefCell<HashMap<PathBuf, bool>>,
}

impl DuplexModuleLoader {
    pub fn new(options: ModuleLoaderOptions) -> Self {
        let permissions = ModulePermissions::new(
            options.permissions.clone(),
            options.program_permissions.clone(),
        );
        Self(Rc::new(Inner {
            packages: Packages::new(options.packages.clone()),
            options,
            permissions,
            loaded: RefCell::default(),
            common_js_folders: RefCell::default(),
        }))
    }

    /// What an engine with this loader has of Node.js.
    pub fn node(&self) -> Node {
        let inner = self.0.clone();
        let is_of_program = move |specifier: &ModuleSpecifier| inner.is_of_program(specifier);
        Node::new(self.0.packages.clone(), Rc::new(is_of_program))
    }

    /// Where packages and remote modules come from.
    pub fn packages(&self) -> &Rc<Packages> {
        &self.0.packages
    }

    /// The parser's account of why a loaded module is not one. An engine that
    /// rejects a module says less about it.
    pub fn syntax_error(&self, specifier: &str) -> Option<SourceParseError> {
        let (url, media_type, text) = {
            let loaded = self.0.loaded.borrow();
            let module = loaded.get(specifier)?;
            (
                ModuleSpecifier::parse(specifier).ok()?,
                module.media_type,
                module.text.clone(),
            )
        };
        parse_module(&url, media_type, text).err()
    }
}

impl Inner {
    fn try_resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
        is_import_meta: bool,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        if kind == ResolutionKind::MainModule {
            let resolved = deno_core::resolve_url(specifier).map_err(JsErrorBox::from_err)?;
            return match is_internal(&resolved) {
                true => Err(LoadError::internal(resolved).into()),
                false => Ok(resolved),
            };
        }
        let resolved = match ModuleSpecifier::parse(referrer) {
            Ok(referrer) => self.resolve_in(specifier, &referrer, is_import_meta)?,
            Err(_) => {
                deno_core::resolve_import(specifier, referrer).map_err(JsErrorBox::from_err)?
            }
        };
        match compat::module_for(&resolved) {
            Some(module) => Ok(module),
            None if is_internal(&resolved) => Err(LoadError::internal(resolved).into()),
            None => Ok(resolved),
        }
    }

    /// A path, a URL or what the import map makes one is resolved here; all else takes
    /// looking for packages.
    fn resolve_in(
        &self,
        specifier: &str,
        referrer: &ModuleSpecifier,
        is_import_meta: bool,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let by_packages =
            |specifier: &str| self.packages.resolve(specifier, referrer, is_import_meta);
        let is_own = matches!(referrer.scheme(), "file" | "data" | "blob")
            && !self.packages.in_package(referrer);
        if !is_own {
            return by_packages(specifier);
        }
        let resolved = match &self.options.import_map {
            Some(import_map) => match import_map.resolve(specifier, referrer) {
                Ok(resolved) => Some(resolved),
                Err(error) => match error.as_kind() {
                    ImportMapErrorKind::UnmappedBareSpecifier(..) => None,
                    _ => return Err(JsErrorBox::from_err(error)),
                },
            },
            None if is_bare(specifier) => None,
            None => Some(
                deno_core::resolve_import(specifier, referrer.as_str())
                    .map_err(JsErrorBox::from_err)?,
            ),
        };
        match resolved {
            Some(resolved) if matches!(resolved.scheme(), "npm" | "jsr") => {
                by_packages(resolved.as_str())
            }
            Some(resolved) if self.packages.in_package(&resolved) => by_packages(resolved.as_str()),
            Some(resolved) if self.is_sloppy(&resolved) => by_packages(resolved.as_str()),
            Some(resolved) => Ok(resolved),
            None => by_packages(specifier).or_else(|error| {
                if let Some(resolved) = self.packages.resolve_beside(specifier, referrer) {
                    return Ok(resolved);
                }
                if is_builtin_node_module(specifier) {
                    return ModuleSpecifier::parse(&format!("node:{specifier}")).map_err(|_| error);
                }
                Err(match hint_for_bare_specifier(specifier) {
                    Some(hint) => with_suffix(error, &format!("\n  hint: {hint}")),
                    None => error,
                })
            }),
        }
    }

    /// Whether the file of a module is to be guessed, because there is none of this name.
    fn is_sloppy(&self, specifier: &ModuleSpecifier) -> bool {
        self.packages.options().sloppy_imports
            && specifier.to_file_path().is_ok_and(|path| !path.is_file())
    }

    /// Makes the files that a module of the program names in an `import()`, and what they
    /// import, part of the program as they are now. Nothing of the program has run that
    /// could have written them.
    fn name_dynamic_imports(&self, referrer: &ModuleSpecifier) {
        if !self.permissions.distinguishes() {
            return;
        }
        let mut waiting = Vec::new();
        if let Some(module) = self.loaded.borrow_mut().get_mut(referrer.as_str())
            && may_import_dynamically(&module.text)
        {
            let dependencies = module.analyze(referrer.as_str()).iter();
            let dynamic = dependencies.filter(|it| it.is_dynamic);
            waiting.extend(dynamic.map(|it| (it.specifier.clone(), referrer.clone())));
        }
        while let Some((specifier, referrer)) = waiting.pop() {
            let resolved = self.try_resolve(
                &specifier,
                referrer.as_str(),
                ResolutionKind::DynamicImport,
                false,
            );
            // What cannot be read now is no part of the program.
            let Ok(resolved) = resolved else { continue };
            if resolved.scheme() != "file" {
                continue;
            }
            let Ok((bytes, media_type)) = self.read(&resolved, Reader::Program) else {
                continue;
            };
            if !self.permissions.name(resolved.clone(), &bytes) || !is_script(media_type, false) {
                continue;
            }
            let dependencies = analyze(&resolved, media_type, &to_text(bytes));
            waiting.extend(
                dependencies
                    .into_iter()
                    .map(|it| (it.specifier, resolved.clone())),
            );
        }
    }

    /// Whether a module was loaded as part of the program.
    fn is_of_program(&self, specifier: &ModuleSpecifier) -> bool {
        let loaded = self.loaded.borrow();
        let module = loaded.get(specifier.as_str());
        module.is_some_and(|module| module.ground == Ground::Program)
    }

    /// Whose permissions decide about a load.
    fn permissions_for(&self, is_dynamic_import: bool) -> &PermissionsContainer {
        match &self.options.program_permissions {
            Some(permissions) if !is_dynamic_import => permissions,
            _ => &self.options.permissions,
        }
    }

    /// Where in `referrer` the static import stands that `matches`, as the line
    /// that ends an error's message.
    fn import_location(
        &self,
        referrer: &str,
        matches: impl Fn(&Dependency) -> bool,
    ) -> Option<String> {
        let mut loaded = self.loaded.borrow_mut();
        let module = loaded.get_mut(referrer)?;
        let dependency = module
            .analyze(referrer)
            .iter()
            .find(|it| !it.is_dynamic && matches(it))?;
        Some(format!(
            "\n    at {referrer}:{}:{}",
            dependency.line, dependency.column
        ))
    }

    fn locate_failed_load(
        &self,
        specifier: &ModuleSpecifier,
        referrer: &ModuleLoadReferrer,
        error: ModuleLoaderError,
    ) -> ModuleLoaderError {
        let name = referrer.specifier.as_str();
        // `$deno$eval` and the like are no places that a user can open.
        if name.contains("/$deno$") {
            return error;
        }
        let location = self
            .import_location(name, |dependency| {
                self.try_resolve(&dependency.specifier, name, ResolutionKind::Import, false)
                    .is_ok_and(|resolved| resolved == *specifier)
            })
            .unwrap_or_else(|| {
                format!(
                    "\n    at {name}:{}:{}",
                    referrer.line_number, referrer.column_number
                )
            });
        with_suffix(error, &location)
    }

    async fn load_source(
        &self,
        specifier: &ModuleSpecifier,
        requested: &RequestedModuleType,
        is_static: bool,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let permissions = &self.permissions;
        let ground = permissions
            .check(specifier, is_static)
            .map_err(JsErrorBox::from_err)?;
        let given = self.options.overrides.get(specifier);
        let (bytes, found_type) = match given.and_then(|given| given.text.as_ref()) {
            Some(text) => (
                text.as_bytes().to_vec(),
                MediaType::from_specifier(specifier),
            ),
            None => self.read(specifier, self.reader(requested, ground))?,
        };
        let ground = permissions
            .check_contents(specifier, is_static, ground, &bytes)
            .map_err(JsErrorBox::from_err)?;
        let media_type = given
            .and_then(|given| given.media_type)
            .unwrap_or(found_type);
        self.make_source(specifier, bytes, media_type, requested, ground)
            .await
    }

    /// For whom a module is read.
    fn reader(&self, requested: &RequestedModuleType, ground: Ground) -> Reader<'_> {
        // The main module of a web worker is its owner's choice, not the user's.
        if self.loaded.borrow().is_empty() && self.options.program_permissions.is_none() {
            return Reader::User;
        }
        let own = self.permissions.own();
        match requested {
            RequestedModuleType::None | RequestedModuleType::Json if ground == Ground::Program => {
                Reader::Engine(own)
            }
            _ => Reader::Script(own),
        }
    }

    fn read(
        &self,
        specifier: &ModuleSpecifier,
        reader: Reader<'_>,
    ) -> Result<(Vec<u8>, MediaType), ModuleLoaderError> {
        if let Ok(path) = specifier.to_file_path() {
            report_file(&path);
        }
        read(specifier, self.options.blob_store.as_deref(), reader).map_err(JsErrorBox::from_err)
    }

    /// Makes what the engine takes of what was read.
    async fn make_source(
        &self,
        specifier: &ModuleSpecifier,
        bytes: Vec<u8>,
        media_type: MediaType,
        requested: &RequestedModuleType,
        ground: Ground,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let (module_type, code) = match requested {
            RequestedModuleType::Json if is_json(media_type) => (
                ModuleType::Json,
                ModuleSourceCode::String(to_text(bytes).into()),
            ),
            RequestedModuleType::Json => {
                return Err(LoadError::wrong_type(specifier, "Json", media_type).into());
            }
            RequestedModuleType::Text => (
                ModuleType::Text,
                ModuleSourceCode::String(to_text(bytes).into()),
            ),
            RequestedModuleType::Bytes => (
                ModuleType::Bytes,
                ModuleSourceCode::Bytes(ModuleCodeBytes::Boxed(bytes.into())),
            ),
            RequestedModuleType::Other(name) => {
                return Err(JsErrorBox::type_error(format!(
                    "The import attribute type of \"{name}\" is unsupported."
                )));
            }
            RequestedModuleType::None if media_type == MediaType::Wasm => (
                ModuleType::Wasm,
                ModuleSourceCode::Bytes(ModuleCodeBytes::Boxed(bytes.into())),
            ),
            RequestedModuleType::None => {
                let is_main = self.loaded.borrow().is_empty();
                if !is_script(media_type, is_main) {
                    return Err(LoadError::wrong_type(
                        specifier,
                        "JavaScript or TypeScript",
                        media_type,
                    )
                    .into());
                }
                let text = to_text(bytes);
                (
                    ModuleType::JavaScript,
                    self.make_script(specifier, media_type, text, ground)
                        .await?,
                )
            }
        };
        Ok(ModuleSource::new(module_type, code, specifier, None))
    }

    async fn make_script(
        &self,
        specifier: &ModuleSpecifier,
        media_type: MediaType,
        text: Arc<str>,
        ground: Ground,
    ) -> Result<ModuleSourceCode, ModuleLoaderError> {
        let (code, source_map) = if self.is_common_js(specifier, media_type) {
            let permissions = self.options.permissions.deep_clone_without_prompt();
            let sources = CjsSources {
                permissions: &permissions,
            };
            let code = self
                .packages
                .translate_common_js(specifier, media_type, text.clone(), &sources)
                .await?;
            (ModuleSourceCode::String(code.into()), None)
        } else if media_type.is_declaration() {
            // A module of types only is a module of nothing.
            (ModuleSourceCode::String(String::new().into()), None)
        } else if needs_transpile(media_type) {
            let mut transpiled =
                transpile(specifier, media_type, text.clone(), &self.options.transpile)?;
            if self.options.inline_source_maps {
                transpiled.inline_source_map(&text);
            }
            (
                ModuleSourceCode::String(transpiled.code.into()),
                Some(transpiled.source_map.into_boxed_slice()),
            )
        } else {
            (ModuleSourceCode::String(text.clone().into()), None)
        };
        self.loaded.borrow_mut().insert(
            specifier.to_string(),
            LoadedModule {
                text,
                media_type,
                source_map,
                ground,
                dependencies: None,
            },
        );
        if ground == Ground::Program {
            self.name_dynamic_imports(specifier);
        }
        Ok(code)
    }
}

impl Inner {
    /// A module of the program, or of a package that is there. It is read at once, but for
    /// CommonJS, which is parsed on another thread.
    async fn load_here(
        self: Rc<Self>,
        specifier: ModuleSpecifier,
        referrer: Option<ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let requested = &options.requested_module_type;
        let loaded = if is_package_file(&self.packages, &specifier) {
            let from = referrer.as_ref().map(|referrer| &referrer.specifier);
            self.load_of_package(&specifier, from, requested).await
        } else {
            // What a script loads while it waits, it has named itself.
            let is_static = !options.is_dynamic_import && !options.is_synchronous;
            self.load_source(&specifier, requested, is_static).await
        };
        let loaded = loaded.and_then(|source| {
            // A program that handles the error wants the engine's, of the right class.
            if source.module_type == ModuleType::Json && !options.is_dynamic_import {
                check_json(&specifier, source.code.as_bytes())?;
            }
            Ok(source)
        });
        loaded.map_err(|error| match &referrer {
            Some(referrer) if error.get_class() != NOT_CAPABLE => {
                self.locate_failed_load(&specifier, referrer, error)
            }
            _ => error,
        })
    }

    async fn load_of_package(
        &self,
        specifier: &ModuleSpecifier,
        referrer: Option<&ModuleSpecifier>,
        requested: &RequestedModuleType,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let permissions = self.options.permissions.deep_clone_without_prompt();
        let sources = CjsSources {
            permissions: &permissions,
        };
        let found = self
            .packages
            .load_file(specifier, referrer, requested, &sources)
            .await?;
        to_module_source(specifier, found, requested)
    }

    /// A package or a remote module, which may have to be fetched.
    async fn load_from_afar(
        self: Rc<Self>,
        specifier: ModuleSpecifier,
        referrer: Option<ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let silent = self.options.permissions.deep_clone_without_prompt();
        let sources = CjsSources {
            permissions: &silent,
        };
        let asking = Asking {
            referrer: referrer.as_ref().map(|referrer| &referrer.specifier),
            requested: &options.requested_module_type,
            permissions: self.permissions_for(options.is_dynamic_import),
            is_dynamic: options.is_dynamic_import,
            sources: &sources,
        };
        let loaded = match self.packages.load(&specifier, asking).await {
            Ok(found) => to_module_source(&specifier, found, &options.requested_module_type),
            Err(error) => Err(error),
        };
        loaded.map_err(|error| match &referrer {
            Some(referrer) => self.locate_failed_load(&specifier, referrer, error),
            None => error,
        })
    }

    /// Whether a file is CommonJS: by its name, or by the `type` of the package.json
    /// nearest to it, as in Node.js. Without one it is an ES module, as in Deno.
    fn is_common_js(&self, specifier: &ModuleSpecifier, media_type: MediaType) -> bool {
        match media_type {
            MediaType::Cjs | MediaType::Cts => true,
            MediaType::JavaScript | MediaType::TypeScript => {
                let Ok(path) = specifier.to_file_path() else {
                    return false;
                };
                let Some(folder) = path.parent() else {
                    return false;
                };
                if let Some(known) = self.common_js_folders.borrow().get(folder) {
                    return *known;
                }
                let is_common_js = package_type(folder).as_deref() == Some("commonjs");
                self.common_js_folders
                    .borrow_mut()
                    .insert(folder.to_path_buf(), is_common_js);
                is_common_js
            }
            _ => false,
        }
    }
}

impl ModuleLoader for DuplexModuleLoader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let inner = &self.0;
        inner
            .try_resolve(specifier, referrer, kind, false)
            .map_err(|error| {
                match inner.import_location(referrer, |it| it.specifier == specifier) {
                    Some(location) => with_suffix(error, &location),
                    None => error,
                }
            })
    }

    fn import_meta_resolve(
        &self,
        specifier: &str,
        referrer: &str,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let kind = ResolutionKind::DynamicImport;
        self.0.try_resolve(specifier, referrer, kind, true)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        let inner = self.0.clone();
        let (specifier, referrer) = (specifier.clone(), referrer.cloned());
        if matches!(specifier.scheme(), "http" | "https" | "jsr" | "npm") {
            let load = inner.load_from_afar(specifier, referrer, options);
            return ModuleLoadResponse::Async(load.boxed_local());
        }
        let mut load = inner.load_here(specifier, referrer, options).boxed_local();
        match load.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(source) => ModuleLoadResponse::Sync(source),
            Poll::Pending => ModuleLoadResponse::Async(load),
        }
    }

    /// Marks the modules of packages, for deno_node.
    fn get_host_defined_options<'s, 'i>(
        &self,
        scope: &mut v8::PinScope<'s, 'i>,
        name: &str,
    ) -> Option<v8::Local<'s, v8::Data>> {
        let specifier = ModuleSpecifier::parse(name).ok()?;
        self.0
            .packages
            .in_package(&specifier)
            .then(|| deno_node::create_host_defined_options(scope))
    }

    fn get_code_cache(
        &self,
        specifier: &ModuleSpecifier,
        _source: &str,
    ) -> Option<SourceCodeCacheInfo> {
        // The source is the one that was compiled.
        let code = self.0.options.startup.compiled(specifier.as_str())?;
        Some(SourceCodeCacheInfo {
            hash: 0,
            data: Some(Cow::Borrowed(code)),
        })
    }

    fn get_source_map(&self, file_name: &str) -> Option<Cow<'_, [u8]>> {
        let loaded = self.0.loaded.borrow();
        let source_map = loaded.get(file_name)?.source_map.as_ref()?;
        Some(Cow::Owned(source_map.to_vec()))
    }

    fn load_external_source_map(&self, source_map_url: &str) -> Option<Cow<'_, [u8]>> {
        let url = ModuleSpecifier::parse(source_map_url).ok()?;
        let path = (url.scheme() == "file").then(|| url.to_file_path().ok())??;
        // A script names it in a comment: nothing but a file is read.
        module_permissions::read_file(&path, Reader::Program)
            .ok()
            .map(Cow::Owned)
    }

    fn source_map_source_exists(&self, source_url: &str) -> Option<bool> {
        let url = ModuleSpecifier::parse(source_url).ok()?;
        Some(url.to_file_path().ok()?.exists())
    }

    fn get_source_mapped_source_line(&self, file_name: &str, line_number: usize) -> Option<String> {
        let loaded = self.0.loaded.borrow();
        let text = match loaded.get(file_name) {
            Some(module) => module.text.clone(),
            None => self.0.packages.fetched_text(file_name)?,
        };
        let line = text.lines().nth(line_number)?;
        Some(line.to_string())
    }
}

/// The class of an error that asks for a permission; it names no place.
const NOT_CAPABLE: &str = "NotCapable";

struct LoadedModule {
    /// As it was read, before transpiling.
    text: Arc<str>,
    media_type: MediaType,
    source_map: Option<Box<[u8]>>,
    ground: Ground,
    dependencies: Option<Vec<Dependency>>,
}

impl LoadedModule {
    fn analyze(&mut self, specifier: &str) -> &[Dependency] {
        self.dependencies.get_or_insert_with(|| {
            ModuleSpecifier::parse(specifier)
                .map(|url| analyze(&url, self.media_type, &self.text))
                .unwrap_or_default()
        })
    }
}

/// Why a module has no source.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum LoadError {
    #[class(type)]
    #[property("code" = "ERR_MODULE_NOT_FOUND")]
    #[error("Module not found \"{specifier}\".{}", .hint.as_ref().map(|hint| format!(" {hint}")).unwrap_or_default())]
    NotFound {
        specifier: ModuleSpecifier,
        hint: Option<String>,
    },
    #[class(type)]
    #[error("Import \"{specifier}\" failed: {source}")]
    Failed {
        specifier: ModuleSpecifier,
        source: io::Error,
    },
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[class(type)]
    #[error("\"{}:\" modules are not supported: \"{specifier}\"\n  hint: {}", .specifier.scheme(), SCHEME_HINT)]
    UnknownScheme { specifier: ModuleSpecifier },
    #[class(type)]
    #[property("code" = "ERR_UNKNOWN_BUILTIN_MODULE")]
    #[error("No such built-in module: \"{specifier}\"")]
    UnknownBuiltIn { specifier: ModuleSpecifier },
    #[class(type)]
    #[error(
        "Expected a {expected} module, but identified a {found:?} module.{}\n  Specifier: {specifier}",
        if is_json(*.found) {
            " Consider importing it with an import attribute: with { type: \"json\" }."
        } else {
            ""
        }
    )]
    WrongType {
        specifier: ModuleSpecifier,
        expected: &'static str,
        found: MediaType,
    },
}

impl LoadError {
    /// A module that is the runtime's own, or nobody's.
    fn internal(specifier: ModuleSpecifier) -> Self {
        match specifier.scheme() {
            "node" => Self::UnknownBuiltIn { specifier },
            _ => Self::UnknownScheme { specifier },
        }
    }

    fn wrong_type(specifier: &ModuleSpecifier, expected: &'static str, found: MediaType) -> Self {
        Self::WrongType {
            specifier: specifier.clone(),
            expected,
            found,
        }
    }
}

impl From<LoadError> for JsErrorBox {
    fn from(error: LoadError) -> Self {
        JsErrorBox::from_err(error)
    }
}

const SCHEME_HINT: &str =
    "Modules come from file:, http:, https:, data:, blob:, npm:, jsr: and node:.";

/// An error with more text behind its message, and otherwise the same.
#[derive(Debug, thiserror::Error)]
#[error("{source}{suffix}")]
struct Suffixed {
    source: JsErrorBox,
    suffix: String,
}

impl JsErrorClass for Suffixed {
    fn get_class(&self) -> Cow<'static, str> {
        self.source.get_class()
    }

    fn get_message(&self) -> Cow<'static, str> {
        Cow::Owned(format!("{}{}", self.source.get_message(), self.suffix))
    }

    fn get_additional_properties(&self) -> deno_error::AdditionalProperties {
        self.source.get_additional_properties()
    }

    fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
}

fn with_suffix(source: JsErrorBox, suffix: &str) -> JsErrorBox {
    JsErrorBox::from_err(Suffixed {
        source,
        suffix: suffix.to_string(),
    })
}

/// The bytes and media type that a `data:` URL holds.
pub(crate) fn read_data_url(specifier: &ModuleSpecifier) -> io::Result<(Vec<u8>, MediaType)> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "Unable to decode data url.");
    let url = data_url::DataUrl::process(specifier.as_str()).map_err(|_| invalid())?;
    let (bytes, _) = url.decode_to_vec().map_err(|_| invalid())?;
    let mime_type = url.mime_type().to_string();
    Ok((bytes, MediaType::from_content_type(specifier, mime_type)))
}

/// The bytes that are at `specifier`, and what they are said to be. Whether they may be
/// loaded was decided, but for what depends on where a file really is.
pub(crate) fn read(
    specifier: &ModuleSpecifier,
    blob_store: Option<&dyn BlobStoreTrait>,
    reader: Reader<'_>,
) -> Result<(Vec<u8>, MediaType), LoadError> {
    match specifier.scheme() {
        "file" => read_file(specifier, reader),
        "data" => read_data_url(specifier).map_err(|source| LoadError::Failed {
            specifier: specifier.clone(),
            source,
        }),
        "blob" => read_blob(specifier, blob_store),
        _ => Err(LoadError::UnknownScheme {
            specifier: specifier.clone(),
        }),
    }
}

fn read_file(
    specifier: &ModuleSpecifier,
    reader: Reader<'_>,
) -> Result<(Vec<u8>, MediaType), LoadError> {
    let path = specifier.to_file_path().map_err(|()| LoadError::Failed {
        specifier: specifier.clone(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "Invalid file path."),
    })?;
    match module_permissions::read_file(&path, reader) {
        Ok(bytes) => Ok((bytes, MediaType::from_specifier(specifier))),
        Err(ReadError::Permission(error)) => Err(error.into()),
        Err(ReadError::Io(error)) => Err(match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => LoadError::NotFound {
                specifier: specifier.clone(),
                hint: hint_for_missing_file(&path),
            },
            _ => LoadError::Failed {
                specifier: specifier.clone(),
                source: error,
            },
        }),
    }
}

fn read_blob(
    specifier: &ModuleSpecifier,
    store: Option<&dyn BlobStoreTrait>,
) -> Result<(Vec<u8>, MediaType), LoadError> {
    let failed = |kind, reason: &str| LoadError::Failed {
        specifier: specifier.clone(),
        source: io::Error::new(kind, reason),
    };
    let blob = store
        .and_then(|store| store.get_object_url(specifier.clone()))
        .ok_or_else(|| failed(io::ErrorKind::NotFound, "Blob URL not found."))?;
    // The parts of a blob are in memory, so that reading never waits.
    let bytes = blob
        .read_all()
        .now_or_never()
        .ok_or_else(|| failed(io::ErrorKind::WouldBlock, "The blob is not in memory."))?;
    Ok((
        bytes,
        MediaType::from_content_type(specifier, &blob.media_type),
    ))
}

/// Whether it names a module that is the runtime's own and none of a program.
fn is_internal(specifier: &ModuleSpecifier) -> bool {
    match specifier.scheme() {
        "ext" => true,
        "node" => !is_builtin_node_module(specifier.path()),
        _ => false,
    }
}

/// Whether a text may have an `import()`, told without parsing it.
fn may_import_dynamically(text: &str) -> bool {
    text.match_indices("import").any(|(at, word)| {
        // A comment may stand between the two.
        text[at + word.len()..].trim_start().starts_with(['(', '/'])
    })
}

pub(crate) fn to_text(bytes: Vec<u8>) -> Arc<str> {
    let text = String::from_utf8_lossy(&bytes);
    text.strip_prefix('\u{feff}').unwrap_or(&text).into()
}

/// The `type` in the package.json that holds for a folder.
fn package_type(folder: &Path) -> Option<String> {
    let package = folder
        .ancestors()
        .find_map(|folder| std::fs::read(folder.join("package.json")).ok())?;
    let package = serde_json::from_slice::<serde_json::Value>(&package).ok()?;
    package["type"].as_str().map(String::from)
}

/// Whether a file is in a package, and not a link out of it.
fn is_package_file(packages: &Packages, specifier: &ModuleSpecifier) -> bool {
    packages.in_package(specifier)
        && specifier
            .to_file_path()
            .ok()
            .and_then(|path| path.canonicalize().ok())
            .and_then(|path| ModuleSpecifier::from_file_path(path).ok())
            .is_none_or(|real| packages.in_package(&real))
}

fn to_module_source(
    specifier: &ModuleSpecifier,
    found: Found,
    requested: &RequestedModuleType,
) -> Result<ModuleSource, ModuleLoaderError> {
    let module_type = match requested {
        RequestedModuleType::Text => ModuleType::Text,
        RequestedModuleType::Bytes => ModuleType::Bytes,
        RequestedModuleType::Json if !is_json(found.media_type) => {
            return Err(LoadError::wrong_type(specifier, "Json", found.media_type).into());
        }
        RequestedModuleType::None if is_json(found.media_type) => {
            return Err(LoadError::wrong_type(
                specifier,
                "JavaScript or TypeScript",
                found.media_type,
            )
            .into());
        }
        RequestedModuleType::Json => ModuleType::Json,
        _ => match found.media_type {
            MediaType::Wasm => ModuleType::Wasm,
            _ => ModuleType::JavaScript,
        },
    };
    Ok(ModuleSource::new_with_redirect(
        module_type,
        found.code,
        specifier,
        &found.specifier,
        None,
    ))
}

/// Whether the engine will take it. Its own error does not tell where it is.
fn check_json(specifier: &ModuleSpecifier, bytes: &[u8]) -> Result<(), ModuleLoaderError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(JsErrorBox::new(
            "SyntaxError",
            format!("The JSON is malformed: {error}\n  Specifier: {specifier}"),
        )),
    }
}

/// Neither a path nor a URL.
fn is_bare(specifier: &str) -> bool {
    !specifier.starts_with(['/', '.']) && ModuleSpecifier::parse(specifier).is_err()
}

fn is_json(media_type: MediaType) -> bool {
    matches!(media_type, MediaType::Json | MediaType::Jsonc)
}

/// Whether this is JavaScript or becomes it. The main module may be called
/// anything.
fn is_script(media_type: MediaType, is_main: bool) -> bool {
    match media_type {
        MediaType::JavaScript | MediaType::Mjs | MediaType::Cjs => true,
        MediaType::Unknown => is_main,
        other => needs_transpile(other) || other.is_declaration(),
    }
}

/// What may have been meant by the name of a file that is not there.
fn hint_for_missing_file(path: &Path) -> Option<String> {
    const EXTENSIONS: [&str; 8] = ["ts", "js", "tsx", "jsx", "mts", "mjs", "cts", "cjs"];
    let with = |extension: &str| -> Option<PathBuf> {
        let path = path.with_extension(extension);
        path.is_file().then_some(path)
    };
    if path.is_dir() {
        return EXTENSIONS.iter().find_map(|extension| {
            let index = format!("index.{extension}");
            path.join(&index)
                .is_file()
                .then(|| format!("Maybe specify path to '{index}' file in directory instead."))
        });
    }
    EXTENSIONS.iter().find_map(|extension| {
        with(extension)?;
        Some(match path.extension() {
            None => format!("Maybe add a '.{extension}' extension."),
            Some(_) => format!("Maybe change the extension to '.{extension}'."),
        })
    })
}

/// What to do about a specifier that is neither a URL nor a path.
fn hint_for_bare_specifier(specifier: &str) -> Option<String> {
    if specifier.is_empty() || !is_bare(specifier) || specifier.starts_with('#') {
        return None;
    }
    if specifier.starts_with("@std/") {
        return Some(format!(
            "To use the package of JSR, import \"jsr:{specifier}\"."
        ));
    }
    let is_file = specifier.contains('.') && !specifier.starts_with('@');
    Some(match is_file {
        true => format!("If \"{specifier}\" is a file, write \"./{specifier}\"."),
        false => format!(
            "If \"{specifier}\" is a package, install it with npm, import \"npm:{specifier}\", or map \
             the name in the \"imports\" of a deno.json; if it is a file, write \"./{specifier}\"."
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deno_core::url::Url;
    use deno_permissions::PermissionsOptions;

    /// A folder of modules that is removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn with(name: &str, files: &[(&str, &str)]) -> Self {
            let path =
                std::env::temp_dir().join(format!("duplex-loader-{}-{name}", std::process::id()));
            for (file, text) in files {
                let file = path.join(file);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, text).unwrap();
            }
            Self(path)
        }

        fn url(&self, file: &str) -> Url {
            Url::from_file_path(self.0.join(file)).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn loader(import_map: Option<&str>) -> DuplexModuleLoader {
        let none = PermissionsOptions::default();
        let permissions = crate::permissions::from_options(&none).unwrap();
        let mut options = ModuleLoaderOptions::new(permissions);
        options.import_map = import_map.map(|json| {
            let base = Url::parse("file:///map.json").unwrap();
            ::import_map::parse_from_json(base, json)
                .unwrap()
                .import_map
        });
        DuplexModuleLoader::new(options)
    }

    fn load(
        loader: &DuplexModuleLoader,
        url: &Url,
        referrer: Option<&Url>,
        is_dynamic_import: bool,
        requested_module_type: RequestedModuleType,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let referrer = referrer.map(|specifier| ModuleLoadReferrer {
            specifier: specifier.clone(),
            line_number: 7,
            column_number: 7,
        });
        let options = ModuleLoadOptions {
            is_dynamic_import,
            is_synchronous: false,
            requested_module_type,
        };
        match loader.load(url, referrer.as_ref(), options) {
            ModuleLoadResponse::Sync(result) => result,
            ModuleLoadResponse::Async(_) => panic!("loading does not wait"),
        }
    }

    fn text(source: ModuleSource) -> String {
        String::from_utf8(source.code.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn resolves_paths_urls_and_the_import_map() {
        let map = r#"{ "imports": { "lib": "./lib.ts" }, "scopes": { "/in/": { "lib": "./other.ts" } } }"#;
        let loader = loader(Some(map));
        let resolve = |specifier: &str, referrer: &str| {
            loader
                .resolve(specifier, referrer, ResolutionKind::Import)
                .map(String::from)
        };
        assert_eq!(
            resolve("./b.ts", "file:///a/a.ts").unwrap(),
            "file:///a/b.ts"
        );
        assert_eq!(resolve("lib", "file:///a.ts").unwrap(), "file:///lib.ts");
        assert_eq!(
            resolve("lib", "file:///in/a.ts").unwrap(),
            "file:///other.ts"
        );
        let error = resolve("missing", "file:///a.ts").unwrap_err();
        assert!(error.get_message().contains("\"missing\""));
        assert!(error.get_message().contains("hint:"));
        // The main module is what the user named, whatever the map says.
        let main = loader.resolve("file:///lib", ".", ResolutionKind::MainModule);
        assert_eq!(main.unwrap().as_str(), "file:///lib");
    }

    #[test]
    fn errors_name_the_import() {
        let folder = Folder::with(
            "errors",
            &[
                (
                    "main.ts",
                    "const a: number = 1;\nimport { b } from \"./b\";\nimport \"bare\";\n",
                ),
                ("b.ts", "export const b = 1;"),
            ],
        );
        let loader = loader(None);
        let main = folder.url("main.ts");
        load(&loader, &main, None, false, RequestedModuleType::None).unwrap();
        let error = load(
            &loader,
            &folder.url("b"),
            Some(&main),
            false,
            RequestedModuleType::None,
        )
        .unwrap_err();
        assert_eq!(error.get_class(), "TypeError");
        assert_eq!(
            error.get_message(),
            format!(
                "Module not found \"{}\". Maybe add a '.ts' extension.\n    at {main}:2:19",
                folder.url("b")
            )
        );
        let error = loader
            .resolve("bare", main.as_str(), ResolutionKind::Import)
            .unwrap_err();
        assert!(error.get_message().ends_with(&format!("    at {main}:3:8")));
    }

    #[test]
    fn transpiles_and_keeps_the_way_back() {
        let folder = Folder::with("ts", &[("a.ts", "interface A {}\nthrow 1 as A;")]);
        let loader = loader(None);
        let url = folder.url("a.ts");
        let source = load(&loader, &url, None, false, RequestedModuleType::None).unwrap();
        assert_eq!(text(source).trim(), "throw 1;");
        assert!(loader.get_source_map(url.as_str()).is_some());
        assert_eq!(
            loader
                .get_source_mapped_source_line(url.as_str(), 1)
                .unwrap(),
            "throw 1 as A;"
        );
        assert_eq!(loader.get_source_mapped_source_line(url.as_str(), 9), None);
    }

    #[test]
    fn import_attributes_choose_the_kind() {
        let folder = Folder::with(
            "types",
            &[("a.js", ""), ("a.json", "{}"), ("a.txt", "\u{feff}é")],
        );
        let loader = loader(None);
        let load = |file: &str, requested| load(&loader, &folder.url(file), None, false, requested);
        load("a.js", RequestedModuleType::None).unwrap();
        let json = load("a.json", RequestedModuleType::Json).unwrap();
        assert_eq!(json.module_type, ModuleType::Json);
        assert_eq!(text(load("a.txt", RequestedModuleType::Text).unwrap()), "é");
        let bytes = load("a.txt", RequestedModuleType::Bytes).unwrap();
        assert_eq!(bytes.code.as_bytes().len(), 5);
        let error = load("a.json", RequestedModuleType::None).unwrap_err();
        assert!(error.get_message().contains("type: \"json\""));
        assert!(load("a.js", RequestedModuleType::Json).is_err());
        assert!(load("a.txt", RequestedModuleType::None).is_err());
    }

    #[test]
    fn data_urls() {
        let loader = loader(None);
        let load =
            |url: &str, requested| load(&loader, &Url::parse(url).unwrap(), None, false, requested);
        let code = load(
            "data:text/typescript,let a: number;",
            RequestedModuleType::None,
        );
        assert_eq!(text(code.unwrap()).trim(), "let a;");
        let code = load(
            "data:application/javascript;base64,MQ==",
            RequestedModuleType::None,
        );
        assert_eq!(text(code.unwrap()), "1");
        load("data:application/json,{}", RequestedModuleType::Json).unwrap();
        assert!(load("data:;base64,*", RequestedModuleType::Text).is_err());
    }

    #[test]
    fn names_of_no_module_are_refused() {
        let loader = loader(None);
        for (specifier, word) in [
            ("ext:core/mod.js", "\"ext:\" modules"),
            ("node:internal/util", "built-in module"),
            ("node:deno_std/ws", "built-in module"),
        ] {
            for referrer in ["file:///a.js", "data:text/javascript,1", "ext:x/a.js"] {
                let error = loader
                    .resolve(specifier, referrer, ResolutionKind::Import)
                    .unwrap_err();
                let message = error.get_message();
                assert!(message.contains(word), "{specifier}: {message}");
            }
        }
        let url = Url::parse("gopher://a/b").unwrap();
        let error = load(&loader, &url, None, false, RequestedModuleType::None).unwrap_err();
        assert!(error.get_message().contains("\"gopher:\" modules"));
        let resolved = loader.resolve("node:fs", "file:///a.js", ResolutionKind::Import);
        assert_eq!(resolved.unwrap().as_str(), "node:fs");
    }

    #[test]
    fn computed_imports_need_permission() {
        let folder = Folder::with(
            "dynamic",
            &[
                ("main.js", "import(\"./named.js\"); import(computed);"),
                ("named.js", "import \"./below.js\";"),
                ("below.js", ""),
                ("computed.js", ""),
            ],
        );
        let loader = loader(None);
        let load = |file: &str, is_dynamic| {
            load(
                &loader,
                &folder.url(file),
                None,
                is_dynamic,
                RequestedModuleType::None,
            )
        };
        load("main.js", false).unwrap();
        load("named.js", true).unwrap();
        load("below.js", true).unwrap();
        let error = load("computed.js", true).unwrap_err();
        assert_eq!(error.get_class(), "NotCapable");
        assert!(error.get_message().contains("--allow-read"));
    }

    #[test]
    fn overrides_give_text_and_kind() {
        let permissions = crate::permissions::allow_all();
        let mut options = ModuleLoaderOptions::new(permissions);
        let url = Url::parse("file:///$deno$eval.mts").unwrap();
        let given = ModuleOverride {
            text: Some("let a: number = 1;".into()),
            media_type: Some(MediaType::Mts),
        };
        options.overrides.insert(url.clone(), given);
        let loader = DuplexModuleLoader::new(options);
        let source = load(&loader, &url, None, false, RequestedModuleType::None).unwrap();
        assert_eq!(text(source).trim(), "let a = 1;");
    }
}
