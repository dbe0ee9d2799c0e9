//! The client's half of the handshake over HTTP/1.1 (RFC 6455 section 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::header::{self, HeaderError};
use super::{VERSION, accept_key};

/// What to ask of a server.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The host, as it stands in the URL: a name, an IPv4 address, or an IPv6
    /// address with or without its brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
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
        if !self.target.starts_with('/') {
            out.push(b'/');
        }
        if !self.target.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
            return Err(RequestError::Target(self.target.to_owned()));
        }
        out.extend_from_slice(self.target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");

        header::push(&mut out, "Host", self.authority()?.as_bytes());
        header::push(&mut out, "Upgrade", b"websocket");
        header::push(&mut out, "Connection", b"Upgrade");
        header::push(&mut out, "Sec-WebSocket-Key", key.as_bytes());
        header::push(&mut out, "Sec-WebSocket-Version", VERSION.as_bytes());
        if !self.protocols.is_empty() {
            for (i, protocol) in self.protocols.iter().enumerate() {
                if !header::is_token(protocol.as_bytes()) || self.protocols[..i].contains(protocol)
                {
                    return Err(RequestError::Protocol(protocol.clone()));
                }
            }
            let list = self.protocols.join(", ");
            header::push(&mut out, "Sec-WebSocket-Protocol", list.as_bytes());
        }
        for (name, value) in self.headers {
            header::push_extra(&mut out, name, value)?;
        }
        out.extend_from_slice(b"\r\n");

        let parser = ResponseParser {
            received: Vec::new(),
            expected: Expected {
                accept: accept_key(key.as_bytes()),
                protocols: self.protocols.to_vec(),
                require_protocol: self.require_protocol,
            },
        };
        Ok((out, parser))
    }

    /// The value of the Host header.
    fn authority(&self) -> Result<String, RequestError> {
        let host = self.host;
        let is_legal = |byte| matches!(byte, b'!'..=b'~') && !b"/?#@\\".contains(&byte);
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

/// Reads the server's answer as it arrives, and checks it.
#[derive(Debug)]
pub struct ResponseParser {
    received: Vec<u8>,
    expected: Expected,
}

/// The server has agreed: the connection is open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The subprotocol that the server picked.
    pub protocol: Option<String>,
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
            match parse_head(head, &self.expected)? {
                Head::Open { protocol, length } => {
                    let end = start + length;
                    self.received = Vec::new();
                    return Ok(Some(Response {
                        protocol,
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
    #[error("Response header exceeds {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The header has too many lines.
    #[error("Response has more than {limit} headers")]
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
    /// The status is not 101.
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
}

/// What the answer must agree with.
#[derive(Debug)]
struct Expected {
    accept: String,
    protocols: Vec<String>,
    require_protocol: bool,
}

impl Expected {
    /// Checks a header of status 101. Returns the subprotocol.
    fn check(&self, headers: &[httparse::Header<'_>]) -> Result<Option<String>, ResponseError> {
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

        // permessage-deflate is to be negotiated here; nothing is offered yet.
        if let Some(extension) = values(headers, "Sec-WebSocket-Extensions")
            .flat_map(header::elements)
            .next()
        {
            return Err(ResponseError::Extension(lossy(extension)));
        }

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
    Open {
        protocol: Option<String>,
        length: usize,
    },
}

fn parse_head(bytes: &[u8], expected: &Expected) -> Result<Head, ResponseError> {
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
            protocol: expected.check(response.headers)?,
            length,
        }),
        Some(100..200) => Ok(Head::Interim { length }),
        code => Err(ResponseError::Status(code.unwrap_or_default())),
    }
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
