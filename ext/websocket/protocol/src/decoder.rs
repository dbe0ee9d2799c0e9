//! Frames to messages: unmasking, fragmentation, decompression, UTF-8, limits
//! (RFC 6455 sections 5.4 to 5.6 and 6.2, RFC 7692 section 6.2).

use std::borrow::Cow;
use std::mem::{self, MaybeUninit};

use crate::close::Close;
use crate::deflate::Parameters;
use crate::deflate::decompressor::Decompressor;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Opcode, Role};
use crate::mask::{MaskKey, apply_mask, apply_mask_checking_ascii};
use crate::utf8::Validator;

/// What a peer may make this end hold. Whatever exceeds a limit fails the
/// connection with an error that names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The longest message, in bytes: the sum of its fragments. Judged when a
    /// frame announces its length, before the payload comes; a compressed message
    /// is judged as it inflates. 64 MiB by default; exceeding it is [`ProtocolError::PayloadTooLong`].
    pub max_payload_length: usize,
    /// How many frames a message may take, empty ones included. 2^17 by
    /// default; exceeding it is [`ProtocolError::TooManyFragments`].
    pub max_fragments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload_length: 64 << 20,
            max_fragments: 1 << 17,
        }
    }
}

/// What the peer said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<'b> {
    /// A complete text message.
    Text {
        /// The text: borrowed where its frame lay in the input, owned where it was
        /// assembled from fragments or several inputs.
        text: Cow<'b, str>,
        /// Whether it is pure ASCII.
        is_ascii: bool,
    },
    /// A complete binary message, borrowed or owned likewise.
    Binary(Cow<'b, [u8]>),
    /// A Ping: to be answered by a Pong with the same payload (section 5.5.3).
    Ping(Cow<'b, [u8]>),
    /// A Pong.
    Pong(Cow<'b, [u8]>),
    /// The peer's last word: to be answered by a Close with the same code, unless
    /// this end has sent one (section 5.5.1). What follows is discarded.
    Close(Close),
}

/// The result of [`Decoder::decode`].
#[derive(Debug)]
pub struct Decoded<'b> {
    /// What the peer said, or `None` where that takes more bytes.
    pub event: Option<Event<'b>>,
    /// The input that follows the event: to be decoded next. Empty where there
    /// is no event, because the decoder keeps what it needs of an incomplete
    /// frame.
    pub rest: &'b mut [u8],
}

/// A complete message, where its frame lay in the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message<'b> {
    /// A text message.
    Text {
        /// The text.
        text: &'b str,
        /// Whether it is pure ASCII.
        is_ascii: bool,
    },
    /// A binary message.
    Binary(&'b [u8]),
}

/// What [`Decoder::decode_in_place`] found.
#[derive(Debug)]
pub enum InPlace<'b> {
    /// A complete message, and the input that follows: to be decoded next.
    Message(Message<'b>, &'b mut [u8]),
    /// Something else, which is [`Decoder::decode`]'s: the input as it was.
    Other(&'b mut [u8]),
    /// The connection fails.
    Failed(ProtocolError),
}

/// Turns what the transport delivers into [events](Event).
///
/// A message in a single frame that lies wholly in the input is unmasked in
/// place and lent, not copied. Anything else is assembled in a buffer that grows
/// with the bytes that have come, never with a length that was only announced,
/// and is handed over by value; what is to come of a long message can be read
/// straight [into that buffer](Self::spare). An idle decoder holds no memory of its own.
#[derive(Debug)]
pub struct Decoder {
    // `Limits`, without its padding.
    max_payload_length: usize,
    max_fragments: u32,
    role: Role,
    /// A Close or an error has ended the input.
    finished: bool,
    header: PartialHeader,
    // Boxed because most connections are idle most of the time.
    /// The control frame whose payload is incomplete. It may stand between two
    /// frames of `message`.
    control: Option<Box<PartialControl>>,
    /// The data message between its first byte and its last.
    message: Option<Box<PartialMessage>>,
    /// Where permessage-deflate was negotiated.
    decompressor: Option<Box<Decompressor>>,
}

impl Decoder {
    /// A decoder for what `role` receives on a connection just opened, without
    /// compression.
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            max_payload_length: limits.max_payload_length,
            max_fragments: limits.max_fragments,
            role,
            finished: false,
            header: PartialHeader::EMPTY,
            control: None,
            message: None,
            decompressor: None,
        }
    }

    /// A decoder for a connection that has negotiated permessage-deflate.
    pub fn with_deflate(role: Role, limits: Limits, parameters: &Parameters) -> Self {
        Self {
            decompressor: Some(Box::new(Decompressor::new(role, parameters))),
            ..Self::new(role, limits)
        }
    }

    /// Decodes the first event in `input`, which is overwritten by unmasking.
    ///
    /// Call again with [`Decoded::rest`] until there is no event; then the input
    /// is used up, and its buffer free for the next read or another connection.
    /// How the bytes are cut into inputs makes no difference to the events, but
    /// for which payloads are borrowed.
    ///
    /// After a [`Close`](Event::Close) or an error all further input is
    /// discarded: no event, no error (sections 1.4 and 7.1.7).
    ///
    /// # Errors
    ///
    /// A [`ProtocolError`] fails the connection.
    #[inline]
    pub fn decode<'b>(&mut self, input: &'b mut [u8]) -> Result<Decoded<'b>, ProtocolError> {
        match self.decode_in_place(input) {
            InPlace::Message(message, rest) => Ok(Decoded::new(message.into(), rest)),
            InPlace::Other(input) => self.decode_any(input),
            InPlace::Failed(error) => Err(error),
        }
    }

    /// The first step of [`decode`](Self::decode), which takes nearly all messages: one that
    /// lies wholly at the start of `input`, in one frame and not compressed, with nothing
    /// before it incomplete. Where it is inlined, such a message is handed on in
    /// registers; an event takes longer to hand on than a short message to decode.
    #[inline(always)]
    pub fn decode_in_place<'b>(&mut self, input: &'b mut [u8]) -> InPlace<'b> {
        let Some((header, start, end)) = self.whole_message(input) else {
            return InPlace::Other(input);
        };
        let (frame, rest) = input.split_at_mut(end);
        match message(&header, &mut frame[start..]) {
            Ok(message) => InPlace::Message(message, rest),
            Err(error) => {
                self.finish();
                InPlace::Failed(error)
            }
        }
    }

    /// Decodes `input` where that is one uncompressed binary message in one frame, from
    /// the first byte to the last, and nothing before it is incomplete: returns where in
    /// `input`, which is unmasked, the payload starts. Its end is that of `input`. For who
    /// can hand on the memory that was read into.
    ///
    /// `None` wherever that is not so: nothing has happened then, and `input` is
    /// [`decode`](Self::decode)'s.
    #[inline]
    pub fn decode_sole_binary(&mut self, input: &mut [u8]) -> Option<usize> {
        let (header, start, end) = self.whole_message(input)?;
        if header.opcode != Opcode::Binary || end != input.len() {
            return None;
        }
        unmask(&mut input[start..], header.mask, 0);
        Some(start)
    }

    /// Room for what comes next of a long message, in the message's own memory: who
    /// reads into it, instead of into a buffer for [`decode`](Self::decode), spares a
    /// copy. Says how much was read by [`filled`](Self::filled).
    ///
    /// It does not go beyond the frame, nor beyond three times what has come of the
    /// message. `None` wherever it would not pay: between frames, in short or
    /// compressed messages, before the first 16 KiB of one and for its last. Then the
    /// next input is `decode`'s, which it may be at any time.
    pub fn spare(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        self.message.as_mut()?.spare()
    }

    /// Takes what was read into the [spare room](Self::spare): its first `count`
    /// bytes. Returns the message where that was the last of it.
    ///
    /// # Errors
    ///
    /// A [`ProtocolError`] fails the connection.
    ///
    /// # Panics
    ///
    /// Where there was not so much room.
    ///
    /// # Safety
    ///
    /// The first `count` bytes of what [`spare`](Self::spare) returned have been
    /// initialised, and this decoder has not been used since.
    pub unsafe fn filled(&mut self, count: usize) -> Result<Option<Event<'static>>, ProtocolError> {
        // SAFETY: the caller vouches for the bytes.
        let is_complete = match &mut self.message {
            Some(message) => unsafe { message.filled(count) },
            None => panic!("there is no room for {count} bytes"),
        };
        let event = match is_complete {
            Ok(false) => return Ok(None),
            Ok(true) => self.message.take().map(|message| message.into_event()),
            Err(error) => Some(Err(error)),
        };
        let event = event.transpose();
        if event.is_err() {
            self.finish();
        }
        event
    }

    /// Whether a Close or an error has ended the input.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the input so far ends between two messages. A transport that ends
    /// elsewhere has cut a message off.
    pub const fn is_idle(&self) -> bool {
        self.header.length == 0 && self.control.is_none() && self.message.is_none()
    }

    /// The hot path's question: does `input` start with a message in one frame,
    /// and nothing before it is incomplete? Returns the header and where its
    /// payload starts and ends. Whatever else there is, and whatever breaks a
    /// rule, is the general path's.
    #[inline(always)]
    fn whole_message(&self, input: &[u8]) -> Option<(FrameHeader, usize, usize)> {
        if self.finished || !self.is_idle() {
            return None;
        }
        let (header, start) = FrameHeader::decode(input, self.role).ok()??;
        let is_message =
            header.fin && !header.rsv1 && matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let length = usize::try_from(header.payload_length).ok()?;
        let is_whole = length <= input.len() - start;
        if is_message && is_whole && self.admit(&header).is_ok() {
            Some((header, start, start + length))
        } else {
            None
        }
    }

    /// The general path.
    #[inline(never)]
    fn decode_any<'b>(&mut self, input: &'b mut [u8]) -> Result<Decoded<'b>, ProtocolError> {
        if self.finished {
            return Ok(Decoded::exhausted());
        }
        let decoded = self.advance(input);
        if let Ok(Decoded {
            event: Some(Event::Close(_)),
            ..
        })
        | Err(_) = &decoded
        {
            self.finish();
        }
        decoded
    }

    fn advance<'b>(&mut self, mut input: &'b mut [u8]) -> Result<Decoded<'b>, ProtocolError> {
        if let Some(control) = &mut self.control {
            input = control.append(input);
            if control.remaining > 0 {
                return Ok(Decoded::exhausted());
            }
            let event = control_event(control.opcode, mem::take(&mut control.payload).into())?;
            self.control = None;
            return Ok(Decoded::new(event, input));
        }

        loop {
            if let Some(message) = &mut self.message
                && let Some(frame) = message.frame.take()
            {
                let decompressor = self.decompressor.as_deref_mut();
                input = message.append(frame, input, decompressor, self.max_payload_length)?;
                if message.frame.is_some() {
                    return Ok(Decoded::exhausted());
                }
                if frame.fin
                    && let Some(message) = self.message.take()
                {
                    return Ok(Decoded::new(message.into_event()?, input));
                }
            }

            let Some((header, length)) = self.header(input)? else {
                return Ok(Decoded::exhausted());
            };
            input = &mut input[length..];
            let length = self.admit(&header)?;

            let is_whole = length <= input.len();
            if header.opcode.is_control() {
                if is_whole {
                    let (payload, rest) = input.split_at_mut(length);
                    unmask(payload, header.mask, 0);
                    let event = control_event(header.opcode, Cow::Borrowed(payload))?;
                    return Ok(Decoded::new(event, rest));
                }
                let mut control = Box::new(PartialControl::new(&header, length));
                control.append(input);
                self.control = Some(control);
                return Ok(Decoded::exhausted());
            }
            if is_whole && header.fin && !header.rsv1 && self.message.is_none() {
                let (payload, rest) = input.split_at_mut(length);
                return Ok(Decoded::new(message(&header, payload)?.into(), rest));
            }
            self.message
                .get_or_insert_with(|| Box::new(PartialMessage::new(&header)))
                .begin_frame(&header, length);
        }
    }

    /// The next header, from what was kept of earlier input and the start of
    /// `input`, and how much of `input` it takes. Where they do not suffice,
    /// `input` is kept.
    #[inline]
    fn header(&mut self, input: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        if self.header.length == 0 {
            let header = FrameHeader::decode(input, self.role)?;
            if header.is_none() {
                self.header.push(input);
            }
            return Ok(header);
        }
        let kept = usize::from(self.header.length);
        self.header.push(input);
        let header = FrameHeader::decode(self.header.as_slice(), self.role)?;
        if header.is_some() {
            self.header = PartialHeader::EMPTY;
        }
        Ok(header.map(|(header, length)| (header, length - kept)))
    }

    /// Checks a header against the message in progress and the limits. Returns
    /// the length of the payload.
    #[inline]
    fn admit(&self, header: &FrameHeader) -> Result<usize, ProtocolError> {
        if header.rsv1 {
            if self.decompressor.is_none() {
                return Err(ProtocolError::ReservedBits);
            }
            if !matches!(header.opcode, Opcode::Text | Opcode::Binary) {
                return Err(ProtocolError::CompressedBit);
            }
        }
        let limit = self.max_payload_length;
        let (room, fragments) = match (header.opcode, &self.message) {
            // The header's decoder has checked the length.
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                return Ok(header.payload_length as usize);
            }
            (Opcode::Text | Opcode::Binary, None) if header.rsv1 => (max_compressed(limit), 0),
            (Opcode::Text | Opcode::Binary, None) => (limit, 0),
            (Opcode::Continuation, Some(message)) => (message.room(limit), message.fragments),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(ProtocolError::ContinuationExpected);
            }
            (Opcode::Continuation, None) => return Err(ProtocolError::ContinuationUnexpected),
        };
        if fragments >= self.max_fragments {
            return Err(ProtocolError::TooManyFragments {
                limit: self.max_fragments,
            });
        }
        match usize::try_from(header.payload_length) {
            Ok(length) if length <= room => Ok(length),
            _ => Err(ProtocolError::PayloadTooLong { limit }),
        }
    }

    const fn limits(&self) -> Limits {
        Limits {
            max_payload_length: self.max_payload_length,
            max_fragments: self.max_fragments,
        }
    }

    /// Ends the input and frees what it left behind.
    #[cold]
    fn finish(&mut self) {
        *self = Self {
            finished: true,
            ..Self::new(self.role, self.limits())
        };
    }
}

impl<'b> Decoded<'b> {
    fn new(event: Event<'b>, rest: &'b mut [u8]) -> Self {
        Self {
            event: Some(event),
            rest,
        }
    }

    fn exhausted() -> Self {
        Self {
            event: None,
            rest: &mut [],
        }
    }
}

/// The start of a header whose rest has not come.
#[derive(Debug)]
struct PartialHeader {
    bytes: [u8; FrameHeader::MAX_LENGTH],
    length: u8,
}

impl PartialHeader {
    const EMPTY: Self = Self {
        bytes: [0; FrameHeader::MAX_LENGTH],
        length: 0,
    };

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Appends as much of `input` as there is room for.
    fn push(&mut self, input: &[u8]) {
        let room = &mut self.bytes[usize::from(self.length)..];
        for (room, byte) in room.iter_mut().zip(input) {
            *room = *byte;
            self.length += 1;
        }
    }
}

/// A control frame whose payload has not come wholly.
#[derive(Debug)]
struct PartialControl {
    opcode: Opcode,
    mask: Option<MaskKey>,
    payload: Vec<u8>,
    /// How many bytes of payload are still to come.
    remaining: usize,
}

impl PartialControl {
    fn new(header: &FrameHeader, length: usize) -> Self {
        Self {
            opcode: header.opcode,
            mask: header.mask,
            payload: Vec::with_capacity(length),
            remaining: length,
        }
    }

    /// Takes what `input` has of the payload. Returns the rest of `input`.
    fn append<'b>(&mut self, input: &'b mut [u8]) -> &'b mut [u8] {
        let (chunk, rest) = input.split_at_mut(self.remaining.min(input.len()));
        unmask(chunk, self.mask, self.payload.len());
        self.payload.extend_from_slice(chunk);
        self.remaining -= chunk.len();
        rest
    }
}

/// A data message that has not come wholly.
#[derive(Debug)]
struct PartialMessage {
    /// The payload so far, inflated.
    payload: Vec<u8>,
    /// How many bytes of a compressed message have come; `None` where it is not
    /// compressed.
    compressed: Option<usize>,
    /// Watches the payload of a text message.
    utf8: Option<Validator>,
    fragments: u32,
    /// The frame whose payload is incomplete; `None` between two frames.
    frame: Option<PartialFrame>,
}

/// A data frame whose payload has not come wholly.
#[derive(Clone, Copy, Debug)]
struct PartialFrame {
    fin: bool,
    mask: Option<MaskKey>,
    /// How many bytes of payload have come.
    offset: usize,
    /// How many are still to come.
    remaining: usize,
}

impl PartialMessage {
    fn new(header: &FrameHeader) -> Self {
        Self {
            payload: Vec::new(),
            compressed: header.rsv1.then_some(0),
            utf8: (header.opcode == Opcode::Text).then(Validator::new),
            fragments: 0,
            frame: None,
        }
    }

    /// How long a further frame may be.
    fn room(&self, limit: usize) -> usize {
        match self.compressed {
            Some(received) => max_compressed(limit).saturating_sub(received),
            None => limit.saturating_sub(self.payload.len()),
        }
    }

    fn begin_frame(&mut self, header: &FrameHeader, length: usize) {
        self.fragments += 1;
        self.frame = Some(PartialFrame {
            fin: header.fin,
            mask: header.mask,
            offset: 0,
            remaining: length,
        });
    }

    /// Takes what `input` has of the payload of `frame`, which stays in
    /// progress where that is not all. Returns the rest of `input`. A compressed
    /// message is inflated to `limit` bytes at most, and is complete when its
    /// last frame is.
    fn append<'b>(
        &mut self,
        mut frame: PartialFrame,
        input: &'b mut [u8],
        decompressor: Option<&mut Decompressor>,
        limit: usize,
    ) -> Result<&'b mut [u8], ProtocolError> {
        let (chunk, rest) = input.split_at_mut(frame.remaining.min(input.len()));
        let is_last = frame.fin && chunk.len() == frame.remaining;
        match (self.compressed, decompressor) {
            (Some(received), Some(decompressor)) => {
                unmask(chunk, frame.mask, frame.offset);
                let received = received + chunk.len();
                self.compressed = Some(received);
                let check = |payload: &[u8]| advance(&mut self.utf8, payload);
                decompressor.inflate(chunk, &mut self.payload, limit, check)?;
                // The tail alone is no block. But there are peers that compress an
                // empty message to nothing, and what they mean is clear.
                if is_last && received > 0 {
                    let check = |payload: &[u8]| advance(&mut self.utf8, payload);
                    decompressor.finish(&mut self.payload, limit, check)?;
                }
            }
            _ => {
                self.reserve(
                    chunk.len(),
                    self.payload.capacity().saturating_mul(2),
                    &frame,
                );
                for piece in chunk.chunks_mut(PIECE) {
                    let start = self.payload.len();
                    self.payload.extend_from_slice(piece);
                    // The key fits: a piece is a multiple of its length.
                    self.check(start, frame.mask, frame.offset)?;
                }
            }
        }
        frame.offset += chunk.len();
        frame.remaining -= chunk.len();
        self.frame = (frame.remaining > 0).then_some(frame);
        Ok(rest)
    }

    /// Room for what comes next, where that is to be read into it.
    fn spare(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        let frame = self.frame?;
        if self.compressed.is_some()
            || self.payload.len() < DIRECT_FROM
            || frame.remaining < DIRECT_FROM
        {
            return None;
        }
        self.reserve(DIRECT_FROM, self.payload.len().saturating_mul(4), &frame);
        let spare = self.payload.spare_capacity_mut();
        let length = spare.len().min(frame.remaining);
        Some(&mut spare[..length])
    }

    /// Takes `count` bytes that were read there. Returns whether the message is
    /// complete.
    ///
    /// # Safety
    ///
    /// They have been initialised.
    unsafe fn filled(&mut self, count: usize) -> Result<bool, ProtocolError> {
        let start = self.payload.len();
        let room = self.payload.capacity() - start;
        let Some(mut frame) = self
            .frame
            .filter(|frame| count <= frame.remaining.min(room))
        else {
            panic!("there is no room for {count} bytes");
        };
        // SAFETY: there is room for them, and the caller vouches for the bytes.
        unsafe { self.payload.set_len(start + count) };
        self.check(start, frame.mask, frame.offset)?;
        frame.offset += count;
        frame.remaining -= count;
        self.frame = (frame.remaining > 0).then_some(frame);
        Ok(frame.fin && frame.remaining == 0)
    }

    /// Unmasks the payload from `start` on, which is at `offset` in its frame, and
    /// checks it. None of it is compressed.
    fn check(
        &mut self,
        mut start: usize,
        mask: Option<MaskKey>,
        mut offset: usize,
    ) -> Result<(), ProtocolError> {
        let Some(utf8) = &mut self.utf8 else {
            unmask(&mut self.payload[start..], mask, offset);
            return Ok(());
        };
        while start < self.payload.len() {
            let end = (start + PIECE).min(self.payload.len());
            let piece = &mut self.payload[start..end];
            let ascii = unmask_text(piece, mask, offset);
            let checked = if ascii == end - start {
                utf8.advance_ascii(&self.payload[..end], ascii)
            } else {
                utf8.advance(&self.payload[..end])
            };
            checked.map_err(|_| ProtocolError::TextNotUtf8)?;
            offset += end - start;
            start = end;
        }
        Ok(())
    }

    /// Makes room for `arrived` bytes of `frame`. Where there is none, the buffer grows to
    /// `capacity`, so that bytes are moved a constant number of times, but does not
    /// outgrow a message whose end is in sight.
    fn reserve(&mut self, arrived: usize, capacity: usize, frame: &PartialFrame) {
        let length = self.payload.len();
        if self.payload.capacity() - length >= arrived {
            return;
        }
        let mut capacity = (length + arrived).max(capacity).max(MIN_MESSAGE_CAPACITY);
        if frame.fin {
            capacity = capacity.min(length.saturating_add(frame.remaining));
        }
        self.payload.reserve_exact(capacity - length);
    }

    fn into_event<'b>(self) -> Result<Event<'b>, ProtocolError> {
        let Some(utf8) = self.utf8 else {
            return Ok(Event::Binary(Cow::Owned(self.payload)));
        };
        utf8.finish(&self.payload)
            .map_err(|_| ProtocolError::TextNotUtf8)?;
        // SAFETY: whoever changes the payload, `push` or the decompressor, has had
        // the validator check it up to its last complete character, and `finish`
        // has checked that nothing follows.
        let text = unsafe { String::from_utf8_unchecked(self.payload) };
        Ok(Event::Text {
            text: Cow::Owned(text),
            is_ascii: utf8.is_ascii(),
        })
    }
}

/// Has the validator of a text message see what was appended to it.
fn advance(utf8: &mut Option<Validator>, payload: &[u8]) -> Result<(), ProtocolError> {
    match utf8 {
        Some(utf8) => utf8
            .advance(payload)
            .map_err(|_| ProtocolError::TextNotUtf8),
        None => Ok(()),
    }
}

/// How long the compressed form of a message of `limit` bytes may be. It is
/// longer than the message where that cannot be compressed, by an eighth with
/// the worst fixed code; what goes beyond is blocks of nothing.
const fn max_compressed(limit: usize) -> usize {
    limit.saturating_add(limit / 8).saturating_add(1024)
}

/// Unmasks the payload of a frame that is a message of its own.
#[inline(always)]
fn message<'b>(header: &FrameHeader, payload: &'b mut [u8]) -> Result<Message<'b>, ProtocolError> {
    if header.opcode != Opcode::Text {
        unmask(payload, header.mask, 0);
        return Ok(Message::Binary(payload));
    }
    let ascii = unmask_text(payload, header.mask, 0);
    let is_ascii = ascii == payload.len();
    if !is_ascii {
        // ASCII ends with a whole character.
        simdutf8::basic::from_utf8(&payload[ascii..]).map_err(|_| ProtocolError::TextNotUtf8)?;
    }
    // SAFETY: ASCII is UTF-8, and what follows it has just been found to be.
    let text = unsafe { str::from_utf8_unchecked(payload) };
    Ok(Message::Text { text, is_ascii })
}

impl<'b> From<Message<'b>> for Event<'b> {
    #[inline(always)]
    fn from(message: Message<'b>) -> Self {
        match message {
            Message::Text { text, is_ascii } => Self::Text {
                text: Cow::Borrowed(text),
                is_ascii,
            },
            Message::Binary(payload) => Self::Binary(Cow::Borrowed(payload)),
        }
    }
}

fn control_event(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Event<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        _ => Event::Close(Close::decode(&payload)?),
    })
}

#[inline]
fn unmask(payload: &mut [u8], mask: Option<MaskKey>, offset: usize) {
    if let Some(key) = mask {
        apply_mask(payload, key, offset);
    }
}

/// Unmasks a part of a text. Returns how much at its start is known to be
/// ASCII: all of it or whole pieces of [`PIECE`] bytes.
#[inline]
fn unmask_text(payload: &mut [u8], mask: Option<MaskKey>, offset: usize) -> usize {
    let Some(key) = mask else {
        return if payload.is_ascii() { payload.len() } else { 0 };
    };
    if payload.len() <= PIECE {
        let is_ascii = apply_mask_checking_ascii(payload, key, offset);
        return if is_ascii { payload.len() } else { 0 };
    }
    let mut ascii = 0;
    let mut pieces = payload.chunks_mut(PIECE);
    for piece in pieces.by_ref() {
        if !apply_mask_checking_ascii(piece, key, offset) {
            break;
        }
        ascii += piece.len();
    }
    for piece in pieces {
        apply_mask(piece, key, offset);
    }
    ascii
}

/// How many bytes of a long payload are taken at once where more than one thing is
/// done to them: few enough to stay in the first level of cache.
const PIECE: usize = 4096;

/// A message of which so many bytes have come, and so many more are to come in this
/// frame, is worth reads of its own.
const DIRECT_FROM: usize = match cfg!(fuzzing) {
    // Inputs are short.
    true => 8,
    false => 16 << 10,
};

/// The least room made for a message that has to be assembled, in bytes.
const MIN_MESSAGE_CAPACITY: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseCode;
    use crate::deflate::{Compression, Compressor};
    use crate::encoder::{
        encode_binary, encode_binary_compressed, encode_close, encode_frame, encode_ping,
        encode_pong, encode_text,
    };

    const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

    type Events = (Vec<Event<'static>>, Option<ProtocolError>);

    fn owned(event: Event<'_>) -> Event<'static> {
        match event {
            Event::Text { text, is_ascii } => Event::Text {
                text: text.into_owned().into(),
                is_ascii,
            },
            Event::Binary(bytes) => Event::Binary(bytes.into_owned().into()),
            Event::Ping(bytes) => Event::Ping(bytes.into_owned().into()),
            Event::Pong(bytes) => Event::Pong(bytes.into_owned().into()),
            Event::Close(close) => Event::Close(close),
        }
    }

    /// Feeds `input` to the end, or up to an error.
    fn feed(decoder: &mut Decoder, input: &[u8]) -> Events {
        let mut input = input.to_vec();
        let mut rest = input.as_mut_slice();
        let mut events = Vec::new();
        loop {
            match decoder.decode(rest) {
                Ok(Decoded {
                    event: Some(event),
                    rest: next,
                }) => {
                    events.push(owned(event));
                    rest = next;
                }
                Ok(Decoded { event: None, rest }) => {
                    assert!(rest.is_empty());
                    return (events, None);
                }
                Err(error) => return (events, Some(error)),
            }
        }
    }

    fn client() -> Decoder {
        Decoder::new(Role::Client, Limits::default())
    }

    fn limited(max_payload_length: usize, max_fragments: u32) -> Decoder {
        Decoder::new(
            Role::Client,
            Limits {
                max_payload_length,
                max_fragments,
            },
        )
    }

    /// Decodes `input` at once, byte by byte, and cut in two at every place.
    /// The results must be the same.
    fn decode(role: Role, input: &[u8]) -> Events {
        let decoder = || Decoder::new(role, Limits::default());
        let at_once = feed(&mut decoder(), input);
        for cut in 0..=input.len() {
            let (head, tail) = input.split_at(cut);
            assert_eq!(feed_all(&mut decoder(), [head, tail]), at_once, "{cut}");
        }
        assert_eq!(feed_all(&mut decoder(), input.chunks(1)), at_once);
        at_once
    }

    fn feed_all<'i>(decoder: &mut Decoder, inputs: impl IntoIterator<Item = &'i [u8]>) -> Events {
        let mut all = Vec::new();
        for input in inputs {
            let (events, error) = feed(decoder, input);
            all.extend(events);
            if error.is_some() {
                return (all, error);
            }
        }
        (all, None)
    }

    fn events(role: Role, input: &[u8]) -> Vec<Event<'static>> {
        let (events, error) = decode(role, input);
        assert_eq!(error, None);
        events
    }

    fn text(text: &str) -> Event<'static> {
        Event::Text {
            text: Cow::Owned(text.to_owned()),
            is_ascii: text.is_ascii(),
        }
    }

    fn binary(bytes: &[u8]) -> Event<'static> {
        Event::Binary(bytes.to_vec().into())
    }

    fn ping(bytes: &[u8]) -> Event<'static> {
        Event::Ping(bytes.to_vec().into())
    }

    fn frame(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8]) {
        encode_frame(out, opcode, fin, None, payload);
    }

    #[test]
    fn rfc_examples() {
        // Section 5.7.
        assert_eq!(events(Role::Client, b"\x81\x05Hello"), [text("Hello")]);
        assert_eq!(
            events(
                Role::Server,
                b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
            ),
            [text("Hello")]
        );
        assert_eq!(
            events(Role::Client, b"\x01\x03Hel\x80\x02lo"),
            [text("Hello")]
        );
        assert_eq!(events(Role::Client, b"\x89\x05Hello"), [ping(b"Hello")]);
        assert_eq!(
            events(
                Role::Server,
                b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
            ),
            [Event::Pong(b"Hello".into())]
        );
    }

    #[test]
    fn every_length_form_in_both_roles() {
        for role in [Role::Client, Role::Server] {
            let mask = (role == Role::Server).then_some(KEY);
            for length in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
                let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let mut wire = Vec::new();
                encode_binary(&mut wire, mask, &payload);
                encode_text(&mut wire, mask, "end");
                let mut decoder = Decoder::new(role, Limits::default());
                for piece in [wire.len(), 1000, 7] {
                    assert_eq!(
                        feed_all(&mut decoder, wire.chunks(piece)),
                        (vec![binary(&payload), text("end")], None)
                    );
                    assert!(decoder.is_idle());
                }
            }
        }
    }

    #[test]
    fn a_whole_frame_is_lent() {
        let mut wire = Vec::new();
        encode_text(&mut wire, None, "caf\u{e9}");
        encode_binary(&mut wire, None, b"abc");
        encode_ping(&mut wire, None, b"p").unwrap();
        let mut decoder = client();
        let decoded = decoder.decode(&mut wire).unwrap();
        assert!(matches!(
            decoded.event,
            Some(Event::Text {
                text: Cow::Borrowed("caf\u{e9}"),
                is_ascii: false
            })
        ));
        let decoded = decoder.decode(decoded.rest).unwrap();
        assert!(matches!(
            decoded.event,
            Some(Event::Binary(Cow::Borrowed(b"abc")))
        ));
        let decoded = decoder.decode(decoded.rest).unwrap();
        assert!(matches!(
            decoded.event,
            Some(Event::Ping(Cow::Borrowed(b"p")))
        ));
        assert!(decoded.rest.is_empty());
    }

    #[test]
    fn control_frames_between_fragments() {
        let mut wire = Vec::new();
        frame(&mut wire, Opcode::Text, false, b"a");
        encode_ping(&mut wire, None, b"one").unwrap();
        frame(&mut wire, Opcode::Continuation, false, b"b");
        encode_pong(&mut wire, None, b"two").unwrap();
        encode_ping(&mut wire, None, b"").unwrap();
        frame(&mut wire, Opcode::Continuation, true, b"c");
        assert_eq!(
            events(Role::Client, &wire),
            [
                ping(b"one"),
                Event::Pong(b"two".into()),
                ping(b""),
                text("abc")
            ]
        );
    }

    #[test]
    fn empty_frames() {
        let mut wire = Vec::new();
        encode_text(&mut wire, None, "");
        encode_binary(&mut wire, None, b"");
        frame(&mut wire, Opcode::Binary, false, b"");
        frame(&mut wire, Opcode::Continuation, false, b"");
        frame(&mut wire, Opcode::Continuation, true, b"");
        encode_close(&mut wire, None, &Close::empty());
        assert_eq!(
            events(Role::Client, &wire),
            [
                text(""),
                binary(b""),
                binary(b""),
                Event::Close(Close::empty())
            ]
        );
    }

    #[test]
    fn a_character_across_fragments() {
        let smile = "\u{1f600}".as_bytes();
        let mut wire = Vec::new();
        frame(&mut wire, Opcode::Text, false, &smile[..1]);
        frame(&mut wire, Opcode::Continuation, false, &smile[1..3]);
        frame(&mut wire, Opcode::Continuation, true, &smile[3..]);
        assert_eq!(events(Role::Client, &wire), [text("\u{1f600}")]);
    }

    #[test]
    fn long_text_is_checked_wherever_ascii_ends() {
        for role in [Role::Client, Role::Server] {
            let mask = (role == Role::Server).then_some(KEY);
            let plain = "a".repeat(3 * PIECE + 5);
            for at in [0, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE - 1, plain.len()] {
                let good = plain[..at].to_owned() + "\u{20ac}" + &plain[at..];
                let mut bad = good.clone().into_bytes();
                bad[at + 1] = b'a';
                for piece in [usize::MAX, PIECE + 2, PIECE - 1] {
                    let feed = |payload: &[u8]| {
                        let mut wire = Vec::new();
                        encode_frame(&mut wire, Opcode::Text, true, mask, payload);
                        let mut decoder = Decoder::new(role, Limits::default());
                        feed_all(&mut decoder, wire.chunks(piece.min(wire.len())))
                    };
                    assert!(feed(plain.as_bytes()) == (vec![text(&plain)], None));
                    assert!(feed(good.as_bytes()) == (vec![text(&good)], None), "{at}");
                    assert_eq!(feed(&bad), (vec![], Some(ProtocolError::TextNotUtf8)));
                }
            }
        }
    }

    #[test]
    fn text_is_checked_at_its_end() {
        for smile in [&b"\xf0\x9f\x98"[..], b"\xf0"] {
            let mut wire = Vec::new();
            encode_frame(&mut wire, Opcode::Text, true, None, smile);
            let (events, error) = decode(Role::Client, &wire);
            assert_eq!((events.len(), error), (0, Some(ProtocolError::TextNotUtf8)));

            let mut wire = Vec::new();
            frame(&mut wire, Opcode::Text, false, smile);
            frame(&mut wire, Opcode::Continuation, true, b"");
            let (_, error) = decode(Role::Client, &wire);
            assert_eq!(error, Some(ProtocolError::TextNotUtf8));
        }
    }

    #[test]
    fn a_bad_byte_fails_as_soon_as_it_is_seen() {
        // The frame announces 20 bytes, of which the fourth cannot be.
        let mut decoder = client();
        assert_eq!(feed(&mut decoder, b"\x81\x14abc"), (vec![], None));
        let (_, error) = feed(&mut decoder, b"\xff");
        assert_eq!(error, Some(ProtocolError::TextNotUtf8));

        // Across fragments, with the masks of a client.
        let mut wire = Vec::new();
        encode_frame(&mut wire, Opcode::Text, false, Some(KEY), b"ok \xf4");
        encode_frame(&mut wire, Opcode::Continuation, false, Some(KEY), b"\x90");
        let (_, error) = decode(Role::Server, &wire);
        assert_eq!(error, Some(ProtocolError::TextNotUtf8));
    }

    #[test]
    fn binary_is_not_checked() {
        let mut wire = Vec::new();
        frame(&mut wire, Opcode::Binary, false, b"\xff");
        frame(&mut wire, Opcode::Continuation, true, b"\xfe");
        assert_eq!(events(Role::Client, &wire), [binary(b"\xff\xfe")]);
    }

    #[test]
    fn ascii_is_told() {
        for (pieces, expected) in [
            (["plain", " text"], true),
            (["plain", "\u{e9}"], false),
            (["\u{e9}", "plain"], false),
        ] {
            let mut wire = Vec::new();
            frame(&mut wire, Opcode::Text, false, pieces[0].as_bytes());
            frame(&mut wire, Opcode::Continuation, true, pieces[1].as_bytes());
            encode_text(&mut wire, None, &pieces.concat());
            for event in events(Role::Client, &wire) {
                let Event::Text { text, is_ascii } = event else {
                    panic!("{event:?}");
                };
                assert_eq!((&*text, is_ascii), (&*pieces.concat(), expected));
            }
        }
    }

    #[test]
    fn reserved_bits() {
        for first in [0xc1, 0xa1, 0x91, 0xf1] {
            assert_eq!(
                decode(Role::Client, &[first, 0]),
                (vec![], Some(ProtocolError::ReservedBits))
            );
        }
    }

    #[test]
    fn continuation_without_a_message() {
        for first in [0x00, 0x80] {
            assert_eq!(
                decode(Role::Client, &[0x81, 1, b'a', first, 0]),
                (vec![text("a")], Some(ProtocolError::ContinuationUnexpected))
            );
        }
    }

    #[test]
    fn a_message_within_a_message() {
        for first in [0x01, 0x02, 0x81, 0x82] {
            assert_eq!(
                decode(Role::Client, &[0x01, 0, first, 0]),
                (vec![], Some(ProtocolError::ContinuationExpected))
            );
        }
    }

    #[test]
    fn broken_headers() {
        for (role, wire, error) in [
            (
                Role::Client,
                &b"\x83\x00"[..],
                ProtocolError::ReservedOpcode(3),
            ),
            (Role::Client, b"\x81\x80", ProtocolError::MaskForbidden),
            (Role::Server, b"\x81\x00", ProtocolError::MaskRequired),
            (Role::Client, b"\x09\x00", ProtocolError::ControlFragmented),
            (Role::Client, b"\x89\x7e", ProtocolError::ControlTooLong),
            (
                Role::Client,
                b"\x82\x7e\x00\x7d",
                ProtocolError::LengthNotMinimal,
            ),
            (
                Role::Client,
                b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
                ProtocolError::LengthOverflow,
            ),
        ] {
            assert_eq!(decode(role, wire), (vec![], Some(error)));
        }
    }

    #[test]
    fn broken_close_frames() {
        for (wire, error) in [
            (&b"\x88\x01\x03"[..], ProtocolError::ClosePayload),
            (b"\x88\x02\x03\xed", ProtocolError::CloseCode(1005)),
            (b"\x88\x03\x03\xe8\xff", ProtocolError::CloseReasonNotUtf8),
        ] {
            assert_eq!(decode(Role::Client, wire), (vec![], Some(error)));
        }
    }

    #[test]
    fn after_a_close_input_is_discarded() {
        let mut wire = Vec::new();
        let close = Close::new(CloseCode::GOING_AWAY, "bye");
        frame(&mut wire, Opcode::Text, false, b"cut off");
        encode_close(&mut wire, None, &close);
        encode_text(&mut wire, None, "late");
        wire.extend([0xff; 20]);
        assert_eq!(events(Role::Client, &wire), [Event::Close(close)]);

        let mut decoder = client();
        feed(&mut decoder, &wire);
        assert!(decoder.is_finished());
        assert!(decoder.message.is_none());
    }

    #[test]
    fn after_an_error_input_is_discarded() {
        let mut decoder = client();
        let (_, error) = feed(&mut decoder, b"\xff\xff");
        assert_eq!(error, Some(ProtocolError::ReservedBits));
        assert!(decoder.is_finished());
        assert_eq!(feed(&mut decoder, b"\x81\x01a"), (vec![], None));
        assert_eq!(feed(&mut decoder, b"\xff\xff"), (vec![], None));
    }

    #[test]
    fn idle_is_between_messages() {
        let mut decoder = client();
        assert!(decoder.is_idle());
        for (input, idle) in [
            (&b"\x81"[..], false),
            (b"\x02a", false),
            (b"b", true),
            (b"\x01\x00", false),
            (b"\x89\x01", false),
            (b"p", false),
            (b"\x80\x00", true),
            (b"\x89\x01", false),
            (b"p", true),
        ] {
            feed(&mut decoder, input);
            assert_eq!(decoder.is_idle(), idle, "{input:x?}");
        }
    }

    #[test]
    fn max_payload_length() {
        let over = |wire: &[u8]| {
            let (_, error) = feed(&mut limited(10, 100), wire);
            assert_eq!(error, Some(ProtocolError::PayloadTooLong { limit: 10 }));
        };
        // The announcement is enough.
        over(b"\x82\x0b");
        over(b"\x82\x7e\x01\x00");
        over(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
        // All fragments count.
        over(b"\x02\x06abcdef\x80\x05");
        over(b"\x02\x0aabcdefghij\x00\x00\x00\x01");

        let mut wire = Vec::new();
        encode_binary(&mut wire, None, &[1; 10]);
        frame(&mut wire, Opcode::Binary, false, &[1; 6]);
        // Control frames do not.
        encode_ping(&mut wire, None, &[2; 125]).unwrap();
        frame(&mut wire, Opcode::Continuation, true, &[1; 4]);
        assert_eq!(
            feed(&mut limited(10, 100), &wire),
            (
                vec![binary(&[1; 10]), ping(&[2; 125]), binary(&[1; 10])],
                None
            )
        );
    }

    #[test]
    fn max_fragments() {
        let mut wire = Vec::new();
        frame(&mut wire, Opcode::Binary, false, b"a");
        frame(&mut wire, Opcode::Continuation, false, b"");
        frame(&mut wire, Opcode::Continuation, true, b"b");
        for _ in 0..2 {
            encode_binary(&mut wire, None, b"c");
        }
        assert_eq!(
            feed(&mut limited(10, 3), &wire),
            (vec![binary(b"ab"), binary(b"c"), binary(b"c")], None)
        );
        assert_eq!(
            feed(&mut limited(10, 2), &wire),
            (vec![], Some(ProtocolError::TooManyFragments { limit: 2 }))
        );
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut decoder = limited(usize::MAX, 10);
        feed(&mut decoder, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
        let capacity = |decoder: &Decoder| decoder.message.as_ref().unwrap().payload.capacity();
        assert_eq!(capacity(&decoder), 0);
        feed(&mut decoder, b"a");
        assert_eq!(capacity(&decoder), MIN_MESSAGE_CAPACITY);
        for _ in 0..10 {
            feed(&mut decoder, &[b'b'; 10_000]);
        }
        assert!(capacity(&decoder) < 250_000);
    }

    #[test]
    fn a_message_ends_with_the_room_it_needs() {
        let payload = vec![7; 300_000];
        let mut wire = Vec::new();
        encode_binary(&mut wire, None, &payload);
        let mut decoder = client();
        let mut moves = 0;
        let mut before = 0;
        for chunk in wire.chunks_mut(1000) {
            if let Some(Event::Binary(Cow::Owned(message))) = decoder.decode(chunk).unwrap().event {
                assert_eq!(message.capacity(), payload.len());
                assert!(moves < 10, "{moves}");
                return;
            }
            let capacity = decoder.message.as_ref().unwrap().payload.capacity();
            moves += usize::from(capacity != before);
            before = capacity;
        }
        panic!("no message");
    }

    /// Feeds `wire` in reads of the lengths that `length` gives by their number, into the
    /// message where there is room for it. Returns how many bytes went there, too.
    fn read(
        decoder: &mut Decoder,
        mut wire: &[u8],
        length: impl Fn(usize) -> usize,
    ) -> (Events, usize) {
        let (mut all, mut direct) = (Vec::new(), 0);
        for number in 0.. {
            if wire.is_empty() {
                break;
            }
            let length = length(number).min(wire.len());
            let (events, error) = match decoder.spare() {
                Some(spare) => {
                    assert!(!spare.is_empty());
                    let count = length.min(spare.len());
                    let (read, rest) = wire.split_at(count);
                    spare[..count].write_copy_of_slice(read);
                    wire = rest;
                    direct += count;
                    // SAFETY: so many have just been written there.
                    match unsafe { decoder.filled(count) } {
                        Ok(event) => (event.into_iter().collect(), None),
                        Err(error) => (vec![], Some(error)),
                    }
                }
                None => {
                    let (read, rest) = wire.split_at(length);
                    wire = rest;
                    feed(decoder, read)
                }
            };
            all.extend(events);
            if error.is_some() {
                return ((all, error), direct);
            }
        }
        ((all, None), direct)
    }

    #[test]
    fn reading_into_a_message_makes_no_difference() {
        let ascii = "a".repeat(150_000);
        let accents = "a\u{e9}\u{20ac}\u{1f600}".repeat(15_000);
        let bytes: Vec<u8> = (0..150_001).map(|i| (i % 251) as u8).collect();
        for role in [Role::Client, Role::Server] {
            let mask = (role == Role::Server).then_some(KEY);
            let mut wire = Vec::new();
            encode_binary(&mut wire, mask, &bytes);
            encode_text(&mut wire, mask, "between");
            encode_text(&mut wire, mask, &accents);
            encode_ping(&mut wire, mask, b"ping").unwrap();
            for (fin, piece) in [(false, 0..70_000), (true, 70_000..150_000)] {
                let opcode = if fin {
                    Opcode::Continuation
                } else {
                    Opcode::Text
                };
                encode_frame(&mut wire, opcode, fin, mask, &ascii.as_bytes()[piece]);
                if !fin {
                    encode_ping(&mut wire, mask, b"within").unwrap();
                }
            }
            let expected = feed(&mut Decoder::new(role, Limits::default()), &wire);
            assert_eq!((expected.0.len(), expected.1), (6, None));
            for longest in [1, 2, 1001, 16 << 10, 64 << 10, 1 << 20] {
                let mut decoder = Decoder::new(role, Limits::default());
                let (events, direct) =
                    read(&mut decoder, &wire, |number| 1 + number * 7919 % longest);
                assert!(events == expected, "{longest}");
                assert!(direct > 100_000 || longest > 64 << 10, "{longest} {direct}");
                assert!(decoder.is_idle());
            }
        }
    }

    #[test]
    fn wherever_a_message_is_cut_the_rest_can_be_read_into_it() {
        let text_of = |length: usize| "\u{20ac}".repeat(length.div_ceil(3));
        let long = text_of(DIRECT_FROM * 2 + 100);
        let mut wire = Vec::new();
        encode_text(&mut wire, Some(KEY), &long);
        encode_text(&mut wire, Some(KEY), "next");
        for cut in (0..wire.len())
            .step_by(61)
            .chain(DIRECT_FROM..DIRECT_FROM + 80)
        {
            let mut decoder = Decoder::new(Role::Server, Limits::default());
            let (events, _) = read(&mut decoder, &wire, |number| match number {
                0 => cut,
                _ => usize::MAX,
            });
            assert!(events == (vec![text(&long), text("next")], None), "{cut}");
        }
    }

    #[test]
    fn room_for_a_message_follows_what_has_come() {
        let mut decoder = limited(usize::MAX, 10);
        feed(&mut decoder, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
        assert!(decoder.spare().is_none());
        let mut come = DIRECT_FROM - 1;
        feed(&mut decoder, &vec![b'a'; come]);
        assert!(decoder.spare().is_none());
        feed(&mut decoder, b"a");
        come += 1;
        for _ in 0..20 {
            let spare = decoder.spare().unwrap();
            assert!(spare.len() <= 3 * come, "{} {come}", spare.len());
            let count = spare.len().min(10_000);
            spare[..count].fill(MaybeUninit::new(b'a'));
            // SAFETY: they have just been written.
            let event = unsafe { decoder.filled(count) };
            assert_eq!(event, Ok(None));
            come += count;
        }
    }

    #[test]
    fn room_ends_with_the_message_and_its_memory_too() {
        let length = 3 * DIRECT_FROM + 5;
        let mut wire = Vec::new();
        encode_binary(&mut wire, None, &vec![7; length]);
        let (head, tail) = wire.split_at(wire.len() - DIRECT_FROM);
        let mut decoder = client();
        feed(&mut decoder, head);
        let spare = decoder.spare().unwrap();
        assert_eq!(spare.len(), DIRECT_FROM);
        spare.write_copy_of_slice(tail);
        // SAFETY: they have just been written.
        match unsafe { decoder.filled(DIRECT_FROM) } {
            Ok(Some(Event::Binary(Cow::Owned(message)))) => {
                assert_eq!((message.len(), message.capacity()), (length, length));
            }
            other => panic!("{other:?}"),
        }
        assert!(decoder.is_idle());
        assert!(decoder.spare().is_none());
    }

    #[test]
    fn no_room_but_in_the_middle_of_a_long_message() {
        let half = vec![b'a'; DIRECT_FROM];
        let none = |decoder: &mut Decoder, input: &[u8]| {
            assert_eq!(feed(decoder, input), (vec![], None));
            assert!(decoder.spare().is_none());
        };
        let mut wire = Vec::new();
        encode_binary(&mut wire, None, &[&half[..], &half].concat());
        // The last part comes with what follows it.
        none(&mut client(), &wire[..wire.len() - DIRECT_FROM + 1]);
        // Between fragments there may be control frames.
        let mut wire = Vec::new();
        frame(&mut wire, Opcode::Binary, false, &half);
        let mut decoder = client();
        none(&mut decoder, &wire);
        none(&mut decoder, b"\x89\x01");
        none(&mut decoder, b"");
        // A compressed message, of stored blocks.
        let mut wire = compressed(&[&b"\x00\x00\x80\xff\x7f"[..], &half, &half].concat());
        wire.truncate(wire.len() - DIRECT_FROM);
        none(&mut inflating(1 << 20), &wire);
    }

    #[test]
    fn bad_text_fails_where_it_is_read_into_the_message() {
        let mut payload = "a".repeat(4 * DIRECT_FROM).into_bytes();
        payload[3 * DIRECT_FROM] = 0xff;
        let mut wire = Vec::new();
        encode_frame(&mut wire, Opcode::Text, true, Some(KEY), &payload);
        for tail in [0, DIRECT_FROM / 2] {
            let mut decoder = Decoder::new(Role::Server, Limits::default());
            let wire = &wire[..wire.len() - tail];
            let (events, direct) = read(&mut decoder, wire, |_| 20_000);
            assert_eq!(events, (vec![], Some(ProtocolError::TextNotUtf8)));
            assert!(direct > 0);
            assert!(decoder.is_finished());
            assert!(decoder.spare().is_none());
        }
    }

    #[test]
    #[should_panic = "no room for 1 bytes"]
    fn no_more_is_taken_than_there_is_room_for() {
        // SAFETY: it panics.
        let _ = unsafe { client().filled(1) };
    }

    #[test]
    fn an_idle_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 56, "{}", size_of::<Decoder>());
    }

    fn inflating(limit: usize) -> Decoder {
        let limits = Limits {
            max_payload_length: limit,
            ..Limits::default()
        };
        Decoder::with_deflate(Role::Client, limits, &Parameters::default())
    }

    /// Decodes `input` with compression, at once and byte by byte.
    fn inflate(limit: usize, input: &[u8]) -> Events {
        let at_once = feed(&mut inflating(limit), input);
        assert_eq!(feed_all(&mut inflating(limit), input.chunks(1)), at_once);
        at_once
    }

    /// A compressed frame, complete.
    fn compressed(payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader {
            fin: true,
            rsv1: true,
            opcode: Opcode::Text,
            mask: None,
            payload_length: payload.len() as u64,
        };
        let (header, length) = header.encode();
        [&header[..length], payload].concat()
    }

    #[test]
    fn rfc_examples_of_compression() {
        // RFC 7692 section 7.2.3.
        for wire in [
            &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
            b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
            b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        ] {
            // No byte more than the limit is needed.
            assert_eq!(inflate(5, wire), (vec![text("Hello")], None));
        }
        assert_eq!(
            inflate(
                5,
                b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"
            ),
            (vec![text("Hello"), text("Hello")], None)
        );
        assert_eq!(inflate(0, b"\xc1\x01\x00"), (vec![text("")], None));
    }

    #[test]
    fn rsv1() {
        let error = |wire: &[u8]| inflate(10, wire).1;
        for control in [b"\xc8\x00", b"\xc9\x00", b"\xca\x00"] {
            assert_eq!(error(control), Some(ProtocolError::CompressedBit));
        }
        assert_eq!(
            error(b"\x41\x00\xc0\x00"),
            Some(ProtocolError::CompressedBit)
        );
        assert_eq!(
            error(b"\x01\x00\xc0\x00"),
            Some(ProtocolError::CompressedBit)
        );
        assert_eq!(error(b"\xa1\x00"), Some(ProtocolError::ReservedBits));
        assert_eq!(
            feed(&mut client(), b"\xc1\x01\x00").1,
            Some(ProtocolError::ReservedBits)
        );
        // A message may go without it.
        assert_eq!(
            inflate(10, b"\x81\x01a\xc1\x01\x00\x01\x01b\x80\x01c"),
            (vec![text("a"), text(""), text("bc")], None)
        );
    }

    #[test]
    fn control_frames_between_compressed_fragments() {
        assert_eq!(
            inflate(
                5,
                b"\x41\x03\xf2\x48\xcd\x89\x01a\x00\x00\x80\x04\xc9\xc9\x07\x00"
            ),
            (vec![ping(b"a"), text("Hello")], None)
        );
    }

    #[test]
    fn an_empty_message_that_was_compressed_to_nothing() {
        let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
        let wire = [hello, &b"\xc1\x00\x41\x00\x80\x00"[..], hello].concat();
        assert_eq!(
            inflate(5, &wire),
            (vec![text("Hello"), text(""), text(""), text("Hello")], None)
        );
    }

    #[test]
    fn corrupt_streams() {
        for payload in [
            // A reserved type of block, a stored block with a wrong length, a
            // distance beyond the beginning.
            &b"\x07"[..],
            b"\x00\x05\x00\xfa\xfeHello",
            b"\xf2\x00\x11\x00\x00",
        ] {
            assert_eq!(
                inflate(100, &compressed(payload)),
                (vec![], Some(ProtocolError::CompressedData)),
                "{payload:x?}"
            );
        }
    }

    #[test]
    fn compressed_text_is_checked_as_it_inflates() {
        // The bad byte, in the first of two stored blocks.
        let wire = b"\x41\x06\x00\x01\x00\xfe\xff\xff";
        assert_eq!(
            inflate(100, wire),
            (vec![], Some(ProtocolError::TextNotUtf8))
        );
        // An end inside a character.
        assert_eq!(
            inflate(100, &compressed(b"\x00\x01\x00\xfe\xff\xc3\x00")),
            (vec![], Some(ProtocolError::TextNotUtf8))
        );
        assert_eq!(
            inflate(
                100,
                &compressed(
                    "\0\u{2}\0"
                        .as_bytes()
                        .iter()
                        .copied()
                        .chain([0xfd, 0xff, 0xc3, 0xa9, 0x00])
                        .collect::<Vec<_>>()
                        .as_slice()
                )
            ),
            (vec![text("\u{e9}")], None)
        );
    }

    #[test]
    fn inflating_stops_at_the_limit() {
        let mut compressor =
            Compressor::new(Role::Server, &Parameters::default(), Compression::default());
        let mut wire = Vec::new();
        encode_binary_compressed(&mut wire, None, &vec![0; 10 << 20], &mut compressor);
        assert!(wire.len() < 11_000);
        for limit in [0, 1, 1000, 1 << 20, (10 << 20) - 1] {
            let mut decoder = inflating(limit);
            let mut largest = 0;
            let mut failed = false;
            for chunk in wire.clone().chunks_mut(100) {
                match decoder.decode(chunk) {
                    Ok(decoded) => assert!(decoded.event.is_none()),
                    Err(error) => {
                        assert_eq!(error, ProtocolError::PayloadTooLong { limit });
                        failed = true;
                        break;
                    }
                }
                let message = decoder.message.as_ref().unwrap();
                largest = largest.max(message.payload.capacity());
            }
            assert!(failed && largest <= limit, "{limit} {largest}");
            assert_eq!(
                feed(&mut inflating(limit), &wire).1,
                Some(ProtocolError::PayloadTooLong { limit })
            );
        }
        let (events, error) = feed(&mut inflating(10 << 20), &wire);
        assert_eq!((events.len(), error), (1, None));
    }

    #[test]
    fn blocks_of_nothing_are_limited() {
        // Empty stored blocks, and empty streams.
        for nothing in [&b"\x00\x00\x00\xff\xff"[..], b"\x03\x00"] {
            let limit = 1 << 20;
            let few = compressed(&nothing.repeat(limit / nothing.len()));
            assert_eq!(feed(&mut inflating(limit), &few).0.len(), 1);
            assert_eq!(
                feed(&mut inflating(limit), &compressed(&few.repeat(2))),
                (vec![], Some(ProtocolError::PayloadTooLong { limit }))
            );
        }
    }

    #[test]
    fn a_decompressor_is_made_when_it_is_needed() {
        let parameters = Parameters {
            server_no_context_takeover: true,
            ..Parameters::default()
        };
        let mut alone = Decoder::with_deflate(Role::Client, Limits::default(), &parameters);
        let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
        for _ in 0..3 {
            assert_eq!(feed(&mut alone, hello), (vec![text("Hello")], None));
        }
        // What would need the context of the first.
        assert_eq!(
            feed(&mut alone, b"\xc1\x05\xf2\x00\x11\x00\x00").1,
            Some(ProtocolError::CompressedData)
        );
        assert!(alone.decompressor.is_none());
    }

    #[test]
    fn a_sole_binary_message_is_told_from_all_else() {
        let message = |payload: &[u8]| {
            let mut frame = Vec::new();
            encode_binary(&mut frame, Some(KEY), payload);
            frame
        };
        let payload = [7; 300];
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        let mut frame = message(&payload);
        let start = decoder.decode_sole_binary(&mut frame).unwrap();
        assert_eq!(frame[start..], payload);
        assert_eq!(decoder.decode_sole_binary(&mut message(&[])), Some(6));

        let mut text = Vec::new();
        encode_text(&mut text, Some(KEY), "text");
        let mut fragment = Vec::new();
        encode_frame(&mut fragment, Opcode::Binary, false, Some(KEY), &payload);
        let mut ping = Vec::new();
        encode_ping(&mut ping, Some(KEY), b"?").unwrap();
        let whole = message(&payload);
        let two = [whole.clone(), whole.clone()].concat();
        let part = whole[..whole.len() - 1].to_vec();
        let unmasked = [0x82, 0].to_vec();
        for other in [text, fragment, ping, two, part, unmasked, Vec::new()] {
            let mut input = other.clone();
            let mut decoder = Decoder::new(Role::Server, Limits::default());
            assert_eq!(decoder.decode_sole_binary(&mut input), None, "{other:02x?}");
            assert!(input == other && decoder.is_idle());
        }

        // Nor where something is incomplete.
        decoder.decode(&mut whole[..1].to_vec()).unwrap();
        assert_eq!(decoder.decode_sole_binary(&mut whole.clone()), None);
    }
}
