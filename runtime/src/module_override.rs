//! What is known of a module before it is loaded.

use std::sync::Arc;

use deno_ast::MediaType;

/// What is known of a module before it is loaded.
#[derive(Clone, Debug, Default)]
pub struct ModuleOverride {
    /// Its text; without one it is read from where the specifier points.
    pub text: Option<Arc<str>>,
    /// What it is, in place of what its name says.
    pub media_type: Option<MediaType>,
}
