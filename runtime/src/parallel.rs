//! Serves a module on several event loops. Each loop evaluates the module, on a thread of its own.
//!
//! The process's main thread is the first loop. When its module has been evaluated, it sets the
//! number of loops (`op_serve_loops`), binds the address, and starts the others
//! (`op_serve_start_loops`). A loop ends when its server has been shut down. The first loop waits
//! for all others. An error that nothing handles in one of them ends the program, and so does
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

/// Why a served program ended early.
pub enum ServeError {
    /// An error in the first event loop.
    First(Box<CoreError>),
    /// An error in another event loop, as text.
    Other(String),
}

impl From<CoreError> for ServeError {
    fn from(error: CoreError) -> Self {
        Self::First(Box::new(error))
    }
}

impl MainWorker {
    /// Like [`run_main_module`](Self::run_main_module), but serves the default export of the
    /// module, `{ fetch, websocket, … }`, after the module was evaluated. `parallel` or the module
    /// says on how many event loops. The server may listen without a permission on the address of
    /// the command line, or on the default address. SIGINT and SIGTERM shut it down, and the
    /// process exits when the last connection has ended. A second signal ends the process at once.
    ///
    /// # Errors
    ///
    /// The errors of `run_main_module`, and an error if the module exports nothing to serve or the
    /// address is taken.
    pub async fn serve_main_module(
        &mut self,
        options: ServeOptions,
        parallel: Parallel,
    ) -> Result<i32, ServeError> {
        serve(self, options, parallel).await
    }
}

/// Runs the first event loop to its end, which is the end of the program.
async fn serve(
    worker: &mut MainWorker,
    options: ServeOptions,
    parallel: Parallel,
) -> Result<i32, ServeError> {
    let siblings = Siblings::first(options, parallel, LoopStart::spawn);
    let together = siblings.together();
    let isolate = worker.js_runtime().v8_isolate().thread_safe_handle();
    let lifeline = together.adopt_first(isolate);
    // The loop leaves before it waits for the others to end, because otherwise it would wait for
    // itself.
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
                // A loop that was stopped has no error of its own.
                Some(failure) => ServeError::Other(failure),
                None => ServeError::from(error),
            }),
        }
    };
    lifeline.detach();
    lifeline.leave();
    result
}

/// The future's output. If another loop ends the process in the meantime, this loop stops here,
/// because the engine must not run while the process is taken down.
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
