//! The topics of a server, and their subscribers.
//!
//! All types are generic over the connection `C`, and use none of its
//! functions.

use std::cell::{OnceCell, Ref, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use slab::Slab;

use crate::history::History;
use crate::metrics::here;
use crate::own_messages::OwnMessages;
use crate::topic_space::{Place, SharedTopic};

/// The topics of a server. A topic exists while it has a subscriber.
pub(crate) struct Topics<C> {
    by_name: RefCell<HashMap<Rc<str>, Rc<Topic<C>>>>,
    /// The server's place in a space, if other servers of the process have the
    /// same topics.
    place: OnceCell<Place>,
    /// Messages of sockets that come back from a broker.
    own: RefCell<OwnMessages<C>>,
}

/// A topic of a server.
pub(crate) struct Topic<C> {
    pub name: Rc<str>,
    pub subscribers: RefCell<Slab<Weak<C>>>,
    /// The same topic on all threads.
    pub shared: Option<Arc<SharedTopic>>,
}

/// The subscriptions of one connection.
pub(crate) struct Subscriptions<C> {
    by_name: HashMap<Rc<str>, Subscription<C>>,
    /// How many subscriptions the connection has made.
    count: u64,
}

struct Subscription<C> {
    topic: Rc<Topic<C>>,
    /// The connection's place among the topic's subscribers.
    key: usize,
    /// How many subscriptions the connection had made before.
    order: u64,
}

impl<C> Default for Topics<C> {
    fn default() -> Self {
        Self {
            by_name: RefCell::default(),
            place: OnceCell::new(),
            own: RefCell::default(),
        }
    }
}

impl<C> Topics<C> {
    /// Shares the topics with other servers of the process. Called once, before there is a
    /// subscriber.
    pub(crate) fn share(&self, place: Place) {
        debug_assert!(self.by_name.borrow().is_empty());
        let _ = self.place.set(place);
    }

    /// The place in a space, if the topics are shared.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.get()
    }

    /// How many sockets are subscribed, of all servers that have the same topics in this
    /// process.
    pub(crate) fn subscriber_count(&self, topic: &str) -> usize {
        if let Some(place) = self.place.get() {
            return place.space().subscriber_count(topic);
        }
        let topics = self.by_name.borrow();
        topics
            .get(topic)
            .map_or(0, |topic| topic.subscribers.borrow().len())
    }

    /// All topics, by their names.
    pub(crate) fn by_name(&self) -> Ref<'_, HashMap<Rc<str>, Rc<Topic<C>>>> {
        self.by_name.borrow()
    }

    pub(crate) fn history(&self) -> Option<&History> {
        self.place.get()?.space().history()
    }

    /// Whether a subscriber that cannot take a message is closed. With a history it is, because the
    /// subscriber would not know that it missed a message.
    pub(crate) fn misses_nothing(&self) -> bool {
        self.history().is_some()
    }

    pub(crate) fn own_messages(&self) -> &RefCell<OwnMessages<C>> {
        &self.own
    }

    /// The topic named `name`. It is made if there is none.
    pub(crate) fn named(&self, name: &str) -> Rc<Topic<C>> {
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
        if topic.shared.is_none() {
            // A space counts its own topics, once for all threads.
            here().topic_began();
        }
        topics.insert(name, topic.clone());
        topic
    }

    fn end(&self, subscription: &Subscription<C>) {
        let topic = &subscription.topic;
        let mut subscribers = topic.subscribers.borrow_mut();
        if subscribers.try_remove(subscription.key).is_some() {
            here().unsubscribed();
            if let Some(shared) = &topic.shared {
                shared.remove_subscriber();
            }
        }
        if subscribers.is_empty() && self.by_name.borrow_mut().remove(&topic.name).is_some() {
            match (self.place.get(), &topic.shared) {
                (Some(place), Some(shared)) => place.leave(shared),
                _ => here().topic_ended(),
            }
        }
    }
}

impl<C> Topic<C> {
    /// All living subscribers. The references keep them alive, because work on
    /// one subscriber may end others.
    pub(crate) fn subscribers(&self) -> Vec<Rc<C>> {
        let subscribers = self.subscribers.borrow();
        (subscribers.iter())
            .filter_map(|(_, subscriber)| subscriber.upgrade())
            .collect()
    }
}

impl<C> Default for Subscriptions<C> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            count: 0,
        }
    }
}

impl<C> Subscriptions<C> {
    /// Ends all subscriptions.
    pub(crate) fn clear(&mut self, topics: &Topics<C>) {
        for subscription in std::mem::take(&mut self.by_name).into_values() {
            topics.end(&subscription);
        }
    }

    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn contains(&self, topic: &str) -> bool {
        self.by_name.contains_key(topic)
    }

    /// Ends the subscription to `topic`. Returns whether there was one.
    pub(crate) fn remove(&mut self, topics: &Topics<C>, topic: &str) -> bool {
        let Some(subscription) = self.by_name.remove(topic) else {
            return false;
        };
        topics.end(&subscription);
        true
    }

    /// The names of the topics, in the order of the subscriptions.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut subscriptions: Vec<_> = self.by_name.values().collect();
        subscriptions.sort_unstable_by_key(|it| it.order);
        (subscriptions.into_iter())
            .map(|it| it.topic.name.to_string())
            .collect()
    }

    /// Adds a subscription to `topic`. `key` is the connection's place among
    /// the subscribers.
    pub(crate) fn add(&mut self, topic: Rc<Topic<C>>, key: usize) {
        let order = self.count;
        self.count += 1;
        let name = topic.name.clone();
        self.by_name
            .insert(name, Subscription { topic, key, order });
    }
}
