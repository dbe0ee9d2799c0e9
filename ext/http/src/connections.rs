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
pub struct Connections {
    list: RefCell<Slab<Rc<Control>>>,
    /// The number of connections of the event loop, where it shares them with others.
    load: Option<Arc<AtomicUsize>>,
    phase: Cell<Phase>,
    phase_changed: Notify,
    /// Whether this is one connection that the script accepted itself. Its end
    /// is not that of the WebSocket which it may become.
    is_lone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Listening,
    /// No new connections, no second request on those that are there.
    Draining,
    /// Nothing is left of it.
    Ended,
}

impl Connections {
    /// No connection yet. `load` counts those of the event loop.
    pub fn new(load: Option<Arc<AtomicUsize>>, is_lone: bool) -> Rc<Self> {
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
    pub fn enter(self: &Rc<Self>, control: Rc<Control>) -> Entry {
        let key = self.list.borrow_mut().insert(control.clone());
        Entry {
            connections: self.clone(),
            control,
            key,
            _load: self.load.as_ref().map(Load::new),
        }
    }

    /// Ends those that wait for something too long.
    pub fn sweep(&self, limits: &ServerLimits) {
        for (_, connection) in self.list.borrow().iter() {
            connection.sweep(limits);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Whether this is one connection that the script accepted itself.
    pub fn is_lone(&self) -> bool {
        self.is_lone
    }

    /// Whether new ones are accepted.
    pub fn is_listening(&self) -> bool {
        self.phase.get() == Phase::Listening
    }

    /// Whether the server is on its way to its end.
    pub fn is_ending(&self) -> bool {
        !self.is_lone && !self.is_listening()
    }

    /// Whether the server has ended.
    pub fn has_ended(&self) -> bool {
        self.phase.get() == Phase::Ended
    }

    /// Stops accepting, ends idle connections, lets exchanges end.
    pub fn shutdown(&self) {
        if self.is_listening() {
            self.set_phase(Phase::Draining);
            self.signal(Signal::Finish);
        }
    }

    /// Stops accepting and drops all connections.
    pub fn abort(&self) {
        if self.is_listening() {
            self.set_phase(Phase::Draining);
        }
        self.signal(Signal::Kill);
    }

    /// Nothing is left of the server.
    pub fn end(&self) {
        self.set_phase(Phase::Ended);
    }

    /// Waits until no connection is left.
    pub async fn ended(&self) {
        while !self.has_ended() {
            self.phase_changed.notified().await;
        }
    }

    /// Ends when something of the above may have changed.
    pub fn changed(&self) -> Notified<'_> {
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
pub struct Entry {
    connections: Rc<Connections>,
    /// The server's handle on it.
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
