//! The extension: that of duplex_websocket under another name, and three files.

use std::sync::OnceLock;

use deno_core::{Extension, ExtensionFileSource};
use duplex_websocket::classic_script;

use crate::debugging::{op_deno_websocket_debug, op_deno_websocket_show};
use crate::server_websocket::{op_deno_websocket_ended, op_deno_websocket_open};

deno_core::extension!(
    deno_websocket,
    deps = [deno_webidl, deno_web, deno_fetch],
    ops = [
        op_deno_websocket_debug,
        op_deno_websocket_ended,
        op_deno_websocket_open,
        op_deno_websocket_show,
    ],
    lazy_loaded_esm = ["01_websocket.js", "02_websocketstream.js"],
    lazy_loaded_js = ["00_close_event.js"],
    state = |state| {
        if let Some(set_up) = duplex_websocket::duplex_websocket::args().op_state_fn {
            set_up(state);
        }
    },
    customizer = take_in_duplex,
);

/// The file that takes the place of duplex_websocket's file [`REPLACED`].
const REPLACING: &str = "ext:deno_websocket/00_close_event.js";
const REPLACED: &str = "ext:duplex_websocket/00_close_event.js";

/// Adds to `extension` what duplex_websocket has. Nothing of it is loaded before a program uses
/// a WebSocket, as with Deno's own crate. Its modules are classic scripts, because deno_runtime
/// takes the ops away from a module that it loads after the start.
fn take_in_duplex(extension: &mut Extension) {
    static SCRIPTS: OnceLock<Vec<ExtensionFileSource>> = OnceLock::new();

    let duplex = duplex_websocket::duplex_websocket::lazy_init();
    extension.ops.to_mut().extend(duplex.ops.iter().copied());
    let scripts = SCRIPTS.get_or_init(|| {
        let modules = (duplex.esm_files.iter())
            .chain(duplex.lazy_loaded_esm_files.iter())
            .filter(|file| file.specifier != REPLACED);
        modules.map(classic_script).collect()
    });
    let files = extension.lazy_loaded_js_files.to_mut();
    for file in &mut *files {
        if file.specifier == REPLACING {
            file.specifier = REPLACED;
        }
    }
    files.extend(duplex.lazy_loaded_js_files.iter().cloned());
    files.extend(scripts.iter().cloned());
}
