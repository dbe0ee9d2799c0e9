//! The source of a server's connections: its own listener, or a listener that the event loops of
//! the program share.

use std::io;
use std::net::SocketAddr;

use crate::error::HttpError;
use crate::event_loops::SharedListener;
use crate::listener::Accepted;
use crate::listener::Listener;

/// The listener of a server.
pub(crate) enum ServerListener {
    /// A listener of this server alone.
    Own(Listener),
    /// A listener that the event loops of the program share.
    Shared(SharedListener),
}

impl ServerListener {
    /// See [`Listener::accept`]. Returns false if there will be no more
    /// connections.
    pub(crate) async fn accept(&mut self, each: impl FnMut(Accepted)) -> io::Result<bool> {
        match self {
            Self::Own(listener) => listener.accept(each).await.map(|()| true),
            Self::Shared(listener) => listener.accept(each).await,
        }
    }

    /// The listener, if the event loops of the program share it.
    pub(crate) fn as_shared(&self) -> Option<&SharedListener> {
        match self {
            Self::Own(_) => None,
            Self::Shared(listener) => Some(listener),
        }
    }

    /// See [`Listener::tcp_address`].
    pub(crate) fn tcp_address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Own(listener) => listener.tcp_address(),
            Self::Shared(listener) => Ok(listener.tcp_address()),
        }
    }

    /// See [`Listener::unix_path`].
    pub(crate) fn unix_path(&self) -> Result<Option<String>, HttpError> {
        match self {
            Self::Own(listener) => listener.unix_path(),
            Self::Shared(listener) => Ok(listener.unix_path()),
        }
    }

    /// See [`Listener::scheme`].
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Own(listener) => listener.scheme(),
            Self::Shared(listener) => listener.scheme(),
        }
    }

    /// See [`Listener::authority`].
    pub(crate) fn authority(&self) -> io::Result<String> {
        match self {
            Self::Own(listener) => listener.authority(),
            Self::Shared(listener) => Ok(listener.authority()),
        }
    }
}
