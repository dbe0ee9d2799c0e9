//! TLS between simulated sockets, with a handshake that is made in memory.

use std::io;
use std::sync::{Arc, LazyLock};

use deno_tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use deno_tls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use deno_tls::rustls::pki_types::pem::PemObject;
use deno_tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use deno_tls::rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, ServerConfig,
    ServerConnection, SignatureScheme,
};

/// A client's and a server's end after the handshake.
pub(super) fn sessions() -> [Connection; 2] {
    let name = ServerName::try_from("simulation").unwrap();
    let client = ClientConnection::new(CONFIGS.0.clone(), name).unwrap();
    let server = ServerConnection::new(CONFIGS.1.clone()).unwrap();
    let mut ends = [Connection::from(client), Connection::from(server)];
    loop {
        let mut has_moved = false;
        for this in 0..2 {
            let mut bytes = Vec::new();
            while ends[this].wants_write() {
                ends[this].write_tls(&mut bytes).unwrap();
            }
            let mut rest = io::Cursor::new(bytes);
            while rest.position() < rest.get_ref().len() as u64 {
                ends[this ^ 1].read_tls(&mut rest).unwrap();
                ends[this ^ 1].process_new_packets().unwrap();
                has_moved = true;
            }
        }
        if !has_moved {
            return ends;
        }
    }
}

static CONFIGS: LazyLock<(Arc<ClientConfig>, Arc<ServerConfig>)> = LazyLock::new(|| {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(IDENTITY).unwrap();
    let key = PrivateKeyDer::from_pem_slice(IDENTITY).unwrap();
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider.clone())))
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    (Arc::new(client), Arc::new(server))
});

/// A certificate and its key, for the simulation only.
const IDENTITY: &[u8] = include_bytes!("identity.pem");

/// Accepts the certificate of any server.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
