//! Where a server has its connections from: a listener of its own, or one that the event
//! loops of the program share.

use std::io;
use std::net::SocketAddr;

use crate::error::HttpError;
use crate::event_loops::SharedListener;
use crate::listener::Accepted;
use crate::listener::Listener;

/// The listener of a server.
pub(crate) enum ServerListener {
    /// One that no other server has.
    Own(Listener),
    /// One that the event loops of the program have in common.
    Shared(SharedListener),
}

impl ServerListener {
    /// As [`Listener::accept`]. Returns false when there will be no more.
    pub(crate) async fn accept(&mut self, each: impl FnMut(Accepted)) -> io::Result<bool> {
        match self {
            Self::Own(listener) => listener.accept(each).await.map(|()| true),
            Self::Shared(listener) => listener.accept(each).await,
        }
    }

    /// The listener where the event loops of the program have it in common.
    pub(crate) fn as_shared(&self) -> Option<&SharedListener> {
        match self {
            Self::Own(_) => None,
            Self::Shared(listener) => Some(listener),
        }
    }

    /// As [`Listener::tcp_address`].
    pub(crate) fn tcp_address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Own(listener) => listener.tcp_address(),
            Self::Shared(listener) => Ok(listener.tcp_address()),
        }
    }

    /// As [`Listener::unix_path`].
    pub(crate) fn unix_path(&self) -> Result<Option<String>, HttpError> {
        match self {
            Self::Own(listener) => listener.unix_path(),
            Self::Shared(listener) => Ok(listener.unix_path()),
        }
    }

    /// As [`Listener::scheme`].
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Own(listener) => listener.scheme(),
            Self::Shared(listener) => listener.scheme(),
        }
    }

    /// As [`Listener::authority`].
    pub(crate) fn authority(&self) -> io::Result<String> {
        match self {
            Self::Own(listener) => listener.authority(),
            Self::Shared(listener) => Ok(listener.authority()),
        }
    }
}
