//! `Deno.watchFs`: reports changes of files, by the crate notify.
//!
//! All watchers of an event loop share one watcher of the kernel, because a user may have only a
//! few. When the permission for a path is checked, the path is resolved. From then on its real path
//! is watched, and links in the folders below it are not followed. Events name files as the script
//! named them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use deno_core::AsyncRefCell;
use deno_core::CancelFuture;
use deno_core::CancelHandle;
use deno_core::OpState;
use deno_core::RcRef;
use deno_core::Resource;
use deno_core::ResourceId;
use deno_core::ToV8;
use deno_core::op2;
use deno_error::JsErrorBox;
use deno_permissions::OpenAccessKind;
use deno_permissions::PermissionCheckError;
use deno_permissions::PermissionsContainer;
use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use notify::event::AccessKind;
use notify::event::AccessMode;
use notify::event::ModifyKind;
use tokio::sync::mpsc;

/// How many events can wait for a script. Further events are lost, and the script gets an event
/// that says so.
const QUEUE: usize = 1024;

/// A change, as a `Deno.FsEvent`.
#[derive(ToV8, Clone, Debug, PartialEq, Eq)]
pub(super) struct FsEvent {
    kind: &'static str,
    paths: Vec<String>,
    flag: Option<&'static str>,
}

type Told = Result<FsEvent, String>;

/// A watched path.
#[derive(Clone, Debug)]
struct Place {
    /// The absolute path, as the script named it.
    named: PathBuf,
    /// The canonical path.
    real: PathBuf,
}

impl Place {
    /// Resolves a path, after a check of the permission to read it. A link may lead to another
    /// place, as for reading files: to make links, a script needs the permission to read all files.
    fn checked(path: String, permissions: &PermissionsContainer) -> Result<Self, FsEventsError> {
        let checked = permissions.check_open(
            Cow::Owned(PathBuf::from(path)),
            OpenAccessKind::ReadNoFollow,
            Some("Deno.watchFs()"),
        )?;
        let named = std::path::absolute(checked.into_owned_path())?;
        let named = deno_path_util::normalize_path(Cow::Owned(named)).into_owned();
        let real = named.canonicalize().map_err(|error| {
            io::Error::new(error.kind(), format!("{error}: {}", named.display()))
        })?;
        Ok(Self { named, real })
    }

    /// The name that the script uses for `path`, if `path` is this place or is in it.
    fn name(&self, path: &Path, is_recursive: bool) -> Option<PathBuf> {
        let rest = path.strip_prefix(&self.real).ok()?;
        let mut parts = rest.components();
        match (parts.next(), parts.next()) {
            (None, _) => Some(self.named.clone()),
            (Some(_), Some(_)) if !is_recursive => None,
            _ => Some(self.named.join(rest)),
        }
    }
}

/// The part of a `Deno.FsWatcher` that gets the events of the kernel's watcher.
struct Listener {
    id: u64,
    places: Vec<Place>,
    ignored: Vec<Place>,
    is_recursive: bool,
    events: mpsc::Sender<Told>,
    has_lost: Arc<AtomicBool>,
}

impl Listener {
    fn tell(&self, told: Told) {
        // If the script has closed the watcher, the event is dropped.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(told) {
            self.has_lost.store(true, Ordering::Relaxed);
        }
    }

    fn event(&self, event: &notify::Event) {
        let is_ignored = |path: &PathBuf| {
            self.ignored
                .iter()
                .any(|place| place.name(path, true).is_some())
        };
        if event.paths.iter().all(is_ignored) && !event.paths.is_empty() {
            return;
        }
        let name = |path: &PathBuf| {
            let mut places = self.places.iter();
            places.find_map(|place| place.name(path, self.is_recursive))
        };
        if !event.paths.iter().any(|path| name(path).is_some()) {
            return;
        }
        // As in Deno, any event about files that no longer exist is reported as "remove".
        let kind = match event.paths.iter().any(|path| path.exists()) {
            true => kind_of(event.kind),
            false => "remove",
        };
        let paths = event
            .paths
            .iter()
            .map(|path| name(path).unwrap_or_else(|| path.clone()));
        self.tell(Ok(FsEvent {
            kind,
            paths: paths
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
            flag: event.flag().map(|_| "rescan"),
        }));
    }
}

fn kind_of(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Any => "any",
        EventKind::Access(_) => "access",
        EventKind::Create(_) => "create",
        EventKind::Modify(ModifyKind::Name(_)) => "rename",
        EventKind::Modify(_) => "modify",
        EventKind::Remove(_) => "remove",
        EventKind::Other => "other",
    }
}

type Listeners = Arc<Mutex<Vec<Listener>>>;

fn lock(listeners: &Listeners) -> MutexGuard<'_, Vec<Listener>> {
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kernel's watcher of an event loop.
struct Watched {
    watcher: RecommendedWatcher,
    listeners: Listeners,
    next_id: u64,
    /// For each path, how many listeners watch only the path, and how many watch all that is below
    /// it.
    wanted: HashMap<PathBuf, [usize; 2]>,
}

impl Watched {
    fn new() -> notify::Result<Self> {
        let listeners = Listeners::default();
        let told = listeners.clone();
        let handler = move |event: notify::Result<notify::Event>| match event {
            // Opening a file changes nothing, and the check of whether a file exists is such an
            // event itself.
            Ok(event) if event.kind == EventKind::Access(AccessKind::Open(AccessMode::Any)) => {}
            Ok(event) => lock(&told)
                .iter()
                .for_each(|listener| listener.event(&event)),
            Err(error) => lock(&told)
                .iter()
                .for_each(|listener| listener.tell(Err(error.to_string()))),
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        Ok(Self {
            watcher: RecommendedWatcher::new(handler, config)?,
            listeners,
            next_id: 0,
            wanted: HashMap::new(),
        })
    }

    fn add(&mut self, place: &Place, is_recursive: bool) -> notify::Result<()> {
        let before = self.wanted.get(&place.real).copied().unwrap_or_default();
        let mut after = before;
        after[usize::from(is_recursive)] += 1;
        self.change(&place.real, before, after)
    }

    fn remove(&mut self, place: &Place, is_recursive: bool) {
        let Some(before) = self.wanted.get(&place.real).copied() else {
            return;
        };
        let mut after = before;
        after[usize::from(is_recursive)] -= 1;
        // The path may have been removed, and its watch with it.
        let _ = self.change(&place.real, before, after);
    }

    fn change(&mut self, path: &Path, before: [usize; 2], after: [usize; 2]) -> notify::Result<()> {
        match after {
            [0, 0] => self.wanted.remove(path),
            _ => self.wanted.insert(path.to_owned(), after),
        };
        let (old, new) = (mode_of(before), mode_of(after));
        if old == new {
            return Ok(());
        }
        if old.is_some() {
            let _ = self.watcher.unwatch(path);
        }
        let watched = match new {
            Some(mode) => self.watcher.watch(path, mode),
            None => Ok(()),
        };
        if watched.is_err() {
            // The other listeners go on as before.
            self.wanted.remove(path);
            if let Some(mode) = old
                && self.watcher.watch(path, mode).is_ok()
            {
                self.wanted.insert(path.to_owned(), before);
            }
        }
        if old.is_some() {
            self.watch_again(path);
        }
        watched
    }

    /// Watches related paths again. Paths below `path`, and paths that `path` is below, share its
    /// watches in the kernel, which have been removed.
    fn watch_again(&mut self, path: &Path) {
        let related: Vec<_> = self
            .wanted
            .iter()
            .filter(|(it, _)| *it != path && (it.starts_with(path) || path.starts_with(it)))
            .filter_map(|(it, wanted)| Some((it.clone(), mode_of(*wanted)?)))
            .collect();
        for (path, mode) in related {
            // The path may have been removed.
            let _ = self.watcher.watch(&path, mode);
        }
    }
}

fn mode_of(wanted: [usize; 2]) -> Option<RecursiveMode> {
    match wanted {
        [0, 0] => None,
        [_, 0] => Some(RecursiveMode::NonRecursive),
        _ => Some(RecursiveMode::Recursive),
    }
}

struct FsEventsResource {
    watched: Rc<RefCell<Watched>>,
    id: u64,
    places: Vec<Place>,
    is_recursive: bool,
    events: AsyncRefCell<mpsc::Receiver<Told>>,
    has_lost: Arc<AtomicBool>,
    cancel: CancelHandle,
}

impl Resource for FsEventsResource {
    fn name(&self) -> Cow<'_, str> {
        "fsEvents".into()
    }

    fn close(self: Rc<Self>) {
        self.cancel.cancel();
    }
}

impl Drop for FsEventsResource {
    fn drop(&mut self) {
        let mut watched = self.watched.borrow_mut();
        lock(&watched.listeners).retain(|listener| listener.id != self.id);
        for place in &self.places {
            watched.remove(place, self.is_recursive);
        }
    }
}

/// Why files cannot be watched.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(super) enum FsEventsError {
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[class(inherit)]
    #[error(transparent)]
    Resource(#[from] deno_core::error::ResourceError),
    #[class(inherit)]
    #[error(transparent)]
    Io(#[from] io::Error),
    #[class(inherit)]
    #[error(transparent)]
    Notify(JsErrorBox),
    #[class(generic)]
    #[error("{0}")]
    Told(String),
    #[class(inherit)]
    #[error(transparent)]
    Canceled(#[from] deno_core::Canceled),
}

impl From<notify::Error> for FsEventsError {
    fn from(error: notify::Error) -> Self {
        let text = error.to_string();
        match error.kind {
            notify::ErrorKind::Io(error) => Self::Io(io::Error::new(error.kind(), text)),
            notify::ErrorKind::PathNotFound | notify::ErrorKind::WatchNotFound => {
                Self::Notify(JsErrorBox::new("NotFound", text))
            }
            notify::ErrorKind::MaxFilesWatch => Self::Notify(JsErrorBox::generic(format!(
                "{text}. The system has a limit of watched files: on Linux, sysctl \
                 fs.inotify.max_user_watches"
            ))),
            _ => Self::Notify(JsErrorBox::generic(text)),
        }
    }
}

/// Begins to watch, after a check of the permission to read each path.
#[op2(stack_trace)]
#[smi]
pub(crate) fn op_fs_events_open(
    state: &mut OpState,
    is_recursive: bool,
    #[scoped] ignored: Vec<String>,
    #[scoped] paths: Vec<String>,
) -> Result<ResourceId, FsEventsError> {
    let permissions = state.borrow::<PermissionsContainer>();
    let checked = |paths: Vec<String>| -> Result<Vec<Place>, FsEventsError> {
        let places = paths
            .into_iter()
            .map(|path| Place::checked(path, permissions));
        places.collect()
    };
    let places = checked(paths)?;
    // A path that does not exist need not be ignored.
    let ignored = ignored
        .into_iter()
        .filter_map(|path| match Place::checked(path, permissions) {
            Err(FsEventsError::Io(_)) => None,
            place => Some(place),
        })
        .collect::<Result<_, _>>()?;

    let watched = match state.try_borrow::<Rc<RefCell<Watched>>>() {
        Some(watched) => watched.clone(),
        None => {
            let watched = Rc::new(RefCell::new(Watched::new()?));
            state.put(watched.clone());
            watched
        }
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let has_lost = Arc::new(AtomicBool::new(false));
    let id = {
        let mut watched = watched.borrow_mut();
        watched.next_id += 1;
        let id = watched.next_id;
        lock(&watched.listeners).push(Listener {
            id,
            places: places.clone(),
            ignored,
            is_recursive,
            events: sender,
            has_lost: has_lost.clone(),
        });
        id
    };
    // If a path cannot be watched, this is dropped, which undoes what was done.
    let mut resource = FsEventsResource {
        watched: watched.clone(),
        id,
        places: Vec::new(),
        is_recursive,
        events: AsyncRefCell::new(receiver),
        has_lost,
        cancel: CancelHandle::new(),
    };
    for place in places {
        watched.borrow_mut().add(&place, is_recursive)?;
        resource.places.push(place);
    }
    Ok(state.resource_table.add(resource))
}

/// The next change, or null if the watcher was closed.
#[op2]
pub(crate) async fn op_fs_events_poll(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<Option<FsEvent>, FsEventsError> {
    let resource = state.borrow().resource_table.get::<FsEventsResource>(rid)?;
    let mut events = RcRef::map(&resource, |it| &it.events).borrow_mut().await;
    if resource.has_lost.swap(false, Ordering::Relaxed) {
        // The queue was full. The events in it are older than the lost ones.
        while events.try_recv().is_ok() {}
        let paths = resource.places.iter();
        return Ok(Some(FsEvent {
            kind: "any",
            paths: paths
                .map(|place| place.named.to_string_lossy().into_owned())
                .collect(),
            flag: Some("rescan"),
        }));
    }
    let cancel = RcRef::map(&resource, |it| &it.cancel);
    match events.recv().or_cancel(cancel).await? {
        Some(told) => told.map(Some).map_err(FsEventsError::Told),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(paths: &[(&str, &str)], is_recursive: bool) -> (Listener, mpsc::Receiver<Told>) {
        let (events, receiver) = mpsc::channel(2);
        let place = |(named, real): &(&str, &str)| Place {
            named: named.into(),
            real: real.into(),
        };
        let listener = Listener {
            id: 0,
            places: paths.iter().map(place).collect(),
            ignored: vec![place(&("/named/ignored", "/real/ignored"))],
            is_recursive,
            events,
            has_lost: Arc::default(),
        };
        (listener, receiver)
    }

    fn changed(paths: &[&str]) -> notify::Event {
        let event = notify::Event::new(EventKind::Any);
        paths
            .iter()
            .fold(event, |event, path| event.add_path(path.into()))
    }

    fn paths(receiver: &mut mpsc::Receiver<Told>) -> Option<Vec<String>> {
        Some(receiver.try_recv().ok()?.expect("no error was told").paths)
    }

    #[test]
    fn paths_are_named_as_the_script_does() {
        let (listener, mut receiver) = listener(&[("/named", "/real")], true);
        listener.event(&changed(&["/real/a/b"]));
        assert_eq!(paths(&mut receiver), Some(vec!["/named/a/b".to_string()]));
        listener.event(&changed(&["/real"]));
        assert_eq!(paths(&mut receiver), Some(vec!["/named".to_string()]));
        listener.event(&changed(&["/realm/a"]));
        assert_eq!(paths(&mut receiver), None);
    }

    #[test]
    fn what_lies_deeper_is_told_to_the_recursive_only() {
        let (listener, mut receiver) = listener(&[("/named", "/real")], false);
        listener.event(&changed(&["/real/a/b"]));
        assert_eq!(paths(&mut receiver), None);
        listener.event(&changed(&["/real/a"]));
        assert_eq!(paths(&mut receiver), Some(vec!["/named/a".to_string()]));
    }

    #[test]
    fn an_event_is_ignored_when_all_its_paths_are() {
        let (listener, mut receiver) = listener(&[("/named", "/real")], true);
        listener.event(&changed(&["/real/ignored/a"]));
        assert_eq!(paths(&mut receiver), None);
        listener.event(&changed(&["/real/ignored/a", "/real/b"]));
        let both = vec!["/named/ignored/a".to_string(), "/named/b".to_string()];
        assert_eq!(paths(&mut receiver), Some(both));
    }

    #[test]
    fn what_a_full_queue_loses_is_known() {
        let (listener, _receiver) = listener(&[("/named", "/real")], true);
        for _ in 0..2 {
            listener.event(&changed(&["/real/a"]));
        }
        assert!(!listener.has_lost.load(Ordering::Relaxed));
        listener.event(&changed(&["/real/a"]));
        assert!(listener.has_lost.load(Ordering::Relaxed));
    }
}
