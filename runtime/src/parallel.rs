//! A module that is served on several event loops: each has the module, on a thread of its
//! own.
//!
//! The process's main thread is the first loop. When its module has been evaluated, it says
//! how many loops there are (`op_serve_loops`), binds the address, and starts the others
//! (`op_serve_start_loops`). A loop ends when its server has been shut down; the first one
//! waits for all. An error that nobody handles in one of them is the program's, and so is
//! `Deno.exit()`.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use deno_core::error::CoreError;

pub use crate::siblings::LoopMaker;
pub use crate::siblings::LoopParts;
pub use crate::siblings::Parallel;

use crate::main_worker::MainWorker;
use crate::serve_options::ServeOptions;
use crate::siblings::LoopStart;
use crate::siblings::Siblings;
use crate::web_worker::lifeline;
use crate::web_worker::lifeline::Lifeline;
use crate::web_worker::thread;

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

impl MainWorker {
    /// Like [`run_main_module`](Self::run_main_module), but serves what the module
    /// exports by default, `{ fetch, websocket, … }`, once it was evaluated, on as many event
    /// loops as `parallel` or the module says. The server may listen on the address of the
    /// command line, or on the default, without a permission. SIGINT and SIGTERM shut it
    /// down, and the process exits when the last connection has ended; a second signal ends
    /// the process at once.
    ///
    /// # Errors
    ///
    /// As `run_main_module`, and when the module exports nothing to serve, or the
    /// address is taken.
    pub async fn serve_main_module(
        &mut self,
        options: ServeOptions,
        parallel: Parallel,
    ) -> Result<i32, ServeError> {
        serve(self, options, parallel).await
    }
}

/// Runs the first loop, and with it the program, to its end.
async fn serve(
    worker: &mut MainWorker,
    options: ServeOptions,
    parallel: Parallel,
) -> Result<i32, ServeError> {
    let siblings = Siblings::first(options, parallel, LoopStart::spawn);
    let together = siblings.together();
    let isolate = worker.js_runtime().v8_isolate().thread_safe_handle();
    let lifeline = together.adopt_first(isolate);
    // It leaves before it waits for the others to end.
    let before_exit = {
        let lifeline = lifeline.clone();
        move || {
            lifeline.leave();
            lifeline::end_all();
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
        thread::halt();
    }
}

impl LoopStart {
    fn spawn(self) -> std::io::Result<()> {
        let lifeline = self.lifeline.clone();
        std::thread::Builder::new()
            .name(format!("event loop {}", self.siblings.index() + 1))
            .stack_size(thread::STACK_SIZE)
            .spawn(move || self.run())
            .map(drop)
            .inspect_err(|_| lifeline.leave())
    }

    fn run(self) {
        let together = self.siblings.together();
        let lifeline = self.lifeline.clone();
        let name = self.siblings.index() + 1;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let runtime = thread::event_loop()
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
            shared,
            lifeline,
        } = self;
        let LoopParts {
            options,
            format_error,
        } = (siblings.parallel().make)();
        let mut worker =
            MainWorker::beside(options, shared.channels).map_err(|error| error.to_string())?;
        lifeline.attach(worker.js_runtime().v8_isolate().thread_safe_handle());
        let before_exit = {
            let lifeline = lifeline.clone();
            move || {
                lifeline.leave();
                lifeline::end_all();
            }
        };
        worker.set_before_exit(Box::new(before_exit));
        let result = unless_exiting(&lifeline, worker.serve_as(siblings)).await;
        worker.write_profile();
        result.map_err(|error| format_error(&error))
    }
}
