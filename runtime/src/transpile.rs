//! Transpiles TypeScript and JSX to JavaScript. Types are removed and never checked.

use std::sync::Arc;

use base64::Engine as _;
use deno_ast::EmitOptions;
use deno_ast::MediaType;
use deno_ast::ModuleKind;
use deno_ast::ModuleSpecifier;
use deno_ast::ParseDiagnostic;
use deno_ast::ParseParams;
use deno_ast::ParsedSource;
use deno_ast::SourceMapOption;
use deno_ast::TranspileModuleOptions;
use deno_ast::TranspileOptions;
use deno_error::JsErrorBox;

/// The JavaScript that was made from a module, and its source map.
#[derive(Debug)]
pub struct Transpiled {
    /// The JavaScript.
    pub code: String,
    /// A source map (version 3, JSON, without the sources' text).
    pub source_map: Vec<u8>,
}

/// Whether modules of this kind must be transpiled before an engine takes them.
pub fn needs_transpile(media_type: MediaType) -> bool {
    media_type.is_emittable()
}

/// Parses a module.
///
/// # Errors
/// [`SourceParseError`] if the text is not a valid module of its media type. The error shows the
/// place.
pub fn parse_module(
    specifier: &ModuleSpecifier,
    media_type: MediaType,
    text: Arc<str>,
) -> Result<ParsedSource, SourceParseError> {
    let parsed = deno_ast::parse_module(ParseParams {
        specifier: specifier.clone(),
        text,
        media_type,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    })?;
    match parsed.diagnostics().first() {
        Some(diagnostic) => Err(diagnostic.clone().into()),
        None => Ok(parsed),
    }
}

/// The error of a CommonJS file that does not parse.
pub fn common_js_error(
    specifier: &ModuleSpecifier,
    media_type: MediaType,
    text: Arc<str>,
) -> Option<SourceParseError> {
    let parsed = deno_ast::parse_program(ParseParams {
        specifier: specifier.clone(),
        text,
        media_type,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    });
    match parsed {
        Ok(parsed) => parsed.diagnostics().first().cloned().map(Into::into),
        Err(error) => Some(error.into()),
    }
}

/// Transpiles a module for an engine.
///
/// # Errors
/// If the text does not parse, or has syntax without a counterpart in JavaScript.
pub fn transpile(
    specifier: &ModuleSpecifier,
    media_type: MediaType,
    text: Arc<str>,
    options: &TranspileOptions,
) -> Result<Transpiled, JsErrorBox> {
    let parsed = parse_module(specifier, media_type, text).map_err(JsErrorBox::from_err)?;
    let emitted = parsed
        .transpile(
            options,
            // The text is always an ES module. The module loader translates CommonJS by other
            // means.
            &TranspileModuleOptions {
                module_kind: Some(ModuleKind::Esm),
            },
            &EmitOptions {
                source_map: SourceMapOption::Separate,
                inline_sources: false,
                ..Default::default()
            },
        )
        .map_err(JsErrorBox::from_err)?
        .into_source();
    Ok(Transpiled {
        code: emitted.text,
        source_map: emitted.source_map.unwrap_or_default().into_bytes(),
    })
}

impl Transpiled {
    /// Adds a comment with the source map to the code. The source map contains the source.
    pub fn inline_source_map(&mut self, source: &str) {
        let Ok(serde_json::Value::Object(mut map)) = serde_json::from_slice(&self.source_map)
        else {
            return;
        };
        map.insert("sourcesContent".to_string(), serde_json::json!([source]));
        let map = serde_json::Value::Object(map).to_string();
        let map = base64::engine::general_purpose::STANDARD.encode(map);
        self.code
            .push_str("\n//# sourceMappingURL=data:application/json;base64,");
        self.code.push_str(&map);
    }
}

/// The error of a text that is not a valid module.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(syntax)]
#[error("The module's source code could not be parsed: {0}")]
pub struct SourceParseError(#[from] pub ParseDiagnostic);

#[cfg(test)]
mod tests {
    use super::*;
    use deno_core::url::Url;
    use deno_error::JsErrorClass;

    use crate::config::default_transpile_options;

    fn run(name: &str, text: &str) -> Result<Transpiled, JsErrorBox> {
        let specifier = Url::parse(&format!("file:///app/{name}")).unwrap();
        let media_type = MediaType::from_specifier(&specifier);
        transpile(
            &specifier,
            media_type,
            text.into(),
            &default_transpile_options(),
        )
    }

    #[test]
    fn types_are_erased_and_mapped() {
        let transpiled = run("a.ts", "interface A {}\nconst a: number = 1;\nthrow a;\n").unwrap();
        assert!(transpiled.code.starts_with("const a = 1;"));
        let map = deno_ast::swc::sourcemap::SourceMap::from_slice(&transpiled.source_map).unwrap();
        let token = map.lookup_token(0, 0).unwrap();
        assert_eq!(token.get_src_line(), 1);
        assert_eq!(
            token.get_source().map(|name| &**name),
            Some("file:///app/a.ts")
        );
    }

    #[test]
    fn every_flavour_becomes_an_es_module() {
        for name in ["a.ts", "a.mts", "a.cts", "a.tsx"] {
            let code = run(name, "export const a = await (1 as unknown);")
                .unwrap()
                .code;
            assert!(code.contains("export const a"), "{name}: {code}");
        }
        let code = run("a.jsx", "export default <p>{1}</p>;").unwrap().code;
        assert!(code.contains("React.createElement(\"p\""), "{code}");
        let pragma = "/** @jsxImportSource preact */\nexport default <p/>;";
        let code = run("a.tsx", pragma).unwrap().code;
        assert!(code.contains("preact/jsx-runtime"), "{code}");
    }

    #[test]
    fn a_syntax_error_shows_its_place() {
        let error = run("a.ts", "const a = 1;\nlet let = ;\n").unwrap_err();
        assert_eq!(error.get_class(), "SyntaxError");
        let message = error.get_message();
        assert!(message.contains("could not be parsed"), "{message}");
        assert!(message.contains("file:///app/a.ts:2:"), "{message}");
    }

    #[test]
    fn early_errors_count() {
        assert!(run("a.ts", "const a = 010;").is_err());
    }
}
