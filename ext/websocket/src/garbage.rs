//! Makes the engine free early the payloads that scripts no longer use.
//!
//! V8 knows how much memory lies behind the ArrayBuffers, but collects them only when the young
//! ArrayBuffers have 64 MiB, or when the limits of the whole heap are reached. A server that gets
//! long messages and drops them would hold a hundred megabytes, which are cold in the caches.
//! Therefore the young generation is collected after two megabytes of payload. A collection takes a
//! tenth of a millisecond. QuickJS frees an object with its last reference.

use std::cell::Cell;
#[cfg(feature = "v8")]
use std::sync::atomic::{AtomicBool, Ordering};

use deno_core::v8;

/// Lets the runtimes of this process free the payloads early that scripts no longer use. A program
/// calls this before it starts V8. V8 has only a function for tests to collect its young
/// generation, and needs the flag `--expose-gc` for it. `is_gc_exposed` says whether the user has
/// set this flag. Do not call this if V8 runs with `--use-strict`.
///
/// Without this, V8 keeps some 100 MB of long messages. On QuickJS this function does nothing.
pub fn collect_early(is_gc_exposed: bool) {
    #[cfg(feature = "v8")]
    {
        if !is_gc_exposed {
            // The flag stays set while the process lives, because all threads read it. The flag
            // gives each realm a global function, which no script may see. With the name
            // `undefined` the assignment changes nothing, so no script sees the function.
            v8::V8::set_flags_from_string("--expose-gc --expose-gc-as=undefined");
        }
        IS_ALLOWED.store(true, Ordering::Relaxed);
    }
    #[cfg(not(feature = "v8"))]
    let _ = is_gc_exposed;
}

/// The payloads that the scripts of one runtime were handed since the last
/// collection.
#[derive(Default)]
pub(crate) struct Garbage {
    bytes: Cell<usize>,
}

impl Garbage {
    /// The script is about to be handed a payload of `length` bytes in an ArrayBuffer.
    #[inline]
    pub(crate) fn note(&self, scope: &mut v8::PinScope<'_, '_>, length: usize) {
        let bytes = self.bytes.get() + length + BESIDE;
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

/// Collects V8's young generation, if [`collect_early`] was called.
#[cfg(feature = "v8")]
#[cold]
fn collect_young(scope: &mut v8::PinScope<'_, '_>) {
    if IS_ALLOWED.load(Ordering::Relaxed) {
        scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Minor);
    }
}

/// Whether V8 has the flag that a collection needs.
#[cfg(feature = "v8")]
static IS_ALLOWED: AtomicBool = AtomicBool::new(false);

/// The memory of an ArrayBuffer and its bookkeeping besides the payload, in
/// bytes.
const BESIDE: usize = 128;
/// How many bytes of payload may become garbage before a collection.
const COLLECT_EVERY: usize = 2 << 20;
