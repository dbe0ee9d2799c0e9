//! A start-up snapshot of V8 with `WebSocket` in it: a program that starts from the snapshot reads
//! only its own JavaScript.
//!
//! This program makes the snapshot and starts from it. In your program the first half, [`make`],
//! belongs in the build script. The build script writes the result to files, and the program
//! includes them.
//!
//!     cargo run --release --example snapshot

#[path = "support/extensions.rs"]
mod extensions;

use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use deno_core::snapshot::{CreateSnapshotOptions, create_snapshot};
use deno_core::{
    Extension, FsModuleLoader, JsRuntime, PollEventLoopOptions, RuntimeOptions,
    wrap_lazy_ext_script,
};
use deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use sys_traits::impls::RealSys;

deno_core::extension!(
    globals,
    deps = [duplex_websocket],
    esm_entry_point = "ext:globals/globals.js",
    esm = ["ext:globals/globals.js" = {
        source = r#"
                import { CloseEvent, WebSocket } from "ext:duplex_websocket/01_websocket.js";
                import "ext:duplex_websocket/02_server_websocket.js";
                import { core } from "ext:core/mod.js";
                globalThis.CloseEvent = CloseEvent;
                globalThis.WebSocket = WebSocket;
                globalThis.print = (text) => core.print(`${text}\n`);
            "#
    },],
);

/// The extensions. The snapshot and the program need the same list in the same
/// order.
fn extensions() -> Vec<Extension> {
    extensions::extensions(globals::init())
}

/// The name of a file, and its text.
type Source = (&'static str, String);

/// The snapshot, and the sources that are not in it.
type Snapshot = (Box<[u8]>, Vec<Source>);

/// Makes the snapshot, and collects the scripts that are not in it: these are loaded on demand.
fn make() -> Result<Snapshot, Box<dyn Error>> {
    let output = create_snapshot(
        CreateSnapshotOptions {
            cargo_manifest_dir: env!("CARGO_MANIFEST_DIR"),
            startup_snapshot: None,
            skip_op_registration: false,
            extensions: extensions(),
            extension_transpiler: None,
            with_runtime_cb: None,
        },
        None,
    )?;
    let mut scripts = Vec::new();
    for extension in extensions() {
        for file in extension.lazy_loaded_js_files.iter() {
            let is_in_snapshot =
                (output.consumed_lazy_specifiers.iter()).any(|consumed| consumed == file.specifier);
            // Deno's files of TypeScript have to be transpiled first, if a script uses them.
            if !is_in_snapshot && file.specifier.ends_with(".js") {
                let text = wrap_lazy_ext_script(file.load()?.as_str());
                scripts.push((file.specifier, text));
            }
        }
    }
    scripts.sort();
    Ok((output.output, scripts))
}

/// The values that `include_bytes!` and `include_str!` would give.
fn in_program((snapshot, scripts): Snapshot) -> Included {
    let scripts = scripts
        .into_iter()
        .map(|(name, text)| (name, &*text.leak()))
        .collect::<Vec<_>>();
    Included {
        snapshot: Box::leak(snapshot),
        scripts: scripts.leak(),
    }
}

struct Included {
    snapshot: &'static [u8],
    scripts: &'static [(&'static str, &'static str)],
}

fn main() -> Result<(), Box<dyn Error>> {
    // This comes before V8 starts, and is needed for the snapshot too, because
    // V8 compares its flags.
    duplex_websocket::collect_early(false);
    let included = in_program(make()?);
    println!("the snapshot has {} kB", included.snapshot.len() / 1000);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(start(included))
}

async fn start(included: Included) -> Result<(), Box<dyn Error>> {
    let before = Instant::now();
    let mut runtime = JsRuntime::new(RuntimeOptions {
        module_loader: Some(Rc::new(FsModuleLoader)),
        extensions: extensions(),
        startup_snapshot: Some(included.snapshot),
        residual_lazy_js_sources: included.scripts,
        ..Default::default()
    });
    println!("started in {} ms", before.elapsed().as_millis());
    let parser = RuntimePermissionDescriptorParser::new(RealSys);
    runtime
        .op_state()
        .borrow_mut()
        .put(PermissionsContainer::allow_all(Arc::new(parser)));

    runtime.execute_script(
        "snapshot.js",
        r#"
        const socket = new WebSocket("ws://127.0.0.1:9/");
        socket.onclose = ({ code }) => print(`nobody is there: ${code}`);
        "#,
    )?;
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    Ok(())
}
