//! Runs every example as its first lines say.
//!
//! The editor needs the packages of `tests/packages`, and one way to run the API needs nginx. If
//! these are not installed, the test is ignored, except under `CI`, where it fails.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/free_port.rs"]
mod free_port;
mod support;

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::time::Instant;

use free_port::free_port;
use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Running;

fn main() -> ExitCode {
    let is_ci = std::env::var_os("CI").is_some();
    let optional = |name: &str, needs: &str, is_there: bool, test: fn() -> Result<(), Failed>| {
        let name = match is_there {
            true => name.to_string(),
            false => format!("{name} (skipped: no {needs})"),
        };
        Trial::test(name, test).with_ignored_flag(!is_there && !is_ci)
    };
    let trials = vec![
        Trial::test("echo", echo),
        Trial::test("chat", chat),
        Trial::test("feed", || serve("feed", &["--allow-read"], "feed.js")),
        Trial::test("ping", ping),
        Trial::test("rooms", rooms),
        Trial::test("presence", || {
            serve("presence", &["--allow-read"], "presence.js")
        }),
        Trial::test("game", || serve("game", &["--allow-read"], "game.js")),
        optional("editor", "packages of npm", packages().is_dir(), editor),
        Trial::test("api", || serve("api", &[], "api.js")),
        optional("api behind nginx", "nginx", nginx().is_some(), behind_nginx),
        Trial::test("metrics", metrics),
        Trial::test("all are listed", all_are_listed),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn echo() -> Result<(), Failed> {
    let finished = support::finish(
        support::duplex_run()
            .arg("--allow-net")
            .arg(example("echo.ts")),
    )?;
    assert_eq!(finished.code(), 0, "{}", finished.report());
    for text in [
        "sent 10000 messages and got 10000 back, in order",
        "closed with 1000 \"that was all\", cleanly",
    ] {
        assert!(finished.stdout.contains(text), "{}", finished.report());
    }
    assert_eq!(finished.stderr, "");
    Ok(())
}

fn chat() -> Result<(), Failed> {
    let mut server = Running::start(
        "examples/chat/server.ts",
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .arg(example("chat/server.ts"))
            .arg("0"),
    )?;
    let announced = server.line("open ")?;
    let url = announced.strip_suffix(" in two tabs").unwrap();
    visit(&visitor("chat.js"), &[url])
}

/// Serves an example, and runs the script of its visitor.
fn serve(name: &str, flags: &[&str], script: &str) -> Result<(), Failed> {
    let mut command = service(&example(name).join("server.ts"), flags);
    let mut server = Running::start(name, &mut command)?;
    let url = server.line("Listening on ")?;
    visit(&visitor(script), &[&url])?;
    end(server)
}

fn ping() -> Result<(), Failed> {
    let mut server = Running::start(
        "examples/ping/main.js",
        support::duplex_run()
            .current_dir(example("ping"))
            .args(["--allow-net=0.0.0.0", "--allow-read=./index.html"])
            .args(["main.js", "0"]),
    )?;
    let announced = server.line("Listening on http://0.0.0.0:")?;
    let port = announced.split('/').next().unwrap();
    visit(&visitor("ping.js"), &[&format!("http://127.0.0.1:{port}/")])?;
    for line in ["connected", "received ping", "disconnected"] {
        server.line(line)?;
    }
    Ok(())
}

fn rooms() -> Result<(), Failed> {
    let database = empty_folder("rooms")?.join("rooms.db");
    for when in ["before", "after"] {
        let flags = ["--allow-read", "--allow-write"];
        let mut command = service(&example("rooms/server.ts"), &flags);
        let mut server = Running::start("rooms", command.arg(&database))?;
        let url = server.line("Listening on ")?;
        visit(&visitor("rooms.js"), &[&url, when])?;
        end(server)?;
    }
    Ok(())
}

fn editor() -> Result<(), Failed> {
    // The test uses a copy, with the packages that `make test` has installed.
    let folder = empty_folder("editor")?;
    for file in ["server.js", "index.html", "package.json"] {
        fs::copy(example("editor").join(file), folder.join(file))?;
    }
    fs::copy(visitor("editor.js"), folder.join("visitor.js"))?;
    let checks = support::tests_dir().join("specs/_assert.js");
    fs::copy(checks, folder.join("_assert.js"))?;
    std::os::unix::fs::symlink(packages(), folder.join("node_modules"))?;
    same_versions(&folder)?;
    for when in ["before", "after"] {
        let flags = ["--allow-env", "--allow-read", "--allow-write=documents"];
        let mut command = service(Path::new("server.js"), &flags);
        let mut server = Running::start("editor", command.current_dir(&folder))?;
        let url = server.line("Listening on ")?;
        visit(&folder.join("visitor.js"), &[&url, when])?;
        end(server)?;
    }
    Ok(())
}

/// Checks that the example asks for the versions that are tested.
fn same_versions(folder: &Path) -> Result<(), Failed> {
    let read = |path: &Path| -> Result<serde_json::Value, Failed> {
        Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
    };
    let package = read(&folder.join("package.json"))?;
    let wanted = package["dependencies"].as_object().unwrap();
    for (name, version) in wanted {
        let installed = read(&packages().join(name).join("package.json"))?;
        assert_eq!(installed["version"], *version, "{name}");
    }
    Ok(())
}

fn behind_nginx() -> Result<(), Failed> {
    let nginx = nginx().ok_or("nginx is not installed")?;
    let mut command = service(&example("api/server.ts"), &[]);
    let mut server = Running::start("api", &mut command)?;
    let url = server.line("Listening on ")?;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let port = free_port();
    let folder = empty_folder("nginx")?;
    // nginx runs as one process, so that none is left over when the test ends.
    let settings = fs::read_to_string(example("api/nginx.conf"))?
        .replace("daemon off;", "daemon off; master_process off;")
        .replace("127.0.0.1:8000", address)
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    fs::write(folder.join("nginx.conf"), settings)?;
    let mut command = Command::new(nginx);
    support::plain_output(&mut command);
    command.arg("-p").arg(&folder).args(["-c", "nginx.conf"]);
    let _proxy = Running::start("nginx", &mut command)?;
    let deadline = Instant::now() + support::LIMIT;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nginx does not listen");
        std::thread::yield_now();
    }
    visit(&visitor("api.js"), &[&format!("http://127.0.0.1:{port}/")])?;
    // nginx appends the address that it sees to the addresses that the client has invented.
    server.line("127.0.0.1 POST /api/tasks 200")?;
    end(server)
}

fn metrics() -> Result<(), Failed> {
    let flags = ["--metrics", "127.0.0.1:0"];
    let mut command = service(&example("metrics/service.ts"), &flags);
    let mut server = Running::start("metrics", &mut command)?;
    let numbers = server.line("Metrics on ")?;
    let numbers = numbers.strip_suffix("/metrics").unwrap();
    let url = server.line("Listening on ")?;
    visit(&visitor("metrics.js"), &[&url, numbers])?;
    end(server)
}

/// Checks that the list names each example.
fn all_are_listed() -> Result<(), Failed> {
    let list = fs::read_to_string(example("README.md"))?;
    for entry in fs::read_dir(example(""))? {
        let name = entry?.file_name().into_string().unwrap();
        let is_listed = list.contains(&format!("({name})")) || name == "README.md";
        assert!(is_listed, "examples/README.md does not name {name}");
    }
    Ok(())
}

/// The command `duplex serve` on a free port of this machine.
fn service(script: &Path, flags: &[&str]) -> Command {
    let mut command = support::duplex();
    command
        .args(["serve", "--no-prompt", "--host", "127.0.0.1"])
        .args(["--port", "0"])
        .args(flags)
        .arg(script);
    command
}

/// Ends a service as an operator does.
fn end(server: Running) -> Result<(), Failed> {
    server.signal("TERM")?;
    let finished = server.end()?;
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert!(!finished.stdout.contains("rror"), "{}", finished.report());
    Ok(())
}

/// Runs the visitor's script of an example.
fn visit(script: &Path, arguments: &[&str]) -> Result<(), Failed> {
    let finished = support::finish(
        support::duplex_run()
            .args(["--allow-net", "--allow-read", "--allow-env"])
            .arg(script)
            .args(arguments),
    )?;
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_eq!(finished.stdout, "ok\n", "{}", finished.report());
    Ok(())
}

fn example(name: &str) -> PathBuf {
    support::repository().join("examples").join(name)
}

fn visitor(script: &str) -> PathBuf {
    support::tests_dir().join("examples").join(script)
}

fn packages() -> PathBuf {
    support::tests_dir().join("packages/node_modules")
}

fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

fn empty_folder(name: &str) -> Result<PathBuf, Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("examples-{name}"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
