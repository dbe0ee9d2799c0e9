//! TLS on the load's side of a connection.

use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;

use crate::sys;

pub struct Tls {
    connection: ClientConnection,
}

/// Writes `cert.pem` and `key.pem` for localhost and 127.0.0.1 to a folder.
pub fn write_certificate(folder: &Path) -> Result<(), String> {
    let names = vec!["localhost".to_string(), "127.0.0.1".to_string()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|e| e.to_string())?;
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text)
            .map_err(|error| format!("{name} cannot be written: {error}"))
    };
    write("cert.pem", made.cert.pem())?;
    write("key.pem", made.signing_key.serialize_pem())
}

/// Trusts the certificate in a file.
pub fn trusting(certificate: &Path) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate)
        .map_err(|error| format!("{}: {error}", certificate.display()))?;
    roots.add(certificate).map_err(|e| e.to_string())?;
    Ok(Arc::new(
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    ))
}

impl Tls {
    pub fn new(config: Arc<ClientConfig>) -> Tls {
        let name = ServerName::try_from("localhost").expect("it is a name");
        let connection =
            ClientConnection::new(config, name).expect("the configuration is for any name");
        Tls { connection }
    }

    /// What was decrypted, or None where nothing is there now. 0 is the end.
    pub fn read(&mut self, fd: RawFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.connection.reader().read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) => return Err(error),
            }
            match self.connection.read_tls(&mut Socket(fd)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
            self.connection
                .process_new_packets()
                .map_err(io::Error::other)?;
            self.push(fd)?;
        }
    }

    /// How much was encrypted, or None where nothing is taken now.
    pub fn write(&mut self, fd: RawFd, bytes: &[u8]) -> io::Result<Option<usize>> {
        if !self.push(fd)? {
            return Ok(None);
        }
        let taken = self.connection.writer().write(bytes)?;
        self.push(fd)?;
        Ok((taken > 0).then_some(taken))
    }

    pub fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Whether the kernel has taken all there is.
    fn push(&mut self, fd: RawFd) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Socket(fd)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(true)
    }
}

struct Socket(RawFd);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        sys::read(self.0, buffer)?.ok_or(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sys::write(self.0, bytes)?.ok_or(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
