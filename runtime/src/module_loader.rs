//! The module loader: what a specifier means, where its source comes from, and
//! what an engine needs to run it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use ::import_map::ImportMap;
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
use deno_error::JsErrorBox;
use deno_error::JsErrorClass;
use deno_permissions::PermissionCheckError;
use deno_permissions::PermissionsContainer;
use deno_web::BlobStoreTrait;

use crate::compat;
use crate::config::default_transpile_options;
use crate::dependencies::Dependency;
use crate::dependencies::analyze;
use crate::module_permissions;
use crate::module_permissions::Ground;
use crate::module_permissions::ModulePermissions;
use crate::module_permissions::ReadError;
use crate::module_permissions::Reader;
use crate::snapshot::StartupData;
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
    /// The worker's, so that the engine need not compile the runtime's own scripts. The
    /// default is empty.
    pub startup: StartupData,
}

impl ModuleLoaderOptions {
    /// No import map, no overrides, the default transforms.
    pub fn new(permissions: PermissionsContainer) -> Self {
        Self {
            permissions,
            program_permissions: None,
            import_map: None,
            transpile: default_transpile_options(),
            blob_store: None,
            overrides: HashMap::new(),
            startup: StartupData::default(),
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
            import_map: self.import_map.clone(),
            transpile: self.transpile.clone(),
            blob_store: self.blob_store.clone(),
            overrides,
        }
    }
}

/// What is known of a module before it is loaded.
#[derive(Clone, Debug, Default)]
pub struct ModuleOverride {
    /// Its text; without one it is read from where the specifier points.
    pub text: Option<Arc<str>>,
    /// What it is, in place of what its name says.
    pub media_type: Option<MediaType>,
}

/// Loads ES modules from local files, `data:` and `blob:` URLs; JSON, text and
/// bytes by import attribute; TypeScript and JSX by transpiling.
pub struct DuplexModuleLoader {
    options: ModuleLoaderOptions,
    permissions: ModulePermissions,
    /// What was loaded, for source maps, source lines and the rules of imports.
    loaded: RefCell<HashMap<String, LoadedModule>>,
}

impl DuplexModuleLoader {
    pub fn new(options: ModuleLoaderOptions) -> Self {
        let permissions = ModulePermissions::new(
            options.permissions.clone(),
            options.program_permissions.clone(),
        );
        Self {
            options,
            permissions,
            loaded: RefCell::default(),
        }
    }

    /// The parser's account of why a loaded module is not one. An engine that
    /// rejects a module says less about it.
    pub fn syntax_error(&self, specifier: &str) -> Option<SourceParseError> {
        let (url, media_type, text) = {
            let loaded = self.loaded.borrow();
            let module = loaded.get(specifier)?;
            (
                ModuleSpecifier::parse(specifier).ok()?,
                module.media_type,
                module.text.clone(),
            )
        };
        parse_module(&url, media_type, text).err()
    }

    fn try_resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        if kind == ResolutionKind::MainModule {
            let resolved = deno_core::resolve_url(specifier).map_err(JsErrorBox::from_err)?;
            return match is_internal(&resolved) {
                true => Err(LoadError::unsupported(&resolved).into()),
                false => Ok(resolved),
            };
        }
        let resolved = match (&self.options.import_map, ModuleSpecifier::parse(referrer)) {
            (Some(import_map), Ok(referrer)) => import_map
                .resolve(specifier, &referrer)
                .map_err(JsErrorBox::from_err),
            _ => deno_core::resolve_import(specifier, referrer).map_err(JsErrorBox::from_err),
        };
        match resolved {
            Ok(resolved) => match compat::module_for(&resolved) {
                Some(module) => Ok(module),
                None if is_internal(&resolved) && !self.is_wrapper(&resolved, referrer, kind) => {
                    Err(LoadError::unsupported(&resolved).into())
                }
                None => Ok(resolved),
            },
            Err(error) => compat::module_for_bare(specifier).ok_or_else(|| {
                match hint_for_bare_specifier(specifier) {
                    Some(hint) => with_suffix(error, &format!("\n  hint: {hint}")),
                    None => error,
                }
            }),
        }
    }

    /// Whether it is the wrapper of a CommonJS module that imports what runs it. The
    /// module's own text is no ES module.
    fn is_wrapper(&self, resolved: &ModuleSpecifier, referrer: &str, kind: ResolutionKind) -> bool {
        resolved.as_str() == compat::COMMON_JS
            && kind == ResolutionKind::Import
            && self.loaded.borrow().get(referrer).is_some_and(|module| {
                ModuleSpecifier::parse(referrer)
                    .is_ok_and(|referrer| is_common_js(&referrer, module.media_type))
            })
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
            let resolved =
                self.try_resolve(&specifier, referrer.as_str(), ResolutionKind::DynamicImport);
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
                self.try_resolve(&dependency.specifier, name, ResolutionKind::Import)
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

    fn load_source(
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
        read(specifier, self.options.blob_store.as_deref(), reader).map_err(JsErrorBox::from_err)
    }

    /// Makes what the engine takes of what was read.
    fn make_source(
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
                    self.make_script(specifier, media_type, text, ground)?,
                )
            }
        };
        Ok(ModuleSource::new(module_type, code, specifier, None))
    }

    fn make_script(
        &self,
        specifier: &ModuleSpecifier,
        media_type: MediaType,
        text: Arc<str>,
        ground: Ground,
    ) -> Result<ModuleSourceCode, ModuleLoaderError> {
        let (code, source_map) = if is_common_js(specifier, media_type) {
            (wrap_common_js(&text), None)
        } else if media_type.is_declaration() {
            // A module of types only is a module of nothing.
            (ModuleSourceCode::String(String::new().into()), None)
        } else if needs_transpile(media_type) {
            let transpiled =
                transpile(specifier, media_type, text.clone(), &self.options.transpile)?;
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
                dependencies: None,
            },
        );
        if ground == Ground::Program {
            self.name_dynamic_imports(specifier);
        }
        Ok(code)
    }
}

impl ModuleLoader for DuplexModuleLoader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        self.try_resolve(specifier, referrer, kind)
            .map_err(
                |error| match self.import_location(referrer, |it| it.specifier == specifier) {
                    Some(location) => with_suffix(error, &location),
                    None => error,
                },
            )
    }

    fn import_meta_resolve(
        &self,
        specifier: &str,
        referrer: &str,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        self.try_resolve(specifier, referrer, ResolutionKind::DynamicImport)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        // What a script loads while it waits, it has named itself.
        let is_static = !options.is_dynamic_import && !options.is_synchronous;
        let source = self.load_source(specifier, &options.requested_module_type, is_static);
        ModuleLoadResponse::Sync(source.map_err(|error| match referrer {
            Some(referrer) if error.get_class() != NOT_CAPABLE => {
                self.locate_failed_load(specifier, referrer, error)
            }
            _ => error,
        }))
    }

    fn get_code_cache(
        &self,
        specifier: &ModuleSpecifier,
        _source: &str,
    ) -> Option<SourceCodeCacheInfo> {
        // The source is the one that was compiled.
        let code = self.options.startup.compiled(specifier.as_str())?;
        Some(SourceCodeCacheInfo {
            hash: 0,
            data: Some(Cow::Borrowed(code)),
        })
    }

    fn get_source_map(&self, file_name: &str) -> Option<Cow<'_, [u8]>> {
        let loaded = self.loaded.borrow();
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
        let loaded = self.loaded.borrow();
        let line = loaded.get(file_name)?.text.lines().nth(line_number)?;
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
    #[error("{what} are not supported: \"{specifier}\"\n  hint: {hint}")]
    Unsupported {
        what: String,
        specifier: Box<ModuleSpecifier>,
        hint: String,
    },
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
    fn unsupported(specifier: &ModuleSpecifier) -> Self {
        let (what, hint) = match specifier.scheme() {
            "http" | "https" if compat::std_path(specifier).is_some() => {
                let there = compat::STD_MODULES.map(|(path, _)| path).join(", ");
                let hint = format!("Of deno.land/std there are {there}.");
                ("Other modules of deno.land/std".to_string(), hint)
            }
            "http" | "https" => ("Remote modules".to_string(), REMOTE_HINT.to_string()),
            "npm" => (
                "npm packages".to_string(),
                format!("\"npm:ws\" is built in. {PACKAGE_HINT}"),
            ),
            "jsr" => ("JSR packages".to_string(), PACKAGE_HINT.to_string()),
            "node" => {
                let there = compat::NODE_MODULES.join(", ");
                let hint = format!("There are, in part, {there}. {NODE_HINT}");
                ("Node.js modules of this name".to_string(), hint)
            }
            scheme => (format!("\"{scheme}:\" modules"), SCHEME_HINT.to_string()),
        };
        Self::Unsupported {
            what,
            specifier: Box::new(specifier.clone()),
            hint,
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

const REMOTE_HINT: &str =
    "Save the module to a file and import that, or map its URL to the file in an import map.";
const PACKAGE_HINT: &str = "Put an ES module build of the package beside the program and map its \
     name to that file in an import map.";
const NODE_HINT: &str = "Use the web's API or Deno's for the same purpose.";
const SCHEME_HINT: &str = "Modules come from files, \"data:\" and \"blob:\" URLs.";

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
        _ => Err(LoadError::unsupported(specifier)),
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
        "node" => !compat::NODE_MODULES.contains(&specifier.path()),
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

/// Whether a file is CommonJS: by its name, or by the `type` of the package.json
/// nearest to it, as in Node.js. Without one it is an ES module, as in Deno.
fn is_common_js(specifier: &ModuleSpecifier, media_type: MediaType) -> bool {
    match media_type {
        MediaType::Cjs => true,
        MediaType::JavaScript => {
            let Ok(path) = specifier.to_file_path() else {
                return false;
            };
            let package = path
                .ancestors()
                .skip(1)
                .find_map(|folder| std::fs::read(folder.join("package.json")).ok());
            let package = package.and_then(|json| {
                deno_core::serde_json::from_slice::<deno_core::serde_json::Value>(&json).ok()
            });
            package.is_some_and(|package| package["type"] == "commonjs")
        }
        _ => false,
    }
}

/// The ES module that runs a CommonJS module and exports its `module.exports`.
fn wrap_common_js(text: &str) -> ModuleSourceCode {
    let text = text.split_inclusive('\n').enumerate();
    // A `#!` line is none of the module's; its line stays for the numbers' sake.
    let text = text.map(|(line, text)| match line == 0 && text.starts_with("#!") {
        true => "\n",
        false => text,
    });
    let text = deno_core::serde_json::Value::String(text.collect());
    let code = format!(
        "import {{ run }} from \"{}\"; export default run(import.meta.url, {text});",
        compat::COMMON_JS
    );
    ModuleSourceCode::String(code.into())
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
    const NODE_MODULES: [&str; 8] = [
        "child_process",
        "cluster",
        "dgram",
        "dns",
        "http2",
        "readline",
        "worker_threads",
        "zlib",
    ];
    let is_path_or_url = specifier.starts_with(['/', '.']) || specifier.contains(':');
    if is_path_or_url || specifier.is_empty() {
        return None;
    }
    if NODE_MODULES.contains(&specifier) {
        let there = compat::NODE_MODULES.join(", ");
        return Some(format!(
            "Of Node.js there are, in part, {there}. {NODE_HINT}"
        ));
    }
    Some(format!(
        "If \"{specifier}\" is a file, write \"./{specifier}\"; otherwise map the name in the \
         \"imports\" of a deno.json or in an import map."
    ))
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
    fn remote_and_package_modules_are_refused() {
        let loader = loader(None);
        for (url, word) in [
            ("https://example.com/mod.ts", "Remote modules"),
            (
                "https://deno.land/std/fs/mod.ts",
                "modules of deno.land/std",
            ),
            ("npm:express", "npm packages"),
            ("jsr:@std/path", "JSR packages"),
            ("node:cluster", "Node.js modules"),
            ("gopher://a/b", "\"gopher:\" modules"),
        ] {
            let url = Url::parse(url).unwrap();
            let error = load(&loader, &url, None, false, RequestedModuleType::None).unwrap_err();
            let message = error.get_message();
            assert!(
                message.contains(word) && message.contains("hint:"),
                "{message}"
            );
        }
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
