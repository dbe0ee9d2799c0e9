//! The spare capacity of a buffer.

/// Adds the first `written` bytes of the spare capacity to the length of `out`.
/// A call to deflate or inflate has just written these bytes.
///
/// # Panics
///
/// If the spare capacity is less than `written` bytes.
pub(super) fn advance(out: &mut Vec<u8>, written: usize) {
    let length = out.len() + written;
    assert!(
        length <= out.capacity(),
        "bytes are written where there is room"
    );
    // SAFETY: the bytes are within the capacity, and the callers pass what
    // zlib-rs counts as written to the start of the spare capacity.
    unsafe { out.set_len(length) }
}
