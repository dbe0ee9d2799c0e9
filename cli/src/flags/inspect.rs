//! The flags of debuggers: Deno's, and Node.js's.

use std::net::SocketAddr;

use clap::Args;
use duplex_runtime::InspectorStart;

use super::listen_address::parse_listen_address;

/// Where Chrome's DevTools look for programs to debug.
const DEFAULT_PORT: u16 = 9229;

#[derive(Args)]
#[command(next_help_heading = "Debugging")]
pub(super) struct InspectArgs {
    /// Let debuggers attach on this address [default: 127.0.0.1:9229]
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_address, hide = cfg!(not(feature = "v8")))]
    inspect: Option<SocketAddr>,
    /// Like --inspect, and start the program when a debugger has attached
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_address, conflicts_with = "inspect", hide = cfg!(not(feature = "v8")))]
    inspect_wait: Option<SocketAddr>,
    /// Like --inspect-wait, and stop before the first statement of the program
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_address, conflicts_with_all = ["inspect", "inspect_wait"], hide = cfg!(not(feature = "v8")))]
    inspect_brk: Option<SocketAddr>,
}

impl InspectArgs {
    pub(super) fn into_flags(self) -> Option<(SocketAddr, InspectorStart)> {
        let at_once = self.inspect.map(|it| (it, InspectorStart::AtOnce));
        let attached = self.inspect_wait.map(|it| (it, InspectorStart::Attached));
        let paused = self.inspect_brk.map(|it| (it, InspectorStart::Paused));
        at_once.or(attached).or(paused)
    }
}

/// `HOST:PORT`, a port alone, a host alone, or nothing.
fn parse_address(value: &str) -> Result<SocketAddr, String> {
    if cfg!(not(feature = "v8")) {
        return Err("debuggers need a build with V8: this one runs on QuickJS".to_string());
    }
    parse_listen_address(value, Some(DEFAULT_PORT))
}
