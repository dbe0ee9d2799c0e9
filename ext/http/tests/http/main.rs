//! The server, driven over sockets.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod connections;
mod harness;
mod opening;
mod options;
mod request;
mod response;
mod upgrade;
mod upgrade_http2;
