//! The connections that can be read or written to again, and their wakers.
//!
//! A [`Waker`] may be called on any thread, because reactors and other tasks keep it. The list
//! therefore has locks and atomics, though everything else of a hub stays on its thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The list of one hub.
pub(crate) struct ReadyList {
    wakers: Mutex<Vec<Arc<ConnectionWaker>>>,
    /// Whether the hub must run, and has not begun to run.
    is_scheduled: AtomicBool,
    /// Makes the event loop run the hub.
    schedule: Box<dyn Fn() + Send + Sync>,
}

impl ReadyList {
    /// A list whose hub is run after `schedule` is called.
    pub(crate) fn new(schedule: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            wakers: Mutex::default(),
            is_scheduled: AtomicBool::new(false),
            schedule: Box::new(schedule),
        })
    }

    /// A waker for connection `id`.
    pub(crate) fn waker(self: &Arc<Self>, id: u32) -> Waker {
        Waker::from(Arc::new(ConnectionWaker {
            id,
            is_listed: AtomicBool::new(false),
            ready: self.clone(),
        }))
    }

    /// Schedules a run of the hub, unless a run is scheduled.
    pub(crate) fn schedule(&self) {
        if !self.is_scheduled.swap(true, Ordering::AcqRel) {
            (self.schedule)();
        }
    }

    /// The hub begins to run.
    pub(crate) fn begin(&self) {
        self.is_scheduled.store(false, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionWaker>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties the list. Returns the ids of the connections. No id occurs
    /// twice.
    pub(crate) fn take(&self) -> impl Iterator<Item = u32> + use<> {
        let wakers = std::mem::take(&mut *self.lock());
        wakers.into_iter().map(|waker| {
            waker.is_listed.store(false, Ordering::Release);
            waker.id
        })
    }
}

/// The list's own waker schedules a run without adding a connection. Timers use this waker.
impl Wake for ReadyList {
    fn wake(self: Arc<Self>) {
        self.schedule();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.schedule();
    }
}

/// The waker that the transport of a connection wakes.
struct ConnectionWaker {
    id: u32,
    is_listed: AtomicBool,
    ready: Arc<ReadyList>,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_listed.swap(true, Ordering::AcqRel) {
            self.ready.lock().push(self.clone());
            self.ready.schedule();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn a_connection_is_listed_once_and_the_hub_scheduled_once() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let ready = ReadyList::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let wakers = [ready.waker(1), ready.waker(2)];
        for _ in 0..3 {
            wakers.iter().for_each(Waker::wake_by_ref);
        }
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        ready.begin();
        assert_eq!(ready.take().collect::<Vec<_>>(), [1, 2]);
        // A connection that wakes while the hub runs has the hub run again.
        wakers[1].wake_by_ref();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert_eq!(ready.take().collect::<Vec<_>>(), [2]);
    }
}
