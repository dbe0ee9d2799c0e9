//! The program of `duplex connect`. Its modules are not in files, but have specifiers in the
//! current directory, as the module of `duplex eval` has.

use std::path::Path;

use deno_ast::MediaType;
use deno_core::url::Url;
use duplex_runtime::module_loader::ModuleOverride;

const MODULES: [(&str, &str); 2] = [
    ("$duplex$connect.js", include_str!("connect/program.js")),
    (
        "$duplex$connect_terminal.js",
        include_str!("connect/terminal.js"),
    ),
];

/// The specifier of the main module.
///
/// # Errors
/// A message if the path of the current directory cannot be a URL.
pub(crate) fn main_module(cwd: &Path) -> Result<Url, String> {
    specifier(MODULES[0].0, cwd)
}

/// The specifiers of the modules, with their texts.
///
/// # Errors
/// The errors of [`main_module`].
pub(crate) fn modules(cwd: &Path) -> Result<Vec<(Url, ModuleOverride)>, String> {
    let module = |(name, text): (&str, &str)| {
        let source = ModuleOverride {
            text: Some(text.into()),
            media_type: Some(MediaType::Mjs),
        };
        Ok((specifier(name, cwd)?, source))
    };
    MODULES.into_iter().map(module).collect()
}

fn specifier(name: &str, cwd: &Path) -> Result<Url, String> {
    deno_path_util::url_from_file_path(&cwd.join(name)).map_err(|error| error.to_string())
}
