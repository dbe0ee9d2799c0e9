//! The server's answer: reading and checking it.

use thiserror::Error;

use crate::deflate::{self, ClientConfig, Parameters};
use crate::handshake::header;

/// Checks the answer to an extended CONNECT.
#[derive(Debug)]
pub struct Http2Check {
    pub(super) terms: Requested,
}

impl Http2Check {
    /// Takes the `:status` and the header fields of the answer, names in lower
    /// case. The answer has no Upgrade, Connection or Sec-WebSocket-Accept (RFC
    /// 8441 section 5).
    ///
    /// # Errors
    ///
    /// A [`ResponseError`] fails the connection: the stream must be reset.
    pub fn check<'h>(
        &self,
        status: u16,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Negotiated, ResponseError> {
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

/// The terms that an answer settles.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Negotiated {
    /// The subprotocol that the server picked.
    pub protocol: Option<String>,
    /// The parameters of permessage-deflate, if the server accepted the offer.
    pub deflate: Option<Parameters>,
}

/// Reads the server's answer as it arrives, and checks it.
#[derive(Debug)]
pub struct ResponseParser {
    pub(super) received: Vec<u8>,
    /// The Sec-WebSocket-Accept that answers the request's key.
    pub(super) accept: String,
    pub(super) terms: Requested,
}

/// The server has agreed: the connection is open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The subprotocol that the server picked.
    pub protocol: Option<String>,
    /// The parameters of permessage-deflate, if the server accepted the offer.
    pub deflate: Option<Parameters>,
    /// How many bytes of the last input belong to the answer. The bytes that
    /// follow are frames.
    pub consumed: usize,
}

impl ResponseParser {
    /// The longest answer, interim answers included, in bytes: 64 KiB.
    pub const MAX_LENGTH: usize = 64 << 10;

    /// The largest number of header lines in an answer.
    pub const MAX_HEADERS: usize = 128;

    /// Takes the bytes that were read. Returns `None` if more bytes are needed.
    /// Interim answers (100, 102, 103) are passed over.
    ///
    /// # Errors
    ///
    /// A [`ResponseError`] fails the connection: the transport must be closed.
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
        // A server of another protocol may never send the end of a line.
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
    fn check(&self, headers: &[httparse::Header<'_>]) -> Result<Negotiated, ResponseError> {
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
    /// The transport ended before the answer did. The driver reports this
    /// error; the parser does not.
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
    /// The status is not 101 or, over HTTP/2, not 200-299. A redirect and a
    /// demand for credentials are failures too.
    #[error("Unexpected response code: {0}")]
    Status(u16),
    /// A required header is missing.
    #[error("'{0}' header is missing")]
    Missing(&'static str),
    /// A header that must occur only once occurs more often.
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
    /// The server picked a subprotocol although none was offered.
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
    Deflate(#[from] deflate::DeflateAnswerError),
}

/// What the answer must agree with.
#[derive(Debug)]
pub(super) struct Requested {
    pub(super) protocols: Vec<String>,
    pub(super) require_protocol: bool,
    pub(super) deflate: Option<ClientConfig>,
}

impl Requested {
    fn check(&self, headers: &[httparse::Header<'_>]) -> Result<Negotiated, ResponseError> {
        Ok(Negotiated {
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
            Err(deflate::DeflateAnswerError::Unknown(extension)) => {
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

/// The head at the start of the received bytes.
enum Head {
    /// The end of the head has not come.
    Partial,
    /// An interim answer, `length` bytes long.
    Interim { length: usize },
    /// The answer that opens the connection.
    Open { agreed: Negotiated, length: usize },
}

/// The values of the lines named `name`.
fn values<'h>(headers: &'h [httparse::Header<'h>], name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header::trim(header.value))
}

/// The value of the only line named `name`, or `None` without such a line.
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

pub(super) fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

const STATUS_LINE_START: &[u8] = b"HTTP/1.1 ";
