//! Topics across the event loops of a process.
//!
//! The servers of one space have their topics in common, on all threads. A published message is
//! encoded once. A reference to the message goes to each other server that has a subscriber. The
//! event loop of that server hands the message to its sockets, and writes to all of them in one
//! turn.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Weak,
};

use bytes::Bytes;
use deno_core::{JsRuntime, OpState, V8CrossThreadTaskSpawner};

use crate::history::{self, History, HistoryOptions, Position};
use crate::message::Message;
use crate::metrics::here;
use crate::parcel::Parcel;

/// Topics that several servers of a process have in common.
pub struct TopicSpace {
    name: String,
    topics: Mutex<HashMap<Arc<str>, Arc<SharedTopic>>>,
    members: AtomicU64,
    relay: OnceLock<Arc<dyn Relay>>,
    history: OnceLock<History>,
}

/// The spaces that have a name, by their names.
static SPACES: LazyLock<Mutex<HashMap<String, Weak<TopicSpace>>>> = LazyLock::new(Mutex::default);

/// Takes messages to other processes and brings messages of other processes.
///
/// Threads that run script call these functions, and call [`set_wanted`](Self::set_wanted) under a
/// lock of the space. A function must not block, and must not call into the space.
pub trait Relay: Any + Send + Sync {
    /// The process has its first subscriber of `topic`, or has lost its last one.
    fn set_wanted(&self, topic: &Arc<str>, is_wanted: bool);

    /// A socket or a server of this process has published `payload`, which is UTF-8 if `is_text`.
    fn publish(&self, topic: &str, payload: Bytes, is_text: bool);

    /// Makes the broker keep a message and send it to all processes, including this one. In this
    /// process a `tag` other than 0 tells the sender. Returns false if the message is lost. This
    /// function and the next two are for topics whose logs the relay has.
    fn record(&self, topic: &str, payload: &[u8], is_text: bool, tag: u64) -> bool;

    /// Makes the broker keep a message and send it to all processes, without a tag. Resolves with
    /// the position of the message, or with the reason why there is none.
    fn record_and_tell(&self, topic: &str, payload: &[u8], is_text: bool) -> Later<Position>;

    /// Resolves when the space has all messages of the log of `topic` after `since`, if the log
    /// still has all of them. Without `since`, resolves when the space knows the end of the log.
    /// The topic is wanted meanwhile.
    fn read(&self, topic: &Arc<str>, since: Option<Position>) -> Later<()>;
}

/// A value that comes later, or the reason why it does not, as text.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// A topic that has a subscriber somewhere in the process.
pub(crate) struct SharedTopic {
    name: Arc<str>,
    members: RwLock<Vec<Member>>,
    subscribers: AtomicUsize,
    /// How many callers want the topic without a subscription. Changed under the lock of the
    /// topics.
    holds: AtomicUsize,
}

/// A server of a space.
#[derive(Clone)]
struct Member {
    id: u64,
    inbox: Arc<Inbox>,
}

impl TopicSpace {
    /// The space named `name`. A space lives as long as a reference to it does.
    pub fn named(name: &str) -> Arc<Self> {
        let mut spaces = lock(&SPACES);
        if let Some(space) = spaces.get(name).and_then(Weak::upgrade) {
            return space;
        }
        spaces.retain(|_, space| space.strong_count() > 0);
        let space = Arc::new(Self::new(name));
        spaces.insert(name.to_string(), Arc::downgrade(&space));
        space
    }

    /// All living spaces that have a name.
    pub fn all_named() -> Vec<Arc<Self>> {
        lock(&SPACES).values().filter_map(Weak::upgrade).collect()
    }

    /// A space without a name, which no other server can join.
    pub fn unnamed() -> Arc<Self> {
        Arc::new(Self::new(""))
    }

    fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            topics: Mutex::default(),
            members: AtomicU64::new(0),
            relay: OnceLock::new(),
            history: OnceLock::new(),
        }
    }

    /// The name of the space, or an empty string.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes messages go to other processes too, by a relay. With a `history`, the relay has the
    /// logs of the topics. `make` is called if the space has no relay. The first relay stays.
    /// Returns false if the space has another history.
    ///
    /// # Errors
    /// The error of `make`.
    pub fn relay_by<E>(
        self: &Arc<Self>,
        history: Option<HistoryOptions>,
        make: impl FnOnce(&Arc<Self>) -> Result<Arc<dyn Relay>, E>,
    ) -> Result<bool, E> {
        // The lock ensures that two threads do not make two relays.
        let topics = lock(&self.topics);
        if self.relay.get().is_some() {
            return Ok(history.is_none_or(|options| {
                (self.history.get()).is_some_and(|it| it.is_copy() && it.options() == options)
            }));
        }
        let relay = make(self)?;
        if let Some(options) = history {
            let history = self.history.get_or_init(|| History::copy(options));
            if !history.is_copy() || history.options() != options {
                return Ok(false);
            }
        }
        for topic in topics.keys() {
            relay.set_wanted(topic, true);
        }
        let _ = self.relay.set(relay);
        Ok(true)
    }

    /// Keeps the messages of the space in this process. Returns false if other servers of the space
    /// have set other options.
    pub fn keep_history(&self, options: HistoryOptions) -> bool {
        let history = self.history.get_or_init(|| History::new(options));
        history.options() == options
    }

    pub(crate) fn history(&self) -> Option<&History> {
        self.history.get()
    }

    /// The relay, if there is one.
    pub fn relay(&self) -> Option<&Arc<dyn Relay>> {
        self.relay.get()
    }

    /// How many sockets of the process are subscribed to `topic`.
    pub fn subscriber_count(&self, topic: &str) -> usize {
        lock(&self.topics)
            .get(topic)
            .map_or(0, |topic| topic.subscriber_count())
    }

    /// Hands a message of another process to all subscribers.
    pub fn deliver(&self, topic: &str, message: Message<'_>) {
        let Some(topic) = lock(&self.topics).get(topic).cloned() else {
            return;
        };
        let parcel = match self.history.get() {
            Some(_) => history::without_position(message),
            None => Parcel::new(message),
        };
        topic.send(&parcel, None);
    }

    /// Hands a message of a log to all subscribers except the sender that `tag` stands for.
    pub(crate) fn deliver_recorded(&self, topic: &str, parcel: &Parcel, tag: u64) {
        let Some(topic) = lock(&self.topics).get(topic).cloned() else {
            return;
        };
        for member in &*topic.members() {
            member.inbox.push(&topic.name, parcel, member.own(tag));
        }
    }

    /// Keeps the topic wanted at the broker until the hold is dropped.
    pub(crate) fn hold(self: &Arc<Self>, topic: &str) -> Hold {
        let mut topics = lock(&self.topics);
        let topic = self.entry(&mut topics, topic);
        topic.holds.fetch_add(1, Ordering::Relaxed);
        Hold {
            space: self.clone(),
            topic: topic.clone(),
        }
    }

    /// Closes all sockets of the process that are subscribed to `topic`, because they have missed a
    /// message.
    pub fn close_subscribers(&self, topic: &str) {
        let Some(topic) = lock(&self.topics).get(topic).cloned() else {
            return;
        };
        for member in &*topic.members() {
            member.inbox.push_lost(&topic.name);
        }
    }

    fn join(&self, topic: &str, member: &Member) -> Arc<SharedTopic> {
        let mut topics = lock(&self.topics);
        let shared = self.entry(&mut topics, topic);
        shared.members_mut().push(member.clone());
        shared
    }

    /// The topic. A new topic is wanted at the broker from now on.
    fn entry(
        &self,
        topics: &mut HashMap<Arc<str>, Arc<SharedTopic>>,
        topic: &str,
    ) -> Arc<SharedTopic> {
        if let Some(shared) = topics.get(topic) {
            return shared.clone();
        }
        let name: Arc<str> = topic.into();
        if let Some(relay) = self.relay.get() {
            relay.set_wanted(&name, true);
        }
        let shared = Arc::new(SharedTopic {
            name: name.clone(),
            members: RwLock::default(),
            subscribers: AtomicUsize::new(0),
            holds: AtomicUsize::new(0),
        });
        topics.insert(name, shared.clone());
        here().topic_began();
        shared
    }

    fn leave(&self, shared: &SharedTopic, member: &Member) {
        let mut topics = lock(&self.topics);
        shared.members_mut().retain(|it| it.id != member.id);
        self.drop_unwanted(&mut topics, shared);
    }

    fn drop_unwanted(
        &self,
        topics: &mut HashMap<Arc<str>, Arc<SharedTopic>>,
        shared: &SharedTopic,
    ) {
        if shared.members().is_empty() && shared.holds.load(Ordering::Relaxed) == 0 {
            if topics.remove(&shared.name).is_some() {
                here().topic_ended();
            }
            if let Some(relay) = self.relay.get() {
                relay.set_wanted(&shared.name, false);
            }
        }
    }
}

/// Keeps a topic wanted, even if no socket is subscribed to it.
pub(crate) struct Hold {
    space: Arc<TopicSpace>,
    topic: Arc<SharedTopic>,
}

impl Hold {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.topic.name
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut topics = lock(&self.space.topics);
        self.topic.holds.fetch_sub(1, Ordering::Relaxed);
        self.space.drop_unwanted(&mut topics, &self.topic);
    }
}

impl Member {
    /// The sender's number in `tag`, if the tag belongs to this member.
    fn own(&self, tag: u64) -> Option<NonZeroU64> {
        let is_own = tag >> SENDER_BITS == self.id & MEMBER_MASK;
        NonZeroU64::new(tag & SENDER_MASK).filter(|_| is_own)
    }
}

impl SharedTopic {
    pub(crate) fn subscriber_count(&self) -> usize {
        self.subscribers.load(Ordering::Relaxed)
    }

    pub(crate) fn add_subscriber(&self) {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_subscriber(&self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sends to all members except the one with the id `except`.
    fn send(&self, parcel: &Parcel, except: Option<u64>) {
        for member in &*self.members() {
            if Some(member.id) != except {
                member.inbox.push(&self.name, parcel, None);
            }
        }
    }

    fn members(&self) -> RwLockReadGuard<'_, Vec<Member>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn members_mut(&self) -> RwLockWriteGuard<'_, Vec<Member>> {
        self.members.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server's place in a space. It connects the server's topics, which belong to one thread, with
/// the topics of the space.
pub(crate) struct Place {
    space: Arc<TopicSpace>,
    member: Member,
}

impl Place {
    /// A place in `space`. The event loop of `spawner` calls `take_in` with the number `inbox` and
    /// the mail of other threads.
    pub(crate) fn new(
        spawner: V8CrossThreadTaskSpawner,
        space: Arc<TopicSpace>,
        inbox: u64,
        take_in: TakeIn,
    ) -> Self {
        let id = space.members.fetch_add(1, Ordering::Relaxed);
        let inbox = Arc::new(Inbox {
            id: inbox,
            take_in,
            state: Mutex::new(InboxState {
                spawner,
                mail: Mail::default(),
                bytes: 0,
                is_scheduled: false,
            }),
        });
        Self {
            space,
            member: Member { id, inbox },
        }
    }

    pub(crate) fn space(&self) -> &Arc<TopicSpace> {
        &self.space
    }

    /// The tag of a message of `sender` in a log. By the tag this member recognises the message.
    pub(crate) fn tag(&self, sender: NonZeroU64) -> u64 {
        (self.member.id & MEMBER_MASK) << SENDER_BITS | sender.get() & SENDER_MASK
    }

    /// Takes the messages of other threads that the event loop has not handled yet. The topics of
    /// lost messages stay, because no connection may end while a message is sent.
    pub(crate) fn take_parcels(&self) -> Vec<Posted> {
        let mut state = lock(&self.member.inbox.state);
        state.bytes = 0;
        std::mem::take(&mut state.mail.parcels)
    }

    /// The thread has its first subscriber of `topic`.
    pub(crate) fn join(&self, topic: &str) -> Arc<SharedTopic> {
        self.space.join(topic, &self.member)
    }

    /// The thread has lost its last subscriber of `topic`.
    pub(crate) fn leave(&self, topic: &SharedTopic) {
        self.space.leave(topic, &self.member);
    }

    /// Sends a message to the other servers of the space, and, unless it `stays` in the process, to
    /// other processes. `shared` is the topic if the thread has a subscriber.
    pub(crate) fn send(
        &self,
        topic: &str,
        shared: Option<&SharedTopic>,
        stays: bool,
        parcel: impl Fn() -> Parcel,
    ) {
        match shared {
            Some(shared) => {
                let members = shared.members();
                if members.len() > 1 {
                    let parcel = parcel();
                    for member in members.iter().filter(|it| it.id != self.member.id) {
                        member.inbox.push(&shared.name, &parcel, None);
                    }
                }
            }
            None => {
                let shared = lock(&self.space.topics).get(topic).cloned();
                if let Some(shared) = shared {
                    shared.send(&parcel(), Some(self.member.id));
                }
            }
        }
        if !stays && let Some(relay) = self.space.relay.get() {
            let parcel = parcel();
            let is_text = parcel.is_text();
            relay.publish(topic, parcel.into_payload(), is_text);
        }
    }
}

/// A function that takes the mail of other threads for an inbox number, in the
/// event loop of the inbox.
pub(crate) type TakeIn = fn(&mut OpState, u64, Mail);

/// The inbox of a server for the mail of other threads.
struct Inbox {
    id: u64,
    take_in: TakeIn,
    state: Mutex<InboxState>,
}

struct InboxState {
    spawner: V8CrossThreadTaskSpawner,
    mail: Mail,
    bytes: usize,
    /// Whether the event loop has been told.
    is_scheduled: bool,
}

/// The work of a server for other threads.
#[derive(Default)]
pub(crate) struct Mail {
    /// Messages, in the order of each publisher.
    pub parcels: Vec<Posted>,
    /// The topics of lost messages, for which the inbox had no room.
    pub lost: HashSet<Arc<str>>,
}

/// A message for a server.
pub(crate) struct Posted {
    pub topic: Arc<str>,
    pub parcel: Parcel,
    /// The number of the message among the server's own messages, if the message comes back from a
    /// log. The socket that sent the message does not get it.
    pub own: Option<NonZeroU64>,
}

impl Inbox {
    fn push(self: &Arc<Self>, topic: &Arc<str>, parcel: &Parcel, own: Option<NonZeroU64>) {
        let mut state = lock(&self.state);
        let length = parcel.frame().len() + PARCEL_COST;
        if state.mail.lost.contains(topic) {
            // No message of a topic follows a lost message.
            return;
        }
        if state.bytes + length > MAX_INBOX_BYTES && !state.mail.parcels.is_empty() {
            state.mail.lost.insert(topic.clone());
            return;
        }
        state.bytes += length;
        state.mail.parcels.push(Posted {
            topic: topic.clone(),
            parcel: parcel.clone(),
            own,
        });
        self.schedule(&mut state);
    }

    fn push_lost(self: &Arc<Self>, topic: &Arc<str>) {
        let mut state = lock(&self.state);
        state.mail.lost.insert(topic.clone());
        self.schedule(&mut state);
    }

    fn schedule(self: &Arc<Self>, state: &mut InboxState) {
        if std::mem::replace(&mut state.is_scheduled, true) {
            return;
        }
        let inbox = self.clone();
        state.spawner.spawn(move |scope| {
            let state = JsRuntime::op_state_from(scope);
            let mail = inbox.take();
            (inbox.take_in)(&mut state.borrow_mut(), inbox.id, mail);
        });
    }

    fn take(&self) -> Mail {
        let mut state = lock(&self.state);
        state.is_scheduled = false;
        state.bytes = 0;
        std::mem::take(&mut state.mail)
    }
}

/// Ignores the poison of a lock, because the data is consistent between any two
/// statements that hold the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes of frames may wait for a busy event loop. If more would wait, the subscribers of
/// the topic are closed, because they would miss a message.
const MAX_INBOX_BYTES: usize = 64 << 20;
/// The upper bits of a tag are the server's number. The lower bits are the
/// message's.
const SENDER_BITS: u32 = 40;
const SENDER_MASK: u64 = (1 << SENDER_BITS) - 1;
const MEMBER_MASK: u64 = u64::MAX >> SENDER_BITS;
/// The memory of a waiting message besides its frame, in bytes.
const PARCEL_COST: usize = 64;
