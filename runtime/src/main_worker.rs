//! The main worker: one engine with the runtime's globals, which runs one program.

use std::future::poll_fn;
use std::task::Context;

use deno_core::JsRuntime;
use deno_core::ModuleId;
use deno_core::PollEventLoopOptions;
use deno_core::error::CoreError;
use deno_core::error::CoreErrorKind;
use deno_core::url::Url;
use deno_core::v8;
use deno_error::JsErrorBox;
use deno_os::OpExitCallbacks;
use duplex_http::health;

#[cfg(feature = "v8")]
use crate::debugging::Records;
use crate::engine::Engine;
use crate::engine::EngineOptions;
use crate::idle_memory::IdleMemory;
use crate::inspector::Inspector;
use crate::shared_options::Channels;
use crate::shared_options::SharedOptions;
use crate::siblings::ServerEnd;
use crate::siblings::Siblings;
use crate::web_worker::lifeline;
use crate::web_worker::start::WorkerSpawner;
use crate::web_worker::thread;
use crate::worker_error::WorkerError;
use crate::worker_options::WorkerOptions;

/// An engine with the runtime's globals, which runs one program. It must be made and used on a
/// thread with a current-thread tokio runtime. Its web workers end when it is dropped.
pub struct MainWorker {
    engine: Engine,
    main_module: Url,
    preload: Vec<Url>,
    /// `None` after the program has waited for a debugger.
    inspector: Option<Inspector>,
    is_inspected: bool,
    between_turns: BetweenTurns,
    dispatch_load: v8::Global<v8::Function>,
    dispatch_before_unload: v8::Global<v8::Function>,
    dispatch_unload: v8::Global<v8::Function>,
    dispatch_before_exit: v8::Global<v8::Function>,
    dispatch_exit: v8::Global<v8::Function>,
    serve: v8::Global<v8::Function>,
    after_main_module: v8::Global<v8::Function>,
}

/// The work that is done while no script runs.
struct BetweenTurns {
    idle_memory: IdleMemory,
    #[cfg(feature = "v8")]
    records: Records,
}

impl BetweenTurns {
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>, isolate: &mut v8::Isolate) {
        self.idle_memory.poll(cx, isolate);
        #[cfg(feature = "v8")]
        self.records.poll(cx, isolate);
    }
}

impl MainWorker {
    /// Starts an engine and sets up the globals. This does not run any code of the program.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Signal`] if the signal for heap snapshots cannot be handled. The other errors
    /// mean that the start-up data does not fit this runtime, and no program can cause them.
    pub fn new(options: WorkerOptions) -> Result<Self, WorkerError> {
        Self::beside(options, Channels::default())
    }

    /// Like [`Self::new`], with the `channels` of another engine of the program.
    pub(crate) fn beside(options: WorkerOptions, channels: Channels) -> Result<Self, WorkerError> {
        let mut engine = Engine::start(EngineOptions {
            shared: SharedOptions {
                args: options.args,
                blob_store: options.blob_store,
                root_certs: options.root_certs,
                unsafely_ignore_certificate_errors: options.unsafely_ignore_certificate_errors,
                seed: options.seed,
                features: options.features,
                startup: options.startup,
                user_agent: options.user_agent,
                web_workers: options.web_workers,
                inspector: options.inspector.clone(),
                channels,
            },
            main_module: options.main_module.clone(),
            location: options.location,
            permissions: options.permissions,
            module_loader: options.module_loader,
            node: options.node,
            is_main: true,
            is_profiled: options.debugging.cpu_profile.is_some(),
        })?;
        #[cfg(feature = "v8")]
        let records =
            Records::start(&engine.runtime, options.debugging).map_err(WorkerError::Signal)?;
        let state = engine.runtime.op_state();
        state.borrow_mut().put(WorkerSpawner(thread::spawn));
        let main_runtime = engine.function("mainRuntime")?;
        let dispatch_load = engine.function("dispatchLoadEvent")?;
        let dispatch_before_unload = engine.function("dispatchBeforeUnloadEvent")?;
        let dispatch_unload = engine.function("dispatchUnloadEvent")?;
        let dispatch_before_exit = engine.function("dispatchBeforeExit")?;
        let dispatch_exit = engine.function("dispatchExit")?;
        let serve = engine.function("serve")?;
        let after_main_module = engine.function("afterMainModule")?;
        engine.call(&main_runtime).map_err(WorkerError::Bootstrap)?;
        let mut worker = Self {
            engine,
            main_module: options.main_module,
            preload: options.preload,
            is_inspected: options.inspector.is_some(),
            inspector: options.inspector,
            between_turns: BetweenTurns {
                idle_memory: IdleMemory::default(),
                #[cfg(feature = "v8")]
                records,
            },
            dispatch_load,
            dispatch_before_unload,
            dispatch_unload,
            dispatch_before_exit,
            dispatch_exit,
            serve,
            after_main_module,
        };
        worker.set_before_exit(Box::new(lifeline::end_all));
        Ok(worker)
    }

    /// Loads and evaluates the main module, fires `load`, and runs the event loop to its end. Then
    /// it fires `beforeunload` and `beforeExit`, of which a listener can keep the loop going, and
    /// after them `unload` and `exit`. `beforeExit` and `exit` are events of Node.js's `process`.
    /// Returns the exit code, which is 0 unless the program has set another.
    ///
    /// # Errors
    ///
    /// The error of the loader, or the exception or rejection that nothing handled.
    pub async fn run_main_module(&mut self) -> Result<i32, CoreError> {
        let id = self.evaluate_main_module().await?;
        // A module that has thrown has no namespace. The event loop reports the exception.
        if let Ok(namespace) = self.engine.runtime.get_module_namespace(id) {
            let after = &self.after_main_module;
            self.engine.call_with(after, Some(&namespace), |_, _| ())?;
            health::note_started();
        }
        self.run_to_end().await
    }

    /// Serves the main module in this event loop, which is one of the `siblings`.
    pub(crate) async fn serve_as(&mut self, siblings: Siblings) -> Result<i32, CoreError> {
        let is_first = siblings.is_first();
        let server_end = ServerEnd::new();
        siblings.install(
            &mut self.engine.runtime.op_state().borrow_mut(),
            &server_end,
        );
        let id = self.evaluate_main_module().await?;
        let namespace = self.engine.runtime.get_module_namespace(id)?;
        let refusal = self
            .engine
            .call_with(&self.serve, Some(&namespace), |scope, value| {
                value.is_string().then(|| value.to_rust_string_lossy(scope))
            })?;
        if let Some(message) = refusal {
            return Err(CoreErrorKind::JsBox(JsErrorBox::type_error(message)).into_box());
        }
        if is_first {
            return self.run_to_end().await;
        }
        {
            let mut run = std::pin::pin!(self.run_to_end());
            tokio::select! {
                biased;
                () = server_end.wait() => {}
                result = &mut run => return result,
            }
        }
        self.finish()
    }

    /// Sets the function that is called before `Deno.exit()` ends the process.
    pub(crate) fn set_before_exit(&mut self, callback: Box<dyn FnMut()>) {
        let mut callbacks = OpExitCallbacks::default();
        #[cfg(feature = "v8")]
        {
            let records = self.between_turns.records.clone();
            callbacks.push(Box::new(move || records.finish()));
        }
        callbacks.push(callback);
        let state = self.engine.runtime.op_state();
        state.borrow_mut().put(callbacks);
    }

    async fn evaluate_main_module(&mut self) -> Result<ModuleId, CoreError> {
        for module in std::mem::take(&mut self.preload) {
            let id = self.engine.runtime.load_side_es_module(&module).await?;
            self.wait_for_debugger();
            self.evaluate(id).await?;
        }
        let runtime = &mut self.engine.runtime;
        let id = runtime.load_main_es_module(&self.main_module).await?;
        self.wait_for_debugger();
        self.evaluate(id).await?;
        Ok(id)
    }

    /// Waits for a debugger if the program should. This is called before any code of the program
    /// runs, and waits only once.
    fn wait_for_debugger(&mut self) {
        if let Some(inspector) = self.inspector.take() {
            inspector.wait(&self.engine.runtime);
        }
    }

    async fn evaluate(&mut self, id: ModuleId) -> Result<(), CoreError> {
        let runtime = &mut self.engine.runtime;
        let mut evaluated = std::pin::pin!(runtime.mod_evaluate(id));
        tokio::select! {
            // The module's own error comes first, because the event loop reports the same error
            // less precisely.
            biased;
            result = &mut evaluated => result?,
            result = run_event_loop(runtime, &mut self.between_turns, false) => {
                result?;
                evaluated.await?;
            }
        }
        Ok(())
    }

    async fn run_to_end(&mut self) -> Result<i32, CoreError> {
        self.dispatch_load()?;
        loop {
            let runtime = &mut self.engine.runtime;
            run_event_loop(runtime, &mut self.between_turns, self.is_inspected).await?;
            if self.dispatch_before_unload()? && !self.engine.call(&self.dispatch_before_exit)? {
                break;
            }
        }
        self.finish()
    }

    /// Tells the program that it ends. Returns its exit code.
    fn finish(&mut self) -> Result<i32, CoreError> {
        self.dispatch_unload()?;
        self.engine.call(&self.dispatch_exit)?;
        Ok(self.engine.exit_code.get())
    }

    /// Writes the profile that [`WorkerOptions::debugging`] asks for. To be called when the program
    /// has ended. If `Deno.exit()` ends the program, that call writes the profile.
    pub fn write_profile(&self) {
        #[cfg(feature = "v8")]
        self.between_turns.records.finish();
    }

    /// The engine, for embedders that drive it themselves.
    pub fn js_runtime(&mut self) -> &mut JsRuntime {
        &mut self.engine.runtime
    }

    fn dispatch_load(&mut self) -> Result<(), CoreError> {
        self.engine.call(&self.dispatch_load)?;
        Ok(())
    }

    /// Returns false if a listener prevented the default.
    fn dispatch_before_unload(&mut self) -> Result<bool, CoreError> {
        Ok(self.engine.call(&self.dispatch_before_unload)?)
    }

    fn dispatch_unload(&mut self) -> Result<(), CoreError> {
        self.engine.call(&self.dispatch_unload)?;
        Ok(())
    }
}

/// Runs the event loop until nothing keeps it going. An attached debugger keeps it going if
/// `waits_for_debuggers` is true.
async fn run_event_loop(
    runtime: &mut JsRuntime,
    between_turns: &mut BetweenTurns,
    waits_for_debuggers: bool,
) -> Result<(), CoreError> {
    let options = PollEventLoopOptions {
        wait_for_inspector: waits_for_debuggers,
    };
    poll_fn(|cx| {
        let polled = runtime.poll_event_loop(cx, options);
        if polled.is_pending() {
            between_turns.poll(cx, runtime.v8_isolate());
        }
        polled
    })
    .await
}
