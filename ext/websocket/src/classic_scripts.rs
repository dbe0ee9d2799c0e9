//! ES modules of an extension as classic scripts, for embedders that load them on demand.
//!
//! While deno_core loads an ES module of an extension, it lets internal code import any `ext:`
//! module, and it runs microtasks. It tells internal code from a program's by its name only. If
//! a program has its own text run then under such a name, that text has all ops. Nothing is
//! opened while a classic script is loaded (`core.loadExtScript`). A classic script has
//! the ops of deno_core that deno_runtime takes away from modules when it starts, and
//! deno_core keeps what V8 has compiled of it.

use std::sync::Arc;

use deno_core::ExtensionFileSource;

/// The classic script that does what the ES module `file` does, under the same name, for an
/// extension's `lazy_loaded_js_files`. Its files import each other without circles.
///
/// # Panics
///
/// When the module cannot be read, or has a form of import or export that this cannot translate.
/// No module of this crate and of `duplex_http` has.
pub fn classic_script(file: &ExtensionFileSource) -> ExtensionFileSource {
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

/// The classic script that does what the ES module `text` does, as
/// `core.loadExtScript` takes it; its lines have the same numbers. Imports are by name,
/// and one `export { … };` says what there is.
///
/// # Errors
///
/// A line with another form of import or export.
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
}
