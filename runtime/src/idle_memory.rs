//! Gives memory back to the system when a busy time is over.
//!
//! An engine collects garbage only when its program makes more, and the C library keeps freed
//! memory for later. So a server that has accepted ten thousand connections, or has received a
//! hundred long messages, would keep the memory that it needed for a moment for as long as it is
//! idle.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Context;
use std::task::Waker;
use std::time::Duration;

use deno_core::v8;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// Watches one event loop that runs a program or serves. Web workers have none.
#[derive(Default)]
pub(crate) struct IdleMemory(Rc<State>);

#[derive(Default)]
struct State {
    /// Whether the timer runs that checks for a quiet time. It stops when there is nothing to give
    /// back, and starts at the next poll of the event loop.
    is_ticking: Cell<bool>,
    /// The waker of the event loop.
    waker: RefCell<Option<Waker>>,
    /// How many ticks in a row were quiet.
    quiet: Cell<u32>,
    /// Whether the engine should collect garbage.
    is_due: Cell<bool>,
    /// Whether the engine has collected garbage. It may have freed more memory since the last
    /// [`trim`].
    has_collected: Cell<bool>,
    /// The CPU time of the thread at the last tick.
    computed: Cell<Duration>,
    /// How much memory the process held after the last release, in bytes.
    resident: Cell<u64>,
}

impl IdleMemory {
    /// To be called whenever the event loop was polled and has not ended.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &Context<'_>, isolate: &mut v8::Isolate) {
        if !self.0.is_ticking.get() {
            self.start(cx);
        } else if self.0.is_due.take() {
            collect(isolate);
            trim();
            self.0.resident.set(resident());
            self.0.has_collected.set(true);
        }
    }

    #[cold]
    fn start(&self, cx: &Context<'_>) {
        self.0.is_ticking.set(true);
        self.0.waker.replace(Some(cx.waker().clone()));
        let state = self.0.clone();
        deno_core::unsync::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                if !state.tick() {
                    break;
                }
            }
            state.is_ticking.set(false);
        });
    }
}

impl State {
    /// Returns whether the timer should go on.
    fn tick(&self) -> bool {
        let computed = computed();
        let last = self.computed.replace(computed);
        if computed.saturating_sub(last) >= QUIET {
            self.quiet.set(0);
            return true;
        }
        self.quiet.set(self.quiet.get() + 1);
        if self.quiet.get() < QUIET_TICKS {
            return true;
        }
        if self.has_collected.take() {
            trim();
            self.resident.set(resident().min(self.resident.get()));
        }
        let kept = self.resident.get();
        if resident() < kept + WORTH.max(kept / 16) {
            self.quiet.set(0);
            return false;
        }
        self.is_due.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
        true
    }
}

/// Makes the engine collect all its garbage.
fn collect(isolate: &mut v8::Isolate) {
    #[cfg(feature = "v8")]
    {
        let heap = isolate.get_heap_statistics();
        isolate.memory_pressure_notification(match heap.used_heap_size() <= AT_ONCE {
            true => v8::MemoryPressureLevel::Critical,
            // The engine collects in steps, while the program runs.
            false => v8::MemoryPressureLevel::Moderate,
        });
    }
    #[cfg(not(feature = "v8"))]
    let _ = isolate;
}

/// Gives the free memory of the C library back to the system.
fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function has no requirements.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The CPU time of the thread.
#[cfg(unix)]
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How many bytes of memory the process holds. The number is 0 if the system does not tell it, as
/// on all systems but Linux. Then nothing is given back.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// The time between two ticks.
const TICK: Duration = Duration::from_millis(500);
/// A tick is quiet if the thread's CPU time since the last tick is less than this.
const QUIET: Duration = Duration::from_millis(10);
/// How many ticks in a row have to be quiet. If there is work every half second, the memory is kept
/// for that work.
const QUIET_TICKS: u32 = 2;
/// How much more memory than after the last release the process must hold, in bytes, so that a
/// release is worth its cost. A sixteenth of that memory is the limit instead if that is more.
const WORTH: u64 = 2 << 20;
/// A heap with at most this many bytes in use is collected at once.
#[cfg(feature = "v8")]
const AT_ONCE: usize = 32 << 20;
