//! Brokers for one test: `nats-server` and `redis-server` from the PATH.
#![allow(dead_code)] // each target uses a part

#[path = "free_port.rs"]
mod free_port;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use free_port::free_port;

use crate::support::Running;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nats,
    Redis,
}

/// A broker for one test. It is killed when this is dropped.
pub(crate) struct Broker {
    pub kind: Kind,
    /// The address on which the broker listens.
    pub host: String,
    pub port: u16,
    /// The files of the certificate and the key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The folder in which the broker stores its data, if it stores any.
    pub folder: Option<PathBuf>,
    running: Option<Running>,
}

/// Starts one broker of each kind that is installed.
pub(crate) fn brokers() -> Vec<Broker> {
    brokers_in(|_| None)
}

/// Like [`brokers`], with folders for stored data, which have the name of the test.
pub(crate) fn brokers_that_keep(test: &str) -> Vec<Broker> {
    brokers_in(|kind| {
        let tests = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = tests.join(format!("brokers/{test}-{kind:?}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Some(folder)
    })
}

fn brokers_in(folder: impl Fn(Kind) -> Option<PathBuf>) -> Vec<Broker> {
    [(Kind::Nats, "nats-server"), (Kind::Redis, "redis-server")]
        .into_iter()
        .filter_map(|(kind, program)| {
            let mut command = Command::new(program);
            command
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if command.status().is_err() {
                println!("skipped: no {program}");
                return None;
            }
            let mut broker = Broker {
                kind,
                host: "127.0.0.1".to_string(),
                port: free_port(),
                tls: None,
                folder: folder(kind),
                running: None,
            };
            broker.start();
            Some(broker)
        })
        .collect()
}

impl Broker {
    /// Starts the broker, and returns when it accepts connections.
    pub(crate) fn start(&mut self) {
        let port = self.port.to_string();
        let (mut command, ready) = match self.kind {
            Kind::Nats => {
                let mut command = Command::new("nats-server");
                command.args(["-a", &self.host, "-p", &port]);
                if let Some(folder) = &self.folder {
                    command.arg("-js").arg("-sd").arg(folder);
                }
                if let Some((cert, key)) = &self.tls {
                    command.arg("--tls").arg("--tlscert").arg(cert);
                    command.arg("--tlskey").arg(key);
                }
                (command, "Server is ready")
            }
            Kind::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--bind", &self.host, "--protected-mode", "no", "--save", ""]);
                if let Some(folder) = &self.folder {
                    command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]);
                    command.arg(folder);
                }
                match &self.tls {
                    None => command.args(["--port", &port]),
                    Some((cert, key)) => command
                        .args([
                            "--port",
                            "0",
                            "--tls-port",
                            &port,
                            "--tls-auth-clients",
                            "no",
                        ])
                        .arg("--tls-cert-file")
                        .arg(cert)
                        .arg("--tls-key-file")
                        .arg(key)
                        .arg("--tls-ca-cert-file")
                        .arg(cert),
                };
                (command, "Ready to accept connections")
            }
        };
        let mut running = Running::start("the broker", &mut command).unwrap();
        running.line_with(ready).unwrap();
        self.running = Some(running);
    }

    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    pub(crate) fn url(&self) -> String {
        let (scheme, host) = match (self.kind, &self.tls) {
            (Kind::Nats, None) => ("nats", self.host.as_str()),
            (Kind::Nats, Some(_)) => ("tls", "localhost"),
            (Kind::Redis, None) => ("redis", self.host.as_str()),
            (Kind::Redis, Some(_)) => ("rediss", "localhost"),
        };
        format!("{scheme}://{host}:{}", self.port)
    }
}
