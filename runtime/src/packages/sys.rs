//! The file system and the environment, for the crates that ask for them.

/// The file system and the environment of the process.
pub type Sys = sys_traits::impls::RealSys;
