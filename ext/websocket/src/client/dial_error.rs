//! The reasons why a dial has failed.

use std::io;
use std::time::Duration;

use deno_permissions::PermissionCheckError;
use duplex_protocol::handshake::client::{RequestError, ResponseError};

use crate::metrics::DialFailure;

/// Why a dial has failed.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum DialError {
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    /// A client of deno_fetch could not connect.
    #[class(generic)]
    #[error("{0}")]
    HttpClient(String),
    #[class(inherit)]
    #[error(transparent)]
    Resource(#[from] deno_core::error::ResourceError),
    #[class(generic)]
    #[error("dns error: failed to look up address of {host}: {error}")]
    Dns { host: String, error: io::Error },
    #[class(generic)]
    #[error("tcp connect error: {0}")]
    Connect(io::Error),
    #[class(generic)]
    #[error("{0}")]
    Tls(String),
    #[class(generic)]
    #[error("proxy {proxy}: {error}")]
    Proxy { proxy: String, error: String },
    #[class(generic)]
    #[error("{}", with_causes(.0))]
    Io(#[from] io::Error),
    #[class(generic)]
    #[error(transparent)]
    Request(#[from] RequestError),
    #[class(generic)]
    #[error(transparent)]
    Response(#[from] ResponseError),
    #[class(generic)]
    #[error("the server takes no WebSockets over HTTP/2, and the client has `http1: false`")]
    OnlyHttp2,
    #[class(generic)]
    #[error(
        "Handshake response over HTTP/2 is malformed, or exceeds the header size limit of \
         {limit} bytes"
    )]
    Http2Header { limit: u32 },
    #[class(generic)]
    #[error("no connection within the connectTimeout of {0:?}")]
    ConnectTimeout(Duration),
    #[class(generic)]
    #[error("the server did not answer the opening handshake within the handshakeTimeout of {0:?}")]
    HandshakeTimeout(Duration),
    #[class(type)]
    #[error("invalid URL: {0}")]
    Url(String),
    #[class(type)]
    #[error("invalid proxy ({0}); it takes http, https, socks5, socks5h, unix: or vsock:")]
    ProxyUrl(&'static str),
    #[class(type)]
    #[error("invalid localAddress: {0:?}")]
    LocalAddress(String),
}

impl DialError {
    /// The kind that the metrics count the failure as.
    pub(crate) fn kind(&self) -> DialFailure {
        match self {
            Self::Permission(_) => DialFailure::Permission,
            Self::Dns { .. } => DialFailure::Dns,
            Self::Connect(_) | Self::HttpClient(_) => DialFailure::Connect,
            Self::Tls(_) => DialFailure::Tls,
            Self::Proxy { .. } => DialFailure::Proxy,
            Self::Response(_) | Self::OnlyHttp2 | Self::Http2Header { .. } => DialFailure::Response,
            Self::ConnectTimeout(_) | Self::HandshakeTimeout(_) => DialFailure::Timeout,
            Self::Io(_) => DialFailure::Io,
            Self::Resource(_)
            | Self::Request(_)
            | Self::Url(_)
            | Self::ProxyUrl(_)
            | Self::LocalAddress(_) => DialFailure::Options,
        }
    }
}

/// The text of the error with the texts of all its causes. The innermost cause,
/// such as a fault of the certificate, comes last.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}
