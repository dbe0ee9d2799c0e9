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

/// Makes `topics` those of `space`.
pub(crate) fn share(state: &mut OpState, topics: &Rc<Topics<Connection>>, space: Arc<TopicSpace>) {
    let inbox = Inboxes::add(state, Rc::downgrade(topics));
    let spawner = state.borrow::<V8CrossThreadTaskSpawner>().clone();
    topics.share(Place::new(spawner, space, inbox, Inboxes::take_in));
}

/// Subscribes a connection of a server. Returns whether it was not; false too where it
/// has ended, or ends because of a limit.
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

/// Sends a message to all subscribers but `sender`. Returns what
/// [`SocketGroup::publish`](crate::SocketGroup::publish) says.
pub(crate) fn publish(
    hub: &Hub,
    topics: &Topics<Connection>,
    name: &str,
    message: Message<'_>,
    sender: Option<&Rc<Connection>>,
    reach: Reach,
) -> i32 {
    if let Some(history) = topics.history() {
        if history.is_copy() {
            return publish_by_relay(hub, topics, name, message, sender, reach);
        }
        let sender = sender.map(|it| &**it);
        return record(hub, topics, name, message, sender).map_or(0, |recorded| recorded.outcome);
    }
    here().published();
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

/// Has the broker keep a message, from which it comes back to this process too. Where there is no
/// broker for now, or the message is not to reach it, it goes to the sockets of this process,
/// without a position.
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
    /// It is kept in this process.
    Done(Position),
    /// A broker keeps it.
    Later(Later<Position>),
}

/// Sends a message to all subscribers, and keeps it. Nothing where the topics have no history.
pub(crate) fn publish_recorded(
    hub: &Hub,
    topics: &Topics<Connection>,
    name: &str,
    message: Message<'_>,
) -> Option<Recording> {
    if topics.history()?.is_copy() {
        let relay = topics.place()?.space().relay()?;
        let later = relay.record_and_tell(name, message.bytes(), message.is_text());
        return Some(Recording::Later(later));
    }
    record(hub, topics, name, message, None).map(|recorded| Recording::Done(recorded.position))
}

/// What became of a message that is kept.
struct Recorded {
    /// As [`publish`] says.
    outcome: i32,
    position: Position,
}

/// Sends a message likewise, and keeps it in this process.
fn record(
    hub: &Hub,
    topics: &Topics<Connection>,
    name: &str,
    message: Message<'_>,
    sender: Option<&Connection>,
) -> Option<Recorded> {
    let place = topics.place()?;
    let history = place.space().history()?;
    here().published();
    let log = history.log(name);
    let mut log = history::lock(&log);
    // What others have published before comes before, on this thread too.
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

/// Why there is nothing to replay.
pub(crate) enum NotReplayed {
    /// The topics have no history.
    NoHistory,
    /// The connection has ended, or ends because of a limit.
    Ended,
    /// What was missed has to be [read](read_log) at the broker first.
    Later,
}

/// Resolves when the process has what the broker's log of a topic has behind `since`. Nothing
/// where the connection has ended, or there is no such log.
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

/// Subscribes a connection of a server, and sends it first all that was published behind
/// `since`, or nothing where not all of that is there. One that is subscribed already gets
/// nothing: it has missed nothing. `is_read` says that what the broker has of that was read.
pub(crate) fn subscribe_since(
    hub: &Hub,
    connection: &Rc<Connection>,
    name: &str,
    since: Option<Position>,
    is_read: bool,
) -> Result<Recovery, NotReplayed> {
    // Held by a clone: what is sent below may look at the membership.
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

/// Sends to the subscribers of this thread but `sender`. One that cannot take it is closed
/// where it `must_take` all.
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

/// Hands what other threads had to the subscribers of this one.
fn take_in(hub: &Hub, topics: &Topics<Connection>, mail: Mail) {
    take_parcels(hub, topics, mail.parcels);
    let by_name = topics.by_name();
    let affected: Vec<_> = (mail.lost.iter())
        .filter_map(|topic| by_name.get(&**topic))
        .flat_map(|topic| topic.subscribers())
        .collect();
    // One that ends leaves its topics.
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

/// Whose the inboxes of an event loop are.
#[derive(Default)]
struct Inboxes {
    topics: RefCell<HashMap<u64, Weak<Topics<Connection>>>>,
}

impl Inboxes {
    /// Takes what other threads have for the inbox `id`.
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
