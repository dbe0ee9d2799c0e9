//! TLS with the root certificates and client certificates of `deno_fetch`.

use std::sync::Arc;

use deno_tls::rustls::ClientConfig;
use deno_tls::rustls::pki_types::ServerName;
use deno_tls::{SocketUse, TlsClientConfigOptions, create_client_config};
use tokio_rustls::TlsConnector;

use super::dial_error::{DialError, with_causes};
use super::tcp::bare;
use crate::tls;
use crate::transport::Transport;

/// The configurations of TLS, by the protocols that they offer (ALPN, RFC
/// 7301).
pub(super) struct ClientTls {
    /// For a server: offers the allowed versions of HTTP.
    pub any: Arc<ClientConfig>,
    /// For a server whose HTTP/2 carries no WebSockets: offers HTTP/1.1.
    pub http1: Arc<ClientConfig>,
    /// For a proxy: offers nothing.
    pub none: Arc<ClientConfig>,
}

impl ClientTls {
    /// The field `socket_use` of `options` is ignored.
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

/// Goes through the TLS handshake with `host` over `transport`. Also returns
/// the protocol that ALPN agreed on.
///
/// # Errors
///
/// [`DialError::Tls`] with the message of rustls, such as `invalid peer certificate: UnknownIssuer`
/// or `received fatal alert: HandshakeFailure`.
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

/// The message of rustls, with advice if the certificate is one that `openssl req -x509` makes by
/// default.
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
