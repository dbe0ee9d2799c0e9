//! Ops that tell a program about the process that runs it.

use deno_core::OpState;
use deno_core::ToV8;
use deno_core::op2;
use deno_core::url::Url;

use crate::features::Features;
use crate::versions::DENO_VERSION;
use crate::versions::TYPESCRIPT_VERSION;
use crate::versions::engine_version;

/// What the embedder knows about the program.
pub(crate) struct RuntimeInfo {
    /// `Deno.args`
    pub args: Vec<String>,
    /// `Deno.mainModule`
    pub main_module: Url,
    /// `navigator.userAgent`
    pub user_agent: String,
    /// `globalThis.location`
    pub location: Option<Url>,
    /// The seed that makes `Math.random` repeatable.
    pub seed: Option<u64>,
    /// The unstable features that are on.
    pub features: Features,
    /// Whether debuggers can attach.
    pub is_inspected: bool,
}

#[op2]
pub(crate) fn op_runtime_args(state: &mut OpState) -> Vec<String> {
    state.borrow::<RuntimeInfo>().args.clone()
}

#[op2]
#[string]
pub(crate) fn op_runtime_main_module(state: &mut OpState) -> String {
    state.borrow::<RuntimeInfo>().main_module.to_string()
}

#[op2]
#[string]
pub(crate) fn op_runtime_user_agent(state: &mut OpState) -> String {
    state.borrow::<RuntimeInfo>().user_agent.clone()
}

/// The value of `--location`, or null.
#[op2]
#[string]
pub(crate) fn op_runtime_location(state: &mut OpState) -> Option<String> {
    let location = state.borrow::<RuntimeInfo>().location.as_ref();
    location.map(|location| location.to_string())
}

/// The seed of `Math.random`, or null.
#[op2]
pub(crate) fn op_runtime_seed(state: &mut OpState) -> Option<u32> {
    let seed = state.borrow::<RuntimeInfo>().seed?;
    Some((seed ^ (seed >> 32)) as u32)
}

/// Whether the program keeps `Object.prototype.__proto__`.
#[op2(fast)]
pub(crate) fn op_runtime_unsafe_proto(state: &mut OpState) -> bool {
    state.borrow::<RuntimeInfo>().features.unsafe_proto
}

/// Whether debuggers can attach.
#[op2(fast)]
pub(crate) fn op_runtime_is_inspected(state: &mut OpState) -> bool {
    state.borrow::<RuntimeInfo>().is_inspected
}

/// The user's language as a BCP 47 tag.
#[op2]
#[string]
pub(crate) fn op_runtime_language() -> String {
    language()
}

#[op2(fast)]
#[smi]
pub(crate) fn op_runtime_cpu_count() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

#[op2(fast)]
#[smi]
pub(crate) fn op_runtime_pid() -> u32 {
    std::process::id()
}

/// The process id of the parent process, or 0 if the system does not tell it.
#[op2(fast)]
#[smi]
pub(crate) fn op_runtime_ppid() -> u32 {
    #[cfg(unix)]
    {
        std::os::unix::process::parent_id()
    }
    #[cfg(not(unix))]
    {
        0
    }
}

#[op2(fast)]
pub(crate) fn op_runtime_no_color() -> bool {
    !deno_terminal::colors::use_color()
}

#[op2(fast)]
pub(crate) fn op_runtime_stdout_no_color() -> bool {
    no_color(deno_terminal::is_stdout_tty())
}

#[op2(fast)]
pub(crate) fn op_runtime_stderr_no_color() -> bool {
    no_color(deno_terminal::is_stderr_tty())
}

/// The versions in `Deno.version`.
#[derive(ToV8)]
pub(crate) struct Versions {
    pub deno: &'static str,
    pub v8: &'static str,
    pub typescript: &'static str,
    pub duplex: &'static str,
    pub engine: &'static str,
    pub target: &'static str,
}

#[op2]
pub(crate) fn op_runtime_versions() -> Versions {
    let (engine, version) = engine_version();
    Versions {
        deno: DENO_VERSION,
        v8: version,
        typescript: TYPESCRIPT_VERSION,
        duplex: env!("CARGO_PKG_VERSION"),
        engine,
        target: env!("DUPLEX_TARGET"),
    }
}

fn no_color(is_terminal: bool) -> bool {
    if deno_terminal::colors::force_color() {
        return false;
    }
    !is_terminal || !deno_terminal::colors::use_color()
}

#[cfg(feature = "v8")]
fn language() -> String {
    deno_core::v8::icu::get_language_tag()
}

/// The language of the environment, with the variables in the order that POSIX specifies.
/// `de_DE.UTF-8` becomes `de-DE`.
#[cfg(not(feature = "v8"))]
fn language() -> String {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .and_then(|value| {
            let name = value.split(['.', '@']).next()?.replace('_', "-");
            (name != "C" && name != "POSIX").then_some(name)
        })
        .unwrap_or_else(|| "en-US".to_string())
}
