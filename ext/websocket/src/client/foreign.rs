//! Connecting with a `Deno.HttpClient` that only deno_fetch knows. Deno makes such clients. An
//! embedder that exposes deno_fetch's `createHttpClient()` makes them too.

use std::error::Error as _;

use deno_fetch::{Client, ClientConnectError};
use deno_tls::SocketUse;
use http::Uri;
use hyper_util::client::legacy::connect::Connection;

use super::dial_error::{DialError, with_causes};
use crate::transport::Transport;

/// A connection on which the opening handshake can begin. It carries HTTP/1.1.
pub(super) struct Connected {
    pub transport: Transport,
    /// Whether the other end is a proxy, which must be sent the whole URL.
    pub is_proxied: bool,
    /// Headers for the proxy.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Connects to `uri`, which is an `http` or `https` URL. The client handles proxies and TLS.
pub(super) async fn connect(client: &Client, uri: Uri) -> Result<Connected, DialError> {
    let mut request = http::Request::builder().uri(uri.clone());
    client.inject_common_headers(&mut request);
    let headers = request
        .headers_ref()
        .into_iter()
        .flatten()
        .filter(|(name, _)| **name == http::header::PROXY_AUTHORIZATION)
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    let stream = client
        .connect(uri, SocketUse::Http1Only)
        .await
        .map_err(why)?;
    Ok(Connected {
        is_proxied: stream.connected().is_proxied(),
        transport: Transport::Stream(Box::new(stream)),
        headers,
    })
}

fn why(error: ClientConnectError) -> DialError {
    let text = match &error {
        ClientConnectError::Connector(error) => with_causes(&**error),
        other => match other.source() {
            Some(cause) => format!("{other}: {}", with_causes(cause)),
            None => other.to_string(),
        },
    };
    DialError::HttpClient(text)
}
