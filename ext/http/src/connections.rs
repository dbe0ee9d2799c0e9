//! The connections of a server that speak HTTP, and whether there may be more.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use slab::Slab;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::control::Control;
use crate::control::Signal;
use crate::event_loops::Load;
use crate::limits::ServerLimits;
use crate::progress;

/// The list of a server's connections.
pub(crate) struct Connections {
    list: RefCell<Slab<Rc<Control>>>,
    /// The number of connections of the event loop, if it shares connections with other loops.
    load: Option<Arc<AtomicUsize>>,
    phase: Cell<Phase>,
    phase_changed: Notify,
    /// Whether this is one connection that the script accepted itself. The
    /// server ends when this connection becomes a WebSocket.
    is_lone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Listening,
    /// No new connections are accepted, and existing connections begin no
    /// further request.
    Draining,
    /// No connection is left.
    Ended,
}

impl Connections {
    /// An empty list. `load` counts the connections of the event loop.
    pub(crate) fn new(load: Option<Arc<AtomicUsize>>, is_lone: bool) -> Rc<Self> {
        if !is_lone {
            progress::note_listening();
        }
        Rc::new(Self {
            list: RefCell::default(),
            load,
            phase: Cell::new(Phase::Listening),
            phase_changed: Notify::new(),
            is_lone,
        })
    }

    /// Puts a connection on the list.
    pub(crate) fn enter(self: &Rc<Self>, control: Rc<Control>) -> Entry {
        let key = self.list.borrow_mut().insert(control.clone());
        Entry {
            connections: self.clone(),
            control,
            key,
            _load: self.load.as_ref().map(Load::new),
        }
    }

    /// Ends the connections that have been waiting for too long.
    pub(crate) fn sweep(&self, limits: &ServerLimits) {
        for (_, connection) in self.list.borrow().iter() {
            connection.sweep(limits);
        }
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Whether there is no connection.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Whether this is one connection that the script accepted itself.
    pub(crate) fn is_lone(&self) -> bool {
        self.is_lone
    }

    /// Whether new connections are accepted.
    pub(crate) fn is_listening(&self) -> bool {
        self.phase.get() == Phase::Listening
    }

    /// Whether the server is ending or has ended.
    pub(crate) fn is_ending(&self) -> bool {
        !self.is_lone && !self.is_listening()
    }

    /// Whether the server has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.phase.get() == Phase::Ended
    }

    /// Stops accepting, ends idle connections, and lets exchanges end.
    pub(crate) fn shutdown(&self) {
        if self.is_listening() {
            self.set_phase(Phase::Draining);
            self.signal(Signal::Finish);
        }
    }

    /// Stops accepting and drops all connections.
    pub(crate) fn abort(&self) {
        if self.is_listening() {
            self.set_phase(Phase::Draining);
        }
        self.signal(Signal::Kill);
    }

    /// No connection of the server is left.
    pub(crate) fn end(&self) {
        self.set_phase(Phase::Ended);
    }

    /// Waits until no connection is left.
    pub(crate) async fn ended(&self) {
        while !self.has_ended() {
            self.phase_changed.notified().await;
        }
    }

    /// Resolves when the phase or the list may have changed.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.phase_changed.notified()
    }

    fn set_phase(&self, phase: Phase) {
        self.leave_phase();
        self.phase.set(phase);
        self.phase_changed.notify_waiters();
    }

    fn leave_phase(&self) {
        if self.is_listening() && !self.is_lone {
            progress::note_not_listening();
        }
    }

    fn signal(&self, signal: Signal) {
        for (_, connection) in self.list.borrow().iter() {
            connection.send(signal);
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.leave_phase();
    }
}

/// A connection in the list of its server.
pub(crate) struct Entry {
    connections: Rc<Connections>,
    /// The server's handle on the connection.
    pub control: Rc<Control>,
    key: usize,
    _load: Option<Load>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.list.borrow_mut().remove(self.key);
        if self.connections.is_lone || !self.connections.is_listening() {
            self.connections.phase_changed.notify_waiters();
        }
    }
}
