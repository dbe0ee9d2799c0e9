//! The options that all engines of one program share.

use std::sync::Arc;

use deno_core::CompiledWasmModuleStore;
use deno_core::SharedArrayBufferStore;
use deno_web::BlobStoreTrait;
use deno_web::InMemoryBroadcastChannel;

use crate::features::Features;
use crate::inspector::Inspector;
use crate::root_certs::RootCerts;
use crate::startup_data::StartupData;
use crate::web_worker::request::WebWorkerLoaders;

/// The options that all engines of one program share.
#[derive(Clone)]
pub(crate) struct SharedOptions {
    pub args: Vec<String>,
    pub blob_store: Arc<dyn BlobStoreTrait>,
    pub root_certs: Arc<RootCerts>,
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    pub seed: Option<u64>,
    pub features: Features,
    pub startup: StartupData,
    pub user_agent: String,
    pub web_workers: Option<WebWorkerLoaders>,
    pub inspector: Option<Inspector>,
    pub channels: Channels,
}

/// The stores through which messages go from one engine to another.
#[derive(Clone, Default)]
pub(crate) struct Channels {
    pub broadcast: InMemoryBroadcastChannel,
    pub shared_buffers: SharedArrayBufferStore,
    pub wasm_modules: CompiledWasmModuleStore,
}
