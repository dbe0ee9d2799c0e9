//! `deno.json`: how it is found, and the parts of it that every program needs (`imports`,
//! `scopes`, `importMap`, `permissions`, and the `compilerOptions` that change what transpiling
//! emits). The members that concern packages are read when a program needs a package.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use deno_ast::DecoratorsTranspileOption;
use deno_ast::JsxAutomaticOptions;
use deno_ast::JsxClassicOptions;
use deno_ast::JsxPrecompileOptions;
use deno_ast::JsxRuntime;
use deno_ast::TranspileOptions;
use deno_core::serde_json;
use deno_core::serde_json::Value;
use deno_core::url::Url;
use deno_permissions::PermissionsOptions;
use serde::Deserialize;

/// The members of a `deno.json` or `deno.jsonc`.
#[derive(Debug)]
pub struct ConfigFile {
    /// The `file:` URL of the file, which the paths in the file are relative to.
    pub specifier: Url,
    members: serde_json::Map<String, Value>,
}

impl ConfigFile {
    /// Looks for `deno.json`, then `deno.jsonc`, in `start` and then in each of its parents. A
    /// folder that may not be read is treated as a folder without such a file.
    ///
    /// # Errors
    /// [`ConfigError`] if the nearest file is unreadable or malformed.
    pub fn discover(start: &Path) -> Result<Option<Self>, ConfigError> {
        for folder in start.ancestors() {
            for name in ["deno.json", "deno.jsonc"] {
                match Self::read(&folder.join(name)) {
                    Ok(config) => return Ok(Some(config)),
                    Err(ConfigError::Read { source, .. }) if is_absence(&source) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(None)
    }

    /// Reads the file at `path`, which must be absolute.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, is not JSON (comments and trailing commas are
    /// allowed), or is JSON but not an object.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let specifier =
            deno_path_util::url_from_file_path(path).map_err(|error| ConfigError::Malformed {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        Self::parse(specifier, &text).map_err(|reason| ConfigError::Malformed {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(specifier: Url, text: &str) -> Result<Self, String> {
        let json = strip_comments(text);
        if json.trim().is_empty() {
            return Ok(Self {
                specifier,
                members: Default::default(),
            });
        }
        match serde_json::from_str(&json).map_err(|error| error.to_string())? {
            Value::Object(members) => Ok(Self { specifier, members }),
            _ => Err("expected an object".to_string()),
        }
    }

    /// `imports` and `scopes` as the value of an import map, if the file has either of them.
    pub fn inline_import_map(&self) -> Option<Value> {
        let members: serde_json::Map<_, _> = ["imports", "scopes"]
            .into_iter()
            .filter_map(|key| Some((key.to_string(), self.members.get(key)?.clone())))
            .collect();
        (!members.is_empty()).then_some(Value::Object(members))
    }

    /// The URL of the import map that the `importMap` member names.
    ///
    /// # Errors
    /// [`ConfigError`] if the member is not a string, or not a path or a URL.
    pub fn import_map_specifier(&self) -> Result<Option<Url>, ConfigError> {
        match self.members.get("importMap") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(path)) => match self.specifier.join(path) {
                Ok(url) => Ok(Some(url)),
                Err(error) => Err(self.malformed(format!("\"importMap\": {error}"))),
            },
            Some(_) => Err(self.malformed("\"importMap\" must be a string".to_string())),
        }
    }

    /// The names of Deno's unstable features in the member `unstable`.
    pub fn unstable(&self) -> impl Iterator<Item = &str> {
        let names = self.members.get("unstable").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str)
    }

    /// The options for transpiling modules that this file's `compilerOptions` ask for.
    ///
    /// # Errors
    /// [`ConfigError`] if a member has the wrong type, or `jsx` names no known transform.
    pub fn transpile_options(&self) -> Result<TranspileOptions, ConfigError> {
        let options = match self.members.get("compilerOptions") {
            None | Some(Value::Null) => CompilerOptions::default(),
            Some(value) => CompilerOptions::deserialize(value)
                .map_err(|error| self.malformed(format!("\"compilerOptions\": {error}")))?,
        };
        let jsx = options.jsx_runtime().map_err(|name| {
            self.malformed(format!(
                "\"compilerOptions\": unsupported \"jsx\" value \"{name}\" (one of \"react\", \
                 \"react-jsx\", \"react-jsxdev\", \"precompile\", \"preserve\")"
            ))
        })?;
        Ok(TranspileOptions {
            decorators: if options.experimental_decorators {
                DecoratorsTranspileOption::LegacyTypeScript {
                    emit_metadata: options.emit_decorator_metadata,
                }
            } else {
                DecoratorsTranspileOption::Ecma
            },
            verbatim_module_syntax: options.verbatim_module_syntax,
            jsx,
            ..default_transpile_options()
        })
    }

    /// Grants and denies what the set `name` in the member `permissions` grants and denies. What
    /// `options` already says about a kind of permission takes precedence.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no such set, or the set is malformed.
    pub fn add_permissions(
        &self,
        name: &str,
        options: &mut PermissionsOptions,
    ) -> Result<(), ConfigError> {
        let set = self
            .members
            .get("permissions")
            .and_then(|sets| sets.get(name)?.as_object());
        let Some(set) = set else {
            return Err(self.malformed(format!("there are no permissions \"{name}\"")));
        };
        for (kind, value) in set {
            let (allow, deny) = match kind.as_str() {
                "all" if value.is_boolean() => {
                    if value == &Value::Bool(true) {
                        allow_everything(options);
                    }
                    continue;
                }
                "read" => (&mut options.allow_read, &mut options.deny_read),
                "write" => (&mut options.allow_write, &mut options.deny_write),
                "import" => (&mut options.allow_import, &mut options.deny_import),
                "env" => (&mut options.allow_env, &mut options.deny_env),
                "net" => (&mut options.allow_net, &mut options.deny_net),
                "run" => (&mut options.allow_run, &mut options.deny_run),
                "ffi" => (&mut options.allow_ffi, &mut options.deny_ffi),
                "sys" => (&mut options.allow_sys, &mut options.deny_sys),
                _ => {
                    return Err(self.malformed(format!(
                        "\"permissions\": unknown kind \"{kind}\" in \"{name}\""
                    )));
                }
            };
            let is_path = matches!(kind.as_str(), "read" | "write" | "ffi");
            let (allowed, denied) = match value {
                Value::Object(members) => (members.get("allow"), members.get("deny")),
                value => (Some(value), None),
            };
            for (target, value) in [(allow, allowed), (deny, denied)] {
                if target.is_none()
                    && let Some(value) = value
                {
                    *target = self.permission_list(value, is_path).ok_or_else(|| {
                        self.malformed(format!("\"permissions\": malformed \"{kind}\""))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// A value of true means everything, and false means nothing. A list means its items, in which
    /// paths are relative to the folder of the file.
    fn permission_list(&self, value: &Value, is_path: bool) -> Option<Option<Vec<String>>> {
        match value {
            Value::Bool(true) => Some(Some(Vec::new())),
            Value::Bool(false) => Some(None),
            Value::Array(items) if items.is_empty() => Some(None),
            Value::Array(items) => {
                let folder = self.specifier.to_file_path().ok();
                let folder = folder.as_deref().and_then(Path::parent);
                let items = items.iter().map(|item| {
                    let item = item.as_str()?;
                    Some(match folder {
                        Some(folder) if is_path => folder.join(item).to_string_lossy().into(),
                        _ => item.to_string(),
                    })
                });
                items.collect::<Option<Vec<String>>>().map(Some)
            }
            _ => None,
        }
    }

    fn malformed(&self, reason: String) -> ConfigError {
        ConfigError::Malformed {
            path: self
                .specifier
                .to_file_path()
                .unwrap_or_else(|()| PathBuf::from(self.specifier.path())),
            reason,
        }
    }
}

fn allow_everything(options: &mut PermissionsOptions) {
    for kind in [
        &mut options.allow_read,
        &mut options.allow_write,
        &mut options.allow_import,
        &mut options.allow_env,
        &mut options.allow_net,
        &mut options.allow_run,
        &mut options.allow_ffi,
        &mut options.allow_sys,
    ] {
        kind.get_or_insert_default();
    }
}

/// Why a configuration file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("Failed reading config file \"{}\": {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The contents of the file are not a valid configuration.
    #[error("Failed parsing config file \"{}\": {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The options of transpiling if no configuration says otherwise: standard decorators, and JSX by
/// `React.createElement` unless a pragma in the file names another factory.
pub fn default_transpile_options() -> TranspileOptions {
    TranspileOptions {
        decorators: DecoratorsTranspileOption::Ecma,
        ..Default::default()
    }
}

/// Turns JSON with comments and trailing commas into JSON. Every character keeps its line and
/// column, so that a parse error names the right place.
pub(crate) fn strip_comments(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = text.as_bytes();
    let mut json = source.to_vec();
    let mut last_comma = None;
    let mut index = 0;
    while let Some(&byte) = source.get(index) {
        match byte {
            b'"' => {
                index = end_of_string(source, index);
                last_comma = None;
                continue;
            }
            b'/' if matches!(source.get(index + 1), Some(b'/' | b'*')) => {
                let end = end_of_comment(source, index);
                for byte in &mut json[index..end] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                index = end;
                continue;
            }
            b',' => last_comma = Some(index),
            b'}' | b']' => {
                if let Some(comma) = last_comma.take() {
                    json[comma] = b' ';
                }
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => last_comma = None,
        }
        index += 1;
    }
    // Only whole comments and ASCII commas were replaced, so the text is still UTF-8 and nothing is
    // lost.
    String::from_utf8_lossy(&json).into_owned()
}

/// The index after the end of the string that begins at `start`.
fn end_of_string(source: &[u8], start: usize) -> usize {
    let mut index = start + 1;
    while let Some(&byte) = source.get(index) {
        match byte {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    source.len()
}

/// The index after the end of the comment that begins at `start`.
fn end_of_comment(source: &[u8], start: usize) -> usize {
    let rest = &source[start..];
    let length = if rest[1] == b'/' {
        rest.iter().position(|&byte| byte == b'\n')
    } else {
        rest[2..]
            .windows(2)
            .position(|pair| pair == b"*/")
            .map(|index| index + 4)
    };
    start + length.unwrap_or(rest.len())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::PermissionDenied
    )
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CompilerOptions {
    jsx: Option<String>,
    jsx_factory: Option<String>,
    jsx_fragment_factory: Option<String>,
    jsx_import_source: Option<String>,
    jsx_precompile_skip_elements: Option<Vec<String>>,
    experimental_decorators: bool,
    emit_decorator_metadata: bool,
    verbatim_module_syntax: bool,
}

impl CompilerOptions {
    /// The JSX transform, or as the error the name, if no transform has it.
    fn jsx_runtime(&self) -> Result<Option<JsxRuntime>, String> {
        let automatic = |development| JsxAutomaticOptions {
            development,
            import_source: self.jsx_import_source.clone(),
        };
        Ok(Some(match self.jsx.as_deref() {
            None | Some("react") => {
                let default = JsxClassicOptions::default();
                JsxRuntime::Classic(JsxClassicOptions {
                    factory: self.jsx_factory.clone().unwrap_or(default.factory),
                    fragment_factory: self
                        .jsx_fragment_factory
                        .clone()
                        .unwrap_or(default.fragment_factory),
                })
            }
            Some("react-jsx") => JsxRuntime::Automatic(automatic(false)),
            Some("react-jsxdev") => JsxRuntime::Automatic(automatic(true)),
            Some("precompile") => JsxRuntime::Precompile(JsxPrecompileOptions {
                automatic: automatic(false),
                skip_elements: self.jsx_precompile_skip_elements.clone(),
                dynamic_props: None,
            }),
            Some("preserve") => return Ok(None),
            Some(other) => return Err(other.to_string()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::parse(Url::parse("file:///app/deno.json").unwrap(), text)
    }

    #[test]
    fn comments_and_trailing_commas_become_spaces() {
        let text = "{\n  // é one\n  \"a\": [1, 2, /* two */ ], \"//\": \"/*\\\"*/\",\n}\n";
        let json = strip_comments(text);
        assert_eq!(json.lines().count(), text.lines().count());
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value, serde_json::json!({ "a": [1, 2], "//": "/*\"*/" }));
    }

    #[test]
    fn errors_name_the_place_in_the_original() {
        let error = config("{\n  // comment\n  \"a\": nope\n}").unwrap_err();
        assert!(error.contains("line 3"), "{error}");
        assert!(config("[]").unwrap_err().contains("object"));
        assert!(config("{ \"a\": 1 /* open").is_err());
        assert!(config("{ \"a").is_err());
        assert!(config("{ \"a\\").is_err());
    }

    #[test]
    fn empty_file_is_an_empty_object() {
        let config = config(" // nothing\n").unwrap();
        assert!(config.inline_import_map().is_none());
        assert!(config.import_map_specifier().unwrap().is_none());
    }

    #[test]
    fn import_map_members() {
        let config =
            config(r#"{ "imports": { "a": "./a.ts" }, "tasks": {}, "importMap": "m.json" }"#)
                .unwrap();
        assert_eq!(
            config.inline_import_map(),
            Some(serde_json::json!({ "imports": { "a": "./a.ts" } }))
        );
        assert_eq!(
            config.import_map_specifier().unwrap().unwrap().as_str(),
            "file:///app/m.json"
        );
    }

    #[test]
    fn jsx_options() {
        let options = |text: &str| config(text).unwrap().transpile_options();
        let automatic = options(
            r#"{ "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "preact" } }"#,
        )
        .unwrap();
        assert_eq!(
            automatic.jsx.unwrap().automatic().unwrap().import_source,
            Some("preact".to_string())
        );
        let classic = options(r#"{ "compilerOptions": { "jsxFactory": "h" } }"#).unwrap();
        assert_eq!(classic.jsx.unwrap().classic().unwrap().factory, "h");
        let error = options(r#"{ "compilerOptions": { "jsx": "vue" } }"#).unwrap_err();
        assert!(error.to_string().contains("\"vue\""), "{error}");
        assert!(options(r#"{ "compilerOptions": { "jsx": 1 } }"#).is_err());
    }

    #[test]
    fn discovery_climbs_and_prefers_the_nearest() {
        let root = std::env::temp_dir().join(format!("duplex-config-{}", std::process::id()));
        let inner = root.join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(root.join("deno.json"), "{}").unwrap();
        let found = |start: &Path| ConfigFile::discover(start).unwrap().unwrap().specifier;
        assert!(found(&inner).path().ends_with("/deno.json"));
        std::fs::write(root.join("a/deno.jsonc"), "{ /* nearer */ }").unwrap();
        assert!(found(&inner).path().ends_with("/a/deno.jsonc"));
        std::fs::write(root.join("a/deno.jsonc"), "{").unwrap();
        assert!(ConfigFile::discover(&inner).is_err());
        std::fs::remove_dir_all(&root).unwrap();
    }
}
