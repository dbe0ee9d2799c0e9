//! Prepares what makes starting fast (on V8 a snapshot of the globals) and
//! passes on the target's name, for `--version`.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = env::var("TARGET").expect("Cargo sets TARGET for build scripts");
    println!("cargo:rustc-env=TARGET={target}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    if let Err(error) = duplex_runtime::write_startup_data(&out) {
        panic!("{error}");
    }
}
