//! The header fields that both ends of the handshake read and write (RFC 9110
//! section 5).

use thiserror::Error;

/// Whether `name` is a token. A header name and a subprotocol must be tokens
/// (RFC 9110 section 5.6.2).
pub fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().copied().all(is_token_byte)
}

/// Whether `value` can be a header value: visible characters, spaces and tabs,
/// and bytes beyond ASCII (RFC 9110 section 5.5).
pub fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

/// The elements of a list-valued header line, without the white space around
/// them. Empty elements are left out (RFC 9110 section 5.6.1.2).
pub fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Whether a list-valued header line contains `token`, without regard to case.
pub fn contains(value: &[u8], token: &str) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether the handshake itself writes the header `name`, or the header would
/// change how the handshake is read. A caller cannot set such a header.
pub fn is_reserved(name: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved))
}

/// A header that cannot be added to a handshake.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum HeaderError {
    /// The name is not a token.
    #[error("invalid header name: {0:?}")]
    Name(String),
    /// The value holds a control character, such as a line break.
    #[error("invalid value of header '{0}'")]
    Value(String),
    /// The header is [reserved](is_reserved).
    #[error("header '{0}' is set by the WebSocket handshake itself")]
    Reserved(String),
}

/// Appends a header line that the caller of a handshake asks for.
pub(super) fn push_extra(out: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), HeaderError> {
    check_extra(name, value)?;
    push(out, name, value);
    Ok(())
}

/// Checks a header that the caller of a handshake asks for.
pub(super) fn check_extra(name: &str, value: &[u8]) -> Result<(), HeaderError> {
    if !is_token(name.as_bytes()) {
        return Err(HeaderError::Name(name.to_owned()));
    }
    if is_reserved(name) {
        return Err(HeaderError::Reserved(name.to_owned()));
    }
    if !is_value(value) {
        return Err(HeaderError::Value(name.to_owned()));
    }
    Ok(())
}

/// Whether the header `name`, in lower case, belongs to a connection of HTTP/1.1, and must not
/// occur in HTTP/2 (RFC 9113 section 8.2.2). [Reserved](is_reserved) headers are not among them.
pub(super) fn is_connection_specific(name: &str) -> bool {
    matches!(name, "keep-alive" | "proxy-connection" | "te")
}

/// Appends a header line.
pub(super) fn push(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Removes spaces and tabs at both ends.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
            | b'`' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
    )
}

const RESERVED: [&str; 10] = [
    "host",
    "upgrade",
    "connection",
    "content-length",
    "transfer-encoding",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-accept",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        for token in ["chat", "v1.chat+json", "!#$%&'*+-.^_`|~09AZaz"] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for other in [
            "", "a b", "a,b", "a/b", "a\"b", "\u{e9}", "a\r\n", "(x)", "a:b",
        ] {
            assert!(!is_token(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn values() {
        assert!(is_value(b""));
        assert!(is_value("tab\t and caf\u{e9}".as_bytes()));
        for control in [b"a\rb", b"a\nb", b"a\0b", b"a\x7fb"] {
            assert!(!is_value(control));
        }
    }

    #[test]
    fn lists() {
        let elements: Vec<_> = elements(b" a ,b,,\tc\t, ").collect();
        assert_eq!(elements, [b"a", b"b", b"c"]);
        assert!(contains(b"keep-alive, Upgrade", "upgrade"));
        assert!(contains(b"UPGRADE", "upgrade"));
        assert!(!contains(b"upgrades", "upgrade"));
        assert!(!contains(b"keep-alive upgrade", "upgrade"));
        assert!(!contains(b"", "upgrade"));
    }

    #[test]
    fn extra_headers() {
        let mut out = Vec::new();
        push_extra(&mut out, "Origin", b"https://example.com").unwrap();
        assert_eq!(out, b"Origin: https://example.com\r\n");
        assert_eq!(
            push_extra(&mut out, "SEC-WebSocket-Key", b"x"),
            Err(HeaderError::Reserved("SEC-WebSocket-Key".to_owned()))
        );
        assert_eq!(
            push_extra(&mut out, "X-A", b"a\r\nHost: b"),
            Err(HeaderError::Value("X-A".to_owned()))
        );
        assert_eq!(
            push_extra(&mut out, "X A", b""),
            Err(HeaderError::Name("X A".to_owned()))
        );
    }
}
