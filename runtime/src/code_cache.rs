//! The code that V8 makes of scripts and modules when it compiles them. It is made when the program
//! is built, so that the start of the program need not compile them.

use deno_core::JsRuntime;
use deno_core::RuntimeOptions;
use deno_core::error::CoreError;
use deno_core::v8;
use deno_core::v8::script_compiler::CompileOptions;
use deno_core::v8::script_compiler::NoCacheReason;
use deno_core::v8::script_compiler::Source;
use deno_core::v8::script_compiler::compile_function;
use deno_core::v8::script_compiler::compile_module2;

use crate::extensions;
use crate::startup_data::StartupData;

/// Compiles lazy modules and scripts, each given with its specifier, as an engine with this
/// snapshot will, and returns the compiled code for each specifier, sorted. An engine with another
/// version or with other flags refuses the code and compiles the text itself.
///
/// Functions in the scripts are not compiled here but when they are called, because it takes longer
/// to read the code of all of them than to compile the ones that are called.
///
/// # Errors
///
/// If the snapshot does not fit the extensions.
pub(crate) fn compile(
    snapshot: &'static [u8],
    modules: &[(String, String)],
    scripts: &[(String, String)],
) -> Result<Vec<(String, Vec<u8>)>, CoreError> {
    let modules = modules.iter().map(|named| (true, named));
    let scripts = scripts.iter().map(|named| (false, named));
    let mut compiled = Vec::new();
    with_engine(snapshot, |scope| {
        for (is_module, (specifier, text)) in modules.chain(scripts) {
            v8::scope!(let scope, scope);
            let code = source(scope, specifier, text, is_module, None)
                .and_then(|source| create(scope, source, is_module));
            if let Some(code) = code {
                compiled.push((specifier.clone(), code.to_vec()));
            }
        }
    })?;
    compiled.sort();
    Ok(compiled)
}

fn create(
    scope: &mut v8::PinScope<'_, '_>,
    mut source: Source,
    is_module: bool,
) -> Option<v8::UniqueRef<v8::CachedData<'static>>> {
    let options = CompileOptions::NoCompileOptions;
    let reason = NoCacheReason::NoReason;
    if is_module {
        let module = compile_module2(scope, &mut source, options, reason)?;
        return module.get_unbound_module_script(scope).create_code_cache();
    }
    // deno_core compiles a script as the body of a function.
    let parameters = [v8::String::new(scope, "__bootstrap")?];
    compile_function(scope, &mut source, &parameters, &[], options, reason)?.create_code_cache()
}

fn source(
    scope: &mut v8::PinScope<'_, '_>,
    specifier: &str,
    text: &str,
    is_module: bool,
    code: Option<&[u8]>,
) -> Option<Source> {
    let name = v8::String::new(scope, specifier)?.into();
    let text = v8::String::new(scope, text)?;
    let origin = v8::ScriptOrigin::new(
        scope, name, 0, 0, false, -1, None, false, false, is_module, None,
    );
    Some(match code {
        Some(code) => Source::new_with_cached_data(text, Some(&origin), v8::CachedData::new(code)),
        None => Source::new(text, Some(&origin)),
    })
}

#[expect(
    clippy::expect_used,
    reason = "a build script calls this, and a machine that cannot make a clock cannot build"
)]
fn with_engine(
    snapshot: &'static [u8],
    body: impl FnOnce(&mut v8::PinScope<'_, '_>),
) -> Result<(), CoreError> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O can be made");
    let _guard = tokio.enter();
    let startup = StartupData {
        snapshot: Some(snapshot),
        ..Default::default()
    };
    let mut extensions = extensions::list();
    startup.provide_sources(&mut extensions);
    let mut runtime = JsRuntime::try_new(RuntimeOptions {
        startup_snapshot: startup.snapshot,
        skip_op_registration: true,
        extensions,
        ..Default::default()
    })?;
    deno_core::scope!(scope, &mut runtime);
    body(scope);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing shows that an engine has refused the code, except that the engine starts more
    /// slowly.
    #[test]
    fn an_engine_with_the_same_snapshot_takes_the_code() {
        let snapshot = crate::canaries::snapshot();
        let named = |specifier: &str, text: &str| (specifier.to_owned(), text.to_owned());
        let modules = [named("ext:a/module.js", "export const a = () => 1;")];
        let wrapped = deno_core::wrap_lazy_ext_script("(function () { return 2; })()");
        let scripts = [named("ext:a/a_script.js", &wrapped)];
        let compiled = compile(snapshot, &modules, &scripts).unwrap();
        let names: Vec<_> = compiled.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ext:a/a_script.js", "ext:a/module.js"]);

        let mut taken = 0;
        with_engine(snapshot, |scope| {
            let (options, reason) = (CompileOptions::ConsumeCodeCache, NoCacheReason::NoReason);
            let mut source = source(
                scope,
                "ext:a/module.js",
                &modules[0].1,
                true,
                Some(&compiled[1].1),
            )
            .unwrap();
            assert!(compile_module2(scope, &mut source, options, reason).is_some());
            taken += usize::from(!source.get_cached_data().unwrap().rejected());

            let mut source = super::source(
                scope,
                "ext:a/a_script.js",
                &wrapped,
                false,
                Some(&compiled[0].1),
            )
            .unwrap();
            let parameters = [v8::String::new(scope, "__bootstrap").unwrap()];
            let (options, reason) = (CompileOptions::ConsumeCodeCache, NoCacheReason::NoReason);
            assert!(
                compile_function(scope, &mut source, &parameters, &[], options, reason).is_some()
            );
            taken += usize::from(!source.get_cached_data().unwrap().rejected());
        })
        .unwrap();
        assert_eq!(taken, 2);
    }
}
