//! The window in which a server is measured, and what comes of it.

use std::time::Duration;
use std::time::Instant;

use crate::server::Usage;
use crate::sys;

/// How long to work before it counts, and then.
#[derive(Clone, Copy)]
pub struct Times {
    pub warm_up: Duration,
    pub measured: Duration,
}

/// Counts operations in a window that begins after the warm-up.
pub struct Window {
    server: i32,
    times: Times,
    started: Instant,
    begin: Option<Mark>,
}

#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    operations: u64,
    server: Usage,
    load: Duration,
}

impl Window {
    pub fn new(server: i32, times: Times) -> Window {
        Window {
            server,
            times,
            started: Instant::now(),
            begin: None,
        }
    }

    /// To be called often, with all operations done so far; the result when the time is over.
    pub fn tick(&mut self, operations: u64) -> Result<Option<Report>, String> {
        let now = Instant::now();
        match self.begin {
            None => {
                if now - self.started >= self.times.warm_up {
                    self.begin = Some(self.mark(now, operations)?);
                }
                Ok(None)
            }
            Some(begin) if now - begin.at >= self.times.measured => Ok(Some(Report::between(
                begin,
                self.mark(now, operations)?,
                self.server,
            ))),
            Some(_) => Ok(None),
        }
    }

    fn mark(&self, at: Instant, operations: u64) -> Result<Mark, String> {
        let load = sys::cpu_time(std::process::id() as i32).map_err(|e| e.to_string())?;
        Ok(Mark {
            at,
            operations,
            server: Usage::of(self.server)?,
            load,
        })
    }
}

/// What one run has shown. Prints as JSON.
#[derive(Default)]
pub struct Report {
    fields: Vec<(&'static str, f64)>,
}

impl Report {
    pub fn add(&mut self, name: &'static str, value: f64) {
        self.fields.push((name, value));
    }

    fn between(begin: Mark, end: Mark, server: i32) -> Report {
        let seconds = (end.at - begin.at).as_secs_f64();
        let operations = (end.operations - begin.operations) as f64;
        let cpu = (end.server.cpu - begin.server.cpu).as_secs_f64();
        let user = (end.server.user - begin.server.user) as f64;
        let system = (end.server.system - begin.server.system) as f64;
        let mut report = Report::default();
        report.add("cpu_us", cpu / operations * 1e6);
        report.add("per_second", operations / seconds);
        report.add("system_share", system / (user + system).max(1.0));
        report.add("server_core", cpu / seconds);
        report.add("load_core", (end.load - begin.load).as_secs_f64() / seconds);
        report.add("rss_mb", sys::resident(server, false) as f64 / 1e6);
        report.add("peak_rss_mb", sys::resident(server, true) as f64 / 1e6);
        report
    }

    pub fn json(&self) -> String {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| format!("\"{name}\": {value:.4}"))
            .collect();
        format!("{{{}}}", fields.join(", "))
    }
}
