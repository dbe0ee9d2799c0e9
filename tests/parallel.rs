//! `duplex serve --parallel`: one server on several event loops, topics across the loops, and the
//! shared end of all loops.

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

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use certificates::Authority;
use duplex_protocol::frame::Opcode;
use peer::Peer;
use support::Running;

/// Each loop has its own module, and so its own `id`. The first loop listens. A socket is told the
/// id of its loop, and whether the loop is the first.
const CHAT: &str = r#"
const id = crypto.randomUUID();
let isFirst = false;
export default {
  onListen({ port }) {
    isFirst = true;
    console.log("port", port);
  },
  fetch(request, info) {
    if (info.upgrade(request)) return;
    return new Response(id);
  },
  websocket: {
    open(ws) {
      ws.subscribe("room");
      ws.send(`${id} ${isFirst ? "first" : "other"}`);
    },
    message(ws, data) {
      const { do: what, ...rest } = JSON.parse(data);
      actions[what](ws, rest);
    },
    close: (_ws, code) => console.log("close", code),
  },
};
const actions = {
  echo: (ws, { text }) => ws.send(text),
  publish: (ws, { text }) => ws.publish("room", text),
  binary: (ws) => ws.publish("room", new Uint8Array([1, 2, 3])),
  burst(ws, { count }) {
    for (let i = 0; i < count; i++) ws.publish("room", `${i}`);
  },
  leave: (ws) => ws.unsubscribe("room"),
  throw() {
    setTimeout(() => { throw new Error("an error of one loop"); });
  },
  exit: () => Deno.exit(7),
  exitCode: () => Deno.exitCode = 5,
  count: (ws) => ws.send(`${server.subscriberCount("room")}`),
};
"#;

#[test]
fn connections_go_to_the_loop_with_the_fewest() {
    let server = Server::start("count.js", CHAT, &["--parallel=3"]);
    let mut sockets = server.all_loops(3);
    // A loop that was ready late has caught up when all loops have the same number of sockets.
    for _ in 0..2000 {
        let counts = counts(&sockets);
        if counts.values().max() == counts.values().min() && counts.len() == 3 {
            break;
        }
        sockets.push(server.connect());
    }
    let before = counts(&sockets);
    let each = before.values().copied().max().unwrap();
    assert!(before.values().all(|&count| count == each), "{before:?}");
    for _ in 0..6 {
        sockets.push(server.connect());
    }
    let after = counts(&sockets);
    assert!(after.values().all(|&count| count == each + 2), "{after:?}");

    // New sockets first fill the places of sockets that have gone.
    let id = sockets[0].id.clone();
    let (gone, kept): (Vec<_>, Vec<_>) = sockets.into_iter().partition(|it| it.id == id);
    let places = gone.len();
    let mut server = server;
    for mut socket in gone {
        socket
            .peer
            .send(Opcode::Close, true, &1000_u16.to_be_bytes());
        assert!(socket.peer.is_dropped());
        server.running.line("close 1000").unwrap();
    }
    let new: Vec<_> = (0..places).map(|_| server.connect()).collect();
    assert!(new.iter().all(|socket| socket.id == id));
    drop(kept);
}

#[test]
fn what_is_published_reaches_the_sockets_of_all_loops_in_order() {
    let server = Server::start("order.js", &with_count(CHAT), &["--parallel=3"]);
    let mut sockets = server.all_loops(3);
    let mut sender = sockets.swap_remove(0);
    // A socket gets what others publish, but not its own messages.
    sender.action(r#"{"do":"burst","count":1000}"#);
    sender.action(r#"{"do":"binary"}"#);
    for socket in &mut sockets {
        for number in 0..1000 {
            assert_eq!(socket.text(), number.to_string());
        }
        let (opcode, payload) = socket.peer.frame().unwrap();
        assert_eq!((opcode, payload), (Opcode::Binary, vec![1, 2, 3]));
    }
    sender.action(r#"{"do":"echo","text":"nothing came before this"}"#);
    assert_eq!(sender.text(), "nothing came before this");

    // The count is of the whole process.
    let all = sockets.len() + 1;
    sender.action(r#"{"do":"count"}"#);
    assert_eq!(sender.text(), all.to_string());
    sender.action(r#"{"do":"leave"}"#);
    sender.action(r#"{"do":"echo","text":"left"}"#);
    assert_eq!(sender.text(), "left");
    for socket in &mut sockets {
        socket.action(r#"{"do":"publish","text":"to the others"}"#);
    }
    sender.action(r#"{"do":"count"}"#);
    assert_eq!(sender.text(), (all - 1).to_string());
    for socket in &mut sockets {
        for _ in 0..all - 2 {
            assert_eq!(socket.text(), "to the others");
        }
    }
}

/// The script with `server.subscriberCount`, which a handler gets from the `info` of a request.
fn with_count(script: &str) -> String {
    script.replace(
        "if (info.upgrade(request)) return;",
        "globalThis.server = info; if (info.upgrade(request)) return;",
    )
}

#[test]
fn a_signal_ends_all_loops_with_one_exit_code() {
    for signal in ["INT", "TERM"] {
        let name = format!("signal-{signal}.js");
        let server = Server::start(&name, CHAT, &["--parallel=3"]);
        let mut sockets = server.all_loops(3);
        let other = sockets.iter_mut().find(|it| !it.is_first).unwrap();
        other.action(r#"{"do":"exitCode"}"#);
        other.action(r#"{"do":"echo","text":"set"}"#);
        assert_eq!(other.text(), "set");
        server.running.signal(signal).unwrap();
        for socket in &mut sockets {
            assert_eq!(socket.peer.close_code(), 1001);
            socket.peer.answer_close(1001);
            assert!(socket.peer.is_dropped());
        }
        let finished = server.running.end().unwrap();
        assert_eq!(finished.code(), 5, "{}", finished.report());
        let lines = |part: &str| {
            finished
                .stdout
                .lines()
                .filter(|it| it.contains(part))
                .count()
        };
        assert_eq!(lines("close 1001"), sockets.len(), "{}", finished.report());
        assert_eq!(lines("shutting down"), 1, "{}", finished.report());
    }
}

#[test]
fn an_error_in_any_loop_ends_the_program() {
    for is_first in [true, false] {
        let server = Server::start(&format!("error-{is_first}.js"), CHAT, &["--parallel=2"]);
        let mut sockets = server.all_loops(2);
        let socket = sockets.iter_mut().find(|it| it.is_first == is_first);
        socket.unwrap().action(r#"{"do":"throw"}"#);
        let finished = server.running.end().unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
        let error = "error: Uncaught Error: an error of one loop";
        assert!(finished.stdout.contains(error), "{}", finished.report());
        assert!(finished.stdout.contains(".js:"), "{}", finished.report());
    }
}

#[test]
fn an_error_ends_the_program_though_another_loop_does_not_come_back() {
    let script = CHAT.replace(
        "exit: ",
        "hang() { console.log('hanging'); for (;;); },\n  exit: ",
    );
    for is_first in [true, false] {
        let mut server = Server::start(&format!("hang-{is_first}.js"), &script, &["--parallel=2"]);
        let mut sockets = server.all_loops(2);
        for socket in &mut sockets {
            if socket.is_first == is_first {
                socket.action(r#"{"do":"hang"}"#);
                server.running.line("hanging").unwrap();
                break;
            }
        }
        let other = sockets.iter_mut().find(|it| it.is_first != is_first);
        other.unwrap().action(r#"{"do":"throw"}"#);
        let finished = server.running.end().unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
    }
}

#[test]
fn any_loop_can_exit() {
    for is_first in [true, false] {
        let server = Server::start(&format!("exit-{is_first}.js"), CHAT, &["--parallel=3"]);
        let mut sockets = server.all_loops(3);
        let socket = sockets.iter_mut().find(|it| it.is_first == is_first);
        socket.unwrap().action(r#"{"do":"exit"}"#);
        let finished = server.running.end().unwrap();
        assert_eq!(finished.code(), 7, "{}", finished.report());
    }
}

#[test]
fn how_many_loops_there_are() {
    let script = r#"
        export default {
          ...(Deno.args[0] ? { parallel: JSON.parse(Deno.args[0]) } : {}),
          fetch: () => new Response(),
        };
    "#;
    let file = write("loops.js", script);
    let greeting = |flags: &[&str], jobs: &str, args: &[&str]| {
        let mut command = support::duplex();
        command
            .args(["serve", "--host", "127.0.0.1", "--port", "0"])
            .args(flags)
            .env("DENO_JOBS", jobs)
            .arg(&file)
            .args(args);
        let mut running = Running::start("the server", &mut command).unwrap();
        let rest = running.line("Listening on http://127.0.0.1:").unwrap();
        let (_, rest) = rest.split_once('/').unwrap();
        rest.to_string()
    };
    assert_eq!(greeting(&[], "3", &[]), "");
    assert_eq!(greeting(&["--parallel"], "3", &[]), " with 3 threads");
    assert_eq!(greeting(&["--parallel=2"], "3", &[]), " with 2 threads");
    assert_eq!(greeting(&["--parallel=1"], "3", &["2"]), "");
    assert_eq!(greeting(&[], "3", &["2"]), " with 2 threads");
    assert_eq!(greeting(&[], "3", &["true"]), " with 3 threads");
    assert_eq!(greeting(&[], "3", &["false"]), "");
    let cores = std::thread::available_parallelism().unwrap().get();
    let expected = match cores {
        1 => String::new(),
        cores => format!(" with {cores} threads"),
    };
    assert_eq!(greeting(&["--parallel"], "none", &[]), expected);

    let fails = |flags: &[&str], args: &[&str], problem: &str| {
        let mut command = support::duplex();
        command.arg("serve").args(flags).arg(&file).args(args);
        let finished = support::finish(&mut command).unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
        let is_named = finished.stderr.contains(problem);
        assert!(is_named, "expected {problem}, got {}", finished.report());
    };
    fails(&["--parallel=0"], &[], "from 1 to 256");
    fails(&["--parallel=257"], &[], "from 1 to 256");
    fails(&["--parallel=x"], &[], "from 1 to 256");
    fails(&[], &["-1"], "parallel must be a boolean or an integer");
    fails(&[], &["\"2\""], "parallel must be a boolean or an integer");
}

#[test]
fn tls_is_served_by_all_loops() {
    let authority = Authority::new();
    let identity = authority.server(&["localhost"]);
    let ca = write("ca.pem", &authority.certificate);
    let cert = write("cert.pem", &identity.certificate);
    let key = write("key.pem", &identity.key);
    let script = r#"
        const id = crypto.randomUUID();
        export default {
          cert: Deno.readTextFileSync(Deno.args[0]),
          key: Deno.readTextFileSync(Deno.args[1]),
          fetch(request, info) {
            if (info.upgrade(request)) return;
            return new Response(id);
          },
          websocket: { open: (ws) => ws.send(id), message(ws, data) { ws.send(data); } },
        };
    "#;
    let mut command = support::duplex();
    command
        .args([
            "serve",
            "-R",
            "--host",
            "localhost",
            "--port",
            "0",
            "--parallel=2",
        ])
        .arg(write("tls.js", script))
        .args([&cert, &key]);
    let mut server = Running::start("the server", &mut command).unwrap();
    let rest = server.line("Listening on https://").unwrap();
    let (address, _) = rest.split_once('/').unwrap();
    let (_, port) = address.rsplit_once(':').unwrap();

    let client = r#"
        const seen = new Set();
        const open = () => new Promise((resolve, reject) => {
          const socket = new WebSocket(`wss://localhost:${Deno.args[0]}`);
          socket.onerror = reject;
          socket.onmessage = ({ data }) => {
            seen.add(data);
            socket.onmessage = ({ data }) => resolve(data);
            socket.send("echo");
          };
        });
        while (seen.size < 2) await open();
        console.log(seen.size, await open());
        Deno.exit();
    "#;
    let mut command = support::duplex();
    command
        .args(["run", "--allow-net", "--cert"])
        .arg(&ca)
        .arg(write("tls-client.js", client))
        .arg(port);
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.stdout, "2 echo\n", "{}", finished.report());
}

#[test]
fn a_unix_socket_is_served_by_all_loops() {
    let socket = std::env::temp_dir().join(format!("duplex-parallel-{}", std::process::id()));
    let script = format!(
        "const path = Deno.args[0];\n{}",
        CHAT.replace("onListen({ port })", "path,\n  onListen({ path: port })")
    );
    let mut command = support::duplex();
    command
        .args(["serve", "-A", "--parallel=2"])
        .arg(write("unix.js", &script))
        .arg(&socket);
    let mut running = Running::start("the server", &mut command).unwrap();
    running.line("port ").unwrap();
    let mut ids = std::collections::HashSet::new();
    let mut peers = Vec::new();
    while ids.len() < 2 {
        let stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(support::LIMIT)).unwrap();
        let mut peer = Peer::open(stream, "");
        let (_, payload) = peer.frame().unwrap();
        ids.insert(payload);
        peers.push(peer);
    }
    running.signal("TERM").unwrap();
    for peer in &mut peers {
        assert_eq!(peer.close_code(), 1001);
        peer.answer_close(1001);
    }
    assert_eq!(running.end().unwrap().code(), 0);
    let _ = fs::remove_file(&socket);
}

#[test]
fn a_second_server_is_shared_where_it_says_so() {
    let script = r#"
        const id = crypto.randomUUID();
        Deno.serve({
          parallel: true,
          hostname: "127.0.0.1",
          port: 0,
          onListen: ({ port }) => console.log("second", port),
          fetch(request, info) {
            if (info.upgrade(request)) return;
            return new Response(id);
          },
          websocket: {
            open(ws) { ws.subscribe("room"); ws.send(`${id} second`); },
            message(ws, data) { ws.publish("room", data); },
          },
        });
        export default {
          onListen: ({ port }) => console.log("port", port),
          fetch: () => new Response(),
        };
    "#;
    let mut command = support::duplex();
    command
        .args([
            "serve",
            "--allow-net",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--parallel=2",
        ])
        .arg(write("second.js", script));
    let mut running = Running::start("the server", &mut command).unwrap();
    let port = running.line("second ").unwrap().parse().unwrap();
    running.line("port ").unwrap();
    let server = Server { running, port };
    let mut sockets = server.all_loops(2);
    let mut sender = sockets.swap_remove(0);
    sender.peer.send_text("across").unwrap();
    for socket in &mut sockets {
        assert_eq!(socket.text(), "across");
    }
    assert_eq!(server.running.signal("TERM"), Ok(()));
}

#[test]
fn workers_that_say_the_same_name_have_the_same_topics() {
    let worker = r#"
        const server = Deno.serve({
          hostname: "127.0.0.1",
          port: 0,
          topics: { name: "chat" },
          onListen: ({ port }) => self.postMessage?.(port),
          fetch: (request, info) => info.upgrade(request) ? undefined : new Response(),
          websocket: {
            open(ws) { ws.subscribe("room"); ws.send("open"); },
            message(ws, data) {
              if (data === "count") ws.send(`${server.subscriberCount("room")}`);
              else server.publish("room", data, { local: true });
            },
          },
        });
    "#;
    write("worker.js", worker);
    let main = r#"
        const port = (name) => new Promise((resolve) => {
          const worker = new Worker(new URL(name, import.meta.url), { type: "module" });
          worker.onmessage = ({ data }) => resolve(data);
        });
        console.log("ports", await port("./worker.js"), await port("./worker.js"));
    "#;
    let mut command = support::duplex_run();
    command
        .arg("--allow-net")
        .arg("--allow-read")
        .arg(write("workers.js", main));
    let mut running = Running::start("the program", &mut command).unwrap();
    let ports = running.line("ports ").unwrap();
    let mut sockets: Vec<_> = ports
        .split(' ')
        .map(|port| Peer::connect(port.parse().unwrap(), ""))
        .collect();
    for socket in &mut sockets {
        assert_eq!(text(socket), "open");
    }
    sockets[0].send_text("count").unwrap();
    assert_eq!(text(&mut sockets[0]), "2");
    sockets[0].send_text("hello").unwrap();
    for socket in &mut sockets {
        assert_eq!(text(socket), "hello");
    }
}

#[test]
fn a_loop_that_falls_behind_closes_those_that_would_miss_a_message() {
    let fifo = folder().join("fifo");
    let _ = fs::remove_file(&fifo);
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let script = CHAT.replace(
        "exit: ",
        r#"block(ws) { ws.subscribe("big"); console.log("blocking"); Deno.readFileSync(Deno.args[0]); },
  big(ws) {
    const data = new Uint8Array(1 << 20);
    for (let i = 0; i < 80; i++) ws.publish("big", data);
    ws.send("published");
  },
  exit: "#,
    );
    let mut command = support::duplex();
    command
        .args([
            "serve",
            "-A",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--parallel=2",
        ])
        .arg(write("behind.js", &script))
        .arg(&fifo);
    let mut server = Server::of(Running::start("the server", &mut command).unwrap());
    let mut sockets = server.all_loops(2);
    let mut blocked = sockets.swap_remove(0);
    let mut sender = sockets
        .into_iter()
        .find(|socket| socket.id != blocked.id)
        .unwrap();
    blocked.action(r#"{"do":"block"}"#);
    server.running.line("blocking").unwrap();
    sender.action(r#"{"do":"big"}"#);
    assert_eq!(sender.text(), "published");
    // The loop goes on when the file has been written to.
    fs::OpenOptions::new()
        .write(true)
        .open(&fifo)
        .unwrap()
        .write_all(b"go on")
        .unwrap();
    assert_eq!(blocked.peer.close_code(), 1013);
}

/// How many sockets each loop has.
fn counts(sockets: &[Socket]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for socket in sockets {
        *counts.entry(&*socket.id).or_default() += 1;
    }
    counts
}

struct Server {
    running: Running,
    port: u16,
}

struct Socket {
    peer: Peer,
    /// The id of the loop that the socket is on.
    id: String,
    is_first: bool,
}

impl Server {
    fn start(name: &str, script: &str, flags: &[&str]) -> Self {
        let mut command = support::duplex();
        command
            .args(["serve", "--host", "127.0.0.1", "--port", "0"])
            .args(flags)
            .arg(write(name, script));
        Self::of(Running::start("the server", &mut command).unwrap())
    }

    fn of(mut running: Running) -> Self {
        let port = running.line("port ").unwrap().parse().unwrap();
        Self { running, port }
    }

    fn connect(&self) -> Socket {
        let mut peer = Peer::connect(self.port, "");
        let hello = text(&mut peer);
        let (id, role) = hello.split_once(' ').unwrap();
        Socket {
            peer,
            id: id.to_string(),
            is_first: role == "first",
        }
    }

    /// Connects sockets until all `count` loops have some. Some loops may not be ready yet.
    fn all_loops(&self, count: usize) -> Vec<Socket> {
        let mut sockets = Vec::new();
        while counts(&sockets).len() < count {
            // A loop that starts slowly has a minute. A loop that never starts is a fault.
            assert!(sockets.len() < 3000, "a loop gets no connection");
            if sockets.len() > 100 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            sockets.push(self.connect());
        }
        sockets
    }
}

impl Socket {
    fn action(&mut self, json: &str) {
        self.peer.send_text(json).unwrap();
    }

    #[track_caller]
    fn text(&mut self) -> String {
        text(&mut self.peer)
    }
}

#[track_caller]
fn text(peer: &mut Peer) -> String {
    let (opcode, payload) = peer.frame().unwrap();
    assert_eq!(opcode, Opcode::Text);
    String::from_utf8(payload).unwrap()
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parallel");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(name: &str, script: &str) -> PathBuf {
    let file = folder().join(name);
    fs::write(&file, script).unwrap();
    file
}
