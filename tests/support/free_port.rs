//! Ports for servers that come and go during a test.

use std::sync::atomic::{AtomicU16, Ordering};

/// A port that no connection of this machine takes by itself while the server is away: one
/// below those that Linux gives out. Of two tests none gets the other's.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() as u16;
    loop {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + offset % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
