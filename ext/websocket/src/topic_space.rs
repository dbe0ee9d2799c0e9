//! Topics across the event loops of a process.
//!
//! The servers of one space have their topics in common, whichever thread they are on. A
//! published message is encoded once, and one copy of the reference to it goes to each other
//! server that has a subscriber; that server's event loop hands it to the sockets, and
//! writes all of them in one turn.

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

/// Those that have a name, by it.
static SPACES: LazyLock<Mutex<HashMap<String, Weak<TopicSpace>>>> = LazyLock::new(Mutex::default);

/// What takes messages to other processes and brings theirs.
///
/// The functions are called by threads that run script, one of them under a lock of the
/// space: none may wait, nor call into the space.
pub trait Relay: Any + Send + Sync {
    /// The process has its first subscriber of `topic`, or has lost its last one.
    fn set_wanted(&self, topic: &Arc<str>, is_wanted: bool);

    /// A socket or a server of this process has published `payload`, which is UTF-8 where
    /// it `is_text`.
    fn publish(&self, topic: &str, payload: Bytes, is_text: bool);

    /// Has a message kept and sent to all processes, to this one too: there `tag`, where it is
    /// not 0, says whose it is. Returns false where it is lost. For topics whose logs the relay
    /// has, as the next two.
    fn record(&self, topic: &str, payload: &[u8], is_text: bool, tag: u64) -> bool;

    /// The same, without a tag. Resolves with the position of the message, or why it has none.
    fn record_and_tell(&self, topic: &str, payload: &[u8], is_text: bool) -> Later<Position>;

    /// Resolves when the space has what the log of `topic` has behind `since`, as far as that
    /// is all there; without `since` when the space knows where the log is. The topic is wanted
    /// meanwhile.
    fn read(&self, topic: &Arc<str>, since: Option<Position>) -> Later<()>;
}

/// What comes later, or why not, in words.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// A topic that has a subscriber somewhere in the process.
pub(crate) struct SharedTopic {
    name: Arc<str>,
    members: RwLock<Vec<Member>>,
    subscribers: AtomicUsize,
    /// How many want the topic without being subscribed. Changed under the lock of the topics.
    holds: AtomicUsize,
}

/// A server among those of a space.
#[derive(Clone)]
struct Member {
    id: u64,
    inbox: Arc<Inbox>,
}

impl TopicSpace {
    /// The space of this name, which lives as long as somebody has it.
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

    /// All that have a name and live.
    pub fn all_named() -> Vec<Arc<Self>> {
        lock(&SPACES).values().filter_map(Weak::upgrade).collect()
    }

    /// One of which nobody else knows.
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

    /// The name that it was asked for by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has messages go to other processes too, by a relay that has their logs where there is
    /// to be a `history`. The first relay stays; `make` is called where there is none. Returns
    /// false where the one that is there has other logs.
    ///
    /// # Errors
    /// What `make` returns.
    pub fn relay_by<E>(
        self: &Arc<Self>,
        history: Option<HistoryOptions>,
        make: impl FnOnce(&Arc<Self>) -> Result<Arc<dyn Relay>, E>,
    ) -> Result<bool, E> {
        // The lock keeps two threads from making one each.
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

    /// Keeps what is published in this process. Returns false where other servers of the space have said
    /// something else.
    pub fn keep_history(&self, options: HistoryOptions) -> bool {
        let history = self.history.get_or_init(|| History::new(options));
        history.options() == options
    }

    pub(crate) fn history(&self) -> Option<&History> {
        self.history.get()
    }

    /// The relay, where there is one.
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

    /// Hands a message of a log to all subscribers but the one whose `tag` it has.
    pub(crate) fn deliver_recorded(&self, topic: &str, parcel: &Parcel, tag: u64) {
        let Some(topic) = lock(&self.topics).get(topic).cloned() else {
            return;
        };
        for member in &*topic.members() {
            member.inbox.push(&topic.name, parcel, member.own(tag));
        }
    }

    /// Has the topic wanted at the broker until the hold is dropped.
    pub(crate) fn hold(self: &Arc<Self>, topic: &str) -> Hold {
        let mut topics = lock(&self.topics);
        let topic = self.entry(&mut topics, topic);
        topic.holds.fetch_add(1, Ordering::Relaxed);
        Hold {
            space: self.clone(),
            topic: topic.clone(),
        }
    }

    /// Closes all sockets of the process that are subscribed to `topic`, since they have
    /// missed a message.
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

    /// The topic, which begins to be wanted where there is none.
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

/// A topic that is wanted, though nobody may be subscribed to it.
pub(crate) struct Hold {
    space: Arc<TopicSpace>,
    topic: Arc<SharedTopic>,
}

impl Hold {
    pub fn name(&self) -> &Arc<str> {
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
    /// The part of a tag that is this member's.
    fn own(&self, tag: u64) -> Option<NonZeroU64> {
        let is_own = tag >> SENDER_BITS == self.id & MEMBER_MASK;
        NonZeroU64::new(tag & SENDER_MASK).filter(|_| is_own)
    }
}

impl SharedTopic {
    pub fn subscriber_count(&self) -> usize {
        self.subscribers.load(Ordering::Relaxed)
    }

    pub fn add_subscriber(&self) {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
    }

    pub fn remove_subscriber(&self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sends to all members but the one with the id `except`.
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

/// A server's place in a space: the connection between its topics, which are its thread's, and
/// those of the space.
pub(crate) struct Place {
    space: Arc<TopicSpace>,
    member: Member,
}

impl Place {
    /// A place in `space`. What other threads have for it, `take_in` gets in the event loop of
    /// `spawner`, with the number `inbox`.
    pub fn new(
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

    pub fn space(&self) -> &Arc<TopicSpace> {
        &self.space
    }

    /// What a message has in a log by which it is known again as that of `sender`.
    pub fn tag(&self, sender: NonZeroU64) -> u64 {
        (self.member.id & MEMBER_MASK) << SENDER_BITS | sender.get() & SENDER_MASK
    }

    /// What other threads have sent by now and the event loop has not come to. Those who are to
    /// be closed stay: nobody ends while a message is sent.
    pub fn take_parcels(&self) -> Vec<Posted> {
        let mut state = lock(&self.member.inbox.state);
        state.bytes = 0;
        std::mem::take(&mut state.mail.parcels)
    }

    /// The thread has its first subscriber of `topic`.
    pub fn join(&self, topic: &str) -> Arc<SharedTopic> {
        self.space.join(topic, &self.member)
    }

    /// The thread has lost its last one.
    pub fn leave(&self, topic: &SharedTopic) {
        self.space.leave(topic, &self.member);
    }

    /// Sends a message to the other servers of the space, and, unless it `stays` in the process,
    /// to other processes. `shared` is the topic where the thread has a subscriber.
    pub fn send(
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

/// Takes what other threads have for the inbox of this number, in its event loop.
pub(crate) type TakeIn = fn(&mut OpState, u64, Mail);

/// What other threads have for a server.
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

/// What a server has to do for other threads.
#[derive(Default)]
pub(crate) struct Mail {
    /// Messages, in the order of each publisher.
    pub parcels: Vec<Posted>,
    /// The topics of messages that there was no place for.
    pub lost: HashSet<Arc<str>>,
}

/// A message for a server.
pub(crate) struct Posted {
    pub topic: Arc<str>,
    pub parcel: Parcel,
    /// Which of the server's own messages it is, where it comes back from a log and the socket
    /// that has sent it is not to get it.
    pub own: Option<NonZeroU64>,
}

impl Inbox {
    fn push(self: &Arc<Self>, topic: &Arc<str>, parcel: &Parcel, own: Option<NonZeroU64>) {
        let mut state = lock(&self.state);
        let length = parcel.frame().len() + PARCEL_COST;
        if state.mail.lost.contains(topic) {
            // Nothing comes behind what was lost.
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

/// The data is whole between any two statements that hold it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What waits for an event loop that does not come round, in bytes of frames. Beyond it the
/// subscribers of the topic are closed, for they would miss a message.
const MAX_INBOX_BYTES: usize = 64 << 20;
/// Of a tag the upper bits are the server's, the lower ones the message's.
const SENDER_BITS: u32 = 40;
const SENDER_MASK: u64 = (1 << SENDER_BITS) - 1;
const MEMBER_MASK: u64 = u64::MAX >> SENDER_BITS;
/// What a short message takes beside its frame.
const PARCEL_COST: usize = 64;
