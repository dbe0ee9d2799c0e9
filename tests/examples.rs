//! Every example, run as its first lines say.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use support::Running;

#[test]
fn echo() {
    let finished = support::finish(
        support::duplex_run()
            .arg("--allow-net")
            .arg(support::repository().join("examples/echo.ts")),
    )
    .unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    for text in [
        "sent 10000 messages and got 10000 back, in order",
        "closed with 1000 \"that was all\", cleanly",
    ] {
        assert!(finished.stdout.contains(text), "{}", finished.report());
    }
    assert_eq!(finished.stderr, "");
}

#[test]
fn chat() {
    let mut server = Running::start(
        "examples/chat/server.ts",
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .arg(support::repository().join("examples/chat/server.ts"))
            .arg("0"),
    )
    .unwrap();
    let announced = server.line("open ").unwrap();
    let url = announced.strip_suffix(" in two tabs").unwrap();
    visit("chat.js", url);
}

#[test]
fn feed() {
    let mut server = Running::start(
        "examples/feed/server.ts",
        support::duplex()
            .args([
                "serve",
                "--allow-read",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
            ])
            .arg(support::repository().join("examples/feed/server.ts")),
    )
    .unwrap();
    let url = server.line("Listening on ").unwrap();
    visit("feed.js", &url);
}

#[test]
fn ping() {
    let mut server = Running::start(
        "examples/ping/main.js",
        support::duplex_run()
            .current_dir(support::repository().join("examples/ping"))
            .args(["--allow-net=0.0.0.0", "--allow-read=./index.html"])
            .args(["main.js", "0"]),
    )
    .unwrap();
    let announced = server.line("Listening on http://0.0.0.0:").unwrap();
    let port = announced.split('/').next().unwrap();
    visit("ping.js", &format!("http://127.0.0.1:{port}/"));
    for line in ["connected", "received ping", "disconnected"] {
        server.line(line).unwrap();
    }
}

/// Runs the visitor's script of an example against its server.
fn visit(script: &str, url: &str) {
    let finished = support::finish(
        support::duplex_run()
            .arg("--allow-net")
            .arg(support::tests_dir().join("examples").join(script))
            .arg(url),
    )
    .unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_eq!(finished.stdout, "ok\n", "{}", finished.report());
}
