//! `--inspect`, `--inspect-wait`, `--inspect-brk`: a debugger attaches to programs and to web
//! workers, as editors do.

#![cfg(feature = "v8")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::net::TcpListener;

use support::Finished;
use support::Running;

/// A program that can be debugged, and the URL for that.
fn start(args: &[&str]) -> (Running, String) {
    let mut command = support::duplex();
    command.current_dir(support::tests_dir().join("inspector"));
    command.args(args);
    let mut program = Running::start("the program", &mut command).unwrap();
    let url = program.line("Debugger listening on ").unwrap();
    (program, url)
}

/// What the debugger finds.
fn debug(url: &str, what: &str) -> Finished {
    let mut command = support::duplex();
    command
        .current_dir(support::tests_dir().join("inspector"))
        .args(["run", "-A", "client.js", url, what]);
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    finished
}

#[test]
fn a_break_point_in_typescript_stops_the_program() {
    let (mut program, url) = start(&["run", "--inspect-brk=127.0.0.1:0", "program.ts"]);
    let found = debug(&url, "breakpoint");
    assert_eq!(
        found.stdout,
        "paused ambiguous program.ts\nsource program.ts true\nin countUp 1 0 counter\n",
        "{}",
        found.report()
    );
    program.line("counted 2").unwrap();
    assert_eq!(program.end().unwrap().code(), 0);
}

#[test]
fn a_program_waits_for_a_debugger_which_profiles_it() {
    let (program, url) = start(&["run", "--inspect-wait=127.0.0.1:0", "program.ts"]);
    let found = debug(&url, "profile");
    assert_eq!(
        found.stdout,
        "logged counted 2\nprofile true true\nheap true\n",
        "{}",
        found.report()
    );
    let finished = program.end().unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
}

#[test]
fn a_program_that_runs_can_be_asked() {
    let code = "globalThis.secret = 'the value'; console.log('up'); setInterval(() => {}, 1e6);";
    let (mut program, url) = start(&["eval", "--inspect=127.0.0.1:0", code]);
    program.line("up").unwrap();
    let found = debug(&url, "evaluate");
    assert_eq!(found.stdout, "value the value\n", "{}", found.report());
}

#[test]
fn a_web_worker_has_a_url_of_its_own() {
    let code = "
        const text = 'globalThis.secret = \"in the worker\"; postMessage(0); onmessage = () => {};';
        const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
        new Worker(url, { type: 'module' }).onmessage = () => console.log('up');";
    let (mut program, main) = start(&["eval", "--inspect=127.0.0.1:0", code]);
    let worker = program.line("Debugger listening on ").unwrap();
    assert_ne!(main, worker);
    program.line("up").unwrap();
    let found = debug(&worker, "evaluate");
    assert_eq!(found.stdout, "value in the worker\n", "{}", found.report());
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = support::duplex();
    command.args(["eval", &format!("--inspect={address}"), "1"]);
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    let expected =
        format!("error: Unable to listen for debuggers on {address}: Address already in use [*]");
    assert!(
        support::matches(&expected, finished.stderr.trim_end()),
        "{}",
        finished.report()
    );
}
