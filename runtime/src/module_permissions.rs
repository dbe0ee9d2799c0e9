//! Which files a program may load as modules, and on what ground.
//!
//! As in Deno, what a program names in its text is part of it and needs no permission:
//! static imports, and `import()` of a string. The latter are loaded later, when the
//! program may have written to them; so they are part of it as they were when the program
//! started, and what has changed since needs the permission to read it, as what the
//! program computes does.
//!
//! A file that a script sees as data, by an import of text or of bytes, is checked by its
//! canonical path, and so is what is loaded by permission. What is checked is what is
//! read: the file that was opened.

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

/// Why a module may be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// It is part of the program: the main module, or named in the text of one
    /// that is.
    Program,
    /// The program computed its name, and has the permission to read it.
    Permission,
}

/// What a program may load.
pub(crate) struct ModulePermissions {
    /// The program's own.
    own: PermissionsContainer,
    /// What is checked for modules of the program; without it they need no permission.
    /// A web worker has those of its owner here.
    program: Option<PermissionsContainer>,
    /// The files that the program names for later, with what is in them.
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

    /// Whether it matters what the program names for later: a program that may read all
    /// files needs no other ground.
    pub(crate) fn distinguishes(&self) -> bool {
        !self.own.query_read_all()
    }

    /// Takes a file with these contents for part of the program when it is loaded
    /// later. Returns false where it is known already.
    pub(crate) fn name(&self, specifier: ModuleSpecifier, bytes: &[u8]) -> bool {
        let mut named = self.named.borrow_mut();
        if named.contains_key(&specifier) {
            return false;
        }
        named.insert(specifier, fingerprint(bytes));
        true
    }

    /// Whether a module may be loaded, before it is read. A static import `is_static`:
    /// one of the graph that the program starts with.
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

    /// Whether a module with these contents may be loaded on the ground that
    /// [`check`](Self::check) gave: not where it is part of the program and another than
    /// it was, unless the program may read it.
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

/// For whom a file is read.
#[derive(Clone, Copy)]
pub(crate) enum Reader<'a> {
    /// The user, who named it on the command line.
    User,
    /// Nobody yet: it is read to know it again.
    Program,
    /// The engine, which runs it: a link may lead to it.
    Engine(&'a PermissionsContainer),
    /// A script, which gets to see it, or has named it by itself.
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

/// Reads the file at `path` where its canonical path allows that.
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

/// Whether a file is the system's: to open one can do things by itself.
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
/// When it cannot be opened, or a link has been put in its way since.
fn open(real: &Path) -> io::Result<File> {
    let file = File::open(real)?;
    if is_at(&file, &real.canonicalize()?, real)? {
        return Ok(file);
    }
    Err(io::Error::other(
        "The file was replaced while it was opened",
    ))
}

/// Whether an open file is the one at `path`, and that still is its canonical path.
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
