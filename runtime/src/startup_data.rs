//! The data that makes starting fast: a snapshot, and sources and compiled code in the program.

use std::path::PathBuf;
use std::sync::Arc;

use deno_core::Extension;
use deno_core::ExtensionFileSource;
use deno_core::error::CoreError;
use deno_error::JsErrorBox;

/// The data that [`write_startup_data`](crate::write_startup_data) prepared. A program includes it:
///
/// ```ignore
/// static STARTUP: duplex_runtime::StartupData =
///     include!(concat!(env!("OUT_DIR"), "/startup.rs"));
/// ```
///
/// The default is empty. The extensions' JavaScript is then read from the sources of the crates,
/// which works only on the machine that built the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartupData {
    /// A V8 start-up snapshot. QuickJS has none.
    pub snapshot: Option<&'static [u8]>,
    /// ES modules to evaluate at start: specifier and source, sorted.
    pub esm: &'static [(&'static str, &'static str)],
    /// ES modules to evaluate on demand.
    pub lazy_esm: &'static [(&'static str, &'static str)],
    /// Scripts to evaluate on demand.
    pub lazy_js: &'static [(&'static str, &'static str)],
    /// The code that V8 compiled of `lazy_esm` and `lazy_js`: specifier and code, sorted.
    pub code_cache: &'static [(&'static str, &'static [u8])],
}

impl StartupData {
    /// The compiled code of a lazy module or script.
    pub(crate) fn compiled(&self, specifier: &str) -> Option<&'static [u8]> {
        let found = self
            .code_cache
            .binary_search_by(|(name, _)| (*name).cmp(specifier))
            .ok()?;
        Some(self.code_cache[found].1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.snapshot.is_none() && self.esm.is_empty() && self.lazy_js.is_empty()
    }

    /// Puts the sources of this data in place of the extensions' paths, because the files at these
    /// paths exist only on the machine that built the program.
    pub(crate) fn provide_sources(&self, extensions: &mut [Extension]) {
        if self.is_empty() {
            return;
        }
        for extension in extensions {
            extension.lazy_loaded_js_files = Default::default();
            extension.lazy_loaded_esm_files = Default::default();
            if self.snapshot.is_some() {
                continue;
            }
            for file in extension.esm_files.to_mut() {
                if let Ok(found) = self
                    .esm
                    .binary_search_by(|(specifier, _)| (*specifier).cmp(file.specifier))
                {
                    *file = ExtensionFileSource::new_computed(
                        file.specifier,
                        Arc::from(self.esm[found].1),
                    );
                }
            }
        }
    }
}

/// Why start-up data could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StartupDataError {
    /// The engine could not evaluate the extensions.
    #[error("cannot evaluate the extensions: {0}")]
    Core(#[from] CoreError),
    /// A file of an extension cannot be transpiled.
    #[error("cannot transpile {specifier}: {source}")]
    Transpile {
        /// The name of the file.
        specifier: String,
        /// The error.
        source: JsErrorBox,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}
