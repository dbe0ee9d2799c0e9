//! `--inspect`, `--inspect-wait`, `--inspect-brk`: a debugger attaches to programs and to web
//! workers, as an editor does.

#![cfg(feature = "v8")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use support::Finished;
use support::Running;

/// Starts a program that can be debugged. Returns the program and the URL for debuggers.
fn start(args: &[&str]) -> (Running, String) {
    let mut command = support::duplex();
    command.current_dir(support::tests_dir().join("inspector"));
    command.args(args);
    let mut program = Running::start("the program", &mut command).unwrap();
    let url = program.line("Debugger listening on ").unwrap();
    (program, url)
}

/// Runs the debugger, and returns what it finds.
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
    program.line_in_any_order("counted 2").unwrap();
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
    program.line_in_any_order("up").unwrap();
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
    program.line_in_any_order("up").unwrap();
    let found = debug(&worker, "evaluate");
    assert_eq!(found.stdout, "value in the worker\n", "{}", found.report());
}

#[test]
fn the_sockets_of_both_ends_are_shown_with_their_frames() {
    let flags = ["run", "-N", "--inspect-wait=127.0.0.1:0", "sockets.js"];
    let (mut program, url) = start(&flags);
    let found = debug(&url, "network");
    // 70,000 bytes are 93,336 characters of Base64. The frames of a client have masks.
    let expected = "\
client Created /path
client WillSendHandshakeRequest of the client
client HandshakeResponseReceived of the server 101
client FrameSent 1 true é
client FrameReceived 1 false é
client FrameSent 9 true cA==
client FrameReceived 10 false cA==
client FrameSent 2 true 93336
client FrameReceived 2 false 93336
client FrameSent 8 true A+hieWU=
client FrameReceived 8 false A+hieWU=
client Closed
server Created /path
server WillSendHandshakeRequest of the client
server HandshakeResponseReceived of the server 101
server FrameReceived 1 true é
server FrameSent 1 false é
server FrameReceived 9 true cA==
server FrameSent 10 false cA==
server FrameReceived 2 true 93336
server FrameSent 2 false 93336
server FrameReceived 8 true A+hieWU=
server FrameSent 8 false A+hieWU=
server Closed
refused FrameError tcp connect error: Connection refused (os error 111)
";
    assert_eq!(found.stdout, expected, "{}", found.report());
    program.line_in_any_order("ended").unwrap();
}

#[test]
fn a_socket_that_was_open_before_is_shown_with_its_opening() {
    let code = "
        const server = Deno.serve({ hostname: '127.0.0.1', port: 0, onListen() {} }, (request) => {
            const { socket, response } = Deno.upgradeWebSocket(request);
            socket.onopen = () => console.log('up');
            return response;
        });
        globalThis.client = new WebSocket(`ws://127.0.0.1:${server.addr.port}`);";
    let (mut program, url) = start(&["eval", "--inspect=127.0.0.1:0", code]);
    program.line_in_any_order("up").unwrap();
    let found = debug(&url, "attach");
    let opening = "Created WillSendHandshakeRequest HandshakeResponseReceived";
    assert_eq!(
        found.stdout,
        format!("now {opening}\n"),
        "{}",
        found.report()
    );
}

/// A folder for the files that programs write, which the test empties.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The JSON in the only file of a folder.
fn only_file(folder: &Path) -> (String, serde_json::Value) {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = fs::read(files[0].path()).unwrap();
    let name = files[0].file_name().into_string().unwrap();
    (name, serde_json::from_slice(&text).unwrap())
}

#[test]
fn a_cpu_profile_is_written_however_the_program_ends() {
    let spin = "
        function spinForLong() {
            const end = performance.now() + 300;
            while (performance.now() < end);
        }
        spinForLong();";
    for (end, code) in [("", 0), ("Deno.exit(3);", 3), ("throw 1;", 1)] {
        let folder = folder("cpu-profile");
        let mut command = support::duplex();
        let flag = format!("--cpu-prof-dir={}", folder.display());
        command.args(["eval", "--cpu-prof-interval=200", &flag]);
        command.arg(format!("{spin} {end}"));
        let finished = support::finish(&mut command).unwrap();
        assert_eq!(finished.code(), code, "{}", finished.report());
        let (name, profile) = only_file(&folder);
        assert!(
            name.starts_with("CPU.") && name.ends_with(".cpuprofile"),
            "{name}"
        );
        let nodes = profile["nodes"].as_array().unwrap();
        let is_there =
            |node: &serde_json::Value| node["callFrame"]["functionName"] == "spinForLong";
        assert!(nodes.iter().any(is_there), "{profile}");
    }
    let folder = folder("cpu-profile-name");
    let mut command = support::duplex();
    command.current_dir(&folder);
    command.args(["eval", "--cpu-prof", "--cpu-prof-name=own.json", "1"]);
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_eq!(only_file(&folder).0, "own.json");

    for flags in [
        &["eval", "--cpu-prof-name=a", "1"][..],
        &["eval", "--cpu-prof", "--inspect", "1"],
        &["eval", "--heapsnapshot-signal=SIGTERM", "1"],
        &["run", "--cpu-prof", "--watch", "program.ts"],
    ] {
        let mut command = support::duplex();
        command.args(flags);
        let finished = support::finish(&mut command).unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
    }
}

#[test]
fn a_signal_has_the_heap_written() {
    let folder = folder("heap");
    let mut command = support::duplex();
    command.current_dir(&folder);
    let code = "
        globalThis.held = ['what only', 'this program holds'].join(' ');
        console.log('up');
        setInterval(() => {}, 1e6);";
    command.args(["eval", "--heapsnapshot-signal=SIGUSR2", code]);
    let mut program = Running::start("the program", &mut command).unwrap();
    program.line("up").unwrap();
    program.signal("USR2").unwrap();
    let path = program.line("Heap snapshot written to ").unwrap();
    assert!(path.ends_with(".heapsnapshot"), "{path}");
    let (_, snapshot) = only_file(&folder);
    assert!(snapshot["snapshot"]["node_count"].as_u64().unwrap() > 1000);
    let strings = snapshot["strings"].as_array().unwrap();
    assert!(strings.iter().any(|it| it == "this program holds"));
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
