//! The flag for operators.

use std::net::SocketAddr;

use clap::Args;

use super::listen_address::parse_listen_address;

#[derive(Args)]
#[command(next_help_heading = "Operating")]
pub(super) struct MetricsArgs {
    /// Answer /metrics, /live and /ready on this address: PORT, or HOST:PORT [default host: 127.0.0.1]
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_address)]
    pub(super) metrics: Option<SocketAddr>,
}

fn parse_address(value: &str) -> Result<SocketAddr, String> {
    parse_listen_address(value, None)
}
