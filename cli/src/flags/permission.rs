//! The flags for permissions, which are the same as in Deno.

use clap::Args;
use duplex_runtime::deno_permissions::NetDescriptor;
use duplex_runtime::deno_permissions::PermissionsOptions;
use duplex_runtime::deno_permissions::SysDescriptor;

use super::list::ALL;
use super::list::InvalidValue;
use super::list::list;

pub(super) const HEADING: &str = "Permissions (lists have commas, no list means everything)";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(super) struct PermissionArgs {
    /// Allow everything
    #[arg(short = 'A', long)]
    allow_all: bool,
    /// Use this set of permissions of the deno.json [default: the set "default"]
    #[arg(short = 'P', long, value_name = "SET", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    pub(super) permission_set: Option<String>,
    /// Deny a permission that is missing; do not ask for it on the terminal
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
    /// Allow native code. duplex loads none, but Deno.permissions reports this permission
    #[arg(long, hide = true, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    allow_ffi: Option<Vec<String>>,
    /// Allow importing from these hosts [default: the hosts that Deno trusts]
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

impl PermissionArgs {
    /// The options, or `None` if everything is allowed and nothing is denied.
    pub(super) fn into_options(self) -> Result<Option<PermissionsOptions>, InvalidValue> {
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

/// The permissions if the command line grants none.
pub(super) fn only_prompt() -> PermissionsOptions {
    PermissionsOptions {
        prompt: std::env::var_os("DENO_NO_PROMPT").is_none(),
        ..Default::default()
    }
}

/// Parses a host for the network permission. Only a port (`:PORT`) means that port on `0.0.0.0`,
/// `127.0.0.1` and `localhost`.
pub(super) fn net(value: &str) -> Result<Vec<String>, String> {
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
