//! Ops that Deno's extension crates leave to the runtime, and the extension
//! that evaluates `js/`.

mod info;
mod permissions;
#[cfg(not(feature = "v8"))]
pub mod stack;
mod tty;

pub use info::RuntimeInfo;

deno_core::extension!(
    duplex_runtime,
    deps = [
        deno_webidl,
        deno_web,
        deno_crypto,
        deno_fetch,
        deno_net,
        deno_io,
        deno_fs,
        deno_os,
        duplex_websocket,
        duplex_http
    ],
    ops = [
        info::op_runtime_args,
        info::op_runtime_cpu_count,
        info::op_runtime_language,
        info::op_runtime_location,
        info::op_runtime_main_module,
        info::op_runtime_no_color,
        info::op_runtime_pid,
        info::op_runtime_ppid,
        info::op_runtime_seed,
        info::op_runtime_stderr_no_color,
        info::op_runtime_stdout_no_color,
        info::op_runtime_user_agent,
        info::op_runtime_versions,
        permissions::op_permission_query,
        permissions::op_permission_request,
        permissions::op_permission_revoke,
        tty::op_console_size,
        tty::op_set_raw,
    ],
    esm_entry_point = "ext:duplex_runtime/90_main.js",
    esm = [
        dir "../js",
        "01_errors.js",
        "12_lazy.js",
        "20_globals.js",
        "30_deno_ns.js",
        "90_main.js",
    ],
    lazy_loaded_esm = [
        dir "../js/compat",
        "ext:duplex_runtime/serve_http.js" = "serve_http.js",
    ],
    lazy_loaded_js = [
        dir "../js",
        "10_permissions.js",
        "11_navigator.js",
        "13_prompt.js",
    ],
    options = { info: RuntimeInfo },
    state = |state, options| {
        state.put(options.info);
        state.put(tty::TerminalModes::default());
    },
    // An entry of `ops` cannot depend on a feature.
    customizer = |_extension: &mut deno_core::Extension| {
        #[cfg(not(feature = "v8"))]
        _extension
            .ops
            .to_mut()
            .push(stack::op_runtime_reserve_stack());
    },
);
