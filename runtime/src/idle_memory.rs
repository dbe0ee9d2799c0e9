//! Gives memory back that a busy time has left, once it is over.
//!
//! An engine collects when its program makes more, and the C library keeps what was
//! freed for what comes next: a server that has taken in ten thousand connections, or a
//! hundred long messages, would hold for as long as it is quiet what that took for moments.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Context;
use std::task::Waker;
use std::time::Duration;

use deno_core::v8;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// Watches over one event loop, that of the process's main thread.
#[derive(Default)]
pub(crate) struct IdleMemory(Rc<State>);

#[derive(Default)]
struct State {
    /// Whether a timer runs that looks at what has happened. It rests with the event loop.
    is_ticking: Cell<bool>,
    /// The event loop's.
    waker: RefCell<Option<Waker>>,
    /// For how many ticks it has been quiet.
    quiet: Cell<u32>,
    /// Whether the engine is to collect.
    is_due: Cell<bool>,
    /// Whether it has, and may have swept since the C library was told.
    has_collected: Cell<bool>,
    /// What the thread had computed at the last tick.
    computed: Cell<Duration>,
    /// What the process held after the last release, in bytes.
    resident: Cell<u64>,
}

impl IdleMemory {
    /// Called in the event loop, whenever it was polled and goes on.
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
    /// Returns whether there is something to look at the next time.
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

/// Has the engine collect all that nobody refers to.
fn collect(isolate: &mut v8::Isolate) {
    #[cfg(feature = "v8")]
    {
        let heap = isolate.get_heap_statistics();
        isolate.memory_pressure_notification(match heap.used_heap_size() <= AT_ONCE {
            true => v8::MemoryPressureLevel::Critical,
            // In steps, between what the program does.
            false => v8::MemoryPressureLevel::Moderate,
        });
    }
    #[cfg(not(feature = "v8"))]
    let _ = isolate;
}

/// Gives the system back what the C library has free.
fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it has no requirements.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// How long the thread has computed.
#[cfg(unix)]
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How many bytes of memory the process holds. Where the system does not tell, as outside of
/// Linux, none: then nothing is given back.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// How often it is looked.
const TICK: Duration = Duration::from_millis(500);
/// A tick is quiet in which the thread has computed for less than that.
const QUIET: Duration = Duration::from_millis(10);
/// So many have to be, one after the other: who comes back each half second finds what was
/// left.
const QUIET_TICKS: u32 = 2;
/// How much more memory has to be there than after the last release, in bytes; and a
/// sixteenth of that.
const WORTH: u64 = 2 << 20;
/// A heap of so many bytes is collected at once.
#[cfg(feature = "v8")]
const AT_ONCE: usize = 32 << 20;
