//! What `js/compat/node` needs of Rust: digests that do not wait, and TLS clients
//! that may trust anybody.

use std::sync::Arc;

use deno_core::FromV8;
use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::op2;
use deno_error::JsErrorBox;
use deno_net::DefaultTlsOptions;
use deno_net::UnsafelyIgnoreCertificateErrors;
use deno_net::ops_tls::TlsStreamResource;
use deno_net::raw::NetworkStream;
use deno_net::raw::take_network_stream_resource;
use deno_tls::SocketUse;
use deno_tls::TlsClientConfigOptions;
use deno_tls::TlsKey;
use deno_tls::TlsKeys;
use deno_tls::TlsStream;
use deno_tls::create_client_config;
use deno_tls::load_certs;
use deno_tls::load_private_keys;
use deno_tls::rustls::ClientConnection;
use deno_tls::rustls::pki_types::ServerName;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;
use sha2::Sha384;
use sha2::Sha512;

/// Bytes of plaintext that a TLS connection buffers in either direction.
const TLS_BUFFER: Option<std::num::NonZeroUsize> = std::num::NonZeroUsize::new(64 * 1024);

/// The digest of `bytes` by the algorithm of that name, or null where there is no
/// such algorithm.
#[op2]
#[buffer]
pub fn op_node_digest(#[string] name: &str, #[buffer] bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match name {
        "sha1" => Sha1::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        "sha384" => Sha384::digest(bytes).to_vec(),
        "sha512" => Sha512::digest(bytes).to_vec(),
        _ => return None,
    })
}

#[derive(FromV8)]
pub struct TlsClientOptions {
    /// For SNI, and what the certificate must be for.
    server_name: String,
    ca_certs: Vec<String>,
    /// Of the client; both or none, PEM.
    cert: Option<String>,
    key: Option<String>,
    alpn_protocols: Vec<String>,
    /// Whether a certificate that cannot be verified ends the handshake.
    reject_unauthorized: bool,
}

/// Makes the TCP connection `conn` the client's end of a TLS connection. Whether it may
/// be had at all was decided when it was opened.
#[op2]
#[smi]
pub fn op_node_tls_start(
    state: &mut OpState,
    #[smi] conn: ResourceId,
    #[scoped] options: TlsClientOptions,
) -> Result<ResourceId, JsErrorBox> {
    let server_name = ServerName::try_from(options.server_name.clone()).map_err(|_| {
        JsErrorBox::type_error(format!("Invalid server name: {}", options.server_name))
    })?;
    let cert_chain_and_key = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let certs = load_certs(&mut cert.as_bytes()).map_err(JsErrorBox::from_err)?;
            let mut keys = load_private_keys(key.as_bytes()).map_err(JsErrorBox::from_err)?;
            TlsKeys::Static(TlsKey(certs, keys.remove(0)))
        }
        _ => TlsKeys::Null,
    };
    let unsafely_ignore_certificate_errors = match options.reject_unauthorized {
        true => state
            .try_borrow::<UnsafelyIgnoreCertificateErrors>()
            .and_then(|it| it.0.clone()),
        false => Some(Vec::new()),
    };
    let mut config = create_client_config(TlsClientConfigOptions {
        root_cert_store: state.borrow::<DefaultTlsOptions>().root_cert_store()?,
        ca_certs: options
            .ca_certs
            .into_iter()
            .map(String::into_bytes)
            .collect(),
        unsafely_ignore_certificate_errors,
        unsafely_disable_hostname_verification: false,
        cert_chain_and_key,
        socket_use: SocketUse::GeneralSsl,
    })
    .map_err(JsErrorBox::from_err)?;
    config.alpn_protocols = options
        .alpn_protocols
        .into_iter()
        .map(String::into_bytes)
        .collect();
    let client = ClientConnection::new(Arc::new(config), server_name)
        .map_err(|error| JsErrorBox::generic(error.to_string()))?;
    let stream = take_network_stream_resource(&mut state.resource_table, conn)
        .map_err(JsErrorBox::from_err)?;
    let NetworkStream::Tcp(stream) = stream else {
        return Err(JsErrorBox::type_error("TLS takes a TCP connection"));
    };
    let stream = TlsStream::new_client_side(stream, client, TLS_BUFFER);
    Ok(state
        .resource_table
        .add(TlsStreamResource::new_tcp(stream.into_split())))
}
