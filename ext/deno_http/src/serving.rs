//! The first server of a program. Who has started Deno with a control socket is told of it.

use std::sync::OnceLock;

use deno_core::op2;
use tokio::sync::Notify;

/// Is notified when the first server of the program listens.
pub static SERVE_NOTIFIER: Notify = Notify::const_new();

static FIRST: OnceLock<u32> = OnceLock::new();

/// What the first server is: `"deno-serve"`, `"node-http"` or `"node-http2"`. `None` before there
/// is one, and for a kind without a name.
pub fn serving_server_kind() -> Option<&'static str> {
    match FIRST.get()? {
        1 => Some("deno-serve"),
        2 => Some("node-http"),
        3 => Some("node-http2"),
        _ => None,
    }
}

/// A server of this kind listens. deno_node says it too.
#[op2(fast)]
pub(crate) fn op_http_notify_serving(#[smi] kind: u32) {
    if FIRST.set(kind).is_ok() {
        SERVE_NOTIFIER.notify_one();
    }
}
