//! Log messages on standard error, as Deno shows them.

use deno_terminal::colors;
use duplex_runtime::log_to_telemetry;
use log::Level;
use log::LevelFilter;
use log::Log;
use log::Metadata;
use log::Record;

use crate::stderr;

/// Shows messages of this level and graver ones.
pub(crate) fn init(level: LevelFilter) {
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
        if log_to_telemetry(record) {
            return;
        }
        let message = record.args();
        let label = match record.level() {
            Level::Error => "error:",
            Level::Warn => "Warning",
            Level::Info => return stderr::write_line(message),
            Level::Debug => "debug",
            Level::Trace => "trace",
        };
        if stderr::is_coloured() {
            let label = match record.level() {
                Level::Error => colors::red_bold(label).to_string(),
                Level::Warn => colors::yellow(label).to_string(),
                _ => colors::gray(label).to_string(),
            };
            stderr::write_line(format_args!("{label} {message}"));
        } else {
            stderr::write_line(format_args!("{label} {message}"));
        }
    }

    fn flush(&self) {}
}

/// The networking libraries tell what only they care about, and warn of whatever a peer
/// sends: what matters of that is an error of its connection. `--log-level=trace` shows it.
fn is_of_interest(metadata: &Metadata) -> bool {
    const CHATTY: [&str; 7] = [
        "hyper",
        "h2",
        "rustls",
        "tokio_rustls",
        "hickory",
        "mio",
        "notify",
    ];
    log::max_level() == LevelFilter::Trace
        || !CHATTY
            .iter()
            .any(|name| metadata.target().starts_with(name))
}
