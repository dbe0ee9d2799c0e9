//! A stand-in for Deno's crate `deno_http`: it gives deno_runtime, and so Deno, the
//! `Deno.serve` and `Deno.upgradeWebSocket` of [`duplex_http`].
//!
//! A program takes it by a patch in its Cargo.toml. It needs the stand-in for `deno_websocket`:
//!
//! ```toml
//! [patch.crates-io]
//! deno_http = { git = "https://github.com/duplex-rs/duplex" }
//! deno_websocket = { git = "https://github.com/duplex-rs/duplex" }
//! ```
//!
//! The crate has no rule of its own. It joins the extension under the name `deno_http`, and the
//! files under the names that deno_runtime loads.
//!
//! | module | concern |
//! |---|---|
//! | [`deno_http`] | the extension |
//! | `accepted` | connections that a script has accepted |
//! | `serving` | the first server of a program, for who has started Deno |

mod accepted;
mod extension;
mod serving;

pub use crate::accepted::http_create_conn_resource;
pub use crate::extension::{Options, deno_http};
pub use crate::serving::{SERVE_NOTIFIER, serving_server_kind};
