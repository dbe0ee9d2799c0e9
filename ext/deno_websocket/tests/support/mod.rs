//! A small runtime with the released deno_http on the stand-in.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use deno_ast::{
    EmitOptions, MediaType, ParseParams, SourceMapOption, TranspileModuleOptions, TranspileOptions,
};
use deno_core::serde_json::Value;
use deno_core::{
    Extension, InspectorSessionKind, JsRuntime, JsRuntimeInspector, ModuleCodeString, ModuleName,
    OpState, PollEventLoopOptions, RuntimeOptions, SourceMapData, op2, serde_json, url,
};
use deno_error::JsErrorBox;
use deno_inspector_server::InspectorServerUrl;
use deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use sys_traits::impls::RealSys;

// What a script of these tests sees of Deno, and what deno_http's files take from the globals.
deno_core::extension!(
    globals,
    deps = [deno_http],
    ops = [op_tell],
    esm_entry_point = "ext:globals/globals.js",
    esm = ["ext:globals/globals.js" = "../deno_websocket/tests/support/globals.js"],
);

/// Where a script tells the test the port of its server.
struct Told(Sender<u16>);

#[op2(fast)]
fn op_tell(state: &OpState, #[smi] port: u16) {
    if let Some(Told(sender)) = state.try_borrow() {
        sender.send(port).expect("a test that listens");
    }
}

fn extensions() -> Vec<Extension> {
    vec![
        deno_telemetry::deno_telemetry::init(),
        deno_webidl::deno_webidl::init(),
        deno_web::deno_web::init(
            Arc::new(deno_web::BlobStore::default()),
            None,
            false,
            deno_web::InMemoryBroadcastChannel::default(),
        ),
        deno_fetch::deno_fetch::init(deno_fetch::Options::default()),
        // In the order of Deno: deno_net comes behind it.
        deno_websocket::deno_websocket::init(),
        deno_net::deno_net::init(None, None),
        deno_http::deno_http::init(deno_http::Options::default()),
        deno_os::deno_os::init(None),
        globals::init(),
    ]
}

/// Runs `script` as the body of an async function, until that and all that it has begun are done.
///
/// # Panics
///
/// When the script throws.
pub(crate) fn run(script: &str) {
    run_telling(script, mpsc::channel().0);
}

/// Does the same; `tell(port)` of the script sends the port to `told`.
///
/// # Panics
///
/// When the script throws.
pub(crate) fn run_telling(script: &str, told: Sender<u16>) {
    in_tokio(async {
        let mut runtime = new_runtime(false);
        runtime.op_state().borrow_mut().put(Told(told));
        run_in(&mut runtime, script).await;
    });
}

/// Does the same under a debugger. Returns what the debugger was told of the network: the names
/// of the events, and what they say.
///
/// # Panics
///
/// When the script throws.
pub(crate) fn run_debugged(script: &str) -> Vec<(String, Value)> {
    in_tokio(async {
        let mut runtime = new_runtime(true);
        let inspector = runtime.inspector();
        // As Deno does.
        let state = runtime.op_state();
        state.borrow_mut().put(inspector.clone());
        state
            .borrow_mut()
            .put(InspectorServerUrl("ws://127.0.0.1:0/".into()));
        let told = Rc::<RefCell<Vec<(String, Value)>>>::default();
        let mut session = JsRuntimeInspector::create_local_session(
            inspector,
            Box::new({
                let told = told.clone();
                move |message| {
                    let mut message: Value = serde_json::from_str(&message.content).unwrap();
                    let params = message["params"].take();
                    if let Some(method) = message["method"].as_str() {
                        told.borrow_mut().push((method.to_owned(), params));
                    }
                }
            }),
            InspectorSessionKind::NonBlocking {
                wait_for_disconnect: false,
            },
        );
        session.post_message::<()>(1, "Network.enable", None);
        run_in(&mut runtime, script).await;
        drop(session);
        told.take()
    })
}

fn in_tokio<R>(body: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a tokio runtime")
        .block_on(body)
}

fn new_runtime(inspector: bool) -> JsRuntime {
    let runtime = JsRuntime::new(RuntimeOptions {
        extensions: extensions(),
        extension_transpiler: Some(Rc::new(without_types)),
        inspector,
        ..Default::default()
    });
    let parser = RuntimePermissionDescriptorParser::new(RealSys);
    runtime
        .op_state()
        .borrow_mut()
        .put(PermissionsContainer::allow_all(Arc::new(parser)));
    runtime
}

async fn run_in(runtime: &mut JsRuntime, script: &str) {
    let script = format!("(async () => {{ {script}\n}})()");
    let promise = runtime.execute_script("test.js", script).expect("a script");
    let done = runtime.resolve(promise);
    let options = PollEventLoopOptions::default();
    if let Err(error) = runtime.with_event_loop_promise(done, options).await {
        panic!("{error}");
    }
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await
        .expect("an event loop that ends");
}

/// deno_http and deno_telemetry have files of TypeScript.
fn without_types(
    name: ModuleName,
    code: ModuleCodeString,
) -> Result<(ModuleCodeString, Option<SourceMapData>), JsErrorBox> {
    if !name.ends_with(".ts") {
        return Ok((code, None));
    }
    let generic = |error: &dyn std::fmt::Display| JsErrorBox::generic(error.to_string());
    let parsed = deno_ast::parse_module(ParseParams {
        specifier: url::Url::parse(&name).map_err(|error| generic(&error))?,
        text: code.as_str().into(),
        media_type: MediaType::TypeScript,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    })
    .map_err(|error| generic(&error))?;
    let options = EmitOptions {
        source_map: SourceMapOption::None,
        ..EmitOptions::default()
    };
    let transpiled = parsed
        .transpile(
            &TranspileOptions::default(),
            &TranspileModuleOptions::default(),
            &options,
        )
        .map_err(|error| generic(&error))?;
    Ok((transpiled.into_source().text.into(), None))
}
