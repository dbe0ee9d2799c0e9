//! An engine with the runtime's globals: the part that the main program and its web workers have in
//! common.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::ImportAttributesContext;
use deno_core::JsRuntime;
use deno_core::ModuleLoader;
use deno_core::RuntimeOptions;
use deno_core::error::JsError;
use deno_core::url::Url;
use deno_core::v8;
use deno_features::FeatureChecker;
use deno_os::ExitCode;
use deno_permissions::PermissionsContainer;
use duplex_websocket::metrics;

use crate::extensions;
use crate::internal_imports;
use crate::ops::info::RuntimeInfo;
use crate::packages::Node;
use crate::shared_options::SharedOptions;
use crate::snapshot;
use crate::startup_data::StartupData;
use crate::worker_error::WorkerError;

/// How to start an [`Engine`].
pub(crate) struct EngineOptions {
    /// The options that all engines of the program share.
    pub shared: SharedOptions,
    /// The script or module that the engine will run.
    pub main_module: Url,
    /// `globalThis.location`.
    pub location: Option<Url>,
    pub permissions: PermissionsContainer,
    pub module_loader: Rc<dyn ModuleLoader>,
    pub node: Node,
    pub is_main: bool,
    /// Whether a CPU profile of the engine is made.
    pub is_profiled: bool,
}

/// An engine with the runtime's globals.
pub(crate) struct Engine {
    pub runtime: JsRuntime,
    pub exit_code: ExitCode,
    /// The object with the functions of the bootstrap script, which is a property of the global
    /// object until one of the functions removes it.
    bootstrap: v8::Global<v8::Object>,
}

impl Engine {
    /// Starts an engine. The caller chooses which function of the bootstrap script sets up the
    /// globals.
    pub(crate) fn start(options: EngineOptions) -> Result<Self, WorkerError> {
        // This fails if a provider is installed already, and that provider is used then.
        let _ = deno_tls::rustls::crypto::aws_lc_rs::default_provider().install_default();

        let shared = options.shared;
        let startup = shared.startup;
        let mut extensions = if startup.is_empty() {
            extensions::list_of_scripts()
        } else {
            extensions::list()
        };
        startup.provide_sources(&mut extensions);
        #[cfg(not(feature = "v8"))]
        let stack_base = crate::ops::stack::StackBase::here();
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            module_loader: Some(options.module_loader),
            startup_snapshot: startup.snapshot,
            // The functions in the snapshot are already bound to the ops.
            skip_op_registration: startup.snapshot.is_some(),
            residual_lazy_js_sources: startup.lazy_js,
            residual_lazy_esm_sources: startup.lazy_esm,
            extensions,
            extension_transpiler: Some(Rc::new(snapshot::transpile_extension)),
            shared_array_buffer_store: Some(shared.channels.shared_buffers.clone()),
            compiled_wasm_module_store: Some(shared.channels.wasm_modules.clone()),
            is_main: options.is_main,
            inspector: shared.inspector.is_some() || options.is_profiled,
            validate_import_attributes_cb: Some(Box::new(move |scope, attributes, import| {
                validate_import(&startup, scope, attributes, import);
            })),
            ..Default::default()
        })?;

        if metrics::is_watching_event_loops() {
            metrics::watch_event_loop();
        }
        if let Some(inspector) = &shared.inspector {
            inspector.register(&options.main_module, &runtime);
        }
        let exit_code = ExitCode::default();
        runtime.lazy_init_extensions(extensions::arguments(extensions::ExtensionOptions {
            location: options.location.clone(),
            blob_store: shared.blob_store.clone(),
            broadcast: shared.channels.broadcast.clone(),
            root_certs: shared.root_certs.clone(),
            seed: shared.seed,
            unsafely_ignore_certificate_errors: shared.unsafely_ignore_certificate_errors.clone(),
            user_agent: shared.user_agent.clone(),
            exit_code: exit_code.clone(),
            node: options.node.services,
            runtime: RuntimeInfo {
                args: shared.args.clone(),
                main_module: options.main_module,
                user_agent: shared.user_agent.clone(),
                location: options.location,
                seed: shared.seed,
                features: shared.features,
                is_inspected: shared.inspector.is_some(),
            },
        }))?;
        {
            let state = runtime.op_state();
            let mut state = state.borrow_mut();
            #[cfg(not(feature = "v8"))]
            state.put(stack_base);
            state.put::<PermissionsContainer>(options.permissions);
            state.put(Arc::new(features()));
            state.put(options.node.packages);
            if let Some(channel) = options.node.channel {
                state.put(channel);
            }
            state.put(shared);
        }
        let bootstrap = take_bootstrap(&mut runtime)?;
        Ok(Self {
            runtime,
            exit_code,
            bootstrap,
        })
    }

    /// A function of the bootstrap script.
    pub(crate) fn function(
        &mut self,
        name: &'static str,
    ) -> Result<v8::Global<v8::Function>, WorkerError> {
        deno_core::scope!(scope, &mut self.runtime);
        let bootstrap = v8::Local::new(scope, &self.bootstrap);
        v8::String::new(scope, name)
            .and_then(|key| bootstrap.get(scope, key.into()))
            .and_then(|value| v8::Local::<v8::Function>::try_from(value).ok())
            .map(|function| v8::Global::new(scope, function))
            .ok_or(WorkerError::Undefined(name))
    }

    /// Calls a function of the bootstrap script without arguments. Returns whether the function
    /// returned true.
    pub(crate) fn call(
        &mut self,
        function: &v8::Global<v8::Function>,
    ) -> Result<bool, Box<JsError>> {
        self.call_with(function, None, |_, value| value.is_true())
    }

    /// Calls a function of the bootstrap script, with an object as its argument if there is one,
    /// and reads its result.
    pub(crate) fn call_with<T: Default>(
        &mut self,
        function: &v8::Global<v8::Function>,
        argument: Option<&v8::Global<v8::Object>>,
        read: impl FnOnce(&mut v8::PinScope<'_, '_>, v8::Local<v8::Value>) -> T,
    ) -> Result<T, Box<JsError>> {
        deno_core::scope!(scope, &mut self.runtime);
        v8::tc_scope!(scope, scope);
        let function = v8::Local::new(scope, function);
        let receiver = v8::undefined(scope).into();
        let argument = argument.map(|argument| v8::Local::new(scope, argument).into());
        let result = function.call(scope, receiver, argument.as_slice());
        if let Some(exception) = scope.exception() {
            return Err(deno_core::exception_to_err(scope, exception, false, true));
        }
        Ok(result.map_or_else(T::default, |value| read(scope, value)))
    }
}

fn take_bootstrap(runtime: &mut JsRuntime) -> Result<v8::Global<v8::Object>, WorkerError> {
    let context = runtime.main_context();
    deno_core::scope!(scope, runtime);
    let global = v8::Local::new(scope, context).global(scope);
    v8::String::new(scope, "bootstrap")
        .and_then(|key| global.get(scope, key.into()))
        .and_then(|value| v8::Local::<v8::Object>::try_from(value).ok())
        .map(|bootstrap| v8::Global::new(scope, bootstrap))
        .ok_or(WorkerError::Undefined("bootstrap"))
}

/// Deno has some of deno_net behind `--unstable-` flags, and exits if a program needs a flag that
/// is missing. duplex has all of deno_net on.
fn features() -> FeatureChecker {
    let mut features = FeatureChecker::default();
    features.enable_feature("net");
    features.enable_feature("vsock");
    features
}

/// Throws if a module may not be imported, or may not be imported with these attributes. deno_core
/// calls this for each import before it resolves the specifier.
fn validate_import(
    startup: &StartupData,
    scope: &mut v8::PinScope<'_, '_>,
    attributes: &HashMap<String, String>,
    import: &ImportAttributesContext,
) {
    let refused_attribute = || {
        attributes.iter().find_map(|(key, value)| {
            if key != "type" {
                Some(format!("\"{key}\" attribute is not supported."))
            } else if value != "json" && value != "text" && value != "bytes" {
                Some(format!("\"{value}\" is not a valid module type."))
            } else {
                None
            }
        })
    };
    let message = internal_imports::refusal(startup, import).or_else(refused_attribute);
    let Some(message) = message else { return };
    let message = format!("{message}{}", import.format_location());
    if let Some(message) = v8::String::new(scope, &message) {
        let exception = v8::Exception::type_error(scope, message);
        scope.throw_exception(exception);
    }
}
