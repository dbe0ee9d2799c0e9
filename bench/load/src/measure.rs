//! How servers are measured: they take turns in short slices, so that whatever else the
//! machine does hits all of them, and each slice has a result of its own.

use std::time::Duration;
use std::time::Instant;

use crate::server::Server;
use crate::server::Usage;
use crate::sys;

/// The load on one server, connected and ready.
pub trait Work {
    /// Works until then, and until what is in flight has arrived. How many operations that was.
    fn run(&mut self, until: Instant) -> Result<u64, String>;

    /// What there is to say besides time, by name.
    fn findings(&mut self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

pub struct Plan {
    /// How long each server works before it counts, so that an engine has compiled its script.
    pub warm_up: Duration,
    pub slice: Duration,
    pub slices: usize,
}

/// What came out for one server.
#[derive(Default)]
pub struct Report {
    /// Of each slice, the server's time on a core for an operation, in microseconds.
    pub cpu_us: Vec<f64>,
    pub per_second: Vec<f64>,
    /// Further findings, by name.
    pub findings: Vec<(&'static str, f64)>,
}

/// Measures servers side by side.
pub fn measure(
    servers: &mut [(Server, Box<dyn Work>)],
    plan: &Plan,
) -> Result<Vec<Report>, String> {
    let mut runs = Vec::new();
    for (server, work) in servers.iter_mut() {
        work.run(Instant::now() + plan.warm_up)?;
        runs.push(Run {
            report: Report::default(),
            before: Usage::of(server.pid())?,
            ..Run::default()
        });
    }
    for slice in 0..plan.slices {
        for turn in 0..servers.len() {
            let index = (slice + turn) % servers.len();
            let (server, work) = &mut servers[index];
            runs[index].slice(server, work.as_mut(), plan.slice)?;
        }
    }
    let finish = |((server, work), run): (&mut (Server, Box<dyn Work>), Run)| {
        run.finish(server, work.as_mut())
    };
    Ok(servers.iter_mut().zip(runs).map(finish).collect())
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => (sorted[length / 2 - 1] + sorted[length / 2]) / 2.0,
    }
}

impl Report {
    pub fn json(&self) -> String {
        let list = |values: &[f64]| {
            values
                .iter()
                .map(|value| format!("{value:.4}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let mut fields = Vec::new();
        if !self.cpu_us.is_empty() {
            fields.push(format!("\"cpu_us\": [{}]", list(&self.cpu_us)));
            fields.push(format!("\"per_second\": [{}]", list(&self.per_second)));
        }
        fields.extend(
            self.findings
                .iter()
                .map(|(name, value)| format!("\"{name}\": {value:.4}")),
        );
        format!("{{{}}}", fields.join(", "))
    }

    /// One line for a reader, with the ratio to another report.
    pub fn line(&self, reference: &Report) -> String {
        let mut line = String::new();
        if !self.cpu_us.is_empty() {
            let ratios: Vec<_> = self
                .cpu_us
                .iter()
                .zip(&reference.cpu_us)
                .map(|(own, other)| own / other)
                .collect();
            line = format!(
                "{:9.3} us {:6.3} x {:9.0}/s",
                median(&self.cpu_us),
                median(&ratios),
                median(&self.per_second)
            );
        }
        for (name, value) in &self.findings {
            line += &format!("  {name} {value:.2}");
        }
        line
    }
}

#[derive(Default)]
struct Run {
    report: Report,
    /// At the end of the last slice: what a server puts off until it has nothing to do counts.
    before: Usage,
    total: Usage,
    load: Duration,
    wall: Duration,
}

impl Run {
    fn slice(
        &mut self,
        server: &Server,
        work: &mut dyn Work,
        length: Duration,
    ) -> Result<(), String> {
        let load = own_time();
        let begin = Instant::now();
        let operations = work.run(begin + length)? as f64;
        let wall = begin.elapsed();
        let usage = Usage::of(server.pid())?;
        let used = usage - self.before;
        self.before = usage;
        self.total += used;
        self.load += own_time() - load;
        self.wall += wall;
        self.report
            .cpu_us
            .push(used.cpu.as_secs_f64() * 1e6 / operations);
        self.report.per_second.push(operations / wall.as_secs_f64());
        Ok(())
    }

    fn finish(self, server: &Server, work: &mut dyn Work) -> Report {
        let Run {
            mut report,
            total,
            load,
            wall,
            ..
        } = self;
        let wall = wall.as_secs_f64();
        report.findings = vec![
            (
                "system",
                total.system as f64 / (total.user + total.system).max(1) as f64,
            ),
            ("core", total.cpu.as_secs_f64() / wall),
            ("load_core", load.as_secs_f64() / wall),
            ("rss_mb", sys::resident(server.pid(), false) as f64 / 1e6),
            ("peak_mb", sys::resident(server.pid(), true) as f64 / 1e6),
        ];
        report.findings.extend(work.findings());
        report
    }
}

fn own_time() -> Duration {
    sys::cpu_time(std::process::id() as i32).unwrap_or_default()
}
