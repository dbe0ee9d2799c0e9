//! Converts modules from the types of Deno's crates to the types of deno_core.

use deno_ast::MediaType;
use deno_core::ModuleSourceCode;
use deno_core::ModuleSpecifier;
use deno_error::JsErrorBox;
use deno_resolver::loader::LoadedModule;
use deno_resolver::loader::LoadedModuleSource;

/// A module as it was found.
pub struct Found {
    /// The URL of the module, after all redirects.
    pub specifier: ModuleSpecifier,
    /// The media type of the module.
    pub media_type: MediaType,
    /// The source of the module.
    pub code: ModuleSourceCode,
}

/// Converts a module that Deno's crates have loaded.
pub(super) fn found(module: LoadedModule<'_>) -> Found {
    Found {
        specifier: module.specifier.into_owned(),
        media_type: module.media_type,
        code: match module.source {
            LoadedModuleSource::ArcStr(text) => ModuleSourceCode::String(text.into()),
            LoadedModuleSource::ArcBytes(bytes) => ModuleSourceCode::Bytes(bytes.into()),
            LoadedModuleSource::String(text) => ModuleSourceCode::String(text.into_owned().into()),
            LoadedModuleSource::Bytes(bytes) => {
                ModuleSourceCode::Bytes(bytes.into_owned().into_boxed_slice().into())
            }
        },
    }
}

/// The type of module that an import asks for.
pub(super) fn to_requested(
    requested: &deno_core::RequestedModuleType,
) -> deno_resolver::loader::RequestedModuleType<'_> {
    use deno_core::RequestedModuleType as Core;
    use deno_resolver::loader::RequestedModuleType as Resolver;
    match requested {
        Core::None => Resolver::None,
        Core::Json => Resolver::Json,
        Core::Text => Resolver::Text,
        Core::Bytes => Resolver::Bytes,
        Core::Other(name) => Resolver::Other(name),
    }
}

/// Converts an error of Deno's crates to an error for scripts.
pub(crate) fn to_js_error(error: anyhow::Error) -> JsErrorBox {
    JsErrorBox::type_error(format!("{error:#}"))
}
