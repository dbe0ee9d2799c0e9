//! Tests pages in headless Chromium that duplex serves: the pages of the examples, and one page
//! with compressed messages. A duplex script controls the browser by the DevTools protocol, which
//! also uses a WebSocket.
//!
//! `make test` installs Chromium and names it in `DUPLEX_TEST_CHROMIUM`. If that variable is not
//! set, the tests are ignored, except under `CI`, where they fail.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Relay;
use support::Running;

const CHROMIUM: &str = "DUPLEX_TEST_CHROMIUM";

fn main() -> ExitCode {
    let ignored = support::program(CHROMIUM).is_none() && std::env::var_os("CI").is_none();
    let trials = vec![
        Trial::test("chat: two tabs talk", chat).with_ignored_flag(ignored),
        Trial::test("ping: the page gets its pong", ping).with_ignored_flag(ignored),
        Trial::test("feed: a page that comes back misses nothing", feed).with_ignored_flag(ignored),
        Trial::test("HTTP/2: a socket on the page's connection", http2).with_ignored_flag(ignored),
        Trial::test("compression: messages shrink both ways", compression)
            .with_ignored_flag(ignored),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn chat() -> Result<(), Failed> {
    let mut server = Running::start(
        "examples/chat/server.ts",
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .arg(support::repository().join("examples/chat/server.ts"))
            .arg("0"),
    )?;
    let announced = server.line("open ")?;
    let url = announced.split(' ').next().ok_or("no address")?;
    drive("chat", url)
}

fn feed() -> Result<(), Failed> {
    let mut server = Running::start(
        "examples/feed/server.ts",
        support::duplex()
            .args(["serve", "--allow-read", "--parallel=2"])
            .args(["--host", "127.0.0.1", "--port", "0"])
            .arg(support::repository().join("examples/feed/server.ts")),
    )?;
    let announced = server.line("Listening on ")?;
    let url = announced.split(' ').next().ok_or("no address")?;
    drive("feed", url)
}

fn ping() -> Result<(), Failed> {
    let mut server = Running::start(
        "examples/ping/main.js",
        support::duplex_run()
            .current_dir(support::repository().join("examples/ping"))
            .args(["--allow-net=0.0.0.0", "--allow-read=./index.html"])
            .args(["main.js", "0"]),
    )?;
    let announced = server.line("Listening on http://0.0.0.0:")?;
    let port = announced.split('/').next().ok_or("no port")?;
    drive("ping", &format!("http://127.0.0.1:{port}/"))?;
    server.line("received ping")?;
    Ok(())
}

fn compression() -> Result<(), Failed> {
    let mut server = Running::start(
        "tests/browser/compression_server.js",
        support::duplex_run()
            .arg("--allow-net")
            .arg(support::tests_dir().join("browser/compression_server.js")),
    )?;
    let port = server.line("listening ")?;
    let relay = Relay::start(port.parse().map_err(|_| "no port")?)?;
    drive("compression", &format!("http://127.0.0.1:{}/", relay.port))?;
    // The scene sends 8 MB.
    let (to_server, to_client) = relay.bytes();
    for bytes in [to_server, to_client] {
        if bytes > 800_000 {
            return Err(format!("{to_server} and {to_client} bytes passed").into());
        }
    }
    Ok(())
}

fn http2() -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser-http2");
    fs::create_dir_all(&folder)?;
    let certified = rcgen::generate_simple_self_signed(["localhost".to_string()])?;
    fs::write(folder.join("cert.pem"), certified.cert.pem())?;
    fs::write(
        folder.join("key.pem"),
        certified.signing_key.serialize_pem(),
    )?;
    let mut server = Running::start(
        "tests/browser/http2_server.js",
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .arg(support::tests_dir().join("browser/http2_server.js"))
            .args([folder.join("cert.pem"), folder.join("key.pem")]),
    )?;
    let port = server.line("listening ")?;
    drive("http2", &format!("https://localhost:{port}/"))?;
    server.line("opened over HTTP/2")?;
    server.line("closed 1005")?;
    Ok(())
}

/// Opens the page at `url` and does what `tests/browser/drive.js` has for `scene`.
fn drive(scene: &str, url: &str) -> Result<(), Failed> {
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("chromium-{scene}-{}", std::process::id()));
    let program = support::program(CHROMIUM)
        .ok_or_else(|| format!("{CHROMIUM} is not set: run `make test`"))?;
    let mut browser = Running::start(
        "Chromium",
        Command::new(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                // The servers' certificates are made in the test.
                "--ignore-certificate-errors",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank"),
    )?;
    let devtools = browser.line("DevTools listening on ")?;
    let finished = support::finish(
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .arg(support::tests_dir().join("browser/drive.js"))
            .args([&devtools, scene, url]),
    )?;
    drop(browser);
    // The browser's child processes may still be writing there. Files that are left over are in the
    // target folder.
    let _ = fs::remove_dir_all(profile);
    if finished.code() == 0 && finished.stdout == "ok\n" {
        Ok(())
    } else {
        Err(finished.report().into())
    }
}
