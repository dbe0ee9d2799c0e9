//! Runs the program that the flags describe.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use deno_ast::MediaType;
use deno_core::error::CoreError;
use deno_core::serde_json;
use deno_core::url::Url;
use duplex_runtime::BlobStore;
use duplex_runtime::BlobStoreTrait;
use duplex_runtime::CertList;
use duplex_runtime::CertificateFiles;
use duplex_runtime::Certificates;
use duplex_runtime::CpuProfileOptions;
use duplex_runtime::Debugging;
use duplex_runtime::Features;
use duplex_runtime::Inspector;
use duplex_runtime::MainWorker;
use duplex_runtime::RootCerts;
use duplex_runtime::ServeOptions;
use duplex_runtime::StartupData;
use duplex_runtime::WorkerOptions;
use duplex_runtime::config::ConfigFile;
use duplex_runtime::deno_permissions::PermissionsContainer;
use duplex_runtime::end_telemetry;
use duplex_runtime::fmt_errors::format_core_error;
use duplex_runtime::import_map;
use duplex_runtime::module_loader::DuplexModuleLoader;
use duplex_runtime::module_loader::ModuleLoaderOptions;
use duplex_runtime::module_loader::ModuleOverride;
use duplex_runtime::packages::AllowedScripts;
use duplex_runtime::packages::CacheSetting;
use duplex_runtime::packages::ConfigDiscovery;
use duplex_runtime::packages::Downloads;
use duplex_runtime::packages::Packages;
use duplex_runtime::packages::PackagesOptions;
use duplex_runtime::packages::take_channel;
use duplex_runtime::parallel::LoopMaker;
use duplex_runtime::parallel::LoopParts;
use duplex_runtime::parallel::Parallel;
use duplex_runtime::parallel::ServeError;
use duplex_runtime::permissions;
use duplex_runtime::serve_metrics;
use duplex_runtime::start_telemetry;
use duplex_runtime::web_worker;
use duplex_runtime::web_worker::WebWorkerLoader;
use duplex_runtime::web_worker::WebWorkerLoaders;

use crate::connect;
use crate::flags::Action;
use crate::flags::ConfigFlag;
use crate::flags::Flags;
use crate::stderr;

/// Runs the program to its end and returns its exit code.
///
/// # Errors
/// A message without `error: `, which says why the program could not start, or which exception
/// ended it.
pub(crate) async fn run(flags: Flags, startup: StartupData) -> Result<i32, String> {
    let cwd = std::env::current_dir()
        .map_err(|error| format!("Unable to read the current directory: {error}"))?;
    set_env_files(&flags.env_files, &cwd)?;
    start_telemetry()?;
    let root_certs = Arc::new(root_certs(flags.cert.clone())?);
    match &flags.action {
        Action::Cache { files } => return cache(&flags, files, &cwd, root_certs).await,
        Action::Install => return install(&flags, &cwd, root_certs).await,
        Action::Run { .. }
        | Action::Eval { .. }
        | Action::Serve { .. }
        | Action::Connect
        | Action::Types => {}
    }
    let main = MainModule::of(&flags, &cwd)?;
    if let Some(address) = flags.metrics {
        let address = serve_metrics(address)
            .map_err(|error| format!("Unable to serve metrics on {address}: {error}"))?;
        log::info!("Metrics on http://{address}/metrics");
    }
    let serving = match &flags.action {
        Action::Serve {
            options,
            loops,
            certificates,
            ..
        } => Some((complete(options, certificates, &cwd)?, *loops)),
        _ => None,
    };
    let config = find_config(&flags.config, &main.specifier, &cwd)?;

    let unstable = config.iter().flat_map(ConfigFile::unstable);
    let features = Features::named(unstable.chain(flags.unstable.iter().map(String::as_str)));

    let permissions = permissions_of(&flags, &main.specifier, config.as_ref())?;
    let blob_store = BlobStore::default_arc();
    let mut options = ModuleLoaderOptions::new(permissions.clone());
    options.blob_store = Some(blob_store.clone());
    options.packages =
        packages_options(&flags, Some(&main.specifier), &cwd, root_certs.clone()).await?;
    options.packages.blob_store = Some(blob_store.clone());
    options.packages.sloppy_imports = features.sloppy_imports;
    if let Some(config) = &config {
        options.transpile = config.transpile_options().map_err(to_message)?;
    }
    options.import_map = match (&options.packages.import_map, &config) {
        (Some((specifier, value)), _) => {
            Some(import_map::from_value(specifier, value.clone()).map_err(to_message)?)
        }
        (None, Some(config)) => import_map::from_config(config).map_err(to_message)?,
        (None, None) => None,
    };
    options.overrides = HashMap::from([(main.specifier.clone(), main.source)]);
    if flags.action == Action::Connect {
        options.overrides.extend(connect::modules(&cwd)?);
    }
    options.startup = startup;
    let inspector = match flags.inspect {
        Some((address, start)) => Some(
            Inspector::listen(address, start)
                .map_err(|error| format!("Unable to listen for debuggers on {address}: {error}"))?,
        ),
        None => None,
    };
    options.inline_source_maps = inspector.is_some();
    let loaders = web_worker_loaders(options.clone(), cwd.clone());
    let template = WorkerTemplate {
        main_module: main.specifier,
        permissions,
        loaders,
        args: flags.args,
        location: flags.location,
        blob_store,
        root_certs,
        unsafely_ignore_certificate_errors: flags.unsafely_ignore_certificate_errors,
        seed: flags.seed,
        inspector: inspector.clone().map(Inspector::without_waiting),
        // Only the first event loop has the name of the profile's file from the command line.
        debugging: Debugging {
            cpu_profile: (flags.debugging.cpu_profile.clone()).map(|options| CpuProfileOptions {
                name: None,
                ..options
            }),
            ..flags.debugging.clone()
        },
        features,
        startup,
        preload: flags
            .preload
            .iter()
            .map(|module| to_specifier(module, &cwd))
            .collect::<Result<_, _>>()?,
    };
    let loader = Rc::new(DuplexModuleLoader::new(options.clone()));
    let mut first = template.options(&loader);
    first.node.channel = take_channel();
    first.inspector = inspector;
    first.debugging = flags.debugging;
    let mut worker = MainWorker::new(first).map_err(to_message)?;

    let result = match serving {
        Some((serve, loops)) => {
            let make = loop_maker(template, options, cwd.clone());
            worker
                .serve_main_module(serve, Parallel { loops, make })
                .await
        }
        None => worker.run_main_module().await.map_err(ServeError::from),
    };
    worker.write_profile();
    web_worker::end_all();
    end_telemetry();
    // The engine is not taken down, because the process ends here (see `main`).
    std::mem::forget(worker);
    result.map_err(|error| match error {
        ServeError::First(error) => to_text(&error, &cwd, &loader),
        ServeError::Other(text) => text,
    })
}

/// The options of serving: those of the command line, with the contents of the files that they
/// name. If the command line does not have an option, the environment may have it.
fn complete(
    options: &ServeOptions,
    certificates: &[CertificateFiles],
    cwd: &Path,
) -> Result<ServeOptions, String> {
    let mut options = options.clone();
    options.path = options.path.map(|path| cwd.join(path));
    if !certificates.is_empty() {
        let files = certificates.iter().map(|files| CertificateFiles {
            chain: cwd.join(&files.chain),
            key: cwd.join(&files.key),
        });
        options.certificates = Some(Certificates::read(files.collect()).map_err(to_message)?);
    }
    if let Ok(port) = std::env::var("PORT")
        && !port.is_empty()
    {
        let number = port.trim().parse();
        options.default_port = Some(number.map_err(|_| {
            format!(
                "The environment variable PORT is \"{port}\": it must be a number from 0 to 65535"
            )
        })?);
    }
    if options.broker.is_none() {
        let broker = std::env::var("DUPLEX_BROKER").ok();
        options.broker = broker.filter(|url| !url.is_empty());
    }
    Ok(options)
}

/// The options that the workers of all event loops of a program share.
struct WorkerTemplate {
    main_module: Url,
    permissions: PermissionsContainer,
    loaders: WebWorkerLoaders,
    args: Vec<String>,
    location: Option<Url>,
    blob_store: Arc<dyn BlobStoreTrait>,
    root_certs: Arc<RootCerts>,
    unsafely_ignore_certificate_errors: Option<Vec<String>>,
    seed: Option<u64>,
    inspector: Option<Inspector>,
    debugging: Debugging,
    features: Features,
    startup: StartupData,
    preload: Vec<Url>,
}

impl WorkerTemplate {
    /// The options for the event loop with this `loader`.
    fn options(&self, loader: &Rc<DuplexModuleLoader>) -> WorkerOptions {
        let mut options = WorkerOptions::new(
            self.main_module.clone(),
            self.permissions.clone(),
            loader.clone(),
        );
        options.node = loader.node();
        options.web_workers = Some(self.loaders.clone());
        options.args = self.args.clone();
        options.location = self.location.clone();
        options.blob_store = self.blob_store.clone();
        options.root_certs = self.root_certs.clone();
        options.unsafely_ignore_certificate_errors =
            self.unsafely_ignore_certificate_errors.clone();
        options.seed = self.seed;
        options.inspector = self.inspector.clone();
        options.debugging = self.debugging.clone();
        options.features = self.features;
        options.startup = self.startup;
        options.preload = self.preload.clone();
        options
    }
}

/// Makes the function that makes all event loops but the first.
fn loop_maker(template: WorkerTemplate, options: ModuleLoaderOptions, cwd: PathBuf) -> LoopMaker {
    Arc::new(move || {
        let loader = Rc::new(DuplexModuleLoader::new(options.clone()));
        let cwd = cwd.clone();
        LoopParts {
            options: template.options(&loader),
            format_error: Box::new(move |error| to_text(error, &cwd, &loader)),
        }
    })
}

/// Fetches all that the files need.
async fn cache(
    flags: &Flags,
    files: &[String],
    cwd: &Path,
    root_certs: Arc<RootCerts>,
) -> Result<i32, String> {
    let roots: Vec<Url> = files
        .iter()
        .map(|file| to_specifier(file, cwd))
        .collect::<Result<_, _>>()?;
    let permissions = permissions_of(flags, &roots[0], None)?;
    let options = packages_options(flags, roots.first(), cwd, root_certs).await?;
    let packages = Packages::new(options);
    let cached = packages.cache(&roots, &permissions).await;
    cached.map_err(to_message)?;
    Ok(0)
}

/// Installs the packages that the package.json and the deno.json name.
async fn install(flags: &Flags, cwd: &Path, root_certs: Arc<RootCerts>) -> Result<i32, String> {
    let mut options = packages_options(flags, None, cwd, root_certs).await?;
    options.is_installation = true;
    let packages = Packages::new(options);
    packages.install().await.map_err(to_message)?;
    Ok(0)
}

/// The permissions that the flags and the set of the deno.json grant.
fn permissions_of(
    flags: &Flags,
    main: &Url,
    config: Option<&ConfigFile>,
) -> Result<PermissionsContainer, String> {
    let Some(options) = &flags.permissions else {
        return Ok(permissions::allow_all());
    };
    let mut options = options.clone();
    if let Some(set) = &flags.permission_set {
        let config = config.ok_or_else(|| {
            format!("There is no deno.json, so it has no set of permissions \"{set}\"")
        })?;
        config
            .add_permissions(set, &mut options)
            .map_err(to_message)?;
    }
    permissions::allow_trusted_imports(&mut options, [main], flags.packages.cached_only);
    permissions::from_options(&options).map_err(to_message)
}

async fn packages_options(
    flags: &Flags,
    main: Option<&Url>,
    cwd: &Path,
    root_certs: Arc<RootCerts>,
) -> Result<PackagesOptions, String> {
    let packages = &flags.packages;
    let mut options = PackagesOptions::new(cwd.to_path_buf());
    options.config = match &flags.config {
        ConfigFlag::Disabled => ConfigDiscovery::Disabled,
        ConfigFlag::Path(path) => ConfigDiscovery::Path(path.clone()),
        ConfigFlag::Discover => {
            let file = main.and_then(|main| main.to_file_path().ok());
            let folder = file.as_deref().and_then(Path::parent);
            ConfigDiscovery::From(folder.unwrap_or(cwd).to_path_buf())
        }
    };
    options.cache = match (&packages.reload, packages.cached_only) {
        (_, true) => CacheSetting::Only,
        (Some(which), _) if which.is_empty() => CacheSetting::ReloadAll,
        (Some(which), _) => CacheSetting::ReloadSome(which.clone()),
        (None, _) => CacheSetting::Use,
    };
    options.no_remote = packages.no_remote;
    options.no_npm = packages.no_npm;
    options.no_lock = packages.no_lock;
    options.lock = packages.lock.clone();
    options.frozen = packages.frozen;
    options.node_modules_dir = packages.node_modules_dir;
    options.allowed_scripts = match &packages.allow_scripts {
        None => AllowedScripts::None,
        Some(names) if names.is_empty() => AllowedScripts::All,
        Some(names) => AllowedScripts::some(names).map_err(to_message)?,
    };
    options.downloads = Downloads {
        root_certs: Some(root_certs),
        unsafely_ignore_certificate_errors: flags.unsafely_ignore_certificate_errors.clone(),
        user_agent: String::new(),
    };
    options.import_map = import_map_of(flags, &options, cwd).await?;
    Ok(options)
}

/// The import map of the command line.
async fn import_map_of(
    flags: &Flags,
    options: &PackagesOptions,
    cwd: &Path,
) -> Result<Option<(Url, serde_json::Value)>, String> {
    let Some(path) = &flags.import_map else {
        return Ok(None);
    };
    let specifier = deno_path_util::resolve_url_or_path(path, cwd)
        .map_err(|error| format!("Bad URL of the import map \"{path}\": {error}"))?;
    if !matches!(specifier.scheme(), "http" | "https") {
        let value = import_map::read(&specifier).map_err(to_message)?;
        return Ok(Some((specifier, value)));
    }
    let packages = Packages::new(options.clone());
    let (specifier, text) = packages
        .fetch_text(&specifier)
        .await
        .map_err(|error| format!("Unable to load import map \"{specifier}\": {error}"))?;
    let value = import_map::from_text(&specifier, &text).map_err(to_message)?;
    Ok(Some((specifier, value)))
}

/// Sets the environment variables in the files. As in Deno, variables that are already set do not
/// change.
fn set_env_files(files: &[PathBuf], cwd: &Path) -> Result<(), String> {
    for file in files {
        let text = std::fs::read_to_string(cwd.join(file)).map_err(|error| {
            format!(
                "Unable to read the environment file \"{}\": {error}",
                file.display()
            )
        })?;
        deno_dotenv::parse_env_content_hook(&text, &mut |key, value| {
            if std::env::var_os(key).is_none() {
                // SAFETY: no other thread of this process has started.
                unsafe { std::env::set_var(key, value) };
            }
        });
    }
    Ok(())
}

fn to_specifier(module: &str, cwd: &Path) -> Result<Url, String> {
    deno_path_util::resolve_url_or_path(module, cwd)
        .map_err(|error| format!("Bad path or URL \"{module}\": {error}"))
}

/// Makes the loaders of web workers. Their modules are resolved and read in the same way as those
/// of the program.
fn web_worker_loaders(options: ModuleLoaderOptions, cwd: PathBuf) -> WebWorkerLoaders {
    Arc::new(move |request| {
        let loader = Rc::new(DuplexModuleLoader::new(options.for_web_worker(request)));
        let cwd = cwd.clone();
        WebWorkerLoader {
            node: loader.node(),
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

/// The certificate authorities of `DENO_TLS_CA_STORE` and of the file.
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
            Action::Connect => Ok(Self {
                specifier: connect::main_module(cwd)?,
                source: ModuleOverride::default(),
            }),
            Action::Cache { .. } | Action::Install | Action::Types => {
                Err("there is no program to run".to_string())
            }
        }
    }

    /// A module that is not in a file. Its name has the same form as in Deno. Its imports are
    /// resolved in the current directory, and its name is not the name of a file.
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
