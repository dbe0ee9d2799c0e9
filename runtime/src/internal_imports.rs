//! Refuses imports of internal modules by a program.
//!
//! deno_core lets a module import `ext:` modules if the module's name is internal and an internal
//! ES module is being loaded at that time. These two conditions do not keep a program out. A
//! program can have text with an internal name: `eval` names its text after the caller, and the
//! runtime calls functions of the program, which can be `eval`, with strings of the program. And
//! microtasks of the program run while an internal module is loaded. So the check here looks at the
//! importing module itself. It runs for each import, before the specifier is resolved.
//!
//! The modules of the runtime have only static imports. So an import of an internal module is
//! allowed only if it is static and the importing module was built into the program.

use deno_core::ImportAttributesContext;

use crate::startup_data::StartupData;

/// The reason if an import is refused.
pub(crate) fn refusal(startup: &StartupData, import: &ImportAttributesContext) -> Option<String> {
    if !is_internal(&import.specifier) {
        return None;
    }
    // A dynamic import has no line number.
    let is_static = import.line_number.is_some();
    let is_built_in = is_named_internal(&import.referrer) && is_built_in(startup, &import.referrer);
    if is_static && is_built_in {
        return None;
    }
    Some(match import.specifier.contains("ext:") {
        true => format!(
            "\"{}\" is internal to the runtime and cannot be imported",
            import.specifier
        ),
        false => format!("No such built-in module: \"{}\"", import.specifier),
    })
}

/// Whether this specifier names a module of the runtime that no program may import.
fn is_internal(specifier: &str) -> bool {
    // The parser of URLs removes these characters too.
    let specifier = specifier.trim_matches(|char: char| char <= ' ');
    let Some((scheme, rest)) = specifier.split_once(':') else {
        return false;
    };
    let scheme: String = scheme
        .chars()
        .filter(|char| !matches!(char, '\t' | '\n' | '\r'))
        .collect();
    match scheme.to_ascii_lowercase().as_str() {
        "ext" | "checkin" => true,
        "node" => rest.starts_with("deno_std/") || rest.starts_with("internal/"),
        _ => false,
    }
}

/// Whether deno_core takes a module with this name for internal.
fn is_named_internal(name: &str) -> bool {
    ["ext:", "node:", "checkin:"]
        .iter()
        .any(|scheme| name.starts_with(scheme))
}

/// Whether a module with such a name was built into the program. Without start-up data, as in
/// tests, the answer is always true.
fn is_built_in(startup: &StartupData, name: &str) -> bool {
    if startup.is_empty() {
        return true;
    }
    let has = |modules: &[(&str, &str)]| {
        modules
            .binary_search_by(|(specifier, _)| (*specifier).cmp(name))
            .is_ok()
    };
    has(startup.esm) || has(startup.lazy_esm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for specifier in [
            "ext:core/mod.js",
            "EXT:core/mod.js",
            " ext:core/mod.js",
            "\next:core/ops",
            "e\txt:core/ops",
            "checkin:x",
            "node:deno_std/ws",
            "node:internal/errors",
        ] {
            assert!(is_internal(specifier), "{specifier}");
        }
        for specifier in ["node:fs", "./ext:a.js", "file:///ext:a.js", "next:x", "ext"] {
            assert!(!is_internal(specifier), "{specifier}");
        }
    }

    #[test]
    fn a_static_import_of_a_built_in_module_only() {
        let startup = StartupData {
            snapshot: Some(&[]),
            lazy_esm: &[("ext:a/b.js", ""), ("node:c", "")],
            ..Default::default()
        };
        let is_refused = |referrer: &str, line_number| {
            let import = ImportAttributesContext {
                referrer: referrer.to_owned(),
                specifier: "ext:core/mod.js".to_owned(),
                line_number,
                column_number: line_number,
            };
            refusal(&startup, &import).is_some()
        };
        assert!(!is_refused("ext:a/b.js", Some(1)));
        assert!(!is_refused("node:c", Some(1)));
        assert!(is_refused("ext:a/b.js", None));
        assert!(is_refused("ext:evil/x.js", Some(1)));
        assert!(is_refused("file:///a.js", Some(1)));
        assert!(is_refused("file:///a.js", None));
        assert!(is_refused("", Some(1)));
    }
}
