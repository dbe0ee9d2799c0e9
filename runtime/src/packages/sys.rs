//! The file system and the environment, for the crates that ask for them.

/// Those of the process.
pub type Sys = sys_traits::impls::RealSys;
