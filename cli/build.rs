//! Prepares what makes starting fast (on V8 a snapshot of the globals and compiled
//! scripts), says where the program is to lie in memory, and passes on the target's name,
//! for `--version`.

use std::env;
use std::path::PathBuf;

#[expect(clippy::expect_used, reason = "a build script fails by a panic")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = env::var("TARGET").expect("Cargo sets TARGET for build scripts");
    println!("cargo:rustc-env=TARGET={target}");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        // At a fixed address, as Bun and Node.js are: the 125,000 pointers in V8's tables
        // and ours need not be set at each start, which is a tenth of it, also when
        // they are packed (docs/performance.md has the times). The stack, the heaps, the
        // libraries and what V8 compiles are where the kernel's dice say.
        println!("cargo:rustc-link-arg-bins=-no-pie");
        if target == "x86_64-unknown-linux-gnu" {
            // Functions of one content lie in the program once, which saves 6 of 121 MB. No
            // function of Rust has an address of its own by right, and V8 is linked so in
            // Chromium. Rust's linker for this target is lld, which knows how.
            println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    if let Err(error) = duplex_runtime::write_startup_data(&out) {
        panic!("{error}");
    }
}
