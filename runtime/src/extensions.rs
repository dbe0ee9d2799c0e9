//! The list of extensions, which the snapshot and every start use.

use std::rc::Rc;
use std::sync::Arc;

use deno_core::Extension;
use deno_core::ExtensionArguments;
use deno_core::url::Url;
use deno_tls::RootCertStoreProvider;

use crate::lazy_scripts;
use crate::ops;
use crate::packages::NodeServices;
use crate::packages::PackageChecker;
use crate::packages::PackageFolders;
use crate::packages::Sys;

/// The options of the extensions at start-up.
pub(crate) struct ExtensionOptions {
    pub location: Option<Url>,
    pub blob_store: Arc<dyn deno_web::BlobStoreTrait>,
    pub broadcast: deno_web::InMemoryBroadcastChannel,
    pub root_certs: Arc<dyn RootCertStoreProvider>,
    pub seed: Option<u64>,
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    pub user_agent: String,
    pub exit_code: deno_os::ExitCode,
    pub node: NodeServices,
    pub runtime: ops::info::RuntimeInfo,
}

/// The extensions, in the order that the snapshot and [`arguments`] need. All are initialised late,
/// so that a snapshot holds no state of the machine that made it.
pub(crate) fn list() -> Vec<Extension> {
    vec![
        deno_telemetry::deno_telemetry::lazy_init(),
        deno_webidl::deno_webidl::lazy_init(),
        deno_web::deno_web::lazy_init(),
        deno_crypto::deno_crypto::lazy_init(),
        deno_fetch::deno_fetch::lazy_init(),
        deno_net::deno_net::lazy_init(),
        deno_tls::deno_tls::lazy_init(),
        deno_io::deno_io::lazy_init(),
        deno_fs::deno_fs::lazy_init(),
        deno_os::deno_os::lazy_init(),
        deno_process::deno_process::lazy_init(),
        deno_node_crypto::deno_node_crypto::lazy_init(),
        deno_node_sqlite::deno_node_sqlite::lazy_init(),
        deno_node::deno_node::lazy_init::<PackageChecker, PackageFolders, Sys>(),
        on_demand(duplex_websocket::duplex_websocket::lazy_init()),
        on_demand(duplex_http::duplex_http::lazy_init()),
        ops::duplex_runtime::lazy_init(),
    ]
}

/// The list for builds and for starts without start-up data: the files that are evaluated on demand
/// are classic scripts in it, except for the ES modules that a program may import.
pub(crate) fn list_of_scripts() -> Vec<Extension> {
    let mut extensions = list();
    lazy_scripts::make_scripts(&mut extensions);
    extensions
}

/// The arguments of the extensions, in the order of [`list`].
pub(crate) fn arguments(options: ExtensionOptions) -> Vec<ExtensionArguments> {
    vec![
        deno_telemetry::deno_telemetry::args(),
        deno_webidl::deno_webidl::args(),
        deno_web::deno_web::args(
            options.blob_store,
            options.location,
            true,
            options.broadcast,
        ),
        deno_crypto::deno_crypto::args(options.seed),
        deno_fetch::deno_fetch::args(deno_fetch::Options {
            user_agent: options.user_agent,
            root_cert_store_provider: Some(options.root_certs.clone()),
            unsafely_ignore_certificate_errors: options.unsafely_ignore_certificate_errors.clone(),
            file_fetch_handler: Rc::new(deno_fetch::FsFetchHandler),
            ..Default::default()
        }),
        deno_net::deno_net::args(
            Some(options.root_certs),
            options.unsafely_ignore_certificate_errors,
        ),
        deno_tls::deno_tls::args(),
        deno_io::deno_io::args(Some(deno_io::Stdio::default())),
        deno_fs::deno_fs::args(Arc::new(deno_fs::RealFs)),
        deno_os::deno_os::args(Some(options.exit_code)),
        deno_process::deno_process::args(None),
        deno_node_crypto::deno_node_crypto::args(),
        deno_node_sqlite::deno_node_sqlite::args(),
        deno_node::deno_node::args::<PackageChecker, PackageFolders, Sys>(
            Some(options.node),
            Arc::new(deno_fs::RealFs),
        ),
        duplex_websocket::duplex_websocket::args(),
        duplex_http::duplex_http::args(),
        ops::duplex_runtime::args(options.runtime),
    ]
}

/// Makes the extension's modules be evaluated when a program first uses them, not at start-up. So
/// what `20_globals.js` loads late is not in the snapshot either, which matters because functions
/// in a snapshot have lost V8's fast calls into Rust.
fn on_demand(mut extension: Extension) -> Extension {
    extension
        .lazy_loaded_esm_files
        .to_mut()
        .extend(std::mem::take(&mut extension.esm_files).into_owned());
    extension
}
