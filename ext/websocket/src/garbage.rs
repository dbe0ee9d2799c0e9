//! Has the engine let go of payloads early that scripts have done with.
//!
//! V8 knows how much memory lies behind the ArrayBuffers, but it collects for that only
//! when it is more than the heap may grow to, which is gigabytes. A server that gets
//! long messages and drops them would hold hundreds of megabytes, all of them cold in
//! the caches. So after some megabytes of payload the young generation is collected,
//! which takes a fraction of a millisecond. QuickJS frees an object with its last reference.

use std::cell::Cell;

use deno_core::v8;

/// What the scripts of one runtime have been handed since the last collection.
#[derive(Default)]
pub(crate) struct Garbage {
    bytes: Cell<usize>,
}

impl Garbage {
    /// The script is about to be handed a payload of `length` bytes in an ArrayBuffer.
    #[inline]
    pub fn note(&self, scope: &mut v8::PinScope<'_, '_>, length: usize) {
        let bytes = self.bytes.get() + length;
        self.bytes.set(bytes);
        if bytes >= COLLECT_EVERY {
            self.bytes.set(0);
            #[cfg(feature = "v8")]
            collect_young(scope);
            #[cfg(not(feature = "v8"))]
            let _ = scope;
        }
    }
}

/// Collects V8's young generation.
///
/// There is no call for that but what V8 does itself: before it makes memory for an
/// ArrayBuffer, it collects where the young ones have 64 MiB already. So that they do,
/// there is for a moment one more, which claims to be as long.
#[cfg(feature = "v8")]
#[cold]
fn collect_young(scope: &mut v8::PinScope<'_, '_>) {
    static NOTHING: u8 = 0;
    unsafe extern "C" fn keep(_: *mut std::ffi::c_void, _: usize, _: *mut std::ffi::c_void) {}

    v8::scope!(let scope, scope);
    // SAFETY: the memory is not there, but nobody looks at it: V8 does not by itself,
    // and no script gets the buffer, which is detached when this returns.
    let store = unsafe {
        v8::ArrayBuffer::new_backing_store_from_ptr(
            (&raw const NOTHING).cast_mut().cast(),
            YOUNG_LIMIT,
            keep,
            std::ptr::null_mut(),
        )
    };
    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store.make_shared());
    v8::ArrayBuffer::new_backing_store(scope, 1);
    // From now on it does not count, and the script's view of the memory is right.
    buffer.detach(None);
}

/// How many bytes of payload may be garbage.
const COLLECT_EVERY: usize = 2 << 20;
/// With how many bytes behind young ArrayBuffers V8 collects.
#[cfg(feature = "v8")]
const YOUNG_LIMIT: usize = 64 << 20;
