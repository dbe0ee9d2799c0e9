//! The log lines of each connection with `--log-level debug`: a line when the connection opens, and
//! a line when it has ended.
//!
//! Text that comes from a peer is quoted. Characters that could control the terminal or fake
//! another line are escaped. The query of a URL is left out, because many clients put a secret
//! there.

use std::fmt::Display;
use std::time::Duration;

use deno_core::url::{Position, Url};
use duplex_protocol::session::Ending;

use crate::connection::Connection;
use crate::metrics::here;

/// Whether these lines are logged.
pub fn is_on() -> bool {
    log::log_enabled!(log::Level::Debug)
}

/// The server's connection `id` of this thread has been opened, by a request for `path`.
pub fn opened(id: u32, peer: &dyn Display, path: &str, protocol: &str, extensions: &str) {
    let number = here().number;
    let path = path.split('?').next().unwrap_or_default();
    log::debug!(
        "WebSocket {number}.{id} opened: server, peer {peer}, path {path:?}, \
         protocol {protocol:?}, extensions {extensions:?}"
    );
}

/// A client that asked a server for a WebSocket was answered with this status.
pub fn refused(status: u16, peer: &dyn Display, path: &str) {
    let path = path.split('?').next().unwrap_or_default();
    log::debug!("WebSocket refused: server, peer {peer}, path {path:?}, status {status}");
}

/// A client's connection to `url` has been opened.
pub(crate) fn client_opened(connection: &Connection, url: &Url, protocol: &str, extensions: &str) {
    if is_on() {
        let (number, id) = (here().number, connection.id);
        log::debug!(
            "WebSocket {number}.{id} opened: client, peer {}, url {:?}, protocol {protocol:?}, \
             extensions {extensions:?}",
            peer_of(connection),
            bare(url),
        );
    }
}

/// A client has no connection to `url`.
pub(crate) fn client_failed(url: &Url, error: &dyn Display) {
    if is_on() {
        let error = error.to_string();
        log::debug!(
            "WebSocket failed: client, url {:?}, error {error:?}",
            bare(url)
        );
    }
}

/// A connection has ended.
pub(crate) fn closed(connection: &Connection, ending: &Ending, age: Duration) {
    if !is_on() {
        return;
    }
    let (number, id) = (here().number, connection.id);
    let role = match connection.class().is_client() {
        true => "client",
        false => "server",
    };
    let clean = match ending.was_clean {
        true => "clean",
        false => "not clean",
    };
    let Ending {
        code,
        reason,
        error,
        ..
    } = ending;
    let error = match error {
        Some(error) => format!(", error {error:?}"),
        None => String::new(),
    };
    log::debug!(
        "WebSocket {number}.{id} closed: {role}, peer {}, code {code}, reason {reason:?}, \
         {clean}{error}, after {:.3} s, {} bytes written",
        peer_of(connection),
        age.as_secs_f64(),
        connection.written(),
    );
}

fn peer_of(connection: &Connection) -> String {
    let peer = connection.peer();
    peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string())
}

/// A URL without its credentials, query and fragment.
fn bare(url: &Url) -> String {
    let rest = &url[Position::BeforeHost..Position::AfterPath];
    format!("{}://{rest}", url.scheme())
}
