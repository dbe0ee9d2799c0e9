//! The origin of a URL, for the option `allowedOrigins`.

use deno_core::op2;
use deno_core::url::Url;

/// The origin of a URL in the form of browsers, or null if `url` is not a URL.
#[op2]
#[string]
pub(crate) fn op_http_origin(#[string] url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(url.origin().ascii_serialization())
}
