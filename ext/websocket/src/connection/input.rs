//! The result of a read, and the state that reading needs.

use std::io;
use std::ops::RangeInclusive;

use bytes::Bytes;
use duplex_protocol::decoder::{Decoder, Event};
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::FrameHeader;

use crate::recycler::{self, Recycled};

/// The state with which a connection reads and decodes.
pub(super) struct Reader {
    pub decoder: Decoder,
    /// The bytes that came with the handshake. Boxed, because most connections never need them.
    pub read_ahead: Option<Box<Bytes>>,
    /// How long the next message may be: as long as the last message, if that was binary and came
    /// alone in a read. 0 means that nothing is expected.
    pub expected: u32,
}

/// How one read went.
pub(crate) enum Read {
    /// Bytes came.
    Input(Input),
    /// There is nothing to read now. The waker is set.
    Blocked,
    /// The peer closed its side of the transport.
    Eof,
    Failed(io::Error),
}

/// The bytes that one read brought. [`decode`](super::Connection::decode) takes
/// them.
pub(crate) enum Input {
    /// This many bytes at the start of the buffer.
    Bytes(usize),
    /// This many bytes, which were read into an incomplete message, and the decoder's result.
    Message(usize, Result<Option<Event<'static>>, ProtocolError>),
    /// This many bytes, which are one binary message in its own memory.
    Binary(usize, Recycled),
}

impl Input {
    /// How many bytes came.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Bytes(count) | Self::Message(count, _) | Self::Binary(count, _) => *count,
        }
    }
}

/// Takes the events of some input, and may run script. Both methods return whether the next event
/// may follow.
pub(crate) trait EventSink {
    fn event(&mut self, event: Event<'_>) -> bool;

    /// Takes a binary message in its own memory.
    fn recycled(&mut self, payload: Recycled) -> bool;
}

impl Reader {
    pub(super) fn new(decoder: Decoder, read_ahead: Bytes) -> Self {
        Self {
            decoder,
            read_ahead: (!read_ahead.is_empty()).then(|| Box::new(read_ahead)),
            expected: 0,
        }
    }

    /// Notes that a binary message of `length` bytes came alone in a read.
    #[inline]
    pub(super) fn expect(&mut self, length: usize) {
        self.expected = match EXPECTED.contains(&length) {
            true => length as u32,
            false => 0,
        };
    }
}

/// The lengths of binary messages that are read into their own memory, if the last message had such
/// a length. The hub's read buffer has room for any of them.
const EXPECTED: RangeInclusive<usize> = (4 << 10)..=(recycler::LONGEST - FrameHeader::MAX_LENGTH);
