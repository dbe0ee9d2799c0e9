//! Tests of what this repository assumes about the internals of V8 and of Deno's crates, in the
//! cases that no other test notices: if such an assumption fails, a program is still right, but
//! slower.
//!
//! What this repository assumes about deno_web's events is checked when
//! `ext/websocket/00_event_internals.js` is loaded, and is compared with deno_web's behaviour by
//! `tests/specs/websocket/event_state.js`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::sync::OnceLock;

use deno_core::JsRuntime;
use deno_core::RuntimeOptions;
use deno_core::v8;

use crate::extensions;
use crate::startup_data::StartupData;

/// The snapshot of all programs, made once, because V8 cannot make two at a time.
pub(crate) fn snapshot() -> &'static [u8] {
    static SNAPSHOT: OnceLock<Vec<u8>> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("duplex-snapshot-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("snapshot.bin");
        crate::create_snapshot(&path).unwrap();
        let snapshot = std::fs::read(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        snapshot
    })
}

/// Evaluates `script`, which has access to deno_core's internals, in an engine that starts from the
/// snapshot as programs do. The script that is loaded on demand is empty.
fn evaluate(script: &'static str) -> String {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = tokio.enter();
    let empty = deno_core::wrap_lazy_ext_script("(function () {})();");
    let startup = StartupData {
        snapshot: Some(snapshot()),
        ..Default::default()
    };
    let mut extensions = extensions::list();
    startup.provide_sources(&mut extensions);
    let mut runtime = JsRuntime::try_new(RuntimeOptions {
        startup_snapshot: startup.snapshot,
        skip_op_registration: true,
        extensions,
        residual_lazy_js_sources: vec![(
            "ext:duplex_websocket/00_attach_fast_calls.js",
            empty.leak() as &'static str,
        )]
        .leak(),
        ..Default::default()
    })
    .unwrap();
    let result = runtime
        .execute_script("ext:duplex_runtime/canary.js", script)
        .unwrap();
    deno_core::scope!(scope, &mut runtime);
    v8::Local::new(scope, result).to_rust_string_lossy(scope)
}

/// A snapshot holds no fast calls. When deno_core loads a script, it replaces the functions of the
/// snapshot by functions with fast calls, and `00_fast_ops.js` takes the new functions.
#[test]
fn ops_that_are_taken_after_a_script_was_loaded_are_not_those_of_the_snapshot() {
    let seen = evaluate(
        r#"
        const { core } = __bootstrap;
        const before = { ...core.ops };
        const { attachFastCalls, fastOps } = core.loadExtScript(
          "ext:duplex_websocket/00_fast_ops.js",
        );
        const isOfSnapshot =
          core.ops.op_ws_send_text === before.op_ws_send_text;
        attachFastCalls();
        const names = [];
        for (const name in fastOps) {
          const isFast = fastOps[name] !== before[name];
          const isCores = fastOps[name] === core.ops[name];
          names.push(`${name} ${isFast} ${isCores}`);
        }
        [isOfSnapshot, ...names].join("\n");
        "#,
    );
    let mut expected = vec!["true".to_owned()];
    for name in [
        "op_ws_attach",
        "op_ws_buffered_amount",
        "op_ws_close",
        "op_ws_publish_text",
        "op_ws_send_arraybuffer",
    ] {
        expected.push(format!("{name} true true"));
    }
    // This op has no fast call, because V8 has no fast call for an argument that may be any kind of
    // view.
    expected.push("op_ws_send_binary false true".to_owned());
    expected.push("op_ws_send_text true true".to_owned());
    assert_eq!(seen, expected.join("\n"));
}
