//! The state that the event loops of a served program share.

use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use deno_core::OpState;
use deno_core::error::CoreError;
use deno_core::v8;
use duplex_http::EventLoops;
use duplex_http::MAX_LOOPS;
use tokio::sync::watch;

use crate::serve_options::ServeOptions;
use crate::shared_options::SharedOptions;
use crate::web_worker::lifeline::Lifeline;
use crate::worker_options::WorkerOptions;

/// Makes the parts of an event loop, on the loop's thread.
pub type LoopMaker = Arc<dyn Fn() -> LoopParts + Send + Sync>;

/// What an event loop needs from its embedder.
pub struct LoopParts {
    /// The options of the program, as for the first loop.
    pub options: WorkerOptions,
    /// Formats an error that ends the program.
    pub format_error: Box<dyn Fn(&CoreError) -> String>,
}

/// How many event loops serve a module, and how they are made.
#[derive(Clone)]
pub struct Parallel {
    /// The number of loops on the command line, which takes precedence over the module. If neither
    /// gives a number, there is one loop.
    pub loops: Option<NonZeroUsize>,
    /// Makes all loops but the first.
    pub make: LoopMaker,
}

impl Parallel {
    /// The greatest number of loops.
    pub const MAX_LOOPS: NonZeroUsize = NonZeroUsize::new(MAX_LOOPS).unwrap();

    /// The number of loops if several are asked for without a number: the environment variable
    /// `DENO_JOBS`, or else the number of cores that the program may use.
    pub fn default_loops() -> NonZeroUsize {
        let jobs = std::env::var("DENO_JOBS").ok();
        jobs.and_then(|jobs| jobs.parse().ok())
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }
}

/// The state that an event loop has of the others. It is in the loop's `OpState`.
pub(crate) struct Siblings {
    /// Starts the thread of another loop.
    spawn: SpawnLoop,
    options: ServeOptions,
    parallel: Parallel,
    /// The number of this loop.
    index: usize,
    loops: Arc<EventLoops>,
    together: Arc<Together>,
}

impl Siblings {
    /// Makes the state of the first loop, which starts the others by `spawn`.
    pub(crate) fn first(options: ServeOptions, parallel: Parallel, spawn: SpawnLoop) -> Self {
        Self {
            spawn,
            options,
            parallel,
            index: 0,
            loops: EventLoops::new(),
            together: Arc::default(),
        }
    }

    /// The number of the loop.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// How the loops are made.
    pub(crate) fn parallel(&self) -> &Parallel {
        &self.parallel
    }

    /// Puts this into the `state` of the loop, before any code of the program runs.
    pub(crate) fn install(self, state: &mut OpState, server_end: &ServerEnd) {
        self.options.install(state);
        state.put(server_end.clone());
        state.put(self.loops.get(self.index));
        state.put(self);
    }

    /// Whether this is the loop that the program began with.
    pub(crate) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// The state that all loops share.
    pub(crate) fn together(&self) -> Arc<Together> {
        self.together.clone()
    }

    /// Sets the number of loops, if it is not set yet. `wanted` is the number that the module asks
    /// for, and 0 asks for [`Parallel::default_loops`].
    pub(crate) fn set_loops(state: &OpState, wanted: Option<usize>) {
        let Some(siblings) = state.try_borrow::<Self>() else {
            return;
        };
        let loops = siblings.parallel.loops.unwrap_or_else(|| match wanted {
            None => NonZeroUsize::MIN,
            Some(wanted) => NonZeroUsize::new(wanted).unwrap_or_else(Parallel::default_loops),
        });
        siblings.loops.set_count(loops.get());
    }

    /// Starts the other loops if this is the first loop.
    pub(crate) fn start(state: &mut OpState) -> std::io::Result<()> {
        let shared = state.borrow::<SharedOptions>().clone();
        let Some(siblings) = state.try_borrow::<Self>() else {
            return Ok(());
        };
        let (loops, spawn) = (siblings.loops.clone(), siblings.spawn);
        let together = siblings.together.clone();
        if !siblings.is_first() || loops.count() == 1 {
            return Ok(());
        }
        let others = loops.count() - 1;
        together.set_running(others);
        for index in 1..loops.count() {
            let start = LoopStart {
                siblings: Self {
                    spawn,
                    options: siblings.options.clone(),
                    parallel: siblings.parallel.clone(),
                    index,
                    loops: loops.clone(),
                    together: together.clone(),
                },
                shared: shared.clone(),
                lifeline: Lifeline::new(),
            };
            spawn(start)?;
        }
        Ok(())
    }
}

/// The state that all event loops of a program share.
pub(crate) struct Together {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// The lifeline of the first loop, if the program is served.
    first: Mutex<Option<Arc<Lifeline>>>,
}

#[derive(Default)]
struct State {
    /// How many loops run besides the first.
    running: usize,
    /// The first exit code of these loops that is not 0.
    exit_code: i32,
    /// The text of the first error.
    failure: Option<String>,
}

impl Default for Together {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
            first: Mutex::default(),
        }
    }
}

impl Together {
    pub(crate) fn set_running(&self, running: usize) {
        lock(&self.state).running = running;
    }

    /// Makes it possible for another loop to stop the first loop.
    pub(crate) fn adopt_first(&self, isolate: v8::IsolateHandle) -> Arc<Lifeline> {
        let lifeline = Lifeline::new();
        lifeline.attach(isolate);
        *lock(&self.first) = Some(lifeline.clone());
        lifeline
    }

    /// Reports that an error has ended one of the loops.
    pub(crate) fn fail(&self, message: String) {
        lock(&self.state).failure.get_or_insert(message);
        self.changed.send_replace(());
        // The first loop may be in a script that never returns.
        if let Some(first) = &*lock(&self.first) {
            first.end();
        }
    }

    /// Reports that a loop other than the first has ended.
    pub(crate) fn end(&self, exit_code: i32) {
        {
            let mut state = lock(&self.state);
            state.running -= 1;
            if state.exit_code == 0 {
                state.exit_code = exit_code;
            }
        }
        self.changed.send_replace(());
    }

    pub(crate) fn failure(&self) -> Option<String> {
        lock(&self.state).failure.take()
    }

    /// Waits for an error in another loop.
    pub(crate) async fn failed(&self) -> String {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(failure) = self.failure() {
                return failure;
            }
            // This cannot fail, because `self` holds the sender.
            let _ = changed.changed().await;
        }
    }

    /// Waits until the first loop is the only one left. Returns the exit code of the others.
    pub(crate) async fn others_ended(&self) -> i32 {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let state = lock(&self.state);
                if state.running == 0 {
                    return state.exit_code;
                }
            }
            let _ = changed.changed().await;
        }
    }
}

/// The parameters for the start of a loop other than the first.
pub(crate) struct LoopStart {
    /// The loop's state of the other loops.
    pub siblings: Siblings,
    /// The options that all engines of the program share.
    pub shared: SharedOptions,
    pub lifeline: Arc<Lifeline>,
}

/// Starts the thread of an event loop.
pub(crate) type SpawnLoop = fn(LoopStart) -> std::io::Result<()>;

/// A signal that `op_serve_end` sets in a loop other than the first, when the server of the loop
/// has been shut down.
#[derive(Clone)]
pub(crate) struct ServerEnd(Rc<watch::Sender<bool>>);

impl ServerEnd {
    pub(crate) fn new() -> Self {
        Self(Rc::new(watch::Sender::new(false)))
    }

    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn wait(&self) {
        let mut ended = self.0.subscribe();
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

/// Locks a mutex. A poisoned mutex is used on, because no statement leaves the data inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
