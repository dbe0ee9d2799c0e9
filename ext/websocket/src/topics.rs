//! Topics: a message that is encoded once and goes to all who subscribed.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;
use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::deflate::Compressor;
use duplex_protocol::encoder;
use duplex_protocol::mask::MaskKey;
use slab::Slab;

use crate::connection::{Connection, Exceeded, Sent};
use crate::history::{self, History, Position, Recovery};
use crate::hub::Hub;
use crate::ops::outcome;
use crate::topic_space::{Mail, Parcel, Place, SharedTopic};

/// What is published.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Message<'_> {
    /// Bytes of application data.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Appends its frame to `out`.
    #[inline]
    pub(crate) fn encode(
        self,
        out: &mut Vec<u8>,
        key: Option<MaskKey>,
        compressor: Option<&mut Compressor>,
    ) {
        match (self, compressor) {
            (Self::Text(text), None) => encoder::encode_text(out, key, text),
            (Self::Binary(bytes), None) => encoder::encode_binary(out, key, bytes),
            (Self::Text(text), Some(compressor)) => {
                encoder::encode_text_compressed(out, key, text, compressor);
            }
            (Self::Binary(bytes), Some(compressor)) => {
                encoder::encode_binary_compressed(out, key, bytes, compressor);
            }
        }
    }
}

/// The topics of a server. One exists while somebody is subscribed to it.
#[derive(Default)]
pub(crate) struct Topics {
    by_name: RefCell<HashMap<Rc<str>, Rc<Topic>>>,
    /// Where other servers of the process have the same topics.
    place: OnceCell<Place>,
}

struct Topic {
    name: Rc<str>,
    subscribers: RefCell<Slab<Weak<Connection>>>,
    /// The same topic on all threads.
    shared: Option<Arc<SharedTopic>>,
}

/// How far a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To the sockets of this process.
    Process,
    /// To those of all processes that have the server's topics.
    All,
}

/// The subscriptions of one connection.
#[derive(Default)]
pub(crate) struct Subscriptions {
    by_name: HashMap<Rc<str>, Subscription>,
    /// How many there have been.
    count: u64,
}

struct Subscription {
    topic: Rc<Topic>,
    /// The place among its subscribers.
    key: usize,
    /// How many there had been before.
    order: u64,
}

impl Topics {
    /// Shares the topics with other servers of the process. Called before there is a
    /// subscriber, and once.
    pub fn share(&self, place: Place) {
        debug_assert!(self.by_name.borrow().is_empty());
        let _ = self.place.set(place);
    }

    /// With whom they are shared.
    pub fn place(&self) -> Option<&Place> {
        self.place.get()
    }

    /// How many sockets are subscribed, of all servers that have the same topics in this
    /// process.
    pub fn subscriber_count(&self, topic: &str) -> usize {
        if let Some(place) = self.place.get() {
            return place.space().subscriber_count(topic);
        }
        let topics = self.by_name.borrow();
        topics
            .get(topic)
            .map_or(0, |topic| topic.subscribers.borrow().len())
    }

    /// Hands what other threads had to the subscribers of this one.
    pub fn take_in(&self, hub: &Hub, mail: Mail) {
        self.take_parcels(hub, mail.parcels);
        let topics = self.by_name.borrow();
        let affected: Vec<_> = (mail.lost.iter())
            .filter_map(|topic| topics.get(&**topic))
            .flat_map(|topic| topic.subscribers())
            .collect();
        // One that ends leaves its topics.
        drop(topics);
        let close = Close::new(CloseCode::TRY_AGAIN_LATER, "A message was lost");
        for connection in affected {
            hub.close(&connection, &close);
        }
    }

    fn take_parcels(&self, hub: &Hub, parcels: Vec<(Arc<str>, Parcel)>) {
        let topics = self.by_name.borrow();
        for (topic, parcel) in &parcels {
            if let Some(topic) = topics.get(&**topic) {
                topic.send(hub, &Publication::of(parcel), None, self.misses_nothing());
            }
        }
    }

    fn history(&self) -> Option<&History> {
        self.place.get()?.space().history()
    }

    /// Whether a subscriber that cannot take a message is closed: it would not know.
    fn misses_nothing(&self) -> bool {
        self.history().is_some()
    }

    /// The topic, which is made where there is none.
    fn named(&self, name: &str) -> Rc<Topic> {
        let mut topics = self.by_name.borrow_mut();
        if let Some(topic) = topics.get(name) {
            return topic.clone();
        }
        let name: Rc<str> = name.into();
        let topic = Rc::new(Topic {
            name: name.clone(),
            subscribers: RefCell::default(),
            shared: self.place.get().map(|place| place.join(&name)),
        });
        topics.insert(name, topic.clone());
        topic
    }

    fn end(&self, subscription: &Subscription) {
        let topic = &subscription.topic;
        let mut subscribers = topic.subscribers.borrow_mut();
        if subscribers.try_remove(subscription.key).is_some()
            && let Some(shared) = &topic.shared
        {
            shared.remove_subscriber();
        }
        if subscribers.is_empty()
            && self.by_name.borrow_mut().remove(&topic.name).is_some()
            && let (Some(place), Some(shared)) = (self.place.get(), &topic.shared)
        {
            place.leave(shared);
        }
    }
}

impl Topic {
    /// Those that live, each held: what is done with one may end others.
    fn subscribers(&self) -> Vec<Rc<Connection>> {
        let subscribers = self.subscribers.borrow();
        (subscribers.iter())
            .filter_map(|(_, subscriber)| subscriber.upgrade())
            .collect()
    }

    /// Sends to the subscribers of this thread but `sender`. One that cannot take it is closed
    /// where it `must_take` all.
    fn send(
        &self,
        hub: &Hub,
        publication: &Publication<'_>,
        sender: Option<&Connection>,
        must_take: bool,
    ) -> Sent {
        let mut total = Sent::Refused;
        for (_, subscriber) in self.subscribers.borrow().iter() {
            let Some(connection) = subscriber.upgrade() else {
                continue;
            };
            if sender.is_some_and(|sender| std::ptr::eq(sender, &*connection)) {
                continue;
            }
            let sent = connection.send_published(publication);
            if must_take && matches!(sent, Sent::Refused) {
                connection.exceed(Exceeded::Backpressure);
            }
            if matches!(sent, Sent::Taken | Sent::Buffered) {
                hub.mark_dirty(&connection);
            }
            match (sent, total) {
                (Sent::Buffered, _) | (Sent::Taken, Sent::Refused) => total = sent,
                _ => {}
            }
        }
        total
    }
}

impl Subscriptions {
    pub fn clear(&mut self, topics: &Topics) {
        for subscription in std::mem::take(&mut self.by_name).into_values() {
            topics.end(&subscription);
        }
    }

    fn add(&mut self, topic: Rc<Topic>, key: usize) {
        let order = self.count;
        self.count += 1;
        let name = topic.name.clone();
        self.by_name
            .insert(name, Subscription { topic, key, order });
    }
}

/// Subscribes a connection of a server. Returns whether it was not; false too where it
/// has ended, or ends because of a limit.
pub(crate) fn subscribe(connection: &Rc<Connection>, topic: &str) -> bool {
    let mut membership = connection.membership.borrow_mut();
    let Some(membership) = &mut *membership else {
        return false;
    };
    let (subscriptions, topics) = membership.subscriptions_mut();
    if connection.has_ended() || subscriptions.by_name.contains_key(topic) {
        return false;
    }
    let limits = connection.limits();
    if topic.len() > limits.max_topic_length {
        connection.exceed(Exceeded::TopicLength);
        return false;
    }
    if subscriptions.by_name.len() >= limits.max_topics {
        connection.exceed(Exceeded::Topics);
        return false;
    }
    let topic = topics.named(topic);
    let key = (topic.subscribers.borrow_mut()).insert(Rc::downgrade(connection));
    if let Some(shared) = &topic.shared {
        shared.add_subscriber();
    }
    subscriptions.add(topic, key);
    true
}

/// Ends a subscription. Returns whether there was one.
pub(crate) fn unsubscribe(connection: &Connection, topic: &str) -> bool {
    let mut membership = connection.membership.borrow_mut();
    let Some(membership) = &mut *membership else {
        return false;
    };
    let (subscriptions, topics) = membership.subscriptions_mut();
    let Some(subscription) = subscriptions.by_name.remove(topic) else {
        return false;
    };
    topics.end(&subscription);
    true
}

pub(crate) fn is_subscribed(connection: &Connection, topic: &str) -> bool {
    let membership = connection.membership.borrow();
    membership
        .as_ref()
        .is_some_and(|it| it.subscriptions().by_name.contains_key(topic))
}

/// The topics of a connection, in the order of their subscriptions.
pub(crate) fn of(connection: &Connection) -> Vec<String> {
    let membership = connection.membership.borrow();
    let subscriptions = membership
        .iter()
        .flat_map(|it| it.subscriptions().by_name.values());
    let mut subscriptions: Vec<_> = subscriptions.collect();
    subscriptions.sort_unstable_by_key(|it| it.order);
    (subscriptions.into_iter())
        .map(|it| it.topic.name.to_string())
        .collect()
}

/// Sends a message to all subscribers but `sender`. Returns what
/// [`SocketGroup::publish`](crate::SocketGroup::publish) says.
pub(crate) fn publish(
    hub: &Hub,
    topics: &Topics,
    name: &str,
    message: Message<'_>,
    sender: Option<&Connection>,
    reach: Reach,
) -> i32 {
    if topics.history().is_some() {
        return publish_recorded(hub, topics, name, message, sender)
            .map_or(0, |recorded| recorded.outcome);
    }
    let publication = Publication::new(message);
    let by_name = topics.by_name.borrow();
    let topic = by_name.get(name);
    let sent = topic.map_or(Sent::Refused, |topic| {
        topic.send(hub, &publication, sender, false)
    });
    if let Some(place) = topics.place.get() {
        let shared = topic.and_then(|topic| topic.shared.as_deref());
        place.send(name, shared, reach == Reach::Process, || {
            Parcel::of(message, publication.plain().clone())
        });
    }
    outcome(sent, message.length())
}

/// What became of a message that is kept.
pub(crate) struct Recorded {
    /// As [`publish`] says.
    pub outcome: i32,
    pub position: Position,
}

/// Sends a message likewise, and keeps it. Nothing where the topics have no history.
pub(crate) fn publish_recorded(
    hub: &Hub,
    topics: &Topics,
    name: &str,
    message: Message<'_>,
    sender: Option<&Connection>,
) -> Option<Recorded> {
    let place = topics.place.get()?;
    let history = place.space().history()?;
    let log = history.log(name);
    let mut log = history::lock(&log);
    // What others have published before comes before, on this thread too.
    topics.take_parcels(hub, place.take_parcels());
    let parcel = log.append(message, history.options());
    let by_name = topics.by_name.borrow();
    let topic = by_name.get(name);
    let shared = topic.and_then(|topic| topic.shared.as_deref());
    place.send(name, shared, true, || parcel.clone());
    let sent = topic.map_or(Sent::Refused, |topic| {
        topic.send(hub, &Publication::of(&parcel), sender, true)
    });
    Some(Recorded {
        outcome: outcome(sent, message.length()),
        position: log.position(),
    })
}

/// Why there is nothing to replay.
pub(crate) enum NotReplayed {
    /// The topics have no history.
    NoHistory,
    /// The connection has ended, or ends because of a limit.
    Ended,
}

/// Subscribes a connection of a server, and sends it first all that was published behind
/// `since`, or nothing where not all of that is there. One that is subscribed already gets
/// nothing: it has missed nothing.
pub(crate) fn subscribe_since(
    hub: &Hub,
    connection: &Rc<Connection>,
    name: &str,
    since: Option<Position>,
) -> Result<Recovery, NotReplayed> {
    // Held by a clone: what is sent below may look at the membership.
    let topics = (connection.membership.borrow().as_ref())
        .map(|membership| membership.shared_topics())
        .ok_or(NotReplayed::Ended)?;
    let place = topics.place.get().ok_or(NotReplayed::NoHistory)?;
    let history = place.space().history().ok_or(NotReplayed::NoHistory)?;
    let log = history.log(name);
    let mut log = history::lock(&log);
    topics.take_parcels(hub, place.take_parcels());
    if is_subscribed(connection, name) {
        return Ok(Recovery {
            recovered: since == Some(log.position()),
            position: log.position(),
        });
    }
    let missed = since.and_then(|since| log.since(since, history.options()));
    if !subscribe(connection, name) {
        return Err(NotReplayed::Ended);
    }
    for parcel in missed.iter().flatten() {
        let sent = connection.send_published(&Publication::of(parcel));
        match sent {
            Sent::Taken | Sent::Buffered => hub.mark_dirty(connection),
            Sent::Refused => connection.exceed(Exceeded::Backpressure),
            Sent::Closed => {}
        }
    }
    Ok(Recovery {
        recovered: missed.is_some(),
        position: log.position(),
    })
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

    /// What another thread has encoded.
    fn of(parcel: &'a Parcel) -> Self {
        let publication = Self::new(parcel.message());
        let _ = publication.plain.set(parcel.frame().clone());
        publication
    }

    pub fn message(&self) -> Message<'a> {
        self.message
    }

    /// The frame for those that do not compress.
    fn plain(&self) -> &Bytes {
        self.plain.get_or_init(|| self.encode(None).into())
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
            return push(self.plain());
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
        self.message.encode(&mut out, None, compressor);
        out
    }
}
