//! All connections of one runtime: readiness, timers, delivery.
//!
//! | module | concern |
//! |---|---|
//! | [`ready_list`] | the connections that can be read or written to again |
//! | [`reading`] | the first half of a run: reading, decoding and delivering |
//! | [`delivery`] | what the application is told |
//! | [`dirty_list`] | the connections that have something to write |
//! | [`send_batch`] | writing to many sockets by one system call |
//! | [`event_loop`] | what a hub asks of the event loop that it lives in |
//! | [`deadlines`] | when to look at which connection |
//!
//! The waker of a connection puts the connection on a list, and schedules one
//! task in the event loop. The task runs when the script's stack is empty. The
//! task reads each connection into one shared buffer and calls the script once
//! for each message. After each call the task drains the microtasks, as a
//! browser does. At its end the task writes what the script sent, with one
//! write for all messages to a connection.
//!
//! This module does not know the engine. Each [run](Hub::run) takes the engine as a [`Delivery`],
//! and [`Hub::new`] takes the event loop as an [`EventLoop`]. The module `script` has both.

mod deadlines;
pub(crate) mod delivery;
pub(crate) mod dirty_list;
mod event_loop;
mod reading;
mod ready_list;
#[cfg(target_os = "linux")]
pub(crate) mod send_batch;
#[cfg(all(test, target_os = "linux"))]
mod simulation;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use duplex_protocol::close::{ABNORMAL_CLOSURE, Close};
use duplex_protocol::session::Ending;
use slab::Slab;

use self::deadlines::Deadlines;
use self::delivery::{Delivery, Events};
use self::dirty_list::DirtyList;
pub(crate) use self::event_loop::EventLoop;
pub(crate) use self::ready_list::ReadyList;
#[cfg(target_os = "linux")]
use self::send_batch::SendBatch;
use crate::connection::{Connection, Due, SendStatus, Settings};
use crate::connection_log;
use crate::metrics::{PassedLimit, here};
use crate::network_events;
use crate::recycler::Recycler;

/// The connections of one runtime.
pub(crate) struct Hub {
    connections: RefCell<Slab<Rc<Connection>>>,
    ready: Arc<ReadyList>,
    /// Connections with something to write.
    dirty: DirtyList<Connection>,
    #[cfg(target_os = "linux")]
    batch: SendBatch,
    deadlines: RefCell<Deadlines>,
    /// Whether [`Hub::run`] runs, which flushes at its end.
    is_running: Cell<bool>,
    /// The buffer that all connections read into, one after the other.
    read_buffer: Cell<Vec<u8>>,
    /// The settings of the newest connection.
    settings: RefCell<Rc<Settings>>,
    recycler: Recycler,
    event_loop: Box<dyn EventLoop>,
}

impl Hub {
    /// A hub whose [`run`](Self::run) is called when `ready` asks for it.
    pub(crate) fn new(ready: Arc<ReadyList>, event_loop: Box<dyn EventLoop>) -> Self {
        Self {
            connections: RefCell::default(),
            ready,
            dirty: DirtyList::default(),
            #[cfg(target_os = "linux")]
            batch: SendBatch::default(),
            deadlines: RefCell::new(Deadlines::new(event_loop.now())),
            is_running: Cell::new(false),
            read_buffer: Cell::default(),
            settings: RefCell::default(),
            recycler: Recycler::default(),
            event_loop,
        }
    }

    /// This hub, with a kernel that the test simulates.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn with_batch(mut self, batch: SendBatch) -> Self {
        self.batch = batch;
        self
    }

    /// Adds the connection that `new` makes. `new` takes the connection's id,
    /// its waker and the current time.
    pub(crate) fn add(
        &self,
        new: impl FnOnce((u32, Waker), Instant) -> Connection,
    ) -> Rc<Connection> {
        let mut connections = self.connections.borrow_mut();
        let entry = connections.vacant_entry();
        // A process has far fewer than 2^32 sockets.
        let id = entry.key() as u32;
        let place = (id, self.ready.waker(id));
        let connection = Rc::new(new(place, self.event_loop.now()));
        entry.insert(connection.clone());
        here().opened(connection.class());
        self.event_loop.hold();
        connection
    }

    /// Returns the settings. They are shared with the newest connections if those have equal
    /// settings.
    pub(crate) fn shared(&self, settings: Settings) -> Rc<Settings> {
        let mut last = self.settings.borrow_mut();
        if **last != settings {
            *last = Rc::new(settings);
        }
        last.clone()
    }

    /// The connection `id`, while it lives.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<Rc<Connection>> {
        self.connections.borrow().get(id as usize).cloned()
    }

    /// Hands the connection `id` to `body`. `body` must not add or remove a
    /// connection.
    #[inline]
    fn with<R>(&self, id: u32, body: impl FnOnce(&Rc<Connection>) -> R) -> Option<R> {
        self.connections.borrow().get(id as usize).map(body)
    }

    // What the application does.

    /// Starts delivery of connection `id`.
    pub(crate) fn attach(&self, id: u32) {
        if let Some(connection) = self.get(id) {
            connection.attach(self.event_loop.now());
            self.watch(&connection);
        }
    }

    /// Starts delivery on demand of connection `id`.
    pub(crate) fn attach_pull(&self, id: u32) {
        if let Some(connection) = self.get(id) {
            connection.attach_pull(self.event_loop.now());
        }
    }

    /// Delivers one message of connection `id`, when there is a message.
    pub(crate) fn pull(&self, id: u32) {
        if let Some(connection) = self.get(id) {
            if connection.want(self.event_loop.now()) {
                connection.waker().wake_by_ref();
            }
            self.watch(&connection);
        }
    }

    /// Queues a message on connection `id` by `queue`, and has it written when the turn ends.
    #[inline]
    pub(crate) fn send(
        &self,
        id: u32,
        queue: impl FnOnce(&Connection) -> SendStatus,
    ) -> SendStatus {
        let sent = self.with(id, |connection| {
            let sent = queue(connection);
            if matches!(sent, SendStatus::Taken | SendStatus::Buffered) {
                self.mark_dirty(connection);
            }
            sent
        });
        sent.unwrap_or(SendStatus::Closed)
    }

    /// Makes the hub write the bytes that the script queued, when the script's turn ends.
    #[inline]
    pub(crate) fn mark_dirty(&self, connection: &Rc<Connection>) {
        if !connection.is_blocked() && self.dirty.add(connection) && !self.is_running.get() {
            self.ready.schedule();
        }
    }

    /// Begins the closing handshake (RFC 6455 section 7.1.2), after the
    /// messages that were sent.
    pub(crate) fn close(&self, connection: &Rc<Connection>, close: &Close) {
        if !connection.defer_close(close) && connection.close(close) {
            self.mark_dirty(connection);
            if connection.is_blocked() || connection.is_pull() {
                // The kernel may take long, but the script must know now. And
                // messages that a stream did not ask for stand before the
                // peer's answer.
                connection.waker().wake_by_ref();
            }
            self.await_end(connection);
        }
    }

    /// Queues the bytes of a Blob, or nothing if the Blob cannot be read, and the messages that
    /// waited for them.
    pub(crate) fn send_blob(&self, connection: &Rc<Connection>, bytes: Option<&[u8]>) {
        let close = connection.send_blob(bytes);
        self.mark_dirty(connection);
        if let Some(close) = close {
            self.close(connection, &close);
        }
    }

    /// Stops reading from connection `id`, or goes on. Messages that the last read brought are
    /// still delivered.
    pub(crate) fn hold_back(&self, id: u32, is_held_back: bool) {
        if let Some(connection) = self.get(id) {
            if connection.hold_back(is_held_back, self.event_loop.now()) {
                connection.waker().wake_by_ref();
            }
            self.watch(&connection);
        }
    }

    /// Sets whether `connection` keeps the event loop going.
    pub(crate) fn set_ref(&self, connection: &Connection, is_ref: bool) {
        if !connection.has_ended() && connection.set_ref(is_ref) {
            match is_ref {
                true => self.event_loop.hold(),
                false => self.event_loop.release(),
            }
        }
    }

    // What the event loop does.

    /// Reads, delivers and writes everything that is ready. Only `delivery`
    /// runs script.
    pub(crate) fn run(&self, delivery: &mut impl Delivery) {
        self.ready.begin();
        self.is_running.set(true);
        let now = self.event_loop.now();
        // The reads come before the deadlines, so that no peer counts as silent
        // whose bytes have come.
        if self.read_ready(delivery, now) {
            self.check_deadlines(delivery, now);
        }
        loop {
            // A script that is told of an end may send to others.
            let dirty = self.dirty.take();
            if dirty.is_empty() {
                break;
            }
            #[cfg(target_os = "linux")]
            self.batch.write(&dirty);
            for connection in dirty {
                self.flush(delivery, &connection);
            }
        }
        self.is_running.set(false);
    }

    /// Writes what is queued on `connection`, and ends the connection if its
    /// last frame was written.
    fn flush(&self, events: &mut impl Events, connection: &Rc<Connection>) {
        let is_written = connection.flush();
        if connection.take_drained() {
            events.drained(connection);
        }
        if is_written && connection.session().is_last_word() {
            connection.shut_down_write();
            self.end(events, connection, connection.finish());
            self.remove(connection);
        } else if is_written && connection.has_ended() {
            connection.shut_down_write();
        } else if connection.take_closing() {
            events.closing(connection);
        }
    }

    /// Tells the script how `connection` ended, unless the script was told
    /// before.
    fn end(&self, events: &mut impl Events, connection: &Connection, ending: Option<Ending>) {
        let Some(ending) = ending else {
            return;
        };
        connection.leave_topics();
        let age = connection.age(self.event_loop.now());
        here().closed(connection.class(), ending.code, age);
        connection_log::closed(connection, &ending, age);
        if network_events::is_on() {
            network_events::ended(connection.shown(), &ending);
        }
        if connection.is_ref() {
            self.event_loop.release();
        }
        events.closed(connection, &ending);
    }

    /// Tells the script that `connection` has failed, and keeps it until its Close frame can
    /// have arrived.
    fn end_failed(
        &self,
        events: &mut impl Events,
        connection: &Rc<Connection>,
        ending: Option<Ending>,
    ) {
        self.mark_dirty(connection);
        self.await_end(connection);
        self.end(events, connection, ending);
    }

    /// Drops a connection and its transport.
    fn remove(&self, connection: &Rc<Connection>) {
        let mut connections = self.connections.borrow_mut();
        let key = connection.id as usize;
        // The id may belong to another connection already.
        if connections
            .get(key)
            .is_some_and(|it| Rc::ptr_eq(it, connection))
        {
            connections.remove(key);
        }
    }

    // Deadlines.

    /// Gives the peer its time to answer the Close frame, or to end the stream.
    fn await_end(&self, connection: &Connection) {
        connection.await_end(self.event_loop.now());
        self.watch(connection);
    }

    /// Adds an entry for the next deadline of `connection`.
    fn watch(&self, connection: &Connection) {
        if let Some(due) = connection.next_deadline() {
            let mut deadlines = self.deadlines.borrow_mut();
            let due = deadlines.round(due);
            if connection.watched.get().is_none_or(|watched| due < watched) {
                connection.watched.set(Some(due));
                deadlines.add(due, connection.id, &*self.event_loop);
                let connections = self.connections.borrow();
                deadlines.sweep(connections.len(), |due, id| {
                    let connection = connections.get(id as usize);
                    connection.is_some_and(|it| it.watched.get() == Some(due))
                });
            }
        }
    }

    fn check_deadlines(&self, delivery: &mut impl Delivery, now: Instant) {
        let entries = self.deadlines.borrow_mut().take_due(now);
        for (due, id) in entries {
            // An entry of a connection that is gone, or that has an earlier
            // one, does not count any more.
            let Some(connection) = self.get(id).filter(|it| it.watched.get() == Some(due)) else {
                continue;
            };
            connection.watched.set(None);
            match connection.handle_timeout(now) {
                Due::Nothing => {}
                Due::Ping => self.mark_dirty(&connection),
                Due::Silent(ending) => {
                    here().passed(PassedLimit::IdleTimeout);
                    self.end_failed(delivery, &connection, ending);
                }
                Due::GivenUp(ending) => {
                    if ending.is_some() {
                        // Otherwise the connection had failed before.
                        here().passed(PassedLimit::CloseTimeout);
                    }
                    self.end(delivery, &connection, ending);
                    self.remove(&connection);
                    continue;
                }
            }
            self.watch(&connection);
        }
        let mut deadlines = self.deadlines.borrow_mut();
        deadlines.rearm(now, &*self.event_loop);
    }
}

/// The engine ends, and the connections end with it. The messages of the
/// script's last turn are written as far as the kernel takes them at once.
impl Drop for Hub {
    fn drop(&mut self) {
        for connection in self.dirty.take() {
            connection.flush();
        }
        let now = self.event_loop.now();
        for (_, connection) in self.connections.borrow().iter() {
            if !connection.has_ended() {
                let age = connection.age(now);
                here().closed(connection.class(), ABNORMAL_CLOSURE, age);
            }
        }
    }
}
