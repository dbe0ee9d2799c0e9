//! The server, driven over sockets.

mod connections;
mod harness;
mod options;
mod request;
mod response;
mod upgrade;
mod upgrade_http2;
