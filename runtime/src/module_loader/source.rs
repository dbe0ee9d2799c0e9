//! The source of a module that is a file, or in a `data:` or `blob:` URL.

use std::io;
use std::sync::Arc;

use deno_ast::MediaType;
use deno_core::ModuleSpecifier;
use deno_core::futures::FutureExt;
use deno_error::JsErrorBox;
use deno_permissions::PermissionCheckError;
use deno_web::BlobStoreTrait;

use super::hints::hint_for_missing_file;
use crate::module_permissions;
use crate::module_permissions::ReadError;
use crate::module_permissions::Reader;
use crate::transpile::needs_transpile;

/// Why a module has no source.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum LoadError {
    #[class(type)]
    #[property("code" = "ERR_MODULE_NOT_FOUND")]
    #[error("Module not found \"{specifier}\".{}", .hint.as_ref().map(|hint| format!(" {hint}")).unwrap_or_default())]
    NotFound {
        specifier: ModuleSpecifier,
        hint: Option<String>,
    },
    #[class(type)]
    #[error("Import \"{specifier}\" failed: {source}")]
    Failed {
        specifier: ModuleSpecifier,
        source: io::Error,
    },
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[class(type)]
    #[error("\"{}:\" modules are not supported: \"{specifier}\"\n  hint: {}", .specifier.scheme(), SCHEME_HINT)]
    UnknownScheme { specifier: ModuleSpecifier },
    #[class(type)]
    #[property("code" = "ERR_UNKNOWN_BUILTIN_MODULE")]
    #[error("No such built-in module: \"{specifier}\"")]
    UnknownBuiltIn { specifier: ModuleSpecifier },
    #[class(type)]
    #[error(
        "Expected a {expected} module, but identified a {found:?} module.{}\n  Specifier: {specifier}",
        if is_json(*.found) {
            " Consider importing it with an import attribute: with { type: \"json\" }."
        } else {
            ""
        }
    )]
    WrongType {
        specifier: ModuleSpecifier,
        expected: &'static str,
        found: MediaType,
    },
}

impl LoadError {
    /// The error for a specifier of the scheme `node:` or `ext:` that no program may import.
    pub(super) fn internal(specifier: ModuleSpecifier) -> Self {
        match specifier.scheme() {
            "node" => Self::UnknownBuiltIn { specifier },
            _ => Self::UnknownScheme { specifier },
        }
    }

    pub(super) fn wrong_type(
        specifier: &ModuleSpecifier,
        expected: &'static str,
        found: MediaType,
    ) -> Self {
        Self::WrongType {
            specifier: specifier.clone(),
            expected,
            found,
        }
    }
}

impl From<LoadError> for JsErrorBox {
    fn from(error: LoadError) -> Self {
        JsErrorBox::from_err(error)
    }
}

const SCHEME_HINT: &str =
    "Modules come from file:, http:, https:, data:, blob:, npm:, jsr: and node:.";

/// The bytes and the media type in a `data:` URL.
pub(crate) fn read_data_url(specifier: &ModuleSpecifier) -> io::Result<(Vec<u8>, MediaType)> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "Unable to decode data url.");
    let url = data_url::DataUrl::process(specifier.as_str()).map_err(|_| invalid())?;
    let (bytes, _) = url.decode_to_vec().map_err(|_| invalid())?;
    let mime_type = url.mime_type().to_string();
    Ok((bytes, MediaType::from_content_type(specifier, mime_type)))
}

/// Reads the bytes at `specifier`, and returns them with their media type. The caller has checked
/// that they may be loaded. This function checks only what depends on the canonical path of a file.
pub(crate) fn read(
    specifier: &ModuleSpecifier,
    blob_store: Option<&dyn BlobStoreTrait>,
    reader: Reader<'_>,
) -> Result<(Vec<u8>, MediaType), LoadError> {
    match specifier.scheme() {
        "file" => read_file(specifier, reader),
        "data" => read_data_url(specifier).map_err(|source| LoadError::Failed {
            specifier: specifier.clone(),
            source,
        }),
        "blob" => read_blob(specifier, blob_store),
        _ => Err(LoadError::UnknownScheme {
            specifier: specifier.clone(),
        }),
    }
}

fn read_file(
    specifier: &ModuleSpecifier,
    reader: Reader<'_>,
) -> Result<(Vec<u8>, MediaType), LoadError> {
    let path = specifier.to_file_path().map_err(|()| LoadError::Failed {
        specifier: specifier.clone(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "Invalid file path."),
    })?;
    match module_permissions::read_file(&path, reader) {
        Ok(bytes) => Ok((bytes, MediaType::from_specifier(specifier))),
        Err(ReadError::Permission(error)) => Err(error.into()),
        Err(ReadError::Io(error)) => Err(match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => LoadError::NotFound {
                specifier: specifier.clone(),
                hint: hint_for_missing_file(&path),
            },
            _ => LoadError::Failed {
                specifier: specifier.clone(),
                source: error,
            },
        }),
    }
}

fn read_blob(
    specifier: &ModuleSpecifier,
    store: Option<&dyn BlobStoreTrait>,
) -> Result<(Vec<u8>, MediaType), LoadError> {
    let failed = |kind, reason: &str| LoadError::Failed {
        specifier: specifier.clone(),
        source: io::Error::new(kind, reason),
    };
    let blob = store
        .and_then(|store| store.get_object_url(specifier.clone()))
        .ok_or_else(|| failed(io::ErrorKind::NotFound, "Blob URL not found."))?;
    // The parts of a blob are in memory, so reading them never waits.
    let bytes = blob
        .read_all()
        .now_or_never()
        .ok_or_else(|| failed(io::ErrorKind::WouldBlock, "The blob is not in memory."))?;
    Ok((
        bytes,
        MediaType::from_content_type(specifier, &blob.media_type),
    ))
}

/// The text of a module, without a byte order mark.
pub(crate) fn to_text(bytes: Vec<u8>) -> Arc<str> {
    let text = String::from_utf8_lossy(&bytes);
    text.strip_prefix('\u{feff}').unwrap_or(&text).into()
}

/// Whether this is JSON, with or without comments.
pub(super) fn is_json(media_type: MediaType) -> bool {
    matches!(media_type, MediaType::Json | MediaType::Jsonc)
}

/// Whether this is JavaScript or is transpiled to it. The main module may have any extension.
pub(super) fn is_script(media_type: MediaType, is_main: bool) -> bool {
    match media_type {
        MediaType::JavaScript | MediaType::Mjs | MediaType::Cjs => true,
        MediaType::Unknown => is_main,
        other => needs_transpile(other) || other.is_declaration(),
    }
}
