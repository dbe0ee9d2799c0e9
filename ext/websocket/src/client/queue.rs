//! The queue of dials to one endpoint: at most one of them is connecting (RFC
//! 6455 section 4.1, step 2).

use std::cell::RefCell;
use std::collections::btree_map::Entry as NumberEntry;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

use deno_core::OpState;

/// An endpoint, to which one connection is made at a time.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Endpoint {
    /// A resolved address. Two names of one host share the endpoint.
    Address(SocketAddr),
    /// A host behind a proxy, which resolves the name. Each name counts as a
    /// host of its own then, as the RFC says. A name behind another proxy is
    /// another endpoint.
    Behind {
        proxy: String,
        host: String,
        port: u16,
    },
}

/// The queues of one runtime.
#[derive(Default)]
pub(crate) struct DialQueue(RefCell<Lines>);

#[derive(Default)]
struct Lines {
    next: u64,
    /// The dials that wait for an endpoint, in order of arrival.
    lines: HashMap<Endpoint, BTreeMap<u64, Option<Waker>>>,
}

impl DialQueue {
    /// The queue of the runtime with this state.
    pub(super) fn of(state: &mut OpState) -> Rc<Self> {
        if !state.has::<Rc<Self>>() {
            state.put(Rc::<Self>::default());
        }
        state.borrow::<Rc<Self>>().clone()
    }

    /// Waits until no earlier dial is connecting to any of the `endpoints`. The
    /// endpoints are taken until the turn is dropped. If the wait is given up,
    /// the dial leaves the queues.
    pub(super) async fn turn(self: Rc<Self>, endpoints: Vec<Endpoint>) -> DialTurn {
        // The dial joins all queues at once. Therefore the order is the same in all queues, and no
        // two dials can wait for each other.
        let turn = self.join(endpoints);
        poll_fn(|cx| match turn.is_first(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        turn
    }

    fn join(self: Rc<Self>, endpoints: Vec<Endpoint>) -> DialTurn {
        let mut inner = self.0.borrow_mut();
        let number = inner.next;
        inner.next += 1;
        for endpoint in &endpoints {
            let line = inner.lines.entry(endpoint.clone()).or_default();
            line.insert(number, None);
        }
        drop(inner);
        DialTurn {
            queue: self,
            number,
            endpoints,
        }
    }
}

/// A place in the queues of some endpoints.
pub(crate) struct DialTurn {
    queue: Rc<DialQueue>,
    number: u64,
    endpoints: Vec<Endpoint>,
}

impl DialTurn {
    /// Whether this dial is the first in all its queues. If not, the queue keeps
    /// `waker`.
    fn is_first(&self, waker: &Waker) -> bool {
        let mut inner = self.queue.0.borrow_mut();
        for endpoint in &self.endpoints {
            let Some(line) = inner.lines.get_mut(endpoint) else {
                continue;
            };
            if line.keys().next() == Some(&self.number) {
                continue;
            }
            if let NumberEntry::Occupied(mut place) = line.entry(self.number) {
                place.insert(Some(waker.clone()));
            }
            return false;
        }
        true
    }
}

impl Drop for DialTurn {
    fn drop(&mut self) {
        let mut inner = self.queue.0.borrow_mut();
        for endpoint in self.endpoints.drain(..) {
            let Entry::Occupied(mut line) = inner.lines.entry(endpoint) else {
                continue;
            };
            line.get_mut().remove(&self.number);
            match line.get_mut().first_entry() {
                None => {
                    line.remove();
                }
                Some(mut first) => {
                    if let Some(waker) = first.get_mut().take() {
                        waker.wake();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::Context;

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = DialTurn>>>;

    fn address(n: u16) -> Endpoint {
        Endpoint::Address(([127, 0, 0, 1], n).into())
    }

    fn wait(queue: &Rc<DialQueue>, endpoints: &[u16]) -> Waiting {
        let endpoints = endpoints.iter().copied().map(address).collect();
        let mut waiting: Waiting = Box::pin(queue.clone().turn(endpoints));
        // A dial joins the queues with its first poll.
        if let Some(turn) = poll(&mut waiting) {
            return Box::pin(std::future::ready(turn));
        }
        waiting
    }

    fn poll(waiting: &mut Waiting) -> Option<DialTurn> {
        match waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_after_the_other() {
        let queue = Rc::new(DialQueue::default());
        let first = poll(&mut wait(&queue, &[1])).unwrap();
        let mut second = wait(&queue, &[1]);
        let mut third = wait(&queue, &[1]);
        assert!(poll(&mut wait(&queue, &[2])).is_some());
        assert!(poll(&mut second).is_none());
        drop(first);
        assert!(poll(&mut third).is_none());
        let second = poll(&mut second).unwrap();
        drop(second);
        assert!(poll(&mut third).is_some());
        assert!(queue.0.borrow().lines.is_empty());
    }

    #[test]
    fn who_gives_up_leaves_the_line() {
        let queue = Rc::new(DialQueue::default());
        let first = poll(&mut wait(&queue, &[1])).unwrap();
        let second = wait(&queue, &[1]);
        let mut third = wait(&queue, &[1]);
        drop(second);
        assert!(poll(&mut third).is_none());
        drop(first);
        assert!(poll(&mut third).is_some());
        assert!(queue.0.borrow().lines.is_empty());
    }

    #[test]
    fn several_addresses_of_a_host() {
        let queue = Rc::new(DialQueue::default());
        let first = poll(&mut wait(&queue, &[1, 2])).unwrap();
        let mut second = wait(&queue, &[2, 3]);
        let mut third = wait(&queue, &[3, 1]);
        assert!(poll(&mut second).is_none());
        assert!(poll(&mut third).is_none());
        drop(first);
        assert!(poll(&mut third).is_none());
        let second = poll(&mut second).unwrap();
        assert!(poll(&mut third).is_none());
        drop(second);
        // A repeated address counts once.
        assert!(poll(&mut wait(&queue, &[4, 4])).is_some());
        assert!(poll(&mut third).is_some());
        assert!(queue.0.borrow().lines.is_empty());
    }
}
