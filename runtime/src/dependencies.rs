//! The imports of a module, found in its text. An engine reports imports while it links a module.
//! The text is needed for two things that the engine does not report: the line of an import that
//! failed, and the `import()` calls whose specifier is a literal.

use std::sync::Arc;

use deno_ast::MediaType;
use deno_ast::ParsedSource;
use deno_ast::SourcePos;
use deno_ast::SourceRangedForSpanned;
use deno_ast::swc::ast;
use deno_ast::swc::ecma_visit::Visit;
use deno_ast::swc::ecma_visit::VisitWith;
use deno_core::url::Url;

use crate::transpile::parse_module;

/// One `import`, `export … from` or `import()` whose specifier is a literal.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The specifier as it is written in the text.
    pub specifier: String,
    /// Whether this is an `import()`.
    pub is_dynamic: bool,
    /// 1-based line of the specifier.
    pub line: usize,
    /// 1-based column of the specifier, in characters.
    pub column: usize,
}

/// The dependencies of a module in the order of the text, without imports that are only of types. A
/// text that does not parse has no dependencies.
pub fn analyze(specifier: &Url, media_type: MediaType, text: &Arc<str>) -> Vec<Dependency> {
    let Ok(parsed) = parse_module(specifier, media_type, text.clone()) else {
        return Vec::new();
    };
    let mut collector = Collector {
        parsed: &parsed,
        found: Vec::new(),
    };
    if let ast::Program::Module(module) = &*parsed.program() {
        module.visit_with(&mut collector);
    }
    collector.found
}

struct Collector<'a> {
    parsed: &'a ParsedSource,
    found: Vec<Dependency>,
}

impl Collector<'_> {
    fn push(&mut self, specifier: &str, start: SourcePos, is_dynamic: bool) {
        let position = self
            .parsed
            .text_info_lazy()
            .line_and_column_display_with_indent_width(start, 1);
        self.found.push(Dependency {
            specifier: specifier.to_string(),
            is_dynamic,
            line: position.line_number,
            column: position.column_number,
        });
    }

    fn push_str(&mut self, string: &ast::Str, is_dynamic: bool) {
        if let Some(specifier) = string.value.as_str() {
            self.push(specifier, string.start(), is_dynamic);
        }
    }
}

impl Visit for Collector<'_> {
    fn visit_import_decl(&mut self, import: &ast::ImportDecl) {
        if !import.type_only {
            self.push_str(&import.src, false);
        }
    }

    fn visit_named_export(&mut self, export: &ast::NamedExport) {
        if let Some(source) = &export.src
            && !export.type_only
        {
            self.push_str(source, false);
        }
    }

    fn visit_export_all(&mut self, export: &ast::ExportAll) {
        if !export.type_only {
            self.push_str(&export.src, false);
        }
    }

    fn visit_call_expr(&mut self, call: &ast::CallExpr) {
        if matches!(call.callee, ast::Callee::Import(_))
            && let Some(argument) = call.args.first()
        {
            match &*argument.expr {
                ast::Expr::Lit(ast::Lit::Str(string)) => self.push_str(string, true),
                ast::Expr::Tpl(template) if template.exprs.is_empty() => {
                    if let [quasi] = &template.quasis[..]
                        && let Some(specifier) =
                            quasi.cooked.as_ref().and_then(|text| text.as_str())
                    {
                        self.push(specifier, template.start(), true);
                    }
                }
                _ => {}
            }
        }
        call.visit_children_with(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_import() {
        let text: Arc<str> = concat!(
            "import a from \"./a.ts\";\n",
            "import type { B } from \"./b.ts\";\n",
            "export * from './c.ts'; export { d } from \"./d.ts\";\n",
            "if (a) { /* é */ await import(\"./e.ts\"); }\n",
            "import(`./f.ts`); import(`./${a}.ts`); import(a);\n",
        )
        .into();
        let url = Url::parse("file:///main.ts").unwrap();
        let found: Vec<_> = analyze(&url, MediaType::TypeScript, &text)
            .into_iter()
            .map(|it| (it.specifier, it.is_dynamic, it.line, it.column))
            .collect();
        assert_eq!(
            found,
            [
                ("./a.ts".to_string(), false, 1, 15),
                ("./c.ts".to_string(), false, 3, 15),
                ("./d.ts".to_string(), false, 3, 43),
                ("./e.ts".to_string(), true, 4, 31),
                ("./f.ts".to_string(), true, 5, 8),
            ]
        );
    }

    #[test]
    fn a_broken_text_has_none() {
        let url = Url::parse("file:///main.js").unwrap();
        let text = "import from from from".into();
        assert_eq!(analyze(&url, MediaType::JavaScript, &text), []);
    }
}
