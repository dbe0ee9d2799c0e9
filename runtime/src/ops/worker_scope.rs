//! The ops for the global scope of a worker.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::JsBuffer;
use deno_core::OpState;
use deno_core::ToV8;
use deno_core::op2;
use deno_core::url::Url;
use deno_web::JsMessageData;
use deno_web::MessagePortError;
use deno_web::RecvMessageData;

use crate::ops::worker_host::send_raw;
use crate::web_worker::script::ScriptError;
use crate::web_worker::script::ScriptSource;
use crate::web_worker::start::WebWorkerState;

/// The options that the worker was made with.
#[derive(ToV8)]
pub(super) struct Scope {
    name: String,
    is_classic: bool,
    /// The thread id if this is a thread of `node:worker_threads`.
    node_id: Option<u32>,
}

#[op2]
pub(crate) fn op_worker_scope(state: &mut OpState) -> Scope {
    let inside = state.borrow::<Rc<WebWorkerState>>();
    Scope {
        name: inside.name.clone(),
        is_classic: inside.is_classic,
        node_id: inside.node.as_ref().map(|node| node.id),
    }
}

/// The first message to a thread of `node:worker_threads`, which has its data from the owner.
#[op2]
#[serde]
pub(crate) fn op_worker_scope_metadata(
    state: &mut OpState,
) -> Result<Option<JsMessageData>, MessagePortError> {
    let inside = state.borrow::<Rc<WebWorkerState>>().clone();
    match &inside.node {
        Some(node) if node.has_metadata => inside.port.try_recv_sync(state),
        _ => Ok(None),
    }
}

/// Sets the exit code of the worker.
#[op2(fast)]
pub(crate) fn op_worker_scope_exit_code(state: &mut OpState, #[smi] code: i32) {
    let lifeline = &state.borrow::<Rc<WebWorkerState>>().lifeline;
    lifeline.set_exit_code(code);
}

/// Sends a message without transferred objects to the owner.
#[op2]
pub(crate) fn op_worker_scope_post_raw(state: &mut OpState, #[buffer(detach)] data: JsBuffer) {
    send_raw(&state.borrow::<Rc<WebWorkerState>>().port, data);
}

/// Sends a message with transferred objects to the owner.
#[op2]
pub(crate) fn op_worker_scope_post(
    state: &mut OpState,
    #[serde] data: JsMessageData,
) -> Result<(), MessagePortError> {
    let inside = state.borrow::<Rc<WebWorkerState>>().clone();
    inside.port.send(state, data)
}

/// The next message of the owner, or null if the owner has ended. See
/// [`super::worker_host::op_worker_receive`].
#[op2(async(lazy), fast)]
pub(crate) async fn op_worker_scope_receive(
    state: Rc<RefCell<OpState>>,
) -> Result<Option<RecvMessageData>, MessagePortError> {
    let inside = state.borrow().borrow::<Rc<WebWorkerState>>().clone();
    inside.port.recv(state).await
}

/// Makes the worker begin no further script.
#[op2(fast)]
pub(crate) fn op_worker_scope_close(state: &mut OpState) {
    state.borrow::<Rc<WebWorkerState>>().lifeline.close();
}

/// Stops the running script. The engine notices this at the next turn of a loop.
#[op2(fast)]
pub(crate) fn op_worker_scope_stop(state: &mut OpState) {
    state.borrow::<Rc<WebWorkerState>>().lifeline.stop_script();
}

/// The text of a classic script for `importScripts`, and its URL after redirects.
#[derive(ToV8)]
pub(super) struct ImportedScript {
    url: String,
    text: String,
}

/// Reads a classic script, for which the worker waits. Returns null if the worker should end in the
/// meantime.
#[op2(stack_trace)]
pub(crate) fn op_worker_scope_script(
    state: &mut OpState,
    #[string] url: String,
) -> Result<Option<ImportedScript>, ScriptError> {
    let lifeline = state.borrow::<Rc<WebWorkerState>>().lifeline.clone();
    let url = Url::parse(&url).map_err(ScriptError::Url)?;
    let script = ScriptSource::of(state).read_blocking(url, &lifeline)?;
    Ok(script.map(|script| ImportedScript {
        url: script.url.to_string(),
        text: script.text.to_string(),
    }))
}
