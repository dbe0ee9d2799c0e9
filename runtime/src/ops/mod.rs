//! Ops that Deno's extension crates leave to the runtime, and the extension
//! that evaluates `runtime/js/`.

mod fs_events;
mod guard;
pub(crate) mod info;
mod node;
mod node_worker;
mod permissions;
mod serve;
#[cfg(not(feature = "v8"))]
pub(crate) mod stack;
pub(crate) mod tty;
mod worker_host;
mod worker_scope;

use info::RuntimeInfo;

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
        deno_process,
        deno_node,
        duplex_websocket,
        duplex_http
    ],
    ops = [
        fs_events::op_fs_events_open,
        fs_events::op_fs_events_poll,
        info::op_runtime_args,
        info::op_runtime_cpu_count,
        info::op_runtime_language,
        info::op_runtime_is_inspected,
        crate::telemetry::op_runtime_telemetry,
        info::op_runtime_location,
        info::op_runtime_main_module,
        info::op_runtime_no_color,
        info::op_runtime_pid,
        info::op_runtime_ppid,
        info::op_runtime_seed,
        info::op_runtime_stderr_no_color,
        info::op_runtime_stdout_no_color,
        info::op_runtime_unsafe_proto,
        info::op_runtime_user_agent,
        info::op_runtime_versions,
        node::op_bootstrap_color_depth,
        node::op_bootstrap_unstable_args,
        node::op_current_thread_cpu_usage,
        node::op_http_notify_serving,
        node::op_napi_open,
        node::op_runtime_uses_node_modules,
        node::op_test_snapshot_in_update_mode,
        node_worker::op_create_worker,
        node_worker::op_host_get_worker_cpu_usage,
        node_worker::op_host_post_message,
        node_worker::op_host_post_message_raw,
        node_worker::op_host_recv_ctrl,
        node_worker::op_host_recv_message,
        node_worker::op_host_recv_message_sync,
        node_worker::op_host_terminate_worker,
        node_worker::op_node_worker_thread_post_message,
        node_worker::op_node_worker_thread_recv_message,
        node_worker::op_node_worker_thread_register,
        node_worker::op_node_worker_thread_set_listener_count,
        permissions::op_permission_query,
        permissions::op_permission_request,
        permissions::op_permission_revoke,
        serve::op_serve_options,
        serve::op_serve_end,
        serve::op_serve_is_first,
        serve::op_serve_is_quiet,
        serve::op_serve_loops,
        serve::op_serve_signal,
        serve::op_serve_start_loops,
        tty::op_console_size,
        tty::op_set_raw,
        worker_host::op_worker_create,
        worker_host::op_worker_outcome,
        worker_host::op_worker_post,
        worker_host::op_worker_post_raw,
        worker_host::op_worker_receive,
        worker_scope::op_worker_scope,
        worker_scope::op_worker_scope_close,
        worker_scope::op_worker_scope_exit_code,
        worker_scope::op_worker_scope_metadata,
        worker_scope::op_worker_scope_post,
        worker_scope::op_worker_scope_post_raw,
        worker_scope::op_worker_scope_receive,
        worker_scope::op_worker_scope_script,
        worker_scope::op_worker_scope_stop,
    ],
    esm_entry_point = "ext:duplex_runtime/90_main.js",
    esm = [
        dir "js",
        "01_errors.js",
        "12_lazy.js",
        "20_globals.js",
        "30_deno_ns.js",
        "90_main.js",
    ],
    lazy_loaded_esm = [
        dir "js",
        "41_serve.js",
        "ext:duplex_runtime/std/http_parser.js" = "compat/std/http_parser.js",
        "ext:duplex_runtime/std/websocket_codec.js" = "compat/std/websocket_codec.js",
        "ext:runtime/98_global_scope_shared.js" = "15_node_console.js",
        "node:deno_std/async" = "compat/std/async.js",
        "node:deno_std/bufio" = "compat/std/bufio.js",
        "node:deno_std/http" = "compat/std/http.js",
        "node:deno_std/ws" = "compat/std/ws.js",
    ],
    lazy_loaded_js = [
        dir "js",
        "10_permissions.js",
        "11_navigator.js",
        "11_workers.js",
        "13_prompt.js",
        "14_fs_events.js",
        "40_worker_scope.js",
    ],
    options = { info: RuntimeInfo },
    middleware = guard::guard,
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
