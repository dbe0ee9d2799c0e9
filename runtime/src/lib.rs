//! The runtime of duplex: the globals of the web, the `Deno` namespace, module loading and
//! permissions, on deno_core with V8 or QuickJS.
//!
//! A program makes a [`MainWorker`] from [`WorkerOptions`] and calls
//! [`MainWorker::run_main_module`]. The program's build script calls [`write_startup_data`], and
//! the program includes the output as its [`StartupData`]. So a start reads no JavaScript from disk
//! and, on V8, evaluates hardly any.
//! evaluation.

#[cfg(not(any(feature = "v8", feature = "quickjs")))]
compile_error!("duplex_runtime needs an engine: enable the feature `v8` or the feature `quickjs`");
#[cfg(all(feature = "v8", feature = "quickjs"))]
compile_error!(
    "duplex_runtime runs on one engine: enable either the feature `v8` or the feature `quickjs`"
);

#[cfg(all(test, feature = "v8"))]
mod canaries;
#[cfg(feature = "v8")]
mod code_cache;
mod compat;
pub mod config;
#[cfg(feature = "v8")]
mod cpu_profile;
mod cpu_profile_options;
mod debugging;
pub mod dependencies;
mod engine;
mod extensions;
mod features;
pub mod fmt_errors;
#[cfg(feature = "v8")]
mod heap_snapshots;
mod idle_memory;
pub mod import_map;
mod inspector;
mod internal_imports;
mod lazy_scripts;
mod main_worker;
mod metrics_server;
pub mod module_loader;
mod module_override;
mod module_permissions;
mod ops;
pub mod packages;
pub mod parallel;
pub mod permissions;
mod process_numbers;
mod read_report;
mod root_certs;
mod serve_options;
mod shared_options;
mod siblings;
mod snapshot;
mod startup_data;
mod telemetry;
pub mod transpile;
mod versions;
pub mod web_worker;
mod worker_error;
mod worker_options;
#[cfg(feature = "v8")]
mod written_file;

pub use cpu_profile_options::CpuProfileOptions;
pub use debugging::Debugging;
pub use deno_core;
pub use deno_features::UNSTABLE_FEATURES;
pub use deno_permissions;
pub use deno_web::BlobStore;
pub use deno_web::BlobStoreTrait;
pub use duplex_http::CertificateFiles;
pub use duplex_http::Certificates;
pub use duplex_websocket::collect_early;
pub use features::Features;
pub use inspector::Inspector;
pub use inspector::InspectorStart;
pub use main_worker::MainWorker;
pub use metrics_server::serve_metrics;
pub use read_report::report_file;
pub use read_report::report_files_to;
pub use root_certs::CertList;
pub use root_certs::RootCerts;
pub use root_certs::RootCertsError;
pub use serve_options::ServeOptions;
#[cfg(feature = "v8")]
pub use snapshot::create_snapshot;
pub use snapshot::write_startup_data;
pub use startup_data::StartupData;
pub use startup_data::StartupDataError;
pub use telemetry::end_telemetry;
pub use telemetry::log_to_telemetry;
pub use telemetry::start_telemetry;
pub use versions::DENO_VERSION;
pub use versions::TYPESCRIPT_VERSION;
pub use versions::engine_version;
pub use worker_error::WorkerError;
pub use worker_options::WorkerOptions;
