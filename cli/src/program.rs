//! From flags to a running program.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use deno_ast::MediaType;
use deno_core::error::CoreError;
use deno_core::url::Url;
use duplex_runtime::BlobStore;
use duplex_runtime::CertList;
use duplex_runtime::RootCerts;
use duplex_runtime::StartupData;
use duplex_runtime::Worker;
use duplex_runtime::WorkerOptions;
use duplex_runtime::config::ConfigFile;
use duplex_runtime::fmt_errors::format_core_error;
use duplex_runtime::import_map;
use duplex_runtime::module_loader::DuplexModuleLoader;
use duplex_runtime::module_loader::ModuleLoaderOptions;
use duplex_runtime::module_loader::ModuleOverride;
use duplex_runtime::permissions;
use duplex_runtime::web_worker;
use duplex_runtime::web_worker::WebWorkerLoader;
use duplex_runtime::web_worker::WebWorkerLoaders;

use crate::flags::Action;
use crate::flags::ConfigFlag;
use crate::flags::Flags;
use crate::stderr;

/// Runs the program to its end and returns its exit code.
///
/// # Errors
/// The message, without `error: `, that tells why the program could not start or
/// what exception ended it.
pub async fn run(flags: Flags, startup: StartupData) -> Result<i32, String> {
    let cwd = std::env::current_dir()
        .map_err(|error| format!("Unable to read the current directory: {error}"))?;
    let main = MainModule::of(&flags, &cwd)?;
    let serve_address = match &flags.action {
        Action::Serve { address, .. } => Some(address.clone()),
        Action::Run { .. } | Action::Eval { .. } | Action::Types => None,
    };
    let config = find_config(&flags.config, &main.specifier, &cwd)?;

    let permissions = match &flags.permissions {
        Some(options) => permissions::from_options(options).map_err(to_message)?,
        None => permissions::allow_all(),
    };
    let blob_store = BlobStore::default_arc();
    let mut options = ModuleLoaderOptions::new(permissions.clone());
    options.blob_store = Some(blob_store.clone());
    if let Some(config) = &config {
        options.transpile = config.transpile_options().map_err(to_message)?;
    }
    options.import_map = match (&flags.import_map, &config) {
        (Some(path), _) => {
            let specifier = deno_path_util::resolve_url_or_path(path, &cwd)
                .map_err(|error| format!("Bad URL of the import map \"{path}\": {error}"))?;
            Some(import_map::load(&specifier).map_err(to_message)?)
        }
        (None, Some(config)) => import_map::from_config(config).map_err(to_message)?,
        (None, None) => None,
    };
    options.overrides = HashMap::from([(main.specifier.clone(), main.source)]);
    options.startup = startup;
    let loaders = web_worker_loaders(options.clone(), cwd.clone());
    let loader = Rc::new(DuplexModuleLoader::new(options));

    let mut options = WorkerOptions::new(main.specifier, permissions, loader.clone());
    options.web_workers = Some(loaders);
    options.args = flags.args;
    options.location = flags.location;
    options.blob_store = blob_store;
    options.root_certs = Arc::new(root_certs(flags.cert)?);
    options.unsafely_ignore_certificate_errors = flags.unsafely_ignore_certificate_errors;
    options.seed = flags.seed;
    options.startup = startup;
    let mut worker = Worker::new(options).map_err(to_message)?;

    let result = match serve_address {
        Some(address) => worker.serve_main_module(address).await,
        None => worker.run_main_module().await,
    };
    web_worker::end_all();
    // See `main`: the process ends here, the engine with it.
    std::mem::forget(worker);
    result.map_err(|error| to_text(&error, &cwd, &loader))
}

/// A web worker's modules are found and read as the program's are.
fn web_worker_loaders(options: ModuleLoaderOptions, cwd: PathBuf) -> WebWorkerLoaders {
    Arc::new(move |request| {
        let loader = Rc::new(DuplexModuleLoader::new(options.for_web_worker(request)));
        let cwd = cwd.clone();
        WebWorkerLoader {
            module_loader: loader.clone(),
            format_error: Box::new(move |error| to_text(error, &cwd, &loader)),
        }
    })
}

fn to_text(error: &CoreError, cwd: &Path, loader: &DuplexModuleLoader) -> String {
    stderr::with_its_colours(|| {
        let cwd = deno_path_util::url_from_directory_path(cwd).ok();
        format_core_error(error, cwd.as_ref(), loader)
    })
}

/// The certificate authorities of `DENO_TLS_CA_STORE`, and of the file.
fn root_certs(file: Option<PathBuf>) -> Result<RootCerts, String> {
    let lists = match std::env::var("DENO_TLS_CA_STORE") {
        Ok(names) => names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| name.parse().map_err(to_message))
            .collect::<Result<_, _>>()?,
        Err(_) => vec![CertList::Mozilla],
    };
    Ok(RootCerts::new(lists, file.into_iter().collect()))
}

struct MainModule {
    specifier: Url,
    source: ModuleOverride,
}

impl MainModule {
    fn of(flags: &Flags, cwd: &Path) -> Result<Self, String> {
        match &flags.action {
            Action::Run { script } | Action::Serve { script, .. } if script == "-" => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|error| format!("Unable to read standard input: {error}"))?;
                Self::of_text("stdin", text, flags, cwd)
            }
            Action::Run { script } | Action::Serve { script, .. } => Ok(Self {
                specifier: deno_path_util::resolve_url_or_path(script, cwd)
                    .map_err(|error| format!("Bad path or URL \"{script}\": {error}"))?,
                source: ModuleOverride {
                    text: None,
                    media_type: flags.extension.as_deref().map(media_type_of),
                },
            }),
            Action::Eval { code, print } => {
                let text = if *print {
                    format!("console.log({code})")
                } else {
                    code.clone()
                };
                Self::of_text("eval", text, flags, cwd)
            }
            Action::Types => Err("there is no program to run".to_string()),
        }
    }

    /// A module that is in no file. Its name has Deno's form, so that it is in
    /// the current directory for the imports in it, and clashes with no file.
    fn of_text(kind: &str, text: String, flags: &Flags, cwd: &Path) -> Result<Self, String> {
        let extension = flags.extension.as_deref().unwrap_or("mts");
        let path = cwd.join(format!("$deno${kind}.{extension}"));
        Ok(Self {
            specifier: deno_path_util::url_from_file_path(&path).map_err(to_message)?,
            source: ModuleOverride {
                text: Some(text.into()),
                media_type: Some(media_type_of(extension)),
            },
        })
    }
}

fn media_type_of(extension: &str) -> MediaType {
    MediaType::from_filename(&format!("file.{extension}"))
}

fn find_config(
    flag: &ConfigFlag,
    main_module: &Url,
    cwd: &Path,
) -> Result<Option<ConfigFile>, String> {
    match flag {
        ConfigFlag::Disabled => Ok(None),
        ConfigFlag::Path(path) => ConfigFile::read(&cwd.join(path)).map(Some),
        ConfigFlag::Discover => {
            let folder = match main_module.to_file_path() {
                Ok(file) => file.parent().map(PathBuf::from),
                Err(()) => None,
            };
            ConfigFile::discover(folder.as_deref().unwrap_or(cwd))
        }
    }
    .map_err(to_message)
}

fn to_message(error: impl std::fmt::Display) -> String {
    error.to_string()
}
