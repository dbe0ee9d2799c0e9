//! The script of an engine as the application of connections: the hub of a runtime, and the
//! delivery to the script.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use deno_core::futures::task::AtomicWaker;
use deno_core::{ExternalOpsTracker, JsRuntime, OpState, V8CrossThreadTaskSpawner, v8};
use duplex_protocol::session::Ending;
use smallvec::SmallVec;
use tokio::time::Sleep;

use crate::connection::Connection;
use crate::garbage::Garbage;
use crate::hub::delivery::{Delivered, Delivery, Events, Inbox, InboxWork};
use crate::hub::{EventLoop, Hub, ReadyList};
use crate::recycler::Recycled;

/// The script that a runtime's hub delivers to.
#[derive(Default)]
pub(crate) struct Script {
    callbacks: RefCell<Callbacks>,
    /// The `WebSocket` objects, and the objects that stand for the `WebSocketStream`s, by the ids
    /// of their connections. An object stays here from its attachment to its `close` event.
    /// Therefore the engine does not collect a live socket that the script does not hold.
    objects: RefCell<Vec<Option<v8::Global<v8::Object>>>>,
    garbage: Garbage,
}

/// The functions that the hub calls: those of `00_delivery.js`, and those of
/// `02_websocketstream.js` for connections that are read on demand. The
/// functions are set before any object is attached.
#[derive(Clone, Default)]
struct Callbacks {
    sockets: Option<Rc<SocketCallbacks>>,
    streams: Option<Rc<SocketCallbacks>>,
}

/// The functions for one kind of connection. Their first argument is the
/// attached object.
pub(crate) struct SocketCallbacks {
    /// `(socket, data)`: a message. `data` is a string or an ArrayBuffer.
    pub message: v8::Global<v8::Function>,
    /// `(socket, messages)`: several messages, in an Array. The function drains the microtasks
    /// after each message but the last. It is not called for streams, which get their messages one
    /// by one.
    pub messages: v8::Global<v8::Function>,
    /// `(socket)`: the closing handshake has begun, and the script did not
    /// begin it.
    pub closing: v8::Global<v8::Function>,
    /// `(socket, code, reason, wasClean, error)`: the end. `error` is a string
    /// or undefined.
    pub closed: v8::Global<v8::Function>,
    /// `(socket)`: the kernel has taken so many bytes that the script need not wait any more.
    pub drained: v8::Global<v8::Function>,
    /// `(socket, data, isPong)`: a Ping or a Pong came. `data` is an ArrayBuffer. Streams have no
    /// such function.
    pub control: Option<v8::Global<v8::Function>>,
}

impl Callbacks {
    /// The functions for `connection`.
    #[inline]
    fn of(&self, connection: &Connection) -> Option<&SocketCallbacks> {
        match connection.is_pull() {
            false => self.sockets.as_deref(),
            true => self.streams.as_deref(),
        }
    }
}

impl Script {
    /// The script of the runtime with this state.
    pub(crate) fn of(state: &mut OpState) -> Rc<Self> {
        Owned::of(state).script.clone()
    }

    pub(crate) fn set_socket_callbacks(&self, callbacks: SocketCallbacks) {
        self.callbacks.borrow_mut().sockets = Some(Rc::new(callbacks));
    }

    pub(crate) fn set_stream_callbacks(&self, callbacks: SocketCallbacks) {
        self.callbacks.borrow_mut().streams = Some(Rc::new(callbacks));
    }

    /// Makes `object` get the events of connection `id`.
    pub(crate) fn attach(&self, id: u32, object: v8::Global<v8::Object>) {
        let mut objects = self.objects.borrow_mut();
        let id = id as usize;
        if objects.len() <= id {
            objects.resize_with(id + 1, || None);
        }
        objects[id] = Some(object);
    }

    /// The object that was attached to `connection`. Returns `None` after the connection has ended,
    /// because its id may then belong to another connection.
    #[inline]
    fn object<'s>(
        &self,
        scope: &v8::PinScope<'s, '_>,
        connection: &Connection,
    ) -> Option<v8::Local<'s, v8::Object>> {
        if connection.has_ended() {
            return None;
        }
        let objects = self.objects.borrow();
        let object = objects.get(connection.id as usize)?.as_ref()?;
        Some(v8::Local::new(scope, object))
    }

    /// Takes the object of `connection`, which has just ended.
    fn take_object(&self, connection: &Connection) -> Option<v8::Global<v8::Object>> {
        self.objects
            .borrow_mut()
            .get_mut(connection.id as usize)?
            .take()
    }
}

// The hub of a runtime.

/// The values of this module that a runtime owns.
struct Owned {
    hub: Rc<Hub>,
    script: Rc<Script>,
    /// Identifies the state that owns these values.
    state: Arc<AtomicWaker>,
}

impl Owned {
    fn of(state: &mut OpState) -> &Self {
        if !state.has::<Rc<Self>>() {
            let spawner = Mutex::new(state.borrow::<V8CrossThreadTaskSpawner>().clone());
            let ready = ReadyList::new(move || {
                let spawner = spawner.lock().unwrap_or_else(PoisonError::into_inner);
                spawner.spawn(run);
            });
            let event_loop = ScriptEventLoop {
                keep_alive: state.external_ops_tracker.clone(),
                timer: RefCell::default(),
                ready: ready.clone(),
            };
            let owned = Self {
                hub: Rc::new(Hub::new(ready, Box::new(event_loop))),
                script: Rc::default(),
                state: state.waker.clone(),
            };
            state.put(Rc::new(owned));
        }
        state.borrow::<Rc<Self>>()
    }
}

impl Hub {
    /// The hub of the runtime with this state.
    pub(crate) fn of(state: &mut OpState) -> Rc<Self> {
        Owned::of(state).hub.clone()
    }

    /// The hub of the runtime with this state, if it has been made before.
    #[inline]
    pub(crate) fn existing(state: &OpState) -> Option<&Self> {
        // SAFETY: the noted value lives, because dropping an [`Owned`] clears
        // the note.
        if let Some(owned) = unsafe { LAST.get().as_ref() }
            && Arc::ptr_eq(&owned.state, &state.waker)
        {
            // The value belongs to this state. The state is borrowed and owns the hub, and no code
            // takes the hub out of a state.
            return Some(&owned.hub);
        }
        let owned: &Rc<Owned> = state.try_borrow()?;
        LAST.set(Rc::as_ptr(owned));
        Some(&owned.hub)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        LAST.set(ptr::null());
    }
}

thread_local! {
    /// The last value that was asked for. Each `send()` of a script asks, and looking through a
    /// state takes longer.
    static LAST: Cell<*const Owned> = const { Cell::new(ptr::null()) };
}

/// The task in the event loop that runs the hub.
fn run(scope: &mut v8::PinScope<'_, '_>) {
    let state = JsRuntime::op_state_from(scope);
    let (hub, script) = {
        let mut state = state.borrow_mut();
        let owned = Owned::of(&mut state);
        (owned.hub.clone(), owned.script.clone())
    };
    let callbacks = script.callbacks.borrow().clone();
    hub.run(&mut ScriptDelivery {
        scope,
        script: &script,
        callbacks: &callbacks,
    });
}

/// The event loop of a runtime, which is tokio's and deno_core's.
struct ScriptEventLoop {
    /// Counts the open connections that keep the event loop going.
    keep_alive: ExternalOpsTracker,
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
    ready: Arc<ReadyList>,
}

impl EventLoop for ScriptEventLoop {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn set_timer(&self, due: Option<Instant>) {
        let mut timer = self.timer.borrow_mut();
        let Some(due) = due.map(tokio::time::Instant::from_std) else {
            *timer = None;
            return;
        };
        let timer = match &mut *timer {
            Some(timer) => {
                timer.as_mut().reset(due);
                timer
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(due))),
        };
        let waker = Waker::from(self.ready.clone());
        let mut cx = Context::from_waker(&waker);
        if timer.as_mut().poll(&mut cx).is_ready() {
            self.ready.schedule();
        }
    }

    fn hold(&self) {
        self.keep_alive.ref_op();
    }

    fn release(&self) {
        self.keep_alive.unref_op();
    }
}

// Delivery.

/// The delivery of one run of the hub.
struct ScriptDelivery<'d, 's, 'i> {
    scope: &'d mut v8::PinScope<'s, 'i>,
    script: &'d Script,
    callbacks: &'d Callbacks,
}

impl Events for ScriptDelivery<'_, '_, '_> {
    fn drained(&mut self, connection: &Connection) {
        tell(self.scope, self.script, self.callbacks, connection, |it| {
            &it.drained
        });
    }

    fn closing(&mut self, connection: &Connection) {
        tell(self.scope, self.script, self.callbacks, connection, |it| {
            &it.closing
        });
    }

    fn closed(&mut self, connection: &Connection, ending: &Ending) {
        tell_closed(self.scope, self.script, self.callbacks, connection, ending);
    }
}

impl Delivery for ScriptDelivery<'_, '_, '_> {
    #[inline]
    fn with_inbox<W: InboxWork>(&mut self, connection: &Connection, work: W) -> W::Output {
        let scope = &mut *self.scope;
        v8::scope!(let scope, scope);
        v8::tc_scope!(let scope, scope);
        let to = Recipient::of(scope, self.script, self.callbacks, connection);
        work.run(&mut ScriptInbox {
            scope,
            script: self.script,
            callbacks: self.callbacks,
            connection,
            to,
            may_wait: cfg!(feature = "v8") && !connection.is_pull(),
            waiting: Batch::new(),
        })
    }
}

/// Short messages that came together and have not been delivered.
type Batch<'s> = SmallVec<[v8::Local<'s, v8::Value>; 32]>;

/// The scope of one read. A read makes so few handles and strings that they need not be freed
/// earlier.
type ReadScope<'p, 't, 's, 'i> = v8::PinnedRef<'p, v8::TryCatch<'t, 's, v8::HandleScope<'i>>>;

/// The delivery of one read.
struct ScriptInbox<'d, 'p, 't, 's, 'i> {
    scope: &'d mut ReadScope<'p, 't, 's, 'i>,
    script: &'d Script,
    callbacks: &'d Callbacks,
    connection: &'d Connection,
    to: Option<Recipient<'s>>,
    /// Whether texts wait for the texts behind them. Waiting saves calls into the engine, and such
    /// a call takes longer than many handlers.
    may_wait: bool,
    waiting: Batch<'s>,
}

/// The object and the functions that get the messages of a read.
struct Recipient<'s> {
    object: v8::Local<'s, v8::Object>,
    message: v8::Local<'s, v8::Function>,
    messages: v8::Local<'s, v8::Function>,
}

impl<'s> Recipient<'s> {
    fn of(
        scope: &v8::PinScope<'s, '_>,
        script: &Script,
        callbacks: &Callbacks,
        connection: &Connection,
    ) -> Option<Self> {
        let callbacks = callbacks.of(connection)?;
        Some(Self {
            object: script.object(scope, connection)?,
            message: v8::Local::new(scope, &callbacks.message),
            messages: v8::Local::new(scope, &callbacks.messages),
        })
    }
}

impl Events for ScriptInbox<'_, '_, '_, '_, '_> {
    fn drained(&mut self, connection: &Connection) {
        tell(self.scope, self.script, self.callbacks, connection, |it| {
            &it.drained
        });
    }

    fn closing(&mut self, connection: &Connection) {
        tell(self.scope, self.script, self.callbacks, connection, |it| {
            &it.closing
        });
    }

    fn closed(&mut self, connection: &Connection, ending: &Ending) {
        tell_closed(self.scope, self.script, self.callbacks, connection, ending);
    }
}

impl Inbox for ScriptInbox<'_, '_, '_, '_, '_> {
    #[inline]
    fn make_room(&mut self) -> bool {
        self.waiting.len() < self.waiting.inline_size() || self.deliver_waiting()
    }

    #[inline]
    fn deliver_waiting(&mut self) -> bool {
        let Some(to) = &self.to else {
            self.waiting.clear();
            return true;
        };
        let may_run = match self.waiting.as_slice() {
            [] => return true,
            [message] => call_local(self.scope, to.message, &[to.object.into(), *message]),
            messages => {
                let messages = v8::Array::new_with_elements(self.scope, messages);
                let args = [to.object.into(), messages.into()];
                call_local(self.scope, to.messages, &args)
            }
        };
        self.waiting.clear();
        may_run
    }

    #[inline]
    fn text(&mut self, text: &str, is_ascii: bool) -> Delivered {
        let bytes = text.as_bytes();
        let kind = v8::NewStringType::Normal;
        let string = match is_ascii {
            true => v8::String::new_from_one_byte(self.scope, bytes, kind),
            false => v8::String::new_from_utf8(self.scope, bytes, kind),
        };
        let Some(string) = string else {
            return Delivered::TooLong;
        };
        if self.may_wait {
            self.waiting.push(string.into());
            return Delivered::Yes;
        }
        self.deliver(string.into())
    }

    #[inline]
    fn binary(&mut self, payload: Cow<'_, [u8]>) -> Delivered {
        self.script.garbage.note(self.scope, payload.len());
        self.buffer(backing_store(payload))
    }

    #[inline]
    fn recycled(&mut self, mut payload: Recycled) -> Delivered {
        let length = payload.as_mut().len();
        self.script.garbage.note(self.scope, length);
        self.buffer(v8::ArrayBuffer::new_backing_store_from_bytes(Box::new(
            payload,
        )))
    }

    fn control(&mut self, payload: Cow<'_, [u8]>, is_pong: bool) -> Delivered {
        let callbacks = self.callbacks.of(self.connection);
        let control = callbacks.and_then(|it| it.control.as_ref());
        let script = self.script;
        tell_control(
            self.scope,
            script,
            control,
            self.connection,
            payload,
            is_pong,
        )
    }
}

impl<'s> ScriptInbox<'_, '_, '_, 's, '_> {
    #[inline]
    fn buffer(&mut self, store: v8::UniqueRef<v8::BackingStore>) -> Delivered {
        let store = store.make_shared();
        let buffer = v8::ArrayBuffer::with_backing_store(self.scope, &store);
        self.deliver(buffer.into())
    }

    /// Delivers one message, and drains the microtasks that it caused.
    #[inline]
    fn deliver(&mut self, data: v8::Local<'s, v8::Value>) -> Delivered {
        let Some(to) = &self.to else {
            return Delivered::Yes;
        };
        let args = [to.object.into(), data];
        delivered(call_local(self.scope, to.message, &args))
    }
}

/// Calls a callback that takes only the object.
fn tell(
    scope: &mut v8::PinScope<'_, '_>,
    script: &Script,
    callbacks: &Callbacks,
    connection: &Connection,
    callback: impl FnOnce(&SocketCallbacks) -> &v8::Global<v8::Function>,
) {
    v8::scope!(let scope, scope);
    if let Some(object) = script.object(scope, connection)
        && let Some(callbacks) = callbacks.of(connection)
    {
        call(scope, callback(callbacks), &[object.into()]);
    }
}

fn tell_control(
    scope: &mut v8::PinScope<'_, '_>,
    script: &Script,
    callback: Option<&v8::Global<v8::Function>>,
    connection: &Connection,
    payload: Cow<'_, [u8]>,
    is_pong: bool,
) -> Delivered {
    v8::scope!(let scope, scope);
    let Some(object) = script.object(scope, connection) else {
        return Delivered::Yes;
    };
    let Some(callback) = callback else {
        return Delivered::Yes;
    };
    let store = backing_store(payload).make_shared();
    let data = v8::ArrayBuffer::with_backing_store(scope, &store);
    let is_pong = v8::Boolean::new(scope, is_pong);
    let args = [object.into(), data.into(), is_pong.into()];
    delivered(call(scope, callback, &args))
}

fn tell_closed(
    scope: &mut v8::PinScope<'_, '_>,
    script: &Script,
    callbacks: &Callbacks,
    connection: &Connection,
    ending: &Ending,
) {
    v8::scope!(let scope, scope);
    let object = script.take_object(connection);
    let (Some(object), Some(callbacks)) = (object, callbacks.of(connection)) else {
        return;
    };
    let error = match &ending.error {
        Some(error) => string(scope, error),
        None => v8::undefined(scope).into(),
    };
    let args = [
        v8::Local::new(scope, object).into(),
        v8::Number::new(scope, ending.code.into()).into(),
        string(scope, &ending.reason),
        v8::Boolean::new(scope, ending.was_clean).into(),
        error,
    ];
    call(scope, &callbacks.closed, &args);
}

/// Calls the script, and drains all microtasks that the call caused, as a
/// browser does between two tasks. Returns false if the engine must not run
/// more script.
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
    // The function reports the exceptions of listeners, so only a termination
    // can be caught here.
    function.call(scope, receiver, args);
    scope.perform_microtask_checkpoint();
    !scope.has_terminated()
}

#[inline]
fn delivered(may_run: bool) -> Delivered {
    match may_run {
        true => Delivered::Yes,
        false => Delivered::Stopped,
    }
}

/// The memory of an ArrayBuffer with `payload`, which is copied only if it is borrowed.
fn backing_store(payload: Cow<'_, [u8]>) -> v8::UniqueRef<v8::BackingStore> {
    v8::ArrayBuffer::new_backing_store_from_vec(payload.into_owned())
}

fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::Value> {
    v8::String::new(scope, text)
        .unwrap_or_else(|| v8::String::empty(scope))
        .into()
}
