//! The registry of JSR.

use std::sync::LazyLock;

use deno_core::url::Url;
use deno_resolver::factory::resolve_jsr_url;

use crate::packages::sys::Sys;

/// The registry of JSR: that of the environment's `JSR_URL`, or jsr.io.
pub fn jsr_url() -> &'static Url {
    static URL: LazyLock<Url> = LazyLock::new(|| resolve_jsr_url(&Sys::default()));
    &URL
}
