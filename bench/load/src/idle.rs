//! Idle connections: what the server's memory grows by for each.

use std::thread;
use std::time::Duration;

use crate::measure::Report;
use crate::pool::Means;
use crate::pool::Pool;
use crate::server::Server;
use crate::sys;

#[derive(Clone, Copy)]
pub struct Idle {
    pub connections: usize,
}

impl Idle {
    pub fn measure(self, server: &Server, means: &Means) -> Result<Report, String> {
        // What the first connections bring into memory is the server's, not theirs.
        drop(Pool::connect(server.port, 100, means)?);
        thread::sleep(SETTLE);
        let before = sys::resident(server.pid(), false) as f64;
        let pool = Pool::connect(server.port, self.connections, means)?;
        thread::sleep(SETTLE);
        let after = sys::resident(server.pid(), false) as f64;
        drop(pool);
        let mut report = Report::default();
        report
            .findings
            .push(("kb", (after - before) / self.connections as f64 / 1e3));
        report.findings.push(("rss_mb", after / 1e6));
        report
            .findings
            .push(("connections", self.connections as f64));
        Ok(report)
    }
}

/// For what a server does a moment later, such as collecting garbage.
const SETTLE: Duration = Duration::from_secs(2);
