//! The bare runtime that the examples have in common.

mod extensions;

use std::rc::Rc;

use deno_core::{Extension, FsModuleLoader, JsRuntime, RuntimeOptions};
use extensions::extensions;

/// A runtime of deno_core with these extensions and `globals`, which says what scripts see.
pub(crate) fn runtime(globals: Extension) -> JsRuntime {
    // Before V8 starts: long messages that the script has done with go soon.
    duplex_websocket::collect_early(false);
    JsRuntime::new(RuntimeOptions {
        module_loader: Some(Rc::new(FsModuleLoader)),
        extensions: extensions(globals),
        ..Default::default()
    })
}
