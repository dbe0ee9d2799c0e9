//! A worker: one engine with the runtime's globals, running one program.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::JsRuntime;
use deno_core::ModuleId;
use deno_core::ModuleLoader;
use deno_core::PollEventLoopOptions;
use deno_core::error::CoreError;
use deno_core::error::CoreErrorKind;
use deno_core::error::JsError;
use deno_core::url::Url;
use deno_core::v8;
use deno_error::JsErrorBox;
use deno_os::OpExitCallbacks;
use deno_permissions::PermissionsContainer;
use deno_web::BlobStore;
use deno_web::BlobStoreTrait;

use crate::RootCerts;
use crate::engine::Channels;
use crate::engine::Common;
use crate::engine::Engine;
use crate::engine::EngineOptions;
use crate::features::Features;
use crate::idle_memory::IdleMemory;
use crate::ops::ServeAddress;
use crate::packages::Node;
use crate::parallel;
use crate::parallel::Parallel;
use crate::parallel::ServeError;
use crate::parallel::ServerEnd;
use crate::parallel::Siblings;
use crate::snapshot::StartupData;
use crate::web_worker;
use crate::web_worker::WebWorkerLoaders;

/// The release of Deno whose semantics are the reference, as in
/// `Deno.version.deno`.
pub const DENO_VERSION: &str = "2.9.8";
/// The release of TypeScript whose syntax deno_ast reads.
pub const TYPESCRIPT_VERSION: &str = "6.0.3";

/// The engine and its version: `("v8", "15.0.245.2")`, `("quickjs", "0.15.1")`.
#[cfg(feature = "v8")]
pub fn engine() -> (&'static str, &'static str) {
    ("v8", v8::VERSION_STRING)
}

/// The engine and its version: `("v8", "15.0.245.2")`, `("quickjs", "0.15.1")`.
#[cfg(not(feature = "v8"))]
pub fn engine() -> (&'static str, &'static str) {
    unsafe extern "C" {
        safe fn JS_GetVersion() -> *const std::ffi::c_char;
    }
    // The engine's crate tells only which V8 its interface is that of.
    // SAFETY: QuickJS returns a string literal.
    let version = unsafe { std::ffi::CStr::from_ptr(JS_GetVersion()) };
    ("quickjs", version.to_str().unwrap_or_default())
}

/// How to make a [`Worker`].
pub struct WorkerOptions {
    /// The program's arguments, `Deno.args`.
    pub args: Vec<String>,
    /// The program, `Deno.mainModule`.
    pub main_module: Url,
    /// `globalThis.location`; without one it is undefined.
    pub location: Option<Url>,
    /// What the program may do. See [`crate::permissions`].
    pub permissions: PermissionsContainer,
    /// Resolves and loads the program's modules.
    pub module_loader: Rc<dyn ModuleLoader>,
    /// Node.js's modules and packages. Share the packages with the loader.
    pub node: Node,
    /// What `URL.createObjectURL` fills. Share it with the loader for `blob:`
    /// modules.
    pub blob_store: Arc<dyn BlobStoreTrait>,
    /// The certificate authorities that TLS clients trust.
    pub root_certs: Arc<RootCerts>,
    /// Hosts whose certificates are not verified; an empty list means all.
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    /// Makes `Math.random` and `crypto.getRandomValues` repeatable.
    pub seed: Option<u64>,
    /// Deno's unstable features that are on.
    pub features: Features,
    /// What the build script prepared, see [`crate::write_startup_data`].
    pub startup: StartupData,
    /// `navigator.userAgent` and the `User-Agent` of requests.
    pub user_agent: String,
    /// Modules that are evaluated before the program's.
    pub preload: Vec<Url>,
    /// Makes the module loaders of web workers. Without it a program cannot make
    /// any.
    pub web_workers: Option<WebWorkerLoaders>,
}

impl WorkerOptions {
    /// Options for `main_module` with the given permissions and loader and
    /// the defaults for everything else.
    pub fn new(
        main_module: Url,
        permissions: PermissionsContainer,
        module_loader: Rc<dyn ModuleLoader>,
    ) -> Self {
        Self {
            args: Vec::new(),
            main_module,
            location: None,
            permissions,
            module_loader,
            node: Node::default(),
            blob_store: BlobStore::default_arc(),
            root_certs: Arc::default(),
            unsafely_ignore_certificate_errors: None,
            seed: None,
            features: Features::default(),
            startup: StartupData::default(),
            user_agent: format!("Deno/{DENO_VERSION} duplex/{}", env!("CARGO_PKG_VERSION")),
            preload: Vec::new(),
            web_workers: None,
        }
    }
}

/// Why a worker could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The engine or an extension did not start.
    #[error("cannot start the engine: {0}")]
    Core(#[from] CoreError),
    /// The bootstrap script threw. A defect of the runtime.
    #[error("cannot set up the globals: {0}")]
    Bootstrap(Box<JsError>),
    /// The bootstrap script did not define what the worker calls. A defect of
    /// the runtime.
    #[error("the bootstrap script does not define {0}")]
    Undefined(&'static str),
}

/// An engine with the runtime's globals. Make and use it on a thread with a
/// current-thread tokio runtime. Its web workers end when it is dropped.
pub struct Worker {
    engine: Engine,
    main_module: Url,
    preload: Vec<Url>,
    idle_memory: IdleMemory,
    dispatch_load: v8::Global<v8::Function>,
    dispatch_before_unload: v8::Global<v8::Function>,
    dispatch_unload: v8::Global<v8::Function>,
    dispatch_before_exit: v8::Global<v8::Function>,
    dispatch_exit: v8::Global<v8::Function>,
    serve: v8::Global<v8::Function>,
}

impl Worker {
    /// Starts an engine and sets up the globals. No code of the program runs
    /// yet.
    ///
    /// # Errors
    ///
    /// When the start-up data does not fit this runtime. Nothing that a
    /// program does leads here.
    pub fn new(options: WorkerOptions) -> Result<Self, WorkerError> {
        Self::beside(options, Channels::default())
    }

    /// The same with the `channels` of another engine of the program.
    pub(crate) fn beside(options: WorkerOptions, channels: Channels) -> Result<Self, WorkerError> {
        let mut engine = Engine::start(EngineOptions {
            common: Common {
                args: options.args,
                blob_store: options.blob_store,
                root_certs: options.root_certs,
                unsafely_ignore_certificate_errors: options.unsafely_ignore_certificate_errors,
                seed: options.seed,
                features: options.features,
                startup: options.startup,
                user_agent: options.user_agent,
                web_workers: options.web_workers,
                channels,
            },
            main_module: options.main_module.clone(),
            location: options.location,
            permissions: options.permissions,
            module_loader: options.module_loader,
            node: options.node,
            is_main: true,
        })?;
        let main_runtime = engine.function("mainRuntime")?;
        let dispatch_load = engine.function("dispatchLoadEvent")?;
        let dispatch_before_unload = engine.function("dispatchBeforeUnloadEvent")?;
        let dispatch_unload = engine.function("dispatchUnloadEvent")?;
        let dispatch_before_exit = engine.function("dispatchBeforeExit")?;
        let dispatch_exit = engine.function("dispatchExit")?;
        let serve = engine.function("serve")?;
        engine.call(&main_runtime).map_err(WorkerError::Bootstrap)?;
        let mut worker = Self {
            engine,
            main_module: options.main_module,
            preload: options.preload,
            idle_memory: IdleMemory::default(),
            dispatch_load,
            dispatch_before_unload,
            dispatch_unload,
            dispatch_before_exit,
            dispatch_exit,
            serve,
        };
        worker.set_before_exit(Box::new(web_worker::end_all));
        Ok(worker)
    }

    /// Loads and evaluates the main module, fires `load`, runs the event loop
    /// to its end, fires `beforeunload` (a listener that prevents its default
    /// keeps the loop going) and `unload`, and those of Node.js's `process`. Returns the exit
    /// code, which is 0 unless the program set it.
    ///
    /// # Errors
    ///
    /// What the loader answered, or the exception or rejection that nobody
    /// handled.
    pub async fn run_main_module(&mut self) -> Result<i32, CoreError> {
        self.evaluate_main_module().await?;
        self.run_to_end().await
    }

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
        address: ServeAddress,
        parallel: Parallel,
    ) -> Result<i32, ServeError> {
        parallel::serve(self, address, parallel).await
    }

    /// Serves in one event loop.
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

    /// What is called before `Deno.exit()` ends the process.
    pub(crate) fn set_before_exit(&mut self, callback: Box<dyn FnMut()>) {
        let mut callbacks = OpExitCallbacks::default();
        callbacks.push(callback);
        let state = self.engine.runtime.op_state();
        state.borrow_mut().put(callbacks);
    }

    async fn evaluate_main_module(&mut self) -> Result<ModuleId, CoreError> {
        for module in std::mem::take(&mut self.preload) {
            let id = self.engine.runtime.load_side_es_module(&module).await?;
            self.evaluate(id).await?;
        }
        let runtime = &mut self.engine.runtime;
        let id = runtime.load_main_es_module(&self.main_module).await?;
        self.evaluate(id).await?;
        Ok(id)
    }

    async fn evaluate(&mut self, id: ModuleId) -> Result<(), CoreError> {
        let runtime = &mut self.engine.runtime;
        let mut evaluated = std::pin::pin!(runtime.mod_evaluate(id));
        tokio::select! {
            // The module's own failure first: the loop reports it as well, but
            // less precisely.
            biased;
            result = &mut evaluated => result?,
            result = run_event_loop(runtime, &mut self.idle_memory) => {
                result?;
                evaluated.await?;
            }
        }
        Ok(())
    }

    async fn run_to_end(&mut self) -> Result<i32, CoreError> {
        self.dispatch_load()?;
        loop {
            run_event_loop(&mut self.engine.runtime, &mut self.idle_memory).await?;
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

    /// The engine, for embedders that drive it themselves.
    pub fn js_runtime(&mut self) -> &mut JsRuntime {
        &mut self.engine.runtime
    }

    fn dispatch_load(&mut self) -> Result<(), CoreError> {
        self.engine.call(&self.dispatch_load)?;
        Ok(())
    }

    /// False when a listener prevented the default.
    fn dispatch_before_unload(&mut self) -> Result<bool, CoreError> {
        Ok(self.engine.call(&self.dispatch_before_unload)?)
    }

    fn dispatch_unload(&mut self) -> Result<(), CoreError> {
        self.engine.call(&self.dispatch_unload)?;
        Ok(())
    }
}

/// Runs the event loop until nothing keeps it.
async fn run_event_loop(
    runtime: &mut JsRuntime,
    idle_memory: &mut IdleMemory,
) -> Result<(), CoreError> {
    poll_fn(|cx| {
        let polled = runtime.poll_event_loop(cx, PollEventLoopOptions::default());
        if polled.is_pending() {
            idle_memory.poll(cx, runtime.v8_isolate());
        }
        polled
    })
    .await
}
