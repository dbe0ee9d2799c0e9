//! The extensions of a bare runtime.

use std::sync::Arc;

use deno_core::Extension;

/// duplex_websocket and what that needs, in this order, and `globals`, which says what scripts see.
pub(crate) fn extensions(globals: Extension) -> Vec<Extension> {
    vec![
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
    ]
}
