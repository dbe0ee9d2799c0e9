//! Bun's API of servers: a program prints the same on Bun and on duplex.
//!
//! `make test` installs Bun and names it in `DUPLEX_TEST_BUN`. If that variable is not set, the
//! comparison is ignored, except under `CI`, where it fails.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::process::Command;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;

fn main() -> ExitCode {
    let bun = support::program("DUPLEX_TEST_BUN");
    let ignored = bun.is_none() && std::env::var_os("CI").is_none();
    let compared = Trial::test("the same as on Bun", move || {
        let bun = bun.ok_or("DUPLEX_TEST_BUN is not set")?;
        compare(Command::new(bun).arg("run"))
    })
    .with_ignored_flag(ignored);
    libtest_mimic::run(&Arguments::from_args(), vec![compared]).exit_code()
}

fn compare(bun: &mut Command) -> Result<(), Failed> {
    let program = support::tests_dir().join("bun_api/program.js");
    let expected = support::finish(bun.arg(&program))?;
    let found = support::finish(
        support::duplex_run()
            .arg("--allow-net=127.0.0.1")
            .arg(&program),
    )?;
    if found.code() != 0 || found.stdout != expected.stdout || expected.code() != 0 {
        return Err(format!("{}\n--- on Bun {}", found.report(), expected.report()).into());
    }
    Ok(())
}
