//! TLS, by the roots and certificates of `deno_fetch`.

use std::sync::Arc;

use deno_tls::rustls::ClientConfig;
use deno_tls::rustls::pki_types::ServerName;
use deno_tls::{SocketUse, TlsClientConfigOptions, create_client_config};
use tokio_rustls::TlsConnector;

use super::dial_error::{DialError, with_causes};
use super::tcp::bare;
use crate::tls;
use crate::transport::Transport;

/// How to speak TLS, by what is to be agreed on in it (ALPN, RFC 7301).
pub(super) struct ClientTls {
    /// To a server: the versions of HTTP that are allowed.
    pub any: Arc<ClientConfig>,
    /// To a server whose HTTP/2 carries no WebSockets.
    pub http1: Arc<ClientConfig>,
    /// To a proxy.
    pub none: Arc<ClientConfig>,
}

impl ClientTls {
    /// Of `options` the field `socket_use` does not count.
    pub(super) fn new(
        options: TlsClientConfigOptions,
        http1: bool,
        http2: bool,
    ) -> Result<Self, DialError> {
        let none = create_client_config(TlsClientConfigOptions {
            socket_use: SocketUse::GeneralSsl,
            ..options
        })
        .map_err(|error| DialError::Tls(with_causes(&error)))?;
        let with = |protocols: &[&[u8]]| {
            let mut config = none.clone();
            config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
            Arc::new(config)
        };
        let any = match (http1, http2) {
            (true, true) => with(&[H2, HTTP1]),
            (false, true) => with(&[H2]),
            _ => with(&[HTTP1]),
        };
        Ok(Self {
            any,
            http1: with(&[HTTP1]),
            none: Arc::new(none),
        })
    }
}

/// Goes through the TLS handshake with `host` over `transport`. Returns what was
/// agreed on by ALPN as well.
///
/// # Errors
///
/// [`DialError::ClientTls`] in the words of rustls, such as `invalid peer certificate:
/// UnknownIssuer` or `received fatal alert: HandshakeFailure`.
pub(super) async fn connect(
    config: &Arc<ClientConfig>,
    host: &str,
    transport: Transport,
) -> Result<(Transport, Option<Vec<u8>>), DialError> {
    let name = ServerName::try_from(bare(host).to_owned())
        .map_err(|error| DialError::Tls(format!("{error}: {host}")))?;
    let stream = TlsConnector::from(config.clone())
        .connect(name, transport)
        .await
        .map_err(|error| DialError::Tls(explained(with_causes(&error))))?;
    let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let (carrier, session) = stream.into_inner();
    let transport = Transport::Tls(Box::new(tls::Tls::new(carrier, session.into())));
    Ok((transport, alpn))
}

/// The words of rustls, with what to do about a certificate as `openssl req -x509` makes it.
fn explained(mut message: String) -> String {
    if message.contains("CaUsedAsEndEntity") {
        message.push_str(
            ": the server's certificate is that of an authority. Make it with \
             `-addext basicConstraints=critical,CA:FALSE`",
        );
    }
    message
}

/// The names of ALPN.
pub(super) const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
