//! A module that is served on several event loops: each has the module, on a thread of its
//! own.
//!
//! The process's main thread is the first loop. When its module has been evaluated, it says
//! how many loops there are (`op_serve_loops`), binds the address, and starts the others
//! (`op_serve_start_loops`). A loop ends when its server has been shut down; the first one
//! waits for all. An error that nobody handles in one of them is the program's, and so is
//! `Deno.exit()`.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use deno_core::OpState;
use deno_core::error::CoreError;
use duplex_http::EventLoops;
use duplex_http::MAX_LOOPS;
use tokio::sync::watch;

use crate::engine::Common;
use crate::ops::ServeAddress;
use crate::web_worker;
use crate::web_worker::Lifeline;
use crate::worker::Worker;
use crate::worker::WorkerOptions;

/// Makes what an event loop runs, on the loop's thread.
pub type LoopMaker = Arc<dyn Fn() -> LoopParts + Send + Sync>;

/// What an event loop needs of its embedder.
pub struct LoopParts {
    /// The program, as in the first loop.
    pub options: WorkerOptions,
    /// The text of an error that ends the program.
    pub format_error: Box<dyn Fn(&CoreError) -> String>,
}

/// How many event loops serve a module, and how they are made.
#[derive(Clone)]
pub struct Parallel {
    /// What the command line says; it goes before what the module says, which has one loop
    /// where it says nothing.
    pub loops: Option<NonZeroUsize>,
    /// Makes all loops but the first.
    pub make: LoopMaker,
}

impl Parallel {
    /// How many loops there may be.
    pub const MAX_LOOPS: NonZeroUsize = NonZeroUsize::new(MAX_LOOPS).unwrap();

    /// How many loops there are by default where somebody asks for more than one: what
    /// `DENO_JOBS` says, or else as many as the program may use cores.
    pub fn default_loops() -> NonZeroUsize {
        let jobs = std::env::var("DENO_JOBS").ok();
        jobs.and_then(|jobs| jobs.parse().ok())
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }
}

/// Why a served program ended before its time.
pub enum ServeError {
    /// In the first event loop.
    First(Box<CoreError>),
    /// In another one, as its embedder has formatted it.
    Other(String),
}

impl From<CoreError> for ServeError {
    fn from(error: CoreError) -> Self {
        Self::First(Box::new(error))
    }
}

/// What an event loop knows of the others. It is in the loop's `OpState`.
pub(crate) struct Siblings {
    address: ServeAddress,
    parallel: Parallel,
    /// The number of this loop.
    index: usize,
    loops: Arc<EventLoops>,
    together: Arc<Together>,
}

impl Siblings {
    pub fn first(address: ServeAddress, parallel: Parallel) -> Self {
        Self {
            address,
            parallel,
            index: 0,
            loops: EventLoops::new(),
            together: Arc::default(),
        }
    }

    /// Puts what the loop is to know into its `state`, before any of the program runs.
    pub fn install(self, state: &mut OpState, server_end: &ServerEnd) {
        state.put(self.address.own());
        state.put(self.address.clone());
        state.put(server_end.clone());
        state.put(self.loops.get(self.index));
        state.put(self);
    }

    pub fn is_first(&self) -> bool {
        self.index == 0
    }

    pub fn together(&self) -> Arc<Together> {
        self.together.clone()
    }

    /// Fixes how many loops there are, where that is not known yet. `wanted` is what the
    /// module says: 0 is the default of those that want several.
    pub fn set_loops(state: &OpState, wanted: Option<usize>) {
        let Some(siblings) = state.try_borrow::<Self>() else {
            return;
        };
        let loops = siblings.parallel.loops.unwrap_or_else(|| match wanted {
            None => NonZeroUsize::MIN,
            Some(wanted) => NonZeroUsize::new(wanted).unwrap_or_else(Parallel::default_loops),
        });
        siblings.loops.set_count(loops.get());
    }

    /// Starts the other loops, where this one is the first.
    pub fn start(state: &mut OpState) -> std::io::Result<()> {
        let common = state.borrow::<Common>().clone();
        let Some(siblings) = state.try_borrow::<Self>() else {
            return Ok(());
        };
        let loops = siblings.loops.clone();
        let together = siblings.together.clone();
        if !siblings.is_first() || loops.count() == 1 {
            return Ok(());
        }
        let others = loops.count() - 1;
        together.set_running(others);
        for index in 1..loops.count() {
            let start = Start {
                siblings: Self {
                    address: siblings.address.clone(),
                    parallel: siblings.parallel.clone(),
                    index,
                    loops: loops.clone(),
                    together: together.clone(),
                },
                common: common.clone(),
                lifeline: Lifeline::new(),
            };
            start.spawn()?;
        }
        Ok(())
    }
}

/// What all event loops of a program have in common.
pub(crate) struct Together {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// The first loop's, once there are others.
    first: Mutex<Option<Arc<Lifeline>>>,
}

#[derive(Default)]
struct State {
    /// How many loops run beside the first.
    running: usize,
    /// The first exit code of one of those that is not 0.
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
    fn set_running(&self, running: usize) {
        lock(&self.state).running = running;
    }

    /// Makes it possible for another loop to stop the first one.
    fn adopt_first(&self, worker: &mut Worker) -> Arc<Lifeline> {
        let lifeline = Lifeline::new();
        lifeline.attach(worker.js_runtime().v8_isolate().thread_safe_handle());
        *lock(&self.first) = Some(lifeline.clone());
        lifeline
    }

    /// An error has ended one of the loops.
    fn fail(&self, message: String) {
        lock(&self.state).failure.get_or_insert(message);
        self.changed.send_replace(());
        // It may be in a script that does not come back.
        if let Some(first) = &*lock(&self.first) {
            first.end();
        }
    }

    /// A loop that is not the first has ended.
    fn end(&self, exit_code: i32) {
        {
            let mut state = lock(&self.state);
            state.running -= 1;
            if state.exit_code == 0 {
                state.exit_code = exit_code;
            }
        }
        self.changed.send_replace(());
    }

    fn failure(&self) -> Option<String> {
        lock(&self.state).failure.take()
    }

    /// Waits for an error in another loop.
    async fn failed(&self) -> String {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(failure) = self.failure() {
                return failure;
            }
            // Fails where the sender is gone, which this holds.
            let _ = changed.changed().await;
        }
    }

    /// Waits until the first loop is the only one left. Returns the exit code of the others.
    pub async fn others_ended(&self) -> i32 {
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

/// Runs the first loop, and with it the program, to its end.
pub(crate) async fn serve(
    worker: &mut Worker,
    address: ServeAddress,
    parallel: Parallel,
) -> Result<i32, ServeError> {
    let siblings = Siblings::first(address, parallel);
    let together = siblings.together();
    let lifeline = together.adopt_first(worker);
    // It leaves before it waits for the others to end.
    let before_exit = {
        let lifeline = lifeline.clone();
        move || {
            lifeline.leave();
            web_worker::end_all();
        }
    };
    worker.set_before_exit(Box::new(before_exit));
    let result = {
        let run = async {
            let code = worker.serve_as(siblings).await?;
            Ok::<_, CoreError>(match together.others_ended().await {
                0 => code,
                others if code == 0 => others,
                _ => code,
            })
        };
        let run = std::pin::pin!(unless_exiting(&lifeline, run));
        tokio::select! {
            biased;
            failure = together.failed() => Err(ServeError::Other(failure)),
            result = run => result.map_err(|error| match together.failure() {
                // What was stopped halfway has no error of its own.
                Some(failure) => ServeError::Other(failure),
                None => ServeError::from(error),
            }),
        }
    };
    lifeline.detach();
    lifeline.leave();
    result
}

/// The future's output. Where another loop ends the process meanwhile, this one stops here,
/// for the engine must not run while the process is taken down.
async fn unless_exiting<T>(lifeline: &Lifeline, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        lifeline.register(cx.waker());
        halt_if_exiting(lifeline);
        let polled = future.as_mut().poll(cx);
        halt_if_exiting(lifeline);
        polled
    })
    .await
}

fn halt_if_exiting(lifeline: &Lifeline) {
    if lifeline.must_end() && lifeline.is_exiting() {
        lifeline.leave();
        web_worker::halt();
    }
}

/// What a loop that is not the first starts with.
struct Start {
    siblings: Siblings,
    common: Common,
    lifeline: Arc<Lifeline>,
}

impl Start {
    fn spawn(self) -> std::io::Result<()> {
        let lifeline = self.lifeline.clone();
        std::thread::Builder::new()
            .name(format!("event loop {}", self.siblings.index + 1))
            .stack_size(web_worker::STACK_SIZE)
            .spawn(move || self.run())
            .map(drop)
            .inspect_err(|_| lifeline.leave())
    }

    fn run(self) {
        let together = self.siblings.together();
        let lifeline = self.lifeline.clone();
        let name = self.siblings.index + 1;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let runtime = web_worker::event_loop()
                .map_err(|error| format!("Unable to start event loop {name}: {error}"))?;
            let result = runtime.block_on(self.live());
            runtime.shutdown_background();
            result
        }));
        lifeline.detach();
        match result {
            Ok(Ok(code)) => together.end(code),
            Ok(Err(message)) => together.fail(message),
            Err(_) => together.fail(format!("Event loop {name} ended unexpectedly")),
        }
        lifeline.leave();
    }

    /// Serves until the server has been shut down. Returns the exit code.
    async fn live(self) -> Result<i32, String> {
        let Self {
            siblings,
            common,
            lifeline,
        } = self;
        let LoopParts {
            options,
            format_error,
        } = (siblings.parallel.make)();
        let mut worker =
            Worker::beside(options, common.channels).map_err(|error| error.to_string())?;
        lifeline.attach(worker.js_runtime().v8_isolate().thread_safe_handle());
        let before_exit = {
            let lifeline = lifeline.clone();
            move || {
                lifeline.leave();
                web_worker::end_all();
            }
        };
        worker.set_before_exit(Box::new(before_exit));
        let result = unless_exiting(&lifeline, worker.serve_as(siblings)).await;
        result.map_err(|error| format_error(&error))
    }
}

/// Resolved by `op_serve_end` of a loop that is not the first: its server has been shut
/// down.
#[derive(Clone)]
pub(crate) struct ServerEnd(Rc<watch::Sender<bool>>);

impl ServerEnd {
    pub fn new() -> Self {
        Self(Rc::new(watch::Sender::new(false)))
    }

    pub fn set(&self) {
        self.0.send_replace(true);
    }

    pub async fn wait(&self) {
        let mut ended = self.0.subscribe();
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

/// The data is whole between any two statements that hold it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
