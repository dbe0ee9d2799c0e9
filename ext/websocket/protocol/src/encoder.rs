//! Messages to frames (RFC 6455 section 6.1).
//!
//! Frames are appended to the caller's buffer, so that many go out with one
//! write. A client passes a masking key, fresh and unpredictable for each frame
//! (section 10.3); a server passes `None`.

use thiserror::Error;

use crate::close::Close;
use crate::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode};
use crate::mask::{MaskKey, apply_mask};

/// Appends a text message in one frame.
pub fn encode_text(out: &mut Vec<u8>, mask: Option<MaskKey>, text: &str) {
    encode_frame(out, Opcode::Text, true, mask, text.as_bytes());
}

/// Appends a binary message in one frame.
pub fn encode_binary(out: &mut Vec<u8>, mask: Option<MaskKey>, bytes: &[u8]) {
    encode_frame(out, Opcode::Binary, true, mask, bytes);
}

/// Appends a Ping.
///
/// # Errors
///
/// [`ControlPayloadTooLong`]; nothing is appended.
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
/// [`ControlPayloadTooLong`]; nothing is appended.
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

/// Appends one data frame: a message, or with `fin` false a fragment of one.
/// The fragments after the first are [`Opcode::Continuation`].
pub fn encode_frame(
    out: &mut Vec<u8>,
    opcode: Opcode,
    fin: bool,
    mask: Option<MaskKey>,
    payload: &[u8],
) {
    let (header, length) = frame_header(opcode, fin, mask, payload.len());
    out.reserve(length + payload.len());
    out.extend_from_slice(&header[..length]);
    let start = out.len();
    out.extend_from_slice(payload);
    mask_from(out, start, mask);
}

/// Appends one data frame whose payload `write` appends, such as an engine's
/// string that is transcoded on the way. `expected_length` is how long the
/// payload will be as far as is known: room is made for that much, and where a
/// wrong guess changes the size of the header the payload is moved.
///
/// `write` must only append.
pub fn encode_with<R>(
    out: &mut Vec<u8>,
    opcode: Opcode,
    fin: bool,
    mask: Option<MaskKey>,
    expected_length: usize,
    write: impl FnOnce(&mut Vec<u8>) -> R,
) -> R {
    let frame = out.len();
    let expected = FrameHeader::encoded_length(expected_length as u64, mask.is_some());
    out.reserve(expected + expected_length);
    out.extend_from_slice(&[0; FrameHeader::MAX_LENGTH][..expected]);
    let result = write(out);

    let start = frame + expected;
    let (header, length) = frame_header(opcode, fin, mask, out.len() - start);
    out.splice(frame..start, header[..length].iter().copied());
    mask_from(out, frame + length, mask);
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

fn mask_from(out: &mut [u8], start: usize, mask: Option<MaskKey>) {
    if let Some(key) = mask {
        apply_mask(&mut out[start..], key, 0);
    }
}
