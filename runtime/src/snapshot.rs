//! What a build script prepares so that starting is fast. On V8 it is a heap snapshot in which the
//! globals exist already. On both engines it is the JavaScript of the extensions as static strings,
//! transpiled and wrapped. On V8 it is also the compiled code of that JavaScript.

use std::path::Path;

use deno_ast::MediaType;
use deno_core::ExtensionFileSource;
use deno_core::ModuleCodeString;
use deno_core::ModuleName;
use deno_core::SourceMapData;
use deno_core::url::Url;
use deno_error::JsErrorBox;

#[cfg(feature = "v8")]
use crate::code_cache;
use crate::extensions;
use crate::startup_data::StartupDataError;

/// For build scripts: writes `startup.rs`, an expression of type
/// [`StartupData`](crate::StartupData), and the files that it includes, to the directory `out`
/// (Cargo's `OUT_DIR`). Prints the `cargo:rerun-if-changed` lines.
///
/// # Errors
///
/// If an extension cannot be evaluated or transpiled, or a file cannot be read or written.
pub fn write_startup_data(out: &Path) -> Result<(), StartupDataError> {
    #[cfg(feature = "v8")]
    let (snapshot, in_snapshot) = {
        // V8 accepts compiled code only if its flags are the ones that the code was compiled with.
        crate::collect_early(false);
        let path = out.join("snapshot.bin");
        let consumed = create_snapshot(&path)?;
        (Some(path), consumed)
    };
    #[cfg(not(feature = "v8"))]
    let (snapshot, in_snapshot) = (None::<std::path::PathBuf>, Vec::<String>::new());

    let mut esm = Vec::new();
    let mut lazy_esm = Vec::new();
    let mut lazy_js = Vec::new();
    for extension in extensions::list() {
        watch(&extension.lazy_loaded_esm_files);
    }
    for extension in extensions::list_of_scripts() {
        if snapshot.is_none() {
            collect(&extension.esm_files, &[], &mut esm)?;
        }
        collect(
            &extension.lazy_loaded_esm_files,
            &in_snapshot,
            &mut lazy_esm,
        )?;
        collect(&extension.lazy_loaded_js_files, &in_snapshot, &mut lazy_js)?;
    }
    for (_, source) in &mut lazy_js {
        // deno_core hands this form to the engine without a copy.
        *source = deno_core::wrap_lazy_ext_script(source);
    }

    #[cfg(feature = "v8")]
    let code_cache = match &snapshot {
        Some(path) => code_cache::compile(read_snapshot(path)?, &lazy_esm, &lazy_js)?,
        None => Vec::new(),
    };
    #[cfg(not(feature = "v8"))]
    let code_cache = Vec::<(String, Vec<u8>)>::new();

    let mut expression = String::from("duplex_runtime::StartupData {\n");
    expression += &match snapshot {
        Some(path) => format!("    snapshot: Some(include_bytes!({path:?})),\n"),
        None => "    snapshot: None,\n".to_owned(),
    };
    for (name, mut table) in [("esm", esm), ("lazy_esm", lazy_esm), ("lazy_js", lazy_js)] {
        table.sort();
        expression += &format!("    {name}: &[\n");
        for (index, (specifier, source)) in table.iter().enumerate() {
            let path = out.join(format!("{name}_{index:03}.js"));
            write_file(&path, source.as_bytes())?;
            expression += &format!("        ({specifier:?}, include_str!({path:?})),\n");
        }
        expression.push_str("    ],\n");
    }
    expression.push_str("    code_cache: &[\n");
    for (index, (specifier, code)) in code_cache.iter().enumerate() {
        let path = out.join(format!("code_cache_{index:03}.bin"));
        write_file(&path, code)?;
        expression += &format!("        ({specifier:?}, include_bytes!({path:?})),\n");
    }
    expression.push_str("    ],\n");
    expression.push('}');
    write_file(&out.join("startup.rs"), expression.as_bytes())
}

/// Writes a V8 start-up snapshot of the extensions to `path` and returns the
/// specifiers of the lazily loaded files that it contains. Prints the
/// `cargo:rerun-if-changed` lines.
///
/// # Errors
///
/// If an extension cannot be evaluated or the file cannot be written.
#[cfg(feature = "v8")]
#[expect(
    clippy::expect_used,
    reason = "the globals that do not load are a defect of the build, which ends it"
)]
pub fn create_snapshot(path: &Path) -> Result<Vec<String>, StartupDataError> {
    use deno_core::snapshot::CreateSnapshotOptions;

    let output = deno_core::snapshot::create_snapshot(
        CreateSnapshotOptions {
            cargo_manifest_dir: env!("CARGO_MANIFEST_DIR"),
            startup_snapshot: None,
            skip_op_registration: false,
            extensions: extensions::list_of_scripts(),
            extension_transpiler: Some(std::rc::Rc::new(transpile_extension)),
            with_runtime_cb: Some(Box::new(|runtime| {
                runtime
                    .execute_script("ext:duplex_runtime/warm_up.js", "bootstrap.materialize();")
                    .expect("the globals of the snapshot load");
                add_vm_context(runtime);
            })),
        },
        None,
    )?;
    write_file(path, &output.output)?;
    for file in &output.files_loaded_during_snapshot {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    Ok(output.consumed_lazy_specifiers)
}

/// Adds the context from which `node:vm` makes its contexts.
#[cfg(feature = "v8")]
fn add_vm_context(runtime: &mut deno_core::JsRuntime) {
    use deno_core::v8;
    use deno_node::ContextInitMode::ForSnapshot;

    v8::scope!(scope, runtime.v8_isolate());
    let template = deno_node::init_global_template(scope, ForSnapshot);
    let queue = std::ptr::null_mut();
    let context = deno_node::create_v8_context(scope, template, ForSnapshot, queue);
    assert_eq!(scope.add_context(context), deno_node::VM_CONTEXT_INDEX);
}

/// The script that runs the tests of `node:test`.
const TEST_RUNNER: &str = include_str!("../js/node_test_runner.js");

/// Strips the types from an extension's TypeScript. JavaScript of this repository stays as it is.
/// The name of a module of Node.js does not say whether it is TypeScript. The JavaScript of Deno's
/// crates loses its comments, because it is a large part of the program.
pub(crate) fn transpile_extension(
    specifier: ModuleName,
    source: ModuleCodeString,
) -> Result<(ModuleCodeString, Option<SourceMapData>), JsErrorBox> {
    let name = specifier.as_str();
    let is_node = name.starts_with("node:") || name.starts_with("ext:deno_node/");
    let is_foreign = is_node || name.starts_with("ext:deno_");
    if !name.ends_with(".ts") && !is_foreign {
        return Ok((source, None));
    }
    let source = match name {
        // deno_node leaves this value to its embedder.
        "ext:deno_node/_process/process.ts" => source
            .as_str()
            .replace("__NODE_VERSION__", deno_node::NODE_VERSION)
            .into(),
        // deno_node leaves the running of tests to `deno test`, which duplex does not have.
        "ext:deno_node/testing.ts" => source
            .as_str()
            .replace("Deno.test(denoTestOptions)", "runTest(denoTestOptions)")
            .replace(
                "function noop() {}",
                &format!("function noop() {{}}\n{TEST_RUNNER}"),
            )
            .into(),
        // The module has become a classic script (see `lazy_scripts`).
        "node:worker_threads" | "ext:deno_node/worker_threads.ts" => source
            .as_str()
            .replace(
                "core.createLazyLoader(\"ext:deno_web/locks.js\")()",
                "core.loadExtScript(\"ext:deno_web/locks.js\")",
            )
            .into(),
        _ => source,
    };
    let failed = |error: &dyn std::fmt::Display| JsErrorBox::generic(error.to_string());
    let parsed = deno_ast::parse_program(deno_ast::ParseParams {
        specifier: Url::parse(specifier.as_str()).map_err(|error| failed(&error))?,
        text: source.as_str().into(),
        media_type: match name.ends_with("js") {
            true => MediaType::JavaScript,
            false => MediaType::TypeScript,
        },
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    })
    .map_err(|error| failed(&error))?;
    let emitted = parsed
        .transpile(
            &deno_ast::TranspileOptions {
                imports_not_used_as_values: deno_ast::ImportsNotUsedAsValues::Remove,
                ..Default::default()
            },
            &deno_ast::TranspileModuleOptions::default(),
            &deno_ast::EmitOptions {
                source_map: deno_ast::SourceMapOption::None,
                remove_comments: is_foreign,
                ..Default::default()
            },
        )
        .map_err(|error| failed(&error))?
        .into_source();
    Ok((emitted.text.into(), None))
}

fn collect(
    files: &[ExtensionFileSource],
    in_snapshot: &[String],
    table: &mut Vec<(String, String)>,
) -> Result<(), StartupDataError> {
    for file in files {
        if in_snapshot
            .iter()
            .any(|specifier| specifier == file.specifier)
        {
            continue;
        }
        watch(std::slice::from_ref(file));
        let source = file.load().map_err(|source| StartupDataError::Io {
            path: file.specifier.into(),
            source,
        })?;
        let (source, _) = transpile_extension(ModuleName::from_static(file.specifier), source)
            .map_err(|source| StartupDataError::Transpile {
                specifier: file.specifier.to_string(),
                source,
            })?;
        table.push((file.specifier.to_string(), to_ascii(source.as_str())));
    }
    Ok(())
}

/// Makes Cargo run the build script again when one of the files changes.
fn watch(files: &[ExtensionFileSource]) {
    for file in files {
        #[allow(deprecated)] // No other name for the variant exists.
        if let deno_core::ExtensionFileSourceCode::LoadedFromFsDuringSnapshot(path) = &file.code {
            println!("cargo:rerun-if-changed={path}");
        }
    }
}

/// Escapes the characters that are not ASCII, because only an ASCII source can be shared with the
/// engine. Such characters are only in strings, templates, regular expressions and comments, in
/// which an escape means the same.
fn to_ascii(source: &str) -> String {
    let mut ascii = String::with_capacity(source.len());
    for character in source.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            ascii += &format!("\\u{unit:04x}");
        }
    }
    ascii
}

/// Reads the snapshot. It is leaked, because an engine may use it for as long as the process lives.
#[cfg(feature = "v8")]
fn read_snapshot(path: &Path) -> Result<&'static [u8], StartupDataError> {
    match std::fs::read(path) {
        Ok(snapshot) => Ok(snapshot.leak()),
        Err(source) => Err(StartupDataError::Io {
            path: path.to_path_buf(),
            source,
        }),
    }
}

fn write_file(path: &Path, contents: &[u8]) -> Result<(), StartupDataError> {
    std::fs::write(path, contents).map_err(|source| StartupDataError::Io {
        path: path.to_path_buf(),
        source,
    })
}
