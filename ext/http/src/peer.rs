//! The other end of a connection.

use std::net::SocketAddr;

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// A client that connected over TCP.
    Ip(SocketAddr),
    /// A unix socket: clients have no name of their own.
    Unix,
}
