//! The modules of deno.land/std that no registry has in a form that runs today. They are in
//! `runtime/js/compat/std`. They are loaded when they are imported, without the network.

use deno_core::ModuleSpecifier;

/// The modules of deno.land/std that duplex has, each with the module in the binary.
const STD_MODULES: [(&str, &str); 6] = [
    ("async/delay.ts", "node:deno_std/async"),
    ("async/mod.ts", "node:deno_std/async"),
    ("http/mod.ts", "node:deno_std/http"),
    ("http/server.ts", "node:deno_std/http"),
    ("io/bufio.ts", "node:deno_std/bufio"),
    ("ws/mod.ts", "node:deno_std/ws"),
];

/// The module in the binary that replaces `specifier`, a resolved specifier. The engine loads such
/// a module itself.
pub(crate) fn module_for(specifier: &ModuleSpecifier) -> Option<ModuleSpecifier> {
    let path = match specifier.scheme() {
        "http" | "https" => std_path(specifier)?,
        _ => return None,
    };
    let (_, name) = STD_MODULES.iter().find(|(it, _)| *it == path)?;
    ModuleSpecifier::parse(name).ok()
}

/// The path of a module in deno.land/std, whatever the version.
fn std_path(specifier: &ModuleSpecifier) -> Option<&str> {
    if specifier.host_str() != Some("deno.land") {
        return None;
    }
    let path = specifier.path().strip_prefix("/std")?;
    match path.strip_prefix('@') {
        None => path.strip_prefix('/'),
        Some(path) => Some(path.split_once('/')?.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let module_for = |specifier: &str| {
            let specifier = ModuleSpecifier::parse(specifier).unwrap();
            super::module_for(&specifier).map(String::from)
        };
        for (specifier, expected) in [
            ("npm:ws", None),
            ("https://deno.land/std/ws/mod.ts", Some("node:deno_std/ws")),
            (
                "https://deno.land/std@0.92.0/http/server.ts",
                Some("node:deno_std/http"),
            ),
            (
                "https://deno.land/std@v0.30.0/http/server.ts",
                Some("node:deno_std/http"),
            ),
            ("https://deno.land/std@0.92.0/fs/mod.ts", None),
            ("https://deno.land/stdx/ws/mod.ts", None),
            ("https://example.com/std/ws/mod.ts", None),
        ] {
            assert_eq!(module_for(specifier).as_deref(), expected, "{specifier}");
        }
    }
}
