//! `duplex serve`: what a module may export, where it listens, and how it ends.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/peer.rs"]
mod peer;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use peer::Peer;
use support::{Finished, Running};

/// A module that answers requests, and echoes on WebSockets.
const ECHO: &str = r#"
// A timer does not keep a server that was told to end.
setInterval(() => {}, 1e6);
export default {
  fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") {
      return new Response(`args ${Deno.args}`);
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    socket.onclose = ({ code, wasClean }) => console.log("close", code, wasClean);
    return response;
  },
};
"#;

#[test]
fn requests_and_websockets_are_served_without_a_permission() {
    let server = Server::start("echo.js", ECHO, &["a", "b"]);
    assert_eq!(server.get(), "args a,b");
    let mut peer = Peer::connect(server.port, "");
    peer.echo(1);
}

/// A module that echoes by handlers of sockets.
const HANDLERS: &str = r#"
export default {
  fetch(request, info) {
    if (info.upgrade(request, { data: "data" })) return;
    return new Response("This is a WebSocket server.", { status: 426 });
  },
  websocket: {
    open: (ws) => console.log("open", ws.data),
    message: (ws, data) => ws.send(data),
    close: (_ws, code, reason) => console.log("close", code, reason),
  },
};
"#;

#[test]
fn handlers_of_sockets_are_called() {
    let mut server = Server::start("handlers.js", HANDLERS, &[]);
    let mut peer = Peer::connect(server.port, "");
    server.running.line("open data").unwrap();
    peer.echo(1);
    peer.echo(2);
    server.running.signal("TERM").unwrap();
    assert_eq!(peer.close_code(), 1001);
    peer.answer_close(1001);
    server.running.line("close 1001").unwrap();
    assert_eq!(server.running.end().unwrap().code(), 0);
}

#[test]
fn a_signal_closes_the_sockets_and_ends_the_process() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&format!("signal-{signal}.js"), ECHO, &[]);
        let mut peers: Vec<_> = (0..10)
            .map(|number| {
                let mut peer = Peer::connect(server.port, "");
                peer.echo(number);
                peer
            })
            .collect();
        // This connection has no request, so the shutdown does not wait for it.
        let _idle = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        server.running.signal(signal).unwrap();
        server.running.line(&format!("SIG{signal}: ")).unwrap();
        for peer in &mut peers {
            assert_eq!(peer.close_code(), 1001);
            peer.answer_close(1001);
            assert!(peer.is_dropped());
        }
        let finished = server.running.end().unwrap();
        assert_eq!(finished.code(), 0, "{}", finished.report());
        let closes = finished
            .stdout
            .lines()
            .filter(|line| *line == "close 1001 true");
        assert_eq!(closes.count(), 10, "{}", finished.report());
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let script = r#"
        export default {
          async fetch(request) {
            console.log("asked");
            return new Response(await request.text());
          },
        };
    "#;
    let mut server = Server::start("under-way.js", script, &[]);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo")
        .unwrap();
    server.running.line("asked").unwrap();
    server.running.signal("TERM").unwrap();
    server.running.line("SIGTERM: ").unwrap();
    stream.write_all(b"dy").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nbody"), "{answer}");
    assert_eq!(server.running.end().unwrap().code(), 0);
}

#[test]
fn a_response_without_end_does_not_hold_up_the_end() {
    let script = r#"
        export default {
          fetch: () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
        };
    "#;
    let server = Server::start("endless.js", script, &[]);
    let mut peer = Peer(TcpStream::connect(("127.0.0.1", server.port)).unwrap());
    peer.write(REQUEST);
    // This reads the beginning of the answer.
    peer.0.read_exact(&mut [0]).unwrap();
    server.running.signal("TERM").unwrap();
    assert!(peer.is_dropped());
    assert_eq!(server.running.end().unwrap().code(), 0);
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    for (first, second, code) in [
        ("TERM", "TERM", 143),
        ("INT", "TERM", 143),
        ("TERM", "INT", 130),
    ] {
        let name = format!("second-{first}-{second}.js");
        let mut server = Server::start(&name, ECHO, &[]);
        // This client does not answer the Close frame.
        let mut peer = Peer::connect(server.port, "");
        peer.echo(1);
        server.running.signal(first).unwrap();
        server.running.line(&format!("SIG{first}: ")).unwrap();
        assert_eq!(peer.close_code(), 1001);
        server.running.signal(second).unwrap();
        assert_eq!(server.running.end().unwrap().code(), code);
        assert!(peer.is_dropped());
    }
}

#[test]
fn signals_end_a_script_that_does_not_come_back() {
    let script = r#"
        export default {
          fetch() {
            console.log("busy");
            while (true);
          },
        };
    "#;
    let mut server = Server::start("busy.js", script, &[]);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.write_all(REQUEST).unwrap();
    server.running.line("busy").unwrap();
    // The two signals are different, because two signals of one kind may be delivered as one.
    server.running.signal("INT").unwrap();
    server.running.signal("TERM").unwrap();
    let code = server.running.end().unwrap().code();
    assert!([130, 143].contains(&code), "{code}");
}

#[test]
fn listeners_of_the_program_hear_the_signal_too() {
    let script = r#"
        Deno.addSignalListener("SIGTERM", () => console.log("heard"));
        addEventListener("unload", () => console.log("unload"));
        export default { fetch: () => new Response() };
    "#;
    let mut server = Server::start("listener.js", script, &[]);
    server.running.signal("TERM").unwrap();
    server.running.line("heard").unwrap();
    server.running.line("unload").unwrap();
    assert_eq!(server.running.end().unwrap().code(), 0);
}

#[test]
fn a_program_may_end_its_server_itself() {
    let script = r#"
        const aborter = new AbortController();
        export default {
          signal: aborter.signal,
          fetch() {
            aborter.abort();
            return new Response();
          },
        };
    "#;
    let server = Server::start("abort.js", script, &[]);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.write_all(REQUEST).unwrap();
    assert_eq!(server.running.end().unwrap().code(), 0);
}

#[test]
fn options_are_those_of_the_export_and_the_command_line_goes_before() {
    // As an instance of a class, whose methods and getters are the prototype's.
    let script = r#"
        const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        export default new class {
          #hostname = "127.0.0.1";
          #greeting = "hello";
          get hostname() {
            return this.#hostname;
          }
          // As from the environment.
          port = Deno.args[0] === "taken" ? taken.addr.port : "0";
          signal = null;
          maxHeaderSize = 8192;
          onListen({ hostname, port }) {
            console.log(`${this.#greeting} from ${hostname} ${port}`);
          }
          onError(error) {
            return new Response(`${error.message}`, { status: 500 });
          }
          fetch(_request, info) {
            throw new Error(`${this.#greeting} ${info.remoteAddr.hostname}`);
          }
        }();
    "#;
    for (flags, args) in [(&[][..], &[][..]), (&["--port", "0"], &["taken"])] {
        let mut command = serve("options.js", script, &["--allow-net"], flags);
        let mut running = Running::start("the server", command.args(args)).unwrap();
        let port = running.line("hello from 127.0.0.1 ").unwrap();
        let port = port.parse().unwrap();
        assert_eq!(get(port), "hello 127.0.0.1");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let head = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
            "x".repeat(9000)
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[test]
fn commonjs_exports_a_server_as_well() {
    let script = "module.exports = { fetch: () => new Response('commonjs') };";
    let server = Server::start("server.cjs", script, &[]);
    assert_eq!(server.get(), "commonjs");
}

#[test]
fn no_more_is_allowed_than_its_own_address() {
    let script = r#"
        const { state } = await Deno.permissions.query({ name: "net" });
        console.log(`net ${state}`);
        export default {
          fetch() {
            try {
              Deno.serve({ hostname: "127.0.0.1", port: 0 }, () => {});
            } catch (error) {
              return new Response(error.name);
            }
          },
        };
    "#;
    let server = Server::start("own.js", script, &[]);
    assert_eq!(server.get(), "NotCapable");

    let denied = fails(
        "denied.js",
        "export default { fetch: () => new Response() };",
        &["--deny-net=127.0.0.1"],
        "NotCapable",
    );
    assert!(denied.stderr.contains("127.0.0.1:0"), "{}", denied.report());
}

/// The exception from `--allow-net` is for the address of the command line, or the default address.
#[test]
fn an_address_that_the_module_names_needs_a_permission() {
    for (object, flags) in [
        ("{ hostname: '127.0.0.1', port: 0, fetch() {} }", &[][..]),
        ("{ hostname: 'name.invalid', fetch() {} }", &[]),
        ("{ port: 0, fetch() {} }", &[]),
        ("{ hostname: '127.0.0.1', fetch() {} }", &["--port", "0"]),
        ("{ port: 0, fetch() {} }", &["--host", "127.0.0.1"]),
        // The options of a script are read one by one, and a getter may return another value each
        // time.
        (
            "{ get port() { return this.asked = (this.asked ?? 8000) - 1; }, fetch() {} }",
            &[],
        ),
    ] {
        let script = format!("export default {object};");
        let mut command = serve("names.js", &script, &[], flags);
        let finished = support::finish(&mut command).unwrap();
        assert_eq!(finished.code(), 1, "{object}: {}", finished.report());
        for part in ["NotCapable: Requires net access to", "--allow-net"] {
            assert!(finished.stderr.contains(part), "{}", finished.report());
        }
    }
}

/// The address of the command line is allowed only for the server of the module.
#[test]
fn no_other_server_takes_the_own_address() {
    for script in [
        // While the module is evaluated.
        "export default { fetch: () => new Response('own') };
         try { Deno.serve({ hostname, port }, () => {}); } catch (error) { name = error.name; }",
        // While its options are read.
        "export default {
           fetch: () => new Response('own'),
           get websocket() {
             try { Deno.serve({ hostname, port }, () => {}); } catch (error) { name = error.name; }
             return undefined;
           },
         };",
        "export default {
           fetch: () => new Response('own'),
           get onError() {
             try { Deno.serve({ hostname, port }, () => {}); } catch (error) { name = error.name; }
             return undefined;
           },
         };",
        // When it is up.
        "export default {
           fetch: () => new Response('own'),
           onListen({ port: own }) {
             try { Deno.serve({ hostname, port }, () => {}); } catch (error) { name = error.name; }
             console.log(`Listening on http://127.0.0.1:${own}/`);
           },
         };",
    ] {
        let script = format!(
            "const hostname = '127.0.0.1', port = 0;\nlet name;\n{script}\n\
             queueMicrotask(() => setTimeout(() => console.log('refused', name), 1));"
        );
        let flags = ["--host", "127.0.0.1", "--port", "0"];
        let mut command = serve("steals.js", &script, &[], &flags);
        let mut running = Running::start("the server", &mut command).unwrap();
        assert_eq!(running.line("refused ").unwrap(), "NotCapable", "{script}");
        running.signal("TERM").unwrap();
        assert_eq!(running.end().unwrap().code(), 0);
    }
}

#[test]
fn what_cannot_be_served_is_named() {
    for (script, problem) in [
        ("console.log('run');", "has no default export"),
        ("export const fetch = () => {};", "has no default export"),
        ("export default () => new Response();", "is a function"),
        ("export default class { fetch() {} }", "is a function"),
        ("export default null;", "is null"),
        ("export default 'fetch';", "is a value of type string"),
        ("export default { port: 0 };", "has no method fetch"),
        ("export default { fetch: 'no' };", "not a function"),
    ] {
        let finished = fails("refused.js", script, &[], problem);
        let shows_how = finished
            .stderr
            .contains("export default { fetch(request) {");
        assert!(shows_how, "{}", finished.report());
        assert!(
            finished.stderr.contains("refused.js"),
            "{}",
            finished.report()
        );
    }
    let finished = fails("runs.js", "", &[], "has no default export");
    assert!(
        finished.stderr.contains("duplex run"),
        "{}",
        finished.report()
    );
}

#[test]
fn the_environment_says_the_port_where_nobody_else_does() {
    let script = "export default { hostname: '127.0.0.1', fetch: () => new Response('here') };";
    // A port that is free now, and most likely is still free in a moment.
    let free = || {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let port = free();
    let mut command = serve("port.js", script, &["--host", "127.0.0.1"], &[]);
    command.env("PORT", port.to_string());
    let mut running = Running::start("the server", &mut command).unwrap();
    running
        .line_with(&format!("http://127.0.0.1:{port}/"))
        .unwrap();
    assert_eq!(get(port), "here");
    running.signal("TERM").unwrap();
    assert_eq!(running.end().unwrap().code(), 0);

    let mut command = serve("port.js", script, &[], &[]);
    command.env("PORT", "http");
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(
        finished.stderr.contains("PORT is \"http\""),
        "{}",
        finished.report()
    );
}

#[test]
fn a_certificate_of_the_command_line() {
    let identity = certificates::Authority::new().server(&["localhost"]);
    let certificate = write("cert.pem", &identity.certificate);
    let key = write("key.pem", &identity.key);
    let files = [
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let script = "export default { fetch: () => new Response('served') };";
    let address = ["--host", "127.0.0.1", "--port", "0"];
    let mut command = serve("tls.js", script, &files, &address);
    let mut running = Running::start("the server", &mut command).unwrap();
    running
        .line_with("Listening on https://127.0.0.1:")
        .unwrap();
    running.signal("TERM").unwrap();
    assert_eq!(running.end().unwrap().code(), 0);

    let files = ["--tls-cert", "none.pem", "--tls-key", "none.pem"];
    fails("tls.js", script, &files, "none.pem");
}

/// Options by which other runtimes restrict access to a server. If such an option is not valid, the
/// server must not start without the restriction.
#[test]
fn tls_and_unix_are_heard_or_refused() {
    for (option, problem) in [
        (
            "tls: { cert: '', key: '' }",
            "'cert' and 'key' must be provided",
        ),
        (
            "tls: { cert: 'a', key: 'b', ca: 'c' }",
            "`ca` is not supported",
        ),
        ("tls: { cert: 'a', key: 'b' }", "certificate"),
        ("tls: []", "tls: a server has one certificate"),
        ("tls: true", "tls must be an object"),
        ("tsl: {}", "there is no option `tsl`, did you mean `tls`?"),
    ] {
        let script = format!("export default {{ {option}, fetch() {{}} }};");
        fails("closed.js", &script, &[], problem);
        let script = format!("Deno.serve({{ {option}, port: 0, fetch() {{}} }});");
        fails("closed_by_call.js", &script, &["--allow-net"], problem);
    }
    // The server listens only on this address, for which it has no permission here.
    for option in [
        "unix: '/tmp/x.sock'",
        "get unix() { return '/tmp/x.sock'; }",
    ] {
        let script = format!("Deno.serve({{ {option}, fetch() {{}} }});");
        fails("unix.js", &script, &[], "NotCapable");
    }
    for option in [
        "tls: undefined",
        "tls: false",
        "tls: null",
        "unix: undefined",
    ] {
        let script = format!("export default {{ {option}, fetch: () => new Response('served') }};");
        assert_eq!(Server::start("open.js", &script, &[]).get(), "served");
    }
}

#[test]
fn bad_options_and_modules_end_it() {
    for (script, problem) in [
        ("export default { fetch() {}, onListen: 1 };", "onListen"),
        ("export default { fetch() {}, onError: 1 };", "onError"),
        ("export default { fetch() {}, signal: 1 };", "signal"),
        ("export default { fetch() {}, websocket: 1 };", "websocket"),
        ("throw new Error('at the start');", "at the start"),
        ("await new Promise(() => {});", "never resolved"),
    ] {
        fails("bad.js", script, &[], problem);
    }
    let script = "export default { fetch() {}, port: 'http' };";
    let mut command = support::duplex();
    command.arg("serve").arg(write("port.js", script));
    let finished = support::finish(&mut command).unwrap();
    assert!(
        finished.stderr.contains("Invalid port: 'http'"),
        "{}",
        finished.report()
    );
    let mut command = support::duplex();
    let finished = support::finish(command.args(["serve", "no_such_file.js"])).unwrap();
    assert_eq!(finished.code(), 1);
    assert!(
        finished.stderr.contains("no_such_file.js\""),
        "{}",
        finished.report()
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut command = support::duplex();
    command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
    let finished = support::finish(command.arg(write("taken.js", ECHO))).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    for part in [&*format!("Port {port} of 127.0.0.1"), "--port 0"] {
        assert!(finished.stderr.contains(part), "{}", finished.report());
    }
}

#[cfg(unix)]
#[test]
fn a_unix_socket_needs_its_permissions() {
    let socket = std::env::temp_dir().join(format!("duplex-serve-{}.sock", std::process::id()));
    let _ = fs::remove_file(&socket);
    let script = "export default { path: Deno.args[0], fetch: () => new Response('unix') };";
    let file = write("unix.js", script);
    let serve = |flags: &[&str]| {
        let mut command = support::duplex();
        command.arg("serve").args(flags).arg(&file).arg(&socket);
        command
    };

    let finished = support::finish(&mut serve(&[])).unwrap();
    assert!(
        finished.stderr.contains("NotCapable"),
        "{}",
        finished.report()
    );

    let mut running = Running::start("the server", &mut serve(&["-A"])).unwrap();
    running.line("Listening on ").unwrap();
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("unix"), "{answer}");

    let finished = support::finish(&mut serve(&["-A"])).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(
        finished.stderr.contains("is in use"),
        "{}",
        finished.report()
    );
    running.signal("TERM").unwrap();
    assert_eq!(running.end().unwrap().code(), 0);
    let _ = fs::remove_file(&socket);
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

struct Server {
    running: Running,
    port: u16,
}

impl Server {
    /// Serves on a free port of this machine.
    fn start(name: &str, script: &str, args: &[&str]) -> Self {
        let flags = ["--host", "127.0.0.1", "--port", "0"];
        let mut command = serve(name, script, &[], &flags);
        let mut running = Running::start("the server", command.args(args)).unwrap();
        let address = running.line("Listening on http://127.0.0.1:").unwrap();
        let port = address.trim_end_matches('/').parse().unwrap();
        Self { running, port }
    }

    fn get(&self) -> String {
        get(self.port)
    }
}

/// The body of an answer.
fn get(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) => body.to_string(),
        None => panic!("{answer}"),
    }
}

/// Checks that serving ends with an error that contains `problem`.
#[track_caller]
fn fails(name: &str, script: &str, flags: &[&str], problem: &str) -> Finished {
    let address = ["--host", "127.0.0.1", "--port", "0"];
    let finished = support::finish(&mut serve(name, script, flags, &address)).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    let is_named = finished.stderr.starts_with("error: ") && finished.stderr.contains(problem);
    assert!(is_named, "expected {problem}, got {}", finished.report());
    finished
}

fn serve(name: &str, script: &str, permissions: &[&str], address: &[&str]) -> Command {
    let mut command = support::duplex();
    command
        .arg("serve")
        .args(permissions)
        .args(address)
        .arg(write(name, script));
    command
}

fn write(name: &str, script: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serve");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, script).unwrap();
    file
}
