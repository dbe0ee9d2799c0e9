//! The system as the permission parser sees it. It has no home directory,
//! which `RealSys` would only know with a feature that nothing else here needs.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use sys_traits::BaseEnvVar;
use sys_traits::BaseFsCanonicalize;
use sys_traits::BaseFsMetadata;
use sys_traits::BaseFsReadDir;
use sys_traits::EnvCurrentDir;
use sys_traits::EnvHomeDir;
use sys_traits::impls::RealSys;

#[derive(Clone, Debug)]
pub struct HomelessSys;

impl EnvHomeDir for HomelessSys {
    fn env_home_dir(&self) -> Option<PathBuf> {
        None
    }
}

impl EnvCurrentDir for HomelessSys {
    fn env_current_dir(&self) -> io::Result<PathBuf> {
        RealSys.env_current_dir()
    }
}

impl BaseEnvVar for HomelessSys {
    fn base_env_var_os(&self, key: &OsStr) -> Option<OsString> {
        RealSys.base_env_var_os(key)
    }
}

impl BaseFsCanonicalize for HomelessSys {
    fn base_fs_canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        RealSys.base_fs_canonicalize(path)
    }
}

impl BaseFsMetadata for HomelessSys {
    type Metadata = <RealSys as BaseFsMetadata>::Metadata;

    fn base_fs_metadata(&self, path: &Path) -> io::Result<Self::Metadata> {
        RealSys.base_fs_metadata(path)
    }

    fn base_fs_symlink_metadata(&self, path: &Path) -> io::Result<Self::Metadata> {
        RealSys.base_fs_symlink_metadata(path)
    }
}

impl BaseFsReadDir for HomelessSys {
    type ReadDirEntry = <RealSys as BaseFsReadDir>::ReadDirEntry;

    fn base_fs_read_dir(
        &self,
        path: &Path,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Self::ReadDirEntry>>>> {
        RealSys.base_fs_read_dir(path)
    }
}
