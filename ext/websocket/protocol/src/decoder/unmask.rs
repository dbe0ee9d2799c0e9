//! Unmasking of payloads.

use crate::mask::{MaskKey, apply_mask, apply_mask_checking_ascii};

/// Unmasks a part of a payload, which begins at `offset` in its frame.
#[inline]
pub(super) fn unmask(payload: &mut [u8], mask: Option<MaskKey>, offset: usize) {
    if let Some(key) = mask {
        apply_mask(payload, key, offset);
    }
}

/// Unmasks a part of a text. Returns how many bytes at its start are known to
/// be ASCII: all bytes, or those of whole pieces of [`PIECE`] bytes.
#[inline]
pub(super) fn unmask_text(payload: &mut [u8], mask: Option<MaskKey>, offset: usize) -> usize {
    let Some(key) = mask else {
        return if payload.is_ascii() { payload.len() } else { 0 };
    };
    if payload.len() <= PIECE {
        let is_ascii = apply_mask_checking_ascii(payload, key, offset);
        return if is_ascii { payload.len() } else { 0 };
    }
    let mut ascii = 0;
    let mut pieces = payload.chunks_mut(PIECE);
    for piece in pieces.by_ref() {
        if !apply_mask_checking_ascii(piece, key, offset) {
            break;
        }
        ascii += piece.len();
    }
    for piece in pieces {
        apply_mask(piece, key, offset);
    }
    ascii
}

/// How many bytes of a long payload are unmasked and checked at once: few enough to stay in the
/// first level of cache.
pub(super) const PIECE: usize = 4096;
