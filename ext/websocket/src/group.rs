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

/// The connections of a server, which passes this to [`accept`](crate::accept)
/// with each of them. Clones are the same group.
#[derive(Clone, Default)]
pub struct SocketGroup(Rc<Members<Connection>>);

impl SocketGroup {
    /// An empty group whose size `counter` follows.
    pub fn counted(counter: Arc<AtomicUsize>) -> Self {
        Self(Rc::new(Members::new(Some(counter))))
    }

    /// Gives the group the topics of `space`, in common with the other groups that have
    /// them. To be called once, before anybody is subscribed.
    pub fn share_topics(&self, state: &mut OpState, space: Arc<TopicSpace>) {
        let topics = self.0.topics();
        if topics.place().is_none() {
            publishing::share(state, topics, space);
        }
    }

    /// The space of the topics, where they are shared.
    pub fn topic_space(&self) -> Option<Arc<TopicSpace>> {
        self.0.topics().place().map(|place| place.space().clone())
    }

    /// Begins the close handshake on all of them (RFC 6455 section 7.1.2), behind
    /// what was sent.
    pub fn close_all(&self, state: &mut OpState, close: &Close) {
        let hub = Hub::of(state);
        for connection in self.0.all() {
            hub.close(&connection, close);
        }
    }

    /// Resolves when the last of them has ended; at once where there is none.
    pub async fn emptied(&self) {
        poll_fn(|cx| self.0.poll_empty(cx.waker())).await;
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
        publishing::publish(
            &Hub::of(state),
            self.0.topics(),
            topic,
            message,
            None,
            reach,
        )
    }

    /// Sends a message likewise, and keeps it for those who [come
    /// back](TopicSpace::keep_history). Returns where it stands, or nothing where the topics
    /// have no history.
    pub fn publish_recorded(
        &self,
        state: &mut OpState,
        topic: &str,
        message: Message<'_>,
    ) -> Option<Recording> {
        publishing::publish_recorded(&Hub::of(state), self.0.topics(), topic, message)
    }

    /// How many connections it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are subscribed to `topic`, in all groups of the process that share it.
    pub fn subscriber_count(&self, topic: &str) -> usize {
        self.0.topics().subscriber_count(topic)
    }

    pub(crate) fn join(&self, connection: Weak<Connection>) -> Membership<Connection> {
        self.0.join(connection)
    }
}
