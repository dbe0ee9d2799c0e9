//! The versions of the runtime, the engine and TypeScript.

#[cfg(feature = "v8")]
use deno_core::v8;

/// The release of Deno that duplex follows, as in `Deno.version.deno`.
pub const DENO_VERSION: &str = "2.9.8";
/// The release of TypeScript whose syntax deno_ast reads.
pub const TYPESCRIPT_VERSION: &str = "6.0.3";

/// The engine and its version: `("v8", "15.0.245.2")`, `("quickjs", "0.15.1")`.
#[cfg(feature = "v8")]
pub fn engine_version() -> (&'static str, &'static str) {
    ("v8", v8::VERSION_STRING)
}

/// The engine and its version: `("v8", "15.0.245.2")`, `("quickjs", "0.15.1")`.
#[cfg(not(feature = "v8"))]
pub fn engine_version() -> (&'static str, &'static str) {
    unsafe extern "C" {
        safe fn JS_GetVersion() -> *const std::ffi::c_char;
    }
    // The crate of the engine tells only which version of V8 its interface follows. SAFETY: QuickJS
    // returns a string literal.
    let version = unsafe { std::ffi::CStr::from_ptr(JS_GetVersion()) };
    ("quickjs", version.to_str().unwrap_or_default())
}
