//! The command line. Flags that Deno also has mean the same as in Deno.

mod commands;
mod connect;
mod help;
mod host;
mod inspect;
mod list;
mod listen;
mod listen_address;
mod metrics;
mod permission;
mod runtime;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use clap::CommandFactory;
use clap::FromArgMatches;
use clap::Parser;
use clap::Subcommand;
use clap::error::ErrorKind;
use duplex_runtime::CertificateFiles;
use duplex_runtime::Debugging;
use duplex_runtime::InspectorStart;
use duplex_runtime::ServeOptions;
use duplex_runtime::deno_core::url::Url;
use duplex_runtime::deno_permissions::PermissionsOptions;
use duplex_runtime::packages::NodeModulesDir;
use duplex_runtime::parallel::Parallel;

pub(crate) use self::help::long_version;

use self::commands::foreign_command;
use self::commands::with_subcommand;
use self::connect::ConnectArgs;
use self::help::ABOUT;
use self::help::EXAMPLES;
use self::help::SERVE_NOTES;
use self::inspect::InspectArgs;
use self::list::ALL;
use self::list::InvalidValue;
use self::list::list;
use self::listen::ListenArgs;
use self::metrics::MetricsArgs;
use self::permission::PermissionArgs;
use self::permission::net;
use self::permission::only_prompt;
use self::runtime::NETWORK;
use self::runtime::RuntimeArgs;
use self::runtime::split_v8_flags;

/// What the user asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub action: Action,
    /// The arguments after the program, `Deno.args`.
    pub args: Vec<String>,
    /// The permissions of the program. `None` means that everything is allowed.
    pub permissions: Option<PermissionsOptions>,
    /// The extension whose media type the program has, in place of the extension in its name.
    pub extension: Option<String>,
    pub location: Option<Url>,
    /// A PEM file of certificate authorities that are also trusted.
    pub cert: Option<PathBuf>,
    /// Hosts whose certificates are not verified. An empty list means all hosts.
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    pub seed: Option<u64>,
    pub v8_flags: Vec<String>,
    /// The path or the URL of an import map.
    pub import_map: Option<String>,
    pub config: ConfigFlag,
    pub packages: PackageFlags,
    /// Modules that run before the program.
    pub preload: Vec<String>,
    /// Files of environment variables.
    pub env_files: Vec<PathBuf>,
    /// If present, the program is restarted when one of its files changes.
    pub watch: Option<WatchFlags>,
    /// The address for debuggers, and when the program starts.
    pub inspect: Option<(SocketAddr, InspectorStart)>,
    /// Which files the program writes about itself.
    pub debugging: Debugging,
    /// The address for metrics and health checks.
    pub metrics: Option<SocketAddr>,
    /// The names of Deno's unstable features on the command line.
    pub unstable: Vec<String>,
    /// Whether the user asked for a check of types.
    pub asks_for_check: bool,
    /// The name of the set of permissions in the deno.json that applies.
    pub permission_set: Option<String>,
    pub log_level: log::LevelFilter,
    /// Whether the user put a permission flag after the program, where it has no effect.
    pub has_misplaced_permissions: bool,
}

/// What `--watch` watches, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WatchFlags {
    /// Files and folders that are watched besides the files of the program.
    pub paths: Vec<PathBuf>,
    pub excluded: Vec<PathBuf>,
    /// Whether the terminal is cleared before each restart.
    pub clears_screen: bool,
}

impl Flags {
    /// The files of the program that the command line names.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let script = match &self.action {
            Action::Run { script } | Action::Serve { script, .. } => Some(PathBuf::from(script)),
            _ => None,
        };
        let config = match &self.config {
            ConfigFlag::Path(path) => Some(path.clone()),
            ConfigFlag::Discover | ConfigFlag::Disabled => None,
        };
        let import_map = self.import_map.as_ref().map(PathBuf::from);
        let preload = self.preload.iter().map(PathBuf::from);
        let others = script.into_iter().chain(config).chain(import_map);
        others.chain(preload).chain(self.env_files.iter().cloned())
    }
}

/// How packages and remote modules are found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PackageFlags {
    pub no_lock: bool,
    pub lock: Option<PathBuf>,
    pub frozen: Option<bool>,
    /// What is fetched even if the cache has it. An empty list means everything.
    pub reload: Option<Vec<String>>,
    pub cached_only: bool,
    pub no_remote: bool,
    pub no_npm: bool,
    pub node_modules_dir: Option<NodeModulesDir>,
    /// Packages whose scripts may run when they are installed. An empty list means all packages.
    pub allow_scripts: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run a file. `-` is standard input.
    Run { script: String },
    /// Run code given on the command line.
    Eval { code: String, print: bool },
    /// Serve the default export of a file. `-` is standard input.
    Serve {
        script: String,
        options: ServeOptions,
        /// The number of event loops. If this is `None`, the program decides.
        loops: Option<NonZeroUsize>,
        /// The files of the certificate chains and of their keys.
        certificates: Vec<CertificateFiles>,
    },
    /// Fetch all that modules need, and run no code.
    Cache { files: Vec<String> },
    /// Install the packages that the package.json and the deno.json name.
    Install,
    /// Try a server or a client on the terminal. The program of `duplex connect` gets its options
    /// as its argument.
    Connect,
    /// Print the TypeScript declarations.
    Types,
}

/// Which `deno.json` applies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ConfigFlag {
    /// The `deno.json` in the folder of the program or in a folder above.
    Discover,
    Path(PathBuf),
    Disabled,
}

/// Reads the arguments, of which the first is the name of this program.
///
/// # Errors
/// An error if the arguments ask for help or the version, or are wrong. The error says what to
/// print and where.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Flags, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(message) = foreign_command(&args) {
        return Err(command().error(ErrorKind::InvalidSubcommand, message));
    }
    let args = with_subcommand(args);
    let cli = Cli::from_arg_matches(&command().try_get_matches_from(args)?)?;
    let log_level = match (cli.quiet, cli.log_level) {
        (true, _) => log::LevelFilter::Error,
        (false, Some(level)) => level,
        (false, None) => log::LevelFilter::Info,
    };
    match cli.command {
        Subcommands::Run(run) => run.into_flags(log_level),
        Subcommands::Eval(eval) => eval.into_flags(log_level),
        Subcommands::Serve(serve) => serve.into_flags(log_level),
        Subcommands::Cache(cache) => cache.into_flags(log_level),
        Subcommands::Install(install) => {
            install
                .runtime
                .into_flags(Action::Install, Vec::new(), None, None, log_level)
        }
        Subcommands::Connect(connect) => connect_flags(*connect, log_level),
        Subcommands::Types => {
            RuntimeArgs::default().into_flags(Action::Types, Vec::new(), None, None, log_level)
        }
    }
}

const MAX_LOOPS: NonZeroUsize = Parallel::MAX_LOOPS;

#[derive(Parser)]
#[command(name = "duplex", about = ABOUT, after_help = EXAMPLES, version)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    /// Print errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// The least severe messages to print: error, warn, info, debug or trace
    #[arg(short = 'L', long, global = true, value_name = "LEVEL", value_parser = parse_log_level)]
    log_level: Option<log::LevelFilter>,
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Run a program from a file, or from standard input when FILE is -
    Run(Box<RunArgs>),
    /// Run code from the command line, with all permissions
    Eval(Box<EvalArgs>),
    /// Serve what a program exports: export default { fetch, websocket }
    Serve(Box<ServeArgs>),
    /// Fetch the packages and remote modules that programs need, and run nothing
    Cache(Box<CacheArgs>),
    /// Install what the package.json and the deno.json of this folder name
    Install(Box<InstallArgs>),
    /// Dial a server and talk to it on the terminal, or listen for clients to try
    Connect(Box<ConnectArgs>),
    /// Print the TypeScript declarations of what programs have beyond lib.dom
    Types,
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct RunArgs {
    /// The program, and its arguments: all that follows FILE is in Deno.args
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, help_heading = "Program", value_names = ["FILE", "ARGS"])]
    script_and_args: Vec<String>,
    #[command(flatten)]
    inspect: InspectArgs,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    permissions: PermissionArgs,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Args)]
#[command(after_help = SERVE_NOTES)]
struct ServeArgs {
    /// The program, and its arguments: all that follows FILE is in Deno.args
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, help_heading = "Program", value_names = ["FILE", "ARGS"])]
    script_and_args: Vec<String>,
    #[command(flatten)]
    listen: ListenArgs,
    /// Serve on N event loops, each with the program [default N: DENO_JOBS, or the number of cores]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_loops, help_heading = NETWORK)]
    parallel: Option<NonZeroUsize>,
    /// Share topics with other processes through NATS or Redis: nats://…, redis://…
    #[arg(long, value_name = "URL", help_heading = NETWORK)]
    broker: Option<String>,
    #[command(flatten)]
    inspect: InspectArgs,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    permissions: PermissionArgs,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Args)]
struct EvalArgs {
    /// The program, TypeScript unless --ext says otherwise, and its arguments
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, help_heading = "Program", value_names = ["CODE", "ARGS"])]
    code_and_args: Vec<String>,
    /// Print the value of the expression that CODE is
    #[arg(short, long)]
    print: bool,
    #[command(flatten)]
    inspect: InspectArgs,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Args)]
struct CacheArgs {
    /// The programs
    #[arg(required = true, num_args = 1.., value_name = "FILE", help_heading = "Program")]
    files: Vec<String>,
    /// Allow importing from these hosts [default: the hosts that Deno trusts]
    #[arg(short = 'I', long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = permission::HEADING)]
    allow_import: Option<Vec<String>>,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Args)]
struct InstallArgs {
    #[command(flatten)]
    runtime: RuntimeArgs,
}

impl RunArgs {
    fn into_flags(mut self, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
        let (script, args) = split_script(self.script_and_args);
        let set = self.permissions.permission_set.clone();
        let permissions = self.permissions.into_options()?;
        let watch = self.watch.into_flags(&script)?;
        let action = Action::Run { script };
        let flags = self
            .runtime
            .into_flags(action, args, permissions, set, log_level)?;
        Ok(Flags {
            debugging: debugging(&mut self.inspect, watch.is_some())?,
            watch,
            inspect: self.inspect.into_flags(),
            metrics: self.metrics.metrics,
            ..flags
        })
    }
}

fn debugging(args: &mut InspectArgs, is_watched: bool) -> Result<Debugging, clap::Error> {
    let conflict = |message: &str| command().error(ErrorKind::ArgumentConflict, message);
    let debugging = args.debugging().map_err(conflict)?;
    if is_watched && debugging.cpu_profile.is_some() {
        return Err(conflict(
            "--cpu-prof writes a profile when the program ends, and --watch does not let it end",
        ));
    }
    Ok(debugging)
}

/// The flags of `--watch`.
#[derive(Args)]
struct WatchArgs {
    /// Restart the program when one of its files, or one of FILES, changes
    #[arg(long, value_name = "FILES", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = WATCHING)]
    watch: Option<String>,
    /// Do not restart the program when one of FILES changes
    #[arg(long, value_name = "FILES", num_args = 1, require_equals = true, value_delimiter = ',', requires = "watch", help_heading = WATCHING)]
    watch_exclude: Vec<PathBuf>,
    /// Do not clear the terminal when the program restarts
    #[arg(long, requires = "watch", help_heading = WATCHING)]
    no_clear_screen: bool,
}

const WATCHING: &str = "Watching";

impl WatchArgs {
    fn into_flags(self, script: &str) -> Result<Option<WatchFlags>, clap::Error> {
        let Some(paths) = self.watch else {
            return Ok(None);
        };
        if script == "-" {
            return Err(command().error(
                ErrorKind::ArgumentConflict,
                "--watch cannot watch a program that comes from standard input",
            ));
        }
        let paths = paths.split(',').filter(|path| !path.is_empty());
        Ok(Some(WatchFlags {
            paths: paths.map(PathBuf::from).collect(),
            excluded: self.watch_exclude,
            clears_screen: !self.no_clear_screen,
        }))
    }
}

impl ServeArgs {
    fn into_flags(mut self, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
        let (script, args) = split_script(self.script_and_args);
        let set = self.permissions.permission_set.clone();
        let permissions = self.permissions.into_options()?;
        let watch = self.watch.into_flags(&script)?;
        let certificates = self
            .listen
            .certificates()
            .map_err(|message| command().error(ErrorKind::WrongNumberOfValues, message))?;
        let options = ServeOptions {
            broker: self.broker,
            ..self.listen.into_options()
        };
        let action = Action::Serve {
            script,
            options,
            loops: self.parallel,
            certificates,
        };
        let flags = self
            .runtime
            .into_flags(action, args, permissions, set, log_level)?;
        Ok(Flags {
            debugging: debugging(&mut self.inspect, watch.is_some())?,
            watch,
            inspect: self.inspect.into_flags(),
            metrics: self.metrics.metrics,
            ..flags
        })
    }
}

impl EvalArgs {
    fn into_flags(mut self, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
        let mut args = self.code_and_args.into_iter();
        let action = Action::Eval {
            code: args.next().unwrap_or_default(),
            print: self.print,
        };
        let flags = self
            .runtime
            .into_flags(action, args.collect(), None, None, log_level)?;
        Ok(Flags {
            debugging: debugging(&mut self.inspect, false)?,
            inspect: self.inspect.into_flags(),
            ..flags
        })
    }
}

impl CacheArgs {
    fn into_flags(self, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
        let permissions = PermissionsOptions {
            allow_import: list("allow-import", self.allow_import, net)?,
            allow_read: Some(Vec::new()),
            prompt: std::env::var_os("DENO_NO_PROMPT").is_none(),
            ..Default::default()
        };
        let action = Action::Cache { files: self.files };
        self.runtime
            .into_flags(action, Vec::new(), Some(permissions), None, log_level)
    }
}

fn connect_flags(connect: ConnectArgs, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
    let options = connect.options(log_level < log::LevelFilter::Info);
    let ignored = connect.unsafely_ignore_certificate_errors;
    let runtime = RuntimeArgs {
        cert: connect.cert,
        unsafely_ignore_certificate_errors: ignored.then(|| vec![ALL.to_string()]),
        no_config: true,
        no_lock: true,
        ..RuntimeArgs::default()
    };
    let args = vec![options.to_string()];
    runtime.into_flags(Action::Connect, args, None, None, log_level)
}

impl RuntimeArgs {
    fn into_flags(
        self,
        action: Action,
        args: Vec<String>,
        permissions: Option<PermissionsOptions>,
        permission_set: Option<String>,
        log_level: log::LevelFilter,
    ) -> Result<Flags, clap::Error> {
        let any = |value: &str| Ok(vec![value.to_string()]);
        let ignored = "unsafely-ignore-certificate-errors";
        let has_misplaced_permissions = permissions == Some(only_prompt())
            && args.iter().any(|argument| {
                argument == "-A" || argument == "-N" || argument.starts_with("--allow-")
            });
        Ok(Flags {
            action,
            args,
            permissions,
            extension: self.ext,
            location: self.location,
            cert: self
                .cert
                .or_else(|| std::env::var_os("DENO_CERT").map(PathBuf::from)),
            unsafely_ignore_certificate_errors: list(
                ignored,
                self.unsafely_ignore_certificate_errors,
                |host| Ok(vec![host.to_string()]),
            )?,
            seed: self.seed,
            v8_flags: split_v8_flags(self.v8_flags.unwrap_or_default()),
            import_map: self.import_map,
            config: match (self.config, self.no_config) {
                (Some(path), _) => ConfigFlag::Path(path),
                (None, true) => ConfigFlag::Disabled,
                (None, false) => ConfigFlag::Discover,
            },
            packages: PackageFlags {
                no_lock: self.no_lock,
                lock: self.lock,
                frozen: self.frozen,
                reload: list("reload", self.reload, any)?,
                cached_only: self.cached_only,
                no_remote: self.no_remote,
                no_npm: self.no_npm,
                node_modules_dir: self.node_modules_dir,
                allow_scripts: list("allow-scripts", self.allow_scripts, any)?,
            },
            preload: self.preload,
            env_files: self.env_file,
            watch: None,
            inspect: None,
            debugging: Debugging::default(),
            metrics: None,
            unstable: self.unstable.names,
            asks_for_check: !self.check.is_empty(),
            permission_set,
            log_level,
            has_misplaced_permissions,
        })
    }
}

fn command() -> clap::Command {
    // The text lives as long as the process, which parses its arguments once.
    let version: &'static str = Box::leak(long_version().into_boxed_str());
    let mut command = Cli::command().long_version(version);
    // This puts the names of the subcommands into the usage lines of the errors that are made here.
    command.build();
    command
}

fn split_script(script_and_args: Vec<String>) -> (String, Vec<String>) {
    let mut args = script_and_args.into_iter();
    let script = args.next().unwrap_or_default();
    (script, args.collect())
}

fn parse_log_level(value: &str) -> Result<log::LevelFilter, String> {
    value
        .parse()
        .map_err(|_| "expected error, warn, info, debug or trace".to_string())
}

fn parse_loops(text: &str) -> Result<NonZeroUsize, String> {
    if text.is_empty() {
        return Ok(Parallel::default_loops());
    }
    match text.parse() {
        Ok(loops) if loops <= MAX_LOOPS => Ok(loops),
        _ => Err(format!("must be a number from 1 to {MAX_LOOPS}")),
    }
}

impl From<InvalidValue> for clap::Error {
    fn from(invalid: InvalidValue) -> Self {
        let InvalidValue {
            flag,
            value,
            reason,
        } = invalid;
        let message = format!("invalid value '{value}' for '--{flag}': {reason}");
        let mut command = command();
        match command.find_subcommand_mut("run") {
            Some(run) => run.error(ErrorKind::ValueValidation, message),
            None => command.error(ErrorKind::ValueValidation, message),
        }
    }
}

#[cfg(test)]
mod tests;
