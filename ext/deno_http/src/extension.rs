//! The extension: that of duplex_http under another name, and three files.

use deno_core::Extension;

use crate::serving::op_http_notify_serving;

/// What deno_runtime says of its servers. duplex has no use for either: it aborts a request's
/// signal only when the client has gone, and does not compress the bodies of responses.
#[derive(Debug, Default, Clone, Copy)]
pub struct Options {
    /// Whether a request's signal is aborted only when the client has gone. That is so in any case.
    pub no_legacy_abort: bool,
    /// Whether responses are compressed if nothing else is said. They are not.
    pub automatic_compression: bool,
}

deno_core::extension!(
    deno_http,
    deps = [deno_web, deno_net, deno_fetch, deno_websocket],
    ops = [op_http_notify_serving],
    lazy_loaded_js = ["00_serve.ts", "01_http.js", "02_websocket.ts"],
    options = {
        _options: Options,
    },
    state = |state, _options| {
        if let Some(set_up) = duplex_http::duplex_http::args().op_state_fn {
            set_up(state);
        }
    },
    customizer = take_in_duplex,
);

/// Adds to `extension` what duplex_http has. Nothing of it is loaded before a program serves.
fn take_in_duplex(extension: &mut Extension) {
    let duplex = duplex_http::duplex_http::lazy_init();
    extension.ops.to_mut().extend(duplex.ops.iter().copied());
    let modules = extension.lazy_loaded_esm_files.to_mut();
    modules.extend(duplex.esm_files.iter().cloned());
    modules.extend(duplex.lazy_loaded_esm_files.iter().cloned());
}
