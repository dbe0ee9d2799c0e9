//! The registry of JSR.

use std::sync::LazyLock;

use deno_core::url::Url;
use deno_resolver::factory::resolve_jsr_url;

use crate::packages::sys::Sys;

/// The URL of the registry of JSR: the environment variable `JSR_URL`, or jsr.io.
pub fn jsr_url() -> &'static Url {
    static URL: LazyLock<Url> = LazyLock::new(|| resolve_jsr_url(&Sys::default()));
    &URL
}
