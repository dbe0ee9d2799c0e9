//! The sockets in a debugger's list of network requests: what Deno's own crate tells by
//! `internals.__inspectorNetwork`.
//!
//! The hub makes the events. They wait for a task of their own, because the engine's list of
//! debuggers is in use while script runs that a debugger has started.

use std::rc::Rc;

use deno_core::unsync::spawn;
use deno_core::{JsRuntimeInspector, OpState, op2};
use deno_inspector_server::InspectorServerUrl;
use duplex_websocket::{ShownHandshake, network_events};
use tokio::sync::mpsc::unbounded_channel;

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
    // An engine must not outlive its own inspector.
    let inspector = Rc::downgrade(inspector);
    state.put(IsShowing);
    let (events, mut waiting) = unbounded_channel();
    network_events::observe(move |event| {
        let _ = events.send(event);
    });
    spawn(async move {
        while let Some(event) = waiting.recv().await {
            let Some(inspector) = inspector.upgrade() else {
                return;
            };
            if inspector.sessions_state().has_active {
                inspector.broadcast_to_sessions(event.method, &event.params.to_string());
            }
        }
    });
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
