//! One connection: a transport, the protocol's [`Session`], and the messages that go through them.
//!
//! | module | concern |
//! |---|---|
//! | [`status`] | what became of a message, and what ends a connection |
//! | [`input`] | the result of a read |
//! | [`reader`] | reading from the transport, and decoding |
//! | [`pull_state`] | the additional state of a `WebSocketStream` |
//! | [`pull`] | reading on demand, for `WebSocketStream` |
//! | [`writer`] | sending, backpressure, and writing to the transport |
//! | [`blob`] | sending behind a Blob |
//! | [`counted`] | what a connection remembers for the metrics |
//! | [`counting`] | what operators are told about a connection |
//! | [`life`] | the session: closing, failing, Pings and Pongs, deadlines |
//!
//! The session decides what may happen, and the connection does it. This module does not know the
//! engine, because the hub delivers.

mod blob;
mod counted;
mod counting;
mod input;
mod life;
mod pull;
mod pull_state;
mod reader;
mod status;
mod writer;

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use duplex_protocol::decoder::Decoder;
use duplex_protocol::deflate::{Compression, Compressor, Parameters};
use duplex_protocol::frame::Role;
use duplex_protocol::mask::MaskKey;
use duplex_protocol::session::{self, IdleTimeout, ReadyState, Session};

use self::counted::Counted;
use self::input::Reader;
pub(crate) use self::input::{EventSink, Input, Read};
pub(crate) use self::life::Due;
use self::pull_state::Pull;
pub(crate) use self::status::{
    Backlog, Exceeded, SEND_BUFFERED, SEND_CLOSED, SEND_REFUSED, SendStatus,
};
use crate::deferred::Deferred;
use crate::hub::dirty_list::{DirtyMark, Marked};
use crate::limits::Limits;
use crate::members::Membership;
use crate::metrics::Class;
use crate::out_buffer::OutBuffer;
use crate::transport::Transport;

/// One end of a WebSocket connection after the opening handshake.
pub(crate) struct Connection {
    /// The connection's place in the hub. Another connection may get the place after this
    /// connection was removed.
    pub(crate) id: u32,
    role: Role,
    transport: RefCell<Transport>,
    reader: RefCell<Reader>,
    out: RefCell<OutBuffer>,
    /// Compresses messages, if permessage-deflate was agreed on.
    compressor: RefCell<Option<Box<Compressor>>>,
    /// Wakes the hub for this connection, when the transport can be read from
    /// or written to.
    waker: Waker,
    /// What may happen, and what has happened. Borrowed for one question or one step at a time,
    /// never while script runs.
    session: RefCell<Session>,
    /// The additional state of a `WebSocketStream`, which is read on demand.
    pull: OnceCell<Box<Pull>>,
    /// Whether this connection is on the hub's list of connections to flush.
    dirty: DirtyMark,
    /// Whether the kernel refused bytes. The waker then continues the write.
    is_blocked: Cell<bool>,
    /// Whether messages wait for the bytes of a Blob.
    is_deferring: Cell<bool>,
    /// Whether the script was told that the kernel takes no more, and must be told when it has
    /// taken all.
    is_drain_awaited: Cell<bool>,
    /// Whether the connection keeps the event loop going while it lives.
    is_ref: Cell<bool>,
    /// The class that the metrics count this connection in.
    class: Class,
    counted: Counted,
    /// Whether the script has paused reading.
    is_held_back: Cell<bool>,
    settings: Rc<Settings>,
    /// The messages that wait for the bytes of a Blob. Boxed because most connections never need
    /// it.
    deferred: OnceCell<Box<RefCell<Deferred>>>,
    /// The peer's address, if the server knows it.
    remote_addr: Option<SocketAddr>,
    /// The connection's place in the group of its server.
    pub(crate) membership: RefCell<Option<Membership<Connection>>>,
    /// The deadline for which the hub has an entry.
    pub(crate) watched: Cell<Option<Instant>>,
}

/// Settings that connections with equal values share.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Settings {
    pub limits: Limits,
    /// The limits in the form that the session takes, with the idle timeout.
    pub session: session::Config,
}

impl Settings {
    pub(crate) fn new(limits: Limits, idle: Option<IdleTimeout>) -> Self {
        let session = session::Config {
            idle,
            close_timeout: limits.close_timeout,
            least_progress: limits.least_progress,
            max_control_frames: limits.max_control_frames,
            ..session::Config::default()
        };
        Self { limits, session }
    }
}

/// The options of a new connection.
#[derive(Default)]
pub(crate) struct Options {
    pub settings: Rc<Settings>,
    /// The agreed parameters of permessage-deflate, and how to compress.
    pub deflate: Option<(Parameters, Compression)>,
    pub remote_addr: Option<SocketAddr>,
    /// Whether the transport is a stream of HTTP/2.
    pub is_http2: bool,
    /// Whether TLS is under the transport, if the transport does not tell it.
    pub is_tls: bool,
}

impl Marked for Connection {
    #[inline]
    fn mark(&self) -> &DirtyMark {
        &self.dirty
    }
}

impl Connection {
    /// A connection that was opened at `now`. `read_ahead` are the bytes that came with the
    /// handshake.
    pub(crate) fn new(
        (id, waker): (u32, Waker),
        role: Role,
        transport: Transport,
        read_ahead: Bytes,
        options: Options,
        now: Instant,
    ) -> Self {
        let Options {
            settings,
            deflate,
            remote_addr,
            is_http2,
            is_tls,
        } = options;
        let is_tls = is_tls || matches!(transport, Transport::Tls(_));
        let limits = settings.limits.decoder();
        let decoder = match &deflate {
            Some((parameters, _)) => Decoder::with_deflate(role, limits, parameters),
            None => Decoder::new(role, limits),
        };
        let compressor = deflate.map(|(parameters, compression)| {
            Box::new(Compressor::new(role, &parameters, compression))
        });
        Self {
            id,
            role,
            transport: RefCell::new(transport),
            reader: RefCell::new(Reader::new(decoder, read_ahead)),
            out: RefCell::default(),
            compressor: RefCell::new(compressor),
            waker,
            session: RefCell::new(Session::new(now)),
            pull: OnceCell::new(),
            dirty: DirtyMark::default(),
            is_blocked: Cell::new(false),
            is_deferring: Cell::new(false),
            is_drain_awaited: Cell::new(false),
            is_ref: Cell::new(true),
            class: Class::new(role, is_http2, is_tls),
            counted: Counted::new(now),
            is_held_back: Cell::new(false),
            settings,
            deferred: OnceCell::new(),
            remote_addr,
            membership: RefCell::new(None),
            watched: Cell::new(None),
        }
    }

    /// Starts delivery at `now`.
    pub(crate) fn attach(&self, now: Instant) {
        self.session.borrow_mut().attach(now);
        self.waker.wake_by_ref();
    }

    /// Starts delivery on demand. Nothing is read until the script asks for the first message.
    pub(crate) fn attach_pull(&self, now: Instant) {
        let _ = self.pull.set(Box::default());
        self.attach(now);
    }

    /// Whether the script has taken the connection over.
    pub(crate) fn is_attached(&self) -> bool {
        self.session().ready_state() != ReadyState::Connecting
    }

    /// What may happen. Callers must not keep the borrow, because script may run in between.
    #[inline]
    pub(crate) fn session(&self) -> Ref<'_, Session> {
        self.session.borrow()
    }

    /// Whether the script knows that the connection has ended.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.session().has_ended()
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    pub(crate) fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// Whether the connection keeps the event loop going.
    pub(crate) fn is_ref(&self) -> bool {
        self.is_ref.get()
    }

    /// Sets whether the connection keeps the event loop going. Returns whether
    /// this changed the value.
    pub(crate) fn set_ref(&self, is_ref: bool) -> bool {
        self.is_ref.replace(is_ref) != is_ref
    }

    /// The masking key of the next frame. A client's key is unpredictable (RFC
    /// 6455 section 5.3). A server has none.
    #[inline]
    fn mask_key(&self) -> Option<MaskKey> {
        match self.role {
            Role::Client => Some(rand::random()),
            Role::Server => None,
        }
    }
}

#[cfg(test)]
impl Connection {
    /// A server's end over `transport`, which is in no hub.
    pub(crate) fn for_test(transport: Transport) -> Self {
        Self::new(
            (0, Waker::noop().clone()),
            Role::Server,
            transport,
            Bytes::new(),
            Options::default(),
            Instant::now(),
        )
    }

    /// How many bytes were queued since the connection began, and how many wait for a Blob.
    pub(crate) fn queued(&self) -> (u64, usize) {
        (self.out.borrow().end(), self.deferred_payload())
    }
}
