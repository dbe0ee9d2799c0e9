//! Ops that Deno's extension crates leave to the runtime, and the extension
//! that evaluates `js/`.

mod guard;
mod info;
mod node;
mod permissions;
mod serve;
#[cfg(not(feature = "v8"))]
pub mod stack;
mod tty;
mod worker_host;
mod worker_scope;

pub use info::RuntimeInfo;
pub use serve::ServeAddress;

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
        node::op_node_digest,
        node::op_node_tls_start,
        permissions::op_permission_query,
        permissions::op_permission_request,
        permissions::op_permission_revoke,
        serve::op_serve_address,
        serve::op_serve_signal,
        tty::op_console_size,
        tty::op_set_raw,
        worker_host::op_worker_create,
        worker_host::op_worker_outcome,
        worker_host::op_worker_post,
        worker_host::op_worker_post_raw,
        worker_host::op_worker_receive,
        worker_scope::op_worker_scope,
        worker_scope::op_worker_scope_close,
        worker_scope::op_worker_scope_post,
        worker_scope::op_worker_scope_post_raw,
        worker_scope::op_worker_scope_receive,
        worker_scope::op_worker_scope_script,
        worker_scope::op_worker_scope_stop,
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
        dir "../js",
        "41_serve.js",
        "ext:duplex_runtime/serve_http.js" = "compat/serve_http.js",
        "node:internal/commonjs" = "compat/commonjs.js",
        "node:internal/websocket_codec" = "compat/websocket_codec.js",
        "node:assert" = "compat/node/assert.js",
        "node:buffer" = "compat/node/buffer.js",
        "node:crypto" = "compat/node/crypto.js",
        "node:internal/errors" = "compat/node/errors.js",
        "node:events" = "compat/node/events.js",
        "node:fs" = "compat/node/fs.js",
        "node:http" = "compat/node/http.js",
        "node:internal/http_parser" = "compat/node/http_parser.js",
        "node:https" = "compat/node/https.js",
        "node:module" = "compat/node/module.js",
        "node:net" = "compat/node/net.js",
        "node:os" = "compat/node/os.js",
        "node:path" = "compat/node/path.js",
        "node:process" = "compat/node/process.js",
        "node:stream" = "compat/node/stream.js",
        "node:string_decoder" = "compat/node/string_decoder.js",
        "node:timers" = "compat/node/timers.js",
        "node:tls" = "compat/node/tls.js",
        "node:url" = "compat/node/url.js",
        "node:util" = "compat/node/util.js",
        "node:internal/ws/event_target" = "compat/ws/event_target.js",
        "node:internal/ws" = "compat/ws/mod.js",
        "node:internal/ws/server" = "compat/ws/server.js",
        "node:internal/ws/stream" = "compat/ws/stream.js",
        "node:internal/ws/subprotocol" = "compat/ws/subprotocol.js",
        "node:internal/ws/websocket" = "compat/ws/websocket.js",
        "node:deno_std/async" = "compat/std/async.js",
        "node:deno_std/bufio" = "compat/std/bufio.js",
        "node:deno_std/http" = "compat/std/http.js",
        "node:deno_std/ws" = "compat/std/ws.js",
    ],
    lazy_loaded_js = [
        dir "../js",
        "10_permissions.js",
        "11_navigator.js",
        "11_workers.js",
        "13_prompt.js",
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
