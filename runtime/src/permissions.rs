//! Permissions: Deno's rules and prompt, from deno_permissions.

use std::sync::Arc;

use deno_core::url::Url;
use deno_permissions::Permissions;
use deno_permissions::PermissionsContainer;
use deno_permissions::PermissionsFromOptionsError;
use deno_permissions::PermissionsOptions;
use deno_permissions::RuntimePermissionDescriptorParser;
use sys_traits::impls::RealSys;

use crate::packages::jsr_url;

/// The permissions that command-line flags grant and deny. Paths are relative to the current
/// directory.
///
/// # Errors
///
/// If a flag's value is not a valid host, path or name of system information.
pub fn from_options(
    options: &PermissionsOptions,
) -> Result<PermissionsContainer, PermissionsFromOptionsError> {
    let parser = Arc::new(RuntimePermissionDescriptorParser::new(RealSys));
    let permissions = Permissions::from_options(parser.as_ref(), options)?;
    Ok(PermissionsContainer::new(parser, permissions))
}

/// The hosts that modules may be imported from by default, as in Deno.
const TRUSTED_HOSTS: [&str; 7] = [
    "jsr.io:443",
    "deno.land:443",
    "esm.sh:443",
    "raw.esm.sh:443",
    "cdn.jsdelivr.net:443",
    "raw.githubusercontent.com:443",
    "gist.githubusercontent.com:443",
];

/// Sets which hosts modules may be imported from if the user did not give `--allow-import`: the
/// trusted hosts, the registry of JSR, and the hosts of the modules on the command line. With
/// `--cached-only` all hosts are allowed, because no request is made.
pub fn allow_trusted_imports<'a>(
    options: &mut PermissionsOptions,
    named: impl IntoIterator<Item = &'a Url>,
    is_cached_only: bool,
) {
    if options.allow_import.is_some() {
        return;
    }
    let mut hosts = Vec::new();
    if !is_cached_only {
        hosts.extend(TRUSTED_HOSTS.map(String::from));
        let jsr = jsr_url();
        for url in named.into_iter().chain([jsr]) {
            if let ("http" | "https", Some(host), Some(port)) =
                (url.scheme(), url.host_str(), url.port_or_known_default())
            {
                hosts.push(format!("{host}:{port}"));
            }
        }
    }
    options.allow_import = Some(hosts);
}

/// Permissions that allow everything (`--allow-all`).
pub fn allow_all() -> PermissionsContainer {
    PermissionsContainer::allow_all(Arc::new(RuntimePermissionDescriptorParser::new(RealSys)))
}
