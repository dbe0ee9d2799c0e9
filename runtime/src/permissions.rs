//! Permissions: Deno's rules and prompt, from deno_permissions.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use deno_permissions::Permissions;
use deno_permissions::PermissionsContainer;
use deno_permissions::PermissionsFromOptionsError;
use deno_permissions::PermissionsOptions;
use deno_permissions::RuntimePermissionDescriptorParser;
use sys_traits::BaseEnvVar;
use sys_traits::BaseFsCanonicalize;
use sys_traits::BaseFsMetadata;
use sys_traits::BaseFsReadDir;
use sys_traits::EnvCurrentDir;
use sys_traits::EnvHomeDir;
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
    let parser = Arc::new(RuntimePermissionDescriptorParser::new(System));
    let permissions = Permissions::from_options(parser.as_ref(), options)?;
    Ok(PermissionsContainer::new(parser, permissions))
}

/// Everything is allowed (`--allow-all`).
pub fn allow_all() -> PermissionsContainer {
    PermissionsContainer::allow_all(Arc::new(RuntimePermissionDescriptorParser::new(System)))
}

/// The system that descriptors are resolved against: [`RealSys`] with the
/// home directory, which sys_traits leaves out unless all its users take its
/// C library feature.
#[derive(Clone, Debug)]
struct System;

impl EnvCurrentDir for System {
    fn env_current_dir(&self) -> io::Result<PathBuf> {
        RealSys.env_current_dir()
    }
}

impl EnvHomeDir for System {
    fn env_home_dir(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }
}

impl BaseEnvVar for System {
    fn base_env_var_os(&self, key: &OsStr) -> Option<OsString> {
        RealSys.base_env_var_os(key)
    }
}

impl BaseFsCanonicalize for System {
    fn base_fs_canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        RealSys.base_fs_canonicalize(path)
    }
}

impl BaseFsMetadata for System {
    type Metadata = <RealSys as BaseFsMetadata>::Metadata;

    fn base_fs_metadata(&self, path: &Path) -> io::Result<Self::Metadata> {
        RealSys.base_fs_metadata(path)
    }

    fn base_fs_symlink_metadata(&self, path: &Path) -> io::Result<Self::Metadata> {
        RealSys.base_fs_symlink_metadata(path)
    }
}

impl BaseFsReadDir for System {
    type ReadDirEntry = <RealSys as BaseFsReadDir>::ReadDirEntry;

    fn base_fs_read_dir(
        &self,
        path: &Path,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Self::ReadDirEntry>>>> {
        RealSys.base_fs_read_dir(path)
    }
}
