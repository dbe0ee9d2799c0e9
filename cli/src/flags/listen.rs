//! The flags for the address on which `duplex serve` listens, and for its limits.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;
use clap::Args;
use duplex_runtime::CertificateFiles;
use duplex_runtime::ServeOptions;

use super::host::parse_serve_host;
use super::runtime::NETWORK;

#[derive(Args)]
pub(super) struct ListenArgs {
    /// Listen on this port; 0 takes a free one [default: the program's port, PORT, or 8000]
    #[arg(long, value_name = "NUMBER", help_heading = NETWORK)]
    port: Option<u16>,
    /// Listen on this name or address [default: the program's hostname, or 0.0.0.0]
    #[arg(long, value_name = "HOST", value_parser = parse_serve_host, help_heading = NETWORK)]
    host: Option<String>,
    /// Listen on this unix socket, not on a port
    #[arg(long, value_name = "PATH", conflicts_with_all = ["port", "host", "tls_cert"], help_heading = NETWORK)]
    unix: Option<PathBuf>,
    /// Serve TLS with the certificate chain in this PEM file; repeat it for each name (SNI)
    #[arg(long, value_name = "FILE", requires = "tls_key", action = ArgAction::Append, help_heading = NETWORK)]
    tls_cert: Vec<PathBuf>,
    /// The private key of the certificate, a PEM file; both files are read again when they change
    #[arg(long, value_name = "FILE", requires = "tls_cert", action = ArgAction::Append, help_heading = NETWORK)]
    tls_key: Vec<PathBuf>,
    /// Accept at most N connections and WebSockets; close further connections at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = NETWORK)]
    max_connections: Option<u32>,
    /// Answer requests with longer bodies with status 413, unless the program sets a limit itself
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..), help_heading = NETWORK)]
    max_request_body_size: Option<u64>,
    /// After SIGINT or SIGTERM, drop connections that have not ended in this time [default: 8]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, help_heading = NETWORK)]
    shutdown_timeout: Option<Duration>,
}

impl ListenArgs {
    /// The files of the certificates: the first key belongs to the first certificate, and so on.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateFiles>, &'static str> {
        if self.tls_cert.len() != self.tls_key.len() {
            return Err("each --tls-cert needs a --tls-key, in the same order");
        }
        let pairs = self.tls_cert.iter().zip(&self.tls_key);
        let files = pairs.map(|(chain, key)| CertificateFiles {
            chain: chain.clone(),
            key: key.clone(),
        });
        Ok(files.collect())
    }

    pub(super) fn into_options(self) -> ServeOptions {
        ServeOptions {
            hostname: self.host,
            port: self.port,
            path: self.unix,
            max_connections: self.max_connections.map(|count| count as usize),
            max_request_body_size: self.max_request_body_size,
            shutdown_timeout: self.shutdown_timeout,
            ..ServeOptions::default()
        }
    }
}

/// Parses a number from 0 to 86,400, which may have a fraction.
fn parse_seconds(value: &str) -> Result<Duration, String> {
    value
        .parse()
        .ok()
        .filter(|seconds| (0.0..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected a number of seconds from 0 to 86400".to_string())
}
