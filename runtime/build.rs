//! Passes the name of the target on to the crate.

#[expect(clippy::expect_used, reason = "a build script fails by a panic")]
fn main() {
    let target = std::env::var("TARGET").expect("Cargo sets TARGET for build scripts");
    println!("cargo:rustc-env=DUPLEX_TARGET={target}");
    println!("cargo:rerun-if-changed=build.rs");
}
