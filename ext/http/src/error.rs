//! The errors of the ops of this crate, with the JavaScript class of each.

use std::io;

use deno_core::error::ResourceError;
use deno_permissions::PermissionCheckError;
use deno_tls::TlsError;

/// Why an op of this crate failed.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub enum HttpError {
    /// Binding failed: `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`…
    #[class(inherit)]
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Listening failed at an address: `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`…
    #[class(inherit)]
    #[error("{error}: cannot listen on {address}")]
    Listen {
        /// The error of the system.
        #[inherit]
        error: io::Error,
        /// A host and a port, or the path of a unix socket.
        address: String,
    },
    /// The program does not have the permission.
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    /// The resource does not exist, or is of another type.
    #[class(inherit)]
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// The stream of a connection cannot be taken: it is in use or closed.
    #[class(inherit)]
    #[error(transparent)]
    Take(#[from] deno_net::raw::TakeNetworkStreamError),
    /// The connection is not TCP, TLS or a unix socket.
    #[class(type)]
    #[error("Deno.serveHttp() takes TCP, TLS and unix connections")]
    UnsupportedStream,
    /// The name has no address.
    #[class(generic)]
    #[error("No resolved address found")]
    NoResolvedAddress,
    /// The path of a unix socket is not UTF-8 and cannot be reported to a
    /// script.
    #[class(generic)]
    #[error("Unix socket path is not valid UTF-8")]
    InvalidSocketPath,
    /// The certificate or its key cannot be read.
    #[class(inherit)]
    #[error("Error loading TLS certificate: {0}")]
    Tls(#[from] TlsError),
    /// The certificate and the key do not go together.
    #[class(generic)]
    #[error("Error creating TLS certificate: {0}")]
    Rustls(#[from] deno_tls::rustls::Error),
    /// The exchange is over, so its request cannot be read any more.
    #[class(type)]
    #[error("Request closed")]
    RequestClosed,
    /// The name of a header is not a token.
    #[class(type)]
    #[error("Invalid header name: \"{0}\"")]
    InvalidHeaderName(String),
    /// The value of a header has characters that are not allowed.
    #[class(type)]
    #[error("Invalid header value for \"{0}\"")]
    InvalidHeaderValue(String),
    /// The status is not a status of HTTP.
    #[class(range)]
    #[error("Invalid response status: {0}")]
    InvalidStatus(u16),
    /// [`upgradeWebSocket`] was called twice for one request.
    ///
    /// [`upgradeWebSocket`]: https://docs.deno.com/api/deno/~/Deno.upgradeWebSocket
    #[class("Http")]
    #[error("Already upgraded")]
    AlreadyUpgraded,
    /// The request was answered before it was upgraded.
    #[class("Http")]
    #[error("Already closed")]
    AlreadyClosed,
    /// The handshake is legal, but the connection cannot be taken over, for
    /// instance because it was taken over before.
    #[class("Http")]
    #[error("The connection of this request cannot be upgraded")]
    UpgradeUnavailable,
    /// The client went away, or broke the protocol, while the connection was
    /// being taken over.
    #[class("Http")]
    #[error("The connection was closed during the upgrade: {0}")]
    UpgradeFailed(String),
    /// Another server of the same topics keeps another history.
    #[class(type)]
    #[error("Invalid topics.history: another server with the same topics has other values")]
    OtherHistory,
    /// The URL is not that of a broker.
    #[class(type)]
    #[error("Invalid topics.broker: {0}")]
    BrokerUrl(duplex_broker::AddressError),
    /// The certificate authorities that the program trusts cannot be read.
    #[class(inherit)]
    #[error(transparent)]
    Roots(deno_error::JsErrorBox),
    /// The broker cannot be reached.
    #[class(generic)]
    #[error(transparent)]
    Flush(duplex_broker::FlushError),
    /// A message was not recorded, or it is not known whether it was.
    #[class(generic)]
    #[error("{0}")]
    Record(String),
}
