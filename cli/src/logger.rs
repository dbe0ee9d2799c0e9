//! Log messages on standard error, as Deno shows them.

use deno_terminal::colors;
use duplex_runtime::log_to_telemetry;
use log::Level;
use log::LevelFilter;
use log::Log;
use log::Metadata;
use log::Record;

use crate::stderr;

/// Shows messages of this level and of more severe levels.
pub(crate) fn init(level: LevelFilter) {
    // This fails if there is a logger already, and that logger is used then.
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

/// Whether a message is shown. The networking libraries log details that matter only to their
/// authors, and warnings about what a peer sends. If such a warning matters, the connection also
/// has an error. `--log-level=trace` shows all messages.
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
