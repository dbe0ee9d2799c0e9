//! Frames to messages: unmasking, fragmentation, UTF-8, limits (RFC 6455
//! sections 5.4 to 5.6 and 6.2).

use std::borrow::Cow;
use std::mem;

use crate::close::Close;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Opcode, Role};
use crate::mask::{MaskKey, apply_mask, apply_mask_checking_ascii};
use crate::utf8::Validator;

/// What a peer may make this end hold. Whatever exceeds a limit fails the
/// connection with an error that names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The longest message, in bytes: the sum of its fragments. Judged when a
    /// frame announces its length, before the payload comes. 64 MiB by default;
    /// exceeding it is [`ProtocolError::PayloadTooLong`].
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

/// Turns what the transport delivers into [events](Event).
///
/// A message in a single frame that lies wholly in the input is unmasked in
/// place and lent, not copied. Anything else is assembled in a buffer that grows
/// with the bytes that have come, never with a length that was only announced,
/// and is handed over by value. An idle decoder holds no memory of its own.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
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
}

impl Decoder {
    /// A decoder for what `role` receives on a connection just opened.
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            limits,
            role,
            finished: false,
            header: PartialHeader::EMPTY,
            control: None,
            message: None,
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

    /// Whether a Close or an error has ended the input.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the input so far ends between two messages. A transport that ends
    /// elsewhere has cut a message off.
    pub const fn is_idle(&self) -> bool {
        self.header.length == 0 && self.control.is_none() && self.message.is_none()
    }

    #[inline]
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
                input = message.append(frame, input)?;
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

            let is_control = header.opcode.is_control();
            let is_whole = is_control || (header.fin && self.message.is_none());
            if is_whole && length <= input.len() {
                let (payload, rest) = input.split_at_mut(length);
                return Ok(Decoded::new(frame_event(&header, payload)?, rest));
            }
            if is_control {
                let mut control = Box::new(PartialControl::new(&header, length));
                control.append(input);
                self.control = Some(control);
                return Ok(Decoded::exhausted());
            }
            self.message
                .get_or_insert_with(|| Box::new(PartialMessage::new(header.opcode)))
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
            return Err(ProtocolError::ReservedBits);
        }
        let (held, fragments) = match (header.opcode, &self.message) {
            // The header's decoder has checked the length.
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                return Ok(header.payload_length as usize);
            }
            (Opcode::Text | Opcode::Binary, None) => (0, 0),
            (Opcode::Continuation, Some(message)) => (message.payload.len(), message.fragments),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(ProtocolError::ContinuationExpected);
            }
            (Opcode::Continuation, None) => return Err(ProtocolError::ContinuationUnexpected),
        };
        let limit = self.limits.max_fragments;
        if fragments >= limit {
            return Err(ProtocolError::TooManyFragments { limit });
        }
        let limit = self.limits.max_payload_length;
        match usize::try_from(header.payload_length) {
            Ok(length) if length <= limit.saturating_sub(held) => Ok(length),
            _ => Err(ProtocolError::PayloadTooLong { limit }),
        }
    }

    /// Ends the input and frees what it left behind.
    #[cold]
    fn finish(&mut self) {
        *self = Self {
            finished: true,
            ..Self::new(self.role, self.limits)
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
    payload: Vec<u8>,
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
    fn new(opcode: Opcode) -> Self {
        Self {
            payload: Vec::new(),
            utf8: (opcode == Opcode::Text).then(Validator::new),
            fragments: 0,
            frame: None,
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
    /// progress where that is not all. Returns the rest of `input`.
    fn append<'b>(
        &mut self,
        mut frame: PartialFrame,
        input: &'b mut [u8],
    ) -> Result<&'b mut [u8], ProtocolError> {
        let (chunk, rest) = input.split_at_mut(frame.remaining.min(input.len()));
        unmask(chunk, frame.mask, frame.offset);
        self.reserve(chunk.len(), &frame);
        self.payload.extend_from_slice(chunk);
        if let Some(utf8) = &mut self.utf8 {
            utf8.advance(&self.payload)
                .map_err(|_| ProtocolError::TextNotUtf8)?;
        }
        frame.offset += chunk.len();
        frame.remaining -= chunk.len();
        self.frame = (frame.remaining > 0).then_some(frame);
        Ok(rest)
    }

    /// Makes room for `arrived` bytes of `frame`. The buffer doubles, so that
    /// bytes are moved a constant number of times, but does not outgrow a
    /// message whose end is in sight.
    fn reserve(&mut self, arrived: usize, frame: &PartialFrame) {
        let length = self.payload.len();
        if self.payload.capacity() - length >= arrived {
            return;
        }
        let mut capacity = (length + arrived)
            .max(self.payload.capacity().saturating_mul(2))
            .max(MIN_MESSAGE_CAPACITY);
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
        // SAFETY: `append`, the only one to change the payload, has had the
        // validator check it up to its last complete character, and `finish`
        // that nothing follows.
        let text = unsafe { String::from_utf8_unchecked(self.payload) };
        Ok(Event::Text {
            text: Cow::Owned(text),
            is_ascii: utf8.is_ascii(),
        })
    }
}

/// The event of a frame that is a message of its own, or a control frame.
#[inline]
fn frame_event<'b>(
    header: &FrameHeader,
    payload: &'b mut [u8],
) -> Result<Event<'b>, ProtocolError> {
    match header.opcode {
        Opcode::Text => text_event(payload, header.mask),
        Opcode::Binary | Opcode::Continuation => {
            unmask(payload, header.mask, 0);
            Ok(Event::Binary(Cow::Borrowed(payload)))
        }
        opcode => {
            unmask(payload, header.mask, 0);
            control_event(opcode, Cow::Borrowed(payload))
        }
    }
}

#[inline]
fn text_event(payload: &mut [u8], mask: Option<MaskKey>) -> Result<Event<'_>, ProtocolError> {
    let is_ascii = match mask {
        Some(key) => apply_mask_checking_ascii(payload, key, 0),
        None => payload.is_ascii(),
    };
    let text = if is_ascii {
        // SAFETY: ASCII is UTF-8.
        unsafe { str::from_utf8_unchecked(payload) }
    } else {
        simdutf8::basic::from_utf8(payload).map_err(|_| ProtocolError::TextNotUtf8)?
    };
    Ok(Event::Text {
        text: Cow::Borrowed(text),
        is_ascii,
    })
}

fn control_event(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Event<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        _ => Event::Close(Close::decode(&payload)?),
    })
}

fn unmask(payload: &mut [u8], mask: Option<MaskKey>, offset: usize) {
    if let Some(key) = mask {
        apply_mask(payload, key, offset);
    }
}

/// The least room made for a message that has to be assembled, in bytes.
const MIN_MESSAGE_CAPACITY: usize = 4096;
