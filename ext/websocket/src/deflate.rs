//! The option `perMessageDeflate`, of clients and of servers (RFC 7692).

use std::cell::Cell;

use deno_core::FromV8;
use deno_core::op2;
use duplex_protocol::deflate::{ClientConfig, Compression, Level, ServerConfig, WindowBits};

/// The option as `convertPerMessageDeflate` of `00_options.js` gives it:
/// checked and complete. Only a window is missing if the program did not set
/// it.
#[derive(FromV8)]
pub struct PerMessageDeflate {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u32>,
    client_max_window_bits: Option<u32>,
    threshold: u32,
    level: u32,
}

thread_local! {
    static IS_SUSPENDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the messages that this thread sends now are not compressed. A script says this for one
/// message, which goes to one connection or to many.
pub(crate) fn is_suspended() -> bool {
    IS_SUSPENDED.get()
}

/// Switches compression off for the messages that the script sends from now on, or on again. The
/// caller runs no script between the two calls.
#[op2(fast)]
pub(crate) fn op_ws_suspend_compression(is_suspended: bool) {
    IS_SUSPENDED.set(is_suspended);
}

impl PerMessageDeflate {
    fn compression(&self) -> Compression {
        let level = u8::try_from(self.level).ok().and_then(Level::new);
        Compression {
            level: level.unwrap_or_default(),
            threshold: self.threshold as usize,
        }
    }
}

impl From<PerMessageDeflate> for ServerConfig {
    fn from(options: PerMessageDeflate) -> Self {
        Self {
            server_no_context_takeover: options.server_no_context_takeover,
            client_no_context_takeover: options.client_no_context_takeover,
            server_max_window_bits: bits(options.server_max_window_bits).unwrap_or_default(),
            client_max_window_bits: bits(options.client_max_window_bits).unwrap_or_default(),
            compression: options.compression(),
        }
    }
}

impl From<PerMessageDeflate> for ClientConfig {
    fn from(options: PerMessageDeflate) -> Self {
        Self {
            server_no_context_takeover: options.server_no_context_takeover,
            client_no_context_takeover: options.client_no_context_takeover,
            server_max_window_bits: bits(options.server_max_window_bits),
            client_max_window_bits: bits(options.client_max_window_bits).unwrap_or_default(),
            compression: options.compression(),
        }
    }
}

fn bits(bits: Option<u32>) -> Option<WindowBits> {
    u8::try_from(bits?).ok().and_then(WindowBits::new)
}
