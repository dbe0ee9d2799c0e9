//! `Deno.serve` and `Deno.upgradeWebSocket` for deno_core programs.
//!
//! Add [`duplex_http`] to the extensions of a `JsRuntime`, after those of `deno_webidl`,
//! `deno_web`, `deno_net`, `deno_fetch` and `duplex_websocket`, and import `serve` from
//! `ext:duplex_http/02_websocket_handler.js` and `upgradeWebSocket` from
//! `ext:duplex_http/01_upgrade.js`. The `OpState` must hold a
//! `deno_permissions::PermissionsContainer`. The `OpState` may also hold [`ServerLimits`], an
//! [`OwnAddress`], and an [`EventLoop`] if the program runs on several threads.

mod broker;
mod certificates;
mod clock;
mod connection;
mod connections;
mod control;
mod date;
mod error;
mod event_loops;
mod exchange;
mod exchange_table;
mod first_packet;
pub mod health;
mod held;
mod host;
mod http2;
mod http2_stream;
mod limits;
mod listener;
mod metrics;
mod numbers;
mod ops;
mod origin;
mod peer;
mod progress;
mod received_body;
mod request;
mod request_body;
mod requests;
mod response;
mod response_body;
mod serve_address;
mod server;
mod server_io;
mod server_listener;
mod serving;
mod transport;
mod upgrade;
mod upgrade_stream;
mod warnings;

use std::rc::Rc;

pub use certificates::CertificateError;
pub use certificates::CertificateFiles;
pub use certificates::Certificates;
pub use error::HttpError;
pub use event_loops::EventLoop;
pub use event_loops::EventLoops;
pub use event_loops::MAX_LOOPS;
pub use limits::ServerLimits;
pub use listener::OwnAddress;
pub use listener::OwnPath;
pub use metrics::expose as expose_metrics;

#[cfg(not(any(feature = "v8", feature = "quickjs")))]
compile_error!("choose an engine: enable the feature `v8` or the feature `quickjs`");

#[cfg(all(feature = "v8", feature = "quickjs"))]
compile_error!("the features `v8` and `quickjs` exclude each other: enable one of them");

deno_core::extension!(
    duplex_http,
    deps = [deno_web, deno_net, deno_fetch, duplex_websocket],
    ops = [
        ops::op_http_serve_tcp,
        ops::op_http_serve_unix,
        ops::op_http_serve_connection,
        ops::op_http_wait,
        ops::op_http_shutdown,
        ops::op_http_abort,
        ops::op_http_publish_text,
        ops::op_http_publish_binary,
        ops::op_http_publish_recorded_text,
        ops::op_http_publish_recorded_binary,
        ops::op_http_subscriber_count,
        ops::op_http_socket_count,
        ops::op_http_pending_requests,
        serve_address::op_http_serve_address_override,
        ops::op_http_share_topics,
        broker::op_http_broker_event,
        broker::op_http_broker_flush,
        broker::op_http_broker_status,
        metrics::op_http_metrics,
        numbers::op_http_numbers,
        origin::op_http_origin,
        request::op_http_request_method,
        request::op_http_request_url,
        request::op_http_request_headers,
        request::op_http_request_header,
        request::op_http_request_header_text,
        request::op_http_request_peer,
        request::op_http_request_timeout,
        request::op_http_request_body,
        request::op_http_request_body_stream,
        response::op_http_respond_text,
        response::op_http_respond_bytes,
        response::op_http_respond,
        response::op_http_respond_stream,
        response::op_http_watch,
        response::op_http_release,
        upgrade::op_http_websocket_handshake,
        upgrade::op_http_upgrade_begin,
        upgrade::op_http_upgrade_accept,
        upgrade::op_http_upgrade_respond,
        upgrade::op_http_upgrade_wait,
        upgrade_stream::op_http_upgrade_stream,
    ],
    esm = [
        "00_answer.js",
        "00_handshake.js",
        "00_listen.js",
        "00_refusal.js",
        "00_request.js",
        "00_serve.js",
        "00_topics.js",
        "01_handlers.js",
        "01_upgrade.js",
        "02_websocket_handler.js"
    ],
    lazy_loaded_esm = [
        "00_allowed_origins.js",
        "00_metrics.js",
        "00_node_socket.js",
        "00_tracing.js",
        "03_routes.js",
        "04_handler_form.js",
        "05_exported.js",
        "05_serve_http.js",
    ],
    state = |state| {
        state.put(Rc::new(exchange::Exchanges::default()));
    },
);
