//! deno_runtime with the WebSockets of duplex, as small as it goes: the patch is in the
//! workspace's Cargo.toml, and nothing of it is seen here.
//!
//!     cargo run --release --manifest-path deno/Cargo.toml -p deno_runtime_example -- SCRIPT

use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;

use deno_resolver::npm::{DenoInNpmPackageChecker, NpmResolver};
use deno_runtime::deno_core::{FsModuleLoader, resolve_path};
use deno_runtime::deno_fs::RealFs;
use deno_runtime::deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use deno_runtime::deno_web::{BlobStore, InMemoryBroadcastChannel};
use deno_runtime::worker::{MainWorker, WorkerOptions, WorkerServiceOptions};
use sys_traits::impls::RealSys;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let script = std::env::args().nth(1).ok_or("which script?")?;
    let module = resolve_path(&script, &std::env::current_dir()?)?;
    let parser = RuntimePermissionDescriptorParser::new(RealSys);
    let services = WorkerServiceOptions::<DenoInNpmPackageChecker, NpmResolver<RealSys>, RealSys> {
        blob_store: Arc::new(BlobStore::default()),
        broadcast_channel: InMemoryBroadcastChannel::default(),
        bundle_provider: None,
        compiled_wasm_module_store: None,
        deno_rt_native_addon_loader: None,
        feature_checker: Default::default(),
        fetch_dns_resolver: Default::default(),
        fs: Arc::new(RealFs),
        module_loader: Rc::new(FsModuleLoader),
        node_services: None,
        npm_process_state_provider: None,
        permissions: PermissionsContainer::allow_all(Arc::new(parser)),
        root_cert_store_provider: None,
        shared_array_buffer_store: None,
        v8_code_cache: None,
    };
    let options = WorkerOptions {
        startup_snapshot: deno_snapshots::CLI_SNAPSHOT,
        residual_lazy_js_sources: deno_snapshots::RESIDUAL_LAZY_JS,
        residual_lazy_esm_sources: deno_snapshots::RESIDUAL_LAZY_ESM,
        ..WorkerOptions::default()
    };
    let mut worker = MainWorker::bootstrap_from_options(&module, services, options);
    worker.execute_main_module(&module).await?;
    worker.run_event_loop(false).await?;
    Ok(())
}
