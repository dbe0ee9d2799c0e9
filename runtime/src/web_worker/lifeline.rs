//! Ends a worker from any thread, and keeps what the worker ended by.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

use deno_core::ToV8;
use deno_core::error::CoreError;
use deno_core::error::CoreErrorKind;
use deno_core::futures::task::AtomicWaker;
use deno_core::v8;
use tokio::sync::watch;

/// The state that a worker and its owner share to end the worker.
pub(crate) struct Lifeline {
    id: u64,
    must_end: AtomicBool,
    /// The waker of the worker's event loop.
    waker: AtomicWaker,
    /// The worker's engine, while script may run in it.
    isolate: Mutex<Option<v8::IsolateHandle>>,
    outcome: Mutex<Option<Failure>>,
    exit_code: AtomicI32,
    /// Whether the outcome is final.
    over: watch::Sender<bool>,
}

impl Lifeline {
    /// The lifeline of a worker that is about to start.
    pub(crate) fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let lifeline = Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            must_end: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            isolate: Mutex::new(None),
            // A worker that sets no outcome has panicked.
            outcome: Mutex::new(Some(Failure::of_thread())),
            exit_code: AtomicI32::new(0),
            over: watch::Sender::new(false),
        });
        let mut living = LIVING.lock();
        if living.is_exiting {
            lifeline.end();
        }
        living.workers.insert(lifeline.id, lifeline.clone());
        lifeline
    }

    /// Ends the worker. The running script stops at once, even in a busy loop, and no other script
    /// begins.
    pub(crate) fn end(&self) {
        self.close();
        self.stop_script();
    }

    /// Makes the worker begin no further script.
    pub(crate) fn close(&self) {
        self.must_end.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Stops the running script.
    pub(crate) fn stop_script(&self) {
        if let Some(isolate) = &*lock(&self.isolate) {
            isolate.terminate_execution();
        }
    }

    pub(crate) fn must_end(&self) -> bool {
        self.must_end.load(Ordering::SeqCst)
    }

    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Sets the engine in which [`Self::end`] stops scripts from now on. If `end` was called
    /// before, the first script stops at once.
    pub(crate) fn attach(&self, isolate: v8::IsolateHandle) {
        *lock(&self.isolate) = Some(isolate);
        if self.must_end() {
            self.stop_script();
        }
    }

    /// Reports that no script runs any more.
    pub(crate) fn detach(&self) {
        lock(&self.isolate).take();
    }

    pub(crate) fn set_outcome(&self, outcome: Option<Failure>) {
        *lock(&self.outcome) = outcome;
    }

    /// The error that ended the worker, if there is one. It is known when the worker's channel is
    /// closed.
    pub(crate) fn take_outcome(&self) -> Option<Failure> {
        lock(&self.outcome).take()
    }

    pub(crate) fn set_exit_code(&self, code: i32) {
        self.exit_code.store(code, Ordering::SeqCst);
    }

    pub(crate) fn exit_code(&self) -> i32 {
        self.exit_code.load(Ordering::SeqCst)
    }

    /// Marks the outcome as final.
    pub(crate) fn set_over(&self) {
        self.over.send_replace(true);
    }

    /// Waits until the outcome is final.
    pub(crate) async fn over(&self) {
        let mut over = self.over.subscribe();
        // This cannot fail, because `self` holds the sender.
        let _ = over.wait_for(|over| *over).await;
    }

    /// Whether the process is about to exit.
    pub(crate) fn is_exiting(&self) -> bool {
        LIVING.lock().is_exiting
    }

    /// Reports that the worker's thread no longer runs scripts.
    pub(crate) fn leave(&self) {
        self.set_over();
        LIVING.lock().workers.remove(&self.id);
        LIVING.left.notify_all();
    }
}

/// The error that ended a worker, as the `error` event of its `Worker` shows it.
#[derive(Debug, ToV8)]
pub(crate) struct Failure {
    /// The error's message.
    pub message: String,
    /// The script of the error, if the place is known.
    pub file_name: Option<String>,
    /// The line, counted from 1.
    pub line_number: Option<f64>,
    /// The column, counted from 1.
    pub column_number: Option<f64>,
}

impl Failure {
    /// A failure outside any script.
    pub(crate) fn new(message: String) -> Self {
        Self {
            message,
            file_name: None,
            line_number: None,
            column_number: None,
        }
    }

    fn of_thread() -> Self {
        Self::new("The thread of the worker ended unexpectedly.".to_string())
    }
}

impl From<&CoreError> for Failure {
    fn from(error: &CoreError) -> Self {
        let CoreErrorKind::Js(error) = error.as_kind() else {
            return Self::new(error.to_string());
        };
        let frame = error.frames.iter().find(|frame| {
            let name = frame.file_name.as_deref();
            name.is_some_and(|name| !name.starts_with("ext:"))
        });
        Self {
            message: error.exception_message.clone(),
            file_name: frame.and_then(|frame| frame.file_name.clone()),
            line_number: frame
                .and_then(|frame| frame.line_number)
                .map(|it| it as f64),
            column_number: frame
                .and_then(|frame| frame.column_number)
                .map(|it| it as f64),
        }
    }
}

/// Ends all web workers of the process, and waits for a short time until no script runs in them. To
/// be called right before the process exits, because an engine must not run while the process is
/// taken down. No worker can start after this.
pub fn end_all() {
    let mut living = LIVING.lock();
    living.is_exiting = true;
    for lifeline in living.workers.values() {
        lifeline.end();
    }
    let deadline = Instant::now() + EXIT_TIMEOUT;
    while !living.workers.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let (guard, _) = LIVING
            .left
            .wait_timeout(living, left)
            .unwrap_or_else(PoisonError::into_inner);
        living = guard;
    }
}

static LIVING: LazyLock<Registry> = LazyLock::new(Registry::default);

/// The workers of the process whose threads run.
#[derive(Default)]
struct Registry {
    state: Mutex<Living>,
    /// Notified when a worker calls [`Lifeline::leave`].
    left: Condvar,
}

#[derive(Default)]
struct Living {
    workers: HashMap<u64, Arc<Lifeline>>,
    is_exiting: bool,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Living> {
        lock(&self.state)
    }
}

/// Locks a mutex. A poisoned mutex is used on, because no statement leaves the data inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the exit waits for workers. A worker in a system call does not notice that it should
/// end.
const EXIT_TIMEOUT: Duration = Duration::from_millis(500);
