//! The certificate authorities that TLS clients trust.

use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use deno_error::JsErrorBox;
use deno_tls::RootCertStoreProvider;
use deno_tls::deno_native_certs::load_native_certs;
use deno_tls::rustls::RootCertStore;

/// The certificate authorities of some lists, and those in the files that the user named
/// (`--cert`). They are read when the first TLS connection is made.
pub struct RootCerts {
    lists: Vec<CertList>,
    files: Vec<PathBuf>,
    store: OnceLock<RootCertStore>,
}

impl RootCerts {
    /// Makes this from lists and PEM files. Every certificate in the files is trusted.
    pub fn new(lists: Vec<CertList>, files: Vec<PathBuf>) -> Self {
        Self {
            lists,
            files,
            store: OnceLock::new(),
        }
    }

    fn load(&self) -> Result<RootCertStore, RootCertsError> {
        let mut store = RootCertStore::empty();
        for list in &self.lists {
            match list {
                CertList::Mozilla => {
                    store.extend(deno_tls::webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                }
                CertList::System => add_system_certs(&mut store)?,
            }
        }
        for path in &self.files {
            add_file(&mut store, path)?;
        }
        Ok(store)
    }
}

/// The default is Mozilla's list.
impl Default for RootCerts {
    fn default() -> Self {
        Self::new(vec![CertList::Mozilla], Vec::new())
    }
}

impl RootCertStoreProvider for RootCerts {
    fn get_or_try_init(&self) -> Result<&RootCertStore, JsErrorBox> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = self.load().map_err(JsErrorBox::from_err)?;
        Ok(self.store.get_or_init(|| store))
    }
}

/// A list of certificate authorities (`DENO_TLS_CA_STORE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertList {
    /// The authorities that Mozilla's products trust, at the time of the build.
    Mozilla,
    /// The authorities that this machine trusts.
    System,
}

impl FromStr for CertList {
    type Err = RootCertsError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "mozilla" => Ok(Self::Mozilla),
            "system" => Ok(Self::System),
            _ => Err(RootCertsError::UnknownList(name.to_string())),
        }
    }
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub enum RootCertsError {
    /// No list has this name.
    #[class(type)]
    #[error("Unknown certificate store \"{0}\" specified (allowed: \"system,mozilla\")")]
    UnknownList(String),
    /// The certificates of the machine cannot be read.
    #[class(inherit)]
    #[error("Failed to load the system's certificates: {source}")]
    System {
        /// The system's error.
        #[inherit]
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[class(inherit)]
    #[error("Failed opening CA file \"{}\": {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[inherit]
        source: std::io::Error,
    },
    /// The file holds no certificate in PEM form.
    #[class("InvalidData")]
    #[error("Unable to add PEM file \"{}\" to certificate store: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: deno_tls::TlsError,
    },
}

fn add_system_certs(store: &mut RootCertStore) -> Result<(), RootCertsError> {
    let certs = load_native_certs().map_err(|source| RootCertsError::System { source })?;
    // A machine may have certificates that rustls does not accept. They are left out.
    store.add_parsable_certificates(certs.into_iter().map(|cert| cert.0.into()));
    Ok(())
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), RootCertsError> {
    let file = std::fs::File::open(path).map_err(|source| RootCertsError::Open {
        path: path.to_path_buf(),
        source,
    })?;
    let certs = deno_tls::load_certs(&mut BufReader::new(file)).map_err(|source| {
        RootCertsError::Parse {
            path: path.to_path_buf(),
            source,
        }
    })?;
    store.add_parsable_certificates(certs);
    Ok(())
}
