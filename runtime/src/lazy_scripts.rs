//! ES modules of the extensions that are evaluated on demand, as classic scripts.
//!
//! While deno_core loads an ES module of an extension it lets internal code import any
//! `ext:` module, runs microtasks, and tells internal code from a program's by name
//! only. A program that has its text run then, under such a name, has all ops. A classic
//! script (`core.loadExtScript`) opens nothing while it is loaded. deno_node has ES modules
//! that are loaded on demand all the same, so imports are checked too: `internal_imports.rs`.

use std::borrow::Cow;

use deno_core::Extension;
use duplex_websocket::classic_script;

/// Makes classic scripts of the ES modules of `extensions` that are loaded on demand.
/// Those whose name a program may import stay.
///
/// # Panics
///
/// When a module is not of the form that [`classic_script`] takes, or cannot be read.
/// That is found when the program is built.
pub(crate) fn make_scripts(extensions: &mut [Extension]) {
    for extension in extensions {
        let modules = extension.lazy_loaded_esm_files.to_mut();
        let (modules, kept) = std::mem::take(modules)
            .into_iter()
            .partition::<Vec<_>, _>(|file| becomes_script(file.specifier));
        extension.lazy_loaded_esm_files = Cow::Owned(kept);
        extension
            .lazy_loaded_js_files
            .to_mut()
            .extend(modules.iter().map(classic_script));
    }
}

/// Whether a module is one that only the runtime loads. Those of deno_node are imported by
/// the modules that a program imports, and so must stay modules.
fn becomes_script(specifier: &str) -> bool {
    specifier.starts_with("ext:")
        && !specifier.starts_with("ext:deno_node/")
        && specifier != "ext:runtime/98_global_scope_shared.js"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_internal_module_is_left_to_load_after_the_start() {
        let mut extensions = crate::extensions::list();
        make_scripts(&mut extensions);
        for extension in &extensions {
            for file in extension.lazy_loaded_esm_files.iter() {
                assert!(!becomes_script(file.specifier), "{}", file.specifier);
            }
        }
    }
}
