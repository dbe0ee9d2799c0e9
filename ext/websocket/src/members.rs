//! The members of a group of connections.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use slab::Slab;

use crate::topics::{Subscriptions, Topics};

/// Connections that belong together, and their topics.
pub(crate) struct Members<C> {
    members: RefCell<Slab<Weak<C>>>,
    topics: Rc<Topics<C>>,
    /// Follows the number of members.
    counter: Option<Arc<AtomicUsize>>,
    /// The tasks that wait for the group to be empty.
    waiters: RefCell<Vec<Waker>>,
}

impl<C> Default for Members<C> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<C> Members<C> {
    /// A group without members. `counter` follows the number of members.
    pub(crate) fn new(counter: Option<Arc<AtomicUsize>>) -> Self {
        Self {
            members: RefCell::default(),
            topics: Rc::default(),
            counter,
            waiters: RefCell::default(),
        }
    }

    /// The topics of the group.
    pub(crate) fn topics(&self) -> &Rc<Topics<C>> {
        &self.topics
    }

    /// All living members. The references keep them alive, because work on one
    /// member may end others.
    pub(crate) fn all(&self) -> Vec<Rc<C>> {
        let members = self.members.borrow();
        (members.iter())
            .filter_map(|(_, member)| member.upgrade())
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.borrow().is_empty()
    }

    /// Ready if the group is empty. If not, the end of the last member wakes `waker`.
    pub(crate) fn poll_empty(&self, waker: &Waker) -> Poll<()> {
        if self.is_empty() {
            return Poll::Ready(());
        }
        self.waiters.borrow_mut().push(waker.clone());
        Poll::Pending
    }

    /// Adds a connection. The connection leaves when the returned place is
    /// dropped.
    pub(crate) fn join(self: &Rc<Self>, connection: Weak<C>) -> Membership<C> {
        if let Some(counter) = &self.counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        Membership {
            group: self.clone(),
            key: self.members.borrow_mut().insert(connection),
            subscriptions: Subscriptions::default(),
        }
    }
}

/// A place in a group. Dropping the place gives it back.
pub(crate) struct Membership<C> {
    group: Rc<Members<C>>,
    key: usize,
    subscriptions: Subscriptions<C>,
}

impl<C> Membership<C> {
    pub(crate) fn topics(&self) -> &Topics<C> {
        &self.group.topics
    }

    /// The topics of the group, as a reference that keeps them alive.
    pub(crate) fn shared_topics(&self) -> Rc<Topics<C>> {
        self.group.topics.clone()
    }

    pub(crate) fn subscriptions(&self) -> &Subscriptions<C> {
        &self.subscriptions
    }

    /// The subscriptions, with the topics of the group.
    pub(crate) fn subscriptions_mut(&mut self) -> (&mut Subscriptions<C>, &Topics<C>) {
        (&mut self.subscriptions, &self.group.topics)
    }

    pub(crate) fn unsubscribe_all(&mut self) {
        self.subscriptions.clear(&self.group.topics);
    }
}

impl<C> Drop for Membership<C> {
    fn drop(&mut self) {
        self.unsubscribe_all();
        let mut members = self.group.members.borrow_mut();
        members.remove(self.key);
        if let Some(counter) = &self.group.counter {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
        if members.is_empty() {
            self.group.waiters.take().into_iter().for_each(Waker::wake);
        }
    }
}
