//! Messages that this end receives (RFC 7692 section 7.2.2).

use std::cell::RefCell;
use std::fmt;
use std::mem::MaybeUninit;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::parameters::{Parameters, WindowBits};
use super::{TAIL, spare};
use crate::error::ProtocolError;
use crate::frame::Role;

/// Inflates the messages of one direction of a connection, while their bytes
/// come.
///
/// With context takeover, a decompressor holds about 48 KiB from its first
/// message on. zlib-rs makes room for the largest window, so a peer that agreed
/// to a smaller window is not held to it. Without context takeover, a
/// decompressor holds nothing between two messages.
pub(crate) struct Decompressor {
    takeover: bool,
    state: Option<Inflate>,
    /// Whether the last byte ended a DEFLATE stream.
    is_at_end: bool,
}

impl Decompressor {
    /// A decompressor for what `role` receives on a connection with
    /// `parameters`.
    pub(crate) const fn new(role: Role, parameters: &Parameters) -> Self {
        let no_takeover = match role {
            Role::Client => parameters.server_no_context_takeover,
            Role::Server => parameters.client_no_context_takeover,
        };
        Self {
            takeover: !no_takeover,
            state: None,
            is_at_end: false,
        }
    }

    /// Inflates `input` and appends the result to `message`, which grows to
    /// `limit` bytes at most. Each time bytes were appended, `check` sees the
    /// message.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::PayloadTooLong`] at the first byte beyond `limit`,
    /// [`ProtocolError::CompressedData`] if `input` is not DEFLATE data, and
    /// the error that `check` returns. The first error in the order of the
    /// stream is returned.
    pub(crate) fn inflate(
        &mut self,
        mut input: &[u8],
        message: &mut Vec<u8>,
        limit: usize,
        mut check: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if input.is_empty() {
            return Ok(());
        }
        self.is_at_end = false;
        let state = self.state.get_or_insert_with(take_state);
        loop {
            reserve(message, input.len(), limit);
            let room = (message.capacity() - message.len()).min(limit - message.len());
            let mut beyond = [MaybeUninit::uninit(); 1];
            let output = if room == 0 {
                &mut beyond[..]
            } else {
                &mut message.spare_capacity_mut()[..room]
            };
            let (read_before, written_before) = (state.total_in(), state.total_out());
            let result = state.decompress_uninit(input, output, InflateFlush::NoFlush);
            let read = (state.total_in() - read_before) as usize;
            let written = (state.total_out() - written_before) as usize;

            if room == 0 && written > 0 {
                return Err(ProtocolError::PayloadTooLong { limit });
            }
            spare::advance(message, written);
            if written > 0 {
                check(message)?;
            }
            input = &input[read..];
            match result {
                Err(_) => return Err(ProtocolError::CompressedData),
                // The last block of a stream (section 7.2.3.4). The bytes that follow are another
                // stream, without the context of the first: a distance does not reach back beyond
                // the beginning of its stream (RFC 1951 section 2).
                Ok(Status::StreamEnd) => {
                    state.reset(false);
                    if input.is_empty() {
                        self.is_at_end = true;
                        return Ok(());
                    }
                }
                Ok(_) if read == 0 && written == 0 && !input.is_empty() => {
                    return Err(ProtocolError::CompressedData);
                }
                Ok(_) if input.is_empty() && (written < room || written == 0) => return Ok(()),
                Ok(_) => {}
            }
        }
    }

    /// Ends a message that had input, and appends what the tail inflates to.
    ///
    /// A message ends with the header of an empty block, and the tail completes this block. If the
    /// message ends with a whole stream instead, without the byte 0 that section 7.2.3.4 appends to
    /// the stream, there is no block to complete.
    ///
    /// # Errors
    ///
    /// The errors of [`inflate`](Self::inflate).
    pub(crate) fn finish(
        &mut self,
        message: &mut Vec<u8>,
        limit: usize,
        check: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if !self.is_at_end {
            self.inflate(&TAIL, message, limit, check)?;
        }
        if !self.takeover
            && let Some(state) = self.state.take()
        {
            share(state);
        }
        Ok(())
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("takeover", &self.takeover)
            .finish_non_exhaustive()
    }
}

/// Makes room in a full message. The room starts with a guess, and doubles, but
/// does not outgrow the limit.
fn reserve(message: &mut Vec<u8>, input: usize, limit: usize) {
    let length = message.len();
    if length < message.capacity() || length >= limit {
        return;
    }
    let capacity = length
        .saturating_mul(2)
        .max(input.saturating_mul(EXPECTED_RATIO))
        .max(MIN_CAPACITY)
        .min(limit);
    message.reserve_exact(capacity - length);
}

fn take_state() -> Inflate {
    let shared = SHARED.try_with(RefCell::take).ok().flatten();
    match shared {
        Some(mut state) => {
            state.reset(false);
            state
        }
        None => Inflate::new(false, WindowBits::MAX.get()),
    }
}

fn share(state: Inflate) {
    // At the end of a thread no connection is left to share the state with.
    let _ = SHARED.try_with(|shared| shared.replace(Some(state)));
}

thread_local! {
    /// The state that the connections without context takeover use in turn.
    static SHARED: RefCell<Option<Inflate>> = const { RefCell::new(None) };
}

/// How much longer a message is expected to be than its compressed form.
const EXPECTED_RATIO: usize = 4;

/// The least room that is made for a message, in bytes.
const MIN_CAPACITY: usize = 128;

#[cfg(test)]
mod tests {
    use zlib_rs::{Deflate, DeflateFlush};

    use super::*;

    /// A text as a whole DEFLATE stream, which a library without knowledge of RFC 7692 makes.
    fn stream(text: &[u8]) -> Vec<u8> {
        let mut state = Deflate::new(6, false, WindowBits::MAX.get());
        let mut out = vec![0; text.len() + 64];
        let status = state.compress(text, &mut out, DeflateFlush::Finish);
        assert!(matches!(status, Ok(Status::StreamEnd)));
        out.truncate(state.total_out() as usize);
        out
    }

    #[test]
    fn messages_that_end_with_a_stream() {
        let texts = ["", "one", "a text that is somewhat longer, longer", "two"];
        for no_takeover in [false, true] {
            let parameters = Parameters {
                client_no_context_takeover: no_takeover,
                ..Parameters::default()
            };
            // With the byte that section 7.2.3.4 asks for, without the byte, and by turns.
            for tails in [[1, 1], [0, 0], [1, 0]] {
                // The cuts of the message make no difference.
                for part in 1..40 {
                    let mut decompressor = Decompressor::new(Role::Server, &parameters);
                    for (at, text) in texts.iter().cycle().take(9).enumerate() {
                        let mut payload = stream(text.as_bytes());
                        payload.extend(&[0; 1][..tails[at % 2]]);
                        let mut message = Vec::new();
                        for part in payload.chunks(part) {
                            let check = |_: &[u8]| Ok(());
                            decompressor
                                .inflate(part, &mut message, 1000, check)
                                .unwrap();
                            decompressor
                                .inflate(&[], &mut message, 1000, check)
                                .unwrap();
                        }
                        decompressor.finish(&mut message, 1000, |_| Ok(())).unwrap();
                        assert_eq!(message, text.as_bytes(), "{tails:?} {part}");
                    }
                }
            }
        }
    }
}
