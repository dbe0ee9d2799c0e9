//! The module loader: it resolves specifiers, finds the source of modules, and makes what an engine
//! needs to run them.

mod hints;
mod options;
mod resolve;
pub(crate) mod source;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use deno_ast::MediaType;
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
use deno_permissions::PermissionsContainer;

pub use self::options::ModuleLoaderOptions;
pub use crate::module_override::ModuleOverride;

use self::hints::with_suffix;
use self::source::LoadError;
use self::source::is_json;
use self::source::is_script;
use self::source::read;
use self::source::to_text;
use crate::dependencies::Dependency;
use crate::dependencies::analyze;
use crate::module_permissions;
use crate::module_permissions::Ground;
use crate::module_permissions::ModulePermissions;
use crate::module_permissions::Reader;
use crate::packages::Asking;
use crate::packages::CjsSources;
use crate::packages::Found;
use crate::packages::Node;
use crate::packages::Packages;
use crate::read_report::report_file;
use crate::transpile::SourceParseError;
use crate::transpile::needs_transpile;
use crate::transpile::parse_module;
use crate::transpile::transpile;

/// Loads modules:
///
/// - the program's files, and `data:` and `blob:` URLs
/// - JSON, text and bytes by import attribute
/// - TypeScript and JSX, which it transpiles
/// - CommonJS, for which it makes an ES module that runs it
/// - packages and remote modules, by [`Packages`]
pub struct DuplexModuleLoader(Rc<Inner>);

/// The state of a [`DuplexModuleLoader`], which a pending load also holds.
pub struct Inner {
    options: ModuleLoaderOptions,
    permissions: ModulePermissions,
    packages: Rc<Packages>,
    /// The modules that were loaded, for source maps, source lines and the rules of imports.
    loaded: RefCell<HashMap<String, LoadedModule>>,
    /// For each folder, whether the package.json that applies to it says that its files are
    /// CommonJS.
    common_js_folders: RefCell<HashMap<PathBuf, bool>>,
}

impl DuplexModuleLoader {
    /// A loader with these options.
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

    /// The Node.js modules and packages of an engine that uses this loader.
    pub fn node(&self) -> Node {
        let inner = self.0.clone();
        let is_of_program = move |specifier: &ModuleSpecifier| inner.is_of_program(specifier);
        Node::new(self.0.packages.clone(), Rc::new(is_of_program))
    }

    /// Where packages and remote modules come from.
    pub fn packages(&self) -> &Rc<Packages> {
        &self.0.packages
    }

    /// The parser's error about a loaded module that does not parse. It says more than the error of
    /// the engine.
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
    /// Whether a module was loaded as part of the program.
    fn is_of_program(&self, specifier: &ModuleSpecifier) -> bool {
        let loaded = self.loaded.borrow();
        let module = loaded.get(specifier.as_str());
        module.is_some_and(|module| module.ground == Ground::Program)
    }

    /// The permissions that a load is checked against.
    fn permissions_for(&self, is_dynamic_import: bool) -> &PermissionsContainer {
        match &self.options.program_permissions {
            Some(permissions) if !is_dynamic_import => permissions,
            _ => &self.options.permissions,
        }
    }

    /// The place of the first static import in `referrer` for which `matches` returns true, as the
    /// last line of an error's message.
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
        // A user cannot open `$deno$eval` and similar modules.
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

    /// Who reads a module, which decides what is checked.
    fn reader(&self, requested: &RequestedModuleType, ground: Ground) -> Reader<'_> {
        // The user chooses the main module of the program, but the owner chooses the main module of
        // a web worker.
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

    /// Makes the source for the engine from the bytes that were read.
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
            // A module that has only types is an empty module.
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
    /// Loads a module of the program, or of an installed package. It is read at once. Only CommonJS
    /// takes longer, because it is parsed on another thread.
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
            // A script that loads a module synchronously has named the module itself.
            let is_static = !options.is_dynamic_import && !options.is_synchronous;
            self.load_source(&specifier, requested, is_static).await
        };
        let loaded = loaded.and_then(|source| {
            // With `import()` the program may handle the error. Then the engine's own error, which
            // has the right class, is better.
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

    /// Loads a package or a remote module, which may have to be fetched.
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

    /// Whether a file is CommonJS. Its name decides, or the `type` in the nearest package.json, as
    /// in Node.js. Without a `type` the file is an ES module, as in Deno.
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
        // The source need not be compared, because the code was compiled from it.
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
        // A comment in a script names the URL, so nothing but a file is read.
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

/// The class of the error about a missing permission. No place is added to its message.
const NOT_CAPABLE: &str = "NotCapable";

struct LoadedModule {
    /// The text as it was read, before transpiling.
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

/// The `type` in the package.json that applies to a folder.
fn package_type(folder: &Path) -> Option<String> {
    let package = folder
        .ancestors()
        .find_map(|folder| std::fs::read(folder.join("package.json")).ok())?;
    let package = serde_json::from_slice::<serde_json::Value>(&package).ok()?;
    package["type"].as_str().map(String::from)
}

/// Whether a file is in a package, and is not a link that leads out of the package.
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

/// Checks that JSON parses. The engine's own error does not say where the mistake is.
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

#[cfg(test)]
mod tests;
