//! All connections of one runtime: readiness, timers, delivery.
//!
//! The wakers of the connections put them on a list and schedule one task in the
//! event loop, with the script's stack empty. That task reads each of them into
//! one shared buffer, calls the script once for each message, drains the
//! microtasks after each call as a browser does, and at its end writes what the
//! script sent: one write for all messages to a connection.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use deno_core::futures::task::AtomicWaker;
use deno_core::{ExternalOpsTracker, JsRuntime, OpState, V8CrossThreadTaskSpawner, v8};
use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::decoder::Event;
use duplex_protocol::error::ProtocolError;
use slab::Slab;
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};

use crate::connection::{Connection, Due, Ending, Phase, Read, Settings};
use crate::dirty_list::DirtyList;
use crate::garbage::Garbage;
use crate::recycler::{Recycled, Recycler};
#[cfg(target_os = "linux")]
use crate::send_batch::SendBatch;

/// The state of the extension, one for each runtime.
pub(crate) struct Hub {
    /// What tells the state that this is the hub of from all others.
    state: Arc<AtomicWaker>,
    connections: RefCell<Slab<Rc<Connection>>>,
    ready: Arc<ReadyList>,
    /// Connections with something to write.
    dirty: DirtyList,
    #[cfg(target_os = "linux")]
    batch: SendBatch,
    callbacks: RefCell<Callbacks>,
    deadlines: RefCell<Deadlines>,
    /// Whether [`Hub::run`] is, which flushes at its end.
    is_running: Cell<bool>,
    /// What all connections read into, one after the other.
    read_buffer: Cell<Vec<u8>>,
    /// Those of the last connection.
    settings: RefCell<Rc<Settings>>,
    recycler: Recycler,
    garbage: Garbage,
    /// What an open connection holds, so that the event loop goes on.
    keep_alive: ExternalOpsTracker,
}

/// The functions that the hub calls: of `01_websocket.js`, and of
/// `02_websocketstream.js` for connections that are read on demand. Nothing is
/// attached before they are named.
#[derive(Clone, Default)]
pub(crate) struct Callbacks {
    pub sockets: Option<Rc<SocketCallbacks>>,
    pub streams: Option<Rc<SocketCallbacks>>,
}

/// Their first argument is the object that was attached.
pub(crate) struct SocketCallbacks {
    /// `(socket, data)`: a message, a string or an ArrayBuffer.
    pub message: v8::Global<v8::Function>,
    /// `(socket, messages)`: several of them, in an Array. Drains the microtasks after each
    /// but the last. Not called for streams, which get theirs one by one.
    pub messages: v8::Global<v8::Function>,
    /// `(socket)`: the close handshake has begun, and not by the script.
    pub closing: v8::Global<v8::Function>,
    /// `(socket, code, reason, wasClean, error)`: the end; `error` is a string or
    /// undefined.
    pub closed: v8::Global<v8::Function>,
    /// `(socket)`: the kernel has taken so much that the script need not wait any more.
    pub drained: v8::Global<v8::Function>,
    /// `(socket, data, isPong)`: a Ping or a Pong came; `data` is an ArrayBuffer. Streams
    /// do not tell.
    pub control: Option<v8::Global<v8::Function>>,
}

impl Callbacks {
    /// Those for `connection`.
    #[inline]
    fn of(&self, connection: &Connection) -> Option<&SocketCallbacks> {
        match connection.is_pull() {
            false => self.sockets.as_deref(),
            true => self.streams.as_deref(),
        }
    }
}

impl Hub {
    /// The hub of the runtime whose state this is.
    #[inline]
    pub fn of(state: &mut OpState) -> Rc<Self> {
        if let Some(hub) = state.try_borrow::<Rc<Self>>() {
            return hub.clone();
        }
        let hub = Rc::new(Self {
            state: state.waker.clone(),
            connections: RefCell::default(),
            ready: Arc::new(ReadyList {
                wakers: Mutex::default(),
                is_scheduled: AtomicBool::new(false),
                spawner: Mutex::new(state.borrow::<V8CrossThreadTaskSpawner>().clone()),
            }),
            dirty: DirtyList::default(),
            #[cfg(target_os = "linux")]
            batch: SendBatch::default(),
            callbacks: RefCell::default(),
            deadlines: RefCell::default(),
            is_running: Cell::new(false),
            read_buffer: Cell::default(),
            settings: RefCell::default(),
            recycler: Recycler::default(),
            garbage: Garbage::default(),
            keep_alive: state.external_ops_tracker.clone(),
        });
        state.put(hub.clone());
        hub
    }

    /// The same where a connection has been made before.
    #[inline]
    pub fn existing(state: &OpState) -> Option<&Self> {
        // SAFETY: a hub that is noted lives: when it goes, it is noted no more.
        if let Some(hub) = unsafe { LAST.get().as_ref() }
            && Arc::ptr_eq(&hub.state, &state.waker)
        {
            // That is this state's, which owns the hub while it is borrowed: nothing takes
            // a hub out of a state.
            return Some(hub);
        }
        let hub: &Rc<Self> = state.try_borrow()?;
        LAST.set(Rc::as_ptr(hub));
        Some(hub)
    }

    /// Takes in the connection that `new` makes with its id and its waker.
    pub fn add(&self, new: impl FnOnce(u32, Waker) -> Connection) -> Rc<Connection> {
        let mut connections = self.connections.borrow_mut();
        let entry = connections.vacant_entry();
        // A process has far fewer than 2^32 sockets.
        let id = entry.key() as u32;
        let waker = Waker::from(Arc::new(ConnectionWaker {
            id,
            is_listed: AtomicBool::new(false),
            ready: self.ready.clone(),
        }));
        let connection = Rc::new(new(id, waker));
        entry.insert(connection.clone());
        self.keep_alive.ref_op();
        connection
    }

    /// The settings, shared with the connections that were made last, where those have the
    /// same.
    pub fn shared(&self, settings: Settings) -> Rc<Settings> {
        let mut last = self.settings.borrow_mut();
        if **last != settings {
            *last = Rc::new(settings);
        }
        last.clone()
    }

    /// The connection `id`, while it lives.
    #[inline]
    pub fn get(&self, id: u32) -> Option<Rc<Connection>> {
        self.connections.borrow().get(id as usize).cloned()
    }

    /// Hands it to `body`, which makes no connection and removes none.
    #[inline]
    pub fn with<R>(&self, id: u32, body: impl FnOnce(&Rc<Connection>) -> R) -> Option<R> {
        self.connections.borrow().get(id as usize).map(body)
    }

    pub fn set_socket_callbacks(&self, callbacks: SocketCallbacks) {
        self.callbacks.borrow_mut().sockets = Some(Rc::new(callbacks));
    }

    pub fn set_stream_callbacks(&self, callbacks: SocketCallbacks) {
        self.callbacks.borrow_mut().streams = Some(Rc::new(callbacks));
    }

    /// Starts delivery of connection `id` to `socket`.
    pub fn attach(&self, id: u32, socket: v8::Global<v8::Object>) {
        if let Some(connection) = self.get(id) {
            connection.attach(socket);
            self.watch(&connection);
        }
    }

    /// Starts delivery on demand of connection `id` to the stream that `handle`
    /// stands for.
    pub fn attach_pull(&self, id: u32, handle: v8::Global<v8::Object>) {
        if let Some(connection) = self.get(id) {
            connection.attach_pull(handle);
        }
    }

    /// Delivers one message of connection `id`, when there is one.
    pub fn pull(&self, id: u32) {
        if let Some(connection) = self.get(id) {
            if connection.want() {
                connection.waker().wake_by_ref();
            }
            self.watch(&connection);
        }
    }

    /// Has what the script queued written when its turn ends.
    #[inline]
    pub fn mark_dirty(&self, connection: &Rc<Connection>) {
        if !connection.is_blocked() && self.dirty.add(connection) && !self.is_running.get() {
            self.ready.schedule();
        }
    }

    /// Begins the close handshake (RFC 6455 section 7.1.2), behind what was sent.
    pub fn close(&self, connection: &Rc<Connection>, close: &Close) {
        if !connection.defer_close(close) && connection.send_close(close) {
            self.mark_dirty(connection);
            if connection.is_blocked() || connection.is_pull() {
                // The kernel may be long; the script is to know now. And what a
                // stream did not ask for stands before the peer's answer.
                connection.waker().wake_by_ref();
            }
            self.set_close_deadline(connection, connection.close_timeout());
        }
    }

    /// Queues the bytes of a Blob, or nothing where it cannot be read, and what waited for
    /// them.
    pub fn send_blob(&self, connection: &Rc<Connection>, bytes: Option<&[u8]>) {
        let close = connection.send_blob(bytes);
        self.mark_dirty(connection);
        if let Some(close) = close {
            self.close(connection, &close);
        }
    }

    /// Whether `connection` keeps the event loop going.
    pub fn set_ref(&self, connection: &Connection, is_ref: bool) {
        if connection.phase() != Phase::Draining && connection.set_ref(is_ref) {
            match is_ref {
                true => self.keep_alive.ref_op(),
                false => self.keep_alive.unref_op(),
            }
        }
    }

    /// The task in the event loop.
    fn run(&self, scope: &mut v8::PinScope<'_, '_>) {
        let callbacks = self.callbacks.borrow().clone();
        self.is_running.set(true);
        let now = Instant::now();
        // What has been heard by now counts before any silence does.
        if self.read_ready(scope, &callbacks, now) {
            self.check_deadlines(scope, &callbacks, now);
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
                self.flush(scope, &callbacks, &connection);
            }
        }
        self.is_running.set(false);
    }

    /// Serves all connections on the ready list. Returns false where the engine
    /// is to run no more script.
    fn read_ready(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        callbacks: &Callbacks,
        now: Instant,
    ) -> bool {
        for id in self.ready.take() {
            // A connection may have ended, and its id may be another's by now;
            // looking at that one once more is harmless.
            let Some(connection) = self.get(id) else {
                continue;
            };
            if let Some(ending) = connection.exceeded_ending() {
                self.drain(&connection);
                self.end(scope, callbacks, &connection, ending);
            }
            if connection.is_terminated() {
                self.end(
                    scope,
                    callbacks,
                    &connection,
                    connection.terminated_ending(),
                );
                self.remove(&connection);
                continue;
            }
            // A stream's peer that has closed will not read what is left to write: whether it
            // has must not depend on how much the kernel takes now.
            let reads_first = connection.is_pull();
            if connection.is_blocked() && !reads_first {
                self.flush(scope, callbacks, &connection);
            }
            if !self.read(scope, callbacks, &connection, now) {
                return false;
            }
            if connection.is_blocked() && reads_first {
                self.flush(scope, callbacks, &connection);
            }
        }
        true
    }

    /// Reads and delivers what `connection` has. Returns false where the engine
    /// is to run no more script.
    fn read(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        callbacks: &Callbacks,
        connection: &Rc<Connection>,
        now: Instant,
    ) -> bool {
        if connection.phase() == Phase::Unattached {
            return true;
        }
        if connection.is_pull() {
            match self.read_unread(scope, callbacks, connection, now) {
                Decoded::All => {}
                Decoded::Paused { .. } | Decoded::Drained => return true,
                Decoded::Terminated => return false,
            }
        }
        let mut buffer = self.read_buffer.take();
        if buffer.is_empty() {
            buffer.resize(READ_BUFFER_LENGTH, 0);
        }
        let mut may_run = true;
        let mut left_in_turn = BYTES_IN_TURN;
        for turn in 0.. {
            if turn == READS_IN_TURN || left_in_turn == 0 {
                // Others have their turn; this one goes on after them.
                connection.waker().wake_by_ref();
                break;
            }
            let longest = left_in_turn.min(LONGEST_READ);
            let (count, input) = match connection.read(&mut buffer, longest, &self.recycler) {
                Read::Data(count) => (count, Input::Bytes(&mut buffer[..count])),
                Read::Message(count, result) => (count, Input::Message(result)),
                Read::Binary(count, payload) => (count, Input::Binary(payload)),
                Read::Blocked => break,
                Read::Eof => {
                    let ending = connection.abrupt_ending(None);
                    self.end(scope, callbacks, connection, ending);
                    self.remove(connection);
                    break;
                }
                Read::Failed(error) => {
                    let ending = connection.abrupt_ending(Some(error));
                    self.end(scope, callbacks, connection, ending);
                    self.remove(connection);
                    break;
                }
            };
            left_in_turn = left_in_turn.saturating_sub(count);
            if connection.phase() == Phase::Draining {
                continue;
            }
            connection.note_heard(now);
            match self.decode(scope, callbacks, connection, input, now) {
                Decoded::All => {}
                Decoded::Paused { left: 0 } => break,
                Decoded::Paused { left } => {
                    connection.keep_unread(&buffer[count - left..count]);
                    break;
                }
                Decoded::Drained => break,
                Decoded::Terminated => {
                    may_run = false;
                    break;
                }
            }
        }
        self.read_buffer.set(buffer);
        may_run
    }

    /// Delivers of what was read of a stream's connection before it was asked for.
    fn read_unread(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        callbacks: &Callbacks,
        connection: &Rc<Connection>,
        now: Instant,
    ) -> Decoded {
        if connection.is_paused() {
            return Decoded::Paused { left: 0 };
        }
        let Some(mut unread) = connection.take_unread() else {
            return Decoded::All;
        };
        let input = Input::Bytes(unread.bytes());
        let decoded = self.decode(scope, callbacks, connection, input, now);
        if let Decoded::Paused { left } = decoded {
            connection.restore_unread(unread, left);
        }
        decoded
    }

    /// Decodes `input` and delivers what it holds. A connection that breaks the
    /// protocol fails.
    fn decode(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        callbacks: &Callbacks,
        connection: &Rc<Connection>,
        input: Input<'_>,
        now: Instant,
    ) -> Decoded {
        v8::scope!(let scope, scope);
        v8::tc_scope!(let scope, scope);
        let to = Recipient::of(scope, callbacks, connection);
        let mut failure = None;
        let mut is_paused = false;
        let mut is_terminated = false;
        let mut may_go_on = |outcome| {
            match outcome {
                Outcome::Delivered => return true,
                Outcome::Paused => is_paused = true,
                Outcome::Failed(code, message) => failure = Some((code, message)),
                Outcome::Terminated => is_terminated = true,
            }
            false
        };
        let to = to.as_ref();
        let mut batch = Batch::new();
        let mut on_event = |event: Event<'_>| {
            may_go_on(self.on_event(scope, callbacks, connection, to, event, &mut batch, now))
        };
        let result = match input {
            Input::Bytes(bytes) => connection.decode(bytes, on_event),
            Input::Message(result) => result.map(|event| {
                event.map(&mut on_event);
                0
            }),
            Input::Binary(mut payload) => {
                let length = payload.as_mut().len();
                let store = || v8::ArrayBuffer::new_backing_store_from_bytes(Box::new(payload));
                may_go_on(self.on_binary(scope, connection, to, length, store));
                Ok(0)
            }
        };
        if is_terminated || !deliver_batch(scope, to, &mut batch) {
            return Decoded::Terminated;
        }
        if connection.is_drained() {
            return Decoded::Drained;
        }
        let ending = match (result, failure) {
            (Err(error), _) => connection.fail(error.close_code(), error.to_string()),
            (_, Some((code, message))) => connection.fail(code, message),
            (Ok(left), None) if is_paused => return Decoded::Paused { left },
            _ => return Decoded::All,
        };
        self.drain(connection);
        self.end(scope, callbacks, connection, ending);
        Decoded::All
    }

    // Always: to hand on an event takes as long as to decode it.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "what a read is about")]
    fn on_event<'s>(
        &self,
        scope: &mut ReadScope<'_, '_, 's, '_>,
        callbacks: &Callbacks,
        connection: &Rc<Connection>,
        to: Option<&Recipient<'_>>,
        event: Event<'_>,
        batch: &mut Batch<'s>,
        now: Instant,
    ) -> Outcome {
        let may_wait = matches!(event, Event::Text { .. }) && batch.len() < batch.inline_size();
        if !may_wait && !deliver_batch(scope, to, batch) {
            return Outcome::Terminated;
        }
        if matches!(event, Event::Ping(_) | Event::Pong(_))
            && let Err(error) = connection.count_control(now)
        {
            return Outcome::Failed(error.close_code(), error.to_string());
        }
        match event {
            // The close handshake has begun: the standard drops what comes after.
            Event::Text { .. } if connection.close_sent() => Outcome::Delivered,
            Event::Text { text, is_ascii } => {
                let string = match is_ascii {
                    true => v8::String::new_from_one_byte(
                        scope,
                        text.as_bytes(),
                        v8::NewStringType::Normal,
                    ),
                    false => {
                        v8::String::new_from_utf8(scope, text.as_bytes(), v8::NewStringType::Normal)
                    }
                };
                let Some(string) = string else {
                    let message = "message is longer than a string can be".to_owned();
                    return Outcome::Failed(CloseCode::MESSAGE_TOO_BIG, message);
                };
                if cfg!(feature = "v8") && !connection.is_pull() {
                    batch.push(string.into());
                    return Outcome::Delivered;
                }
                deliver(scope, connection, to, string.into())
            }
            Event::Binary(payload) => {
                let length = payload.len();
                let store = || backing_store(payload);
                self.on_binary(scope, connection, to, length, store)
            }
            Event::Ping(payload) => {
                if connection.answer_ping(&payload) {
                    self.mark_dirty(connection);
                }
                deliver_control(scope, callbacks, connection, payload, false)
            }
            Event::Pong(payload) => deliver_control(scope, callbacks, connection, payload, true),
            Event::Close(close) => {
                connection.receive_close(close);
                self.flush(scope, callbacks, connection);
                if !connection.is_drained() {
                    self.set_close_deadline(connection, connection.close_timeout());
                }
                Outcome::Delivered
            }
        }
    }

    /// A binary message of `length` bytes, for which `store` makes the memory of an
    /// ArrayBuffer.
    #[inline]
    fn on_binary(
        &self,
        scope: &mut ReadScope<'_, '_, '_, '_>,
        connection: &Connection,
        to: Option<&Recipient<'_>>,
        length: usize,
        store: impl FnOnce() -> v8::UniqueRef<v8::BackingStore>,
    ) -> Outcome {
        if connection.close_sent() {
            return Outcome::Delivered;
        }
        self.garbage.note(scope, length);
        let store = store().make_shared();
        let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
        deliver(scope, connection, to, buffer.into())
    }

    /// Writes what is queued on `connection`, and ends it where that was the last
    /// of it.
    fn flush(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        callbacks: &Callbacks,
        connection: &Rc<Connection>,
    ) {
        let is_written = connection.flush();
        if connection.take_drained() {
            v8::scope!(let scope, scope);
            if let Some(socket) = connection.socket(scope)
                && let Some(callbacks) = callbacks.of(connection)
            {
                call(scope, &callbacks.drained, &[socket.into()]);
            }
        }
        if is_written && let Some(ending) = connection.clean_ending() {
            connection.shut_down_write();
            self.end(scope, callbacks, connection, ending);
            self.remove(connection);
        } else if is_written && connection.phase() == Phase::Draining {
            connection.shut_down_write();
        } else if connection.note_closing() {
            v8::scope!(let scope, scope);
            if let Some(socket) = connection.socket(scope)
                && let Some(callbacks) = callbacks.of(connection)
            {
                call(scope, &callbacks.closing, &[socket.into()]);
            }
        }
    }

    /// Tells the script how `connection` ended, once.
    fn end(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        callbacks: &Callbacks,
        connection: &Connection,
        ending: Ending,
    ) {
        v8::scope!(let scope, scope);
        let socket = connection.socket(scope);
        connection.begin_draining();
        let (Some(socket), Some(callbacks)) = (socket, callbacks.of(connection)) else {
            return;
        };
        if connection.is_ref() {
            self.keep_alive.unref_op();
        }
        let error = match &ending.error {
            Some(error) => string(scope, error),
            None => v8::undefined(scope).into(),
        };
        let args = [
            socket.into(),
            v8::Number::new(scope, ending.code.into()).into(),
            string(scope, &ending.reason),
            v8::Boolean::new(scope, ending.was_clean).into(),
            error,
        ];
        call(scope, &callbacks.closed, &args);
    }

    /// Keeps a failed connection until its Close frame can have arrived.
    fn drain(&self, connection: &Rc<Connection>) {
        self.mark_dirty(connection);
        self.set_close_deadline(connection, Some(DRAIN_TIMEOUT));
    }

    /// Drops a connection and with it the stream.
    fn remove(&self, connection: &Rc<Connection>) {
        let mut connections = self.connections.borrow_mut();
        let key = connection.id as usize;
        // Its id may be another's already.
        if connections
            .get(key)
            .is_some_and(|it| Rc::ptr_eq(it, connection))
        {
            connections.remove(key);
        }
    }

    // Deadlines.

    fn set_close_deadline(&self, connection: &Connection, timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            connection.watch_close(timeout);
            self.watch(connection);
        }
    }

    /// Sees to it that the next deadline of `connection` is looked at.
    fn watch(&self, connection: &Connection) {
        if let Some(due) = connection.next_deadline() {
            let mut deadlines = self.deadlines.borrow_mut();
            let due = deadlines.round(due);
            if connection.watched.get().is_none_or(|watched| due < watched) {
                connection.watched.set(Some(due));
                deadlines.add(due, connection.id, &self.ready);
                let connections = self.connections.borrow();
                deadlines.sweep(connections.len(), |due, id| {
                    let connection = connections.get(id as usize);
                    connection.is_some_and(|it| it.watched.get() == Some(due))
                });
            }
        }
    }

    fn check_deadlines(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        callbacks: &Callbacks,
        now: Instant,
    ) {
        let entries = self.deadlines.borrow_mut().take_due(now);
        for (due, id) in entries {
            // An entry of a connection that is gone, or that has an earlier one,
            // counts no more.
            let Some(connection) = self.get(id).filter(|it| it.watched.get() == Some(due)) else {
                continue;
            };
            connection.watched.set(None);
            match connection.check_deadlines(now) {
                Due::Nothing => {}
                Due::Ping => self.mark_dirty(&connection),
                Due::Silent(ending) => {
                    self.drain(&connection);
                    self.end(scope, callbacks, &connection, ending);
                }
                Due::GivenUp(ending) => {
                    self.end(scope, callbacks, &connection, ending);
                    self.remove(&connection);
                    continue;
                }
            }
            self.watch(&connection);
        }
        self.deadlines.borrow_mut().rearm(&self.ready);
    }
}

/// The engine is taken down, and the connections with it. What the script sent in
/// its last turn is written as far as the kernel takes it at once.
impl Drop for Hub {
    fn drop(&mut self) {
        LAST.set(ptr::null());
        for connection in self.dirty.take() {
            connection.flush();
        }
    }
}

thread_local! {
    /// The last hub that was asked for: a script asks with each `send()`, and a state has
    /// much to look through.
    static LAST: Cell<*const Hub> = const { Cell::new(ptr::null()) };
}

/// What was read.
enum Input<'b> {
    Bytes(&'b mut [u8]),
    /// What came of bytes that were read into a message.
    Message(Result<Option<Event<'static>>, ProtocolError>),
    /// A binary message, in memory of its own.
    Binary(Recycled),
}

/// What became of some input.
enum Decoded {
    All,
    /// The script has to ask for what the last so many bytes hold.
    Paused {
        left: usize,
    },
    /// Both Close frames are through.
    Drained,
    /// The engine is to run no more script.
    Terminated,
}

/// What became of an event.
enum Outcome {
    Delivered,
    /// It was delivered, and the next one is not asked for.
    Paused,
    /// The connection is to fail with this code and this message.
    Failed(CloseCode, String),
    /// The engine is to run no more script.
    Terminated,
}

/// The scope of a read. It is not so much that its handles and strings had to go earlier.
type ReadScope<'p, 't, 's, 'i> = v8::PinnedRef<'p, v8::TryCatch<'t, 's, v8::HandleScope<'i>>>;

/// Short messages that came together and have not been delivered.
type Batch<'s> = SmallVec<[v8::Local<'s, v8::Value>; 32]>;

/// Who gets the messages of a read.
struct Recipient<'s> {
    socket: v8::Local<'s, v8::Object>,
    message: v8::Local<'s, v8::Function>,
    messages: v8::Local<'s, v8::Function>,
}

impl<'s> Recipient<'s> {
    fn of(
        scope: &v8::PinScope<'s, '_>,
        callbacks: &Callbacks,
        connection: &Connection,
    ) -> Option<Self> {
        let callbacks = callbacks.of(connection)?;
        Some(Self {
            socket: connection.socket(scope)?,
            message: v8::Local::new(scope, &callbacks.message),
            messages: v8::Local::new(scope, &callbacks.messages),
        })
    }
}

/// Delivers one message, and drains the microtasks that it caused.
#[inline]
fn deliver(
    scope: &mut ReadScope<'_, '_, '_, '_>,
    connection: &Connection,
    to: Option<&Recipient<'_>>,
    data: v8::Local<'_, v8::Value>,
) -> Outcome {
    let Some(to) = to else {
        return Outcome::Delivered;
    };
    connection.begin_delivery();
    let may_run = call_local(scope, to.message, &[to.socket.into(), data]);
    let may_go_on = connection.end_delivery();
    match may_run {
        true if may_go_on => Outcome::Delivered,
        true => Outcome::Paused,
        false => Outcome::Terminated,
    }
}

/// Delivers the messages of `batch`, where there are any, and drains the microtasks that each
/// caused before the next. Returns false where the engine is to run no more script.
#[inline]
fn deliver_batch<'s>(
    scope: &mut ReadScope<'_, '_, 's, '_>,
    to: Option<&Recipient<'_>>,
    batch: &mut Batch<'s>,
) -> bool {
    let Some(to) = to else {
        batch.clear();
        return true;
    };
    let may_run = match batch.as_slice() {
        [] => true,
        [message] => call_local(scope, to.message, &[to.socket.into(), *message]),
        // A call into the engine takes longer than many a handler.
        messages => {
            let messages = v8::Array::new_with_elements(scope, messages);
            call_local(scope, to.messages, &[to.socket.into(), messages.into()])
        }
    };
    batch.clear();
    may_run
}

/// Tells of a Ping or a Pong likewise.
fn deliver_control(
    scope: &mut v8::PinScope<'_, '_>,
    callbacks: &Callbacks,
    connection: &Connection,
    payload: Cow<'_, [u8]>,
    is_pong: bool,
) -> Outcome {
    v8::scope!(let scope, scope);
    let Some(socket) = connection.socket(scope) else {
        return Outcome::Delivered;
    };
    let Some(control) = callbacks.of(connection).and_then(|it| it.control.as_ref()) else {
        return Outcome::Delivered;
    };
    let store = backing_store(payload).make_shared();
    let data = v8::ArrayBuffer::with_backing_store(scope, &store);
    let is_pong = v8::Boolean::new(scope, is_pong);
    match call(
        scope,
        control,
        &[socket.into(), data.into(), is_pong.into()],
    ) {
        true => Outcome::Delivered,
        false => Outcome::Terminated,
    }
}

/// Calls the script, and drains the microtasks that this caused, however many:
/// a browser does the same between two tasks. Returns false where the engine is
/// to run no more script.
fn call(
    scope: &mut v8::PinScope<'_, '_>,
    function: &v8::Global<v8::Function>,
    args: &[v8::Local<'_, v8::Value>],
) -> bool {
    v8::tc_scope!(let scope, scope);
    let function = v8::Local::new(scope, function);
    call_local(scope, function, args)
}

#[inline]
fn call_local(
    scope: &mut ReadScope<'_, '_, '_, '_>,
    function: v8::Local<'_, v8::Function>,
    args: &[v8::Local<'_, v8::Value>],
) -> bool {
    let receiver = v8::undefined(scope).into();
    // The function reports what a listener throws, so that there is nothing to
    // catch here but a termination.
    function.call(scope, receiver, args);
    scope.perform_microtask_checkpoint();
    !scope.has_terminated()
}

/// The memory of an ArrayBuffer with `payload`, which is copied only where it is borrowed.
fn backing_store(payload: Cow<'_, [u8]>) -> v8::UniqueRef<v8::BackingStore> {
    v8::ArrayBuffer::new_backing_store_from_vec(payload.into_owned())
}

fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::Value> {
    v8::String::new(scope, text)
        .unwrap_or_else(|| v8::String::empty(scope))
        .into()
}

/// The connections that can be read or written to again.
struct ReadyList {
    wakers: Mutex<Vec<Arc<ConnectionWaker>>>,
    /// Whether the task is on its way to the event loop.
    is_scheduled: AtomicBool,
    spawner: Mutex<V8CrossThreadTaskSpawner>,
}

impl ReadyList {
    /// Has [`Hub::run`] called from the event loop.
    fn schedule(&self) {
        if !self.is_scheduled.swap(true, Ordering::AcqRel) {
            let spawner = self.spawner.lock().unwrap_or_else(PoisonError::into_inner);
            spawner.spawn(|scope| {
                let state = JsRuntime::op_state_from(scope);
                let hub = Hub::of(&mut state.borrow_mut());
                hub.ready.is_scheduled.store(false, Ordering::Release);
                hub.run(scope);
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionWaker>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids of the connections, each once.
    fn take(&self) -> impl Iterator<Item = u32> + use<> {
        let wakers = std::mem::take(&mut *self.lock());
        wakers.into_iter().map(|waker| {
            waker.is_listed.store(false, Ordering::Release);
            waker.id
        })
    }
}

/// What the transport of a connection wakes.
struct ConnectionWaker {
    id: u32,
    is_listed: AtomicBool,
    ready: Arc<ReadyList>,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_listed.swap(true, Ordering::AcqRel) {
            self.ready.lock().push(self.clone());
            self.ready.schedule();
        }
    }
}

/// The deadlines of all connections, and one timer for the first of them.
///
/// A connection that is heard does not touch this: its entry is looked at when it
/// comes up, and entered again for what the deadline has become. Nor does one that
/// ends: where thousands come and go in a second, an entry costs little. Those that nobody
/// waits for are removed when they are many.
#[derive(Default)]
struct Deadlines {
    /// Connections by when to look at them, which is [rounded](Self::round).
    entries: BTreeMap<Instant, Vec<u32>>,
    /// How many entries there are.
    count: usize,
    start: OnceCell<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadlines {
    /// The next time at or after `due` for which there are entries.
    fn round(&self, due: Instant) -> Instant {
        let start = *self.start.get_or_init(Instant::now);
        let grains = (due - start).as_millis() / DEADLINE_GRAIN.as_millis() + 1;
        u32::try_from(grains)
            .ok()
            .and_then(|grains| start.checked_add(DEADLINE_GRAIN.checked_mul(grains)?))
            .unwrap_or(due)
    }

    fn add(&mut self, due: Instant, id: u32, ready: &Arc<ReadyList>) {
        let is_first = self.entries.keys().next().is_none_or(|first| due < *first);
        self.entries.entry(due).or_default().push(id);
        self.count += 1;
        if is_first {
            self.arm(ready);
        }
    }

    /// Removes the entries that `counts` says nobody waits for, where there are many more
    /// entries than `connections`.
    fn sweep(&mut self, connections: usize, counts: impl Fn(Instant, u32) -> bool) {
        if self.count < SWEPT_FROM + 4 * connections {
            return;
        }
        self.entries.retain(|due, ids| {
            ids.retain(|id| counts(*due, *id));
            !ids.is_empty()
        });
        self.count = self.entries.values().map(Vec::len).sum();
    }

    /// Sets the timer to the first deadline.
    fn arm(&mut self, ready: &Arc<ReadyList>) {
        let Some(&due) = self.entries.keys().next() else {
            self.timer = None;
            return;
        };
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(due);
                timer
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(due))),
        };
        let waker = Waker::from(Arc::new(TimerWaker(ready.clone())));
        if timer
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            ready.schedule();
        }
    }

    /// Sets the timer anew where it has gone off.
    fn rearm(&mut self, ready: &Arc<ReadyList>) {
        if self.timer.as_ref().is_some_and(|timer| timer.is_elapsed()) {
            self.arm(ready);
        }
    }

    fn take_due(&mut self, now: Instant) -> Vec<(Instant, u32)> {
        let mut taken = Vec::new();
        while let Some(entry) = self.entries.first_entry()
            && *entry.key() <= now
        {
            let (due, ids) = entry.remove_entry();
            taken.extend(ids.into_iter().map(|id| (due, id)));
        }
        self.count -= taken.len();
        taken
    }
}

struct TimerWaker(Arc<ReadyList>);

impl Wake for TimerWaker {
    fn wake(self: Arc<Self>) {
        self.0.schedule();
    }
}

/// How long a read can be. Longer messages take several.
const READ_BUFFER_LENGTH: usize = 64 << 10;
/// How long one can be that goes into a message: what it brought stays in the second
/// level of cache, where it is unmasked.
const LONGEST_READ: usize = 256 << 10;
/// How many reads one connection has before others have theirs.
const READS_IN_TURN: u32 = 16;
/// And how many bytes.
const BYTES_IN_TURN: usize = 1 << 20;
/// How late a deadline may be looked at, so that there are few for many connections.
const DEADLINE_GRAIN: Duration = Duration::from_millis(4);
/// So few entries of deadlines are left alone.
const SWEPT_FROM: usize = 4 << 10;
/// How long a failed connection is kept, once the peer has taken what was queued, so that
/// its Close frame arrives.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
