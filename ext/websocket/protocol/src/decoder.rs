//! Frames to messages: unmasking, fragmentation, decompression, UTF-8, limits
//! (RFC 6455 sections 5.4 to 5.6 and 6.2, RFC 7692 section 6.2).

mod event;
mod partial;
mod unmask;

use std::borrow::Cow;
use std::mem::{self, MaybeUninit};

pub use self::event::{Event, MessageInPlace};

use self::partial::{PartialMessage, max_compressed};
use self::unmask::{unmask, unmask_text};
use crate::close::Close;
use crate::deflate::Parameters;
use crate::deflate::decompressor::Decompressor;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Opcode, Role};
use crate::mask::MaskKey;

/// How much memory a peer may make this end hold. A message that exceeds a
/// limit fails the connection with an error that names the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecoderLimits {
    /// The longest message, in bytes: the sum of its fragments. The decoder checks the limit when a
    /// frame announces its length, before the payload comes. A compressed message is checked while
    /// it inflates. The default is 64 MiB. A longer message is [`ProtocolError::PayloadTooLong`].
    pub max_payload_length: usize,
    /// How many frames a message may take, empty frames included. The default
    /// is 2^17. More frames are [`ProtocolError::TooManyFragments`].
    pub max_fragments: u32,
}

impl Default for DecoderLimits {
    fn default() -> Self {
        Self {
            max_payload_length: 64 << 20,
            max_fragments: 1 << 17,
        }
    }
}

/// The result of [`Decoder::decode`].
#[derive(Debug)]
pub struct Decoded<'b> {
    /// What the peer said, or `None` if more bytes are needed.
    pub event: Option<Event<'b>>,
    /// The input that follows the event: to be decoded next. It is empty if
    /// there is no event, because the decoder keeps the bytes of an incomplete
    /// frame.
    pub rest: &'b mut [u8],
}

/// What [`Decoder::decode_in_place`] found.
#[derive(Debug)]
pub enum InPlace<'b> {
    /// A complete message, and the input that follows: to be decoded next.
    Message(MessageInPlace<'b>, &'b mut [u8]),
    /// Something else, which [`Decoder::decode`] takes: the input as it was.
    Other(&'b mut [u8]),
    /// The connection fails.
    Failed(ProtocolError),
}

/// Turns the bytes of the transport into [events](Event).
///
/// A message in a single frame that lies wholly in the input is unmasked in place and lent, not
/// copied. Any other message is assembled in a buffer and handed over by value. The buffer grows
/// with the bytes that have come, never with a length that was only announced. The driver can read
/// the rest of a long message straight [into that buffer](Self::spare). An idle decoder holds no
/// memory of its own.
#[derive(Debug)]
pub struct Decoder {
    // `DecoderLimits`, without its padding.
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
    /// `Some` if permessage-deflate was negotiated.
    decompressor: Option<Box<Decompressor>>,
}

impl Decoder {
    /// A decoder for what `role` receives on a new connection without
    /// compression.
    pub const fn new(role: Role, limits: DecoderLimits) -> Self {
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
    pub fn with_deflate(role: Role, limits: DecoderLimits, parameters: &Parameters) -> Self {
        Self {
            decompressor: Some(Box::new(Decompressor::new(role, parameters))),
            ..Self::new(role, limits)
        }
    }

    /// Decodes the first event in `input`. Unmasking overwrites `input`.
    ///
    /// Call again with [`Decoded::rest`] until there is no event. Then the
    /// input is used up, and its buffer is free for the next read or another
    /// connection. The events do not depend on how the bytes are cut into
    /// inputs. Only whether a payload is borrowed depends on the cuts.
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

    /// The first step of [`decode`](Self::decode), which takes nearly all messages: a message that
    /// lies wholly at the start of `input`, in one frame, not compressed, with nothing incomplete
    /// before it. If the compiler inlines this function, the message is handed on in registers.
    /// Handing on an [`Event`] takes longer than decoding a short message.
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

    /// Decodes `input` if `input` is exactly one uncompressed binary message in one frame, and
    /// nothing before the message is incomplete. Unmasks the payload and returns where in `input`
    /// it starts. The payload ends where `input` ends. This is for a driver that can hand on the
    /// memory of its read.
    ///
    /// Returns `None` for any other input. Nothing has happened then, and
    /// [`decode`](Self::decode) takes `input`.
    #[inline]
    pub fn decode_sole_binary(&mut self, input: &mut [u8]) -> Option<usize> {
        let (header, start, end) = self.whole_message(input)?;
        if header.opcode != Opcode::Binary || end != input.len() {
            return None;
        }
        unmask(&mut input[start..], header.mask, 0);
        Some(start)
    }

    /// Room for the next bytes of a long message, in the message's own memory. A driver that reads
    /// into this room, instead of into a buffer for [`decode`](Self::decode), saves a copy. The
    /// driver then calls [`filled`](Self::filled) with the number of bytes.
    ///
    /// The room does not go beyond the frame, nor beyond three times the bytes of the message that
    /// have come. Returns `None` if reading directly would not pay: between frames, in compressed
    /// messages, before the first 16 KiB of a message have come, and for the last 16 KiB of a
    /// frame. Then the driver calls `decode` with the next input. The driver may call `decode`
    /// instead at any time.
    pub fn spare(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        self.message.as_mut()?.spare()
    }

    /// Takes what was read into the [spare room](Self::spare): its first
    /// `count` bytes. Returns the message if these bytes complete the message.
    ///
    /// # Errors
    ///
    /// A [`ProtocolError`] fails the connection.
    ///
    /// # Panics
    ///
    /// If there was less room than `count` bytes.
    ///
    /// # Safety
    ///
    /// The first `count` bytes of what [`spare`](Self::spare) returned have been
    /// initialised, and this decoder has not been used since.
    pub unsafe fn filled(&mut self, count: usize) -> Result<Option<Event<'static>>, ProtocolError> {
        let is_complete = match &mut self.message {
            // SAFETY: the caller vouches for the bytes.
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

    /// Whether the input so far ends between two messages. If a transport ends
    /// elsewhere, a message was cut off.
    pub const fn is_idle(&self) -> bool {
        self.header.length == 0 && self.control.is_none() && self.message.is_none()
    }

    /// The hot path. If `input` starts with a whole message in one frame, and
    /// nothing before the message is incomplete, returns the header and where
    /// the payload starts and ends. Any other input, and any input that breaks
    /// a rule, takes the general path.
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

    /// The next header, from the kept bytes of earlier input and the start of
    /// `input`, and how many bytes of `input` it takes. If these bytes do not
    /// suffice, `input` is kept.
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

    const fn limits(&self) -> DecoderLimits {
        DecoderLimits {
            max_payload_length: self.max_payload_length,
            max_fragments: self.max_fragments,
        }
    }

    /// Ends the input and frees the memory of incomplete frames.
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

    /// Takes the bytes of the payload that `input` has. Returns the rest of
    /// `input`.
    fn append<'b>(&mut self, input: &'b mut [u8]) -> &'b mut [u8] {
        let (chunk, rest) = input.split_at_mut(self.remaining.min(input.len()));
        unmask(chunk, self.mask, self.payload.len());
        self.payload.extend_from_slice(chunk);
        self.remaining -= chunk.len();
        rest
    }
}

/// Unmasks the payload of a frame that is a message of its own.
#[inline(always)]
fn message<'b>(
    header: &FrameHeader,
    payload: &'b mut [u8],
) -> Result<MessageInPlace<'b>, ProtocolError> {
    if header.opcode != Opcode::Text {
        unmask(payload, header.mask, 0);
        return Ok(MessageInPlace::Binary(payload));
    }
    let ascii = unmask_text(payload, header.mask, 0);
    let is_ascii = ascii == payload.len();
    if !is_ascii {
        // ASCII text always ends with a whole character.
        simdutf8::basic::from_utf8(&payload[ascii..]).map_err(|_| ProtocolError::TextNotUtf8)?;
    }
    // SAFETY: ASCII is UTF-8, and the check above found the rest to be UTF-8.
    let text = unsafe { str::from_utf8_unchecked(payload) };
    Ok(MessageInPlace::Text { text, is_ascii })
}

fn control_event(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Event<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        _ => Event::Close(Close::decode(&payload)?),
    })
}

#[cfg(test)]
mod tests;
