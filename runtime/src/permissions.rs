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

/// The permissions that command-line flags grant and deny. Paths are taken
/// relative to the current directory.
///
/// # Errors
///
/// When a flag's value cannot be read as a host, a path or a name of system
/// information.
pub fn from_options(
    options: &PermissionsOptions,
) -> Result<PermissionsContainer, PermissionsFromOptionsError> {
    let parser = Arc::new(RuntimePermissionDescriptorParser::new(RealSys));
    let permissions = Permissions::from_options(parser.as_ref(), options)?;
    Ok(PermissionsContainer::new(parser, permissions))
}

/// Hosts that modules may be imported from where the user says nothing: Deno's.
const TRUSTED_HOSTS: [&str; 7] = [
    "jsr.io:443",
    "deno.land:443",
    "esm.sh:443",
    "raw.esm.sh:443",
    "cdn.jsdelivr.net:443",
    "raw.githubusercontent.com:443",
    "gist.githubusercontent.com:443",
];

/// Without `--allow-import` modules may be imported from trusted hosts, from the registry
/// of JSR and from where the modules on the command line are; and with `--cached-only`
/// from everywhere, for nothing is asked.
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

/// Everything is allowed (`--allow-all`).
pub fn allow_all() -> PermissionsContainer {
    PermissionsContainer::allow_all(Arc::new(RuntimePermissionDescriptorParser::new(RealSys)))
}
