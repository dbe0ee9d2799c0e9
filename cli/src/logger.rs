//! Log messages on standard error, as Deno shows them.

use std::io::Write;

use deno_terminal::colors;
use log::Level;
use log::LevelFilter;
use log::Log;
use log::Metadata;
use log::Record;

/// Shows messages of this level and graver ones.
pub fn init(level: LevelFilter) {
    // Fails when there is a logger already, which serves as well.
    if log::set_logger(&StderrLogger).is_ok() {
        log::set_max_level(level);
    }
}

struct StderrLogger;

impl Log for StderrLogger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level() && is_of_interest(metadata)
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = record.args();
        // Whoever reads standard error may be gone.
        let _ = match record.level() {
            Level::Error => writeln!(
                std::io::stderr(),
                "{} {message}",
                colors::red_bold("error:")
            ),
            Level::Warn => writeln!(std::io::stderr(), "{} {message}", colors::yellow("Warning")),
            Level::Info => writeln!(std::io::stderr(), "{message}"),
            level @ (Level::Debug | Level::Trace) => writeln!(
                std::io::stderr(),
                "{} {} {message}",
                colors::gray(level),
                colors::gray(record.target())
            ),
        };
    }

    fn flush(&self) {}
}

/// The networking libraries tell at `info` and below what only they care about.
fn is_of_interest(metadata: &Metadata) -> bool {
    const CHATTY: [&str; 5] = ["hyper", "h2", "rustls", "hickory", "mio"];
    metadata.level() <= Level::Warn
        || log::max_level() == LevelFilter::Trace
        || !CHATTY
            .iter()
            .any(|name| metadata.target().starts_with(name))
}
