//! The server's half of the opening handshake, over HTTP/1.1 (RFC 6455 section
//! 4.2), and over HTTP/2 (RFC 8441 section 5).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

use super::extension::{self, MalformedExtensions};
use super::header::{self, HeaderError};
use super::{VERSION, accept_key};
use crate::deflate::{Parameters, ServerConfig};

/// A client's request to open a connection. A value of this type is always a
/// legal request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientOffer {
    /// The answer to Sec-WebSocket-Key. HTTP/2 has no key.
    accept: Option<String>,
    protocols: Vec<String>,
    /// The lines of Sec-WebSocket-Extensions. The lines are parsed only if the
    /// server negotiates extensions.
    extensions: Vec<Vec<u8>>,
    deflate: Option<Parameters>,
}

impl ClientOffer {
    /// Reads a request of HTTP/1.1 (section 4.2.1). `version` is the version of
    /// HTTP, as major and minor number. `headers` are all header lines. Their
    /// names may be in any case, and a list may take one line or several. The
    /// HTTP layer has to check that there is a Host header.
    ///
    /// # Errors
    ///
    /// [`OfferError`] if the request is not legal. The error knows the
    /// [status](OfferError::status) of the answer.
    pub fn parse<'a>(
        method: &str,
        version: (u8, u8),
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, OfferError> {
        let fields = Fields::read(headers)?;
        if method != "GET" {
            return Err(OfferError::Method);
        }
        if version < (1, 1) {
            return Err(OfferError::HttpVersion);
        }
        if !fields.upgrade {
            return Err(OfferError::Upgrade);
        }
        if !fields.connection {
            return Err(OfferError::Connection);
        }
        let key = match fields.key[..] {
            [] => return Err(OfferError::KeyMissing),
            [key] => key,
            _ => return Err(OfferError::KeyRepeated),
        };
        if fields.version[..] != [VERSION.as_bytes()] {
            return Err(OfferError::Version);
        }
        if !is_key(key) {
            return Err(OfferError::Key);
        }
        if fields.body {
            return Err(OfferError::Body);
        }
        Ok(fields.into_offer(Some(accept_key(key))))
    }

    /// Reads a request of HTTP/2 (RFC 8441 section 5): an extended CONNECT, whose
    /// `:protocol` is `protocol`.
    ///
    /// # Errors
    ///
    /// [`OfferError`] if the request is not legal.
    pub fn parse_http2<'a>(
        method: &str,
        protocol: Option<&str>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, OfferError> {
        let fields = Fields::read(headers)?;
        let Some(protocol) = protocol.filter(|_| method == "CONNECT") else {
            return Err(OfferError::ExtendedConnect);
        };
        if protocol != "websocket" {
            return Err(OfferError::ConnectProtocol(protocol.to_owned()));
        }
        if fields.version[..] != [VERSION.as_bytes()] {
            return Err(OfferError::Http2Version);
        }
        Ok(fields.into_offer(None))
    }

    /// The value of Sec-WebSocket-Accept for the answer; HTTP/2 has none.
    pub fn accept_key(&self) -> Option<&str> {
        self.accept.as_deref()
    }

    /// Like [`accept_key`](Self::accept_key), but consumes the offer.
    pub fn into_accept_key(self) -> Option<String> {
        self.accept
    }

    /// The subprotocols that the client offers, in its order of preference. The
    /// subprotocols are tokens, and comparison regards case.
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// Negotiates permessage-deflate (RFC 7692 section 7.1). Returns the agreed
    /// parameters, or `None` if the client offers nothing that `config` allows.
    /// The parameters display as the value of Sec-WebSocket-Extensions, and the
    /// [answer](Self::answer) contains that header.
    ///
    /// # Errors
    ///
    /// [`OfferError::Extensions`] if the header does not follow its grammar
    /// (RFC 6455 section 9.1). Only this function looks at the header.
    pub fn negotiate_deflate(
        &mut self,
        config: &ServerConfig,
    ) -> Result<Option<Parameters>, OfferError> {
        let mut offers = Vec::new();
        for line in &self.extensions {
            offers.extend(extension::parse(line)?);
        }
        self.deflate = config.accept(&offers);
        Ok(self.deflate)
    }

    /// The answer over HTTP/1.1 that opens the connection (section 4.2.2), with
    /// the subprotocol that was picked, the extension that was negotiated, and
    /// headers to add.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if the client did not offer `protocol`, if a header cannot be added, or if
    /// the offer came over HTTP/2. The answer over HTTP/2 is a response with status 200.
    pub fn answer(
        &self,
        protocol: Option<&str>,
        headers: &[(&str, &[u8])],
    ) -> Result<Vec<u8>, AnswerError> {
        let accept = self.accept.as_deref().ok_or(AnswerError::Http2)?;
        let mut out = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
        header::push(&mut out, "Upgrade", b"websocket");
        header::push(&mut out, "Connection", b"Upgrade");
        header::push(&mut out, "Sec-WebSocket-Accept", accept.as_bytes());
        if let Some(protocol) = protocol {
            if !self.protocols.iter().any(|offered| offered == protocol) {
                return Err(AnswerError::Protocol(protocol.to_owned()));
            }
            header::push(&mut out, "Sec-WebSocket-Protocol", protocol.as_bytes());
        }
        if let Some(parameters) = &self.deflate {
            let value = parameters.to_string();
            header::push(&mut out, "Sec-WebSocket-Extensions", value.as_bytes());
        }
        for (name, value) in headers {
            header::push_extra(&mut out, name, value)?;
        }
        out.extend_from_slice(b"\r\n");
        Ok(out)
    }
}

/// Why a request does not ask for a connection.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum OfferError {
    /// The method is not GET.
    #[error("Invalid method: a WebSocket handshake is a GET request")]
    Method,
    /// The version of HTTP is less than 1.1.
    #[error("Invalid HTTP version: a WebSocket handshake takes HTTP/1.1")]
    HttpVersion,
    /// Upgrade is missing or does not contain `websocket`.
    #[error("Invalid Header: 'upgrade' header must contain 'websocket'")]
    Upgrade,
    /// Connection is missing or does not contain `Upgrade`.
    #[error("Invalid Header: 'connection' header must contain 'Upgrade'")]
    Connection,
    /// Sec-WebSocket-Key is missing.
    #[error("Invalid Header: 'sec-websocket-key' header must be set")]
    KeyMissing,
    /// Sec-WebSocket-Key occurs more than once.
    #[error("Invalid Header: 'sec-websocket-key' header must not be repeated")]
    KeyRepeated,
    /// Sec-WebSocket-Key is not 16 bytes in base64.
    #[error("Invalid Header: 'sec-websocket-key' header must be 16 bytes in base64")]
    Key,
    /// Sec-WebSocket-Version is missing or not 13.
    #[error("Invalid Header: 'sec-websocket-version' header must be '13'")]
    Version,
    /// Sec-WebSocket-Version of an extended CONNECT is missing or not 13. The status is 400 and
    /// not 426, because HTTP/2 has no Upgrade header.
    #[error("Invalid Header: 'sec-websocket-version' header must be '13'")]
    Http2Version,
    /// The request came over HTTP/2 and is not an extended CONNECT.
    #[error("Invalid method: a WebSocket handshake over HTTP/2 is an extended CONNECT")]
    ExtendedConnect,
    /// The extended CONNECT is for another protocol.
    #[error("Invalid ':protocol': a WebSocket handshake asks for 'websocket', not {0:?}")]
    ConnectProtocol(String),
    /// The request has a body. The body would precede the first frame.
    #[error("Invalid handshake: a WebSocket handshake has no body")]
    Body,
    /// A subprotocol is not a token or occurs twice.
    #[error(
        "Invalid Header: 'sec-websocket-protocol' header has an invalid or repeated value: {0:?}"
    )]
    Protocol(String),
    /// Sec-WebSocket-Extensions does not follow its grammar.
    #[error("Invalid Header: 'sec-websocket-extensions' header is malformed")]
    Extensions(#[from] MalformedExtensions),
}

impl OfferError {
    /// The HTTP status of the answer: 400, 405, 426, 501 or 505.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Method | Self::ExtendedConnect => 405,
            Self::ConnectProtocol(_) => 501,
            Self::HttpVersion => 505,
            Self::Version => 426,
            Self::Http2Version
            | Self::Upgrade
            | Self::Connection
            | Self::KeyMissing
            | Self::KeyRepeated
            | Self::Key
            | Self::Body
            | Self::Protocol(_)
            | Self::Extensions(_) => 400,
        }
    }

    /// The headers that the answer's status requires (section 4.2.2, step 4;
    /// RFC 9110 sections 15.5.6 and 15.5.22).
    pub const fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Method => &[("Allow", "GET")],
            Self::ExtendedConnect => &[("Allow", "CONNECT")],
            Self::Http2Version => &[("Sec-WebSocket-Version", VERSION)],
            Self::Version => &[
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", VERSION),
            ],
            _ => &[],
        }
    }
}

/// Why an [answer](ClientOffer::answer) cannot be given.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum AnswerError {
    /// The offer came over HTTP/2.
    #[error("an offer over HTTP/2 is not answered with a head of HTTP/1.1")]
    Http2,
    /// The client did not offer the subprotocol.
    #[error("Protocol '{0}' not in the request's protocol list (non negotiable)")]
    Protocol(String),
    /// A header cannot be added.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// The header fields of a request that matter to the handshake.
#[derive(Default)]
struct Fields<'a> {
    upgrade: bool,
    connection: bool,
    /// The values of all lines. There should be exactly one line.
    key: Vec<&'a [u8]>,
    version: Vec<&'a [u8]>,
    protocols: Vec<String>,
    extensions: Vec<Vec<u8>>,
    /// Whether a body follows the head (RFC 9112 section 6.3).
    body: bool,
}

impl<'a> Fields<'a> {
    fn read(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, OfferError> {
        let mut fields = Self::default();
        for (name, value) in headers {
            let value = header::trim(value);
            if name.eq_ignore_ascii_case("Upgrade") {
                fields.upgrade |= header::contains(value, "websocket");
            } else if name.eq_ignore_ascii_case("Connection") {
                fields.connection |= header::contains(value, "Upgrade");
            } else if name.eq_ignore_ascii_case("Sec-WebSocket-Key") {
                fields.key.push(value);
            } else if name.eq_ignore_ascii_case("Sec-WebSocket-Version") {
                fields.version.push(value);
            } else if name.eq_ignore_ascii_case("Sec-WebSocket-Protocol") {
                for element in header::elements(value) {
                    push_protocol(&mut fields.protocols, element)?;
                }
            } else if name.eq_ignore_ascii_case("Sec-WebSocket-Extensions") {
                fields.extensions.push(value.to_owned());
            } else if name.eq_ignore_ascii_case("Content-Length") {
                fields.body |= value != b"0";
            } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
                fields.body = true;
            }
        }
        Ok(fields)
    }

    fn into_offer(self, accept: Option<String>) -> ClientOffer {
        ClientOffer {
            accept,
            protocols: self.protocols,
            extensions: self.extensions,
            deflate: None,
        }
    }
}

fn push_protocol(protocols: &mut Vec<String>, element: &[u8]) -> Result<(), OfferError> {
    match str::from_utf8(element) {
        Ok(protocol)
            if header::is_token(element) && !protocols.iter().any(|seen| seen == protocol) =>
        {
            protocols.push(protocol.to_owned());
            Ok(())
        }
        _ => Err(OfferError::Protocol(
            String::from_utf8_lossy(element).into_owned(),
        )),
    }
}

fn is_key(key: &[u8]) -> bool {
    // The encoded length limits the work of decoding.
    key.len() == 24 && KEY_BASE64.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

/// Tolerates set bits after the sixteenth byte. Some clients draw the
/// characters of the key rather than its bytes, and the key is only hashed.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of section 1.3.
    const HEADERS: [(&str, &str); 7] = [
        ("Host", "server.example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Origin", "http://example.com"),
        ("Sec-WebSocket-Protocol", "chat, superchat"),
        ("Sec-WebSocket-Version", "13"),
    ];

    fn parse(headers: &[(&str, &str)]) -> Result<ClientOffer, OfferError> {
        parse_request("GET", (1, 1), headers)
    }

    fn parse_request(
        method: &str,
        version: (u8, u8),
        headers: &[(&str, &str)],
    ) -> Result<ClientOffer, OfferError> {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        ClientOffer::parse(method, version, headers)
    }

    /// Parses the request of the RFC with the lines named `name` replaced by
    /// one line for each of `values`.
    fn with(name: &str, values: &[&str]) -> Result<ClientOffer, OfferError> {
        let mut headers = HEADERS.to_vec();
        headers.retain(|(other, _)| *other != name);
        headers.extend(values.iter().map(|value| (name, *value)));
        assert!(headers.len() == HEADERS.len() - 1 + values.len());
        parse(&headers)
    }

    #[test]
    fn rfc_example() {
        let offer = parse(&HEADERS).unwrap();
        assert_eq!(offer.accept_key(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(offer.protocols(), ["chat", "superchat"]);
        assert_eq!(
            offer.answer(Some("chat"), &[]).unwrap(),
            b"HTTP/1.1 101 Switching Protocols\r\n\
              Upgrade: websocket\r\n\
              Connection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
              Sec-WebSocket-Protocol: chat\r\n\
              \r\n"
        );
    }

    #[test]
    fn over_http2() {
        // RFC 8441 section 5.1.
        let headers: [(&str, &[u8]); 4] = [
            ("sec-websocket-protocol", b"chat, superchat"),
            ("sec-websocket-extensions", b"permessage-deflate"),
            ("sec-websocket-version", b"13"),
            ("origin", b"http://www.example.com"),
        ];
        let parse = |method: &str, protocol| ClientOffer::parse_http2(method, protocol, headers);
        let mut offer = parse("CONNECT", Some("websocket")).unwrap();
        assert_eq!(offer.accept_key(), None);
        assert_eq!(offer.protocols(), ["chat", "superchat"]);
        let deflate = offer.negotiate_deflate(&ServerConfig::default()).unwrap();
        assert!(deflate.is_some());
        assert_eq!(offer.answer(None, &[]), Err(AnswerError::Http2));

        for (method, protocol) in [("GET", Some("websocket")), ("GET", None), ("CONNECT", None)] {
            let error = parse(method, protocol).unwrap_err();
            assert_eq!(
                (&error, error.status()),
                (&OfferError::ExtendedConnect, 405)
            );
        }
        for protocol in ["connect-udp", "WebSocket", ""] {
            let error = parse("CONNECT", Some(protocol)).unwrap_err();
            assert_eq!(error.status(), 501, "{protocol}");
        }
        for versions in [&[][..], &[("sec-websocket-version", &b"8"[..])]] {
            let headers = headers
                .into_iter()
                .filter(|(name, _)| !name.ends_with("version"));
            let headers = headers.chain(versions.iter().copied());
            let error =
                ClientOffer::parse_http2("CONNECT", Some("websocket"), headers).unwrap_err();
            assert_eq!((&error, error.status()), (&OfferError::Http2Version, 400));
            assert_eq!(error.headers(), [("Sec-WebSocket-Version", "13")]);
        }
    }

    #[test]
    fn names_and_tokens_in_any_case() {
        let headers = HEADERS.map(|(name, value)| (name.to_uppercase(), value));
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        assert!(parse(&headers).is_ok());
        for value in ["WebSocket", " websocket ", "h2c, WEBSOCKET"] {
            assert!(with("Upgrade", &[value]).is_ok(), "{value}");
        }
        for value in ["upgrade", "keep-alive, Upgrade", "Upgrade,keep-alive"] {
            assert!(with("Connection", &[value]).is_ok(), "{value}");
        }
    }

    #[test]
    fn lists_in_several_lines() {
        assert!(with("Connection", &["keep-alive", "Upgrade"]).is_ok());
        assert!(with("Upgrade", &["h2c", "websocket"]).is_ok());
        let offer = with("Sec-WebSocket-Protocol", &["a,b", "", "c"]).unwrap();
        assert_eq!(offer.protocols(), ["a", "b", "c"]);
        let offer = with("Sec-WebSocket-Protocol", &[]).unwrap();
        assert!(offer.protocols().is_empty());
    }

    #[test]
    fn method_and_version_of_http() {
        for method in ["POST", "get", "CONNECT", ""] {
            let error = parse_request(method, (1, 1), &HEADERS).unwrap_err();
            assert_eq!((&error, error.status()), (&OfferError::Method, 405));
            assert_eq!(error.headers(), [("Allow", "GET")]);
        }
        for version in [(0, 9), (1, 0)] {
            let error = parse_request("GET", version, &HEADERS).unwrap_err();
            assert_eq!((&error, error.status()), (&OfferError::HttpVersion, 505));
        }
    }

    #[test]
    fn upgrade_and_connection() {
        for values in [&[][..], &[""], &["h2c"], &["websockets"], &["web socket"]] {
            let error = with("Upgrade", values).unwrap_err();
            assert_eq!((&error, error.status()), (&OfferError::Upgrade, 400));
        }
        for values in [&[][..], &[""], &["keep-alive"], &["upgrades"]] {
            let error = with("Connection", values).unwrap_err();
            assert_eq!((&error, error.status()), (&OfferError::Connection, 400));
        }
    }

    #[test]
    fn version() {
        for values in [&[][..], &["8"], &["013"], &["13, 8"], &["13", "13"], &[""]] {
            let error = with("Sec-WebSocket-Version", values).unwrap_err();
            assert_eq!((&error, error.status()), (&OfferError::Version, 426));
            assert!(error.headers().contains(&("Sec-WebSocket-Version", "13")));
        }
    }

    #[test]
    fn key() {
        let key = |values: &[&str]| with("Sec-WebSocket-Key", values).unwrap_err();
        assert_eq!(key(&[]), OfferError::KeyMissing);
        let value = "dGhlIHNhbXBsZSBub25jZQ==";
        assert_eq!(key(&[value, value]), OfferError::KeyRepeated);
        for other in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ= ",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25-ZQ==",
        ] {
            assert_eq!(key(&[other]), OfferError::Key, "{other}");
        }
        // Some clients draw the characters, not the bytes.
        assert!(with("Sec-WebSocket-Key", &["abcdefghijklmnopqrstuv=="]).is_ok());
    }

    #[test]
    fn a_body() {
        for (name, value) in [
            ("Content-Length", "10"),
            ("content-length", "x"),
            ("Transfer-Encoding", "chunked"),
        ] {
            let headers = [&HEADERS[..], &[(name, value)]].concat();
            let error = parse(&headers).unwrap_err();
            assert_eq!((&error, error.status()), (&OfferError::Body, 400));
        }
        let headers = [&HEADERS[..], &[("Content-Length", "0")]].concat();
        assert!(parse(&headers).is_ok());
    }

    #[test]
    fn protocols() {
        for other in ["a b", "a/b", "\u{e9}", "a, a"] {
            assert!(matches!(
                with("Sec-WebSocket-Protocol", &[other]),
                Err(OfferError::Protocol(_))
            ));
        }
        // Comparison regards case.
        assert!(with("Sec-WebSocket-Protocol", &["a, A"]).is_ok());
    }

    #[test]
    fn answers() {
        let offer = parse(&HEADERS).unwrap();
        let plain = offer.answer(None, &[("X-A", b"b")]).unwrap();
        assert!(plain.ends_with(b"xOo=\r\nX-A: b\r\n\r\n"));
        assert_eq!(
            offer.answer(Some("CHAT"), &[]),
            Err(AnswerError::Protocol("CHAT".to_owned()))
        );
        assert!(matches!(
            offer.answer(None, &[("Upgrade", b"h2c")]),
            Err(AnswerError::Header(HeaderError::Reserved(_)))
        ));
    }

    #[test]
    fn permessage_deflate() {
        fn extended<'a>(lines: &[&'a str]) -> Vec<(&'static str, &'a str)> {
            let lines = lines.iter().map(|line| ("Sec-WebSocket-Extensions", *line));
            HEADERS.into_iter().chain(lines).collect()
        }
        let config = ServerConfig::default();
        let answer = |lines: &[&str]| -> Result<String, OfferError> {
            let mut offer = parse(&extended(lines)).unwrap();
            offer.negotiate_deflate(&config)?;
            Ok(String::from_utf8(offer.answer(None, &[]).unwrap()).unwrap())
        };
        for (lines, accepted) in [
            (&["permessage-deflate; client_max_window_bits"][..], ""),
            (
                &[
                    "foo, permessage-deflate; bar",
                    "permessage-deflate; server_max_window_bits=10",
                ],
                "; server_max_window_bits=10",
            ),
        ] {
            let line = format!("\r\nSec-WebSocket-Extensions: permessage-deflate{accepted}\r\n");
            assert!(answer(lines).unwrap().contains(&line), "{lines:?}");
        }
        for lines in [&["foo"][..], &["permessage-deflate; foo"], &[""]] {
            assert!(!answer(lines).unwrap().contains("Extensions"));
        }
        let error = answer(&["permessage-deflate", "a b"]).unwrap_err();
        assert_eq!(error, OfferError::Extensions(MalformedExtensions));
        assert_eq!(error.status(), 400);

        // A server that does not negotiate extensions refuses nothing.
        let offer = parse(&extended(&["a b"])).unwrap();
        assert!(offer.answer(None, &[]).is_ok());
    }
}
