//! Metrics of the process that the system knows, under the names that the clients of Prometheus
//! use. They exist only on Linux.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use duplex_websocket::metrics::Exposition;
use duplex_websocket::metrics::Kind;

/// Adds the metrics of the process.
pub(crate) fn expose(out: &mut Exposition) {
    let Some(numbers) = Numbers::read() else {
        return;
    };
    out.family(
        "process_cpu_seconds_total",
        Kind::Counter,
        "How long the process has computed, in all threads.",
    );
    out.sample(&[], numbers.cpu_seconds);
    out.family(
        "process_resident_memory_bytes",
        Kind::Gauge,
        "Memory that the process holds.",
    );
    out.sample(&[], numbers.resident_bytes);
    out.family(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the process has started, in seconds since 1970.",
    );
    out.sample(&[], numbers.start_seconds);
    out.family(
        "process_open_fds",
        Kind::Gauge,
        "File descriptors that are open. Each connection takes one.",
    );
    out.sample(&[], numbers.open_descriptors);
    out.family(
        "process_max_fds",
        Kind::Gauge,
        "File descriptors that may be open.",
    );
    out.sample(&[], numbers.max_descriptors);
}

struct Numbers {
    cpu_seconds: f64,
    resident_bytes: u64,
    start_seconds: f64,
    open_descriptors: usize,
    max_descriptors: u64,
}

impl Numbers {
    fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        // The name of the program comes first, and may contain any character.
        let (_, stat) = stat.rsplit_once(')')?;
        let field = |number: usize| stat.split_whitespace().nth(number - FIRST_FIELD);
        let ticks = |number: usize| -> Option<f64> {
            let ticks: f64 = field(number)?.parse().ok()?;
            Some(ticks / system_number(libc::_SC_CLK_TCK)? as f64)
        };
        let pages: u64 = field(RESIDENT)?.parse().ok()?;
        Some(Self {
            cpu_seconds: ticks(USER)? + ticks(SYSTEM)?,
            resident_bytes: pages * system_number(libc::_SC_PAGESIZE)?,
            start_seconds: now.as_secs_f64() - uptime + ticks(START)?,
            open_descriptors: std::fs::read_dir("/proc/self/fd").ok()?.count(),
            max_descriptors: max_descriptors()?,
        })
    }
}

fn system_number(name: libc::c_int) -> Option<u64> {
    // SAFETY: the function has no requirements.
    u64::try_from(unsafe { libc::sysconf(name) }).ok()
}

fn max_descriptors() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call fills the structure that it is given, or leaves it unchanged.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    (result == 0).then_some(limit.rlim_cur)
}

// The numbers of the fields, as proc_pid_stat(5) counts them. The field after the name of the
// program is the third.
const FIRST_FIELD: usize = 3;
const USER: usize = 14;
const SYSTEM: usize = 15;
const START: usize = 22;
const RESIDENT: usize = 24;
