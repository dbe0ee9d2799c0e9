//! Files about a program, such as profiles, each under a name of its own or under a given name.

use std::fs;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// The folder and the naming scheme of files of one kind.
pub(crate) struct WrittenFile {
    folder: PathBuf,
    kind: &'static str,
    extension: &'static str,
}

impl WrittenFile {
    pub(crate) fn new(folder: PathBuf, kind: &'static str, extension: &'static str) -> Self {
        Self {
            folder,
            kind,
            extension,
        }
    }

    /// Writes a file by `write`. Its name is `name`, or if there is none a name that no other file
    /// has. Returns the path.
    ///
    /// # Errors
    /// If the file cannot be made or written. The error names the file.
    pub(crate) fn write(
        &self,
        name: Option<&str>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        let path = match name {
            Some(name) => self.folder.join(name),
            None => self.folder.join(self.own_name()),
        };
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        fs::create_dir_all(&self.folder).map_err(named)?;
        let mut options = fs::OpenOptions::new();
        options.write(true);
        match name {
            Some(_) => options.create(true).truncate(true),
            None => options.create_new(true),
        };
        // Only this user may read the file, because it may contain secrets.
        let file = options.mode(0o600).open(&path).map_err(named)?;
        let mut file = BufWriter::new(file);
        write(&mut file)
            .and_then(|()| file.flush())
            .map_err(named)?;
        Ok(path)
    }

    fn own_name(&self) -> String {
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time = now.map_or(0, |now| now.as_millis());
        let process = std::process::id();
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        format!("{}.{time}.{process}.{number}.{}", self.kind, self.extension)
    }
}
