//! The `duplex` command: `run`, `eval`, `serve`, `connect`, `cache`, `install`, `types`,
//! `--version`.

#[cfg(not(any(feature = "v8", feature = "quickjs")))]
compile_error!("duplex needs an engine: enable the feature `v8` or the feature `quickjs`");
#[cfg(all(feature = "v8", feature = "quickjs"))]
compile_error!(
    "duplex runs on one engine: enable either the feature `v8` or the feature `quickjs`"
);

mod allocator;
mod connect;
mod engine_flags;
mod flags;
mod logger;
mod program;
mod prompter;
mod rlimit;
mod signals;
mod stderr;
mod watch;

use std::io::Write;

use deno_terminal::colors;
use duplex_runtime::Features;
use duplex_runtime::StartupData;

use crate::flags::Action;
use crate::flags::Flags;

/// The TypeScript declarations of all that programs have beyond lib.dom.
const TYPES: &str = include_str!("duplex.d.ts");

static STARTUP: StartupData = include!(concat!(env!("OUT_DIR"), "/startup.rs"));

fn main() {
    // Rust's start-up ignores SIGPIPE, as Deno does: a write to a closed pipe is an error for the
    // program, and does not end the process.
    let code = match flags::parse(std::env::args_os()) {
        Ok(flags) => run(flags),
        Err(error) => {
            let _ = error.print();
            // The exit code is 1, as in Deno, not 2 as clap's.
            i32::from(error.use_stderr())
        }
    };
    // The engine is not taken down, because the system frees its memory faster. No output is lost,
    // because none is buffered.
    std::process::exit(code);
}

fn run(flags: Flags) -> i32 {
    if flags.action == Action::Types {
        // An error is ignored, because the reader may have closed the pipe.
        let _ = std::io::stdout().write_all(TYPES.as_bytes());
        return 0;
    }
    allocator::keep_freed_memory();
    logger::init(flags.log_level);
    rlimit::raise_open_files();
    prompter::install();
    signals::hear_of_children();
    watch::report_to_watcher();
    warn_of(&flags);
    let result = engine_flags::set(&flags.v8_flags).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // These are Deno's settings. Events are polled often enough for a server, and the pool
            // of threads for files and DNS has a limit.
            .event_interval(61)
            .global_queue_interval(31)
            .max_io_events_per_tick(1024)
            .max_blocking_threads(32)
            .build()
            .map_err(|error| format!("Unable to start the event loop: {error}"))?;
        runtime.block_on(async {
            match &flags.watch {
                Some(watch) => watch::supervise(&flags, watch).await,
                None => program::run(flags, STARTUP).await,
            }
        })
    });
    match result {
        Ok(code) => code,
        Err(message) => {
            stderr::choose_colours();
            stderr::write_line(format_args!("{}: {message}", colors::red_bold("error")));
            1
        }
    }
}

/// Whether duplex always has a feature that Deno has behind a flag.
fn is_always_on(feature: &str) -> bool {
    matches!(
        feature,
        "bare-node-builtins"
            | "broadcast-channel"
            | "byonm"
            | "detect-cjs"
            | "fs"
            | "http"
            | "net"
            | "node-globals"
            | "npm-lazy-caching"
            | "process"
            | "raw-imports"
            | "vsock"
            | "worker-options"
    )
}

fn warn_of(flags: &Flags) {
    if flags.has_misplaced_permissions {
        log::warn!(
            "A permission flag comes after the program, so it is an argument of the program. \
             Put it in front: duplex run --allow-net FILE"
        );
    }
    if flags.asks_for_check {
        log::warn!("--check has no effect: duplex removes types and does not check them");
    }
    for feature in &flags.unstable {
        if !is_always_on(feature) && !Features::has(feature) {
            log::warn!("--unstable-{feature} has no effect: duplex does not have this feature");
        }
    }
    match flags.unsafely_ignore_certificate_errors.as_deref() {
        None => {}
        Some([]) => {
            log::warn!("DANGER: TLS certificate validation is disabled for all hostnames");
        }
        Some(hosts) => log::warn!(
            "DANGER: TLS certificate validation is disabled for: {}",
            hosts.join(", ")
        ),
    }
}
