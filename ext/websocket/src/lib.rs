//! `WebSocket` and `WebSocketStream` for programs on deno_core: the extension
//! `duplex_websocket`.
//!
//! | module | concern |
//! |---|---|
//! | [`transport`] | the byte stream under a connection |
//! | `tls` | TLS, after its handshake |
//! | `hub` | all connections of one runtime: readiness, timers, delivery |
//! | `script` | the script that the hub delivers to |
//! | `connection` | one connection: a transport, the protocol's session, and the messages that go through them |
//! | [`metrics`] | the numbers that operators count |
//! | [`network_events`] | what debuggers are told about each socket |
//! | `debuggers` | the network events of the attached debuggers |
//! | `shown_handshake` | what debuggers are told about a server's handshakes |
//! | `connection_log` | the log lines of each connection |
//! | `deferred` | the messages that wait behind a Blob |
//! | `message` | a message that is sent or published |
//! | `topics` | topics, and who is subscribed to them |
//! | `publishing` | messages that go to all subscribers |
//! | `publication` | the frames of a published message, each made once |
//! | `parcel` | a published message on its way to other threads |
//! | `history` | the latest published messages, for subscribers that come back |
//! | `log_copies` | the local copies of a history that a broker keeps |
//! | `own_messages` | messages that a broker returns to the process that published them |
//! | `topic_space` | topics across the event loops of a process |
//! | [`limits`] | what a peer may make this end hold or do |
//! | [`deflate`] | the option `perMessageDeflate` |
//! | `out_buffer` | frames on their way to the kernel |
//! | `garbage` | payloads that scripts no longer use |
//! | `recycler` | the memory of such payloads, for the next payloads |
//! | `members` | the members of a group |
//! | `group` | the connections of one server |
//! | `accepted` | an accepted connection, for the program that accepted it |
//! | `network_stream` | a stream of deno_net as a transport |
//! | `codec` | the protocol for scripts that own the stream |
//! | `client` | dialling: TCP, TLS, proxies, the opening handshake |
//! | `numbers` | the numbers that Rust and JavaScript share |
//! | `ops` | the ops that the JavaScript of this folder calls |
//!
//! The JavaScript lies beside `src`, one concept a file. Programs import the files numbered from
//! `01`. The files numbered `00` are parts of these.
//!
//! A program adds the extension after deno_web, deno_net and deno_fetch, and exposes `WebSocket`
//! and `CloseEvent` from `ext:duplex_websocket/01_websocket.js`, and `WebSocketStream` with
//! `WebSocketError` from `02_websocketstream.js` beside it. `examples/embed.rs` shows all of this.
//! For clients with their own proxies and certificates, a program exposes `createHttpClient` of
//! `00_http_client.js` instead of deno_fetch's. A server that has answered an opening handshake
//! calls [`accept`] to hand the stream over. A program that starts V8 calls [`collect_early`]
//! before.

#[cfg(all(feature = "v8", feature = "quickjs"))]
compile_error!(
    "the features `v8` and `quickjs` of duplex_websocket exclude each other: \
     build with `--no-default-features --features quickjs` for QuickJS"
);
#[cfg(not(any(feature = "v8", feature = "quickjs")))]
compile_error!("duplex_websocket needs an engine: enable the feature `v8` or `quickjs`");

mod accepted;
mod client;
mod codec;
mod connection;
mod connection_log;
mod debuggers;
mod deferred;
pub mod deflate;
mod garbage;
mod group;
mod history;
mod hub;
pub mod limits;
mod log_copies;
mod members;
mod message;
pub mod metrics;
mod nearest_name;
pub mod network_events;
mod network_stream;
mod numbers;
mod ops;
mod out_buffer;
mod own_messages;
mod parcel;
mod publication;
mod publishing;
mod recycler;
mod script;
mod shown_handshake;
mod tls;
mod topic_space;
mod topics;
pub mod transport;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use deno_core::OpState;
use duplex_protocol::deflate::{Compression, Parameters};
use duplex_protocol::frame::Role;
use duplex_protocol::session::IdleTimeout;

pub use crate::accepted::AcceptedConnection;
use crate::connection::{Connection, Settings};
pub use crate::connection_log::{
    is_on as logs_connections, opened as log_opened, refused as log_refused,
};
pub use crate::debuggers::show_to_debuggers;
pub use crate::garbage::collect_early;
pub use crate::group::SocketGroup;
pub use crate::history::{HistoryOptions, Position, Recovery};
use crate::hub::Hub;
pub use crate::limits::Limits;
pub use crate::log_copies::LogExtent;
pub use crate::message::{Message, Reach};
pub use crate::publishing::Recording;
pub use crate::shown_handshake::ShownHandshake;
pub use crate::tls::{Carrier, Tls};
pub use crate::topic_space::{Later, Relay, TopicSpace};
pub use crate::transport::{AsyncStream, Transport};

deno_core::extension!(
    duplex_websocket,
    deps = [deno_webidl, deno_web, deno_fetch],
    ops = [
        nearest_name::op_ws_nearest_name,
        deflate::op_ws_suspend_compression,
        numbers::op_ws_numbers,
        ops::op_ws_check_permission_and_cancel_handle,
        ops::op_ws_create,
        ops::op_ws_add_http_client,
        ops::op_ws_set_callbacks,
        ops::op_ws_set_stream_callbacks,
        ops::op_ws_attach,
        ops::op_ws_attach_pull,
        ops::op_ws_pull,
        ops::op_ws_backlog,
        ops::op_ws_send_text,
        ops::op_ws_send_binary,
        ops::op_ws_send_arraybuffer,
        ops::op_ws_defer_blob,
        ops::op_ws_send_blob,
        ops::op_ws_drop_blob,
        ops::op_ws_send_control,
        ops::op_ws_check_close,
        ops::op_ws_close,
        ops::op_ws_terminate,
        ops::op_ws_hold_back,
        ops::op_ws_is_held_back,
        ops::op_ws_set_ref,
        ops::op_ws_remote_addr,
        ops::op_ws_subscribe,
        ops::op_ws_subscribe_since,
        ops::op_ws_read_log,
        ops::op_ws_unsubscribe,
        ops::op_ws_is_subscribed,
        ops::op_ws_subscriptions,
        ops::op_ws_publish_text,
        ops::op_ws_publish_binary,
        ops::op_ws_buffered_amount,
        codec::op_ws_codec_create,
        codec::op_ws_codec_decode,
        codec::op_ws_codec_encode,
        codec::op_ws_accept_key,
    ],
    esm = [
        "00_blob.js",
        "00_close_event.js",
        "00_core.js",
        "00_delivery.js",
        "00_dial.js",
        "00_event_handlers.js",
        "00_event_internals.js",
        "00_event_sink.js",
        "00_fast_ops.js",
        "00_http_client.js",
        "00_known_members.js",
        "00_message_event.js",
        "00_numbers.js",
        "00_pausing.js",
        "00_options.js",
        "00_prototypes.js",
        "00_publishing.js",
        "00_sending.js",
        "00_slots.js",
        "00_unheard.js",
        "01_websocket.js",
        "02_server_websocket.js",
    ],
    lazy_loaded_esm = [
        "00_tracing.js",
        "02_websocketstream.js",
        "03_handler_websocket.js"
    ],
    lazy_loaded_js = ["00_attach_fast_calls.js"],
    state = |_state| {
        client::Environment::at_start();
    },
);

/// How [`accept`] serves a connection.
#[derive(Clone)]
pub struct ServerOptions {
    /// How long the peer may stay silent. After half of the time a Ping is
    /// sent. If the peer is silent for all of the time, the connection ends
    /// with code 1001. `None` and zero mean that no time is too long. The
    /// default is `None`.
    pub idle_timeout: Option<Duration>,
    /// Whether Pings are sent. If not, the connection still ends when the peer is silent. The
    /// default is true.
    pub sends_pings: bool,
    /// How much the peer may make this end hold or do.
    pub limits: Limits,
    /// What the handshake agreed on for permessage-deflate (RFC 7692), and how
    /// to compress. `None` means that messages are not compressed.
    pub deflate: Option<(Parameters, Compression)>,
    /// The server's connections, to close them together and to publish to them.
    pub group: Option<SocketGroup>,
    /// The peer's address, if the peer has one.
    pub remote_addr: Option<SocketAddr>,
    /// Whether the transport is a stream of HTTP/2.
    pub is_http2: bool,
    /// Whether TLS is under the transport, if the transport does not tell it.
    pub is_tls: bool,
    /// The answer to the opening handshake, if it has not been sent yet. The
    /// answer goes out before all else. Empty means that the answer has been
    /// sent.
    pub answer: Vec<u8>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            idle_timeout: None,
            sends_pings: true,
            limits: Limits::default(),
            deflate: None,
            group: None,
            remote_addr: None,
            is_http2: false,
            is_tls: false,
            answer: Vec::new(),
        }
    }
}

/// Takes over a connection whose opening handshake has been answered, or is answered by
/// [`ServerOptions::answer`] (RFC 6455 section 4.2.2). `read_ahead` are the bytes after the
/// handshake that were read together with it.
///
/// Returns the id for `openServerWebSocket(socket, id)` of `02_server_websocket.js`. Nothing is
/// read before that call. The connection keeps the event loop alive until it ends.
pub fn accept(
    state: &mut OpState,
    transport: Transport,
    read_ahead: Bytes,
    options: ServerOptions,
) -> u32 {
    let hub = Hub::of(state);
    let connection = hub.add(|place, now| {
        let idle = options.idle_timeout.filter(|timeout| !timeout.is_zero());
        let idle = idle.map(|timeout| IdleTimeout {
            timeout,
            sends_pings: options.sends_pings,
        });
        let settings = Settings::new(options.limits, idle);
        let options = connection::Options {
            settings: hub.shared(settings),
            deflate: options.deflate,
            remote_addr: options.remote_addr,
            is_http2: options.is_http2,
            is_tls: options.is_tls,
        };
        Connection::new(place, Role::Server, transport, read_ahead, options, now)
    });
    if let Some(group) = options.group {
        let membership = group.join(Rc::downgrade(&connection));
        *connection.membership.borrow_mut() = Some(membership);
    }
    if !options.answer.is_empty() {
        connection.send_answer(&options.answer);
        hub.mark_dirty(&connection);
    }
    connection.id
}
