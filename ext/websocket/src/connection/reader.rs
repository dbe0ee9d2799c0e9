//! Reading from the transport, and decoding.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Buf;
use duplex_protocol::decoder::{Event, InPlace, MessageInPlace};
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::FrameHeader;
use tokio::io::{AsyncRead, ReadBuf};

use super::Connection;
use super::input::{EventSink, Input, Read, Reader};
use crate::recycler::{Recycled, Recycler};

impl Connection {
    /// Reads the available bytes into `buffer`. If a long message is incomplete, reads into the
    /// message instead, `longest` bytes at most.
    pub(crate) fn read(&self, buffer: &mut [u8], longest: usize, recycler: &Recycler) -> Read {
        let mut reader = self.reader.try_borrow_mut().ok();
        if let Some(reader) = &mut reader
            && let Some(read_ahead) = &mut reader.read_ahead
        {
            let count = read_ahead.remaining().min(buffer.len());
            read_ahead.copy_to_slice(&mut buffer[..count]);
            if !read_ahead.has_remaining() {
                reader.read_ahead = None;
            }
            return Read::Input(Input::Bytes(count));
        }
        if let Some(mut reader) = reader.filter(|_| self.session().can_receive()) {
            if let Some(room) = reader.decoder.spare() {
                let length = room.len().min(longest);
                let mut room = ReadBuf::uninit(&mut room[..length]);
                return match self.poll_read(&mut room) {
                    Read::Input(Input::Bytes(count)) => {
                        // SAFETY: a ReadBuf counts the bytes that were filled, and they were filled
                        // after `spare` returned.
                        let result = unsafe { reader.decoder.filled(count) };
                        Read::Input(Input::Message(count, result))
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

    /// Reads what may be one message as long as the last one, into memory that the message keeps,
    /// so that it need not be copied. If the bytes are something else, they are copied to `buffer`.
    fn read_expected(&self, reader: &mut Reader, buffer: &mut [u8], recycler: &Recycler) -> Read {
        // If a read leaves room, there is no more to read.
        let room = reader.expected as usize + FrameHeader::MAX_LENGTH;
        let mut frame = recycler.take(room);
        let mut unread = ReadBuf::uninit(&mut frame.spare_capacity_mut()[..room]);
        let read = self.poll_read(&mut unread);
        let count = match read {
            Read::Input(Input::Bytes(count)) => count,
            _ => 0,
        };
        // SAFETY: a ReadBuf counts the bytes that were filled.
        unsafe { frame.set_len(count) };
        let read = match reader.decoder.decode_sole_binary(&mut frame) {
            Some(start) if count - start >= frame.capacity() / 2 => {
                reader.expect(count - start);
                let payload = Recycled::new(frame, start, recycler.clone());
                return Read::Input(Input::Binary(count, payload));
            }
            Some(start) => {
                // A much shorter message must not hold so much memory.
                reader.expect(count - start);
                let payload = frame[start..].to_vec();
                let event = Event::Binary(payload.into());
                Read::Input(Input::Message(count, Ok(Some(event))))
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
            Poll::Pending if self.session().is_cut_off() => {
                Read::Failed(io::ErrorKind::BrokenPipe.into())
            }
            Poll::Pending => Read::Blocked,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Read::Eof,
            Poll::Ready(Ok(())) => Read::Input(Input::Bytes(buffer.filled().len())),
            Poll::Ready(Err(error)) => Read::Failed(error),
        }
    }

    /// Decodes `input`, and hands each event to `sink`. [`Input::Bytes`] lie in `buffer`. Stops
    /// early if `sink` says so, and returns how many bytes at the end of the input are left then.
    #[inline]
    pub(crate) fn decode(
        &self,
        input: Input,
        buffer: &mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<usize, ProtocolError> {
        match input {
            Input::Bytes(count) => self.decode_bytes(&mut buffer[..count], sink),
            Input::Message(_, result) => {
                if let Some(event) = result? {
                    sink.event(event);
                }
                Ok(0)
            }
            Input::Binary(_, payload) => {
                sink.recycled(payload);
                Ok(0)
            }
        }
    }

    #[inline]
    fn decode_bytes(
        &self,
        mut input: &mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<usize, ProtocolError> {
        // Only the hub reads, and it reads from the event loop, never from a
        // script's call. A second borrow would be a fault of the hub.
        let Ok(mut reader) = self.reader.try_borrow_mut() else {
            return Ok(0);
        };
        let mut is_first = true;
        // The decoder finds no event in an empty input.
        while !input.is_empty() {
            match reader.decoder.decode_in_place(input) {
                InPlace::Message(message, rest) => {
                    if let MessageInPlace::Binary(payload) = message
                        && is_first
                        && rest.is_empty()
                    {
                        reader.expect(payload.len());
                    }
                    if !sink.event(message.into()) {
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
                    if !sink.event(event) {
                        return Ok(decoded.rest.len());
                    }
                    input = decoded.rest;
                }
            }
            is_first = false;
        }
        Ok(0)
    }

    /// The peer was heard at `now`.
    #[inline]
    pub(crate) fn record_heard(&self, now: Instant) {
        self.session.borrow_mut().heard(now);
    }
}
