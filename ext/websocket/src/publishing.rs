//! Publishing to the connections that are subscribed to a topic.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deno_core::{OpState, V8CrossThreadTaskSpawner};
use duplex_protocol::close::{Close, CloseCode};

use crate::connection::{Connection, Exceeded, SendStatus};
use crate::history::{self, Position, Recovery};
use crate::hub::Hub;
use crate::message::{Message, Reach};
use crate::metrics::here;
use crate::parcel::Parcel;
use crate::publication::Publication;
use crate::topic_space::{Later, Mail, Place, Posted, TopicSpace};
use crate::topics::{Topic, Topics};

/// Makes `topics` a part of `space`.
pub(crate) fn share(state: &mut OpState, topics: &Rc<Topics<Connection>>, space: Arc<TopicSpace>) {
    let inbox = Inboxes::add(state, Rc::downgrade(topics));
    let spawner = state.borrow::<V8CrossThreadTaskSpawner>().clone();
    topics.share(Place::new(spawner, space, inbox, Inboxes::take_in));
}

/// Subscribes a connection of a server. Returns whether the connection was not subscribed before.
/// Also returns false if the connection has ended, or ends because of a limit.
pub(crate) fn subscribe(connection: &Rc<Connection>, topic: &str) -> bool {
    let mut membership = connection.membership.borrow_mut();
    let Some(membership) = &mut *membership else {
        return false;
    };
    let (subscriptions, topics) = membership.subscriptions_mut();
    if connection.has_ended() || subscriptions.contains(topic) {
        return false;
    }
    let limits = connection.limits();
    if topic.len() > limits.max_topic_length {
        connection.exceed(Exceeded::TopicLength);
        return false;
    }
    if subscriptions.len() >= limits.max_topics {
        connection.exceed(Exceeded::Topics);
        return false;
    }
    let topic = topics.named(topic);
    let key = (topic.subscribers.borrow_mut()).insert(Rc::downgrade(connection));
    if let Some(shared) = &topic.shared {
        shared.add_subscriber();
    }
    subscriptions.add(topic, key);
    here().subscribed();
    true
}

/// Ends a subscription. Returns whether there was one.
pub(crate) fn unsubscribe(connection: &Connection, topic: &str) -> bool {
    let mut membership = connection.membership.borrow_mut();
    let Some(membership) = &mut *membership else {
        return false;
    };
    let (subscriptions, topics) = membership.subscriptions_mut();
    subscriptions.remove(topics, topic)
}

pub(crate) fn is_subscribed(connection: &Connection, topic: &str) -> bool {
    let membership = connection.membership.borrow();
    membership
        .as_ref()
        .is_some_and(|it| it.subscriptions().contains(topic))
}

/// The topics of a connection, in the order of their subscriptions.
pub(crate) fn of(connection: &Connection) -> Vec<String> {
    let membership = connection.membership.borrow();
    (membership.as_ref()).map_or_else(Vec::new, |it| it.subscriptions().names())
}

/// Sends a message to all subscribers except `sender`. Returns the outcome, as
/// [`SocketGroup::publish`](crate::SocketGroup::publish) does.
pub(crate) fn publish(
    hub: &Hub,
    topics: &Topics<Connection>,
    name: &str,
    message: Message<'_>,
    sender: Option<&Rc<Connection>>,
    reach: Reach,
) -> i32 {
    here().published();
    if let Some(history) = topics.history() {
        if history.is_copy() {
            return publish_by_relay(hub, topics, name, message, sender, reach);
        }
        let sender = sender.map(|it| &**it);
        return record(hub, topics, name, message, sender).map_or(0, |recorded| recorded.outcome);
    }
    let publication = Publication::new(message);
    let by_name = topics.by_name();
    let topic = by_name.get(name);
    let sender = sender.map(|it| &**it);
    let sent = topic.map_or(SendStatus::Refused, |topic| {
        send(topic, hub, &publication, sender, false)
    });
    if let Some(place) = topics.place() {
        let shared = topic.and_then(|topic| topic.shared.as_deref());
        place.send(name, shared, reach == Reach::Process, || {
            Parcel::of(message, publication.plain().clone())
        });
    }
    sent.outcome(message.length())
}

/// Makes the broker keep a message. The broker sends the message back to this process too. If there
/// is no broker for now, or if the message must stay in this process, the message goes to the
/// sockets of this process, without a position.
fn publish_by_relay(
    hub: &Hub,
    topics: &Topics<Connection>,
    name: &str,
    message: Message<'_>,
    sender: Option<&Rc<Connection>>,
    reach: Reach,
) -> i32 {
    let Some(place) = topics.place() else {
        return SendStatus::Refused.outcome(0);
    };
    if reach == Reach::All
        && let Some(relay) = place.space().relay()
    {
        let own = sender.map(|sender| {
            topics
                .own_messages()
                .borrow_mut()
                .add(Rc::downgrade(sender))
        });
        let tag = own.map_or(0, |own| place.tag(own));
        if relay.record(name, message.bytes(), message.is_text(), tag) {
            return SendStatus::Taken.outcome(message.length());
        }
        if let Some(own) = own {
            topics.own_messages().borrow_mut().take(own);
        }
    }
    let parcel = history::without_position(message);
    let by_name = topics.by_name();
    let topic = by_name.get(name);
    let shared = topic.and_then(|topic| topic.shared.as_deref());
    place.send(name, shared, true, || parcel.clone());
    let sent = topic.map_or(SendStatus::Refused, |topic| {
        let sender = sender.map(|it| &**it);
        send(topic, hub, &Publication::of(&parcel), sender, true)
    });
    sent.outcome(message.length())
}

/// The position of a message that is kept.
pub enum Recording {
    /// The message is kept in this process.
    Done(Position),
    /// A broker keeps the message, and tells the position later.
    Later(Later<Position>),
}

/// Sends a message to all subscribers, and keeps it. Returns `None`, and does nothing, if the
/// topics have no history.
pub(crate) fn publish_recorded(
    hub: &Hub,
    topics: &Topics<Connection>,
    name: &str,
    message: Message<'_>,
) -> Option<Recording> {
    let history = topics.history()?;
    here().published();
    if history.is_copy() {
        let relay = topics.place()?.space().relay()?;
        let later = relay.record_and_tell(name, message.bytes(), message.is_text());
        return Some(Recording::Later(later));
    }
    record(hub, topics, name, message, None).map(|recorded| Recording::Done(recorded.position))
}

/// The outcome of a message that is kept.
struct Recorded {
    /// The number that [`publish`] returns.
    outcome: i32,
    position: Position,
}

/// Sends a message to all subscribers except `sender`, and keeps the message in
/// this process.
fn record(
    hub: &Hub,
    topics: &Topics<Connection>,
    name: &str,
    message: Message<'_>,
    sender: Option<&Connection>,
) -> Option<Recorded> {
    let place = topics.place()?;
    let history = place.space().history()?;
    let log = history.log(name);
    let mut log = history::lock(&log);
    // Messages that other threads have published before come before this
    // message, on this thread too.
    take_parcels(hub, topics, place.take_parcels());
    let parcel = log.append(message, history.options());
    let by_name = topics.by_name();
    let topic = by_name.get(name);
    let shared = topic.and_then(|topic| topic.shared.as_deref());
    place.send(name, shared, true, || parcel.clone());
    let sent = topic.map_or(SendStatus::Refused, |topic| {
        send(topic, hub, &Publication::of(&parcel), sender, true)
    });
    Some(Recorded {
        outcome: sent.outcome(message.length()),
        position: log.position(),
    })
}

/// Why a subscription has failed.
pub(crate) enum NotReplayed {
    /// The topics have no history.
    NoHistory,
    /// The connection has ended, or ends because of a limit.
    Ended,
    /// The missed messages have to be [read](read_log) from the broker first.
    Later,
}

/// Resolves when the process has the messages of the broker's log after `since`. Returns `None` if
/// the connection has ended, or if there is no such log.
pub(crate) fn read_log(
    connection: &Connection,
    name: &str,
    since: Option<Position>,
) -> Option<impl Future<Output = Result<(), String>> + use<>> {
    let topics = connection.membership.borrow().as_ref()?.shared_topics();
    let space = topics.place()?.space();
    let relay = space.relay()?;
    let hold = space.hold(name);
    let read = relay.read(hold.name(), since);
    Some(async move {
        let result = read.await;
        drop(hold);
        result
    })
}

/// Subscribes a connection of a server, and sends it first all messages that were published after
/// `since`. If some of these are gone, none is sent. A connection that is subscribed already gets
/// nothing, because it has missed nothing. `is_read` says that the broker's messages were read.
pub(crate) fn subscribe_since(
    hub: &Hub,
    connection: &Rc<Connection>,
    name: &str,
    since: Option<Position>,
    is_read: bool,
) -> Result<Recovery, NotReplayed> {
    // A clone keeps the topics alive, because the code below borrows the
    // membership again.
    let topics = (connection.membership.borrow().as_ref())
        .map(|membership| membership.shared_topics())
        .ok_or(NotReplayed::Ended)?;
    let place = topics.place().ok_or(NotReplayed::NoHistory)?;
    let history = place.space().history().ok_or(NotReplayed::NoHistory)?;
    let log = match history.is_copy() {
        false => history.log(name),
        true => history.existing(name).ok_or(NotReplayed::Later)?,
    };
    let mut log = history::lock(&log);
    take_parcels(hub, &topics, place.take_parcels());
    if history.is_copy() && !is_read && since.is_some_and(|since| !log.covers(since)) {
        return Err(NotReplayed::Later);
    }
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
            SendStatus::Taken | SendStatus::Buffered => {
                here().delivered(1);
                hub.mark_dirty(connection);
            }
            SendStatus::Refused => connection.exceed(Exceeded::Backpressure),
            SendStatus::Closed => {}
        }
    }
    Ok(Recovery {
        recovered: missed.is_some(),
        position: log.position(),
    })
}

/// Sends to the subscribers of this thread except `sender`. If the subscribers `must_take` all
/// messages, a subscriber that cannot take this one is closed.
fn send(
    topic: &Topic<Connection>,
    hub: &Hub,
    publication: &Publication<'_>,
    sender: Option<&Connection>,
    must_take: bool,
) -> SendStatus {
    let mut total = SendStatus::Refused;
    let mut delivered = 0;
    for (_, subscriber) in topic.subscribers.borrow().iter() {
        let Some(connection) = subscriber.upgrade() else {
            continue;
        };
        if sender.is_some_and(|sender| std::ptr::eq(sender, &*connection)) {
            continue;
        }
        let sent = connection.send_published(publication);
        if must_take && matches!(sent, SendStatus::Refused) {
            connection.exceed(Exceeded::Backpressure);
        }
        if matches!(sent, SendStatus::Taken | SendStatus::Buffered) {
            delivered += 1;
            hub.mark_dirty(&connection);
        }
        match (sent, total) {
            (SendStatus::Buffered, _) | (SendStatus::Taken, SendStatus::Refused) => total = sent,
            _ => {}
        }
    }
    here().delivered(delivered);
    total
}

/// Hands the mail of other threads to the subscribers of this thread.
fn take_in(hub: &Hub, topics: &Topics<Connection>, mail: Mail) {
    take_parcels(hub, topics, mail.parcels);
    let by_name = topics.by_name();
    let affected: Vec<_> = (mail.lost.iter())
        .filter_map(|topic| by_name.get(&**topic))
        .flat_map(|topic| topic.subscribers())
        .collect();
    // A connection that ends leaves its topics, which borrows them.
    drop(by_name);
    let close = Close::new(CloseCode::TRY_AGAIN_LATER, "A message was lost");
    for connection in affected {
        hub.close(&connection, &close);
    }
}

fn take_parcels(hub: &Hub, topics: &Topics<Connection>, parcels: Vec<Posted>) {
    let by_name = topics.by_name();
    for Posted { topic, parcel, own } in &parcels {
        let sender = own.and_then(|own| topics.own_messages().borrow_mut().take(own));
        if let Some(topic) = by_name.get(&**topic) {
            let must_take = topics.misses_nothing();
            let publication = Publication::of(parcel);
            send(topic, hub, &publication, sender.as_deref(), must_take);
        }
    }
}

/// The topics of an event loop, by the numbers of their inboxes.
#[derive(Default)]
struct Inboxes {
    topics: RefCell<HashMap<u64, Weak<Topics<Connection>>>>,
}

impl Inboxes {
    /// Takes the mail of other threads for the inbox `id`.
    fn take_in(state: &mut OpState, id: u64, mail: Mail) {
        let topics = (state.try_borrow::<Self>())
            .and_then(|inboxes| inboxes.topics.borrow().get(&id)?.upgrade());
        if let Some(topics) = topics {
            take_in(&Hub::of(state), &topics, mail);
        }
    }

    fn add(state: &mut OpState, topics: Weak<Topics<Connection>>) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        if !state.has::<Self>() {
            state.put(Self::default());
        }
        let inboxes = state.borrow::<Self>();
        let mut all = inboxes.topics.borrow_mut();
        all.retain(|_, topics| topics.strong_count() > 0);
        all.insert(id, topics);
        id
    }
}
