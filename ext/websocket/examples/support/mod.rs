//! The bare runtime that the examples have in common.

use std::rc::Rc;
use std::sync::Arc;

use deno_core::{Extension, FsModuleLoader, JsRuntime, RuntimeOptions};

/// A runtime of deno_core with duplex_websocket, with the extensions that it needs, in this order,
/// and with `globals`, which defines what scripts see.
pub(crate) fn runtime(globals: Extension) -> JsRuntime {
    // This comes before V8 starts. It has V8 free long messages soon after
    // their last use.
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
