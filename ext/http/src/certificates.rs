//! The certificates of a server that an embedder starts for its user. The certificates are files,
//! which are read again when they change.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use deno_tls::TlsError;
use deno_tls::load_certs;
use deno_tls::load_private_keys;
use deno_tls::rustls;
use deno_tls::rustls::ServerConfig;
use deno_tls::rustls::pki_types::ServerName;
use deno_tls::rustls::server::ClientHello;
use deno_tls::rustls::server::ParsedCertificate;
use deno_tls::rustls::server::ResolvesServerCert;
use deno_tls::rustls::sign::CertifiedKey;

/// The file of a certificate chain and the file of the private key of its first certificate, both
/// in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the server's own certificate first.
    pub chain: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Why a certificate is not used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("Unable to read {path}: {error}", path = .0.display(), error = .1)]
    Read(PathBuf, io::Error),
    /// A file does not contain the expected content.
    #[error("{path} has no usable {what}: {error}", path = .0.display(), what = .1, error = .2)]
    Content(PathBuf, &'static str, TlsError),
    /// The two files do not belong together.
    #[error(
        "{chain} and {key} do not fit together: {error}",
        chain = .0.chain.display(), key = .0.key.display(), error = .1
    )]
    Pair(CertificateFiles, rustls::Error),
    /// No file was given.
    #[error("no certificate")]
    None,
}

/// Certificates, chosen by the name that the client asks for (SNI, RFC 6066 section 3). A client
/// that asks for no name, or for another name, gets the first certificate.
///
/// The files are checked when a client connects, at most once a second. If a file has changed, its
/// pair is read again, and later connections get the new certificate. While a pair cannot be read,
/// or while its files do not belong together, the previous certificate stays in use.
pub struct Certificates {
    pairs: Mutex<Pairs>,
}

struct Pairs {
    list: Vec<Pair>,
    looked: Instant,
}

struct Pair {
    files: CertificateFiles,
    /// The versions of the files when they were read last, even if reading
    /// failed.
    seen: Option<[Version; 2]>,
    certificate: Arc<CertifiedKey>,
}

/// The properties of a file that change with its content.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CertificateError`] if a file cannot be read or has no usable content, if a key is not
    /// that of its certificate, or if there are no files.
    pub fn read(files: Vec<CertificateFiles>) -> Result<Arc<Self>, CertificateError> {
        if files.is_empty() {
            return Err(CertificateError::None);
        }
        let list = files.into_iter().map(Pair::read);
        Ok(Arc::new(Self {
            pairs: Mutex::new(Pairs {
                list: list.collect::<Result<_, _>>()?,
                looked: Instant::now(),
            }),
        }))
    }
}

impl PartialEq for Certificates {
    /// Whether both are the same object.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Certificates {}

impl fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificates")
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.look(Instant::now());
        pairs.find(client_hello.server_name())
    }
}

impl Pairs {
    /// Reads the pairs again that have changed.
    fn look(&mut self, now: Instant) {
        if now.duration_since(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        for pair in &mut self.list {
            pair.look();
        }
    }

    /// The certificate for `name`, or the first one.
    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = name
            .and_then(|name| ServerName::try_from(name).ok())
            .and_then(|name| self.list.iter().find(|pair| pair.is_for(&name)));
        Some(named.or(self.list.first())?.certificate.clone())
    }
}

impl Pair {
    fn read(files: CertificateFiles) -> Result<Self, CertificateError> {
        let seen = files.version();
        Ok(Self {
            certificate: files.read()?,
            seen,
            files,
        })
    }

    fn look(&mut self) {
        let version = self.files.version();
        // A file that does not exist is being replaced.
        if version.is_none() || version == self.seen {
            return;
        }
        self.seen = version;
        match self.files.read() {
            Ok(certificate) => {
                self.certificate = certificate;
                log::info!("Read {} again", self.files.chain.display());
            }
            Err(error) => log::warn!("{error}. The previous certificate stays in use"),
        }
    }

    fn is_for(&self, name: &ServerName<'_>) -> bool {
        let certificate = self.certificate.cert.first();
        certificate
            .and_then(|certificate| ParsedCertificate::try_from(certificate).ok())
            .is_some_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok())
    }
}

impl CertificateFiles {
    fn version(&self) -> Option<[Version; 2]> {
        Some([Version::of(&self.chain)?, Version::of(&self.key)?])
    }

    fn read(&self) -> Result<Arc<CertifiedKey>, CertificateError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|error| CertificateError::Read(path.to_path_buf(), error))
        };
        let content = |path: &Path, what| {
            let path = path.to_path_buf();
            move |error| CertificateError::Content(path, what, error)
        };
        let chain = load_certs(&mut read(&self.chain)?.as_slice())
            .map_err(content(&self.chain, "certificate"))?;
        let mut keys =
            load_private_keys(&read(&self.key)?).map_err(content(&self.key, "private key"))?;
        let pair = |error| CertificateError::Pair(self.clone(), error);
        let builder = ServerConfig::builder();
        let certified = CertifiedKey::from_der(chain, keys.remove(0), builder.crypto_provider());
        certified.map(Arc::new).map_err(pair)
    }
}

impl Version {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// The least time between two checks of the files.
const LOOK: Duration = Duration::from_secs(1);
