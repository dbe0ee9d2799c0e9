//! Which files a program may load as modules, and why.
//!
//! As in Deno, a module that the text of a program names is part of the program and needs no
//! permission: by a static import, or by an `import()` of a string literal. Files that an
//! `import()` names are loaded later, when the program may have changed them. So they are part of
//! the program with the contents that they had when the program started. A file that has changed
//! since then needs the permission to read it, as does a file whose name the program computes.
//!
//! For a file that a script sees as data, by an import of text or of bytes, the canonical path is
//! checked, and so it is for a file that is loaded because of a permission. The checked file is the
//! file that is read, because it is compared with the opened file.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use deno_core::ModuleSpecifier;
use deno_permissions::CheckSpecifierKind;
use deno_permissions::OpenAccessKind;
use deno_permissions::PermissionCheckError;
use deno_permissions::PermissionsContainer;
use sha2::Digest;
use sha2::Sha256;

/// The name that permission prompts give to the call.
const API_NAME: &str = "import()";

/// The reason why a module may be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The module is part of the program: it is the main module, or is named in the text of a
    /// module of the program.
    Program,
    /// The program has the permission to read the module. It computed the name, or the file has
    /// changed since the program started.
    Permission,
}

/// The rules for which modules a program may load.
pub(crate) struct ModulePermissions {
    /// The permissions of the program.
    own: PermissionsContainer,
    /// The permissions that modules of the program are checked against. If this is `None`, these
    /// modules need no permission. A web worker has the permissions of its owner here.
    program: Option<PermissionsContainer>,
    /// The files that the program names in an `import()`, with fingerprints of their contents.
    named: RefCell<HashMap<ModuleSpecifier, Fingerprint>>,
}

type Fingerprint = [u8; 32];

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    Sha256::digest(bytes).into()
}

impl ModulePermissions {
    pub(crate) fn new(own: PermissionsContainer, program: Option<PermissionsContainer>) -> Self {
        Self {
            own,
            program,
            named: RefCell::default(),
        }
    }

    /// The program's own permissions.
    pub(crate) fn own(&self) -> &PermissionsContainer {
        &self.own
    }

    /// Whether it matters which files the program names in an `import()`. It does not matter for a
    /// program that may read all files.
    pub(crate) fn distinguishes(&self) -> bool {
        !self.own.query_read_all()
    }

    /// Makes a file with these contents part of the program, for a later load. Returns false if the
    /// file is known already.
    pub(crate) fn name(&self, specifier: ModuleSpecifier, bytes: &[u8]) -> bool {
        let mut named = self.named.borrow_mut();
        if named.contains_key(&specifier) {
            return false;
        }
        named.insert(specifier, fingerprint(bytes));
        true
    }

    /// Checks whether a module may be loaded, before it is read. `is_static` is true for a static
    /// import.
    pub(crate) fn check(
        &self,
        specifier: &ModuleSpecifier,
        is_static: bool,
    ) -> Result<Ground, PermissionCheckError> {
        if is_static || self.named.borrow().contains_key(specifier) {
            if let Some(program) = &self.program {
                program.check_specifier(specifier, CheckSpecifierKind::Dynamic)?;
            }
            return Ok(Ground::Program);
        }
        self.check_own(specifier)?;
        Ok(Ground::Permission)
    }

    /// Checks whether a module with these contents may be loaded for the reason that
    /// [`check`](Self::check) gave. A file that the program names, but with other contents than at
    /// the start, may be loaded only if the program may read it.
    pub(crate) fn check_contents(
        &self,
        specifier: &ModuleSpecifier,
        is_static: bool,
        ground: Ground,
        bytes: &[u8],
    ) -> Result<Ground, PermissionCheckError> {
        if is_static || ground == Ground::Permission {
            return Ok(ground);
        }
        if self.named.borrow().get(specifier) == Some(&fingerprint(bytes)) {
            return Ok(ground);
        }
        self.check_own(specifier)?;
        Ok(Ground::Permission)
    }

    fn check_own(&self, specifier: &ModuleSpecifier) -> Result<(), PermissionCheckError> {
        self.own
            .check_specifier(specifier, CheckSpecifierKind::Dynamic)
    }
}

/// Who reads a file, which decides what is checked.
#[derive(Clone, Copy)]
pub(crate) enum Reader<'a> {
    /// The user, who named the file on the command line.
    User,
    /// The runtime, which takes the fingerprint of the file. Only regular files are read.
    Program,
    /// The engine, which runs the file. A link may lead to the file.
    Engine(&'a PermissionsContainer),
    /// A script, which sees the contents of the file, or has computed its name.
    Script(&'a PermissionsContainer),
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the file at `path` if its canonical path may be read.
pub(crate) fn read_file(path: &Path, reader: Reader<'_>) -> Result<Vec<u8>, ReadError> {
    if let Reader::User = reader {
        return Ok(std::fs::read(path)?);
    }
    let real = path.canonicalize()?;
    let is_special = is_special(path) || is_special(&real);
    match reader {
        Reader::User => {}
        Reader::Program => {
            if is_special || !real.metadata()?.is_file() {
                return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
            }
        }
        Reader::Engine(permissions) => {
            if is_special {
                check_read(permissions, path)?;
                check_read(permissions, &real)?;
            }
        }
        Reader::Script(permissions) => {
            if is_special || real != path {
                check_read(permissions, &real)?;
            }
        }
    }
    let mut file = open(&real)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file is in a folder of the system, in which the mere opening of a file can have an
/// effect.
fn is_special(path: &Path) -> bool {
    ["/proc", "/sys", "/dev"]
        .iter()
        .any(|root| path.starts_with(root))
}

fn check_read(permissions: &PermissionsContainer, path: &Path) -> Result<(), PermissionCheckError> {
    permissions
        .check_open(Cow::Borrowed(path), OpenAccessKind::Read, Some(API_NAME))
        .map(drop)
}

/// Opens the file that has this canonical path.
///
/// # Errors
///
/// If the file cannot be opened, or a folder of its path has been replaced by a link in the
/// meantime.
fn open(real: &Path) -> io::Result<File> {
    let file = File::open(real)?;
    if is_at(&file, &real.canonicalize()?, real)? {
        return Ok(file);
    }
    Err(io::Error::other(
        "The file was replaced while it was opened",
    ))
}

/// Whether an open file is the file at `path`, and `path` is equal to the canonical path `real`.
#[cfg(unix)]
fn is_at(file: &File, path: &PathBuf, real: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (opened, found) = (file.metadata()?, std::fs::symlink_metadata(path)?);
    Ok(path == real && (opened.dev(), opened.ino()) == (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &PathBuf, real: &Path) -> io::Result<bool> {
    Ok(path == real)
}
