//! The flags of the engine: `--v8-flags` and `DENO_V8_FLAGS`.

/// Sets the flags. To be called before the engine starts.
///
/// # Errors
/// A message if V8 does not know a flag.
#[cfg(feature = "v8")]
pub(crate) fn set(flags: &[String]) -> Result<(), String> {
    let of_environment = std::env::var("DENO_V8_FLAGS").unwrap_or_default();
    let all: Vec<String> = of_environment
        .split(',')
        .filter(|flag| !flag.is_empty())
        .map(str::to_string)
        .chain(flags.iter().cloned())
        .collect();
    let has = |name: &str| {
        (all.iter()).any(|flag| flag.replace('_', "-").split('=').next() == Some(name))
    };
    let is_gc_exposed = has("--expose-gc") || has("--expose-gc-as");
    let is_strict = has("--use-strict");
    let set = set_all(all);
    if !is_strict {
        duplex_runtime::collect_early(is_gc_exposed);
    }
    set
}

#[cfg(feature = "v8")]
fn set_all(all: Vec<String>) -> Result<(), String> {
    if all.is_empty() {
        return Ok(());
    }
    // V8 takes the first argument for the name of the program, and returns it.
    let arguments = std::iter::once("duplex".to_string()).chain(all).collect();
    let unknown: Vec<_> = deno_core::v8_set_flags(arguments)
        .into_iter()
        .skip(1)
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "V8 did not recognize flags: {}\n\nFor a list of V8 flags, use '--v8-flags=--help'",
        unknown.join(", ")
    ))
}

/// Prepares QuickJS. To be called before the engine starts and while the process has one thread.
///
/// # Errors
/// A message if there are flags, because QuickJS has none.
#[cfg(not(feature = "v8"))]
pub(crate) fn set(flags: &[String]) -> Result<(), String> {
    // By default, the crate of the engine keeps the byte code of every program in ~/.cache/v8x or
    // in a folder of /tmp, and later runs what it finds there under the right name, without a
    // check. That saves no measurable time, and a user who can write to the folder could run native
    // code in this process.
    //
    // SAFETY: the process has one thread, so no other thread reads the environment.
    unsafe { std::env::set_var("V82JSC_NO_BC_CACHE", "1") };
    if flags.is_empty() {
        return Ok(());
    }
    Err("--v8-flags needs V8, and this build of duplex runs on QuickJS".to_string())
}
