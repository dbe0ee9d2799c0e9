//! The flags that all commands that run a program have.

use std::path::PathBuf;

use clap::ArgAction;
use clap::Args;
use clap::FromArgMatches;
use duplex_runtime::UNSTABLE_FEATURES;
use duplex_runtime::deno_core::url::Url;
use duplex_runtime::packages::NodeModulesDir;

use super::list::ALL;
use super::list::split_commas;

pub(super) const NETWORK: &str = "Network";
const MODULES: &str = "Modules";
const ENGINE: &str = "Engine";

#[derive(Args, Default)]
pub(super) struct RuntimeArgs {
    /// Also trust the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE", help_heading = NETWORK)]
    pub(super) cert: Option<PathBuf>,
    /// Do not verify TLS certificates, of these hosts or of all. Dangerous
    #[arg(long, value_name = "HOST", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = NETWORK)]
    pub(super) unsafely_ignore_certificate_errors: Option<Vec<String>>,
    /// The value of globalThis.location, and the base of relative URLs
    #[arg(long, value_name = "URL", value_parser = parse_location, help_heading = NETWORK)]
    pub(super) location: Option<Url>,
    /// Use this import map
    #[arg(long, value_name = "FILE", help_heading = MODULES)]
    pub(super) import_map: Option<String>,
    /// Use this deno.json, not the one in the program's folder or in a folder above it
    #[arg(short, long, value_name = "FILE", conflicts_with = "no_config", help_heading = MODULES)]
    pub(super) config: Option<PathBuf>,
    /// Use no deno.json
    #[arg(long, help_heading = MODULES)]
    pub(super) no_config: bool,
    /// Read the program as this kind of file: ts, tsx, js, jsx, mts, mjs, cts or cjs
    #[arg(long, value_name = "EXT", value_parser = EXTENSIONS, hide_possible_values = true, help_heading = MODULES)]
    pub(super) ext: Option<String>,
    /// Accepted because Deno has this flag: duplex removes types and does not check them
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, action = ArgAction::Append, help_heading = MODULES)]
    pub(super) no_check: Vec<String>,
    /// Accepted because Deno has this flag: duplex removes types and does not check them
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, action = ArgAction::Append, help_heading = MODULES)]
    pub(super) check: Vec<String>,
    /// Run this module before the program
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = MODULES)]
    pub(super) preload: Vec<String>,
    /// Set the environment variables of this file [default file: .env]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = ".env", action = ArgAction::Append, help_heading = MODULES)]
    pub(super) env_file: Vec<PathBuf>,
    /// Download packages and remote modules again, all or some: npm:, jsr:@std/fs, https://…
    #[arg(short, long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = MODULES)]
    pub(super) reload: Option<Vec<String>>,
    /// Use only the packages and remote modules that the cache has
    #[arg(long, conflicts_with = "reload", help_heading = MODULES)]
    pub(super) cached_only: bool,
    /// Load no remote modules
    #[arg(long, help_heading = MODULES)]
    pub(super) no_remote: bool,
    /// Load no packages of npm
    #[arg(long, help_heading = MODULES)]
    pub(super) no_npm: bool,
    /// Use this lock file, or deno.lock, even without a deno.json
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "deno.lock", conflicts_with = "no_lock", help_heading = MODULES)]
    pub(super) lock: Option<PathBuf>,
    /// Use no lock file
    #[arg(long, help_heading = MODULES)]
    pub(super) no_lock: bool,
    /// Fail if the lock file would have to be changed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = MODULES)]
    pub(super) frozen: Option<bool>,
    /// Where packages are: auto fills node_modules, manual uses it as it is, none uses the cache
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_missing_value = "auto", value_parser = parse_node_modules_dir, help_heading = MODULES)]
    pub(super) node_modules_dir: Option<NodeModulesDir>,
    /// Let packages, all or some, run their install scripts
    #[arg(long, value_name = "PACKAGE", num_args = 0..=1, require_equals = true, default_missing_value = ALL, help_heading = MODULES)]
    pub(super) allow_scripts: Option<Vec<String>>,
    #[command(flatten)]
    pub(super) unstable: UnstableArgs,
    /// Make Math.random and crypto.getRandomValues repeatable
    #[arg(long, value_name = "NUMBER", help_heading = ENGINE)]
    pub(super) seed: Option<u64>,
    /// Flags for V8, with commas between them; --v8-flags=--help lists them
    #[arg(
        long,
        value_name = "FLAG",
        num_args = 1,
        require_equals = true,
        help_heading = ENGINE,
        hide = cfg!(not(feature = "v8"))
    )]
    pub(super) v8_flags: Option<Vec<String>>,
}

/// Deno's `--unstable-…` flags. There is one for each feature.
#[derive(Default)]
pub(super) struct UnstableArgs {
    pub(super) names: Vec<String>,
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

pub(super) fn split_v8_flags(values: Vec<String>) -> Vec<String> {
    values
        .iter()
        .flat_map(|value| split_commas(value))
        .collect()
}

fn parse_node_modules_dir(value: &str) -> Result<NodeModulesDir, String> {
    match value {
        "auto" | "true" => Ok(NodeModulesDir::Auto),
        "manual" => Ok(NodeModulesDir::Manual),
        "none" | "false" => Ok(NodeModulesDir::None),
        _ => Err("expected auto, manual or none".to_string()),
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
