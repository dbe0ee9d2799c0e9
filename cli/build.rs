//! Prepares the data that makes starting fast (on V8 a snapshot of the globals and compiled
//! scripts), chooses how the program is linked, and passes the target's name on for `--version`.

use std::env;
use std::path::PathBuf;

#[expect(clippy::expect_used, reason = "a build script fails by a panic")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = env::var("TARGET").expect("Cargo sets TARGET for build scripts");
    println!("cargo:rustc-env=TARGET={target}");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        // The program is linked for a fixed address, as Bun and Node.js are. Then the 125,000
        // pointers in V8's tables and in the tables of this program need not be relocated at each
        // start, which would take a tenth of its time, also if they are packed (docs/performance.md
        // has the times). The stack, the heaps, the libraries and the code that V8 compiles still
        // have random addresses.
        println!("cargo:rustc-link-arg-bins=-no-pie");
        if target == "x86_64-unknown-linux-gnu" {
            // Functions with the same content are linked only once, which saves 6 of 121 MB. This
            // is allowed, because Rust does not guarantee that functions have different addresses,
            // and V8 is linked in this way in Chromium. Rust's linker for this target is lld, which
            // supports it.
            println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    if let Err(error) = duplex_runtime::write_startup_data(&out) {
        panic!("{error}");
    }
}
