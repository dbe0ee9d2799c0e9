//! What the user gave for a module before it is loaded.

use std::sync::Arc;

use deno_ast::MediaType;

/// A text or a media type that the user gave for a module.
#[derive(Clone, Debug, Default)]
pub struct ModuleOverride {
    /// The text of the module. If this is `None`, the text is read from the specifier.
    pub text: Option<Arc<str>>,
    /// The media type of the module. If this is `None`, the name of the module decides.
    pub media_type: Option<MediaType>,
}
