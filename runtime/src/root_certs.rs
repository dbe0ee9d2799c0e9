//! The certificate authorities that TLS clients trust.

use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

use deno_error::JsErrorBox;
use deno_tls::RootCertStoreProvider;
use deno_tls::rustls::RootCertStore;

/// Mozilla's list of authorities and those of the files that the user named
/// (`--cert`). Read when the first TLS connection is made.
#[derive(Default)]
pub struct RootCerts {
    files: Vec<PathBuf>,
    store: OnceLock<RootCertStore>,
}

impl RootCerts {
    /// `files` are PEM files; every certificate in them is trusted.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self {
            files,
            store: OnceLock::new(),
        }
    }

    fn load(&self) -> Result<RootCertStore, RootCertsError> {
        let mut store = deno_tls::create_default_root_cert_store();
        for path in &self.files {
            add_file(&mut store, path)?;
        }
        Ok(store)
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

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub enum RootCertsError {
    /// The file cannot be read.
    #[class(inherit)]
    #[error("Failed opening CA file \"{}\": {source}", path.display())]
    Open {
        path: PathBuf,
        #[inherit]
        source: std::io::Error,
    },
    /// The file holds no certificate in PEM form.
    #[class("InvalidData")]
    #[error("Unable to add PEM file \"{}\" to certificate store: {source}", path.display())]
    Parse {
        path: PathBuf,
        source: deno_tls::TlsError,
    },
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
