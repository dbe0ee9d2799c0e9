//! The thread of a worker: its start, its event loop, its end.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use deno_core::ModuleLoader;
use deno_core::PollEventLoopOptions;
use deno_core::error::CoreError;
use deno_core::url::Url;
use deno_core::v8;
use deno_error::JsErrorBox;

use crate::engine::Engine;
use crate::engine::EngineOptions;
use crate::packages::Node;
use crate::web_worker::lifeline::Failure;
use crate::web_worker::lifeline::Lifeline;
use crate::web_worker::request::WebWorkerRequest;
use crate::web_worker::script::ScriptSource;
use crate::web_worker::start::WebWorkerStart;
use crate::web_worker::start::WebWorkerState;
use crate::web_worker::start::WorkerSpawner;
use crate::worker_error::WorkerError;

/// Starts the worker's thread.
///
/// # Errors
/// If the system cannot start a thread.
pub(crate) fn spawn(start: WebWorkerStart) -> std::io::Result<()> {
    let lifeline = start.lifeline.clone();
    std::thread::Builder::new()
        .name("web worker".to_string())
        .stack_size(STACK_SIZE)
        .spawn(move || run(start))
        .map(drop)
        .inspect_err(|_| lifeline.leave())
}

fn run(start: WebWorkerStart) {
    let lifeline = start.lifeline.clone();
    // A panic in a worker ends only that worker.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        match event_loop() {
            Ok(runtime) => {
                runtime.block_on(live(start));
                // The result of pending work on files and names is no longer needed.
                runtime.shutdown_background();
            }
            Err(error) => start.lifeline.set_outcome(Some(Failure::new(format!(
                "Unable to start the event loop: {error}"
            )))),
        }
    }));
    lifeline.detach();
    lifeline.leave();
}

/// Makes an event loop with the settings of the main program's.
pub(crate) fn event_loop() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(61)
        .global_queue_interval(31)
        .max_io_events_per_tick(1024)
        .max_blocking_threads(32)
        .build()
}

/// Runs a worker from the start of its engine to the end.
async fn live(start: WebWorkerStart) {
    let lifeline = start.lifeline.clone();
    if lifeline.must_end() {
        lifeline.set_outcome(None);
        return;
    }
    let name = start.name.clone();
    let loader = (start.loaders)(WebWorkerRequest {
        owner_permissions: start.owner_permissions.clone(),
        permissions: start.permissions.clone(),
        main_module: start.url.clone(),
        source: start.source.clone(),
    });
    let mut worker = match WebWorker::new(start, loader.module_loader, loader.node) {
        Ok(worker) => worker,
        Err(error) => {
            log::error!("Worker \"{name}\": {error}");
            lifeline.set_outcome(Some(Failure::new(error.to_string())));
            return;
        }
    };
    lifeline.attach(worker.engine.runtime.v8_isolate().thread_safe_handle());
    let result = worker.run().await;
    lifeline.detach();
    if lifeline.is_exiting() {
        lifeline.leave();
        halt();
    }
    if let Err(error) = &result
        && worker.inside.node.is_none()
    {
        let text = (loader.format_error)(error);
        let text = text.strip_prefix("Uncaught ").unwrap_or(&text);
        log::error!("Uncaught (in worker \"{name}\") {text}");
    }
    lifeline.set_outcome(result.as_ref().err().map(Failure::from));
    // The port is closed here so that the owner need not wait until the engine is taken down.
    worker.inside.port.disentangle();
    lifeline.set_over();
}

/// Stops this thread for ever. Other threads end the process.
pub(crate) fn halt() -> ! {
    loop {
        std::thread::park();
    }
}

struct WebWorker {
    engine: Engine,
    inside: Rc<WebWorkerState>,
    url: Url,
    /// The text of the script, if it was read already.
    text: Option<Arc<str>>,
    scripts: ScriptSource,
    start_messages: v8::Global<v8::Function>,
    /// Whether a thread of `node:worker_threads` waits for messages.
    awaits_messages: v8::Global<v8::Function>,
    dispatch_exit: v8::Global<v8::Function>,
}

impl WebWorker {
    fn new(
        start: WebWorkerStart,
        module_loader: Rc<dyn ModuleLoader>,
        node: Node,
    ) -> Result<Self, WorkerError> {
        let scripts = ScriptSource::new(&start.shared, start.owner_permissions);
        let mut engine = Engine::start(EngineOptions {
            shared: start.shared,
            main_module: start.url.clone(),
            location: Some(start.url.clone()),
            permissions: start.permissions,
            module_loader,
            node,
            is_main: false,
            is_profiled: false,
        })?;
        let inside = Rc::new(WebWorkerState {
            name: start.name,
            is_classic: start.is_classic,
            node: start.node,
            port: start.port,
            lifeline: start.lifeline,
        });
        {
            let state = engine.runtime.op_state();
            let mut state = state.borrow_mut();
            state.put(inside.clone());
            state.put(WorkerSpawner(spawn));
        }
        let worker_runtime = engine.function("workerRuntime")?;
        let start_messages = engine.function("startMessages")?;
        let awaits_messages = engine.function("awaitsMessages")?;
        let dispatch_exit = engine.function("dispatchExit")?;
        engine
            .call(&worker_runtime)
            .map_err(WorkerError::Bootstrap)?;
        Ok(Self {
            engine,
            inside,
            url: start.url,
            text: start.source.and_then(|source| source.text),
            scripts,
            start_messages,
            awaits_messages,
            dispatch_exit,
        })
    }

    /// Runs the worker's script and event loop until the worker must end or an error ends it.
    async fn run(&mut self) -> Result<(), CoreError> {
        let node_code = self.inside.node.as_ref().and_then(|node| node.code.clone());
        let result = match (node_code, self.inside.is_classic) {
            (Some(code), _) => self.run_text("[worker eval]".to_string(), code),
            (None, true) => self.run_script().await,
            (None, false) => self.run_module().await,
        };
        let result = match result {
            Ok(()) => self.run_event_loop().await,
            Err(error) => Err(error),
        };
        let result = result.and_then(|()| self.exit());
        // A worker that was stopped has no error of its own.
        match self.inside.lifeline.must_end() {
            true => Ok(()),
            false => result,
        }
    }

    async fn run_script(&mut self) -> Result<(), CoreError> {
        let (url, text) = match self.text.take() {
            Some(text) => (self.url.clone(), text),
            None => {
                let read = self.scripts.clone().read(self.url.clone());
                let Some(script) = unless_ended(&self.inside.lifeline, read).await else {
                    return Ok(());
                };
                let script = script.map_err(JsErrorBox::from_err)?;
                (script.url, script.text)
            }
        };
        self.run_text(url.to_string(), text.to_string())
    }

    fn run_text(&mut self, name: String, text: String) -> Result<(), CoreError> {
        self.engine.runtime.execute_script(name, text)?;
        self.start_messages()
    }

    async fn run_module(&mut self) -> Result<(), CoreError> {
        let loaded = self.engine.runtime.load_main_es_module(&self.url);
        let Some(id) = unless_ended(&self.inside.lifeline, loaded).await else {
            return Ok(());
        };
        let id = id?;
        let mut evaluated = std::pin::pin!(self.engine.runtime.mod_evaluate(id));
        self.start_messages()?;
        tokio::select! {
            // The module's own error comes first, because the event loop reports the same error
            // less precisely.
            biased;
            result = &mut evaluated => result,
            result = self.run_event_loop() => {
                result?;
                match self.inside.lifeline.must_end() {
                    true => Ok(()),
                    false => evaluated.await,
                }
            }
        }
    }

    /// Begins to dispatch messages. The messages that have already come are dispatched when the
    /// script has run, and later messages when they come.
    fn start_messages(&mut self) -> Result<(), CoreError> {
        if !self.inside.lifeline.must_end() {
            self.engine.call(&self.start_messages)?;
        }
        Ok(())
    }

    async fn run_event_loop(&mut self) -> Result<(), CoreError> {
        let lifeline = self.inside.lifeline.clone();
        let is_node = self.inside.node.is_some();
        poll_fn(|cx| {
            lifeline.register(cx.waker());
            if lifeline.must_end() {
                return Poll::Ready(Ok(()));
            }
            let polled = self
                .engine
                .runtime
                .poll_event_loop(cx, PollEventLoopOptions::default());
            if lifeline.must_end() {
                return Poll::Ready(Ok(()));
            }
            // Waiting for a message does not keep a thread of Node.js alive, but a listener for
            // messages does.
            if is_node
                && matches!(polled, Poll::Ready(Ok(())))
                && self.engine.call(&self.awaits_messages)?
            {
                return Poll::Pending;
            }
            polled
        })
        .await
    }

    /// Tells a thread of Node.js that it ends because it has nothing left to do.
    fn exit(&mut self) -> Result<(), CoreError> {
        let lifeline = self.inside.lifeline.clone();
        if self.inside.node.is_some() && !lifeline.must_end() {
            self.engine.call(&self.dispatch_exit)?;
            lifeline.set_exit_code(self.engine.exit_code.get());
        }
        Ok(())
    }
}

/// The future's output, or nothing if the worker should end before.
async fn unless_ended<T>(lifeline: &Lifeline, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        lifeline.register(cx.waker());
        if lifeline.must_end() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The size of the main thread's stack on most systems. The system allocates only the part that is
/// used.
pub(crate) const STACK_SIZE: usize = 8 << 20;
