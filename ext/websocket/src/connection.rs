//! One connection: its protocol state, reading, and the close handshake.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use deno_core::v8;
use duplex_protocol::close::{ABNORMAL_CLOSURE, Close, CloseCode};
use duplex_protocol::control_rate::ControlRate;
use duplex_protocol::decoder::{Decoder, Event, InPlace, Message};
use duplex_protocol::deflate::{Compression, Compressor, Parameters};
use duplex_protocol::encoder;
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::{FrameHeader, Opcode, Role};
use duplex_protocol::mask::MaskKey;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::deferred::Deferred;
use crate::dirty_list::DirtyMark;
use crate::group::Membership;
use crate::idle::{Idle, IdleTimeout, Step};
use crate::limits::Limits;
use crate::out_buffer::OutBuffer;
use crate::recycler::{self, Recycled, Recycler};
use crate::topics::{Message as Payload, Publication};
use crate::transport::Transport;
use crate::watch::{Pace, Watch};

pub(crate) struct Connection {
    /// Its place in the hub. Another's once it has ended.
    pub(crate) id: u32,
    role: Role,
    transport: RefCell<Transport>,
    reader: RefCell<Reader>,
    out: RefCell<OutBuffer>,
    /// Compresses messages, where permessage-deflate was agreed on.
    compressor: RefCell<Option<Box<Compressor>>>,
    /// Wakes the hub for this connection, from readiness on either side.
    waker: Waker,
    /// The `WebSocket` object, from its attachment to its `close` event. This is
    /// what keeps a live socket that nobody holds from being collected.
    socket: RefCell<Option<v8::Global<v8::Object>>>,
    /// What a `WebSocketStream` needs besides: it is read on demand.
    pull: OnceCell<Box<Pull>>,
    phase: Cell<Phase>,
    /// Whether a Close frame has been queued. Nothing follows it.
    close_sent: Cell<bool>,
    /// Whether the script knows that the close handshake has begun.
    is_closing_known: Cell<bool>,
    /// Whether the hub has this connection on its list of those to flush.
    pub(crate) dirty: DirtyMark,
    /// Whether the kernel refused bytes: the waker goes on with them.
    is_blocked: Cell<bool>,
    /// The limit that the script was made to exceed: the hub ends the connection.
    exceeded: Cell<Option<Exceeded>>,
    /// Whether messages wait for the bytes of a Blob.
    is_deferring: Cell<bool>,
    /// Whether the script was told that the kernel takes no more, and is to be
    /// told when it has taken all.
    is_drain_awaited: Cell<bool>,
    /// Whether the script drops the connection: the hub does.
    is_terminated: Cell<bool>,
    /// Whether it keeps the event loop going, as long as it lives.
    is_ref: Cell<bool>,
    idle: Idle,
    /// Whether writing failed. Reading then goes on to the end of what came.
    is_broken: Cell<bool>,
    settings: Rc<Settings>,
    rare: OnceCell<Box<Rare>>,
    /// The peer's address, where the server knows one.
    remote_addr: Option<SocketAddr>,
    /// Its place in the group of its server.
    pub(crate) membership: RefCell<Option<Membership>>,
    /// For which deadline the hub has an entry.
    pub(crate) watched: Cell<Option<Instant>>,
}

/// What a connection needs that is not to stay as it was accepted.
#[derive(Default)]
struct Rare {
    /// The peer's Close frame.
    close_received: OnceCell<Close>,
    /// How long a close handshake, or the end of a discarded peer, is waited for.
    closing: Cell<Option<Watch>>,
    /// The last Ping that is to be answered when the answer to another has been written.
    /// Those between need none (RFC 6455 section 5.5.3).
    pending_pong: RefCell<Option<Box<[u8]>>>,
    /// What waits for the bytes of a Blob.
    deferred: RefCell<Deferred>,
    control_rate: Cell<Option<ControlRate>>,
}

/// What most connections have as others have it. Those share it.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Settings {
    pub limits: Limits,
    /// How long the peer may stay silent.
    pub idle: Option<IdleTimeout>,
}

/// What a connection is to be like.
#[derive(Default)]
pub(crate) struct Options {
    pub settings: Rc<Settings>,
    /// What was agreed on for permessage-deflate, and how to compress.
    pub deflate: Option<(Parameters, Compression)>,
    pub remote_addr: Option<SocketAddr>,
}

/// What is left of the life of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// No `WebSocket` is attached: nothing is read.
    Unattached,
    /// Messages are delivered.
    Open,
    /// The script has seen the end. What is queued is written, and what comes is
    /// discarded, so that no reset overtakes the Close frame.
    Draining,
}

struct Reader {
    decoder: Decoder,
    /// What came with the handshake. Boxed, as the members of [`Connection`] are that most
    /// connections never need.
    read_ahead: Option<Box<Bytes>>,
    /// How long the next message may be: as long as the last one, where that was binary
    /// and came by itself. 0 where nothing is expected.
    expected: u32,
}

impl Reader {
    /// A binary message of `length` bytes has come by itself.
    #[inline]
    fn expect(&mut self, length: usize) {
        self.expected = match EXPECTED.contains(&length) {
            true => length as u32,
            false => 0,
        };
    }
}

/// Reading on demand: nothing is read from the transport, nor decoded, before the
/// script asks for a message.
#[derive(Default)]
struct Pull {
    /// Whether the script asks for a message.
    is_wanted: Cell<bool>,
    /// Whether it is being handed one, and may ask for the next.
    is_delivering: Cell<bool>,
    /// What was read behind the last message: at most one read.
    unread: RefCell<Unread>,
    /// Whether the script waits for its messages to be written.
    is_write_pending: Cell<bool>,
    /// Whether something that the script sent will not arrive, and the end is
    /// unclean therefore.
    has_lost_data: Cell<bool>,
}

/// Bytes that have not been decoded.
#[derive(Default)]
pub(crate) struct Unread {
    bytes: Vec<u8>,
    /// Where they start.
    start: usize,
}

impl Unread {
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

/// What became of a message that the script sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
    /// It is on its way.
    Taken,
    /// It is queued behind what the kernel does not take for now. The hub says when
    /// it has taken all.
    Buffered,
    /// It was refused, for more is queued than the limit. The hub likewise.
    Refused,
    /// It cannot be sent any more: the connection is ending.
    Closed,
}

/// A limit that ends a connection because of what its script does for the peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exceeded {
    Backpressure,
    Topics,
    TopicLength,
}

/// How far the messages of a script have come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backlog {
    /// So little is left for the kernel that the next may come.
    Low,
    /// The hub says when.
    High,
    /// The last one was not taken: the connection is ending.
    Closed,
}

/// How a connection ended, as its `close` event tells it.
#[derive(Debug, PartialEq)]
pub(crate) struct Ending {
    pub code: u16,
    pub reason: String,
    pub was_clean: bool,
    /// What the `error` event says that comes first, where there is one.
    pub error: Option<String>,
}

/// What [`Connection::check_deadlines`] found.
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// A Ping was queued.
    Ping,
    /// The peer did not answer the Ping. A Close frame was queued.
    Silent(Ending),
    /// The peer did not answer the Close frame, or did not end the stream.
    GivenUp(Ending),
}

/// How one read went.
pub(crate) enum Read {
    /// So many bytes are at the start of the buffer.
    Data(usize),
    /// So many went into the message that is coming, which this completed or broke.
    Message(usize, Result<Option<Event<'static>>, ProtocolError>),
    /// A binary message was read into memory of its own; the frame had so many bytes.
    Binary(usize, Recycled),
    /// Nothing now; the waker is set.
    Blocked,
    /// The peer closed its side.
    Eof,
    Failed(io::Error),
}

impl Connection {
    pub fn new(
        id: u32,
        role: Role,
        transport: Transport,
        read_ahead: Bytes,
        options: Options,
        waker: Waker,
    ) -> Self {
        let Options {
            settings,
            deflate,
            remote_addr,
        } = options;
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
            reader: RefCell::new(Reader {
                decoder,
                read_ahead: (!read_ahead.is_empty()).then(|| Box::new(read_ahead)),
                expected: 0,
            }),
            out: RefCell::default(),
            compressor: RefCell::new(compressor),
            waker,
            socket: RefCell::new(None),
            pull: OnceCell::new(),
            phase: Cell::new(Phase::Unattached),
            close_sent: Cell::new(false),
            is_closing_known: Cell::new(false),
            dirty: DirtyMark::default(),
            is_blocked: Cell::new(false),
            exceeded: Cell::new(None),
            is_deferring: Cell::new(false),
            is_drain_awaited: Cell::new(false),
            is_terminated: Cell::new(false),
            is_ref: Cell::new(true),
            idle: Idle::new(Instant::now()),
            is_broken: Cell::new(false),
            settings,
            rare: OnceCell::new(),
            remote_addr,
            membership: RefCell::new(None),
            watched: Cell::new(None),
        }
    }

    /// Starts delivery to `socket`.
    pub fn attach(&self, socket: v8::Global<v8::Object>) {
        *self.socket.borrow_mut() = Some(socket);
        self.phase.set(Phase::Open);
        self.note_heard(Instant::now());
        self.waker.wake_by_ref();
    }

    /// Starts delivery on demand to the stream that `handle` stands for. Until its
    /// first message is asked for, nothing is read.
    pub fn attach_pull(&self, handle: v8::Global<v8::Object>) {
        let _ = self.pull.set(Box::default());
        self.attach(handle);
    }

    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether the script knows that it is over.
    pub fn has_ended(&self) -> bool {
        self.phase.get() == Phase::Draining
    }

    /// The `WebSocket` object, between its attachment and its `close` event.
    #[inline]
    pub fn socket<'s>(&self, scope: &v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Object>> {
        let socket = self.socket.borrow();
        socket.as_ref().map(|socket| v8::Local::new(scope, socket))
    }

    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// The peer's Close frame.
    fn close_received(&self) -> Option<&Close> {
        self.rare.get()?.close_received.get()
    }

    fn closing(&self) -> Option<Watch> {
        self.rare.get()?.closing.get()
    }

    /// How many bytes may be queued when a message is sent.
    #[inline]
    fn backpressure_limit(&self) -> usize {
        self.settings.limits.backpressure_limit
    }

    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// Whether it keeps the event loop going.
    pub fn is_ref(&self) -> bool {
        self.is_ref.get()
    }

    /// Returns whether that is another answer than before.
    pub fn set_ref(&self, is_ref: bool) -> bool {
        self.is_ref.replace(is_ref) != is_ref
    }

    // Reading.

    /// Reads what there is into `buffer`, or into the message that is coming where that
    /// is long, `longest` bytes of it at most.
    pub fn read(&self, buffer: &mut [u8], longest: usize, recycler: &Recycler) -> Read {
        let mut reader = self.reader.try_borrow_mut().ok();
        if let Some(reader) = &mut reader
            && let Some(read_ahead) = &mut reader.read_ahead
        {
            let count = read_ahead.remaining().min(buffer.len());
            read_ahead.copy_to_slice(&mut buffer[..count]);
            if !read_ahead.has_remaining() {
                reader.read_ahead = None;
            }
            return Read::Data(count);
        }
        if let Some(mut reader) = reader.filter(|_| self.phase.get() == Phase::Open) {
            if let Some(room) = reader.decoder.spare() {
                let length = room.len().min(longest);
                let mut room = ReadBuf::uninit(&mut room[..length]);
                return match self.poll_read(&mut room) {
                    Read::Data(count) => {
                        // SAFETY: so many bytes have been filled, as a ReadBuf knows, since
                        // `spare` was returned.
                        Read::Message(count, unsafe { reader.decoder.filled(count) })
                    }
                    other => other,
                };
            }
            if reader.expected > 0 && reader.decoder.is_idle() {
                return self.read_expected(&mut reader, buffer, recycler);
            }
        }
        self.poll_read(&mut ReadBuf::new(buffer))
    }

    /// Reads what may be one message as long as the last one, into memory that it keeps, so
    /// that it need not be copied. What is not goes to `buffer`.
    fn read_expected(&self, reader: &mut Reader, buffer: &mut [u8], recycler: &Recycler) -> Read {
        // A read that leaves room tells that there is no more.
        let room = reader.expected as usize + FrameHeader::MAX_LENGTH;
        let mut frame = recycler.take(room);
        let mut unread = ReadBuf::uninit(&mut frame.spare_capacity_mut()[..room]);
        let read = self.poll_read(&mut unread);
        let count = match read {
            Read::Data(count) => count,
            _ => 0,
        };
        // SAFETY: so many bytes have been filled, as a ReadBuf knows.
        unsafe { frame.set_len(count) };
        let read = match reader.decoder.decode_sole_binary(&mut frame) {
            Some(start) if count - start >= frame.capacity() / 2 => {
                reader.expect(count - start);
                return Read::Binary(count, Recycled::new(frame, start, recycler.clone()));
            }
            Some(start) => {
                // What is much shorter must not hold so much memory.
                reader.expect(count - start);
                let payload = frame[start..].to_vec();
                Read::Message(count, Ok(Some(Event::Binary(payload.into()))))
            }
            None => {
                if count > 0 {
                    buffer[..count].copy_from_slice(&frame);
                    reader.expected = 0;
                }
                read
            }
        };
        recycler.give(frame);
        read
    }

    fn poll_read(&self, buffer: &mut ReadBuf<'_>) -> Read {
        let mut cx = Context::from_waker(&self.waker);
        let mut transport = self.transport.borrow_mut();
        match Pin::new(&mut *transport).poll_read(&mut cx, buffer) {
            Poll::Pending if self.is_broken.get() => Read::Failed(io::ErrorKind::BrokenPipe.into()),
            Poll::Pending => Read::Blocked,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Read::Eof,
            Poll::Ready(Ok(())) => Read::Data(buffer.filled().len()),
            Poll::Ready(Err(error)) => Read::Failed(error),
        }
    }

    /// Decodes `input` and hands each event to `on_event`, which may run script.
    /// Stops early where `on_event` returns false. Returns how many bytes at the
    /// end of `input` are left then.
    #[inline]
    pub fn decode(
        &self,
        mut input: &mut [u8],
        mut on_event: impl FnMut(Event<'_>) -> bool,
    ) -> Result<usize, ProtocolError> {
        // Only the hub reads, and it does so from the event loop, never from a
        // script's call; a second borrow would be its own fault.
        let Ok(mut reader) = self.reader.try_borrow_mut() else {
            return Ok(0);
        };
        let mut is_first = true;
        // Nothing comes of no bytes.
        while !input.is_empty() {
            match reader.decoder.decode_in_place(input) {
                InPlace::Message(message, rest) => {
                    if let Message::Binary(payload) = message
                        && is_first
                        && rest.is_empty()
                    {
                        reader.expect(payload.len());
                    }
                    if !on_event(message.into()) {
                        return Ok(rest.len());
                    }
                    input = rest;
                }
                InPlace::Failed(error) => return Err(error),
                InPlace::Other(rest) => {
                    let decoded = reader.decoder.decode(rest)?;
                    let Some(event) = decoded.event else {
                        return Ok(0);
                    };
                    if !on_event(event) {
                        return Ok(decoded.rest.len());
                    }
                    input = decoded.rest;
                }
            }
            is_first = false;
        }
        Ok(0)
    }

    // Reading on demand.

    pub fn is_pull(&self) -> bool {
        self.pull.get().is_some()
    }

    /// Whether nothing is to be read now: the script has asked for no message.
    /// What it does not ask for is read and discarded once it cannot ask any more:
    /// the peer's Close frame stands behind it.
    pub fn is_paused(&self) -> bool {
        self.pull.get().is_some_and(|pull| {
            !pull.is_wanted.get() && !pull.has_lost_data.get() && !self.close_sent.get()
        })
    }

    /// The script asks for a message. Returns whether the hub is to look at this
    /// connection: not where it is at it already.
    pub fn want(&self) -> bool {
        let Some(pull) = self.pull.get() else {
            return false;
        };
        if pull.is_wanted.replace(true) {
            return false;
        }
        if self.settings.idle.is_some() {
            // A peer that was not listened to was not silent.
            self.note_heard(Instant::now());
        }
        !pull.is_delivering.get()
    }

    /// A message is about to be delivered.
    #[inline]
    pub fn begin_delivery(&self) {
        if let Some(pull) = self.pull.get() {
            pull.is_wanted.set(false);
            pull.is_delivering.set(true);
        }
    }

    /// It was delivered. Returns whether the next may be.
    #[inline]
    pub fn end_delivery(&self) -> bool {
        match self.pull.get() {
            Some(pull) => {
                pull.is_delivering.set(false);
                !self.is_paused()
            }
            None => true,
        }
    }

    /// Keeps what was read behind the last message.
    pub fn keep_unread(&self, bytes: &[u8]) {
        if let Some(pull) = self.pull.get()
            && !bytes.is_empty()
        {
            *pull.unread.borrow_mut() = Unread {
                bytes: bytes.to_vec(),
                start: 0,
            };
        }
    }

    /// Takes it, to be decoded before anything else.
    pub fn take_unread(&self) -> Option<Unread> {
        let unread = self.pull.get()?.unread.take();
        (!unread.bytes.is_empty()).then_some(unread)
    }

    /// Puts it back, where so many bytes at its end are left.
    pub fn restore_unread(&self, mut unread: Unread, left: usize) {
        if let Some(pull) = self.pull.get()
            && left > 0
        {
            unread.start = unread.bytes.len() - left;
            *pull.unread.borrow_mut() = unread;
        }
    }

    /// The peer was heard at `now`.
    pub fn note_heard(&self, now: Instant) {
        self.idle.note_heard(now);
    }

    /// Counts a Ping or a Pong that was received at `now`.
    pub fn count_control(&self, now: Instant) -> Result<(), ProtocolError> {
        let rare = self.rare();
        let limit = self.settings.limits.max_control_frames;
        let mut rate = rare.control_rate.get().unwrap_or(ControlRate::new(limit));
        let counted = rate.count(now.into_std());
        rare.control_rate.set(Some(rate));
        counted
    }

    /// Answers a Ping, behind what is queued. Where the kernel refuses bytes, no more than
    /// one answer is queued at a time. Returns whether there is something to flush.
    pub fn answer_ping(&self, payload: &[u8]) -> bool {
        if self.close_sent.get() {
            return false;
        }
        let mut out = self.out.borrow_mut();
        if self.is_blocked.get() && out.has_answer() {
            *self.rare().pending_pong.borrow_mut() = Some(payload.into());
            return false;
        }
        if let Some(rare) = self.rare.get() {
            // An earlier one needs no answer any more.
            rare.pending_pong.take();
        }
        self.push_pong(&mut out, payload);
        true
    }

    fn push_pong(&self, out: &mut OutBuffer, payload: &[u8]) {
        let key = self.mask_key();
        out.push_answer(|out| {
            // A Ping's payload fits, so its answer does.
            let _ = encoder::encode_pong(out, key, payload);
        });
    }

    /// Queues the answer that had to wait for another, where that has been written. Returns
    /// whether it did.
    fn push_pending_pong(&self, out: &mut OutBuffer) -> bool {
        if let Some(rare) = self.rare.get()
            && !out.has_answer()
            && !self.close_sent.get()
            && let Some(payload) = rare.pending_pong.take()
        {
            self.push_pong(out, &payload);
            return true;
        }
        false
    }

    // Writing.

    /// Queues the answer to the opening handshake, before anything else is.
    pub fn send_answer(&self, answer: &[u8]) {
        self.out.borrow_mut().push_bytes(answer);
    }

    /// Queues a text message.
    #[inline]
    pub fn send_text(&self, text: &str) -> Sent {
        if self.is_deferring.get() {
            return self.defer(Payload::Text(text));
        }
        if let Some(sent) = self.send_long(Opcode::Text, text.as_bytes()) {
            return sent;
        }
        self.send(text.len(), |out, key, compressor| {
            Payload::Text(text).encode(out, key, compressor);
        })
    }

    /// Queues a binary message.
    #[inline]
    pub fn send_binary(&self, bytes: &[u8]) -> Sent {
        if self.is_deferring.get() {
            return self.defer(Payload::Binary(bytes));
        }
        if let Some(sent) = self.send_long(Opcode::Binary, bytes) {
            return sent;
        }
        self.send(bytes.len(), |out, key, compressor| {
            Payload::Binary(bytes).encode(out, key, compressor);
        })
    }

    #[inline]
    fn send(
        &self,
        payload: usize,
        encode: impl FnOnce(&mut Vec<u8>, Option<MaskKey>, Option<&mut Compressor>),
    ) -> Sent {
        let mut out = self.out.borrow_mut();
        if let Some(refused) = self.refusal(&mut out) {
            return refused;
        }
        self.push_message(&mut out, payload, encode);
        self.queued(&mut out)
    }

    #[inline]
    fn push_message(
        &self,
        out: &mut OutBuffer,
        payload: usize,
        encode: impl FnOnce(&mut Vec<u8>, Option<MaskKey>, Option<&mut Compressor>),
    ) {
        let key = self.mask_key();
        let mut compressor = self.compressor.borrow_mut();
        if payload > BACKLOG_LIMIT && compressor.is_some() && !self.is_blocked.get() {
            // What is queued need not wait while a long message is compressed.
            self.write(out);
        }
        let is_huge = payload > COMPRESSED_LIMIT && self.is_pull();
        let compressor = compressor.as_deref_mut().filter(|_| !is_huge);
        out.push_data(payload, |out| encode(out, key, compressor));
    }

    /// Writes a long message from where it lies, behind what is queued. `None` where it
    /// has to be copied anyway: to be masked, compressed, encrypted or kept.
    #[inline]
    fn send_long(&self, opcode: Opcode, payload: &[u8]) -> Option<Sent> {
        if payload.len() < WRITTEN_FROM
            || self.role == Role::Client
            || self.is_blocked.get()
            || self.compressor.borrow().is_some()
        {
            return None;
        }
        let mut out = self.out.borrow_mut();
        let mut transport = self.transport.borrow_mut();
        if !transport.is_socket() || self.is_ending() || out.held() > self.backpressure_limit() {
            return None;
        }
        let (header, length) = encoder::frame_header(opcode, true, None, payload.len());
        let mut cx = Context::from_waker(&self.waker);
        let written = out.poll_write_long(&mut transport, &mut cx, &header[..length], payload);
        drop(transport);
        self.note_written(&mut out, written);
        Some(self.queued(&mut out))
    }

    /// Queues a message that was encoded once for all who get it.
    pub fn send_published(&self, publication: &Publication<'_>) -> Sent {
        if self.is_deferring.get() {
            return self.defer(publication.message());
        }
        let mut out = self.out.borrow_mut();
        if let Some(refused) = self.refusal(&mut out) {
            return refused;
        }
        let mut compressor = self.compressor.borrow_mut();
        publication.with_frame(compressor.as_deref_mut(), |frame| {
            out.push_shared(publication.payload_length(), frame);
        });
        self.queued(&mut out)
    }

    // Behind a Blob.

    /// Keeps the place of a Blob of `length` bytes. What the script sends before
    /// [`send_blob`](Self::send_blob) brings them waits, and so does the Close frame.
    pub fn defer_blob(&self, length: usize) -> Sent {
        self.defer_entry(|deferred| deferred.push_blob(length))
    }

    /// Keeps a message behind a Blob.
    #[cold]
    fn defer(&self, message: Payload<'_>) -> Sent {
        self.defer_entry(|deferred| deferred.push(message))
    }

    fn defer_entry(&self, push: impl FnOnce(&mut Deferred)) -> Sent {
        let mut out = self.out.borrow_mut();
        let mut deferred = self.rare().deferred.borrow_mut();
        if self.is_ending() || deferred.has_close() {
            return Sent::Closed;
        }
        if let Some(refused) = self.overflow(&mut out, deferred.held()) {
            return refused;
        }
        push(&mut deferred);
        self.is_deferring.set(true);
        Sent::Taken
    }

    /// Queues the bytes of the Blob whose turn it is, or nothing where they cannot be read,
    /// and what was sent behind it. Returns the Close frame that is to follow.
    pub fn send_blob(&self, bytes: Option<&[u8]>) -> Option<Close> {
        let mut deferred = self.rare().deferred.borrow_mut();
        if self.is_ending() {
            // It will not be sent, and stays in `bufferedAmount`.
            return None;
        }
        deferred.pop_blob();
        let mut out = self.out.borrow_mut();
        // There was room for all of it when the script sent it.
        if let Some(bytes) = bytes {
            self.push_deferred(&mut out, Payload::Binary(bytes));
        }
        while let Some(owned) = deferred.pop() {
            self.push_deferred(&mut out, owned.message());
        }
        self.is_deferring.set(!deferred.is_empty());
        match deferred.is_empty() {
            true => deferred.take_close(),
            false => None,
        }
    }

    fn push_deferred(&self, out: &mut OutBuffer, message: Payload<'_>) {
        self.push_message(out, message.length(), |out, key, compressor| {
            message.encode(out, key, compressor);
        });
        if !self.is_blocked.get() && out.len() >= FLUSH_EARLY_FROM {
            self.write(out);
        }
        if self.is_blocked.get() {
            self.is_drain_awaited.set(true);
        }
    }

    /// Has the Close frame follow what waits for a Blob, where something does. Returns
    /// whether that is so.
    pub fn defer_close(&self, close: &Close) -> bool {
        let is_deferring = self.is_deferring.get() && !self.is_ending();
        if is_deferring {
            self.rare().deferred.borrow_mut().close(close);
        }
        is_deferring
    }

    /// How much waits for a Blob.
    fn deferred_payload(&self) -> usize {
        let rare = self.rare.get();
        rare.map_or(0, |rare| rare.deferred.borrow().payload())
    }

    // Control frames.

    /// Queues a Ping with at most 125 bytes of payload. It is refused as messages are.
    pub fn send_ping(&self, payload: &[u8]) -> Sent {
        self.send_control(|out, key| {
            let _ = encoder::encode_ping(out, key, payload);
        })
    }

    /// Queues a Pong that no Ping asked for (RFC 6455 section 5.5.3).
    pub fn send_pong(&self, payload: &[u8]) -> Sent {
        self.send_control(|out, key| {
            let _ = encoder::encode_pong(out, key, payload);
        })
    }

    fn send_control(&self, encode: impl FnOnce(&mut Vec<u8>, Option<MaskKey>)) -> Sent {
        let mut out = self.out.borrow_mut();
        if let Some(refused) = self.refusal(&mut out) {
            return refused;
        }
        let key = self.mask_key();
        out.push_control(|out| encode(out, key));
        self.queued(&mut out)
    }

    /// Why nothing more can be queued now, if so.
    #[inline]
    fn refusal(&self, out: &mut OutBuffer) -> Option<Sent> {
        if self.is_ending() {
            return Some(Sent::Closed);
        }
        if out.held() > self.backpressure_limit() {
            return self.overflow(out, 0);
        }
        None
    }

    /// Whether no message can be sent any more.
    #[inline]
    fn is_ending(&self) -> bool {
        self.close_sent.get()
            || self.is_broken.get()
            || self.exceeded.get().is_some()
            || self.is_terminated.get()
            || self.phase.get() == Phase::Draining
    }

    /// Why nothing more can be queued where so much waits besides, if so.
    #[cold]
    fn overflow(&self, out: &mut OutBuffer, deferred: usize) -> Option<Sent> {
        let limit = self.backpressure_limit();
        if out.held() + deferred > limit && !self.is_blocked.get() {
            self.write(out);
        }
        if out.held() + deferred <= limit {
            return None;
        }
        if self.settings.limits.close_on_backpressure_limit || self.is_pull() {
            self.exceed(Exceeded::Backpressure);
            return Some(Sent::Closed);
        }
        self.is_drain_awaited.set(true);
        Some(Sent::Refused)
    }

    /// A message was queued.
    #[inline]
    fn queued(&self, out: &mut OutBuffer) -> Sent {
        // A script that sends much in one turn need not hold it all.
        if out.len() >= FLUSH_EARLY_FROM && !self.is_blocked.get() {
            self.write(out);
        }
        if self.is_blocked.get() {
            self.is_drain_awaited.set(true);
            return Sent::Buffered;
        }
        Sent::Taken
    }

    /// Hands `body` the socket and what a [`SendBatch`](crate::send_batch::SendBatch) can
    /// write of what is queued, unless the kernel refuses bytes.
    #[cfg(target_os = "linux")]
    pub fn with_unwritten(&self, body: impl FnOnce(std::os::fd::RawFd, &[u8])) {
        // The last of a connection has a way of its own.
        let is_last = self.close_sent.get() && self.close_received().is_some();
        if is_last || self.is_blocked.get() {
            return;
        }
        let mut out = self.out.borrow_mut();
        let Some(bytes) = out.unwritten() else {
            return;
        };
        let mut transport = self.transport.borrow_mut();
        if let Some(socket) = transport.socket() {
            body(socket, bytes);
        } else if let Transport::Tls(tls) = &mut *transport
            && let Some((count, socket, records)) = tls.seal(bytes)
        {
            body(socket, records);
            out.note_written(count);
        }
    }

    /// So many bytes of that were written.
    #[cfg(target_os = "linux")]
    pub fn note_batch_written(&self, count: usize) {
        match &mut *self.transport.borrow_mut() {
            Transport::Tls(tls) => tls.note_sent(count),
            _ => self.out.borrow_mut().note_written(count),
        }
    }

    /// Writes what is queued. Returns whether the kernel has taken all of it.
    pub fn flush(&self) -> bool {
        let mut out = self.out.borrow_mut();
        out.end_turn();
        if self.close_sent.get() && self.close_received().is_some() {
            out.write_last_to(&self.transport.borrow());
        }
        self.write(&mut out);
        if self.push_pending_pong(&mut out) && !self.is_blocked.get() {
            self.write(&mut out);
        }
        out.end_turn();
        out.is_empty()
    }

    fn write(&self, out: &mut OutBuffer) -> bool {
        let mut transport = self.transport.borrow_mut();
        let mut cx = Context::from_waker(&self.waker);
        let written = out.poll_write_to(&mut transport, &mut cx);
        self.note_written(out, written)
    }

    /// Returns whether the kernel has taken all that is queued.
    fn note_written(&self, out: &mut OutBuffer, written: Poll<io::Result<()>>) -> bool {
        match written {
            Poll::Ready(Ok(())) => {
                self.is_blocked.set(false);
                true
            }
            Poll::Pending => {
                self.is_blocked.set(true);
                false
            }
            Poll::Ready(Err(_)) => {
                // What the peer sent before it went may still be read, its Close
                // frame among it.
                self.note_lost_data(out);
                out.clear();
                self.is_blocked.set(true);
                self.is_broken.set(true);
                self.waker.wake_by_ref();
                false
            }
        }
    }

    /// Has the hub end the connection for a limit.
    pub fn exceed(&self, limit: Exceeded) {
        self.exceeded.set(Some(limit));
        self.waker.wake_by_ref();
    }

    /// How the connection ends where a limit is exceeded. A peer that reads on still gets
    /// what is queued.
    pub fn exceeded_ending(&self) -> Option<Ending> {
        let limits = &self.settings.limits;
        let message = match self.exceeded.take()? {
            Exceeded::Backpressure => {
                let limit = limits.backpressure_limit;
                format!("queued messages exceed backpressureLimit ({limit} bytes)")
            }
            Exceeded::Topics => {
                format!("subscriptions exceed maxTopics ({})", limits.max_topics)
            }
            Exceeded::TopicLength => {
                let limit = limits.max_topic_length;
                format!("topic is longer than maxTopicLength ({limit} bytes)")
            }
        };
        Some(self.fail(CloseCode::POLICY_VIOLATION, message))
    }

    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    pub fn is_blocked(&self) -> bool {
        self.is_blocked.get()
    }

    /// How far the messages of the script have come. Where it has to wait,
    /// [`take_drained`](Self::take_drained) will say when it need not.
    pub fn backlog(&self) -> Backlog {
        if self.is_broken.get() {
            if let Some(pull) = self.pull.get()
                && !pull.has_lost_data.replace(true)
            {
                self.waker.wake_by_ref();
            }
            return Backlog::Closed;
        }
        if self.close_sent.get() || self.phase.get() == Phase::Draining {
            return Backlog::Closed;
        }
        if self.has_drained() {
            return Backlog::Low;
        }
        if let Some(pull) = self.pull.get() {
            pull.is_write_pending.set(true);
        }
        Backlog::High
    }

    /// Whether the script was told to wait and need not any more: a socket where the
    /// kernel has taken all, a stream's writer somewhat earlier.
    pub fn take_drained(&self) -> bool {
        let Some(pull) = self.pull.get() else {
            return self.is_drain_awaited.get()
                && !self.is_broken.get()
                && !self.close_sent.get()
                && !self.is_deferring.get()
                && self.out.borrow().is_empty()
                && self.is_drain_awaited.replace(false);
        };
        pull.is_write_pending.get()
            && !self.is_broken.get()
            && !pull.has_lost_data.get()
            && self.has_drained()
            && pull.is_write_pending.replace(false)
    }

    /// Whether the kernel has taken nearly all, of what was sent and of what that
    /// was compressed to.
    fn has_drained(&self) -> bool {
        let out = self.out.borrow();
        let limit = self.backpressure_limit().min(BACKLOG_LIMIT);
        out.pending() <= limit && out.len() <= limit
    }

    /// What is left in `out` will not arrive, or not be listened to.
    fn note_lost_data(&self, out: &OutBuffer) {
        if let Some(pull) = self.pull.get()
            && out.has_data()
        {
            pull.has_lost_data.set(true);
        }
    }

    pub fn buffered_amount(&self) -> usize {
        self.out.borrow().buffered_amount() + self.deferred_payload()
    }

    /// Masks are unpredictable (RFC 6455 section 5.3), and a server has none.
    #[inline]
    fn mask_key(&self) -> Option<MaskKey> {
        match self.role {
            Role::Client => Some(rand::random()),
            Role::Server => None,
        }
    }

    // The close handshake (RFC 6455 section 7).

    /// Queues a Close frame, unless one was. Returns whether it did.
    pub fn send_close(&self, close: &Close) -> bool {
        if self.close_sent.replace(true) {
            return false;
        }
        let key = self.mask_key();
        self.out
            .borrow_mut()
            .push_control(|out| encoder::encode_close(out, key, close));
        true
    }

    pub fn close_sent(&self) -> bool {
        self.close_sent.get()
    }

    /// The script begins the close handshake itself.
    pub fn note_closing_known(&self) {
        self.is_closing_known.set(true);
    }

    /// Whether the close handshake has begun without the script's knowledge, which
    /// is to be told now.
    pub fn note_closing(&self) -> bool {
        self.close_sent.get() && !self.is_closing_known.replace(true)
    }

    /// Notes the peer's Close frame and queues the answer, where this is not the
    /// answer itself.
    pub fn receive_close(&self, close: Close) {
        let answer = match close.code() {
            Some(code) => Close::new(code, close.reason()),
            None => Close::empty(),
        };
        if let Some(pull) = self.pull.get() {
            // The script waits for the kernel: the peer was quicker. What it need
            // not wait for may well be through.
            let mut out = self.out.borrow_mut();
            if !pull.is_write_pending.get() && !self.is_blocked.get() {
                self.write(&mut out);
            }
            self.note_lost_data(&out);
        }
        self.send_close(&answer);
        // The decoder gives but one.
        let _ = self.rare().close_received.set(close);
    }

    /// How the connection ends where both Close frames are through. A stream's end
    /// is unclean where not all of its messages were.
    pub fn clean_ending(&self) -> Option<Ending> {
        let has_lost_data = (self.pull.get()).is_some_and(|pull| pull.has_lost_data.get());
        self.close_received().map(|close| Ending {
            code: close.event_code(),
            reason: close.reason().to_owned(),
            was_clean: !has_lost_data,
            error: None,
        })
    }

    /// The script drops the connection. The hub does it, for it has to tell the end.
    pub fn terminate(&self) {
        self.is_terminated.set(true);
        self.waker.wake_by_ref();
    }

    pub fn is_terminated(&self) -> bool {
        self.is_terminated.get()
    }

    /// How it ends where the script drops it.
    pub fn terminated_ending(&self) -> Ending {
        Ending {
            code: ABNORMAL_CLOSURE,
            reason: String::new(),
            was_clean: false,
            error: None,
        }
    }

    /// How it ends where the transport does.
    pub fn abrupt_ending(&self, error: Option<io::Error>) -> Ending {
        self.clean_ending().unwrap_or_else(|| Ending {
            code: ABNORMAL_CLOSURE,
            reason: String::new(),
            was_clean: false,
            // A peer that drops the connection after this end asked to close
            // made nothing fail.
            error: (!self.close_sent.get()).then(|| match error {
                Some(error) => error.to_string(),
                None => "Unexpected EOF".to_owned(),
            }),
        })
    }

    /// Fails the connection (RFC 6455 section 7.1.7).
    pub fn fail(&self, code: CloseCode, message: String) -> Ending {
        self.send_close(&Close::new(code, message.as_str()));
        Ending {
            code: ABNORMAL_CLOSURE,
            reason: String::new(),
            was_clean: false,
            error: Some(message),
        }
    }

    /// The script is told the end now, and no more.
    pub fn begin_draining(&self) {
        self.phase.set(Phase::Draining);
        self.socket.take();
        if let Some(membership) = &mut *self.membership.borrow_mut() {
            membership.unsubscribe_all();
        }
    }

    /// Whether nothing is left to do: both Close frames are through.
    pub fn is_drained(&self) -> bool {
        self.out.borrow().is_empty() && self.close_received().is_some()
    }

    /// Tells the peer that nothing more follows.
    pub fn shut_down_write(&self) {
        let mut cx = Context::from_waker(&self.waker);
        let mut transport = self.transport.borrow_mut();
        let _ = Pin::new(&mut *transport).poll_shutdown(&mut cx);
    }

    // Deadlines.

    pub fn close_timeout(&self) -> Option<Duration> {
        self.settings.limits.close_timeout
    }

    /// The peer has so much time to answer, or to end the stream, from when it has taken what
    /// is queued.
    pub fn watch_close(&self, timeout: Duration) {
        let watch = self.watch(timeout, Instant::now());
        self.rare().closing.set(Some(watch));
    }

    /// The peer owes something for the last of what is queued.
    fn watch(&self, timeout: Duration, now: Instant) -> Watch {
        let out = self.out.borrow();
        let taken = self.pace(&out).taken;
        // What does not wait behind anything is written in this turn.
        let waiting = out.end().saturating_sub(taken);
        match self.is_blocked.get() || waiting > UNHINDERED {
            true => Watch::new(timeout, now, taken, out.end()),
            false => Watch::unhindered(timeout, now),
        }
    }

    /// How much the peer has taken, as far as this end can tell.
    fn pace(&self, out: &OutBuffer) -> Pace {
        let in_kernel = self.transport.borrow().bytes_in_kernel();
        Pace {
            taken: out.written().saturating_sub(in_kernel),
            least: self.settings.limits.least_progress,
        }
    }

    /// When to look at this connection again, as things are.
    pub fn next_deadline(&self) -> Option<Instant> {
        let idle = self.settings.idle.filter(|_| self.is_watched());
        let idle_due = idle.map(|limit| self.idle.due(limit));
        let close_due = self.closing().map(|watch| watch.due());
        [close_due, idle_due].into_iter().flatten().min()
    }

    /// Acts on the deadlines that have passed at `now`.
    pub fn check_deadlines(&self, now: Instant) -> Due {
        let pace = || self.pace(&self.out.borrow());
        if let Some(mut watch) = self.closing() {
            let is_over = watch.look(now, pace);
            self.rare().closing.set(Some(watch));
            if is_over {
                return Due::GivenUp(self.abrupt_ending(None));
            }
        }
        let Some(limit) = self.settings.idle.filter(|_| self.is_watched()) else {
            return Due::Nothing;
        };
        match self.idle.check(limit, now, pace) {
            Step::Nothing => Due::Nothing,
            Step::Ask => {
                let watch = self.watch(limit.timeout / 2, now);
                self.idle.watch(watch);
                if !limit.sends_pings {
                    return Due::Nothing;
                }
                let key = self.mask_key();
                self.out.borrow_mut().push_control(|out| {
                    let _ = encoder::encode_ping(out, key, &[]);
                });
                Due::Ping
            }
            Step::GiveUp => {
                let reason = "No response from ping frame.";
                self.send_close(&Close::new(CloseCode::GOING_AWAY, reason));
                Due::Silent(Ending {
                    code: CloseCode::GOING_AWAY.get(),
                    reason: reason.to_owned(),
                    was_clean: false,
                    error: Some(reason.to_owned()),
                })
            }
        }
    }

    /// Whether silence matters: not before delivery, not while nobody listens, and
    /// not once the close handshake has its own deadline.
    fn is_watched(&self) -> bool {
        self.phase.get() == Phase::Open && !self.close_sent.get() && !self.is_paused()
    }
}

/// What is no longer than this hinders nothing behind it: one packet takes it.
const UNHINDERED: u64 = 1 << 10;
/// Binary messages of so many bytes are read into memory of their own when more of them
/// are expected. The hub's read buffer has room for any of them.
const EXPECTED: RangeInclusive<usize> = (4 << 10)..=(recycler::LONGEST - FrameHeader::MAX_LENGTH);
/// A script that has queued this many bytes in one turn has them written before
/// it ends.
const FLUSH_EARLY_FROM: usize = 256 << 10;
/// A message of so many bytes is written at once from where it lies. To copy shorter ones costs less
/// than a peer that is woken earlier: at 16 KiB, 0.5 µs instead of 2.5.
const WRITTEN_FROM: usize = 64 << 10;
/// A stream's messages that are longer than this are not compressed, which would
/// hold up all other connections meanwhile: whoever streams can cut them.
const COMPRESSED_LIMIT: usize = 16 << 20;
/// A stream's writer waits while the kernel has more bytes than this to take.
const BACKLOG_LIMIT: usize = 64 << 10;

#[cfg(test)]
impl Connection {
    /// A server's end that no hub has, over `transport`.
    pub fn for_test(transport: Transport) -> Self {
        Self::new(
            0,
            Role::Server,
            transport,
            Bytes::new(),
            Options::default(),
            Waker::noop().clone(),
        )
    }
}
