//! Tests of what this repository knows of the inside of V8 and of Deno's crates where nothing
//! else would tell that it has changed: a program would be slower, and right.
//!
//! What is known of deno_web's events is checked by `ext/websocket/00_event_internals.js` when it
//! is loaded, and compared with what deno_web does by `tests/specs/websocket/event_state.js`.

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

/// The snapshot of all programs, made once: V8 does not make two at a time.
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

/// Evaluates `script`, which finds deno_core's internals, in an engine that starts from the
/// snapshot as programs do. Of what is loaded on demand there is an empty script.
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

/// A snapshot holds no fast calls. deno_core puts functions that have them in the place of those
/// of the snapshot when it loads a script, and `00_fast_ops.js` takes these.
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
    // It has no fast call: V8 has none for any kind of view.
    expected.push("op_ws_send_binary false true".to_owned());
    expected.push("op_ws_send_text true true".to_owned());
    assert_eq!(seen, expected.join("\n"));
}
