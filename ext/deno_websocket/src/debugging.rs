//! The sockets in a debugger's list of network requests: what Deno's own crate tells by
//! `internals.__inspectorNetwork`. The hub makes the events.

use std::rc::Rc;

use deno_core::{JsRuntimeInspector, OpState, op2};
use deno_inspector_server::InspectorServerUrl;
use duplex_websocket::{ShownHandshake, network_events, show_to_debuggers};

/// The sockets of this runtime are shown.
struct IsShowing;

/// Shows the sockets of this runtime from now on, if debuggers can attach.
fn show_sockets(state: &mut OpState) {
    if state.has::<IsShowing>() || !state.has::<InspectorServerUrl>() {
        return;
    }
    let Some(inspector) = state.try_borrow::<Rc<JsRuntimeInspector>>() else {
        return;
    };
    show_to_debuggers(&inspector.clone());
    state.put(IsShowing);
}

/// A WebSocket is about to be used.
#[op2(fast)]
pub(crate) fn op_deno_websocket_debug(state: &mut OpState) {
    show_sockets(state);
}

/// The server's connection `id` is open. The client asked for `url`.
#[op2(fast)]
pub(crate) fn op_deno_websocket_show(state: &mut OpState, #[smi] id: u32, #[string] url: &str) {
    show_sockets(state);
    if network_events::is_on() {
        // deno_http does not tell the headers.
        let handshake = ShownHandshake {
            url: format!("ws{}", url.strip_prefix("http").unwrap_or_default()),
            request: Vec::new(),
            status: 101,
            answer: Vec::new(),
        };
        handshake.show(state, id);
    }
}
