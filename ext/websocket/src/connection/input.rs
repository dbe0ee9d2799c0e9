//! What one read brought, and what reading needs.

use std::io;
use std::ops::RangeInclusive;

use bytes::Bytes;
use duplex_protocol::decoder::{Decoder, Event};
use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::FrameHeader;

use crate::recycler::{self, Recycled};

/// What a connection reads and decodes with.
pub(super) struct Reader {
    pub decoder: Decoder,
    /// What came with the handshake. Boxed, as the members of [`Connection`](super::Connection) are that most
    /// connections never need.
    pub read_ahead: Option<Box<Bytes>>,
    /// How long the next message may be: as long as the last one, where that was binary
    /// and came by itself. 0 where nothing is expected.
    pub expected: u32,
}

/// How one read went.
pub(crate) enum Read {
    /// Something came.
    Input(Input),
    /// Nothing now; the waker is set.
    Blocked,
    /// The peer closed its side.
    Eof,
    Failed(io::Error),
}

/// What one read brought. It is to be [decoded](super::Connection::decode).
pub(crate) enum Input {
    /// So many bytes, at the start of the buffer that was read into.
    Bytes(usize),
    /// So many bytes, which went into the message that is coming, and completed or broke it.
    Message(usize, Result<Option<Event<'static>>, ProtocolError>),
    /// So many bytes: one binary message, in memory of its own.
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

/// What takes the events of some input, and may run script. Both return whether the next
/// event may follow.
pub(crate) trait EventSink {
    fn event(&mut self, event: Event<'_>) -> bool;

    /// A binary message in memory of its own.
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

    /// A binary message of `length` bytes has come by itself.
    #[inline]
    pub(super) fn expect(&mut self, length: usize) {
        self.expected = match EXPECTED.contains(&length) {
            true => length as u32,
            false => 0,
        };
    }
}

/// Binary messages of so many bytes are read into memory of their own when more of them
/// are expected. The hub's read buffer has room for any of them.
const EXPECTED: RangeInclusive<usize> = (4 << 10)..=(recycler::LONGEST - FrameHeader::MAX_LENGTH);
