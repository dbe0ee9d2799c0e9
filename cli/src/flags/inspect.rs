//! The flags for debuggers and profiles, which Deno and Node.js have.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use duplex_runtime::CpuProfileOptions;
use duplex_runtime::Debugging;
use duplex_runtime::InspectorStart;
use rustix::process::Signal;

use super::listen_address::parse_listen_address;

/// The port on which Chrome's DevTools look for programs to debug.
const DEFAULT_PORT: u16 = 9229;

#[derive(Args)]
#[command(next_help_heading = "Debugging")]
pub(super) struct InspectArgs {
    /// Let debuggers attach on this address [default: 127.0.0.1:9229]
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_address, hide = cfg!(not(feature = "v8")))]
    inspect: Option<SocketAddr>,
    /// Like --inspect, and start the program when a debugger has attached
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_address, conflicts_with = "inspect", hide = cfg!(not(feature = "v8")))]
    inspect_wait: Option<SocketAddr>,
    /// Like --inspect-wait, and stop before the first statement of the program
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_address, conflicts_with_all = ["inspect", "inspect_wait"], hide = cfg!(not(feature = "v8")))]
    inspect_brk: Option<SocketAddr>,
    /// Write a CPU profile when the program ends, for DevTools: CPU.….cpuprofile
    #[arg(long, conflicts_with_all = ["inspect", "inspect_wait", "inspect_brk"], hide = cfg!(not(feature = "v8")))]
    cpu_prof: bool,
    /// Likewise, in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["inspect", "inspect_wait", "inspect_brk"], hide = cfg!(not(feature = "v8")))]
    cpu_prof_dir: Option<PathBuf>,
    /// The name of the file with the CPU profile
    #[arg(long, value_name = "NAME", hide = cfg!(not(feature = "v8")))]
    cpu_prof_name: Option<String>,
    /// How often to look for the CPU profile, in microseconds [default: 1000]
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(u32).range(1..), hide = cfg!(not(feature = "v8")))]
    cpu_prof_interval: Option<u32>,
    /// Write what is in memory, for DevTools, each time that this signal comes: Heap.….heapsnapshot
    #[arg(long, value_name = "SIGNAL", value_parser = parse_signal, hide = cfg!(not(feature = "v8")))]
    heapsnapshot_signal: Option<i32>,
}

impl InspectArgs {
    pub(super) fn into_flags(self) -> Option<(SocketAddr, InspectorStart)> {
        let at_once = self.inspect.map(|it| (it, InspectorStart::AtOnce));
        let attached = self.inspect_wait.map(|it| (it, InspectorStart::Attached));
        let paused = self.inspect_brk.map(|it| (it, InspectorStart::Paused));
        at_once.or(attached).or(paused)
    }

    /// Which files the program writes about itself.
    pub(super) fn debugging(&mut self) -> Result<Debugging, &'static str> {
        let folder = self.cpu_prof_dir.take();
        let is_profiled = self.cpu_prof || folder.is_some();
        if !is_profiled && (self.cpu_prof_name.is_some() || self.cpu_prof_interval.is_some()) {
            return Err("--cpu-prof-name and --cpu-prof-interval need --cpu-prof");
        }
        if is_profiled && cfg!(not(feature = "v8")) {
            return Err("CPU profiles need a build with V8: this one runs on QuickJS");
        }
        Ok(Debugging {
            cpu_profile: is_profiled.then(|| CpuProfileOptions {
                folder: folder.unwrap_or_else(|| PathBuf::from(".")),
                name: self.cpu_prof_name.take(),
                interval: self
                    .cpu_prof_interval
                    .unwrap_or(CpuProfileOptions::INTERVAL),
            }),
            heap_snapshot_signal: self.heapsnapshot_signal,
        })
    }
}

/// Parses `HOST:PORT`, only a port, only a host, or an empty text.
fn parse_address(value: &str) -> Result<SocketAddr, String> {
    if cfg!(not(feature = "v8")) {
        return Err("debuggers need a build with V8: this one runs on QuickJS".to_string());
    }
    parse_listen_address(value, Some(DEFAULT_PORT))
}

/// Parses the name of a signal that has no fixed meaning for the system.
fn parse_signal(value: &str) -> Result<i32, String> {
    if cfg!(not(feature = "v8")) {
        return Err("heap snapshots need a build with V8: this one runs on QuickJS".to_string());
    }
    match value {
        "SIGUSR1" => Ok(Signal::USR1.as_raw()),
        "SIGUSR2" => Ok(Signal::USR2.as_raw()),
        "SIGHUP" => Ok(Signal::HUP.as_raw()),
        "SIGWINCH" => Ok(Signal::WINCH.as_raw()),
        _ => Err("expected SIGUSR1, SIGUSR2, SIGHUP or SIGWINCH".to_string()),
    }
}
