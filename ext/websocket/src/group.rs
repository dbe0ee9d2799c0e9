//! Connections that a server closes together.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use deno_core::OpState;
use duplex_protocol::close::Close;
use slab::Slab;

use crate::connection::Connection;
use crate::history::Position;
use crate::hub::Hub;
use crate::topic_space::{Place, TopicSpace};
use crate::topics::{self, Message, Reach, Subscriptions, Topics};

/// The connections of a server, which passes this to [`accept`](crate::accept)
/// with each of them. Clones are the same group.
#[derive(Clone, Default)]
pub struct SocketGroup(Rc<Inner>);

#[derive(Default)]
struct Inner {
    members: RefCell<Slab<Weak<Connection>>>,
    topics: Rc<Topics>,
    /// Goes up and down with the number of members.
    counter: Option<Arc<AtomicUsize>>,
    /// Who waits for the group to be empty.
    waiters: RefCell<Vec<Waker>>,
}

/// A place in a group, given back when it is dropped.
pub(crate) struct Membership {
    group: Rc<Inner>,
    key: usize,
    subscriptions: Subscriptions,
}

impl SocketGroup {
    /// An empty group whose size `counter` follows.
    pub fn counted(counter: Arc<AtomicUsize>) -> Self {
        Self(Rc::new(Inner {
            counter: Some(counter),
            ..Inner::default()
        }))
    }

    /// Gives the group the topics of `space`, in common with the other groups that have
    /// them. To be called once, before anybody is subscribed.
    pub fn share_topics(&self, state: &mut OpState, space: Arc<TopicSpace>) {
        let topics = &self.0.topics;
        if topics.place().is_none() {
            topics.share(Place::new(state, space, Rc::downgrade(topics)));
        }
    }

    /// The space of the topics, where they are shared.
    pub fn topic_space(&self) -> Option<Arc<TopicSpace>> {
        self.0.topics.place().map(|place| place.space().clone())
    }

    /// Begins the close handshake on all of them (RFC 6455 section 7.1.2), behind
    /// what was sent.
    pub fn close_all(&self, state: &mut OpState, close: &Close) {
        let hub = Hub::of(state);
        let members: Vec<_> = self
            .0
            .members
            .borrow()
            .iter()
            .map(|it| it.1.clone())
            .collect();
        for connection in members.iter().filter_map(Weak::upgrade) {
            hub.close(&connection, close);
        }
    }

    /// Resolves when the last of them has ended; at once where there is none.
    pub async fn emptied(&self) {
        poll_fn(|cx| {
            if self.0.members.borrow().is_empty() {
                return Poll::Ready(());
            }
            self.0.waiters.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Sends a message to all that are subscribed to `topic`. It is encoded, and where
    /// need be compressed, once. Returns what became of it in this group: how many bytes it
    /// has, 1 at least, where all took it; -1 where it is queued for one whose kernel takes
    /// no more for now; 0 where nobody took it.
    pub fn publish(
        &self,
        state: &mut OpState,
        topic: &str,
        message: Message<'_>,
        reach: Reach,
    ) -> i32 {
        topics::publish(&Hub::of(state), &self.0.topics, topic, message, None, reach)
    }

    /// Sends a message likewise, and keeps it for those who [come
    /// back](TopicSpace::keep_history). Returns where it stands, or nothing where the topics
    /// have no history.
    pub fn publish_recorded(
        &self,
        state: &mut OpState,
        topic: &str,
        message: Message<'_>,
    ) -> Option<Position> {
        topics::publish_recorded(&Hub::of(state), &self.0.topics, topic, message, None)
            .map(|recorded| recorded.position)
    }

    /// How many connections it has.
    pub fn len(&self) -> usize {
        self.0.members.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.members.borrow().is_empty()
    }

    /// How many are subscribed to `topic`, in all groups of the process that share it.
    pub fn subscriber_count(&self, topic: &str) -> usize {
        self.0.topics.subscriber_count(topic)
    }

    pub(crate) fn join(&self, connection: Weak<Connection>) -> Membership {
        if let Some(counter) = &self.0.counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        Membership {
            group: self.0.clone(),
            key: self.0.members.borrow_mut().insert(connection),
            subscriptions: Subscriptions::default(),
        }
    }
}

impl Membership {
    pub fn topics(&self) -> &Topics {
        &self.group.topics
    }

    /// The same, held.
    pub fn shared_topics(&self) -> Rc<Topics> {
        self.group.topics.clone()
    }

    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// With the topics of the group.
    pub fn subscriptions_mut(&mut self) -> (&mut Subscriptions, &Topics) {
        (&mut self.subscriptions, &self.group.topics)
    }

    pub fn unsubscribe_all(&mut self) {
        self.subscriptions.clear(&self.group.topics);
    }
}

impl Drop for Membership {
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
