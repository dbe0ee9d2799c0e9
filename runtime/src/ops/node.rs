//! Ops that the JavaScript of deno_node needs from the runtime.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use deno_core::OpState;
use deno_core::op2;
use deno_permissions::PermissionCheckError;
use deno_permissions::PermissionsContainer;
use deno_terminal::colors::ColorLevel;

use crate::ops::info::RuntimeInfo;
use crate::packages::Packages;

/// How many bits the terminal has for a colour.
#[op2(fast)]
pub(crate) fn op_bootstrap_color_depth() -> i32 {
    match deno_terminal::colors::get_color_level() {
        ColorLevel::None => 1,
        ColorLevel::Ansi => 4,
        ColorLevel::Ansi256 => 8,
        ColorLevel::TrueColor => 24,
    }
}

/// The flags for a process that this program starts as Node.js, so that the process has the same
/// unstable features.
#[op2]
pub(crate) fn op_bootstrap_unstable_args(state: &mut OpState) -> Vec<String> {
    state.borrow::<RuntimeInfo>().features.flags()
}

/// The CPU time of this thread in user code and in system code, in microseconds.
#[op2(fast)]
pub(crate) fn op_current_thread_cpu_usage(#[buffer] out: &mut [f64]) {
    let (user, system) = thread_cpu_usage();
    if let [first, second, ..] = out {
        *first = user;
        *second = system;
    }
}

#[cfg(target_os = "linux")]
fn thread_cpu_usage() -> (f64, f64) {
    // SAFETY: the structure is plain numbers, and the call fills them.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    };
    let micros = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
    (micros(usage.ru_utime), micros(usage.ru_stime))
}

/// `getrusage` reports single threads on Linux only.
#[cfg(not(target_os = "linux"))]
fn thread_cpu_usage() -> (f64, f64) {
    (0.0, 0.0)
}

/// Does nothing. In Deno this op tells `deno desktop` that a server is up.
#[op2(fast)]
pub(crate) fn op_http_notify_serving(#[smi] _kind: u32) {}

/// Why a native add-on is not loaded.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(super) enum AddOnError {
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[class("NotSupported")]
    #[error(
        "Native add-ons are not supported: \"{0}\"\n  hint: use the JavaScript or WebAssembly \
         build of the package, if it has one."
    )]
    NotSupported(String),
}

/// Refuses a native add-on. Native code can do all that the process can, so the permission is
/// checked first.
#[op2(fast, stack_trace)]
pub(crate) fn op_napi_open(state: &mut OpState, #[string] path: &str) -> Result<(), AddOnError> {
    state
        .borrow_mut::<PermissionsContainer>()
        .check_ffi(Cow::Borrowed(Path::new(path)))?;
    Err(AddOnError::NotSupported(path.to_string()))
}

/// Whether packages are in a `node_modules` folder rather than in the cache.
#[op2(fast)]
pub(crate) fn op_runtime_uses_node_modules(state: &mut OpState) -> bool {
    state.borrow::<Rc<Packages>>().uses_node_modules()
}

/// Whether `node:test` may overwrite its snapshots, which it never may.
#[op2(fast)]
pub(crate) fn op_test_snapshot_in_update_mode() -> bool {
    false
}
