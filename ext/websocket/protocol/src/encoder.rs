//! Messages to frames (RFC 6455 section 6.1).
//!
//! The functions append frames to the caller's buffer, so that many frames go
//! out with one write. A client passes a masking key, fresh and unpredictable
//! for each frame (section 10.3); a server passes `None`.

use std::ops::Range;

use thiserror::Error;

use crate::close::Close;
use crate::deflate::Compressor;
use crate::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode, RSV1};
use crate::mask::{MaskKey, apply_mask};

/// Appends a text message in one frame.
pub fn encode_text(out: &mut Vec<u8>, mask: Option<MaskKey>, text: &str) {
    encode_frame(out, Opcode::Text, true, mask, text.as_bytes());
}

/// Appends a binary message in one frame.
pub fn encode_binary(out: &mut Vec<u8>, mask: Option<MaskKey>, bytes: &[u8]) {
    encode_frame(out, Opcode::Binary, true, mask, bytes);
}

/// Appends a text message in one frame, compressed (RFC 7692 section 7.2.1)
/// unless sending it uncompressed is better. A message is sent uncompressed if
/// it is shorter than the threshold, or if the compressor keeps no context and
/// compression does not make the message shorter.
pub fn encode_text_compressed(
    out: &mut Vec<u8>,
    mask: Option<MaskKey>,
    text: &str,
    compressor: &mut Compressor,
) {
    encode_compressed(out, Opcode::Text, mask, text.as_bytes(), compressor);
}

/// Appends a binary message in one frame, compressed by the rules of
/// [`encode_text_compressed`].
pub fn encode_binary_compressed(
    out: &mut Vec<u8>,
    mask: Option<MaskKey>,
    bytes: &[u8],
    compressor: &mut Compressor,
) {
    encode_compressed(out, Opcode::Binary, mask, bytes, compressor);
}

/// Appends a Ping.
///
/// # Errors
///
/// [`ControlPayloadTooLong`] if `payload` is longer than 125 bytes. Nothing is
/// appended then.
pub fn encode_ping(
    out: &mut Vec<u8>,
    mask: Option<MaskKey>,
    payload: &[u8],
) -> Result<(), ControlPayloadTooLong> {
    encode_control(out, Opcode::Ping, mask, payload)
}

/// Appends a Pong. The answer to a Ping repeats its payload.
///
/// # Errors
///
/// [`ControlPayloadTooLong`] if `payload` is longer than 125 bytes. Nothing is
/// appended then.
pub fn encode_pong(
    out: &mut Vec<u8>,
    mask: Option<MaskKey>,
    payload: &[u8],
) -> Result<(), ControlPayloadTooLong> {
    encode_control(out, Opcode::Pong, mask, payload)
}

/// Appends a Close, the last frame of its direction.
pub fn encode_close(out: &mut Vec<u8>, mask: Option<MaskKey>, close: &Close) {
    let (payload, length) = close.encode();
    encode_frame(out, Opcode::Close, true, mask, &payload[..length]);
}

/// Appends one data frame: a message, or a fragment of a message if `fin` is
/// false. The fragments after the first are [`Opcode::Continuation`].
pub fn encode_frame(
    out: &mut Vec<u8>,
    opcode: Opcode,
    fin: bool,
    mask: Option<MaskKey>,
    payload: &[u8],
) {
    let (header, length) = frame_header(opcode, fin, mask, payload.len());
    out.reserve(header.len() + payload.len());
    let start = out.len() + length;
    // The whole array is copied, because a copy of constant length is cheap.
    out.extend_from_slice(&header);
    out.truncate(start);
    out.extend_from_slice(payload);
    mask_from(out, start, mask);
}

/// Appends one data frame whose payload `write` appends, such as an engine's
/// string that is transcoded on the way. `expected_length` is the expected
/// length of the payload, in bytes. Room is made for that length. If a wrong
/// guess changes the size of the header, the payload is moved.
///
/// # Panics
///
/// If `write` shortens the buffer instead of appending.
pub fn encode_with<R>(
    out: &mut Vec<u8>,
    opcode: Opcode,
    fin: bool,
    mask: Option<MaskKey>,
    expected_length: usize,
    write: impl FnOnce(&mut Vec<u8>) -> R,
) -> R {
    let frame = begin(out, mask, expected_length);
    out.reserve(expected_length);
    let payload = out.len();
    let result = write(out);

    assert!(out.len() >= payload, "the payload is appended");
    let (header, length) = frame_header(opcode, fin, mask, out.len() - payload);
    complete(out, frame..payload, &header[..length], mask);
    result
}

/// The header of a frame without extension bits, and its length: for callers
/// that write the payload themselves and then mask it with
/// [`apply_mask`].
pub fn frame_header(
    opcode: Opcode,
    fin: bool,
    mask: Option<MaskKey>,
    payload_length: usize,
) -> ([u8; FrameHeader::MAX_LENGTH], usize) {
    FrameHeader {
        fin,
        rsv1: false,
        opcode,
        mask,
        payload_length: payload_length as u64,
    }
    .encode()
}

/// Whether a frame that was made by this module is compressed (RFC 7692 section 6).
pub fn is_compressed(frame: &[u8]) -> bool {
    frame.first().is_some_and(|byte| byte & RSV1 != 0)
}

/// The payload of a Ping or Pong is longer than 125 bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the payload of a control frame must not be longer than 125 bytes")]
pub struct ControlPayloadTooLong;

fn encode_control(
    out: &mut Vec<u8>,
    opcode: Opcode,
    mask: Option<MaskKey>,
    payload: &[u8],
) -> Result<(), ControlPayloadTooLong> {
    if payload.len() > MAX_CONTROL_PAYLOAD {
        return Err(ControlPayloadTooLong);
    }
    encode_frame(out, opcode, true, mask, payload);
    Ok(())
}

fn encode_compressed(
    out: &mut Vec<u8>,
    opcode: Opcode,
    mask: Option<MaskKey>,
    message: &[u8],
    compressor: &mut Compressor,
) {
    let frame = begin(out, mask, message.len());
    let payload = out.len();
    if !compressor.compress(message, out) {
        out.truncate(frame);
        return encode_frame(out, opcode, true, mask, message);
    }
    let header = FrameHeader {
        fin: true,
        rsv1: true,
        opcode,
        mask,
        payload_length: (out.len() - payload) as u64,
    };
    let (header, length) = header.encode();
    complete(out, frame..payload, &header[..length], mask);
}

/// Leaves room for the header of a frame, whose payload the caller appends. Returns where the frame
/// starts.
fn begin(out: &mut Vec<u8>, mask: Option<MaskKey>, expected_length: usize) -> usize {
    let frame = out.len();
    let header = FrameHeader::encoded_length(expected_length as u64, mask.is_some());
    out.resize(frame + header, 0);
    frame
}

/// Writes the header to the room left for it, and masks the payload after it.
/// If the header has another length than the room, the payload is moved.
fn complete(out: &mut Vec<u8>, room: Range<usize>, header: &[u8], mask: Option<MaskKey>) {
    let payload = room.start + header.len();
    if room.len() == header.len() {
        out[room].copy_from_slice(header);
    } else {
        out.splice(room, header.iter().copied());
    }
    mask_from(out, payload, mask);
}

fn mask_from(out: &mut [u8], start: usize, mask: Option<MaskKey>) {
    if let Some(key) = mask {
        apply_mask(&mut out[start..], key, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseCode;

    const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

    #[test]
    fn rfc_examples() {
        // Section 5.7.
        let mut out = Vec::new();
        encode_text(&mut out, None, "Hello");
        assert_eq!(out, b"\x81\x05Hello");

        out.clear();
        encode_text(&mut out, Some(KEY), "Hello");
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");

        out.clear();
        encode_frame(&mut out, Opcode::Text, false, None, b"Hel");
        encode_frame(&mut out, Opcode::Continuation, true, None, b"lo");
        assert_eq!(out, b"\x01\x03Hel\x80\x02lo");

        out.clear();
        encode_ping(&mut out, None, b"Hello").unwrap();
        encode_pong(&mut out, Some(KEY), b"Hello").unwrap();
        assert_eq!(
            out,
            b"\x89\x05Hello\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        );

        out.clear();
        encode_binary(&mut out, None, &[7; 256]);
        assert_eq!(out[..4], *b"\x82\x7e\x01\x00");
        assert_eq!(out.len(), 4 + 256);

        out.clear();
        encode_binary(&mut out, None, &[7; 65536]);
        assert_eq!(out[..10], *b"\x82\x7f\0\0\0\0\0\x01\0\0");
        assert_eq!(out.len(), 10 + 65536);
    }

    #[test]
    fn frames_are_appended() {
        let mut out = b"before".to_vec();
        encode_text(&mut out, None, "a");
        encode_close(&mut out, None, &Close::empty());
        assert_eq!(out, b"before\x81\x01a\x88\x00");
    }

    #[test]
    fn close() {
        let mut out = Vec::new();
        encode_close(&mut out, None, &Close::new(CloseCode::NORMAL, "bye"));
        assert_eq!(out, b"\x88\x05\x03\xe8bye");
    }

    #[test]
    fn control_payload_of_126_bytes() {
        let mut out = Vec::new();
        for encode in [encode_ping, encode_pong] {
            assert_eq!(
                encode(&mut out, None, &[0; 126]),
                Err(ControlPayloadTooLong)
            );
            assert!(out.is_empty());
            encode(&mut out, None, &[0; 125]).unwrap();
            assert_eq!(out.len(), 127);
            out.clear();
        }
    }

    #[test]
    fn any_guess_of_the_length_is_right() {
        let lengths = [0, 1, 125, 126, 65535, 65536];
        for mask in [None, Some(KEY)] {
            for length in lengths {
                let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let mut expected = b"before".to_vec();
                encode_binary(&mut expected, mask, &payload);
                for guess in lengths {
                    let mut out = b"before".to_vec();
                    let result = encode_with(&mut out, Opcode::Binary, true, mask, guess, |out| {
                        out.extend_from_slice(&payload);
                        42
                    });
                    assert_eq!(result, 42);
                    assert!(out == expected, "{length} {guess}");
                }
            }
        }
    }
}
