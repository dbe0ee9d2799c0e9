//! Permissions: Deno's rules and prompt, from deno_permissions.

use std::sync::Arc;

use deno_permissions::Permissions;
use deno_permissions::PermissionsContainer;
use deno_permissions::PermissionsFromOptionsError;
use deno_permissions::PermissionsOptions;
use deno_permissions::RuntimePermissionDescriptorParser;
use sys_traits::impls::RealSys;

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

/// Everything is allowed (`--allow-all`).
pub fn allow_all() -> PermissionsContainer {
    PermissionsContainer::allow_all(Arc::new(RuntimePermissionDescriptorParser::new(RealSys)))
}
