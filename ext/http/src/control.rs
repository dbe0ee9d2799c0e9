//! The server's handle on a connection, which can end the connection.

use std::cell::Cell;
use std::cell::OnceCell;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::task::Waker;

use crate::clock::Clock;
use crate::limits::ServerLimits;

/// A signal of the server to a running connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// End after the exchange under way, or at once if there is none.
    Finish,
    /// End now.
    Kill,
}

/// The server's handle on a running connection.
pub(crate) struct Control {
    /// The clock starts when it is first asked for.
    clock: OnceCell<Arc<Clock>>,
    signal: Cell<Option<Signal>>,
    waker: RefCell<Option<Waker>>,
}

impl Control {
    /// The handle on a connection that has just begun.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            clock: OnceCell::new(),
            signal: Cell::new(None),
            waker: RefCell::new(None),
        })
    }

    /// The connection's clock.
    pub(crate) fn clock(&self) -> Arc<Clock> {
        self.clock.get_or_init(Clock::start).clone()
    }

    /// Sends `signal` to the connection.
    pub(crate) fn send(&self, signal: Signal) {
        self.signal.set(Some(signal));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Counts a sweep, and ends the connection if its client is late.
    pub(crate) fn sweep(&self, limits: &ServerLimits) {
        if self.clock.get().is_some_and(|clock| clock.tick(limits)) {
            self.send(Signal::Kill);
        }
    }

    /// Whether the connection must end now.
    pub(crate) fn is_killed(&self) -> bool {
        self.signal.get() == Some(Signal::Kill)
    }

    /// Takes the signal that was sent since the last call.
    pub(crate) fn poll_signal(&self, cx: &Context<'_>) -> Option<Signal> {
        let signal = self.signal.take();
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        signal
    }
}
