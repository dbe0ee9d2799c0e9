//! The names of other runtimes' modules that duplex has itself: a part of
//! Node.js, `ws`, and a part of deno.land/std. They are in `js/compat`, are loaded
//! when they are imported, and need no network.

use deno_core::ModuleSpecifier;

/// The modules of Node.js that there are, each in part.
pub const NODE_MODULES: [&str; 18] = [
    "assert",
    "buffer",
    "crypto",
    "events",
    "fs",
    "http",
    "https",
    "module",
    "net",
    "os",
    "path",
    "process",
    "stream",
    "string_decoder",
    "timers",
    "tls",
    "url",
    "util",
];

/// The modules of deno.land/std that there are, with the module in the binary.
pub const STD_MODULES: [(&str, &str); 6] = [
    ("async/delay.ts", "node:deno_std/async"),
    ("async/mod.ts", "node:deno_std/async"),
    ("http/mod.ts", "node:deno_std/http"),
    ("http/server.ts", "node:deno_std/http"),
    ("io/bufio.ts", "node:deno_std/bufio"),
    ("ws/mod.ts", "node:deno_std/ws"),
];

/// Runs a CommonJS module. Only the wrapper that the loader puts around one
/// imports it.
pub const COMMON_JS: &str = "node:internal/commonjs";
const WS: &str = "node:internal/ws";

/// The module in the binary that stands for `specifier`, which was resolved. The
/// engine loads these itself.
pub fn module_for(specifier: &ModuleSpecifier) -> Option<ModuleSpecifier> {
    let name = match specifier.scheme() {
        "node" if NODE_MODULES.contains(&specifier.path()) => return Some(specifier.clone()),
        "npm" if is_ws(specifier.path()) => WS,
        "http" | "https" => {
            let path = std_path(specifier)?;
            STD_MODULES.iter().find(|(it, _)| *it == path)?.1
        }
        _ => return None,
    };
    ModuleSpecifier::parse(name).ok()
}

/// The same for a name that is neither a URL nor a path.
pub fn module_for_bare(name: &str) -> Option<ModuleSpecifier> {
    let url = match name {
        "ws" => WS.to_owned(),
        name if NODE_MODULES.contains(&name) => format!("node:{name}"),
        _ => return None,
    };
    ModuleSpecifier::parse(&url).ok()
}

/// The path of a module in deno.land/std, whatever the version.
pub fn std_path(specifier: &ModuleSpecifier) -> Option<&str> {
    if specifier.host_str() != Some("deno.land") {
        return None;
    }
    let path = specifier.path().strip_prefix("/std")?;
    match path.strip_prefix('@') {
        None => path.strip_prefix('/'),
        Some(path) => Some(path.split_once('/')?.1),
    }
}

/// `ws`, `/ws`, with a version or without one.
fn is_ws(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_prefix("ws")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('@') && !rest.contains('/'))
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
            ("node:events", Some("node:events")),
            ("node:internal/ws", None),
            ("node:cluster", None),
            ("npm:ws", Some(WS)),
            ("npm:ws@8", Some(WS)),
            ("npm:/ws@^8.18.0", Some(WS)),
            ("npm:ws@8/lib/sender.js", None),
            ("npm:wsx", None),
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
        assert_eq!(module_for_bare("ws").unwrap().as_str(), WS);
        assert_eq!(module_for_bare("http").unwrap().as_str(), "node:http");
        assert_eq!(module_for_bare("express"), None);
    }
}
