//! A stand-in for Deno's crate `deno_websocket`: it gives deno_http, deno_runtime, and so Deno,
//! the WebSockets of [`duplex_websocket`].
//!
//! A program takes it by a patch in its Cargo.toml:
//!
//! ```toml
//! [patch.crates-io]
//! deno_websocket = { git = "https://github.com/duplex-rs/duplex" }
//! ```
//!
//! The crate has no rule of its own. It joins three things: the extension under the name
//! `deno_websocket`, the files under the names that Deno loads, and the resource that deno_http
//! knows a socket by.
//!
//! | module | concern |
//! |---|---|
//! | [`deno_websocket`] | the extension |
//! | `server_websocket` | the resource |
//! | `debugging` | the sockets in a debugger |

mod debugging;
mod extension;
mod server_websocket;

pub use crate::extension::deno_websocket;
pub use crate::server_websocket::ServerWebSocket;
pub use crate::server_websocket::{ws_create_server_stream, ws_create_server_stream_with_guard};
pub use duplex_websocket::collect_early;
