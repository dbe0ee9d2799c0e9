//! Ops that Deno's extension crates leave to the runtime, and the extension
//! that evaluates `js/`.

mod info;
mod node;
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
        node::op_node_digest,
        node::op_node_tls_start,
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
        "node:internal/commonjs" = "commonjs.js",
        "node:internal/websocket_codec" = "websocket_codec.js",
        "node:assert" = "node/assert.js",
        "node:buffer" = "node/buffer.js",
        "node:crypto" = "node/crypto.js",
        "node:internal/errors" = "node/errors.js",
        "node:events" = "node/events.js",
        "node:fs" = "node/fs.js",
        "node:http" = "node/http.js",
        "node:internal/http_parser" = "node/http_parser.js",
        "node:https" = "node/https.js",
        "node:module" = "node/module.js",
        "node:net" = "node/net.js",
        "node:os" = "node/os.js",
        "node:path" = "node/path.js",
        "node:process" = "node/process.js",
        "node:stream" = "node/stream.js",
        "node:string_decoder" = "node/string_decoder.js",
        "node:timers" = "node/timers.js",
        "node:tls" = "node/tls.js",
        "node:url" = "node/url.js",
        "node:util" = "node/util.js",
        "node:internal/ws/event_target" = "ws/event_target.js",
        "node:internal/ws" = "ws/mod.js",
        "node:internal/ws/server" = "ws/server.js",
        "node:internal/ws/stream" = "ws/stream.js",
        "node:internal/ws/subprotocol" = "ws/subprotocol.js",
        "node:internal/ws/websocket" = "ws/websocket.js",
        "node:deno_std/async" = "std/async.js",
        "node:deno_std/bufio" = "std/bufio.js",
        "node:deno_std/http" = "std/http.js",
        "node:deno_std/ws" = "std/ws.js",
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
