//! Import maps: from a file or a `data:` URL (`--import-map`, or `importMap` of a `deno.json`), and
//! from the members `imports` and `scopes` of a `deno.json`.

use std::io;

use ::import_map::ImportMap;
use ::import_map::ImportMapError;
use ::import_map::ImportMapOptions;
use ::import_map::ImportMapWithDiagnostics;
use deno_core::serde_json;
use deno_core::serde_json::Value;
use deno_core::url::Url;

use crate::config::ConfigError;
use crate::config::ConfigFile;
use crate::config::strip_comments;
use crate::module_loader::source::read_data_url;

/// The import map that a configuration file holds or names, if there is one.
///
/// # Errors
/// See [`ImportMapLoadError`].
pub fn from_config(config: &ConfigFile) -> Result<Option<ImportMap>, ImportMapLoadError> {
    let named = config.import_map_specifier()?;
    if let Some(value) = config.inline_import_map() {
        if named.is_some() {
            log::warn!(
                "\"importMap\" in {} is ignored, because the file has \"imports\" or \"scopes\"",
                config.specifier
            );
        }
        // An entry in "imports" of a deno.json that maps a package also maps the paths below the
        // package.
        let options = ImportMapOptions {
            expand_imports: true,
            ..Default::default()
        };
        return parse(&config.specifier, value, options).map(Some);
    }
    named.map(|specifier| load(&specifier)).transpose()
}

/// Reads the import map at a `file:` or `data:` URL.
///
/// # Errors
/// See [`ImportMapLoadError`].
pub fn load(specifier: &Url) -> Result<ImportMap, ImportMapLoadError> {
    from_value(specifier, read(specifier)?)
}

/// Makes an import map of a value that was read from `specifier`.
///
/// # Errors
/// See [`ImportMapLoadError`].
pub fn from_value(specifier: &Url, value: Value) -> Result<ImportMap, ImportMapLoadError> {
    parse(specifier, value, ImportMapOptions::default())
}

/// Reads the text of an import map at a `file:` or `data:` URL.
///
/// # Errors
/// See [`ImportMapLoadError`].
pub fn read(specifier: &Url) -> Result<Value, ImportMapLoadError> {
    let bytes = match specifier.scheme() {
        "file" => match specifier.to_file_path() {
            Ok(path) => std::fs::read(path),
            Err(()) => Err(io::ErrorKind::InvalidInput.into()),
        },
        "data" => read_data_url(specifier).map(|(bytes, _)| bytes),
        _ => return Err(ImportMapLoadError::Remote(specifier.clone())),
    };
    let bytes = bytes.map_err(|source| ImportMapLoadError::Read {
        specifier: specifier.clone(),
        source,
    })?;
    from_text(specifier, &String::from_utf8_lossy(&bytes))
}

/// Parses the text of an import map, which is JSON with or without comments.
///
/// # Errors
/// [`ImportMapLoadError::Json`] if the text is not JSON.
pub fn from_text(specifier: &Url, text: &str) -> Result<Value, ImportMapLoadError> {
    serde_json::from_str(&strip_comments(text)).map_err(|source| ImportMapLoadError::Json {
        specifier: specifier.clone(),
        source,
    })
}

/// Why an import map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImportMapLoadError {
    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The import map cannot be read.
    #[error("Unable to load import map \"{specifier}\": {source}")]
    Read {
        /// The import map.
        specifier: Url,
        /// The system's error.
        source: io::Error,
    },
    /// The import map is not JSON.
    #[error("Unable to parse import map \"{specifier}\": {source}")]
    Json {
        /// The import map.
        specifier: Url,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The JSON is not an import map.
    #[error("Unable to parse import map \"{specifier}\": {source}")]
    ImportMap {
        /// The import map.
        specifier: Url,
        /// What is wrong.
        source: ImportMapError,
    },
    /// The configuration file names an import map on another machine.
    #[error(
        "Unable to load import map \"{0}\": a deno.json may name a file only. Use the flag \
         --import-map"
    )]
    Remote(Url),
}

fn parse(
    specifier: &Url,
    value: Value,
    options: ImportMapOptions,
) -> Result<ImportMap, ImportMapLoadError> {
    let ImportMapWithDiagnostics {
        import_map,
        diagnostics,
    } = ::import_map::parse_from_value_with_options(specifier.clone(), value, options).map_err(
        |source| ImportMapLoadError::ImportMap {
            specifier: specifier.clone(),
            source,
        },
    )?;
    for diagnostic in diagnostics {
        log::warn!("Import map {specifier}: {diagnostic}");
    }
    Ok(import_map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(map: &ImportMap, specifier: &str) -> String {
        let referrer = Url::parse("file:///app/main.ts").unwrap();
        map.resolve(specifier, &referrer).unwrap().to_string()
    }

    #[test]
    fn from_a_data_url() {
        let url =
            Url::parse("data:application/json,{\"imports\":{\"lib/\":\"file:///lib/\"},/*x*/}")
                .unwrap();
        let map = load(&url).unwrap();
        assert_eq!(resolve(&map, "lib/mod.ts"), "file:///lib/mod.ts");
        assert_eq!(resolve(&map, "./b.ts"), "file:///app/b.ts");
    }

    #[test]
    fn errors_name_the_map() {
        let error = |url: &str| load(&Url::parse(url).unwrap()).unwrap_err().to_string();
        assert!(error("file:///no/such/map.json").contains("file:///no/such/map.json"));
        assert!(error("https://example.com/map.json").contains("Use the flag --import-map"));
        assert!(error("data:,{").contains("Unable to parse"));
        assert!(error("data:,[]").contains("Unable to parse"));
    }

    #[test]
    fn imports_of_a_config_file() {
        let folder = std::env::temp_dir().join(format!("duplex-map-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("deno.json");
        let with = |text: &str| {
            std::fs::write(&path, text).unwrap();
            from_config(&ConfigFile::read(&path).unwrap())
        };
        let map = with(r#"{ "imports": { "x": "./x.ts" }, "importMap": "unused.json" }"#);
        assert!(resolve(&map.unwrap().unwrap(), "x").ends_with("/x.ts"));
        std::fs::write(
            folder.join("map.json"),
            r#"{ "imports": { "y": "./y.ts" } }"#,
        )
        .unwrap();
        let map = with(r#"{ "importMap": "./map.json" }"#);
        assert!(resolve(&map.unwrap().unwrap(), "y").ends_with("/y.ts"));
        assert!(with("{}").unwrap().is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
