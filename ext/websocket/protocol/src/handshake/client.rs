//! The client's half of the handshake: over HTTP/1.1 (RFC 6455 section 4.1), and
//! over HTTP/2 (RFC 8441 section 5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::header::{self, HeaderError};
use super::{VERSION, accept_key};
use crate::deflate::{self, ClientConfig, Parameters};

/// What to ask of a server.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The host, as it stands in the URL: a name, an IPv4 address, or an IPv6
    /// address with or without its brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// What the Host header says in place of host and port, where that is another.
    pub authority: Option<&'a [u8]>,
    /// Whether the URL's scheme is `wss`. It decides which port is the default
    /// one, which the Host header leaves out.
    pub secure: bool,
    /// Path and query of the URL, percent-encoded. An empty path is `/`.
    pub target: &'a str,
    /// The subprotocols to offer, in order of preference.
    pub protocols: &'a [String],
    /// Whether a server that picks none of `protocols` fails the handshake, as
    /// the WHATWG standard asks (section "establish a WebSocket connection").
    /// RFC 6455 by itself lets it pass.
    pub require_protocol: bool,
    /// Where it is there, permessage-deflate is offered (RFC 7692).
    pub deflate: Option<&'a ClientConfig>,
    /// Headers to add, such as Origin, User-Agent, Cookie or Authorization.
    /// [Reserved](header::is_reserved) ones are refused.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl Request<'_> {
    /// The bytes to send, and the parser for what comes back. `nonce` is to be
    /// random and used once.
    ///
    /// # Errors
    ///
    /// [`RequestError`] where a part cannot stand in a request.
    pub fn encode(&self, nonce: [u8; 16]) -> Result<(Vec<u8>, ResponseParser), RequestError> {
        let key = STANDARD.encode(nonce);
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.path()?.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");

        header::push(&mut out, "Host", self.authority()?.as_bytes());
        header::push(&mut out, "Upgrade", b"websocket");
        header::push(&mut out, "Connection", b"Upgrade");
        header::push(&mut out, "Sec-WebSocket-Key", key.as_bytes());
        header::push(&mut out, "Sec-WebSocket-Version", VERSION.as_bytes());
        if let Some(list) = self.protocol_list()? {
            header::push(&mut out, "Sec-WebSocket-Protocol", list.as_bytes());
        }
        if let Some(config) = self.deflate {
            header::push(
                &mut out,
                "Sec-WebSocket-Extensions",
                config.offer().as_bytes(),
            );
        }
        for (name, value) in self.headers {
            header::push_extra(&mut out, name, value)?;
        }
        out.extend_from_slice(b"\r\n");

        let parser = ResponseParser {
            received: Vec::new(),
            accept: accept_key(key.as_bytes()),
            terms: self.terms(),
        };
        Ok((out, parser))
    }

    /// The same request as an extended CONNECT (RFC 8441 section 5), and the
    /// check for what comes back. It may be sent where the server's SETTINGS have
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL.
    ///
    /// # Errors
    ///
    /// [`RequestError`] where a part cannot stand in a request.
    pub fn http2(&self) -> Result<(Http2Request, Http2Check), RequestError> {
        let mut headers = vec![("sec-websocket-version".to_owned(), VERSION.into())];
        if let Some(list) = self.protocol_list()? {
            headers.push(("sec-websocket-protocol".to_owned(), list.into_bytes()));
        }
        if let Some(config) = self.deflate {
            let offer = config.offer().into_bytes();
            headers.push(("sec-websocket-extensions".to_owned(), offer));
        }
        for (name, value) in self.headers {
            header::check_extra(name, value)?;
            let name = name.to_ascii_lowercase();
            if !header::is_connection_specific(&name) {
                headers.push((name, value.to_vec()));
            }
        }
        let request = Http2Request {
            scheme: if self.secure { "https" } else { "http" },
            authority: self.authority()?,
            path: self.path()?,
            headers,
        };
        let terms = self.terms();
        Ok((request, Http2Check { terms }))
    }

    fn terms(&self) -> Terms {
        Terms {
            protocols: self.protocols.to_vec(),
            require_protocol: self.require_protocol,
            deflate: self.deflate.copied(),
        }
    }

    fn path(&self) -> Result<String, RequestError> {
        if !self.target.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
            return Err(RequestError::Target(self.target.to_owned()));
        }
        Ok(match self.target.starts_with('/') {
            true => self.target.to_owned(),
            false => format!("/{}", self.target),
        })
    }

    /// The value of Sec-WebSocket-Protocol, where there is something to offer.
    fn protocol_list(&self) -> Result<Option<String>, RequestError> {
        for (i, protocol) in self.protocols.iter().enumerate() {
            if !header::is_token(protocol.as_bytes()) || self.protocols[..i].contains(protocol) {
                return Err(RequestError::Protocol(protocol.clone()));
            }
        }
        Ok((!self.protocols.is_empty()).then(|| self.protocols.join(", ")))
    }

    /// The value of the Host header, and of `:authority`.
    fn authority(&self) -> Result<String, RequestError> {
        let is_legal = |byte| matches!(byte, b'!'..=b'~') && !b"/?#@\\".contains(&byte);
        if let Some(authority) = self.authority {
            return match String::from_utf8(authority.to_vec()) {
                Ok(own) if !own.is_empty() && own.bytes().all(is_legal) => Ok(own),
                _ => Err(RequestError::Host(lossy(authority))),
            };
        }
        let host = self.host;
        if host.is_empty() || !host.bytes().all(is_legal) {
            return Err(RequestError::Host(host.to_owned()));
        }
        let mut authority = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let default = if self.secure { 443 } else { 80 };
        if self.port != default {
            authority.push_str(&format!(":{}", self.port));
        }
        Ok(authority)
    }
}

/// Why a [`Request`] cannot be sent.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RequestError {
    /// The host is empty or has a character that a host has not.
    #[error("invalid host: {0:?}")]
    Host(String),
    /// The target has a character that must be percent-encoded.
    #[error("invalid path in URL: {0:?}")]
    Target(String),
    /// A subprotocol is not a token, or stands twice in the list.
    #[error("invalid or repeated subprotocol: {0:?}")]
    Protocol(String),
    /// A header cannot be added.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// An extended CONNECT: the pseudo-header fields, with `:method` CONNECT and
/// `:protocol` [`PROTOCOL`](super::PROTOCOL), and the header fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Http2Request {
    /// `:scheme`.
    pub scheme: &'static str,
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Checks the answer to an extended CONNECT.
#[derive(Debug)]
pub struct Http2Check {
    terms: Terms,
}

impl Http2Check {
    /// Takes the `:status` and the header fields of the answer, names in lower
    /// case. There is no Upgrade, Connection or Sec-WebSocket-Accept to look for
    /// (RFC 8441 section 5).
    ///
    /// # Errors
    ///
    /// A [`ResponseError`] fails the connection: the stream is to be reset.
    pub fn check<'h>(
        &self,
        status: u16,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Agreed, ResponseError> {
        if !(200..300).contains(&status) {
            return Err(ResponseError::Status(status));
        }
        let headers: Vec<_> = headers
            .into_iter()
            .map(|(name, value)| httparse::Header { name, value })
            .collect();
        self.terms.check(&headers)
    }
}

/// What an answer settles.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agreed {
    /// The subprotocol that the server picked.
    pub protocol: Option<String>,
    /// The parameters of permessage-deflate, where the server accepted it.
    pub deflate: Option<Parameters>,
}

/// Reads the server's answer as it arrives, and checks it.
#[derive(Debug)]
pub struct ResponseParser {
    received: Vec<u8>,
    /// The Sec-WebSocket-Accept that answers the request's key.
    accept: String,
    terms: Terms,
}

/// The server has agreed: the connection is open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The subprotocol that the server picked.
    pub protocol: Option<String>,
    /// The parameters of permessage-deflate, where the server accepted it.
    pub deflate: Option<Parameters>,
    /// How much of the last input belongs to the answer. What follows are
    /// frames.
    pub consumed: usize,
}

impl ResponseParser {
    /// The longest answer, in bytes of header.
    pub const MAX_LENGTH: usize = 64 << 10;

    /// The largest number of header lines in an answer.
    pub const MAX_HEADERS: usize = 128;

    /// Takes what was read. Returns `None` where more is needed. Interim
    /// answers (100, 102, 103) are passed over.
    ///
    /// # Errors
    ///
    /// A [`ResponseError`] fails the connection: the transport is to be closed.
    pub fn parse(&mut self, input: &[u8]) -> Result<Option<Response>, ResponseError> {
        let before = self.received.len();
        let room = Self::MAX_LENGTH - before;
        self.received
            .extend_from_slice(&input[..input.len().min(room)]);

        let mut start = 0;
        loop {
            let head = &self.received[start..];
            match self.parse_head(head)? {
                Head::Open { agreed, length } => {
                    let end = start + length;
                    self.received = Vec::new();
                    return Ok(Some(Response {
                        protocol: agreed.protocol,
                        deflate: agreed.deflate,
                        consumed: end - before,
                    }));
                }
                Head::Interim { length } => start += length,
                Head::Partial => break,
            }
        }
        if input.len() > room || self.received.len() == Self::MAX_LENGTH {
            return Err(ResponseError::TooLong {
                limit: Self::MAX_LENGTH,
            });
        }
        Ok(None)
    }

    fn parse_head(&self, bytes: &[u8]) -> Result<Head, ResponseError> {
        // Something that speaks another protocol may never send the end of a line.
        let start = bytes.len().min(STATUS_LINE_START.len());
        if bytes[..start] != STATUS_LINE_START[..start] {
            return Err(ResponseError::NotHttp);
        }
        let mut headers = [httparse::EMPTY_HEADER; ResponseParser::MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(Head::Partial),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(ResponseError::TooManyHeaders {
                    limit: ResponseParser::MAX_HEADERS,
                });
            }
            Err(error) => return Err(ResponseError::Malformed(error.to_string())),
        };
        match response.code {
            Some(101) => Ok(Head::Open {
                agreed: self.check(response.headers)?,
                length,
            }),
            Some(100..200) => Ok(Head::Interim { length }),
            code => Err(ResponseError::Status(code.unwrap_or_default())),
        }
    }

    /// Checks a header of status 101.
    fn check(&self, headers: &[httparse::Header<'_>]) -> Result<Agreed, ResponseError> {
        let upgrade = single(headers, "Upgrade")?.ok_or(ResponseError::Missing("Upgrade"))?;
        if !upgrade.eq_ignore_ascii_case(b"websocket") {
            return Err(ResponseError::Upgrade(lossy(upgrade)));
        }

        let mut connection = values(headers, "Connection").peekable();
        if connection.peek().is_none() {
            return Err(ResponseError::Missing("Connection"));
        }
        if !connection.any(|value| header::contains(value, "Upgrade")) {
            return Err(ResponseError::Connection);
        }

        let accept = single(headers, "Sec-WebSocket-Accept")?
            .ok_or(ResponseError::Missing("Sec-WebSocket-Accept"))?;
        if accept != self.accept.as_bytes() {
            return Err(ResponseError::Accept);
        }

        self.terms.check(headers)
    }
}

/// Why an answer does not open a connection.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ResponseError {
    /// The transport ended before the answer did. For the driver to report.
    #[error("Connection closed before receiving a handshake response")]
    Closed,
    /// The answer is not HTTP/1.1.
    #[error("The server did not answer with HTTP/1.1")]
    NotHttp,
    /// A header line is malformed.
    #[error("Malformed response: {0}")]
    Malformed(String),
    /// The header is too long.
    #[error("Handshake response exceeds the header size limit of {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The header has too many lines.
    #[error("Handshake response exceeds the limit of {limit} headers")]
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
    /// The status is not 101 or, over HTTP/2, not one of success. A redirect and
    /// a demand for credentials are failures too.
    #[error("Unexpected response code: {0}")]
    Status(u16),
    /// A header that must be there is not.
    #[error("'{0}' header is missing")]
    Missing(&'static str),
    /// A header that must be there once is there again.
    #[error("'{0}' header must not appear more than once in a response")]
    Repeated(&'static str),
    /// Upgrade names another protocol.
    #[error("'Upgrade' header value is not 'websocket': {0}")]
    Upgrade(String),
    /// Connection does not name Upgrade.
    #[error("'Connection' header value must contain 'Upgrade'")]
    Connection,
    /// Sec-WebSocket-Accept does not answer the request's key.
    #[error("Incorrect 'Sec-WebSocket-Accept' header value")]
    Accept,
    /// The server picked a subprotocol that was not offered.
    #[error(
        "'Sec-WebSocket-Protocol' header value '{0}' in response does not match any of sent values"
    )]
    Protocol(String),
    /// The server picked a subprotocol where none was offered.
    #[error(
        "Response must not include 'Sec-WebSocket-Protocol' header if not present in request: {0}"
    )]
    ProtocolUnasked(String),
    /// The server picked none of the subprotocols, and one is required.
    #[error("Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received")]
    ProtocolMissing,
    /// The server uses an extension that was not offered.
    #[error("Found an unsupported extension in 'Sec-WebSocket-Extensions' header: {0}")]
    Extension(String),
    /// The answer does not fit the offer of permessage-deflate.
    #[error("Invalid 'Sec-WebSocket-Extensions' header: {0}")]
    Deflate(#[from] deflate::AnswerError),
}

/// What the answer must agree with.
#[derive(Debug)]
struct Terms {
    protocols: Vec<String>,
    require_protocol: bool,
    deflate: Option<ClientConfig>,
}

impl Terms {
    fn check(&self, headers: &[httparse::Header<'_>]) -> Result<Agreed, ResponseError> {
        Ok(Agreed {
            deflate: self.check_extensions(headers)?,
            protocol: self.check_protocol(headers)?,
        })
    }

    fn check_extensions(
        &self,
        headers: &[httparse::Header<'_>],
    ) -> Result<Option<Parameters>, ResponseError> {
        let mut lines = values(headers, "Sec-WebSocket-Extensions");
        let Some(config) = &self.deflate else {
            return match lines.flat_map(header::elements).next() {
                Some(extension) => Err(ResponseError::Extension(lossy(extension))),
                None => Ok(None),
            };
        };
        match config.check_lines(&mut lines) {
            Err(deflate::AnswerError::Unknown(extension)) => {
                Err(ResponseError::Extension(extension))
            }
            other => Ok(other?),
        }
    }

    fn check_protocol(
        &self,
        headers: &[httparse::Header<'_>],
    ) -> Result<Option<String>, ResponseError> {
        match single(headers, "Sec-WebSocket-Protocol")? {
            None if self.require_protocol && !self.protocols.is_empty() => {
                Err(ResponseError::ProtocolMissing)
            }
            None => Ok(None),
            Some(protocol) if self.protocols.is_empty() => {
                Err(ResponseError::ProtocolUnasked(lossy(protocol)))
            }
            Some(protocol) => self
                .protocols
                .iter()
                .find(|offered| offered.as_bytes() == protocol)
                .map(|offered| Some(offered.clone()))
                .ok_or_else(|| ResponseError::Protocol(lossy(protocol))),
        }
    }
}

/// What stands at the start of the bytes received.
enum Head {
    /// The end of it has not come.
    Partial,
    /// An interim answer of so many bytes.
    Interim { length: usize },
    /// The answer that opens the connection.
    Open { agreed: Agreed, length: usize },
}

/// The values of the lines named `name`.
fn values<'h>(headers: &'h [httparse::Header<'h>], name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header::trim(header.value))
}

/// The value of the one line named `name`, if there is one.
fn single<'h>(
    headers: &'h [httparse::Header<'h>],
    name: &'static str,
) -> Result<Option<&'h [u8]>, ResponseError> {
    let mut values = values(headers, name);
    let value = values.next();
    match values.next() {
        Some(_) => Err(ResponseError::Repeated(name)),
        None => Ok(value),
    }
}

fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

const STATUS_LINE_START: &[u8] = b"HTTP/1.1 ";

#[cfg(test)]
mod tests {
    use super::*;

    /// The nonce of section 1.3, whose accept key the RFC gives.
    const NONCE: &[u8; 16] = b"the sample nonce";

    const REQUEST: Request<'static> = Request {
        authority: None,
        host: "example.com",
        port: 80,
        secure: false,
        target: "/chat?room=1",
        protocols: &[],
        require_protocol: false,
        deflate: None,
        headers: &[],
    };

    const OK: &str = "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn encode(request: &Request<'_>) -> String {
        let (bytes, _) = request.encode(*NONCE).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn parser(protocols: &[&str], require_protocol: bool) -> ResponseParser {
        let protocols: Vec<String> = protocols.iter().map(|&p| p.to_owned()).collect();
        let request = Request {
            protocols: &protocols,
            require_protocol,
            ..REQUEST
        };
        request.encode(*NONCE).unwrap().1
    }

    /// Parses an answer at once, cut in two at every place, and byte by byte.
    /// The results must be the same, but for what they count.
    fn parse(protocols: &[&str], answer: &str) -> Result<Option<Response>, ResponseError> {
        let at_once = parser(protocols, false).parse(answer.as_bytes());
        for cut in 0..answer.len() {
            let (head, tail) = answer.as_bytes().split_at(cut);
            let mut parser = parser(protocols, false);
            match parser.parse(head) {
                Ok(None) => match parser.parse(tail) {
                    Ok(Some(response)) => {
                        let whole = Response {
                            consumed: response.consumed + cut,
                            ..response
                        };
                        assert_eq!(Ok(Some(whole)), at_once);
                    }
                    other => assert_eq!(other, at_once),
                },
                other => assert_eq!(other, at_once),
            }
        }
        at_once
    }

    fn error(answer: &str) -> ResponseError {
        parse(&[], answer).unwrap_err()
    }

    /// The good answer with the first `from` replaced.
    fn answer(from: &str, to: &str) -> String {
        assert!(OK.contains(from));
        OK.replacen(from, to, 1) + "\r\n"
    }

    #[test]
    fn request() {
        let protocols = ["chat".to_owned(), "superchat".to_owned()];
        let request = Request {
            protocols: &protocols,
            headers: &[
                ("Origin", b"http://example.com"),
                ("Cookie", b"a=b"),
                ("Authorization", b"Basic eDp5"),
            ],
            ..REQUEST
        };
        assert_eq!(
            encode(&request),
            "GET /chat?room=1 HTTP/1.1\r\n\
             Host: example.com\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: chat, superchat\r\n\
             Origin: http://example.com\r\n\
             Cookie: a=b\r\n\
             Authorization: Basic eDp5\r\n\
             \r\n"
        );
    }

    #[test]
    fn host_header() {
        for (host, port, secure, expected) in [
            ("example.com", 80, false, "example.com"),
            ("example.com", 443, true, "example.com"),
            ("example.com", 443, false, "example.com:443"),
            ("example.com", 80, true, "example.com:80"),
            ("127.0.0.1", 8000, false, "127.0.0.1:8000"),
            ("[::1]", 8000, false, "[::1]:8000"),
            ("::1", 80, false, "[::1]"),
        ] {
            let request = Request {
                host,
                port,
                secure,
                ..REQUEST
            };
            assert!(encode(&request).contains(&format!("\r\nHost: {expected}\r\n")));
        }
    }

    #[test]
    fn another_host_header() {
        for authority in ["example.org", "example.org:99", "[::1]:1"] {
            let request = Request {
                authority: Some(authority.as_bytes()),
                ..REQUEST
            };
            assert!(encode(&request).contains(&format!("\r\nHost: {authority}\r\n")));
            assert_eq!(request.http2().unwrap().0.authority, authority);
        }
        for authority in ["", "a b", "a\r\nb", "a/b", "a@b", "\u{e9}"] {
            let request = Request {
                authority: Some(authority.as_bytes()),
                ..REQUEST
            };
            let error = request.encode(*NONCE).err();
            assert_eq!(error, Some(RequestError::Host(authority.to_owned())));
        }
    }

    #[test]
    fn request_target() {
        for (target, expected) in [
            ("", "/"),
            ("/", "/"),
            ("?a=b", "/?a=b"),
            ("/a%20b", "/a%20b"),
        ] {
            let request = Request { target, ..REQUEST };
            assert!(encode(&request).starts_with(&format!("GET {expected} HTTP/1.1\r\n")));
        }
    }

    #[test]
    fn illegal_requests() {
        let error = |request: Request<'_>| request.encode(*NONCE).unwrap_err();
        for host in ["", "a b", "a/b", "user@host", "a\r\nb", "\u{e9}"] {
            assert!(matches!(
                error(Request { host, ..REQUEST }),
                RequestError::Host(_)
            ));
        }
        for target in ["/a b", "/\r\nHost: x", "/\u{e9}", "/\0"] {
            assert!(matches!(
                error(Request { target, ..REQUEST }),
                RequestError::Target(_)
            ));
        }
        for protocols in [&["a b"][..], &[""], &["a", "b", "a"], &["a,b"]] {
            let protocols: Vec<String> = protocols.iter().map(|&p| p.to_owned()).collect();
            assert!(matches!(
                error(Request {
                    protocols: &protocols,
                    ..REQUEST
                }),
                RequestError::Protocol(_)
            ));
        }
        for name in ["Host", "upgrade", "Sec-WebSocket-Key", "Content-Length"] {
            assert!(matches!(
                error(Request {
                    headers: &[(name, b"x")],
                    ..REQUEST
                }),
                RequestError::Header(HeaderError::Reserved(_))
            ));
        }
        assert!(matches!(
            error(Request {
                headers: &[("X", b"a\nb")],
                ..REQUEST
            }),
            RequestError::Header(HeaderError::Value(_))
        ));
    }

    #[test]
    fn response() {
        let answer = format!("{OK}\r\n");
        assert_eq!(
            parse(&[], &answer),
            Ok(Some(Response {
                protocol: None,
                deflate: None,
                consumed: answer.len(),
            }))
        );
    }

    #[test]
    fn frames_behind_the_response() {
        let consumed = OK.len() + 2;
        let response = parse(&[], &format!("{OK}\r\n\x01\x02frames\r\n\r\n"));
        assert_eq!(response.unwrap().unwrap().consumed, consumed);
    }

    #[test]
    fn interim_responses() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let answer = format!("{interim}{OK}\r\n");
        assert_eq!(parse(&[], &answer).unwrap().unwrap().consumed, answer.len());
        assert_eq!(
            error(&format!("{interim}HTTP/1.1 404 Not Found\r\n\r\n")),
            ResponseError::Status(404)
        );
    }

    #[test]
    fn response_tokens_in_any_case() {
        for (from, to) in [
            ("Upgrade: websocket", "UPGRADE:  WebSocket "),
            ("Connection: Upgrade", "connection: keep-alive,upgrade"),
            (
                "Connection: Upgrade",
                "Connection: keep-alive\r\nConnection: Upgrade",
            ),
            ("Switching Protocols", ""),
        ] {
            assert!(parse(&[], &answer(from, to)).unwrap().is_some(), "{to}");
        }
    }

    #[test]
    fn response_status() {
        for status in [200, 301, 400, 401, 503] {
            assert_eq!(
                error(&format!(
                    "HTTP/1.1 {status} Some\r\nUpgrade: websocket\r\n\r\n"
                )),
                ResponseError::Status(status)
            );
        }
        assert_eq!(
            ResponseError::Status(200).to_string(),
            "Unexpected response code: 200"
        );
    }

    #[test]
    fn response_upgrade() {
        assert_eq!(
            error(&answer("Upgrade: websocket\r\n", "")),
            ResponseError::Missing("Upgrade")
        );
        assert_eq!(
            error(&answer("Upgrade: websocket", "Upgrade: h2c")),
            ResponseError::Upgrade("h2c".to_owned())
        );
        assert_eq!(
            error(&answer(
                "Upgrade: websocket",
                "Upgrade: websocket\r\nUpgrade: websocket"
            )),
            ResponseError::Repeated("Upgrade")
        );
    }

    #[test]
    fn response_connection() {
        assert_eq!(
            error(&answer("Connection: Upgrade\r\n", "")),
            ResponseError::Missing("Connection")
        );
        for value in ["close", "upgraded", ""] {
            assert_eq!(
                error(&answer(
                    "Connection: Upgrade",
                    &format!("Connection: {value}")
                )),
                ResponseError::Connection
            );
        }
    }

    #[test]
    fn response_accept() {
        let line = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert_eq!(
            error(&answer(&format!("{line}\r\n"), "")),
            ResponseError::Missing("Sec-WebSocket-Accept")
        );
        for other in [
            "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
            "Sec-WebSocket-Accept:",
        ] {
            assert_eq!(error(&answer(line, other)), ResponseError::Accept);
        }
        assert_eq!(
            error(&answer(line, &format!("{line}\r\n{line}"))),
            ResponseError::Repeated("Sec-WebSocket-Accept")
        );
    }

    #[test]
    fn response_protocol() {
        let picked = |protocol: &str| format!("{OK}Sec-WebSocket-Protocol: {protocol}\r\n\r\n");
        assert_eq!(
            parse(&["a", "b"], &picked("b")).unwrap().unwrap().protocol,
            Some("b".to_owned())
        );
        for other in ["B", "c", "a, b", ""] {
            assert_eq!(
                parse(&["a", "b"], &picked(other)),
                Err(ResponseError::Protocol(other.to_owned()))
            );
        }
        assert_eq!(
            parse(&[], &picked("a")),
            Err(ResponseError::ProtocolUnasked("a".to_owned()))
        );
        let twice = format!("{OK}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n");
        assert_eq!(
            parse(&["a"], &twice),
            Err(ResponseError::Repeated("Sec-WebSocket-Protocol"))
        );
    }

    #[test]
    fn response_without_protocol() {
        let answer = format!("{OK}\r\n");
        assert_eq!(parse(&["a"], &answer).unwrap().unwrap().protocol, None);
        assert_eq!(
            parser(&["a"], true).parse(answer.as_bytes()),
            Err(ResponseError::ProtocolMissing)
        );
        assert!(
            parser(&[], true)
                .parse(answer.as_bytes())
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn response_extensions() {
        assert_eq!(
            error(&format!(
                "{OK}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            )),
            ResponseError::Extension("permessage-deflate".to_owned())
        );
        let empty = format!("{OK}Sec-WebSocket-Extensions: \r\n\r\n");
        assert!(parse(&[], &empty).unwrap().is_some());
    }

    #[test]
    fn permessage_deflate() {
        let config = ClientConfig {
            server_no_context_takeover: true,
            ..ClientConfig::default()
        };
        let request = Request {
            deflate: Some(&config),
            ..REQUEST
        };
        assert!(encode(&request).contains(
            "\r\nSec-WebSocket-Extensions: permessage-deflate; \
             server_no_context_takeover; client_max_window_bits\r\n"
        ));

        let answer = |lines: &str| {
            let (_, mut parser) = request.encode(*NONCE).unwrap();
            parser
                .parse(format!("{OK}{lines}\r\n").as_bytes())
                .map(|response| response.unwrap().deflate)
        };
        let line = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";
        assert_eq!(answer(""), Ok(None));
        assert_eq!(
            answer(line),
            Ok(Some(Parameters {
                server_no_context_takeover: true,
                ..Parameters::default()
            }))
        );
        assert_eq!(
            answer(&format!("{line}{line}")),
            Err(ResponseError::Deflate(deflate::AnswerError::Repeated))
        );
        assert_eq!(
            answer("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            Err(ResponseError::Deflate(deflate::AnswerError::Missing(
                "server_no_context_takeover"
            )))
        );
        assert_eq!(
            answer("Sec-WebSocket-Extensions: foo; bar\r\n"),
            Err(ResponseError::Extension("foo".to_owned()))
        );
        assert!(matches!(
            answer("Sec-WebSocket-Extensions: a b\r\n"),
            Err(ResponseError::Deflate(deflate::AnswerError::Malformed(_)))
        ));
    }

    #[test]
    fn http2_request() {
        let protocols = ["chat".to_owned(), "superchat".to_owned()];
        let config = ClientConfig::default();
        let (request, _) = Request {
            port: 8443,
            secure: true,
            target: "chat",
            protocols: &protocols,
            deflate: Some(&config),
            headers: &[
                ("Origin", b"http://example.com"),
                ("X-Two", b"1"),
                ("x-two", b"2"),
                ("TE", b"trailers"),
                ("Keep-Alive", b"timeout=5"),
                ("Proxy-Connection", b"keep-alive"),
            ],
            ..REQUEST
        }
        .http2()
        .unwrap();
        assert_eq!(request.scheme, "https");
        assert_eq!(request.authority, "example.com:8443");
        assert_eq!(request.path, "/chat");
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(
            headers,
            [
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "chat, superchat"),
                (
                    "sec-websocket-extensions",
                    "permessage-deflate; client_max_window_bits"
                ),
                ("origin", "http://example.com"),
                ("x-two", "1"),
                ("x-two", "2"),
            ]
        );
        let (request, _) = REQUEST.http2().unwrap();
        assert_eq!(request.scheme, "http");
        assert_eq!(request.authority, "example.com");
    }

    #[test]
    fn illegal_http2_requests() {
        let error = |request: Request<'_>| request.http2().unwrap_err();
        assert!(matches!(
            error(Request {
                target: "/a b",
                ..REQUEST
            }),
            RequestError::Target(_)
        ));
        assert!(matches!(
            error(Request {
                host: "",
                ..REQUEST
            }),
            RequestError::Host(_)
        ));
        let twice = ["a".to_owned(), "a".to_owned()];
        assert!(matches!(
            error(Request {
                protocols: &twice,
                ..REQUEST
            }),
            RequestError::Protocol(_)
        ));
        for (name, value) in [
            ("Host", "x"),
            ("Sec-WebSocket-Key", "x"),
            (":path", "/"),
            ("x", "\n"),
        ] {
            assert!(matches!(
                error(Request {
                    headers: &[(name, value.as_bytes())],
                    ..REQUEST
                }),
                RequestError::Header(_)
            ));
        }
    }

    #[test]
    fn http2_response() {
        let protocols = ["a".to_owned(), "b".to_owned()];
        let config = ClientConfig::default();
        let (_, check) = Request {
            protocols: &protocols,
            require_protocol: true,
            deflate: Some(&config),
            ..REQUEST
        }
        .http2()
        .unwrap();
        let check = |status, headers: &[(&'static str, &'static str)]| {
            check.check(
                status,
                headers
                    .iter()
                    .map(|&(name, value)| (name, value.as_bytes())),
            )
        };
        let picked = ("sec-websocket-protocol", "b");
        let agreed = Agreed {
            protocol: Some("b".to_owned()),
            deflate: None,
        };
        assert_eq!(check(200, &[picked]), Ok(agreed.clone()));
        assert_eq!(
            check(
                204,
                &[
                    picked,
                    ("sec-websocket-extensions", "permessage-deflate"),
                    // Of no meaning here, and not looked at.
                    ("sec-websocket-accept", "x"),
                ]
            ),
            Ok(Agreed {
                deflate: Some(Parameters::default()),
                ..agreed
            })
        );
        for status in [101, 199, 300, 302, 401, 404, 501] {
            assert_eq!(check(status, &[picked]), Err(ResponseError::Status(status)));
        }
        assert_eq!(check(200, &[]), Err(ResponseError::ProtocolMissing));
        assert_eq!(
            check(200, &[picked, picked]),
            Err(ResponseError::Repeated("Sec-WebSocket-Protocol"))
        );
        assert_eq!(
            check(200, &[("sec-websocket-protocol", "c")]),
            Err(ResponseError::Protocol("c".to_owned()))
        );
        assert_eq!(
            check(200, &[picked, ("sec-websocket-extensions", "foo")]),
            Err(ResponseError::Extension("foo".to_owned()))
        );
    }

    #[test]
    fn not_http() {
        for other in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "\x15\x03\x01\x00\x02\x02\x46",
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/2 101\r\n\r\n",
            "\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            assert_eq!(error(other), ResponseError::NotHttp);
        }
    }

    #[test]
    fn malformed_headers() {
        for (from, to) in [
            ("Upgrade: websocket", "Upgrade websocket"),
            ("Upgrade: websocket", "Up grade: websocket"),
            ("Upgrade: websocket", "Upgrade: web\0socket"),
            ("101", "1O1"),
        ] {
            assert!(matches!(
                error(&answer(from, to)),
                ResponseError::Malformed(_)
            ));
        }
    }

    #[test]
    fn limits() {
        let many = OK.to_owned() + &"A: b\r\n".repeat(ResponseParser::MAX_HEADERS) + "\r\n";
        assert_eq!(error(&many), ResponseError::TooManyHeaders { limit: 128 });

        let head = format!("{OK}A: ");
        let mut parser = parser(&[], false);
        let mut left = ResponseParser::MAX_LENGTH - head.len();
        assert_eq!(parser.parse(head.as_bytes()), Ok(None));
        while left > 1000 {
            assert_eq!(parser.parse(&[b'a'; 1000]), Ok(None));
            left -= 1000;
        }
        let limit = ResponseParser::MAX_LENGTH;
        assert_eq!(
            parser.parse(&[b'a'; 1000]),
            Err(ResponseError::TooLong { limit })
        );
    }

    #[test]
    fn a_response_of_the_greatest_length() {
        let fill = |length: usize| {
            let head = format!("{OK}A: ");
            let filling = "a".repeat(length - head.len() - 4);
            head + &filling + "\r\n\r\n"
        };
        let limit = ResponseParser::MAX_LENGTH;
        let answer = fill(limit) + "frames";
        let response = parser(&[], false).parse(answer.as_bytes());
        assert_eq!(response.unwrap().unwrap().consumed, limit);
        let answer = fill(limit + 1);
        assert_eq!(
            parser(&[], false).parse(answer.as_bytes()),
            Err(ResponseError::TooLong { limit })
        );
    }
}
