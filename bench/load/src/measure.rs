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
    /// What kept it from being measured to the end.
    pub error: Option<String>,
}

/// A server and its load, or why there is none.
pub type Contender = Result<(Server, Box<dyn Work>), String>;

/// Measures servers side by side, each warm when the next one starts. One that fails does not
/// keep the others.
pub fn measure(contenders: impl Iterator<Item = Contender>, plan: &Plan) -> Vec<Report> {
    let mut runs: Vec<_> = contenders
        .map(|contender| Run::start(contender, plan))
        .collect();
    for slice in 0..plan.slices {
        for turn in 0..runs.len() {
            let index = (slice + turn) % runs.len();
            runs[index].slice(plan.slice);
        }
    }
    runs.into_iter().map(Run::finish).collect()
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
    pub fn failed(error: String) -> Report {
        Report {
            error: Some(error),
            ..Report::default()
        }
    }

    pub fn json(&self) -> String {
        let list = |values: &[f64]| {
            let values: Vec<_> = values.iter().map(|value| format!("{value:.4}")).collect();
            format!("[{}]", values.join(", "))
        };
        let mut fields = Vec::new();
        if !self.cpu_us.is_empty() {
            fields.push(format!("\"cpu_us\": {}", list(&self.cpu_us)));
            fields.push(format!("\"per_second\": {}", list(&self.per_second)));
        }
        for (name, value) in &self.findings {
            fields.push(format!("\"{name}\": {value:.4}"));
        }
        if let Some(error) = &self.error {
            fields.push(format!("\"error\": \"{}\"", error.escape_default()));
        }
        format!("{{{}}}", fields.join(", "))
    }

    /// One line for a reader, with the ratio to another report.
    pub fn line(&self, reference: &Report) -> String {
        if let Some(error) = &self.error {
            return format!("failed: {error}");
        }
        let mut line = String::new();
        if !self.cpu_us.is_empty() {
            let pairs = self.cpu_us.iter().zip(&reference.cpu_us);
            let ratios: Vec<_> = pairs.map(|(own, other)| own / other).collect();
            let (cpu, ratio) = (median(&self.cpu_us), median(&ratios));
            line = format!(
                "{cpu:9.3} us {ratio:6.3} x {:9.0}/s",
                median(&self.per_second)
            );
        }
        for (name, value) in &self.findings {
            line += &format!("  {name} {value:.2}");
        }
        line
    }
}

struct Run {
    contender: Option<(Server, Box<dyn Work>)>,
    report: Report,
    /// At the end of the last slice: what a server puts off until it has nothing to do counts.
    before: Usage,
    total: Usage,
    load: Duration,
    wall: Duration,
}

impl Run {
    fn start(contender: Contender, plan: &Plan) -> Run {
        let mut run = Run {
            contender: None,
            report: Report::default(),
            before: Usage::default(),
            total: Usage::default(),
            load: Duration::ZERO,
            wall: Duration::ZERO,
        };
        let warmed_up = contender.and_then(|(server, mut work)| {
            work.run(Instant::now() + plan.warm_up)?;
            run.before = Usage::of(server.pid())?;
            run.contender = Some((server, work));
            Ok(())
        });
        run.report.error = warmed_up.err();
        run
    }

    fn slice(&mut self, length: Duration) {
        if let Err(error) = self.try_slice(length) {
            self.report.error = Some(error);
            self.contender = None;
        }
    }

    fn try_slice(&mut self, length: Duration) -> Result<(), String> {
        let Some((server, work)) = &mut self.contender else {
            return Ok(());
        };
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

    fn finish(self) -> Report {
        let Run {
            contender,
            mut report,
            total,
            load,
            wall,
            ..
        } = self;
        if let Some((server, mut work)) = contender {
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
        }
        report
    }
}

fn own_time() -> Duration {
    sys::cpu_time(std::process::id() as i32).unwrap_or_default()
}
