//! The other end of a connection.

use std::net::SocketAddr;

/// The client at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// A client that connected over TCP.
    Ip(SocketAddr),
    /// A client of a unix socket, which has no address.
    Unix,
}
