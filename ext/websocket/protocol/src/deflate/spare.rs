//! The room behind the bytes of a buffer.

/// Counts the first `written` bytes of the spare capacity in, which a (de)flate
/// call has just written.
///
/// # Panics
///
/// Where there is less room than that.
pub(super) fn advance(out: &mut Vec<u8>, written: usize) {
    let length = out.len() + written;
    assert!(
        length <= out.capacity(),
        "bytes are written where there is room"
    );
    // SAFETY: they are within the capacity, and the callers pass what zlib-rs
    // counts as written to the start of the spare capacity.
    unsafe { out.set_len(length) }
}
