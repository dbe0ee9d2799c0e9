//! The extension: that of duplex_websocket under another name, with some files of its own.

use std::borrow::Cow;

use deno_core::{Extension, ExtensionFileSource};

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
    lazy_loaded_esm = [
        "00_close_event.js",
        "00_core.js",
        "01_websocket.js",
        "02_websocketstream.js"
    ],
    lazy_loaded_js = ["00_bootstrap.js"],
    state = |state| {
        if let Some(set_up) = duplex_websocket::duplex_websocket::args().op_state_fn {
            set_up(state);
        }
    },
    customizer = take_in_duplex,
);

/// Files that take the place of files of duplex_websocket, which follow.
const REPLACED: [(&str, &str); 2] = [
    (
        "ext:deno_websocket/00_close_event.js",
        "ext:duplex_websocket/00_close_event.js",
    ),
    (
        "ext:deno_websocket/00_core.js",
        "ext:duplex_websocket/00_core.js",
    ),
];

/// Adds to `extension` what duplex_websocket has. Nothing of it is loaded before a program uses
/// a WebSocket, as with Deno's own crate.
fn take_in_duplex(extension: &mut Extension) {
    let duplex = duplex_websocket::duplex_websocket::lazy_init();
    extension.ops.to_mut().extend(duplex.ops.iter().copied());
    let scripts = extension.lazy_loaded_js_files.to_mut();
    scripts.extend(duplex.lazy_loaded_js_files.iter().cloned());

    let own = std::mem::take(&mut extension.lazy_loaded_esm_files);
    let others = (duplex.esm_files.iter())
        .chain(duplex.lazy_loaded_esm_files.iter())
        .filter(|file| {
            REPLACED
                .iter()
                .all(|(_, replaced)| file.specifier != *replaced)
        });
    let modules = own.iter().chain(others).cloned().map(replace);
    extension.lazy_loaded_esm_files = Cow::Owned(modules.collect());
}

fn replace(mut file: ExtensionFileSource) -> ExtensionFileSource {
    for (replacing, replaced) in REPLACED {
        if file.specifier == replacing {
            file.specifier = replaced;
        }
    }
    file
}
