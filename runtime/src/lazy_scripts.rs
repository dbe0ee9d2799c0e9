//! Turns the ES modules of the extensions that are evaluated on demand into classic scripts.
//!
//! While deno_core loads an ES module of an extension, it lets internal code import any `ext:`
//! module, it runs microtasks, and it tells internal code from a program's code by the name only.
//! So a program that gets its text to run at that time, under an internal name, has access to all
//! ops. Loading a classic script (`core.loadExtScript`) gives no such access. But deno_node has ES
//! modules that are loaded on demand, so imports are checked too (`internal_imports.rs`).

use std::borrow::Cow;
use std::sync::Arc;

use deno_core::Extension;
use deno_core::ExtensionFileSource;

/// Makes classic scripts of the ES modules of `extensions` that are loaded on demand. The modules
/// with a name that a program may import stay modules.
///
/// # Panics
///
/// If a module is not of the form that [`module_to_script`] takes, or cannot be read. Both are
/// found when the program is built.
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
            .extend(modules.iter().map(as_script));
    }
}

/// Whether only the runtime loads a module. The modules of deno_node are imported by modules that a
/// program imports, and so must stay modules.
fn becomes_script(specifier: &str) -> bool {
    specifier.starts_with("ext:")
        && !specifier.starts_with("ext:deno_node/")
        && specifier != "ext:runtime/98_global_scope_shared.js"
}

fn as_script(file: &ExtensionFileSource) -> ExtensionFileSource {
    let text = file
        .load()
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.specifier));
    match module_to_script(text.as_str()) {
        Ok(script) => ExtensionFileSource::new_computed(file.specifier, Arc::from(script)),
        Err(line) => panic!(
            "{}: this statement cannot stand in a module that is loaded on demand: {line}",
            file.specifier
        ),
    }
}

/// The classic script, in the form for `core.loadExtScript`, that does what the ES module `text`
/// does. Its lines have the same numbers. All imports of the module must be by name, and one
/// `export { … };` must list all exports.
///
/// # Errors
///
/// The line, if it has another form of import or export.
fn module_to_script(text: &str) -> Result<String, String> {
    let mut script = String::from("(function () { ");
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let is_import = line.starts_with("import ");
        if !is_import && !line.starts_with("export ") {
            script.push_str(line);
            continue;
        }
        let mut statement = line.to_owned();
        while !statement.trim_end().ends_with(';') {
            statement.push_str(lines.next().ok_or(line)?);
        }
        let names = statement
            .strip_prefix(if is_import { "import {" } else { "export {" })
            .ok_or(line)?;
        let (names, source) = names.split_once('}').ok_or(line)?;
        let source = source.trim().trim_end_matches(';').trim();
        let translated = if is_import {
            let source = source.strip_prefix("from ").ok_or(line)?.trim();
            let value = match source {
                "\"ext:core/mod.js\"" => "__bootstrap".to_owned(),
                "\"ext:core/ops\"" => "__bootstrap.core.ops".to_owned(),
                source => format!("__bootstrap.core.loadExtScript({source})"),
            };
            format!("const {{{}}} = {value};", names.replace(" as ", ": "))
        } else if source.is_empty() && !names.contains(" as ") {
            format!("return {{{names}}};")
        } else {
            return Err(line.to_owned());
        };
        script.push_str(&translated);
        let ends = |text: &str| text.matches('\n').count();
        for _ in ends(&translated)..ends(&statement) {
            script.push('\n');
        }
    }
    script.push_str("})();\n");
    Ok(script.replace(
        "core.createLazyLoader(",
        "((specifier) => () => __bootstrap.core.loadExtScript(specifier))(",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates() {
        let module = "// What it is.\nimport { core, primordials } from \"ext:core/mod.js\";\n\
                      import {\n  op_a,\n} from \"ext:core/ops\";\n\
                      import { b as c } from \"ext:x/b.js\";\nconst d = 1;\n\
                      const load = core.createLazyLoader(\n  \"ext:x/e.js\",\n);\n\
                      export { c, d };\n";
        let script = module_to_script(module).unwrap();
        assert_eq!(
            script,
            "(function () { // What it is.\nconst { core, primordials } = __bootstrap;\n\
             const {\n  op_a,\n} = __bootstrap.core.ops;\n\
             const { b: c } = __bootstrap.core.loadExtScript(\"ext:x/b.js\");\nconst d = 1;\n\
             const load = ((specifier) => () => __bootstrap.core.loadExtScript(specifier))(\n  \
             \"ext:x/e.js\",\n);\nreturn { c, d };\n})();\n"
        );
    }

    #[test]
    fn refuses_other_forms() {
        for line in [
            "import * as all from \"ext:x/b.js\";\n",
            "import \"ext:x/b.js\";\n",
            "export const a = 1;\n",
            "export { a } from \"ext:x/b.js\";\n",
            "export { a as b };\n",
            "export default 1;\n",
        ] {
            assert_eq!(module_to_script(line), Err(line.to_owned()));
        }
    }

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
