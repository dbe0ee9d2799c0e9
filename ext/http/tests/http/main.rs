//! The server, driven over sockets.

mod connections;
mod harness;
mod opening;
mod options;
mod request;
mod response;
mod upgrade;
mod upgrade_http2;
