//! Ports for servers that come and go during a test.

use std::sync::atomic::{AtomicU16, Ordering};

/// A port that no other connection of this machine takes while the server is away, because it is
/// below the range that Linux assigns. Two tests never get the same port.
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
