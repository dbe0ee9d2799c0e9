//! The hosts that a request may name (RFC 9112 section 3.2; RFC 9113 section 8.3.1).

use std::net::Ipv4Addr;

use http::Method;
use http::StatusCode;
use http::Version;
use http::header;
use http::request::Parts;
use http::uri::Authority;
use url::Url;

/// The status with which a request is refused before it reaches a handler. A request is refused if
/// it names no host from which a URL can be made, if it names more than one host, or if it asks for
/// a tunnel.
pub(crate) fn refusal(head: &Parts, connect_protocol: Option<&str>) -> Option<StatusCode> {
    if head.method == Method::CONNECT && connect_protocol != Some("websocket") {
        // This server is not a proxy (RFC 9110 section 9.3.6; RFC 8441 section
        // 4).
        return Some(StatusCode::NOT_IMPLEMENTED);
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next();
    let authority = head.uri.authority();
    let is_right = hosts.next().is_none()
        && host.is_none_or(|host| is_host(host.as_bytes()))
        && authority.is_none_or(|authority| is_host(authority.as_str().as_bytes()))
        && match (head.version, host, authority) {
            (Version::HTTP_11, None, _) => false,
            (Version::HTTP_2, Some(host), Some(authority)) => {
                is_same(host.as_bytes(), authority.as_str().as_bytes())
            }
            _ => true,
        };
    (!is_right).then_some(StatusCode::BAD_REQUEST)
}

/// Whether this is a host that can be part of a URL, with or without a port. An empty host is
/// allowed, because the server has a name for itself.
pub(crate) fn is_host(host: &[u8]) -> bool {
    host.is_empty() || is_plain(host) || is_host_of_url(host)
}

/// Whether this is a name or an IPv4 address, with or without a port, as nearly all hosts are.
fn is_plain(host: &[u8]) -> bool {
    let mut parts = host.splitn(2, |byte| *byte == b':');
    let name = parts.next().unwrap_or_default();
    let is_port = parts.next().is_none_or(|port| {
        (1..=4).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)
            || str::from_utf8(port).is_ok_and(|port| {
                port.starts_with(|first: char| first.is_ascii_digit())
                    && port.parse::<u16>().is_ok()
            })
    });
    // A name whose last label starts with a digit must be an address.
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let is_name = last.first().is_some_and(u8::is_ascii_alphabetic)
        && (name.iter()).all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte))
        // Punycode may be invalid, so it needs the full check.
        && !name.windows(4).any(|part| part.eq_ignore_ascii_case(b"xn--"));
    is_port && (is_name || str::from_utf8(name).is_ok_and(|name| name.parse::<Ipv4Addr>().is_ok()))
}

fn is_host_of_url(host: &[u8]) -> bool {
    Authority::try_from(host).is_ok_and(|authority| !authority.as_str().contains('@'))
        && str::from_utf8(host).is_ok_and(|host| Url::parse(&format!("http://{host}/")).is_ok())
}

/// Whether two hosts with or without ports are the same.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let name = |host: &[u8]| {
        let end = [&b":80"[..], b":443"]
            .iter()
            .find_map(|port| host.strip_suffix(*port));
        end.unwrap_or(host).to_ascii_lowercase()
    };
    one.is_empty() || name(one) == name(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_can_be_made_of_every_host() {
        for host in [
            "a",
            "a.example",
            "a.example.",
            "A-b.example:0",
            "a:65535",
            "a:08000",
            "127.0.0.1",
            "127.0.0.1:8000",
            "[::1]",
            "[::1]:8000",
            "xn--bcher-kva.example",
            "1.example",
            "a_b.example",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
            assert!(Url::parse(&format!("http://{host}/")).is_ok(), "{host}");
        }
    }

    #[test]
    fn no_other_host_is_taken() {
        for host in [
            "a:65536",
            "a:99999",
            "a:+1",
            "a:1:2",
            "a:b",
            "999.1.1.1",
            "1.2.3.4.5",
            "a.1",
            "0x1ffffffff",
            "xn--a.example",
            "[::1",
            "::1",
            "[1::2::3]",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "u@a",
            "u:p@a",
            "a%2fb",
            ":80",
            "\u{e9}",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
        assert!(!is_host(b"\xff"));
    }
}
