//! HTTP/2 with other implementations. The client (RFC 8441) connects to other servers: hypercorn,
//! which has HTTP/2 and WebSockets in Python, and nghttpx, which passes the WebSocket on to a
//! server of HTTP/1.1. The cases are those of [interop.rs](interop.rs), and messages longer than
//! every window. The server is tested with nghttp, which shows its settings, and with curl.
//!
//! `make test` installs them and names them in `DUPLEX_TEST_PYTHON`, `DUPLEX_TEST_NGHTTPX`,
//! `DUPLEX_TEST_NGHTTP` and `DUPLEX_TEST_CURL`. If a variable is not set, its tests are ignored,
//! except under `CI`, where they fail.
//! not set its tests are ignored, except under `CI`, where they fail.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use certificates::Authority;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use support::Running;

fn main() -> ExitCode {
    let trial = |name, variable: &'static str, test: fn(OsString) -> Result<(), Failed>| {
        let program = support::program(variable);
        let ignored = program.is_none() && std::env::var_os("CI").is_none();
        let run =
            move || test(program.ok_or_else(|| format!("{variable} is not set: run `make test`"))?);
        Trial::test(name, run).with_ignored_flag(ignored)
    };
    let trials = vec![
        trial("hypercorn", "DUPLEX_TEST_PYTHON", hypercorn),
        trial("nghttpx", "DUPLEX_TEST_NGHTTPX", nghttpx),
        trial("nghttp", "DUPLEX_TEST_NGHTTP", nghttp),
        trial("curl", "DUPLEX_TEST_CURL", curl),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The output of the client.
const EXPECTED: &str = "ok\n16777216 true\nbehind it 0\n4003 done true\n";

fn hypercorn(python: OsString) -> Result<(), Failed> {
    let files = Files::new("hypercorn")?;
    let mut command = Command::new(python);
    command
        .arg(support::tests_dir().join("interop/server_hypercorn.py"))
        .args([files.path("server.pem"), files.path("server.key")]);
    support::plain_output(&mut command);
    let mut server = Running::start("hypercorn", &mut command)?;
    let port = server.line("listening ")?;
    dial(
        &format!("wss://localhost:{port}/"),
        json!({ "caCerts": [files.authority] }),
    )?;
    for _ in 0..4 {
        equal(&server.line("HTTP/")?, "2 wss")?;
    }
    Ok(())
}

fn nghttpx(program: OsString) -> Result<(), Failed> {
    let files = Files::new("nghttpx")?;
    let mut command = support::duplex_run();
    command
        .arg("--allow-net")
        .arg(support::tests_dir().join("interop/server_deno.js"))
        .arg("takeover");
    let mut backend = Running::start("the backend", &mut command)?;
    let port = backend.line("listening ")?;

    // nghttpx cannot choose a free port, so it listens on a unix socket.
    let socket = std::env::temp_dir().join(format!("duplex-nghttpx-{}.sock", std::process::id()));
    let _ = fs::remove_file(&socket);
    let mut command = Command::new(program);
    command
        .arg(format!("--frontend=unix:{}", socket.display()))
        .arg(format!("--backend=127.0.0.1,{port}"))
        .args([
            "--conf=/dev/null",
            "--workers=1",
            "--no-ocsp",
            "--errorlog-file=/dev/stderr",
            "--accesslog-file=/dev/stdout",
            "--accesslog-format=answered $alpn $status",
        ])
        .args([files.path("server.key"), files.path("server.pem")]);
    support::plain_output(&mut command);
    let mut proxy = Running::start("nghttpx", &mut command)?;
    proxy.line_with("Listening on UNIX domain socket")?;
    dial(
        "wss://localhost/",
        json!({
            "caCerts": [files.authority],
            "proxy": { "transport": "unix", "path": socket },
        }),
    )?;
    for _ in 0..4 {
        // The status is the backend's.
        equal(&proxy.line("answered ")?, "h2 101")?;
    }
    let _ = fs::remove_file(&socket);
    Ok(())
}

/// Checks the server's settings, as nghttp reads them.
fn nghttp(program: OsString) -> Result<(), Failed> {
    for secure in [false, true] {
        let server = Asked::start("nghttp", secure)?;
        let mut command = Command::new(&program);
        command.args(["-nv", &server.url()]);
        let finished = support::finish(&mut command)?;
        let lines: Vec<_> = finished.stdout.lines().map(str::trim).collect();
        let settings = lines
            .iter()
            .skip_while(|line| !line.contains("recv SETTINGS frame"))
            .skip(1)
            .take_while(|line| line.starts_with(['(', '[']) && !line.contains("frame"));
        let settings: Vec<_> = settings
            .filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')?.split_once(':'))
            .collect();
        let value = |name: &str| {
            let setting = settings.iter().find(|(it, _)| it.starts_with(name));
            setting.and_then(|(_, value)| value.parse::<u32>().ok())
        };
        let is_right = value("SETTINGS_ENABLE_CONNECT_PROTOCOL(0x08)") == Some(1)
            // RFC 9113, section 6.5.2, says which values are allowed and which are recommended.
            && value("SETTINGS_MAX_CONCURRENT_STREAMS").is_some_and(|it| it >= 100)
            && value("SETTINGS_INITIAL_WINDOW_SIZE").is_some_and(|it| it >= 65_535)
            && value("SETTINGS_MAX_FRAME_SIZE")
                .is_none_or(|it| (16_384..1 << 24).contains(&it))
            && value("SETTINGS_ENABLE_PUSH").unwrap_or_default() == 0
            && lines.iter().any(|line| line.ends_with(":status: 200"));
        if finished.code() != 0 || !is_right {
            return Err(finished.report().into());
        }
    }
    Ok(())
}

fn curl(program: OsString) -> Result<(), Failed> {
    for (secure, flags, expected) in [
        (
            false,
            &["--http2-prior-knowledge"][..],
            "asked for http: by 2",
        ),
        (false, &["--http1.1"], "asked for http: by 1.1"),
        (true, &["--http2", "--insecure"], "asked for https: by 2"),
        (
            true,
            &["--http1.1", "--insecure"],
            "asked for https: by 1.1",
        ),
    ] {
        let server = Asked::start("curl", secure)?;
        let mut command = Command::new(&program);
        command
            .args(["--silent", "--show-error", "--noproxy", "*"])
            .args(["--write-out", " by %{http_version}"])
            .args(flags)
            .arg(server.url());
        let finished = support::finish(&mut command)?;
        if finished.stdout != expected {
            return Err(format!("expected {expected:?}, got {}", finished.report()).into());
        }
    }
    Ok(())
}

/// A server that answers requests.
struct Asked {
    _running: Running,
    port: String,
    secure: bool,
}

impl Asked {
    fn start(name: &str, secure: bool) -> Result<Self, String> {
        let mut command = support::duplex();
        command
            .args(["serve", "--allow-read", "--allow-net"])
            .arg(support::tests_dir().join("connector/http2_server.js"));
        if secure {
            let files = Files::new(name)?;
            command.args([files.path("server.pem"), files.path("server.key")]);
        }
        let mut running = Running::start("the server", &mut command)?;
        let port = running.line("listening ")?;
        Ok(Self {
            _running: running,
            port,
            secure,
        })
    }

    fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }
}

fn dial(url: &str, client: Value) -> Result<(), Failed> {
    let mut command = support::duplex_run();
    command
        .arg("-A")
        .arg(support::tests_dir().join("connector/http2.js"))
        .args([url, &client.to_string()]);
    let finished = support::finish(&mut command)?;
    match finished.stdout == EXPECTED {
        true => Ok(()),
        false => Err(finished.report().into()),
    }
}

fn equal(actual: &str, expected: &str) -> Result<(), Failed> {
    match actual == expected {
        true => Ok(()),
        false => Err(format!("expected {expected:?}, got {actual:?}").into()),
    }
}

/// A folder with a certificate for `localhost`.
struct Files {
    folder: PathBuf,
    authority: String,
}

impl Files {
    fn new(name: &str) -> Result<Self, String> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("http2-{name}"));
        let authority = Authority::new();
        let identity = authority.server(&["localhost"]);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("server.pem"), identity.certificate))
            .and_then(|()| fs::write(folder.join("server.key"), identity.key))
            .map_err(|error| error.to_string())?;
        Ok(Self {
            folder,
            authority: authority.certificate,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
