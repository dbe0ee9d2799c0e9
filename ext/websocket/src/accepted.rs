//! A connection that a program has accepted and may have to end from outside of the script.

use std::rc::{Rc, Weak};

use deno_core::OpState;
use duplex_protocol::close::Close;

use crate::connection::Connection;
use crate::hub::Hub;

/// A connection that [`accept`](crate::accept) took over, for a program that has to end it. A value
/// of this type keeps neither the connection nor its runtime alive. Clones stand for the same
/// connection.
///
/// Connections that end together are better put into a [`SocketGroup`](crate::SocketGroup).
#[derive(Clone)]
pub struct AcceptedConnection {
    hub: Weak<Hub>,
    connection: Weak<Connection>,
}

impl AcceptedConnection {
    /// The connection `id` of this runtime, while it lives.
    pub fn of(state: &mut OpState, id: u32) -> Option<Self> {
        let hub = Hub::of(state);
        let connection = hub.get(id)?;
        Some(Self {
            hub: Rc::downgrade(&hub),
            connection: Rc::downgrade(&connection),
        })
    }

    /// Begins the closing handshake (RFC 6455 section 7.1.2), after the messages that were sent.
    /// Nothing happens if the handshake has begun before.
    pub fn close(&self, close: &Close) {
        if let (Some(hub), Some(connection)) = (self.hub.upgrade(), self.connection.upgrade()) {
            hub.close(&connection, close);
        }
    }

    /// Drops the connection without a closing handshake. The script is told the end in a later turn
    /// of the event loop.
    pub fn terminate(&self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.terminate();
        }
    }
}
