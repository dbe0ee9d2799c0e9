//! The origin of a URL, which `allowedOrigins` is compared with.

use deno_core::op2;
use deno_core::url::Url;

/// The origin of a URL as browsers write it; none where that is no URL.
#[op2]
#[string]
pub(crate) fn op_http_origin(#[string] url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(url.origin().ascii_serialization())
}
