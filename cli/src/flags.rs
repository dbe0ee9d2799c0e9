//! The command line: Deno's flags with Deno's meaning.

mod connect;
mod host;
mod inspect;
mod listen_address;
mod metrics;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ArgAction;
use clap::Args;
use clap::CommandFactory;
use clap::FromArgMatches;
use clap::Parser;
use clap::Subcommand;
use clap::error::ErrorKind;
use duplex_runtime::InspectorStart;
use duplex_runtime::ServeAddress;
use duplex_runtime::UNSTABLE_FEATURES;
use duplex_runtime::deno_core::url::Url;
use duplex_runtime::deno_permissions::NetDescriptor;
use duplex_runtime::deno_permissions::PermissionsOptions;
use duplex_runtime::deno_permissions::SysDescriptor;
use duplex_runtime::packages::NodeModulesDir;
use duplex_runtime::parallel::Parallel;

use self::connect::ConnectArgs;
use self::host::parse_serve_host;
use self::inspect::InspectArgs;
use self::metrics::MetricsArgs;

/// What the user asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Flags {
    pub action: Action,
    /// The arguments behind the program, `Deno.args`.
    pub args: Vec<String>,
    /// What the program may do; none means everything.
    pub permissions: Option<PermissionsOptions>,
    /// In place of what the program's name says, a media type's extension.
    pub extension: Option<String>,
    pub location: Option<Url>,
    /// A PEM file of certificate authorities to trust as well.
    pub cert: Option<PathBuf>,
    /// Hosts whose certificates are not verified; an empty list means all.
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    pub seed: Option<u64>,
    pub v8_flags: Vec<String>,
    /// A path or URL.
    pub import_map: Option<String>,
    pub config: ConfigFlag,
    pub packages: PackageFlags,
    /// Modules that run before the program.
    pub preload: Vec<String>,
    /// Files of environment variables.
    pub env_files: Vec<PathBuf>,
    /// Start the program anew when a file of it changes.
    pub watch: Option<WatchFlags>,
    /// Where debuggers attach, and when the program starts then.
    pub inspect: Option<(SocketAddr, InspectorStart)>,
    /// Where operators ask for numbers and health.
    pub metrics: Option<SocketAddr>,
    /// Names of Deno's unstable features that the command line asks for.
    pub unstable: Vec<String>,
    /// The user asked for types to be checked.
    pub asks_for_check: bool,
    /// The set of permissions in the deno.json that holds.
    pub permission_set: Option<String>,
    pub log_level: log::LevelFilter,
    /// The user put a permission flag behind the program, where it has no effect.
    pub has_misplaced_permissions: bool,
}

/// What is watched, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct WatchFlags {
    /// Files and folders beside those that the program is made of.
    pub paths: Vec<PathBuf>,
    pub excluded: Vec<PathBuf>,
    /// The terminal is cleared before each start but the first.
    pub clears_screen: bool,
}

impl Flags {
    /// The files that the program depends on by its flags.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
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
pub struct PackageFlags {
    pub no_lock: bool,
    pub lock: Option<PathBuf>,
    pub frozen: Option<bool>,
    /// What is fetched although the cache has it; an empty list means all.
    pub reload: Option<Vec<String>>,
    pub cached_only: bool,
    pub no_remote: bool,
    pub no_npm: bool,
    pub node_modules_dir: Option<NodeModulesDir>,
    /// Packages whose scripts may run when they are installed; an empty list means all.
    pub allow_scripts: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Run a file; `-` is standard input.
    Run { script: String },
    /// Run code given on the command line.
    Eval { code: String, print: bool },
    /// Serve what a file exports by default; `-` is standard input.
    Serve {
        script: String,
        address: ServeAddress,
        /// How many event loops; without it as the program says.
        loops: Option<NonZeroUsize>,
        /// The files of the chain of certificates and of the key.
        certificate: Option<(PathBuf, PathBuf)>,
    },
    /// Fetch what modules need, and run nothing.
    Cache { files: Vec<String> },
    /// Install what the package.json and the deno.json name.
    Install,
    /// Try a server or a client on the terminal. The options of the program that does it are
    /// its argument.
    Connect,
    /// Print the TypeScript declarations.
    Types,
}

/// Where the `deno.json` is.
#[derive(Debug, PartialEq, Eq)]
pub enum ConfigFlag {
    /// Beside the program or in a folder above it.
    Discover,
    Path(PathBuf),
    Disabled,
}

/// Reads the arguments, of which the first is the name of this binary.
///
/// # Errors
/// The arguments ask for help or the version, or are wrong. The error knows what
/// to print and where.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Flags, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(error) = foreign_command(&args) {
        return Err(error);
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

/// `duplex 0.1.0 (release, x86_64-unknown-linux-gnu)`, then the engine.
pub fn long_version() -> String {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let (engine, engine_version) = duplex_runtime::engine_version();
    format!(
        "{} ({profile}, {})\n{engine} {engine_version}\ntypescript {} (erased, not checked)",
        env!("CARGO_PKG_VERSION"),
        env!("TARGET"),
        duplex_runtime::TYPESCRIPT_VERSION,
    )
}

const ABOUT: &str = "Runs JavaScript and TypeScript programs that serve and dial WebSockets.

A program uses the web's API (WebSocket, fetch, streams, …) and Deno's for servers
(Deno.serve, Deno.upgradeWebSocket). It may touch nothing beyond its own modules
until a flag allows it, or the user does when asked on the terminal.";

const EXAMPLES: &str = "\x1b[1mExamples:\x1b[0m
  duplex run --allow-net server.ts      Serve, on any port
  duplex run -N=localhost:8080 chat.ts  Serve with hostname: \"localhost\", or dial it
  duplex -A main.ts one two             Allow everything; \"run\" may be left out
  duplex serve --port 8080 chat.ts      Serve what it exports: export default { fetch, websocket }
  duplex eval -p '1 + 1'                Print the value of an expression
  duplex connect localhost:8080         Talk to a server on the terminal

\x1b[1mEnvironment:\x1b[0m
  DENO_CERT             Like --cert
  DUPLEX_BROKER         Like --broker
  PORT                  The port of duplex serve, where neither --port nor the program says one
  DENO_JOBS             How many event loops --parallel without a number is
  DENO_DIR              The folder of the cache of packages and remote modules
  DENO_AUTH_TOKENS      Credentials for hosts of remote modules
  DENO_TLS_CA_STORE     Trusted authorities: mozilla, system, or both with a comma
  DENO_NO_PROMPT        Like --no-prompt, when set to anything
  NPM_CONFIG_REGISTRY   The registry of packages; JSR_URL is that of JSR
  DENO_V8_FLAGS         Flags for V8, before those of the command line
  NO_COLOR, FORCE_COLOR Never, or always, colour the output";

const SERVE_NOTES: &str = "\x1b[1mThe program:\x1b[0m
  export default {
    fetch(request, info) {
      if (info.upgrade(request)) return;
      return new Response(\"This is a WebSocket server.\");
    },
    websocket: { message(ws, data) { ws.send(data); } },
  };

\x1b[1mNotes:\x1b[0m
  All options of Deno.serve may stand in the object. The address of the command line, or
  the default, needs no --allow-net; one that the object names does.
  SIGINT and SIGTERM close all WebSockets with 1001 and end the process when they have
  closed; another one ends it at once.";

const PERMISSIONS: &str = "Permissions (lists have commas, no list means everything)";
const NETWORK: &str = "Network";
const MODULES: &str = "Modules";
const ENGINE: &str = "Engine";

const MAX_LOOPS: NonZeroUsize = Parallel::MAX_LOOPS;

/// What `--allow-net` alone stands for. No argument can hold it.
const ALL: &str = "\0";

#[derive(Parser)]
#[command(name = "duplex", about = ABOUT, after_help = EXAMPLES, version)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    /// Print errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Print this and what is graver: error, warn, info, debug, trace
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
    /// Listen on this port in place of the program's, PORT or 8000; 0 takes a free one
    #[arg(long, value_name = "NUMBER", help_heading = NETWORK)]
    port: Option<u16>,
    /// Listen on this name or address in place of the program's or 0.0.0.0
    #[arg(long, value_name = "HOST", value_parser = parse_serve_host, help_heading = NETWORK)]
    host: Option<String>,
    /// Serve TLS with the chain of certificates in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = NETWORK)]
    tls_cert: Option<PathBuf>,
    /// The private key of the first certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = NETWORK)]
    tls_key: Option<PathBuf>,
    /// Serve on N event loops, each with the program; without N on DENO_JOBS, or one for each core
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_loops, help_heading = NETWORK)]
    parallel: Option<NonZeroUsize>,
    /// Have topics in common with other processes, through NATS or Redis: nats://…, redis://…
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
    /// Allow importing from hosts; without it from those that Deno trusts
    #[arg(short = 'I', long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = PERMISSIONS)]
    allow_import: Option<Vec<String>>,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Args)]
struct InstallArgs {
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Args)]
#[command(next_help_heading = PERMISSIONS)]
struct PermissionArgs {
    /// Allow everything
    #[arg(short = 'A', long)]
    allow_all: bool,
    /// Take the permissions from this set of the deno.json, or from "default"
    #[arg(short = 'P', long, value_name = "SET", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    permission_set: Option<String>,
    /// Do not ask on the terminal for a permission that is missing, deny it
    #[arg(long)]
    no_prompt: bool,
    /// Allow the network: HOST, HOST:PORT, :PORT, *.HOST, an IP address or range
    #[arg(short = 'N', long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_net: Option<Vec<String>>,
    /// Allow reading files: PATH or below it
    #[arg(short = 'R', long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_read: Option<Vec<String>>,
    /// Allow writing files: PATH or below it
    #[arg(short = 'W', long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_write: Option<Vec<String>>,
    /// Allow environment variables: NAME, or those that begin with it: NAME*
    #[arg(short = 'E', long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_env: Option<Vec<String>>,
    /// Allow facts about the system: hostname, systemMemoryInfo, …
    #[arg(short = 'S', long, value_name = "API", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_sys: Option<Vec<String>>,
    /// Allow running programs: NAME or PATH
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_run: Option<Vec<String>>,
    /// Allow native code, which nothing here loads: Deno.permissions tells of it
    #[arg(long, hide = true, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_ffi: Option<Vec<String>>,
    /// Allow importing from hosts; without it from those that Deno trusts
    #[arg(short = 'I', long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_import: Option<Vec<String>>,
    /// Deny what --allow-net or --allow-all would allow
    #[arg(long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_net: Option<Vec<String>>,
    /// Deny what --allow-read or --allow-all would allow
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_read: Option<Vec<String>>,
    /// Deny what --allow-write or --allow-all would allow
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_write: Option<Vec<String>>,
    /// Deny what --allow-env or --allow-all would allow
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_env: Option<Vec<String>>,
    /// Deny what --allow-sys or --allow-all would allow
    #[arg(long, value_name = "API", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_sys: Option<Vec<String>>,
    /// Deny what --allow-run or --allow-all would allow
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_run: Option<Vec<String>>,
    /// Deny what --allow-ffi or --allow-all would allow
    #[arg(long, hide = true, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_ffi: Option<Vec<String>>,
    /// Deny what --allow-import or --allow-all would allow
    #[arg(long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    deny_import: Option<Vec<String>>,
}

#[derive(Args, Default)]
struct RuntimeArgs {
    /// Trust the certificate authorities in this PEM file as well
    #[arg(long, value_name = "FILE", help_heading = NETWORK)]
    cert: Option<PathBuf>,
    /// Do not verify TLS certificates, of these hosts or of all. Dangerous
    #[arg(long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = NETWORK)]
    unsafely_ignore_certificate_errors: Option<Vec<String>>,
    /// The value of globalThis.location, and the base of relative URLs
    #[arg(long, value_name = "URL", value_parser = parse_location, help_heading = NETWORK)]
    location: Option<Url>,
    /// Use this import map
    #[arg(long, value_name = "FILE", help_heading = MODULES)]
    import_map: Option<String>,
    /// Use this deno.json rather than the one beside the program or above it
    #[arg(short, long, value_name = "FILE", conflicts_with = "no_config", help_heading = MODULES)]
    config: Option<PathBuf>,
    /// Use no deno.json
    #[arg(long, help_heading = MODULES)]
    no_config: bool,
    /// Take the program for this kind of file: ts, tsx, js, jsx, mts, mjs, cts, cjs
    #[arg(long, value_name = "EXT", value_parser = EXTENSIONS, hide_possible_values = true, help_heading = MODULES)]
    ext: Option<String>,
    /// Accepted for Deno's sake: types are never checked here, only erased
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, action = ArgAction::Append, help_heading = MODULES)]
    no_check: Vec<String>,
    /// Accepted for Deno's sake: types are never checked here, only erased
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, action = ArgAction::Append, help_heading = MODULES)]
    check: Vec<String>,
    /// Run this module before the program
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = MODULES)]
    preload: Vec<String>,
    /// Set the environment variables in this file, or in .env
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = ".env", action = ArgAction::Append, help_heading = MODULES)]
    env_file: Vec<PathBuf>,
    /// Fetch packages and remote modules anew, all or some: npm:, jsr:@std/fs, https://…
    #[arg(short, long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = MODULES)]
    reload: Option<Vec<String>>,
    /// Use of packages and remote modules only what the cache has
    #[arg(long, conflicts_with = "reload", help_heading = MODULES)]
    cached_only: bool,
    /// Load no remote modules
    #[arg(long, help_heading = MODULES)]
    no_remote: bool,
    /// Load no packages of npm
    #[arg(long, help_heading = MODULES)]
    no_npm: bool,
    /// Use this lock file, or deno.lock, though there is no deno.json
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "deno.lock", conflicts_with = "no_lock", help_heading = MODULES)]
    lock: Option<PathBuf>,
    /// Use no lock file
    #[arg(long, help_heading = MODULES)]
    no_lock: bool,
    /// Fail if the lock file would have to be changed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = MODULES)]
    frozen: Option<bool>,
    /// Where packages are: auto fills node_modules, manual takes it as it is, none uses the cache
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_missing_value = "auto", value_parser = parse_node_modules_dir, help_heading = MODULES)]
    node_modules_dir: Option<NodeModulesDir>,
    /// Let packages, all or some, run their scripts when they are installed
    #[arg(long, value_name = "PACKAGE", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = MODULES)]
    allow_scripts: Option<Vec<String>>,
    #[command(flatten)]
    unstable: UnstableArgs,
    /// Make Math.random and crypto.getRandomValues repeatable
    #[arg(long, value_name = "NUMBER", help_heading = ENGINE)]
    seed: Option<u64>,
    /// Flags for V8, with commas between them; --v8-flags=--help lists them
    #[arg(
        long,
        value_name = "FLAG",
        num_args = 1,
        require_equals = true,
        help_heading = ENGINE,
        hide = cfg!(not(feature = "v8"))
    )]
    v8_flags: Option<Vec<String>>,
}

/// Deno's `--unstable-…`, of which there is one for each feature.
#[derive(Default)]
struct UnstableArgs {
    names: Vec<String>,
}

impl Args for UnstableArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        UNSTABLE_FEATURES.iter().fold(command, |command, feature| {
            let argument = clap::Arg::new(feature.flag_name)
                .long(feature.flag_name)
                .action(ArgAction::SetTrue)
                .hide(true);
            command.arg(match feature.name {
                "sloppy-imports" | "unsafe-proto" => argument.alias(feature.name),
                _ => argument,
            })
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for UnstableArgs {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let names = UNSTABLE_FEATURES
            .iter()
            .filter(|feature| matches.get_flag(feature.flag_name))
            .map(|feature| feature.name.to_string())
            .collect();
        Ok(Self { names })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

const EXTENSIONS: [&str; 8] = ["ts", "tsx", "js", "jsx", "mts", "mjs", "cts", "cjs"];

impl RunArgs {
    fn into_flags(self, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
        let (script, args) = split_script(self.script_and_args);
        let set = self.permissions.permission_set.clone();
        let permissions = self.permissions.into_options()?;
        let watch = self.watch.into_flags(&script)?;
        let action = Action::Run { script };
        let flags = self
            .runtime
            .into_flags(action, args, permissions, set, log_level)?;
        Ok(Flags {
            watch,
            inspect: self.inspect.into_flags(),
            metrics: self.metrics.metrics,
            ..flags
        })
    }
}

/// The flags of watching.
#[derive(Args)]
struct WatchArgs {
    /// Start the program anew when one of its files changes, or one of FILES
    #[arg(long, value_name = "FILES", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = WATCHING)]
    watch: Option<String>,
    /// Do not start it anew when one of FILES changes
    #[arg(long, value_name = "FILES", num_args = 1, require_equals = true, value_delimiter = ',', requires = "watch", help_heading = WATCHING)]
    watch_exclude: Vec<PathBuf>,
    /// Leave on the terminal what is there when the program starts anew
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
    fn into_flags(self, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
        let (script, args) = split_script(self.script_and_args);
        let set = self.permissions.permission_set.clone();
        let permissions = self.permissions.into_options()?;
        let watch = self.watch.into_flags(&script)?;
        let address = ServeAddress {
            hostname: self.host,
            port: self.port,
            broker: self.broker,
            default_port: None,
            certificate: None,
        };
        let action = Action::Serve {
            script,
            address,
            loops: self.parallel,
            certificate: self.tls_cert.zip(self.tls_key),
        };
        let flags = self
            .runtime
            .into_flags(action, args, permissions, set, log_level)?;
        Ok(Flags {
            watch,
            inspect: self.inspect.into_flags(),
            metrics: self.metrics.metrics,
            ..flags
        })
    }
}

impl EvalArgs {
    fn into_flags(self, log_level: log::LevelFilter) -> Result<Flags, clap::Error> {
        let mut args = self.code_and_args.into_iter();
        let action = Action::Eval {
            code: args.next().unwrap_or_default(),
            print: self.print,
        };
        let flags = self
            .runtime
            .into_flags(action, args.collect(), None, None, log_level)?;
        Ok(Flags {
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
            metrics: None,
            unstable: self.unstable.names,
            asks_for_check: !self.check.is_empty(),
            permission_set,
            log_level,
            has_misplaced_permissions,
        })
    }
}

impl PermissionArgs {
    /// The options, or none when everything is allowed and nothing denied.
    fn into_options(self) -> Result<Option<PermissionsOptions>, clap::Error> {
        let any = |value: &str| Ok(vec![value.to_string()]);
        let mut options = PermissionsOptions {
            allow_net: list("allow-net", self.allow_net, net)?,
            deny_net: list("deny-net", self.deny_net, net)?,
            allow_read: list("allow-read", self.allow_read, any)?,
            deny_read: list("deny-read", self.deny_read, any)?,
            allow_write: list("allow-write", self.allow_write, any)?,
            deny_write: list("deny-write", self.deny_write, any)?,
            allow_env: list("allow-env", self.allow_env, env_name)?,
            deny_env: list("deny-env", self.deny_env, env_name)?,
            allow_sys: list("allow-sys", self.allow_sys, sys)?,
            deny_sys: list("deny-sys", self.deny_sys, sys)?,
            allow_run: list("allow-run", self.allow_run, any)?,
            deny_run: list("deny-run", self.deny_run, any)?,
            allow_ffi: list("allow-ffi", self.allow_ffi, any)?,
            deny_ffi: list("deny-ffi", self.deny_ffi, any)?,
            allow_import: list("allow-import", self.allow_import, net)?,
            deny_import: list("deny-import", self.deny_import, net)?,
            prompt: !self.no_prompt && std::env::var_os("DENO_NO_PROMPT").is_none(),
            ..Default::default()
        };
        if self.allow_all {
            let denies_nothing = options.deny_net.is_none()
                && options.deny_read.is_none()
                && options.deny_write.is_none()
                && options.deny_env.is_none()
                && options.deny_sys.is_none()
                && options.deny_run.is_none()
                && options.deny_ffi.is_none()
                && options.deny_import.is_none();
            if denies_nothing {
                return Ok(None);
            }
            for allowed in [
                &mut options.allow_net,
                &mut options.allow_read,
                &mut options.allow_write,
                &mut options.allow_env,
                &mut options.allow_sys,
                &mut options.allow_run,
                &mut options.allow_ffi,
                &mut options.allow_import,
            ] {
                *allowed = Some(Vec::new());
            }
        }
        Ok(Some(options))
    }
}

fn command() -> clap::Command {
    // Lives as long as the process, which parses once.
    let version: &'static str = Box::leak(long_version().into_boxed_str());
    let mut command = Cli::command().long_version(version);
    // Names the subcommands in the usage lines of errors made here.
    command.build();
    command
}

/// The commands that are here.
const OWN: [&str; 8] = [
    "run", "eval", "serve", "connect", "cache", "install", "types", "help",
];

/// The commands of Deno, Node.js and npm that are not here, with what to do.
const FOREIGN: [(&str, &str); 29] = [
    (
        "add",
        "npm install, or `duplex install` after naming it in package.json or deno.json",
    ),
    ("bench", "deno bench"),
    ("bundle", "esbuild"),
    (
        "check",
        "deno check or tsc: types are erased here, not checked",
    ),
    ("ci", "duplex install --frozen"),
    ("clean", "deno clean, which has the same cache"),
    ("compile", "deno compile"),
    ("completions", "nothing"),
    ("coverage", "deno coverage"),
    ("deploy", "deno deploy"),
    ("doc", "deno doc"),
    ("fmt", "deno fmt"),
    ("info", "deno info, which has the same cache"),
    ("init", "an editor: a program is one file"),
    ("jupyter", "deno jupyter"),
    ("lint", "deno lint"),
    ("list", "npm ls"),
    ("lsp", "deno lsp, with `duplex types`"),
    ("outdated", "npm outdated"),
    ("publish", "deno publish"),
    ("remove", "npm uninstall"),
    ("repl", "duplex eval"),
    (
        "start",
        "duplex run, with the program that package.json names",
    ),
    ("task", "deno task or npm run"),
    (
        "test",
        "a program that imports \"node:test\", with duplex run",
    ),
    ("uninstall", "npm uninstall"),
    ("upgrade", "the way that it was installed by"),
    ("vendor", "\"vendor\": true in the deno.json"),
    ("watch", "duplex run --watch"),
];

/// Refuses a command that is not here, and one that is misspelt, where there is no file of
/// that name.
fn foreign_command(args: &[OsString]) -> Option<clap::Error> {
    let mut rest = args.iter().skip(1).filter_map(|argument| argument.to_str());
    let name = rest.find(|argument| !matches!(*argument, "-q" | "--quiet"))?;
    let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_word || std::path::Path::new(name).exists() {
        return None;
    }
    if let Some((_, instead)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
        let message = format!("duplex has no command \"{name}\"; use {instead}");
        return Some(command().error(ErrorKind::InvalidSubcommand, message));
    }
    if OWN.contains(&name) {
        return None;
    }
    let meant = OWN.into_iter().find(|own| is_misspelt(name, own))?;
    let message = format!("duplex has no command \"{name}\"; did you mean \"{meant}\"?");
    Some(command().error(ErrorKind::InvalidSubcommand, message))
}

/// Whether two letters at most are wrong, missing, too many or exchanged; one in a short
/// name.
fn is_misspelt(name: &str, meant: &str) -> bool {
    strsim::damerau_levenshtein(name, meant) <= if meant.len() > 4 { 2 } else { 1 }
}

/// Inserts `run` where the user left it out.
fn with_subcommand(mut args: Vec<OsString>) -> Vec<OsString> {
    let mut index = 1;
    while let Some(argument) = args.get(index).and_then(|argument| argument.to_str()) {
        match argument {
            "-q" | "--quiet" => index += 1,
            "-L" | "--log-level" => index += 2,
            _ if argument.starts_with("--log-level=") => index += 1,
            "-h" | "--help" | "-V" | "--version" => return args,
            name if OWN.contains(&name) => return args,
            _ => break,
        }
    }
    if index < args.len() {
        args.insert(index, "run".into());
    }
    args
}

fn split_script(script_and_args: Vec<String>) -> (String, Vec<String>) {
    let mut args = script_and_args.into_iter();
    let script = args.next().unwrap_or_default();
    (script, args.collect())
}

/// Permissions of a command line that grants none.
fn only_prompt() -> PermissionsOptions {
    PermissionsOptions {
        prompt: std::env::var_os("DENO_NO_PROMPT").is_none(),
        ..Default::default()
    }
}

/// Splits the values of a flag at commas (a doubled one stands for itself). The
/// flag without a value, anywhere, makes the list empty, which means everything.
fn list(
    flag: &str,
    values: Option<Vec<String>>,
    parse: impl Fn(&str) -> Result<Vec<String>, String>,
) -> Result<Option<Vec<String>>, clap::Error> {
    let Some(values) = values else {
        return Ok(None);
    };
    let mut list = Vec::new();
    for value in values.iter().filter(|value| *value != ALL) {
        for item in split_commas(value) {
            let parsed = if item.is_empty() {
                Err("empty values are not allowed".to_string())
            } else {
                parse(&item)
            };
            list.extend(parsed.map_err(|reason| invalid_value(flag, value, &reason))?);
        }
    }
    if values.iter().any(|value| value == ALL) {
        list.clear();
    }
    Ok(Some(list))
}

fn split_commas(value: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        if character == ',' && characters.next_if_eq(&',').is_none() {
            items.push(String::new());
        } else if let Some(item) = items.last_mut() {
            item.push(character);
        }
    }
    items
}

fn split_v8_flags(values: Vec<String>) -> Vec<String> {
    values
        .iter()
        .flat_map(|value| split_commas(value))
        .collect()
}

/// A port alone stands for that port on every address of this machine.
fn net(value: &str) -> Result<Vec<String>, String> {
    if let Some(port) = value.strip_prefix(':')
        && port.parse::<u16>().is_ok()
    {
        return Ok(["0.0.0.0", "127.0.0.1", "localhost"]
            .map(|host| format!("{host}:{port}"))
            .into());
    }
    match NetDescriptor::parse_for_list(value) {
        Ok(_) => Ok(vec![value.to_string()]),
        Err(error) => Err(error.to_string()),
    }
}

fn env_name(value: &str) -> Result<Vec<String>, String> {
    if value.contains(['=', '\0']) {
        return Err("a name of an environment variable has no \"=\"".to_string());
    }
    Ok(vec![value.to_string()])
}

fn sys(value: &str) -> Result<Vec<String>, String> {
    match SysDescriptor::parse(value.to_string()) {
        Ok(_) => Ok(vec![value.to_string()]),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_node_modules_dir(value: &str) -> Result<NodeModulesDir, String> {
    match value {
        "auto" | "true" => Ok(NodeModulesDir::Auto),
        "manual" => Ok(NodeModulesDir::Manual),
        "none" | "false" => Ok(NodeModulesDir::None),
        _ => Err("expected auto, manual or none".to_string()),
    }
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

fn parse_location(value: &str) -> Result<Url, String> {
    let mut url = Url::parse(value).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("expected protocol \"http\" or \"https\"".to_string());
    }
    // A location has no credentials. These calls fail for URLs without a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(url)
}

fn invalid_value(flag: &str, value: &str, reason: &str) -> clap::Error {
    let message = format!("invalid value '{value}' for '--{flag}': {reason}");
    let mut command = command();
    match command.find_subcommand_mut("run") {
        Some(run) => run.error(ErrorKind::ValueValidation, message),
        None => command.error(ErrorKind::ValueValidation, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_flags(line: &str) -> Result<Flags, String> {
        let args = std::iter::once("duplex").chain(line.split_whitespace());
        parse(args.map(OsString::from)).map_err(|error| error.to_string())
    }

    fn flags(line: &str) -> Flags {
        try_flags(line).unwrap()
    }

    fn permissions(line: &str) -> PermissionsOptions {
        flags(&format!("run {line} a.ts")).permissions.unwrap()
    }

    fn strings(values: &[&str]) -> Option<Vec<String>> {
        Some(values.iter().map(|value| value.to_string()).collect())
    }

    #[test]
    fn the_subcommand_may_be_left_out() {
        let run = Action::Run {
            script: "a.ts".to_string(),
        };
        for line in [
            "run a.ts",
            "a.ts",
            "--allow-net a.ts",
            "-q run a.ts",
            "-L debug a.ts",
            "--seed 1 a.ts",
        ] {
            assert_eq!(flags(line).action, run, "{line}");
        }
        let stdin = Action::Run {
            script: "-".to_string(),
        };
        assert_eq!(flags("run -").action, stdin);
        assert_eq!(flags("-").action, stdin);
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        let flags = flags("run -R a.ts --allow-net -A x -- y --unknown");
        assert_eq!(
            flags.args,
            ["--allow-net", "-A", "x", "--", "y", "--unknown"]
        );
        let permissions = flags.permissions.unwrap();
        assert_eq!(permissions.allow_read, strings(&[]));
        assert_eq!(permissions.allow_net, None);
        assert!(!flags.has_misplaced_permissions);
        assert!(self::flags("run a.ts --allow-net").has_misplaced_permissions);
        assert!(!self::flags("run -A a.ts --allow-net").has_misplaced_permissions);
    }

    #[test]
    fn lists_of_permissions() {
        let options =
            permissions("--allow-net=a.com,b.com:80 -N=[::1]:8080 --deny-read=/a,,b,/c -E");
        assert_eq!(
            options.allow_net,
            strings(&["a.com", "b.com:80", "[::1]:8080"])
        );
        assert_eq!(options.deny_read, strings(&["/a,b", "/c"]));
        assert_eq!(options.allow_env, strings(&[]));
        assert_eq!(options.allow_write, None);
        assert_eq!(
            permissions("--allow-net=:80").allow_net,
            strings(&["0.0.0.0:80", "127.0.0.1:80", "localhost:80"])
        );
        // A bare flag widens: it is what the user wrote.
        assert_eq!(
            permissions("--deny-net=a.com --deny-net").deny_net,
            strings(&[])
        );
    }

    #[test]
    fn an_empty_value_grants_nothing() {
        for line in [
            "run --allow-net= a.ts",
            "run --allow-read=/a, a.ts",
            "run -E= a.ts",
        ] {
            let error = try_flags(line).unwrap_err();
            assert!(error.contains("empty values"), "{line}: {error}");
        }
    }

    #[test]
    fn values_are_checked() {
        for (line, word) in [
            ("run --allow-net=http://a.com a.ts", "http://a.com"),
            ("run --allow-sys=nothing a.ts", "nothing"),
            ("run --allow-env=A=B a.ts", "A=B"),
            ("run --location ftp://a a.ts", "http"),
            ("run --location nowhere a.ts", "relative URL"),
            ("run --seed x a.ts", "--seed"),
            ("run --ext exe a.ts", "exe"),
            ("run -L loud a.ts", "loud"),
            ("run --config a --no-config a.ts", "--no-config"),
            ("run --alow-net a.ts", "--allow-net"),
            ("run", "<FILE>"),
            ("eval --allow-net 1", "--allow-net"),
        ] {
            let error = try_flags(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn all_permissions() {
        assert_eq!(flags("run -A a.ts").permissions, None);
        assert_eq!(flags("eval 1").permissions, None);
        let options = permissions("--allow-all --deny-net=a.com");
        assert_eq!(options.allow_read, strings(&[]));
        assert_eq!(options.allow_net, strings(&[]));
        assert_eq!(options.deny_net, strings(&["a.com"]));
    }

    #[test]
    fn the_rest() {
        let flags = flags(
            "run --no-check --no-check=remote --seed 7 --location https://u:p@a.com/b \
             --v8-flags=--a,--b=1 --v8-flags=--c --unsafely-ignore-certificate-errors=a,b \
             --import-map m.json -c d.json --cert c.pem --ext ts a",
        );
        assert_eq!(flags.seed, Some(7));
        assert_eq!(flags.location.unwrap().as_str(), "https://a.com/b");
        assert_eq!(flags.v8_flags, ["--a", "--b=1", "--c"]);
        assert_eq!(
            flags.unsafely_ignore_certificate_errors,
            strings(&["a", "b"])
        );
        assert_eq!(flags.import_map.as_deref(), Some("m.json"));
        assert_eq!(flags.config, ConfigFlag::Path("d.json".into()));
        assert_eq!(flags.cert, Some("c.pem".into()));
        assert_eq!(flags.extension.as_deref(), Some("ts"));
        assert_eq!(
            self::flags("--unsafely-ignore-certificate-errors a.ts")
                .unsafely_ignore_certificate_errors,
            strings(&[])
        );
    }

    #[test]
    fn evaluation() {
        let flags = flags("eval -p --ext js 1+1 a -b");
        let action = Action::Eval {
            code: "1+1".to_string(),
            print: true,
        };
        assert_eq!(flags.action, action);
        assert_eq!(flags.args, ["a", "-b"]);
    }

    #[test]
    fn serving() {
        let address = |line: &str| match flags(line).action {
            Action::Serve {
                script, address, ..
            } if script == "a.ts" => address,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(address("serve a.ts"), ServeAddress::default());
        assert_eq!(
            address("-q serve --port 0 --host localhost a.ts --port 1"),
            ServeAddress {
                hostname: Some("localhost".to_string()),
                port: Some(0),
                ..ServeAddress::default()
            }
        );
        assert!(
            address("serve --tls-cert a.pem --tls-key b.pem a.ts")
                .certificate
                .is_none(),
            "it is read when the program starts"
        );
        let broker = address("serve --broker redis://a a.ts").broker;
        assert_eq!(broker.as_deref(), Some("redis://a"));
        for host in ["--host [::1]", "--host=::1"] {
            let address = address(&format!("serve {host} -N a.ts"));
            assert_eq!(address.hostname.as_deref(), Some("::1"));
        }
        assert_eq!(flags("serve a.ts b -x").args, ["b", "-x"]);
        assert!(flags("serve a.ts -A").has_misplaced_permissions);
        for (line, word) in [
            ("serve", "<FILE>"),
            ("serve --port 65536 a.ts", "65536"),
            ("serve --tls-cert a.pem a.ts", "--tls-key"),
            ("serve --tls-key a.pem a.ts", "--tls-cert"),
            ("serve --host a:80 a.ts", "--port"),
            ("serve --host [a] a.ts", "--port"),
            ("serve --host= a.ts", "--host"),
            ("run --port 80 a.ts", "--port"),
        ] {
            let error = try_flags(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn types() {
        assert_eq!(flags("types").action, Action::Types);
        assert!(try_flags("types a.ts").unwrap_err().contains("a.ts"));
    }

    #[test]
    fn help_and_version_are_not_errors() {
        for line in [
            "--help",
            "serve --help",
            "run --help",
            "help run",
            "--version",
            "-V",
        ] {
            let args = std::iter::once("duplex").chain(line.split_whitespace());
            let error = parse(args.map(OsString::from)).unwrap_err();
            assert!(!error.use_stderr(), "{line}");
        }
        assert!(long_version().contains(duplex_runtime::engine_version().0));
    }

    #[test]
    fn the_command_is_consistent() {
        Cli::command().debug_assert();
    }
}
