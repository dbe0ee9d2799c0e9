//! What operators see: the metrics of `--metrics` after loads of known size, the health checks, and
//! the log of connections.
//!
//! The tests use `nats-server` from the PATH. If it is missing, its test prints `skipped`.

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

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use certificates::Authority;
use duplex_protocol::frame::Opcode;
use peer::{Peer, push, tcp};
use support::{LIMIT, Running};

const PROGRAM: &str = r#"
const loop = crypto.randomUUID();
export default {
  onListen: ({ port }) => console.log("port", port),
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/numbers": return Response.json(server.metrics());
      case "/forbidden": return new Response("no", { status: 403 });
    }
    if (server.upgrade(request)) return;
  },
  websocket: {
    maxPayloadLength: 1000,
    message(ws, data) {
      if (typeof data !== "string") {
        ws.send(data);
        return;
      }
      const [what, first, second] = data.split(" ");
      switch (what) {
        case "subscribe": ws.subscribe(first); break;
        case "unsubscribe": ws.unsubscribe(first); break;
        case "publish": ws.publish(first, second); break;
        case "close": ws.close(Number(first)); return;
        case "terminate": ws.terminate(); return;
        case "loop": ws.send(loop); return;
        case "spin": while (!exists(first)); break;
      }
      ws.send(data);
    },
  },
};
function exists(path) {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
"#;

#[test]
fn the_numbers_are_those_of_the_load() {
    for flags in [&[][..], &["--parallel=2"]] {
        let server = Server::start("load.js", PROGRAM, flags);
        let mut load = Load::new(&server);
        load.echo(5, 20, 3);
        load.publish(4, 7);
        load.end_in_all_ways();
        load.refuse();
        let idle = load.connect();
        server.wait_for(&load.expected());

        // A counter never falls, and a second load adds to it.
        load.echo(3, 10, 10);
        load.publish(2, 3);
        load.end_in_all_ways();
        drop(idle);
        load.closed("1006", 1);
        let expected = load.expected();
        server.wait_for(&expected);
        let numbers = server.get("/numbers");
        let object: serde_json::Value = serde_json::from_str(&numbers).unwrap();
        load.check_object(&object);
    }
}

/// A load, and the metrics that it must result in.
struct Load<'s> {
    server: &'s Server,
    counts: BTreeMap<String, f64>,
}

impl<'s> Load<'s> {
    fn new(server: &'s Server) -> Self {
        Self {
            server,
            counts: BTreeMap::new(),
        }
    }

    fn add(&mut self, name: &str, count: usize) {
        *self.counts.entry(name.to_owned()).or_default() += count as f64;
    }

    fn sub(&mut self, name: &str, count: usize) {
        *self.counts.get_mut(name).unwrap() -= count as f64;
    }

    fn message(&mut self, way: &str, kind: &str, length: usize) {
        let metric = |what: &str| format!("duplex_websocket_{what}_{way}_total{{type=\"{kind}\"}}");
        self.add(&metric("messages"), 1);
        self.add(&metric("bytes"), length);
    }

    fn connect(&mut self) -> Peer {
        self.add(CONNECTIONS, 1);
        self.add(
            r#"duplex_websocket_opened_total{role="server",http="1.1",tls="false"}"#,
            1,
        );
        self.add(
            r#"duplex_websocket_handshake_seconds_count{role="server"}"#,
            1,
        );
        Peer::connect(self.server.port, "")
    }

    fn closed(&mut self, code: &str, count: usize) {
        self.sub(CONNECTIONS, count);
        let metric = format!(r#"duplex_websocket_closed_total{{role="server",code="{code}"}}"#);
        self.add(&metric, count);
        self.add(
            r#"duplex_websocket_connection_seconds_count{role="server"}"#,
            count,
        );
    }

    /// Sends a text that comes back.
    fn ask(&mut self, peer: &mut Peer, text: &str) {
        self.message("received", "text", text.len());
        self.message("sent", "text", text.len());
        peer.send_text(text).unwrap();
        let (opcode, payload) = peer.frame().unwrap();
        assert_eq!((opcode, &*payload), (Opcode::Text, text.as_bytes()));
    }

    /// Sends a text that has no answer.
    fn tell(&mut self, peer: &mut Peer, text: &str) {
        self.message("received", "text", text.len());
        peer.send_text(text).unwrap();
    }

    fn close(&mut self, mut peer: Peer, code: u16) {
        peer.answer_close(code);
        assert_eq!(peer.close_code(), code);
        assert!(peer.is_dropped());
    }

    fn echo(&mut self, peers: usize, texts: usize, binaries: usize) {
        let all: Vec<_> = (0..peers).map(|_| self.connect()).collect();
        for mut peer in all {
            for number in 0..texts {
                self.ask(&mut peer, &format!("text {number} é"));
            }
            for number in 0..binaries {
                // Some of these messages are read into memory of their own.
                let payload = vec![7; 10 + number * 40];
                let mut frame = Vec::new();
                push(&mut frame, Opcode::Binary, false, &payload);
                frame[0] |= 0x80;
                peer.write(&frame);
                assert_eq!(peer.frame().unwrap(), (Opcode::Binary, payload.clone()));
                self.message("received", "binary", payload.len());
                self.message("sent", "binary", payload.len());
            }
            self.close(peer, 1000);
            self.closed("1000", 1);
        }
    }

    fn publish(&mut self, subscribers: usize, messages: usize) {
        let mut all: Vec<_> = (0..subscribers).map(|_| self.connect()).collect();
        for (index, peer) in all.iter_mut().enumerate() {
            self.ask(peer, "subscribe room");
            self.ask(peer, &format!("subscribe own{index}"));
        }
        self.add("duplex_topics", 1 + subscribers);
        self.add("duplex_subscriptions", 2 * subscribers);
        self.server.wait_for(&self.expected());
        let mut publisher = self.connect();
        for _ in 0..messages {
            self.ask(&mut publisher, "publish room hello");
            // This message has no subscriber.
            self.ask(&mut publisher, "publish empty hello");
        }
        self.add("duplex_publish_total", 2 * messages);
        self.add("duplex_deliveries_total", subscribers * messages);
        for peer in &mut all {
            for _ in 0..messages {
                assert_eq!(peer.frame().unwrap(), (Opcode::Text, b"hello".to_vec()));
                self.message("sent", "text", "hello".len());
            }
        }
        self.server.wait_for(&self.expected());
        // One socket leaves its topic, and the others close while they are subscribed.
        self.ask(&mut all[0], "unsubscribe own0");
        self.sub("duplex_topics", 1);
        self.sub("duplex_subscriptions", 1);
        self.server.wait_for(&self.expected());
        for peer in all {
            self.close(peer, 1000);
        }
        self.close(publisher, 1000);
        self.closed("1000", subscribers + 1);
        self.sub("duplex_topics", subscribers);
        self.sub("duplex_subscriptions", 2 * subscribers - 1);
    }

    fn end_in_all_ways(&mut self) {
        // The server begins the close.
        for (code, label) in [(1000, "1000"), (1012, "1012"), (3210, "application")] {
            let mut peer = self.connect();
            self.tell(&mut peer, &format!("close {code}"));
            assert_eq!(peer.close_code(), code);
            peer.answer_close(code);
            assert!(peer.is_dropped());
            self.closed(label, 1);
        }
        // The client begins the close.
        for (code, label) in [(1001, "1001"), (4999, "application")] {
            let peer = self.connect();
            self.close(peer, code);
            self.closed(label, 1);
        }
        let mut peer = self.connect();
        let mut frame = Vec::new();
        push(&mut frame, Opcode::Close, false, &[]);
        peer.write(&frame);
        assert!(peer.is_dropped());
        self.closed("1005", 1);
        // Neither end begins a close.
        let mut peer = self.connect();
        self.tell(&mut peer, "terminate now");
        assert!(peer.is_dropped());
        drop(self.connect());
        // A message that is too long, and bytes that are not a frame.
        let mut peer = self.connect();
        peer.send_text(&"x".repeat(1001)).unwrap();
        assert_eq!(peer.close_code(), 1009);
        let mut peer = self.connect();
        peer.write(&[0xff, 0xff]);
        assert_eq!(peer.close_code(), 1002);
        self.closed("1006", 4);
        self.add(
            r#"duplex_websocket_limit_exceeded_total{limit="maxPayloadLength"}"#,
            1,
        );
    }

    fn refuse(&mut self) {
        let port = self.server.port;
        assert!(handshake(port, "/forbidden", 13).starts_with("HTTP/1.1 403 "));
        assert!(handshake(port, "/forbidden?once=more", 13).starts_with("HTTP/1.1 403 "));
        assert!(handshake(port, "/", 12).starts_with("HTTP/1.1 426 "));
        // That request does not ask for a WebSocket.
        assert!(self.server.get("/forbidden").starts_with("no"));
        let metric = |status: u16| {
            format!("duplex_websocket_handshakes_refused_total{{status=\"{status}\"}}")
        };
        self.add(&metric(403), 2);
        self.add(&metric(426), 1);
    }

    /// The metrics that are expected, with zeros for those that must not count anything.
    fn expected(&self) -> BTreeMap<String, f64> {
        let mut expected = self.counts.clone();
        for zero in [
            r#"duplex_websocket_connections{role="client",http="1.1",tls="false"}"#,
            r#"duplex_websocket_connections{role="server",http="2",tls="true"}"#,
            r#"duplex_websocket_closed_total{role="server",code="1002"}"#,
            r#"duplex_websocket_closed_total{role="server",code="other"}"#,
            r#"duplex_websocket_closed_total{role="client",code="1000"}"#,
            r#"duplex_websocket_limit_exceeded_total{limit="closeTimeout"}"#,
            r#"duplex_websocket_limit_exceeded_total{limit="idleTimeout"}"#,
            r#"duplex_websocket_backpressure_total{outcome="refused"}"#,
            "duplex_websocket_send_queue_bytes",
        ] {
            expected.entry(zero.to_owned()).or_default();
        }
        expected
    }

    /// Checks that the object for scripts has the same numbers.
    fn check_object(&self, object: &serde_json::Value) {
        let count = |metric: &str| self.counts.get(metric).copied().unwrap_or(0.0);
        let is = |member: &serde_json::Value, expected: f64| {
            assert_eq!(member.as_f64(), Some(expected), "{object}");
        };
        is(&object["connections"]["server"], count(CONNECTIONS));
        is(&object["connections"]["client"], 0.0);
        for kind in ["text", "binary"] {
            for (member, what, way) in [
                ("messagesReceived", "messages", "received"),
                ("bytesReceived", "bytes", "received"),
                ("messagesSent", "messages", "sent"),
                ("bytesSent", "bytes", "sent"),
            ] {
                let metric = format!("duplex_websocket_{what}_{way}_total{{type=\"{kind}\"}}");
                is(&object[member][kind], count(&metric));
            }
        }
        for code in ["1000", "1001", "1005", "1006", "1012", "application"] {
            let metric = format!(r#"duplex_websocket_closed_total{{role="server",code="{code}"}}"#);
            is(&object["closed"][code], count(&metric));
        }
        assert_eq!(object["closed"].as_object().unwrap().len(), 6, "{object}");
        is(&object["handshakesRefused"]["403"], 2.0);
        is(&object["handshakesRefused"]["426"], 1.0);
        is(&object["limitsExceeded"]["maxPayloadLength"], 2.0);
        is(&object["dialsFailed"]["connect"], 0.0);
        is(&object["backpressure"]["queued"], 0.0);
        is(&object["published"], count("duplex_publish_total"));
        is(&object["delivered"], count("duplex_deliveries_total"));
        is(&object["topics"], 0.0);
        is(&object["subscriptions"], 0.0);
        is(&object["sendQueueBytes"], 0.0);
        is(&object["brokerLost"], 0.0);
    }
}

const CONNECTIONS: &str = r#"duplex_websocket_connections{role="server",http="1.1",tls="false"}"#;

#[test]
fn clients_count_too() {
    let authority = Authority::new();
    let identity = authority.server(&["localhost"]);
    let ca = write("ca.pem", &authority.certificate);
    let script = format!(
        "const cert = `{}`, key = `{}`;\n{CLIENTS}",
        identity.certificate, identity.key
    );
    let mut command = support::duplex_run();
    command
        .args(["-A", "--metrics", ":0", "--cert"])
        .arg(ca)
        .arg(write("clients.js", &script));
    let mut running = Running::start("the program", &mut command).unwrap();
    let metrics = metrics_port(&mut running);
    running.line("all open").unwrap();
    let class = |what: &str, role: &str, http: &str, tls: bool| {
        format!("duplex_websocket_{what}{{role=\"{role}\",http=\"{http}\",tls=\"{tls}\"}}")
    };
    let failed =
        |reason: &str| format!("duplex_websocket_dials_failed_total{{reason=\"{reason}\"}}");
    let mut expected = BTreeMap::new();
    for role in ["server", "client"] {
        expected.insert(class("connections", role, "1.1", false), 2.0);
        expected.insert(class("connections", role, "2", true), 1.0);
        expected.insert(class("connections", role, "1.1", true), 1.0);
        expected.insert(class("connections", role, "2", false), 0.0);
        expected.insert(
            format!("duplex_websocket_handshake_seconds_count{{role=\"{role}\"}}"),
            4.0,
        );
    }
    for (reason, count) in [
        ("connect", 1.0),
        ("dns", 1.0),
        ("response", 1.0),
        ("tls", 1.0),
        ("canceled", 1.0),
        ("timeout", 0.0),
    ] {
        expected.insert(failed(reason), count);
    }
    // The client has seen the close, and the server has counted it.
    expected.insert(
        r#"duplex_websocket_handshakes_refused_total{status="404"}"#.to_owned(),
        1.0,
    );
    wait_for(metrics, &expected);
    assert_eq!(get(metrics, "/ready").0, 200);
}

const CLIENTS: &str = r#"
const fetch = (request) => {
  if (new URL(request.url).pathname === "/none") return new Response("", { status: 404 });
  const { socket, response } = Deno.upgradeWebSocket(request);
  return response;
};
const quiet = { hostname: "localhost", port: 0, onListen() {} };
const plain = Deno.serve(quiet, fetch);
const secure = Deno.serve({ ...quiet, cert, key }, fetch);
const unused = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const closed = unused.addr.port;
unused.close();
const dial = (url, options) => new Promise((resolve) => {
  const socket = new WebSocket(url, options);
  socket.onopen = () => resolve(socket);
  socket.onerror = (event) => event.preventDefault();
  socket.onclose = () => resolve(null);
});
const at = (server, scheme) => `${scheme}://localhost:${server.addr.port}`;
globalThis.sockets = [
  await dial(at(plain, "ws")),
  await dial(at(plain, "ws")),
  await dial(at(secure, "wss")),
  await dial(at(secure, "wss"), { client: Deno.createHttpClient({ http2: false }) }),
  await dial(`${at(plain, "ws")}/none`),
  await dial(`ws://127.0.0.1:${closed}`),
  await dial("ws://name.invalid"),
  await dial(at(plain, "wss")),
];
const open = sockets.filter((socket) => socket !== null).length;
if (open !== 4) throw new Error(`${open} are open`);
const given = new WebSocket(at(plain, "ws"));
given.onerror = (event) => event.preventDefault();
given.onclose = () => console.log("all open");
given.close();
"#;

#[test]
fn what_waits_for_the_kernel_is_counted_until_it_is_gone() {
    let script = r#"
        export default {
          onListen: ({ port }) => console.log("port", port),
          fetch(request, server) {
            if (server.upgrade(request)) return;
          },
          websocket: {
            backpressureLimit: 20_000_000,
            message(ws, what) {
              const data = new Uint8Array(1_000_000);
              let taken = 0, queued = 0;
              while (true) {
                const sent = ws.send(data);
                if (sent === 0) break;
                if (sent > 0) taken++;
                if (sent < 0) queued++;
              }
              console.log("sent", taken, queued);
              if (what === "close") ws.terminate();
            },
          },
        };
    "#;
    let mut server = Server::start("queue.js", script, &[]);
    let binary = r#"duplex_websocket_messages_sent_total{type="binary"}"#;
    let backpressure =
        |outcome: &str| format!("duplex_websocket_backpressure_total{{outcome=\"{outcome}\"}}");
    let (mut taken, mut queued, mut refused) = (0.0, 0.0, 0.0);
    for what in ["leave", "close", "read"] {
        let mut peer = Peer::connect(server.port, "");
        peer.send_text(what).unwrap();
        let counts = server.running.line("sent ").unwrap();
        let (first, second) = counts.split_once(' ').unwrap();
        taken += first.parse::<f64>().unwrap();
        queued += second.parse::<f64>().unwrap();
        refused += 1.0;
        let expected = BTreeMap::from([
            (binary.to_owned(), taken + queued),
            (backpressure("queued"), queued),
            (backpressure("refused"), refused),
        ]);
        wait_for(server.metrics, &expected);
        let waiting =
            |numbers: &BTreeMap<String, f64>| numbers["duplex_websocket_send_queue_bytes"];
        if what != "close" {
            let numbers = scrape(server.metrics);
            // The kernel has taken some bytes since the last message was refused.
            assert!(waiting(&numbers) > 10_000_000.0, "{}", waiting(&numbers));
        }
        if what == "read" {
            for _ in 0..queued as usize + taken as usize {
                if peer.frame().is_err() {
                    break;
                }
                if waiting(&scrape(server.metrics)) == 0.0 {
                    break;
                }
            }
        }
        drop(peer);
        let expected = BTreeMap::from([("duplex_websocket_send_queue_bytes".to_owned(), 0.0)]);
        wait_for(server.metrics, &expected);
    }
}

#[test]
fn a_busy_event_loop_shows() {
    let server = Server::start("busy.js", PROGRAM, &["--allow-read"]);
    let numbers = scrape(server.metrics);
    assert_eq!(numbers["duplex_event_loops"], 1.0);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("end-{}", std::process::id()));
    let _ = fs::remove_file(&file);
    let mut peer = Peer::connect(server.port, "");
    let text = format!("spin {}", file.display());
    peer.send_text(&text).unwrap();
    let blocked = wait_until(server.metrics, |numbers| {
        let blocked = numbers["duplex_event_loop_blocked_seconds"];
        (blocked > 0.05).then_some(blocked)
    });
    assert_eq!(get(server.metrics, "/live").0, 200);
    fs::write(&file, "").unwrap();
    assert_eq!(peer.frame().unwrap().1, text.into_bytes());
    wait_until(server.metrics, |numbers| {
        let lag = numbers["duplex_event_loop_lag_seconds_sum"];
        (lag >= blocked).then_some(())
    });
    fs::remove_file(&file).unwrap();
    // The event loops of --parallel and of web workers are watched too.
    let server = Server::start("parallel.js", PROGRAM, &["--parallel=3"]);
    wait_for(
        server.metrics,
        &BTreeMap::from([("duplex_event_loops".to_owned(), 3.0)]),
    );
}

#[test]
fn a_worker_that_ends_takes_its_sockets_along() {
    let script = r#"
        const text = `
          const { port } = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
            const { socket, response } = Deno.upgradeWebSocket(request);
            socket.onmessage = ({ data }) => socket.send(data);
            return response;
          }).addr;
          postMessage(port);
        `;
        for (let i = 0; i < 3; i++) {
          const worker = new Worker(`data:text/javascript,${encodeURIComponent(text)}`, { type: "module" });
          const port = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
          const socket = new WebSocket(`ws://127.0.0.1:${port}`);
          await new Promise((resolve) => {
            socket.onopen = () => socket.send("hello");
            socket.onmessage = resolve;
          });
          worker.terminate();
          await new Promise((resolve) => socket.onclose = resolve);
        }
        console.log("done");
        setInterval(() => {}, 1e6);
    "#;
    let mut command = support::duplex_run();
    command
        .args(["-A", "--metrics", "0"])
        .arg(write("workers.js", script));
    let mut running = Running::start("the program", &mut command).unwrap();
    let metrics = metrics_port(&mut running);
    running.line("done").unwrap();
    let class = r#"http="1.1",tls="false""#;
    let expected = [
        (
            format!("duplex_websocket_connections{{role=\"server\",{class}}}"),
            0.0,
        ),
        (
            format!("duplex_websocket_connections{{role=\"client\",{class}}}"),
            0.0,
        ),
        (
            format!("duplex_websocket_opened_total{{role=\"server\",{class}}}"),
            3.0,
        ),
        (
            r#"duplex_websocket_closed_total{role="server",code="1006"}"#.to_owned(),
            3.0,
        ),
        (
            r#"duplex_websocket_messages_received_total{type="text"}"#.to_owned(),
            6.0,
        ),
        (
            r#"duplex_websocket_messages_sent_total{type="text"}"#.to_owned(),
            6.0,
        ),
        ("duplex_event_loops".to_owned(), 1.0),
    ];
    wait_for(metrics, &expected.into_iter().collect());
}

#[test]
fn a_server_that_shuts_down_is_not_ready() {
    for (flags, loops) in [(&[][..], 1), (&["--parallel=2"], 2)] {
        let server = Server::start("shutdown.js", PROGRAM, flags);
        assert_eq!(get(server.metrics, "/ready"), (200, "ready\n".to_owned()));
        // There is one socket on each event loop.
        let mut peers = BTreeMap::new();
        while peers.len() < loops {
            let mut peer = Peer::connect(server.port, "");
            peer.send_text("loop").unwrap();
            let (_, name) = peer.frame().unwrap();
            peers.insert(name, peer);
        }
        server.running.signal("TERM").unwrap();
        for peer in peers.values_mut() {
            assert_eq!(peer.close_code(), 1001);
        }
        // The sockets are still open.
        let (status, reason) = get(server.metrics, "/ready");
        assert_eq!((status, &*reason), (503, "the program is shutting down\n"));
        assert_eq!(get(server.metrics, "/live"), (200, "live\n".to_owned()));
        wait_for(
            server.metrics,
            &BTreeMap::from([(CONNECTIONS.to_owned(), loops as f64)]),
        );
        for peer in peers.values_mut() {
            peer.answer_close(1001);
        }
        assert_eq!(server.running.end().unwrap().code(), 0);
    }
}

#[test]
fn a_program_is_ready_when_it_is_there() {
    let script = r#"
        setInterval(() => {}, 1e6);
        const signals = [];
        const signal = () => new Promise((resolve) => signals.push(resolve));
        Deno.addSignalListener("SIGUSR1", () => signals.shift()());
        const first = signal();
        console.log("waits");
        await first;
        (async () => {
          await signal();
          const server = Deno.serve({ port: 0, onListen() {} }, () => new Response());
          const last = signal();
          console.log("listens");
          await last;
          await server.shutdown();
          console.log("ended");
        })();
    "#;
    let mut command = support::duplex_run();
    command
        .args(["-A", "--metrics", "localhost:0"])
        .arg(write("ready.js", script));
    let mut running = Running::start("the program", &mut command).unwrap();
    let metrics = metrics_port(&mut running);
    running.line("waits").unwrap();
    let (status, reason) = get(metrics, "/ready");
    assert_eq!((status, &*reason), (503, "the program is starting\n"));
    running.signal("USR1").unwrap();
    wait_until_ready(metrics);
    running.signal("USR1").unwrap();
    running.line("listens").unwrap();
    assert_eq!(get(metrics, "/ready").0, 200);
    running.signal("USR1").unwrap();
    running.line("ended").unwrap();
    let (status, reason) = get(metrics, "/ready");
    assert_eq!((status, &*reason), (503, "no server listens any more\n"));
}

#[test]
fn a_broker_that_is_away_makes_the_program_unready() {
    let mut version = Command::new("nats-server");
    version.arg("--version");
    if version.stdout(Stdio::null()).status().is_err() {
        println!("skipped: no nats-server");
        return;
    }
    let port = free_port();
    let start = || {
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        let mut broker = Running::start("the broker", &mut command).unwrap();
        broker.line_with("Server is ready").unwrap();
        broker
    };
    let broker = start();
    let url = format!("nats://user:secret@127.0.0.1:{port}");
    let server = Server::start("broker.js", PROGRAM, &["--allow-net", "--broker", &url]);
    wait_until_ready(server.metrics);
    let labels = format!(r#"{{broker="nats://127.0.0.1:{port}",prefix="duplex"}}"#);
    let up = format!("duplex_broker_up{labels}");
    let away = r#"duplex_broker_lost_total{reason="away"}"#.to_owned();
    let unconfirmed = r#"duplex_broker_lost_total{reason="unconfirmed"}"#;
    let numbers = scrape(server.metrics);
    assert_eq!((numbers[&up], numbers[&away]), (1.0, 0.0));
    assert!(numbers[&format!("duplex_broker_lag_seconds{labels}")] > 0.0);

    drop(broker);
    wait_for(server.metrics, &BTreeMap::from([(up.clone(), 0.0)]));
    let (status, reason) = get(server.metrics, "/ready");
    assert_eq!(status, 503);
    let expected = format!("the broker nats://127.0.0.1:{port} is away: ");
    assert!(reason.starts_with(&expected), "{reason}");
    assert!(!get(server.metrics, "/metrics").1.contains("secret"));
    let mut peer = Peer::connect(server.port, "");
    for _ in 0..10 {
        peer.send_text("publish room hello").unwrap();
        peer.frame().unwrap();
    }
    wait_for(server.metrics, &BTreeMap::from([(away.clone(), 10.0)]));
    assert_eq!(scrape(server.metrics)[unconfirmed], 0.0);

    let _broker = start();
    wait_until_ready(server.metrics);
    assert_eq!(scrape(server.metrics)[&up], 1.0);
    assert_eq!(scrape(server.metrics)[&away], 10.0);
}

fn wait_until_ready(metrics: u16) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let (status, reason) = get(metrics, "/ready");
        if status == 200 {
            return;
        }
        assert!(Instant::now() < deadline, "{reason}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_address_that_cannot_be_had_ends_the_program_before_its_start() {
    let script = write("never.js", "console.log('started');");
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, problem) in [
        (&*taken, "error: Unable to serve metrics on "),
        (
            "192.0.2.1:9",
            "error: Unable to serve metrics on 192.0.2.1:9: ",
        ),
        (
            "nonsense",
            "error: invalid value 'nonsense' for '--metrics <HOST:PORT>': expected PORT or HOST:PORT",
        ),
        ("127.0.0.1", "expected PORT or HOST:PORT"),
        ("127.0.0.1:70000", "expected PORT or HOST:PORT"),
    ] {
        for action in ["run", "serve"] {
            let mut command = support::duplex();
            command.args([action, "--metrics", address]).arg(&script);
            let finished = support::finish(&mut command).unwrap();
            assert_eq!(finished.code(), 1, "{}", finished.report());
            assert!(finished.stderr.contains(problem), "{}", finished.report());
            assert_eq!(finished.stdout, "");
        }
    }
}

#[test]
fn the_address_answers_what_it_knows_and_nobody_can_fill_it() {
    let server = Server::start("address.js", PROGRAM, &[]);
    let metrics = server.metrics;
    assert_eq!(get(metrics, "/").0, 404);
    assert_eq!(get(metrics, "/metrics/").0, 404);
    assert_eq!(get(metrics, "/metrics?name=x").0, 200);
    let post = exchange(
        metrics,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    assert!(post.contains("allow: GET, HEAD\r\n"), "{post}");
    let head = exchange(metrics, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    let long = format!(
        "GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let answer = exchange(metrics, long.as_bytes());
    assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let many = "X: y\r\n".repeat(100);
    let answer = exchange(
        metrics,
        format!("GET /metrics HTTP/1.1\r\n{many}\r\n").as_bytes(),
    );
    assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // More clients than can be served at a time send nothing, or read nothing. The program goes on.
    let mut silent: Vec<_> = (0..20).map(|_| tcp(metrics)).collect();
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(b"GET /metrics HT").unwrap();
    }
    let mut peer = Peer::connect(server.port, "");
    for number in 0..100 {
        peer.echo(number);
    }
    // These clients are dropped, so later clients have their turn.
    assert_eq!(get(metrics, "/live").0, 200);
    drop(silent);
    assert_eq!(get(metrics, "/ready").0, 200);
}

#[test]
fn each_connection_has_its_lines_in_the_log() {
    let script = r#"
        const server = Deno.serve({
          port: 0,
          hostname: "127.0.0.1",
          onListen: ({ port }) => console.log("port", port),
        }, (request) => {
          if (request.headers.get("upgrade") !== "websocket") return new Response();
          if (request.url.endsWith("/forbidden")) return new Response("", { status: 403 });
          const { socket, response } = Deno.upgradeWebSocket(request);
          socket.onmessage = () => {
            const client = new WebSocket(`ws://user:secret@127.0.0.1:${server.addr.port}/client?token=secret`, "chat");
            client.onclose = () => {};
            client.onerror = (event) => event.preventDefault();
          };
          return response;
        });
    "#;
    let mut command = support::duplex_run();
    command
        .args(["-A", "--log-level", "debug"])
        .arg(write("log.js", script));
    let mut running = Running::start("the program", &mut command).unwrap();
    let port = running.line("port ").unwrap().parse().unwrap();
    let mut peer = Peer::connect(port, "permessage-deflate; server_no_context_takeover");
    let address = peer.0.local_addr().unwrap();
    let line = running.after(" opened: server, peer ").unwrap();
    assert_eq!(
        line,
        format!(r#"{address}, path "/", protocol "", extensions """#)
    );
    peer.send_text("dial").unwrap();
    let line = running.after("WebSocket failed: client, url ").unwrap();
    let start = format!(r#""ws://127.0.0.1:{port}/client", error ""#);
    assert!(line.starts_with(&start), "{line}");
    // A reason that would fake a line of the log and clear the terminal.
    let mut reason = 4000_u16.to_be_bytes().to_vec();
    reason.extend_from_slice("bye\r\ndebug \u{1b}[2J\u{202e}é".as_bytes());
    let mut frame = Vec::new();
    push(&mut frame, Opcode::Close, false, &reason);
    peer.write(&frame);
    let closed = format!(" closed: server, peer {address}, ");
    let line = running.after(&closed).unwrap();
    let start = r#"code 4000, reason "bye\r\ndebug \u{1b}[2J\u{202e}é", clean, after "#.to_string();
    assert!(line.starts_with(&start), "{line}");
    assert!(line.ends_with(" bytes written"), "{line}");
    assert!(handshake(port, "/forbidden", 13).starts_with("HTTP/1.1 403 "));
    let line = running.after("WebSocket refused: server, peer ").unwrap();
    assert!(
        line.ends_with(r#", path "/forbidden", status 403"#),
        "{line}"
    );
    let quiet = running.lines_with("secret");
    assert!(quiet.is_empty(), "{quiet:?}");
}

#[test]
fn pings_are_timed_and_refused_connections_are_counted() {
    let script = r#"
        export default {
          onListen: ({ port }) => console.log("port", port),
          fetch: (request, info) => { info.upgrade(request); },
          websocket: { idleTimeout: 1 },
        };"#;
    let server = Server::start("pings.js", script, &["--max-connections=1"]);
    let mut peer = Peer::connect(server.port, "");
    let mut answered = 0;
    while answered < 2 {
        let (opcode, payload) = peer.frame().unwrap();
        assert_eq!((opcode, payload.len()), (Opcode::Ping, 0));
        // The second connection does not answer.
        for _ in 0..2 {
            let mut frame = Vec::new();
            push(&mut frame, Opcode::Pong, false, &payload);
            peer.write(&frame);
        }
        answered += 1;
    }
    let count = "duplex_websocket_ping_rtt_seconds_count";
    let sum = "duplex_websocket_ping_rtt_seconds_sum";
    let (count, sum) = wait_until(server.metrics, |numbers| {
        let is_there = numbers[count] >= 2.0;
        is_there.then(|| (numbers[count], numbers[sum]))
    });
    assert!((2.0..=3.0).contains(&count), "{count}");
    assert!(sum > 0.0, "{sum}");
    for _ in 0..3 {
        let mut refused = tcp(server.port);
        assert_eq!(refused.read(&mut [0]).unwrap_or(0), 0);
    }
    let refused = "duplex_http_connections_refused_total".to_owned();
    server.wait_for(&BTreeMap::from([(refused, 3.0)]));
}

#[test]
fn every_name_that_is_written_down_is_there() {
    let server = Server::start("names.js", PROGRAM, &[]);
    let text = get(server.metrics, "/metrics").1;
    let families: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let operating = support::repository().join("docs/manual/operating");
    let page = fs::read_to_string(operating.join("metrics.md")).unwrap();
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .filter(|name| name.starts_with("duplex_") || name.starts_with("process_"))
        .collect();
    assert_eq!(documented, families, "the table of metrics.md");
    let dashboard = fs::read_to_string(operating.join("dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut queries = Vec::new();
    collect_queries(&dashboard, &mut queries);
    assert!(queries.len() > 10, "{queries:?}");
    for query in queries {
        let names = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: Vec<_> = names
            .filter(|name| name.starts_with("duplex_") || name.starts_with("process_"))
            .collect();
        assert!(!names.is_empty(), "{query}");
        for name in names {
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            assert!(families.contains(family), "{name} of {query} is not there");
        }
    }
}

/// Collects the queries of a dashboard to Prometheus.
fn collect_queries(value: &serde_json::Value, queries: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if name == "expr" => queries.push(text.to_owned()),
                    _ => collect_queries(member, queries),
                }
            }
        }
        serde_json::Value::Array(elements) => {
            for element in elements {
                collect_queries(element, queries);
            }
        }
        _ => {}
    }
}

struct Server {
    running: Running,
    port: u16,
    /// The port of the metrics.
    metrics: u16,
}

impl Server {
    fn start(name: &str, script: &str, flags: &[&str]) -> Self {
        let mut command = support::duplex();
        command
            .args(["serve", "--host", "127.0.0.1", "--port", "0"])
            .args(["--metrics", "127.0.0.1:0"])
            .args(flags)
            .arg(write(name, script));
        let mut running = Running::start("the server", &mut command).unwrap();
        let metrics = metrics_port(&mut running);
        let port = running.line("port ").unwrap().parse().unwrap();
        Self {
            running,
            port,
            metrics,
        }
    }

    /// The body of an answer of the program.
    fn get(&self, path: &str) -> String {
        get(self.port, path).1
    }

    fn wait_for(&self, expected: &BTreeMap<String, f64>) {
        wait_for(self.metrics, expected);
    }
}

fn metrics_port(running: &mut Running) -> u16 {
    let address = running.line("Metrics on http://127.0.0.1:").unwrap();
    address.strip_suffix("/metrics").unwrap().parse().unwrap()
}

/// Waits until the metrics have these values.
#[track_caller]
fn wait_for(metrics: u16, expected: &BTreeMap<String, f64>) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let numbers = scrape(metrics);
        let wrong: Vec<_> = expected
            .iter()
            .map(|(name, count)| (name, *count, numbers.get(name).copied()))
            .filter(|(_, count, number)| Some(*count) != *number)
            .collect();
        if wrong.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "expected and seen: {wrong:#?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until `look` returns a value for the metrics.
#[track_caller]
fn wait_until<T>(metrics: u16, look: impl Fn(&BTreeMap<String, f64>) -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        let numbers = scrape(metrics);
        if let Some(seen) = look(&numbers) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{numbers:#?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// All samples, by their names and labels.
#[track_caller]
fn scrape(metrics: u16) -> BTreeMap<String, f64> {
    let (status, text) = get(metrics, "/metrics");
    assert_eq!(status, 200);
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let twice = samples.insert(name.to_owned(), value.parse().unwrap());
        assert!(twice.is_none(), "{name} is there twice");
    }
    samples
}

/// The status and the body of an answer.
#[track_caller]
fn get(port: u16, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = exchange(port, request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// The whole answer to a request.
#[track_caller]
fn exchange(port: u16, request: &[u8]) -> String {
    let mut stream = tcp(port);
    // A server that refuses the request need not read all of it.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// The answer to an opening handshake with this version.
#[track_caller]
fn handshake(port: u16, path: &str, version: u8) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: {version}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut stream = tcp(port);
    stream.write_all(request.as_bytes()).unwrap();
    head(&mut stream)
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A port below the range that Linux assigns, so that no other process gets it while the broker is
/// away.
fn free_port() -> u16 {
    let first = std::process::id() as u16;
    (0..)
        .map(|offset: u16| 10_000 + first.wrapping_add(offset) % 10_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

fn write(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}
