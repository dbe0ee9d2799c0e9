//! A worker: one engine with the runtime's globals, running one program.

use std::rc::Rc;
use std::sync::Arc;

use deno_core::JsRuntime;
use deno_core::ModuleLoader;
use deno_core::PollEventLoopOptions;
use deno_core::RuntimeOptions;
use deno_core::error::CoreError;
use deno_core::error::JsError;
use deno_core::url::Url;
use deno_core::v8;
use deno_features::FeatureChecker;
use deno_os::ExitCode;
use deno_permissions::PermissionsContainer;
use deno_web::BlobStore;
use deno_web::BlobStoreTrait;

use crate::RootCerts;
use crate::extensions;
use crate::ops::RuntimeInfo;
use crate::snapshot;
use crate::snapshot::StartupData;

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
    /// What `URL.createObjectURL` fills. Share it with the loader for `blob:`
    /// modules.
    pub blob_store: Arc<dyn BlobStoreTrait>,
    /// The certificate authorities that TLS clients trust.
    pub root_certs: Arc<RootCerts>,
    /// Hosts whose certificates are not verified; an empty list means all.
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    /// Makes `Math.random` and `crypto.getRandomValues` repeatable.
    pub seed: Option<u64>,
    /// What the build script prepared, see [`crate::write_startup_data`].
    pub startup: StartupData,
    /// `navigator.userAgent` and the `User-Agent` of requests.
    pub user_agent: String,
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
            blob_store: BlobStore::default_arc(),
            root_certs: Arc::default(),
            unsafely_ignore_certificate_errors: None,
            seed: None,
            startup: StartupData::default(),
            user_agent: format!("Deno/{DENO_VERSION} duplex/{}", env!("CARGO_PKG_VERSION")),
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
/// current-thread tokio runtime.
pub struct Worker {
    runtime: JsRuntime,
    main_module: Url,
    exit_code: ExitCode,
    dispatch_load: v8::Global<v8::Function>,
    dispatch_before_unload: v8::Global<v8::Function>,
    dispatch_unload: v8::Global<v8::Function>,
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
        // Fails when a provider is installed already, which serves as well.
        let _ = deno_tls::rustls::crypto::aws_lc_rs::default_provider().install_default();

        let startup = options.startup;
        let mut extensions = extensions::list();
        startup.provide_sources(&mut extensions);
        #[cfg(not(feature = "v8"))]
        let stack_base = {
            if let Some(last) = extensions.last_mut() {
                last.middleware_fn = Some(Box::new(crate::ops::stack::guard));
            }
            crate::ops::stack::StackBase::here()
        };
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            module_loader: Some(options.module_loader),
            startup_snapshot: startup.snapshot,
            residual_lazy_js_sources: startup.lazy_js,
            residual_lazy_esm_sources: startup.lazy_esm,
            extensions,
            extension_transpiler: Some(Rc::new(snapshot::transpile_extension)),
            is_main: true,
            validate_import_attributes_cb: Some(Box::new(validate_import_attributes)),
            ..Default::default()
        })?;

        let exit_code = ExitCode::default();
        runtime.lazy_init_extensions(extensions::arguments(extensions::ExtensionOptions {
            location: options.location.clone(),
            blob_store: options.blob_store,
            root_certs: options.root_certs,
            seed: options.seed,
            unsafely_ignore_certificate_errors: options.unsafely_ignore_certificate_errors,
            user_agent: options.user_agent.clone(),
            exit_code: exit_code.clone(),
            runtime: RuntimeInfo {
                args: options.args,
                main_module: options.main_module.clone(),
                user_agent: options.user_agent,
                location: options.location,
                seed: options.seed,
            },
        }))?;
        {
            let state = runtime.op_state();
            let mut state = state.borrow_mut();
            #[cfg(not(feature = "v8"))]
            state.put(stack_base);
            state.put::<PermissionsContainer>(options.permissions);
            state.put(Arc::new(features()));
        }

        let bootstrap = take_bootstrap(&mut runtime)?;
        call(&mut runtime, &bootstrap.main_runtime).map_err(WorkerError::Bootstrap)?;
        Ok(Self {
            runtime,
            main_module: options.main_module,
            exit_code,
            dispatch_load: bootstrap.dispatch_load,
            dispatch_before_unload: bootstrap.dispatch_before_unload,
            dispatch_unload: bootstrap.dispatch_unload,
        })
    }

    /// Loads and evaluates the main module, fires `load`, runs the event loop
    /// to its end, fires `beforeunload` (a listener that prevents its default
    /// keeps the loop going) and `unload`, and returns the exit code, which
    /// is 0 unless the program set it.
    ///
    /// # Errors
    ///
    /// What the loader answered, or the exception or rejection that nobody
    /// handled.
    pub async fn run_main_module(&mut self) -> Result<i32, CoreError> {
        let main_module = self.main_module.clone();
        let id = self.runtime.load_main_es_module(&main_module).await?;
        let mut evaluated = std::pin::pin!(self.runtime.mod_evaluate(id));
        tokio::select! {
            // The module's own failure first: the loop reports it as well, but
            // less precisely.
            biased;
            result = &mut evaluated => result?,
            result = self.runtime.run_event_loop(PollEventLoopOptions::default()) => {
                result?;
                evaluated.await?;
            }
        }

        self.dispatch_load()?;
        loop {
            self.runtime
                .run_event_loop(PollEventLoopOptions::default())
                .await?;
            if self.dispatch_before_unload()? {
                break;
            }
        }
        self.dispatch_unload()?;
        Ok(self.exit_code.get())
    }

    /// The engine, for embedders that drive it themselves.
    pub fn js_runtime(&mut self) -> &mut JsRuntime {
        &mut self.runtime
    }

    fn dispatch_load(&mut self) -> Result<(), CoreError> {
        call(&mut self.runtime, &self.dispatch_load)?;
        Ok(())
    }

    /// False when a listener prevented the default.
    fn dispatch_before_unload(&mut self) -> Result<bool, CoreError> {
        Ok(call(&mut self.runtime, &self.dispatch_before_unload)?)
    }

    fn dispatch_unload(&mut self) -> Result<(), CoreError> {
        call(&mut self.runtime, &self.dispatch_unload)?;
        Ok(())
    }
}

/// What the bootstrap script leaves on the global object until it runs.
struct Bootstrap {
    main_runtime: v8::Global<v8::Function>,
    dispatch_load: v8::Global<v8::Function>,
    dispatch_before_unload: v8::Global<v8::Function>,
    dispatch_unload: v8::Global<v8::Function>,
}

fn take_bootstrap(runtime: &mut JsRuntime) -> Result<Bootstrap, WorkerError> {
    let context = runtime.main_context();
    deno_core::scope!(scope, runtime);
    let global = v8::Local::new(scope, context).global(scope);
    let bootstrap = v8::String::new(scope, "bootstrap")
        .and_then(|key| global.get(scope, key.into()))
        .and_then(|value| v8::Local::<v8::Object>::try_from(value).ok())
        .ok_or(WorkerError::Undefined("bootstrap"))?;
    let function = |name: &'static str| {
        v8::String::new(scope, name)
            .and_then(|key| bootstrap.get(scope, key.into()))
            .and_then(|value| v8::Local::<v8::Function>::try_from(value).ok())
            .map(|function| v8::Global::new(scope, function))
            .ok_or(WorkerError::Undefined(name))
    };
    Ok(Bootstrap {
        main_runtime: function("mainRuntime")?,
        dispatch_load: function("dispatchLoadEvent")?,
        dispatch_before_unload: function("dispatchBeforeUnloadEvent")?,
        dispatch_unload: function("dispatchUnloadEvent")?,
    })
}

/// Calls a function of the bootstrap script without arguments; whether it
/// returned true.
fn call(
    runtime: &mut JsRuntime,
    function: &v8::Global<v8::Function>,
) -> Result<bool, Box<JsError>> {
    deno_core::scope!(scope, runtime);
    v8::tc_scope!(scope, scope);
    let function = v8::Local::new(scope, function);
    let receiver = v8::undefined(scope).into();
    let result = function.call(scope, receiver, &[]);
    if let Some(exception) = scope.exception() {
        return Err(deno_core::exception_to_err(scope, exception, false, true));
    }
    Ok(result.is_some_and(|value| value.is_true()))
}

/// Deno hides some of what deno_net offers behind `--unstable-` flags and
/// exits when one is missing. Here all of it is on.
fn features() -> FeatureChecker {
    let mut features = FeatureChecker::default();
    features.enable_feature("net");
    features.enable_feature("vsock");
    features
}

fn validate_import_attributes(
    scope: &mut v8::PinScope<'_, '_>,
    attributes: &std::collections::HashMap<String, String>,
    context: &deno_core::ImportAttributesContext,
) {
    for (key, value) in attributes {
        let message = if key != "type" {
            format!("\"{key}\" attribute is not supported.")
        } else if value != "json" && value != "text" && value != "bytes" {
            format!("\"{value}\" is not a valid module type.")
        } else {
            continue;
        };
        let message = format!("{message}{}", context.format_location());
        let Some(message) = v8::String::new(scope, &message) else {
            return;
        };
        let exception = v8::Exception::type_error(scope, message);
        scope.throw_exception(exception);
        return;
    }
}
