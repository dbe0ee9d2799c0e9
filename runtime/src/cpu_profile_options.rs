//! The options of a CPU profile.

use std::path::PathBuf;

/// How often the CPU profile of a program takes a sample, and where the profile is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CpuProfileOptions {
    /// The folder of the file. It is made if it does not exist.
    pub folder: PathBuf,
    /// The name of the file. The default is `CPU.TIME.PROCESS.NUMBER.cpuprofile`, in which NUMBER
    /// counts the files that this process has written.
    pub name: Option<String>,
    /// The time between two samples, in microseconds.
    pub interval: u32,
}

impl CpuProfileOptions {
    /// The default of the interval, in microseconds.
    pub const INTERVAL: u32 = 1_000;
}
