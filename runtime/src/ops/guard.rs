//! Ops of other crates that duplex replaces by ops that check more.
//!
//! deno_core tells internal code from a program's code by the URL that the text was compiled with.
//! So the ops that compile a program's text are replaced by ops that take only URLs that a program
//! can have. The op that reads the environment without a permission is replaced by an op that reads
//! only the settings of Node.js and Deno.

use deno_core::OpDecl;
use deno_core::op2;
use deno_core::url::Url;
use deno_core::v8;
use deno_core::v8::script_compiler;
use deno_error::JsErrorBox;

/// The middleware that puts the ops of this file in place of the original ops.
pub(super) fn guard(op: OpDecl) -> OpDecl {
    #[cfg(not(feature = "v8"))]
    let op = super::stack::guard(op);
    match op.name {
        "op_eval_context" => {
            const GUARDED: OpDecl = op_eval_context();
            op.with_implementation_from(&GUARDED)
        }
        "op_compile_function" => {
            const GUARDED: OpDecl = op_compile_function();
            op.with_implementation_from(&GUARDED)
        }
        "op_inspector_connect" | "op_inspector_open" | "op_node_repl_inspector_connect" => {
            const REFUSED: OpDecl = op_no_inspector();
            op.with_implementation_from(&REFUSED)
        }
        // On QuickJS the original ops would end the process.
        #[cfg(not(feature = "v8"))]
        "op_vm_create_context" | "op_vm_create_context_without_contextify" => {
            const REFUSED: OpDecl = op_no_contexts();
            op.with_implementation_from(&REFUSED)
        }
        #[cfg(not(feature = "v8"))]
        "op_import_sync" => {
            const REFUSED: OpDecl = op_no_import_sync();
            op.with_implementation_from(&REFUSED)
        }
        #[cfg(not(feature = "v8"))]
        "op_create_worker" => {
            const REFUSED: OpDecl = op_no_threads();
            op.with_implementation_from(&REFUSED)
        }
        "op_get_env_no_permission_check" => {
            const GUARDED: OpDecl = op_get_env_no_permission_check();
            op.with_implementation_from(&GUARDED)
        }
        _ => op,
    }
}

/// The variables that deno_node reads for its own use, without showing them to the program.
const SETTINGS: [&str; 15] = [
    "DENO_NODE_USE_OPENSSL_CA",
    "DENO_TLS_CA_STORE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_CLUSTER_SCHED_POLICY",
    "NODE_DEBUG_NATIVE",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "NODE_USE_ENV_PROXY",
    "NODE_USE_SYSTEM_CA",
    "NO_PROXY",
    "TERM",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Replaces deno_os's op of this name. Returns a variable of the environment if it is one of
/// [`SETTINGS`].
#[op2]
#[string]
fn op_get_env_no_permission_check(#[string] key: &str) -> Option<String> {
    SETTINGS
        .contains(&key)
        .then(|| std::env::var(key).ok())
        .flatten()
}

/// Replaces the op of deno_core with this name: runs the script `source`. Returns an array of the
/// script's value (or null) and of a second item. The second item is null, or an array of the
/// exception, of whether the exception is an `Error`, and of whether the text did not compile.
///
/// # Errors
///
/// If the URL is not one that a program can have.
#[op2(reentrant)]
fn op_eval_context<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    source: v8::Local<'s, v8::Value>,
    #[string] specifier: String,
    host_defined_options: Option<v8::Local<'s, v8::Array>>,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let (text, origin) = unit(scope, source, &specifier, host_defined_options)?;
    v8::tc_scope!(let scope, scope);
    let script = v8::Script::compile(scope, text, Some(&origin));
    let is_compile_error = script.is_none();
    let value = script.and_then(|script| script.run(scope));
    let exception = scope.exception();
    Ok(outcome(scope, value, exception, is_compile_error))
}

/// Replaces the op of deno_core with this name: makes a function with these parameters and with the
/// body `source`. Returns an array as [`op_eval_context`] does.
///
/// # Errors
///
/// If the URL is not one that a program can have, or a parameter is not a string.
#[op2(reentrant)]
fn op_compile_function<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    source: v8::Local<'s, v8::Value>,
    #[string] specifier: String,
    host_defined_options: Option<v8::Local<'s, v8::Array>>,
    parameters: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let (text, origin) = unit(scope, source, &specifier, host_defined_options)?;
    let mut names = Vec::new();
    for index in 0..parameters.length() {
        let name = parameters
            .get_index(scope, index)
            .and_then(|name| v8::Local::<v8::String>::try_from(name).ok())
            .ok_or_else(|| JsErrorBox::type_error("A parameter's name is a string"))?;
        names.push(name);
    }
    v8::tc_scope!(let scope, scope);
    let mut source = script_compiler::Source::new(text, Some(&origin));
    let function = script_compiler::compile_function(
        scope,
        &mut source,
        &names,
        &[],
        script_compiler::CompileOptions::NoCompileOptions,
        script_compiler::NoCacheReason::NoReason,
    );
    let exception = scope.exception();
    let is_compile_error = function.is_none();
    let function = function.map(v8::Local::<v8::Value>::from);
    Ok(outcome(scope, function, exception, is_compile_error))
}

/// Replaces the ops of deno_node that open the engine's inspector from inside the program.
#[op2(fast)]
fn op_no_inspector() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new(
        "NotSupported",
        "A program has no inspector of its own: --inspect lets a debugger attach",
    ))
}

/// Replaces the ops of deno_node that make a context.
#[cfg(not(feature = "v8"))]
#[op2(fast)]
fn op_no_contexts() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new(
        "NotSupported",
        "node:vm has no contexts of its own on QuickJS",
    ))
}

/// Replaces the op that starts a thread of Node.js, because the engine of such a thread does not
/// find its first modules.
#[cfg(not(feature = "v8"))]
#[op2(fast)]
fn op_no_threads() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new(
        "NotSupported",
        "node:worker_threads starts no threads on QuickJS: use the web's Worker",
    ))
}

/// Replaces the op of deno_core that imports a module synchronously.
#[cfg(not(feature = "v8"))]
#[op2(fast)]
fn op_no_import_sync() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new(
        "NotSupported",
        "require() takes no ES modules on QuickJS: use import()",
    ))
}

/// The text of a program as a string of the engine, and its origin.
fn unit<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    source: v8::Local<'s, v8::Value>,
    specifier: &str,
    host_defined_options: Option<v8::Local<'s, v8::Array>>,
) -> Result<(v8::Local<'s, v8::String>, v8::ScriptOrigin<'s>), JsErrorBox> {
    let text = v8::Local::<v8::String>::try_from(source)
        .map_err(|_| JsErrorBox::type_error("The text of a script is a string"))?;
    let name = url_of_program(specifier)?;
    let name = v8::String::new(scope, name.as_str())
        .ok_or_else(|| JsErrorBox::range_error("The URL of a script is too long"))?;
    let options = match host_defined_options {
        Some(array) => Some(primitives(scope, array)?.into()),
        None => None,
    };
    let origin = v8::ScriptOrigin::new(
        scope,
        name.into(),
        0,
        0,
        false,
        0,
        None,
        false,
        false,
        false,
        options,
    );
    Ok((text, origin))
}

/// Parses the URL of a program's text.
fn url_of_program(specifier: &str) -> Result<Url, JsErrorBox> {
    let url = Url::parse(specifier).map_err(|error| {
        JsErrorBox::type_error(format!("Invalid URL of a script: {specifier:?}: {error}"))
    })?;
    match url.scheme() {
        // Classic workers load scripts by HTTP too.
        "file" | "data" | "blob" | "http" | "https" => Ok(url),
        scheme => Err(JsErrorBox::type_error(format!(
            "A script cannot have a URL with the scheme \"{scheme}:\""
        ))),
    }
}

fn primitives<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    array: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::PrimitiveArray>, JsErrorBox> {
    let length = i32::try_from(array.length())
        .map_err(|_| JsErrorBox::range_error("There are too many options"))?;
    let primitives = v8::PrimitiveArray::new(scope, length as usize);
    for index in 0..array.length() {
        let value = array
            .get_index(scope, index)
            .and_then(|value| v8::Local::<v8::Primitive>::try_from(value).ok())
            .ok_or_else(|| JsErrorBox::type_error("An option is a primitive"))?;
        primitives.set(scope, index as usize, value);
    }
    Ok(primitives)
}

/// The array that `core.evalContext` and `core.compileFunction` take apart.
fn outcome<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: Option<v8::Local<'s, v8::Value>>,
    exception: Option<v8::Local<'s, v8::Value>>,
    is_compile_error: bool,
) -> v8::Local<'s, v8::Value> {
    let null: v8::Local<v8::Value> = v8::null(scope).into();
    let failure = match (value, exception) {
        (Some(_), _) => null,
        (None, exception) => {
            // Without an exception the engine is being terminated.
            let thrown = exception.unwrap_or(null);
            let is_native_error = v8::Boolean::new(scope, thrown.is_native_error());
            let is_compile_error = v8::Boolean::new(scope, is_compile_error);
            let failure = [thrown, is_native_error.into(), is_compile_error.into()];
            v8::Array::new_with_elements(scope, &failure).into()
        }
    };
    v8::Array::new_with_elements(scope, &[value.unwrap_or(null), failure]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_program_has_an_internal_url() {
        for specifier in [
            "file:///a.js",
            "data:text/javascript,1",
            "blob:null/1",
            "https://example.com/x.js",
        ] {
            assert!(url_of_program(specifier).is_ok(), "{specifier}");
        }
        for specifier in [
            "ext:core/mod.js",
            "EXT:evil/x.js",
            " ext:evil/x.js",
            "node:fs",
            "checkin:x",
            "evil.js",
            "",
        ] {
            assert!(url_of_program(specifier).is_err(), "{specifier}");
        }
    }
}
