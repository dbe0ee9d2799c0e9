//! Has the engine let go of payloads early that scripts have done with.
//!
//! V8 knows how much memory lies behind the ArrayBuffers, but collects for that when the
//! young ones have 64 MiB, or when its limits for all of the heap are reached. A server
//! that gets long messages and drops them would hold a hundred megabytes, all of them cold
//! in the caches. So after two megabytes of payload the young generation is collected,
//! which takes a tenth of a millisecond. QuickJS frees an object with its last reference.

use std::cell::Cell;
#[cfg(feature = "v8")]
use std::sync::atomic::{AtomicBool, Ordering};

use deno_core::v8;

/// Lets the runtimes of this process collect payloads early that scripts have done with. To be
/// called before V8 starts, by whoever does that: V8 has no call for it but one for tests,
/// and takes that only under its flag `--expose-gc`. `is_gc_exposed` is whether that stands
/// anyway, because the user asked for it. It cannot be done under `--use-strict`.
///
/// Without this, V8 keeps some 100 MB of long messages. On QuickJS nothing is to be done.
pub fn collect_early(is_gc_exposed: bool) {
    #[cfg(feature = "v8")]
    {
        if !is_gc_exposed {
            // The flag stands for as long as the process: all threads read it. It gives each
            // realm a function by this name, which no script is to see: to assign to
            // `undefined` changes nothing, so the function is nowhere.
            v8::V8::set_flags_from_string("--expose-gc --expose-gc-as=undefined");
        }
        IS_ALLOWED.store(true, Ordering::Relaxed);
    }
    #[cfg(not(feature = "v8"))]
    let _ = is_gc_exposed;
}

/// What the scripts of one runtime have been handed since the last collection.
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

/// Collects V8's young generation, where that is allowed.
#[cfg(feature = "v8")]
#[cold]
fn collect_young(scope: &mut v8::PinScope<'_, '_>) {
    if IS_ALLOWED.load(Ordering::Relaxed) {
        scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Minor);
    }
}

/// Whether V8 takes the order to collect.
#[cfg(feature = "v8")]
static IS_ALLOWED: AtomicBool = AtomicBool::new(false);

/// What an ArrayBuffer and the note of its memory take beside the payload.
const BESIDE: usize = 128;
/// How many bytes may be garbage.
const COLLECT_EVERY: usize = 2 << 20;
