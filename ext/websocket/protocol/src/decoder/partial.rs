//! A message that comes in parts.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::event::Event;
use super::unmask::{PIECE, unmask, unmask_text};
use crate::deflate::decompressor::Decompressor;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Opcode};
use crate::mask::MaskKey;
use crate::utf8::Validator;

/// A data message that has not come wholly.
#[derive(Debug)]
pub(super) struct PartialMessage {
    /// The payload so far, inflated.
    pub(super) payload: Vec<u8>,
    /// How many bytes of a compressed message have come; `None` if the message
    /// is not compressed.
    pub(super) compressed: Option<usize>,
    /// Checks the payload. `Some` in a text message.
    pub(super) utf8: Option<Validator>,
    pub(super) fragments: u32,
    /// The frame whose payload is incomplete; `None` between two frames.
    pub(super) frame: Option<PartialFrame>,
}

/// A data frame whose payload has not come wholly.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartialFrame {
    pub(super) fin: bool,
    pub(super) mask: Option<MaskKey>,
    /// How many bytes of payload have come.
    pub(super) offset: usize,
    /// How many bytes of payload are still to come.
    pub(super) remaining: usize,
}

impl PartialMessage {
    pub(super) fn new(header: &FrameHeader) -> Self {
        Self {
            payload: Vec::new(),
            compressed: header.rsv1.then_some(0),
            utf8: (header.opcode == Opcode::Text).then(Validator::new),
            fragments: 0,
            frame: None,
        }
    }

    /// How long a further frame may be.
    pub(super) fn room(&self, limit: usize) -> usize {
        match self.compressed {
            Some(received) => max_compressed(limit).saturating_sub(received),
            None => limit.saturating_sub(self.payload.len()),
        }
    }

    pub(super) fn begin_frame(&mut self, header: &FrameHeader, length: usize) {
        self.fragments += 1;
        self.frame = Some(PartialFrame {
            fin: header.fin,
            mask: header.mask,
            offset: 0,
            remaining: length,
        });
    }

    /// Takes the bytes of `frame`'s payload that `input` has. The frame stays
    /// in progress if bytes are missing. Returns the rest of `input`. A
    /// compressed message is inflated to `limit` bytes at most, and ends with
    /// its last frame.
    pub(super) fn append<'b>(
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
                // The tail alone is not a block. But some peers compress an empty message to
                // nothing, and such a message is taken as empty.
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
                    // The key stays aligned, because the length of a piece is a
                    // multiple of the key's length.
                    self.check(start, frame.mask, frame.offset)?;
                }
            }
        }
        frame.offset += chunk.len();
        frame.remaining -= chunk.len();
        self.frame = (frame.remaining > 0).then_some(frame);
        Ok(rest)
    }

    /// Room for the next bytes, if reading into the message pays.
    pub(super) fn spare(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
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

    /// Takes `count` bytes that were read into the spare room. Returns whether
    /// the message is complete.
    ///
    /// # Safety
    ///
    /// The `count` bytes have been initialised.
    pub(super) unsafe fn filled(&mut self, count: usize) -> Result<bool, ProtocolError> {
        let start = self.payload.len();
        let room = self.payload.capacity() - start;
        let Some(mut frame) = self
            .frame
            .filter(|frame| count <= frame.remaining.min(room))
        else {
            panic!("there is no room for {count} bytes");
        };
        // SAFETY: there is room for `count` bytes, and the caller vouches for
        // their initialisation.
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

    /// Makes room for `arrived` bytes of `frame`. If there is no room, the buffer grows to
    /// `capacity`, so that each byte is moved a constant number of times on average. The buffer
    /// does not outgrow a message whose last frame has begun.
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

    pub(super) fn into_event<'b>(self) -> Result<Event<'b>, ProtocolError> {
        let Some(utf8) = self.utf8 else {
            return Ok(Event::Binary(Cow::Owned(self.payload)));
        };
        utf8.finish(&self.payload)
            .map_err(|_| ProtocolError::TextNotUtf8)?;
        // SAFETY: each function that changes the payload (`append`, `filled` and the decompressor)
        // has the validator check it up to its last complete character, and `finish` has checked
        // that nothing follows that character.
        let text = unsafe { String::from_utf8_unchecked(self.payload) };
        Ok(Event::Text {
            text: Cow::Owned(text),
            is_ascii: utf8.is_ascii(),
        })
    }
}

/// Makes the validator of a text message check the bytes that were appended.
fn advance(utf8: &mut Option<Validator>, payload: &[u8]) -> Result<(), ProtocolError> {
    match utf8 {
        Some(utf8) => utf8
            .advance(payload)
            .map_err(|_| ProtocolError::TextNotUtf8),
        None => Ok(()),
    }
}

/// How long the compressed form of a message of `limit` bytes may be. The
/// compressed form is longer than the message if the message cannot be
/// compressed: by an eighth with the worst fixed code. More bytes than that can
/// only be empty blocks.
pub(super) const fn max_compressed(limit: usize) -> usize {
    limit.saturating_add(limit / 8).saturating_add(1024)
}

/// The number of bytes that have come of a message, and are still to come in its frame, so that
/// reading directly into the message pays.
pub(super) const DIRECT_FROM: usize = match cfg!(fuzzing) {
    // The fuzzer's inputs are short.
    true => 8,
    false => 16 << 10,
};

/// The least room that is made for a message that has to be assembled, in
/// bytes.
pub(super) const MIN_MESSAGE_CAPACITY: usize = 4096;
