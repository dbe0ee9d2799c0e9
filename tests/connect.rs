//! `duplex connect`: the client and the server for the terminal.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use support::Finished;
use support::Running;

/// Starts a server that sends each message back, and returns its port.
fn echo(args: &[&str]) -> (Running, String) {
    let mut command = support::duplex();
    command
        .args(["connect", "--listen", "0", "--echo"])
        .args(args)
        .stdin(Stdio::null());
    let mut server = Running::start("the server", &mut command).unwrap();
    let port = server.after("Listening on ws://127.0.0.1:").unwrap();
    (server, port.trim_end_matches('/').to_string())
}

/// Starts a server with the program `code`, which prints its port.
fn serve(code: &str) -> (Running, String) {
    let mut command = support::duplex();
    command.args(["eval", code]);
    let mut server = Running::start("the server", &mut command).unwrap();
    let port = server.line("port ").unwrap();
    (server, port)
}

const SERVE: &str = "const serve = (upgraded) => Deno.serve({
    port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(`port ${port}`),
  }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    upgraded(socket, request);
    return response;
  });";

/// Runs `duplex connect` to its end, with `input` on its standard input.
fn connect(args: &[&str], input: &str) -> Finished {
    let file = std::env::temp_dir().join(format!(
        "duplex-test-connect-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    fs::write(&file, input).unwrap();
    let mut command = support::duplex();
    command.arg("connect").args(args);
    command.stdin(fs::File::open(&file).unwrap());
    let finished = support::finish(&mut command).unwrap();
    fs::remove_file(&file).unwrap();
    finished
}

#[test]
fn lines_are_sent_and_answers_printed() {
    let (_server, port) = echo(&[]);
    let finished = connect(&[&format!("127.0.0.1:{port}")], "one\ntwo é\n\nlast");
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_eq!(finished.stdout, "one\ntwo é\n\nlast\n");
    let expected = format!("connected to ws://127.0.0.1:{port}/ [*]\nclosed with 1000\n");
    assert!(
        support::matches(&expected, &finished.stderr),
        "{}",
        finished.report()
    );
}

#[test]
fn each_event_is_a_line_of_json() {
    let (_server, port) = echo(&["-s", "b"]);
    let url = format!("ws://127.0.0.1:{port}/path?q");
    let args = ["--json", "-s", "a", "-s", "b", "-x", "\"\n", "-n", "2"];
    let folder = support::tests_dir().join("connector");
    let file = fs::read_dir(folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let finished = connect(
        &[&args[..], &["-f", file.to_str().unwrap(), &url]].concat(),
        "",
    );
    let events: Vec<serde_json::Value> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(
        names,
        ["open", "message", "message", "close"],
        "{}",
        finished.report()
    );
    assert_eq!(events[0]["protocol"], "b");
    assert_eq!(events[0]["url"], url.as_str());
    assert_eq!(events[1]["data"], "\"\n");
    assert_eq!(events[2]["type"], "binary");
    use base64::Engine;
    let sent = base64::engine::general_purpose::STANDARD.encode(fs::read(&file).unwrap());
    assert_eq!(events[2]["data"], sent.as_str());
    assert_eq!(
        (&events[3]["code"], &events[3]["wasClean"]),
        (&1000.into(), &true.into())
    );
    assert!(events.iter().all(|event| event["time"].is_string()));
    assert_eq!(finished.stderr, "");
}

#[test]
fn headers_are_sent() {
    let (_server, port) = serve(&format!(
        "{SERVE} serve((socket, {{ headers }}) => {{
           const lines = ['cookie', 'origin', 'authorization', 'host']
             .map((name) => `${{name}}: ${{headers.get(name)}}`);
           socket.onopen = () => {{
             for (const line of lines) socket.send(line);
             socket.close();
           }};
         }});"
    ));
    let mut args = vec![
        "-H",
        "Cookie: id=7",
        "-H",
        "Host: example.org",
        "-o",
        "https://a.example",
    ];
    let url = format!("127.0.0.1:{port}");
    args.extend(["--auth", "me:secret", &url]);
    let finished = connect(&args, "");
    assert_eq!(
        finished.stdout,
        "cookie: id=7\norigin: https://a.example\nauthorization: Basic bWU6c2VjcmV0\nhost: example.org\n",
        "{}",
        finished.report()
    );
}

#[test]
fn exit_codes_tell_how_it_ended() {
    let (_server, port) = serve(&format!(
        "{SERVE} serve((socket, {{ url }}) => {{
           socket.onopen = () => url.endsWith('lost') ? socket.terminate() : socket.close(
             ...url.endsWith('none') ? [] : [Number(url.split('/').at(-1)), 'the reason']);
         }});"
    ));
    for (path, code) in [
        ("1000", 0),
        ("none", 0),
        ("4000", 4),
        ("3000", 4),
        ("lost", 3),
    ] {
        let finished = connect(
            &[&format!("127.0.0.1:{port}/{path}"), "-w", "60", "-x", "a"],
            "",
        );
        assert_eq!(finished.code(), code, "{path}: {}", finished.report());
        let shown = match path {
            "lost" => "closed with 1006, without a close handshake",
            "none" => "closed with 1005",
            path => &format!("closed with {path} \"the reason\""),
        };
        assert!(finished.stderr.contains(shown), "{}", finished.report());
    }
    // Nothing listens on this port, because its listener is closed again.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // `-q` leaves out notes, and no errors.
    let free = free.to_string();
    for args in [&[&*free][..], &["-q", &*free]] {
        let finished = connect(args, "");
        assert_eq!(finished.code(), 2, "{}", finished.report());
        assert!(
            finished.stderr.contains("Connection refused"),
            "{}",
            finished.report()
        );
    }
    // Wrong arguments, and a file that does not exist.
    let url = format!("127.0.0.1:{port}/1000");
    for args in [
        &[][..],
        &["ftp://localhost/"],
        &["localhost", "--listen", "0"],
        &["localhost", "-H", "no colon"],
        &["localhost", "--client-cert", "a.pem"],
        &["localhost", "-n", "0"],
        &[&url, "-f", "/nonexistent"],
        &[
            "localhost",
            "--client-cert",
            "/nonexistent",
            "--client-key",
            "/nonexistent",
        ],
    ] {
        let finished = connect(args, "");
        assert_eq!(finished.code(), 1, "{args:?}: {}", finished.report());
        assert!(finished.stderr.contains("error: "), "{}", finished.report());
    }
}

#[test]
fn all_of_the_input_can_be_one_message() {
    let (_server, port) = echo(&[]);
    let url = format!("127.0.0.1:{port}");
    for (input, kind) in [("text", "text"), ("binary", "binary")] {
        let finished = connect(&[&url, "--input", input, "--json", "-n", "1"], "a\nb\n");
        assert!(
            finished.stdout.contains(&format!("\"type\":\"{kind}\"")),
            "{}",
            finished.report()
        );
        let data = if kind == "text" {
            "a\\nb\\n"
        } else {
            "YQpiCg=="
        };
        assert!(
            finished.stdout.contains(&format!("\"data\":\"{data}\"")),
            "{}",
            finished.report()
        );
    }
}

#[test]
fn messages_beyond_the_limit_end_the_connection() {
    let (_server, port) = echo(&[]);
    let url = format!("127.0.0.1:{port}");
    let finished = connect(&[&url, "--max-message", "4", "-x", "12345", "-w", "60"], "");
    assert_ne!(finished.code(), 0, "{}", finished.report());
    assert_eq!(finished.stdout, "");
    let finished = connect(&[&url, "--max-message", "5", "-x", "12345"], "");
    assert_eq!((finished.code(), &*finished.stdout), (0, "12345\n"));
}

#[test]
fn a_lost_connection_is_made_again() {
    let (server, port) = echo(&[]);
    let url = format!("127.0.0.1:{port}");
    let mut command = support::duplex();
    command.args(["connect", &url, "--reconnect=0.1", "--rtt"]);
    let mut client = Running::start("the client", &mut command).unwrap();
    client.line("connected to").unwrap();
    client.line("round trip: ").unwrap();
    // The server is killed.
    drop(server);
    client.line("connecting again in").unwrap();
    let mut command = support::duplex();
    let address = ["connect", "--listen", &port];
    command.args(address).stdin(Stdio::null());
    let _server = Running::start("the next server", &mut command).unwrap();
    client.line("connected to").unwrap();
    client.signal("INT").unwrap();
    let finished = client.end().unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert!(
        finished.stdout.contains(" round trips: least "),
        "{}",
        finished.report()
    );
}

/// Runs a client on its own terminal, and types there.
fn on_a_terminal(port: &str, state: &Path, typed: &str) -> Finished {
    let program = support::duplex().get_program().to_owned();
    let command = format!("{} connect 127.0.0.1:{port}", program.display());
    // `script` of util-linux makes the terminal, and passes the exit code on.
    let mut command_line = Command::new("script");
    command_line
        .args(["-qefc", &command, "/dev/null"])
        .env("XDG_STATE_HOME", state)
        .env("NO_COLOR", "1")
        .env("TERM", "xterm")
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command_line.spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut shown = String::new();
    let mut typed = Some(typed);
    let mut buffer = [0; 4096];
    loop {
        let length = output.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        // Before the prompt, lines cannot be edited on the terminal yet.
        if shown.contains("> ")
            && let Some(typed) = typed.take()
        {
            let mut input = child.stdin.take().unwrap();
            input.write_all(typed.as_bytes()).unwrap();
        }
    }
    Finished {
        status: child.wait().unwrap(),
        stdout: shown,
        stderr: String::new(),
    }
}

#[test]
fn a_terminal_has_commands_and_a_history() {
    let (_server, port) = serve(&format!(
        "{SERVE} serve((socket) => {{
           socket.onmessage = ({{ data }}) =>
             socket.send(typeof data === 'string' ? `\\x1b]0;title\\x07 ${{data}}` : data);
         }});"
    ));
    let state = std::env::temp_dir().join(format!("duplex-test-state-{}", std::process::id()));
    let typed = "hello\r/ping abc\r/hex 00 ff 41\r/nosuch\r//slash\r secret\r\x04";
    let finished = on_a_terminal(&port, &state, typed);
    assert_eq!(finished.code(), 0, "{}", finished.report());
    for shown in [
        // No received text controls the terminal.
        "< \\x1b]0;title\\x07 hello",
        "pong \"abc\"",
        "  000000  00 ff 41 ",
        "there is no command \"/nosuch\"",
        " /slash",
        "closed with 1000",
    ] {
        assert!(
            finished.stdout.contains(shown),
            "{shown}: {}",
            finished.report()
        );
    }
    let history = fs::read_to_string(state.join("duplex/connect_history")).unwrap();
    assert_eq!(
        history,
        "hello\n/ping abc\n/hex 00 ff 41\n/nosuch\n//slash\n"
    );
    // The key up brings the earlier line back, which is then changed.
    let finished = on_a_terminal(&port, &state, "\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A!\r\x04");
    assert!(
        finished.stdout.contains("\\x07 hello!"),
        "{}",
        finished.report()
    );
    fs::remove_dir_all(state).unwrap();
}

#[test]
fn what_is_typed_goes_to_all_clients_of_a_server() {
    let mut command = support::duplex();
    command.args(["connect", "-l", "127.0.0.1:0"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // Standard error is not read here. The port is printed there, and with --json on standard
    // output.
    command.arg("--json");
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut event = move || -> serde_json::Value {
        serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
    };
    let port = event()["port"].as_u64().unwrap();
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let mut command = support::duplex();
            command.args(["connect", &format!("127.0.0.1:{port}"), "-n", "1"]);
            Running::start("a client", &mut command).unwrap()
        })
        .collect();
    for peer in 1..=2 {
        let event = event();
        assert_eq!(
            (&event["event"], &event["peer"]),
            (&"open".into(), &peer.into())
        );
    }
    input.write_all(b"to all\n").unwrap();
    for client in clients {
        let finished = client.end().unwrap();
        assert_eq!(finished.code(), 0, "{}", finished.report());
        assert!(finished.stdout.contains("to all"), "{}", finished.report());
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn unix_sockets_are_dialled() {
    let path =
        std::env::temp_dir().join(format!("duplex-test-connect-{}.sock", std::process::id()));
    let code = format!(
        "Deno.serve({{ path: '{}', onListen: () => console.log('up') }}, (request) => {{
           const {{ socket, response }} = Deno.upgradeWebSocket(request);
           socket.onmessage = ({{ data }}) => socket.send(`${{new URL(request.url).pathname}} ${{data}}`);
           return response;
         }});",
        path.display()
    );
    let mut command = support::duplex();
    command.args(["eval", &code]);
    let mut server = Running::start("the server", &mut command).unwrap();
    server.line("up").unwrap();
    let finished = connect(
        &[
            "--unix",
            path.to_str().unwrap(),
            "ws://host/there",
            "-x",
            "a",
        ],
        "",
    );
    assert_eq!(finished.stdout, "/there a\n", "{}", finished.report());
    drop(server);
    let _ = fs::remove_file(path);
}
