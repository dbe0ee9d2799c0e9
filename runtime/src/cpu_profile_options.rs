//! How a CPU profile is made.

use std::path::PathBuf;

/// How the profile of a program is made, and where it goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CpuProfileOptions {
    /// The folder of the file. It is made if it is not there.
    pub folder: PathBuf,
    /// The name of the file. By default it is `CPU.TIME.PROCESS.NUMBER.cpuprofile`, where the
    /// number is that of the file in its process.
    pub name: Option<String>,
    /// How often the engine is looked at, in microseconds.
    pub interval: u32,
}

impl CpuProfileOptions {
    /// The interval by default, in microseconds.
    pub const INTERVAL: u32 = 1_000;
}
