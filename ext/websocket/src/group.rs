//! Connections that a server closes together.

use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use deno_core::OpState;
use duplex_protocol::close::Close;

use crate::connection::Connection;
use crate::hub::Hub;
use crate::members::{Members, Membership};
use crate::message::{Message, Reach};
use crate::publishing::{self, Recording};
use crate::topic_space::TopicSpace;

/// The connections of a server, which passes the group to
/// [`accept`](crate::accept) with each connection. Clones stand for the same
/// group.
#[derive(Clone, Default)]
pub struct SocketGroup(Rc<Members<Connection>>);

impl SocketGroup {
    /// An empty group that keeps its size in `counter`.
    pub fn counted(counter: Arc<AtomicUsize>) -> Self {
        Self(Rc::new(Members::new(Some(counter))))
    }

    /// Gives the group the topics of `space`, in common with the other groups of the space. Call
    /// this once, before any connection is subscribed. A second call does nothing.
    pub fn share_topics(&self, state: &mut OpState, space: Arc<TopicSpace>) {
        let topics = self.0.topics();
        if topics.place().is_none() {
            publishing::share(state, topics, space);
        }
    }

    /// The space of the topics, if the topics are shared.
    pub fn topic_space(&self) -> Option<Arc<TopicSpace>> {
        self.0.topics().place().map(|place| place.space().clone())
    }

    /// Begins the closing handshake on all connections (RFC 6455 section
    /// 7.1.2), after the messages that were sent.
    pub fn close_all(&self, state: &mut OpState, close: &Close) {
        let hub = Hub::of(state);
        for connection in self.0.all() {
            hub.close(&connection, close);
        }
    }

    /// Resolves when the last connection has ended, and at once if there is
    /// none.
    pub async fn emptied(&self) {
        poll_fn(|cx| self.0.poll_empty(cx.waker())).await;
    }

    /// Sends a message to all that are subscribed to `topic`. The message is encoded once, and
    /// compressed at most once. Returns the outcome in this group: the length of the message in
    /// bytes, at least 1, if all subscribers took it; -1 if the message is queued for a subscriber
    /// whose kernel takes no more for now; 0 if no subscriber took it.
    pub fn publish(
        &self,
        state: &mut OpState,
        topic: &str,
        message: Message<'_>,
        reach: Reach,
    ) -> i32 {
        publishing::publish(
            &Hub::of(state),
            self.0.topics(),
            topic,
            message,
            None,
            reach,
        )
    }

    /// Sends a message like [`publish`](Self::publish), and keeps it for subscribers that [come
    /// back](TopicSpace::keep_history). Returns the message's place in the history, or `None` if
    /// the topics have no history.
    pub fn publish_recorded(
        &self,
        state: &mut OpState,
        topic: &str,
        message: Message<'_>,
    ) -> Option<Recording> {
        publishing::publish_recorded(&Hub::of(state), self.0.topics(), topic, message)
    }

    /// How many connections the group has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the group has no connection.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many connections are subscribed to `topic`, in all groups of the process that share the
    /// topic.
    pub fn subscriber_count(&self, topic: &str) -> usize {
        self.0.topics().subscriber_count(topic)
    }

    pub(crate) fn join(&self, connection: Weak<Connection>) -> Membership<Connection> {
        self.0.join(connection)
    }
}
