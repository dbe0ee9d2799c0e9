//! Topics: a message that is encoded once and goes to all who subscribed.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use duplex_protocol::deflate::Compressor;
use duplex_protocol::encoder;
use slab::Slab;

use crate::connection::{Connection, Sent};
use crate::hub::Hub;
use crate::ops::outcome;

/// What is published.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Message<'_> {
    fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// The topics of a server. One exists while somebody is subscribed to it.
#[derive(Default)]
pub(crate) struct Topics(RefCell<HashMap<Rc<str>, Rc<Topic>>>);

struct Topic {
    name: Rc<str>,
    subscribers: RefCell<Slab<Weak<Connection>>>,
}

/// The subscriptions of one connection.
#[derive(Default)]
pub(crate) struct Subscriptions(Vec<Subscription>);

struct Subscription {
    topic: Rc<Topic>,
    /// The place among its subscribers.
    key: usize,
}

impl Topics {
    pub fn subscriber_count(&self, topic: &str) -> usize {
        let topics = self.0.borrow();
        topics
            .get(topic)
            .map_or(0, |topic| topic.subscribers.borrow().len())
    }

    /// The topic, which is made where there is none.
    fn named(&self, name: &str) -> Rc<Topic> {
        let mut topics = self.0.borrow_mut();
        if let Some(topic) = topics.get(name) {
            return topic.clone();
        }
        let name: Rc<str> = name.into();
        let topic = Rc::new(Topic {
            name: name.clone(),
            subscribers: RefCell::default(),
        });
        topics.insert(name, topic.clone());
        topic
    }

    fn end(&self, subscription: &Subscription) {
        let topic = &subscription.topic;
        let mut subscribers = topic.subscribers.borrow_mut();
        subscribers.try_remove(subscription.key);
        if subscribers.is_empty() {
            self.0.borrow_mut().remove(&topic.name);
        }
    }
}

impl Subscriptions {
    fn position(&self, topic: &str) -> Option<usize> {
        self.0.iter().position(|it| *it.topic.name == *topic)
    }

    pub fn clear(&mut self, topics: &Topics) {
        for subscription in std::mem::take(&mut self.0) {
            topics.end(&subscription);
        }
    }
}

/// Subscribes a connection of a server. Returns whether it was not; false too where it
/// has ended.
pub(crate) fn subscribe(connection: &Rc<Connection>, topic: &str) -> bool {
    let mut membership = connection.membership.borrow_mut();
    let Some(membership) = &mut *membership else {
        return false;
    };
    let (subscriptions, topics) = membership.subscriptions_mut();
    if connection.has_ended() || subscriptions.position(topic).is_some() {
        return false;
    }
    let topic = topics.named(topic);
    let key = (topic.subscribers.borrow_mut()).insert(Rc::downgrade(connection));
    subscriptions.0.push(Subscription { topic, key });
    true
}

/// Ends a subscription. Returns whether there was one.
pub(crate) fn unsubscribe(connection: &Connection, topic: &str) -> bool {
    let mut membership = connection.membership.borrow_mut();
    let Some(membership) = &mut *membership else {
        return false;
    };
    let (subscriptions, topics) = membership.subscriptions_mut();
    let Some(position) = subscriptions.position(topic) else {
        return false;
    };
    topics.end(&subscriptions.0.remove(position));
    true
}

pub(crate) fn is_subscribed(connection: &Connection, topic: &str) -> bool {
    let membership = connection.membership.borrow();
    membership
        .as_ref()
        .is_some_and(|it| it.subscriptions().position(topic).is_some())
}

/// The topics of a connection, in the order of their subscriptions.
pub(crate) fn of(connection: &Connection) -> Vec<String> {
    let membership = connection.membership.borrow();
    let subscriptions = membership.iter().flat_map(|it| &it.subscriptions().0);
    subscriptions.map(|it| it.topic.name.to_string()).collect()
}

/// Sends a message to all subscribers but `sender`. Returns what
/// [`SocketGroup::publish`](crate::SocketGroup::publish) says.
pub(crate) fn publish(
    hub: &Hub,
    topics: &Topics,
    topic: &str,
    message: Message<'_>,
    sender: Option<&Connection>,
) -> i32 {
    let topics = topics.0.borrow();
    let Some(topic) = topics.get(topic) else {
        return outcome(Sent::Refused, 0);
    };
    let publication = Publication::new(message);
    let mut total = Sent::Refused;
    for (_, subscriber) in topic.subscribers.borrow().iter() {
        let Some(connection) = subscriber.upgrade() else {
            continue;
        };
        if sender.is_some_and(|sender| std::ptr::eq(sender, &*connection)) {
            continue;
        }
        let sent = connection.send_published(&publication);
        if matches!(sent, Sent::Taken | Sent::Buffered) {
            hub.mark_dirty(&connection);
        }
        match (sent, total) {
            (Sent::Buffered, _) | (Sent::Taken, Sent::Refused) => total = sent,
            _ => {}
        }
    }
    outcome(total, message.length())
}

/// The frames of a message, each made when the first subscriber needs it.
pub(crate) struct Publication<'a> {
    message: Message<'a>,
    plain: OnceCell<Bytes>,
    /// By how they are compressed, which subscribers mostly have in common.
    compressed: RefCell<Vec<(Compressor, Rc<CompressedFrame>)>>,
}

struct CompressedFrame {
    bytes: Bytes,
    /// Whether it is: what does not become shorter stays as it is.
    is_compressed: bool,
}

impl<'a> Publication<'a> {
    fn new(message: Message<'a>) -> Self {
        Self {
            message,
            plain: OnceCell::new(),
            compressed: RefCell::default(),
        }
    }

    /// Bytes of application data.
    pub fn payload_length(&self) -> usize {
        self.message.length()
    }

    /// Hands the frame for a connection that compresses by `compressor`, or not at all, to
    /// `push`.
    ///
    /// What is shared cannot refer to what only one peer has seen, so it is compressed
    /// without a context; each peer's inflater can do with that. But its context then has
    /// this message at its end, and this end's has not: the compressor begins anew.
    pub fn with_frame<R>(
        &self,
        compressor: Option<&mut Compressor>,
        push: impl FnOnce(&Bytes) -> R,
    ) -> R {
        let Some(compressor) = compressor else {
            return push(self.plain.get_or_init(|| self.encode(None).into()));
        };
        let mut compressed = self.compressed.borrow_mut();
        let known = compressed.iter().find(|(it, _)| it.is_like(compressor));
        let frame = match known {
            Some((_, frame)) => frame.clone(),
            None => {
                let mut shared = compressor.without_context();
                let bytes = self.encode(Some(&mut shared));
                let frame = Rc::new(CompressedFrame {
                    is_compressed: encoder::is_compressed(&bytes),
                    bytes: bytes.into(),
                });
                compressed.push((shared, frame.clone()));
                frame
            }
        };
        if frame.is_compressed {
            compressor.release();
        }
        push(&frame.bytes)
    }

    fn encode(&self, compressor: Option<&mut Compressor>) -> Vec<u8> {
        let mut out = Vec::new();
        match (self.message, compressor) {
            (Message::Text(text), None) => encoder::encode_text(&mut out, None, text),
            (Message::Binary(bytes), None) => encoder::encode_binary(&mut out, None, bytes),
            (Message::Text(text), Some(compressor)) => {
                encoder::encode_text_compressed(&mut out, None, text, compressor);
            }
            (Message::Binary(bytes), Some(compressor)) => {
                encoder::encode_binary_compressed(&mut out, None, bytes, compressor);
            }
        }
        out
    }
}
