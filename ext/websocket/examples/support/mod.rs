//! The bare runtime that the examples have in common.

use std::rc::Rc;
use std::sync::Arc;

use deno_core::{Extension, FsModuleLoader, JsRuntime, RuntimeOptions};

/// A runtime of deno_core with duplex_websocket and what that needs, in this order, and with
/// `globals`, which says what scripts see.
pub(crate) fn runtime(globals: Extension) -> JsRuntime {
    // Before V8 starts: long messages that the script has done with go soon.
    duplex_websocket::collect_early(false);
    JsRuntime::new(RuntimeOptions {
        module_loader: Some(Rc::new(FsModuleLoader)),
        extensions: vec![
            deno_webidl::deno_webidl::init(),
            deno_web::deno_web::init(
                Arc::new(deno_web::BlobStore::default()),
                None,
                false,
                deno_web::InMemoryBroadcastChannel::default(),
            ),
            deno_net::deno_net::init(None, None),
            deno_fetch::deno_fetch::init(deno_fetch::Options::default()),
            duplex_websocket::duplex_websocket::init(),
            globals,
        ],
        ..Default::default()
    })
}
