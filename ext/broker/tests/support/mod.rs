//! Brokers for tests, and connections to them.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "../../../../tests/support/free_port.rs"]
mod free_port;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use duplex_broker::{Address, Dial, Dialled, Stream};
use tokio::net::TcpStream;

use free_port::free_port;

/// Only a guard against a test that hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) async fn limited<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it hangs")
}

/// Connections without TLS.
pub(crate) struct Plain;

impl Dial for Plain {
    fn connect<'a>(&'a self, address: &'a Address) -> Dialled<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn secure<'a>(&'a self, _address: &'a Address, _stream: Box<dyn Stream>) -> Dialled<'a> {
        Box::pin(async { Err(io::Error::other("no TLS in this test")) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nats,
    Redis,
}

/// A broker that a test starts. It is killed when it is dropped.
pub(crate) struct Server {
    pub kind: Kind,
    pub port: u16,
    pub has_password: bool,
    /// The folder of its data, if it keeps data.
    pub folder: Option<PathBuf>,
    child: Mutex<Option<Child>>,
}

/// One broker of each kind that is installed.
pub(crate) fn servers() -> Vec<Server> {
    servers_with(false)
}

pub(crate) fn servers_with(has_password: bool) -> Vec<Server> {
    servers_that(has_password, |_| None)
}

/// Brokers that keep their data, in folders for the test of this name.
pub(crate) fn servers_that_keep(test: &str) -> Vec<Server> {
    servers_that(false, |kind| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("broker-{test}-{kind:?}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Some(folder)
    })
}

fn servers_that(has_password: bool, folder: impl Fn(Kind) -> Option<PathBuf>) -> Vec<Server> {
    [(Kind::Nats, "nats-server"), (Kind::Redis, "redis-server")]
        .into_iter()
        .filter_map(|(kind, program)| {
            let found = Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if found.is_err() {
                println!("skipped: no {program}");
                return None;
            }
            let port = free_port();
            let mut server = Server {
                kind,
                port,
                has_password,
                folder: folder(kind),
                child: Mutex::new(None),
            };
            server.start();
            Some(server)
        })
        .collect()
}

impl Server {
    /// Starts the broker. Returns when it accepts connections.
    pub(crate) fn start(&mut self) {
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::Nats => {
                let mut command = Command::new("nats-server");
                command.args(["-a", "127.0.0.1", "-p", &port]);
                if let Some(folder) = &self.folder {
                    command.arg("-js").arg("-sd").arg(folder);
                }
                if self.has_password {
                    command.args(["--user", "user", "--pass", "secret"]);
                }
                command
            }
            Kind::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--bind", "127.0.0.1", "--port", &port]);
                match &self.folder {
                    None => command.args(["--save", "", "--appendonly", "no"]),
                    Some(folder) => command
                        .args([
                            "--save",
                            "",
                            "--appendonly",
                            "yes",
                            "--appendfsync",
                            "always",
                        ])
                        .arg("--dir")
                        .arg(folder),
                };
                if self.has_password {
                    command.args(["--requirepass", "secret"]);
                }
                command
            }
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        *self.child.lock().unwrap() = Some(child);
        let deadline = Instant::now() + LIMIT;
        while std::net::TcpStream::connect(self.address()).is_err() {
            assert!(Instant::now() < deadline, "{:?} does not start", self.kind);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) fn url(&self, user: &str, password: &str) -> String {
        let scheme = match self.kind {
            Kind::Nats => "nats",
            Kind::Redis => "redis",
        };
        match password {
            "" => format!("{scheme}://127.0.0.1:{}", self.port),
            password => format!("{scheme}://{user}:{password}@127.0.0.1:{}", self.port),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
