//! The program of `duplex connect`: modules in no file, which lie in the current directory as
//! those of `duplex eval` do.

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

/// The module that is run.
///
/// # Errors
/// The message that tells why the path of the current directory is none of a URL.
pub(crate) fn main_module(cwd: &Path) -> Result<Url, String> {
    specifier(MODULES[0].0, cwd)
}

/// The modules with their texts.
///
/// # Errors
/// As those of [`main_module`].
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
