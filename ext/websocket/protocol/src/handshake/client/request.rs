//! The request of a client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::response::{Http2Check, Requested, ResponseParser, lossy};
use crate::deflate::ClientConfig;
use crate::handshake::header::{self, HeaderError};
use crate::handshake::{VERSION, accept_key};

/// The parts of a client's request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The host, as it stands in the URL: a name, an IPv4 address, or an IPv6
    /// address with or without its brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The value of the Host header, if it differs from `host` and `port`.
    pub authority: Option<&'a [u8]>,
    /// Whether the URL's scheme is `wss`. The scheme decides the default port,
    /// which the Host header leaves out.
    pub secure: bool,
    /// Path and query of the URL, percent-encoded. An empty path is `/`. A proxy that does not
    /// tunnel is sent the whole URL with the scheme `http` or `https` (RFC 9112 section 3.2.2).
    pub target: &'a str,
    /// The subprotocols to offer, in order of preference.
    pub protocols: &'a [String],
    /// Whether the handshake fails if the server picks none of `protocols`, as
    /// the WHATWG standard asks (section "establish a WebSocket connection").
    /// RFC 6455 by itself lets the handshake succeed.
    pub require_protocol: bool,
    /// The offer of permessage-deflate (RFC 7692), or `None` to offer nothing.
    pub deflate: Option<&'a ClientConfig>,
    /// Headers to add, such as Origin, User-Agent, Cookie or Authorization.
    /// [Reserved](header::is_reserved) ones are refused.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl Request<'_> {
    /// Returns the bytes to send, and the parser for the answer. `nonce` must
    /// be random and used once.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if a part cannot stand in a request.
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
    /// check for the answer. The client may send the request if the server's
    /// SETTINGS frame has SETTINGS_ENABLE_CONNECT_PROTOCOL with the value 1.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if a part cannot stand in a request.
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

    fn terms(&self) -> Requested {
        Requested {
            protocols: self.protocols.to_vec(),
            require_protocol: self.require_protocol,
            deflate: self.deflate.copied(),
        }
    }

    fn path(&self) -> Result<String, RequestError> {
        if !self.target.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
            return Err(RequestError::Target(self.target.to_owned()));
        }
        let is_whole = ["/", "http://", "https://"]
            .iter()
            .any(|start| self.target.starts_with(start));
        Ok(match is_whole {
            true => self.target.to_owned(),
            false => format!("/{}", self.target),
        })
    }

    /// The value of Sec-WebSocket-Protocol, if there are subprotocols to offer.
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
    /// The host is empty or has a character that a host cannot have.
    #[error("invalid host: {0:?}")]
    Host(String),
    /// The target has a character that must be percent-encoded.
    #[error("invalid path in URL: {0:?}")]
    Target(String),
    /// A subprotocol is not a token, or occurs twice in the list.
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
