//! Messages that this end sends (RFC 7692 section 7.2.1).

use std::cell::RefCell;
use std::fmt;

use zlib_rs::{Deflate, DeflateFlush};

use super::parameters::{Parameters, WindowBits};
use super::{TAIL, spare};
use crate::frame::Role;

/// How to compress. This end chooses alone, and the other end is not asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Compression {
    /// The effort. The default is 6.
    pub level: Level,
    /// Messages of fewer bytes go out uncompressed. The default is 64 bytes,
    /// because compression gains almost nothing below that.
    pub threshold: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            level: Level::default(),
            threshold: 64,
        }
    }
}

/// A level of compression: 0 does not compress, 1 is the fastest, and 9 gives
/// the smallest result. The default is 6.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Level(u8);

impl Level {
    /// The level, or `None` outside 0-9.
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            0..=9 => Some(Self(level)),
            _ => None,
        }
    }

    /// The level as a number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Level {
    fn default() -> Self {
        Self(6)
    }
}

/// Compresses the messages of one direction of a connection.
///
/// With context takeover, a compressor holds about 250 KiB and four times its
/// window from its first message on. Without context takeover, a compressor
/// holds nothing between two messages: the connections of a thread share one
/// state.
pub struct Compressor {
    compression: Compression,
    window_bits: WindowBits,
    takeover: bool,
    state: Option<Deflate>,
}

impl Compressor {
    /// A compressor for what `role` sends on a connection with `parameters`.
    pub const fn new(role: Role, parameters: &Parameters, compression: Compression) -> Self {
        let (no_takeover, window_bits) = match role {
            Role::Client => (
                parameters.client_no_context_takeover,
                parameters.client_max_window_bits,
            ),
            Role::Server => (
                parameters.server_no_context_takeover,
                parameters.server_max_window_bits,
            ),
        };
        Self {
            compression,
            window_bits: match window_bits {
                Some(bits) => bits,
                None => WindowBits::MAX,
            },
            takeover: !no_takeover,
            state: None,
        }
    }

    /// Gives up the context, and its memory until the next message, for a
    /// connection that is idle. The other end need not know: the next message
    /// does not refer to the messages before it.
    pub fn release(&mut self) {
        self.state = None;
    }

    /// A compressor of the same kind that has no context and keeps none: for a message
    /// that goes to several peers. A connection over which such a message goes out has to
    /// [release](Self::release) its own context.
    pub const fn without_context(&self) -> Self {
        Self {
            compression: self.compression,
            window_bits: self.window_bits,
            takeover: false,
            state: None,
        }
    }

    /// Whether both compressors make the same bytes of a message that refers to
    /// no message before it.
    pub fn is_like(&self, other: &Self) -> bool {
        self.compression == other.compression && self.window_bits == other.window_bits
    }

    /// Appends `message` compressed. Returns `false`, and appends nothing, if
    /// sending the message uncompressed is better.
    pub(crate) fn compress(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        if message.len() < self.compression.threshold {
            return false;
        }
        if message.is_empty() {
            // An empty block, as in section 7.2.3.6. The stream itself would
            // write nothing, because it has nothing to flush.
            out.push(0);
            return true;
        }
        let start = out.len();
        let mut state = self.take_state();
        let compressed = sync_flush(&mut state, message, out);
        if compressed.is_err() {
            // The next message gets a fresh state without context, which is
            // legal at any time.
            out.truncate(start);
            return false;
        }
        if self.takeover {
            // The context now covers this message, so the message has to be
            // sent compressed.
            self.state = Some(state);
            return true;
        }
        self.share(state);
        let pays = out.len() - start < message.len();
        if !pays {
            out.truncate(start);
        }
        pays
    }

    fn take_state(&mut self) -> Deflate {
        if let Some(state) = self.state.take() {
            return state;
        }
        let key = (self.compression.level, self.window_bits);
        let shared = SHARED
            .try_with(|shared| shared.borrow_mut().take_if(|(of, _)| *of == key))
            .ok()
            .flatten();
        match shared {
            Some((_, mut state)) => {
                state.reset();
                state
            }
            None => {
                // zlib has no window of 2^8 bytes in a raw stream. With a window of 2^9 bytes, zlib
                // looks back at most 2^9 - 262 bytes, which is within 2^8.
                let bits = self.window_bits.get().max(9);
                Deflate::new(i32::from(self.compression.level.get()), false, bits)
            }
        }
    }

    fn share(&self, state: Deflate) {
        let key = (self.compression.level, self.window_bits);
        // At the end of a thread no connection is left to share the state with.
        let _ = SHARED.try_with(|shared| shared.replace(Some((key, state))));
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("compression", &self.compression)
            .field("window_bits", &self.window_bits)
            .field("takeover", &self.takeover)
            .finish_non_exhaustive()
    }
}

/// The stream could not be written. No cause of this error is known, because
/// there is room and the state is sound.
struct CompressError;

/// Appends all of `message`, flushed and without the tail.
fn sync_flush(state: &mut Deflate, message: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let mut input = message;
    loop {
        // Text shrinks to less than half. The spare room saves a second call.
        out.reserve(input.len() / 2 + 64);
        let room = out.spare_capacity_mut().len();
        let (read_before, written_before) = (state.total_in(), state.total_out());
        state
            .compress_uninit(input, out.spare_capacity_mut(), DeflateFlush::SyncFlush)
            .map_err(|_| CompressError)?;
        let read = (state.total_in() - read_before) as usize;
        let written = (state.total_out() - written_before) as usize;
        spare::advance(out, written);
        input = &input[read..];
        if input.is_empty() && written < room {
            break;
        }
        if read == 0 && written == 0 {
            return Err(CompressError);
        }
    }
    if !out.ends_with(&TAIL) {
        return Err(CompressError);
    }
    out.truncate(out.len() - TAIL.len());
    Ok(())
}

thread_local! {
    /// The state that the connections without context takeover use in turn.
    static SHARED: RefCell<Option<((Level, WindowBits), Deflate)>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressor(parameters: &Parameters, level: u8, threshold: usize) -> Compressor {
        let level = Level::new(level).unwrap();
        Compressor::new(Role::Server, parameters, Compression { level, threshold })
    }

    fn windowed(bits: u8) -> Parameters {
        Parameters {
            server_max_window_bits: WindowBits::new(bits),
            ..Parameters::default()
        }
    }

    fn no_takeover() -> Parameters {
        Parameters {
            server_no_context_takeover: true,
            ..Parameters::default()
        }
    }

    fn compress(compressor: &mut Compressor, message: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        let compressed = compressor.compress(message, &mut out);
        let out = out.strip_prefix(b"before").unwrap();
        assert!(compressed || out.is_empty());
        compressed.then(|| out.to_vec())
    }

    /// Bytes that have nothing in common with one another.
    fn noise(length: usize) -> Vec<u8> {
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn rfc_examples() {
        // Sections 7.2.3.1, 7.2.3.2 and 7.2.3.6.
        let mut shared = compressor(&Parameters::default(), 6, 0);
        let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        assert_eq!(compress(&mut shared, b"Hello").unwrap(), hello);
        assert_eq!(
            compress(&mut shared, b"Hello").unwrap(),
            b"\xf2\x00\x11\x00\x00"
        );
        for _ in 0..2 {
            assert_eq!(compress(&mut shared, b"").unwrap(), b"\x00");
        }
        assert_eq!(
            compress(&mut shared, b"Hello").unwrap(),
            b"\x02\x13\x00\x00"
        );
    }

    #[test]
    fn without_takeover_all_messages_are_alike() {
        let mut alone = compressor(&no_takeover(), 6, 0);
        let message = [b'a'; 100];
        let first = compress(&mut alone, &message).unwrap();
        assert!(alone.state.is_none());
        let mut other = compressor(&no_takeover(), 9, 0);
        compress(&mut other, &message).unwrap();
        assert_eq!(compress(&mut alone, &message).unwrap(), first);
        assert_eq!(compress(&mut alone, &message).unwrap(), first);
    }

    #[test]
    fn a_context_can_be_released() {
        let mut shared = compressor(&Parameters::default(), 6, 0);
        let first = compress(&mut shared, b"Hello").unwrap();
        shared.release();
        assert!(shared.state.is_none());
        assert_eq!(compress(&mut shared, b"Hello").unwrap(), first);
    }

    #[test]
    fn below_the_threshold() {
        let mut compressor = compressor(&Parameters::default(), 6, 10);
        assert_eq!(compress(&mut compressor, &[0; 9]), None);
        assert!(compressor.state.is_none());
        assert!(compress(&mut compressor, &[0; 10]).is_some());
    }

    #[test]
    fn what_cannot_be_compressed() {
        let noise = noise(100_000);
        assert_eq!(
            compress(&mut compressor(&no_takeover(), 6, 0), &noise),
            None
        );
        // The context holds the message then, so the message goes in stored
        // blocks.
        let compressed = compress(&mut compressor(&Parameters::default(), 6, 0), &noise).unwrap();
        assert!(compressed.len() < noise.len() + 100);
    }

    #[test]
    fn no_window_is_exceeded() {
        // A repetition helps only if the window reaches back to the first
        // occurrence.
        let is_seen = |bits: u8, level: u8, distance: usize| {
            let mut message = noise(distance);
            message.resize(distance * 4, 0);
            for i in distance..message.len() {
                message[i] = message[i - distance];
            }
            let mut compressor = compressor(&windowed(bits), level, 0);
            let compressed = compress(&mut compressor, &message).unwrap();
            compressed.len() < message.len() / 2
        };
        for level in 1..=9 {
            for bits in 8..=15 {
                let window = 1 << bits;
                assert!(!is_seen(bits, level, window + 1), "{bits} {level}");
                // zlib keeps back 262 bytes of its window.
                if bits > 9 {
                    assert!(is_seen(bits, level, window - 300), "{bits} {level}");
                }
            }
        }
    }
}
