//! The parser of the hosts in flags.

use duplex_runtime::deno_permissions::NetDescriptor;

/// Parses a name or an address. An IPv6 address may have brackets, as in a URL.
pub(super) fn parse_serve_host(value: &str) -> Result<String, String> {
    let bracketed = value
        .strip_prefix('[')
        .and_then(|value| value.strip_suffix(']'));
    let host = bracketed.unwrap_or(value);
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(host.to_string());
    }
    let is_host = bracketed.is_none()
        && !host.is_empty()
        && !host.contains(':')
        && NetDescriptor::parse_for_query(host).is_ok();
    match is_host {
        true => Ok(host.to_string()),
        false => Err("expected a name or an IP address; the port is --port".to_string()),
    }
}
