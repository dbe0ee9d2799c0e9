//! Has the engine let go of payloads early that scripts have done with.
//!
//! V8 knows how much memory lies behind the ArrayBuffers, but collects for that when the
//! young ones have 64 MiB, or when its limits for all of the heap are reached. A server
//! that gets long messages and drops them would hold a hundred megabytes, all of them cold
//! in the caches. So after two megabytes of payload the young generation is collected,
//! which takes a tenth of a millisecond. QuickJS frees an object with its last reference.

use std::cell::Cell;
#[cfg(feature = "v8")]
use std::sync::atomic::{AtomicU8, Ordering};
#[cfg(feature = "v8")]
use std::sync::{Mutex, PoisonError};

use deno_core::v8;

/// Lets the runtimes of this process collect payloads early that scripts have done with. To be
/// called before V8 starts, by whoever does that: V8 has no call for it but one for tests,
/// and takes that only under its flag `--expose-gc`, which stands for a moment then; that
/// flags can be changed later is a flag of V8 too, `--no-freeze-flags-after-init`.
/// `is_gc_exposed` is whether `--expose-gc` stands anyway.
///
/// Without this, V8 keeps some 100 MB of long messages. On QuickJS nothing is to be done.
pub fn collect_early(is_gc_exposed: bool) {
    #[cfg(feature = "v8")]
    {
        v8::V8::set_flags_from_string("--no-freeze-flags-after-init");
        let way = if is_gc_exposed { EXPOSED } else { EXPOSING };
        WAY.store(way, Ordering::Relaxed);
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

/// Collects V8's young generation, where that is allowed.
#[cfg(feature = "v8")]
#[cold]
fn collect_young(scope: &mut v8::PinScope<'_, '_>) {
    /// The flag is the process's, and there may be runtimes on other threads.
    static FLAG: Mutex<()> = Mutex::new(());

    let kind = v8::GarbageCollectionType::Minor;
    match WAY.load(Ordering::Relaxed) {
        EXPOSED => scope.request_garbage_collection_for_testing(kind),
        EXPOSING => {
            let _flag = FLAG.lock().unwrap_or_else(PoisonError::into_inner);
            v8::V8::set_flags_from_string("--expose-gc");
            scope.request_garbage_collection_for_testing(kind);
            v8::V8::set_flags_from_string("--no-expose-gc");
        }
        _ => {}
    }
}

/// How a collection can be asked for: not at all, under the flag that is set for it, or any
/// time.
#[cfg(feature = "v8")]
static WAY: AtomicU8 = AtomicU8::new(0);
#[cfg(feature = "v8")]
const EXPOSING: u8 = 1;
#[cfg(feature = "v8")]
const EXPOSED: u8 = 2;

/// How many bytes of payload may be garbage.
const COLLECT_EVERY: usize = 2 << 20;
