//! Starts the suite's own servers by `serve.py`, and fetches files from them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::suite::{Page, Scheme};

/// The servers. They stop when this is dropped, or when the runner ends in any way.
pub(crate) struct Server {
    announced: Announced,
    /// The servers run for as long as this process's standard input is open.
    _process: Child,
    folder: TempFolder,
    /// The files that were fetched, by host and path.
    cache: Mutex<HashMap<String, Bytes>>,
}

/// The line that `serve.py` prints.
#[derive(Deserialize)]
struct Announced {
    ports: HashMap<String, Vec<u16>>,
    authority: PathBuf,
}

impl Server {
    /// Starts the servers of the checkout in `suite` and waits until they are ready.
    ///
    /// # Errors
    /// If Python is missing, or the suite's servers do not start. The error contains their output.
    pub(crate) async fn start(suite: &Path) -> io::Result<Server> {
        let folder = TempFolder::new()?;
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/serve.py"))
            .arg(suite)
            .arg(&folder.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::other(format!("python3 cannot be started: {error}")))?;
        let (Some(stdout), Some(mut stderr)) = (process.stdout.take(), process.stderr.take())
        else {
            return Err(io::Error::other("the pipes are taken already"));
        };
        let log = tokio::spawn(async move {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log).await;
            log
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let waited = tokio::time::timeout(START_TIMEOUT, stdout.read_line(&mut line)).await;
        let announced = match waited {
            Ok(Ok(_)) => serde_json::from_str(&line).ok(),
            _ => None,
        };
        let Some(announced) = announced else {
            drop(process.stdin.take());
            let log = log.await.unwrap_or_default();
            return Err(io::Error::other(format!(
                "the suite's servers do not start:\n{}",
                log.trim_end()
            )));
        };
        Ok(Server {
            announced,
            _process: process,
            folder,
            cache: Mutex::default(),
        })
    }

    /// A folder for files that are needed only during the run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The PEM file with the certificate authority of the servers.
    pub(crate) fn authority(&self) -> &Path {
        &self.announced.authority
    }

    pub(crate) fn url(&self, page: &Page) -> String {
        let (scheme, server) = match page.scheme() {
            Scheme::Http => ("http", "http"),
            Scheme::Https => ("https", "https"),
            Scheme::H2 => ("https", "h2"),
        };
        let port = self.port(server);
        format!(
            "{scheme}://{}:{port}/{}{}",
            page.host(),
            page.path,
            page.variant
        )
    }

    /// Fetches the file at `path`, which begins with a slash, from the page's host. The contents do
    /// not depend on the scheme, so this is plain HTTP.
    ///
    /// # Errors
    /// If the server has no such file, or cannot be reached.
    pub(crate) async fn fetch(&self, page: &Page, path: &str) -> io::Result<Bytes> {
        let key = format!("{}{path}", page.host());
        if let Some(content) = self.cache().get(&key) {
            return Ok(content.clone());
        }
        let content = self
            .get(page.host(), path)
            .await
            .map_err(|error| io::Error::other(format!("{path}: {error}")))?;
        self.cache().insert(key, content.clone());
        Ok(content)
    }

    async fn get(&self, host: &str, path: &str) -> io::Result<Bytes> {
        let port = self.port("http");
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(connection);
        let request = Request::get(path)
            .header("host", format!("{host}:{port}"))
            .header("connection", "close")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let response = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        if !response.status().is_success() {
            return Err(io::Error::other(response.status().to_string()));
        }
        let body = response.into_body().collect().await;
        Ok(body.map_err(io::Error::other)?.to_bytes())
    }

    fn port(&self, server: &str) -> u16 {
        let ports = self.announced.ports.get(server);
        ports.and_then(|ports| ports.first()).copied().unwrap_or(0)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<String, Bytes>> {
        self.cache
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A folder that is removed with its contents when this is dropped.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> io::Result<TempFolder> {
        let path = std::env::temp_dir().join(format!("duplex-wpt-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(TempFolder(path))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How long the servers may take to start. The suite makes keys, and its Python code is not
/// compiled yet.
const START_TIMEOUT: Duration = Duration::from_secs(120);
