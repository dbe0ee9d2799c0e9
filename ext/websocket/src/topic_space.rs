//! Topics across the event loops of a process.
//!
//! The servers of one space have their topics in common, whichever thread they are on. A
//! published message is encoded once, and one copy of the reference to it goes to each other
//! server that has a subscriber; that server's event loop hands it to the sockets, and
//! writes all of them in one turn.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Weak,
};

use bytes::Bytes;
use deno_core::{JsRuntime, OpState, V8CrossThreadTaskSpawner};

use crate::history::{History, HistoryOptions};
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
}

/// A topic that has a subscriber somewhere in the process.
pub(crate) struct SharedTopic {
    name: Arc<str>,
    members: RwLock<Vec<Member>>,
    subscribers: AtomicUsize,
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

    /// Has messages go to other processes too. The first relay stays; `make` is called where
    /// there is none.
    ///
    /// # Errors
    /// What `make` returns.
    pub fn relay_by<E>(
        self: &Arc<Self>,
        make: impl FnOnce(&Arc<Self>) -> Result<Arc<dyn Relay>, E>,
    ) -> Result<(), E> {
        // The lock keeps two threads from making one each.
        let topics = lock(&self.topics);
        if self.relay.get().is_some() {
            return Ok(());
        }
        let relay = make(self)?;
        for topic in topics.keys() {
            relay.set_wanted(topic, true);
        }
        let _ = self.relay.set(relay);
        Ok(())
    }

    /// Keeps what is published. Returns false where other servers of the space have said
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
        topic.send(&Parcel::new(message), None);
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
        let shared = match topics.get(topic) {
            Some(shared) => shared.clone(),
            None => {
                let name: Arc<str> = topic.into();
                if let Some(relay) = self.relay.get() {
                    relay.set_wanted(&name, true);
                }
                let shared = Arc::new(SharedTopic {
                    name: name.clone(),
                    members: RwLock::default(),
                    subscribers: AtomicUsize::new(0),
                });
                topics.insert(name, shared.clone());
                here().topic_began();
                shared
            }
        };
        shared.members_mut().push(member.clone());
        shared
    }

    fn leave(&self, shared: &SharedTopic, member: &Member) {
        let mut topics = lock(&self.topics);
        let mut members = shared.members_mut();
        members.retain(|it| it.id != member.id);
        if members.is_empty() {
            if topics.remove(&shared.name).is_some() {
                here().topic_ended();
            }
            if let Some(relay) = self.relay.get() {
                relay.set_wanted(&shared.name, false);
            }
        }
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
                member.inbox.push(&self.name, parcel);
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

    /// What other threads have sent by now and the event loop has not come to. Those who are to
    /// be closed stay: nobody ends while a message is sent.
    pub fn take_parcels(&self) -> Vec<(Arc<str>, Parcel)> {
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
                        member.inbox.push(&shared.name, &parcel);
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
    /// Messages with their topics, in the order of each publisher.
    pub parcels: Vec<(Arc<str>, Parcel)>,
    /// The topics of messages that there was no place for.
    pub lost: HashSet<Arc<str>>,
}

impl Inbox {
    fn push(self: &Arc<Self>, topic: &Arc<str>, parcel: &Parcel) {
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
        state.mail.parcels.push((topic.clone(), parcel.clone()));
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
/// What a short message takes beside its frame.
const PARCEL_COST: usize = 64;
