//! Topics through a broker: several processes on one NATS, and on one Redis.
//!
//! The tests use `nats-server` and `redis-server` from the PATH. If one is missing, its tests print
//! `skipped`. `DUPLEX_SOAK` is the duration of the traffic of `nothing_is_lost` in seconds. From 60
//! on there are 1000 sockets, and otherwise 300.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/brokers.rs"]
mod broker;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/peer.rs"]
mod peer;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use broker::{Broker, Kind, brokers};
use certificates::Authority;
use duplex_protocol::frame::Opcode;
use peer::Peer;
use support::{LIMIT, Running};

const CHAT: &str = r#"
let server;
export default {
  onListen: ({ port }) => console.log("port", port),
  topics: {
    prefix: "app",
    down: (reason) => console.log("down", reason),
    up: () => console.log("up"),
    gap: (since) => console.log("gap", since instanceof Date),
  },
  async fetch(request, info) {
    server = info;
    if (info.upgrade(request)) return;
    switch (new URL(request.url).pathname) {
      case "/flush":
        try {
          await info.flush();
          return new Response("flushed");
        } catch (error) {
          return new Response(`${error}`);
        }
      default:
        return new Response(JSON.stringify(info.broker));
    }
  },
  websocket: {
    open(ws) {
      ws.subscribe("room");
      ws.send("open");
    },
    message(ws, data) {
      const [what, ...rest] = data.split(" ");
      const text = rest.join(" ");
      switch (what) {
        case "publish": ws.publish("room", text); break;
        case "all": server.publish("room", text); break;
        case "local": server.publish("room", text, { local: true }); break;
        case "binary": ws.publish("room", new TextEncoder().encode(text)); break;
        case "to": ws.publish(rest[0], rest[1]); break;
        case "subscribe": ws.subscribe(text); ws.send(`subscribed ${text}`); break;
        case "unsubscribe": ws.unsubscribe(text); ws.send(`unsubscribed ${text}`); break;
        case "count": ws.send(`${server.subscriberCount("room")}`); break;
      }
    },
    close: (_ws, code) => console.log("close", code),
  },
};
"#;

#[test]
fn what_one_process_publishes_reaches_the_others() {
    for broker in brokers() {
        let [a, b] =
            [&["--parallel=2"][..], &[]].map(|flags| broker.serve("cross.js", CHAT, flags));
        let mut sockets = vec![a.connect(), a.connect(), b.connect(), b.connect()];
        let mut sender = b.connect();
        for number in 0..200 {
            sender.send_text(&format!("publish {number}")).unwrap();
        }
        sender.send_text("binary bytes").unwrap();
        for socket in &mut sockets {
            for number in 0..200 {
                assert_eq!(text(socket), number.to_string());
            }
            let (opcode, payload) = socket.frame().unwrap();
            assert_eq!((opcode, payload), (Opcode::Binary, b"bytes".to_vec()));
        }
        // A message of the server itself comes once to each socket of both processes.
        sender.send_text("all hello").unwrap();
        assert_eq!(text(&mut sender), "hello");
        for socket in &mut sockets {
            assert_eq!(text(socket), "hello");
        }
        // A local message stays in its process, and the count is of the process.
        sender.send_text("local here").unwrap();
        sender.send_text("all everywhere").unwrap();
        for socket in &mut sockets[..2] {
            assert_eq!(text(socket), "everywhere");
        }
        for socket in &mut sockets[2..] {
            assert_eq!(text(socket), "here");
            assert_eq!(text(socket), "everywhere");
        }
        assert_eq!(text(&mut sender), "here");
        assert_eq!(text(&mut sender), "everywhere");
        sender.send_text("count").unwrap();
        assert_eq!(text(&mut sender), "3");
    }
}

#[test]
fn other_programs_publish_too() {
    for broker in brokers() {
        let server = broker.serve("other.js", CHAT, &[]);
        let mut socket = server.connect();
        server.flush();
        let mut stream = TcpStream::connect(("127.0.0.1", broker.port)).unwrap();
        // The commands are those of `nats pub app.room hello` and `redis-cli publish app:room
        // hello`.
        let command: &[u8] = match broker.kind {
            Kind::Nats => b"CONNECT {\"verbose\":false}\r\nPUB app.room 5\r\nhello\r\n",
            Kind::Redis => b"*3\r\n$7\r\npublish\r\n$8\r\napp:room\r\n$5\r\nhello\r\n",
        };
        stream.write_all(command).unwrap();
        assert_eq!(text(&mut socket), "hello");
    }
}

#[test]
fn a_broker_that_goes_and_comes_back() {
    for mut broker in brokers() {
        let mut a = broker.serve("away.js", CHAT, &[]);
        let mut b = broker.serve("away.js", CHAT, &[]);
        let (mut here, mut beside, mut there) = (a.connect(), a.connect(), b.connect());
        a.flush();
        b.flush();
        broker.kill();
        for server in [&mut a, &mut b] {
            server.running.line("down ").unwrap();
        }
        assert!(a.get("/").contains(r#""state":"down""#), "{}", a.get("/"));
        assert!(a.get("/flush").starts_with("Error: The broker is away"));
        // No socket closes, the process goes on without the broker, and each message is counted.
        for number in 0..100 {
            here.send_text(&format!("publish {number}")).unwrap();
        }
        for number in 0..100 {
            assert_eq!(text(&mut beside), number.to_string());
        }
        assert!(a.get("/").contains(r#""lost":100,"#), "{}", a.get("/"));

        broker.start();
        for server in [&mut a, &mut b] {
            server.running.line("up").unwrap();
            server.running.line("gap true").unwrap();
        }
        here.send_text("publish again").unwrap();
        assert_eq!(text(&mut beside), "again");
        assert_eq!(text(&mut there), "again");
        a.flush();
        let status = a.get("/");
        assert!(status.contains(r#""state":"up""#), "{status}");
        assert!(status.contains(r#""lost":100,"#), "{status}");
        assert!(status.contains(r#""error":null"#), "{status}");
    }
}

#[test]
fn a_socket_may_be_subscribed_to_thousands_of_topics() {
    const TOPICS: usize = 10_000;
    for broker in brokers() {
        let [a, b] = [(), ()].map(|()| broker.serve("topics.js", CHAT, &[]));
        let (mut subscriber, mut publisher) = (a.connect(), b.connect());
        for number in 0..TOPICS {
            subscriber
                .send_text(&format!("subscribe t{number}"))
                .unwrap();
        }
        for number in 0..TOPICS {
            assert_eq!(text(&mut subscriber), format!("subscribed t{number}"));
        }
        a.flush();
        for number in 0..TOPICS {
            publisher
                .send_text(&format!("to t{number} {number}"))
                .unwrap();
        }
        // Messages of different topics have no order.
        let mut came: Vec<usize> = (0..TOPICS)
            .map(|_| text(&mut subscriber).parse().unwrap())
            .collect();
        came.sort_unstable();
        assert!(came.into_iter().eq(0..TOPICS), "{:?}", broker.kind);
    }
}

#[test]
fn a_slow_subscriber_is_closed_and_holds_up_nobody() {
    // These are more bytes than a socket may buffer, in messages of the greatest length that
    // brokers accept by default.
    const MESSAGES: usize = 50;
    let limits = "websocket: { closeOnBackpressureLimit: true, backpressureLimit: 1 << 24,";
    let script = CHAT.replace("websocket: {", limits);
    let filler = "x".repeat(1_000_000);
    for broker in brokers() {
        let [a, mut b] = [(), ()].map(|()| broker.serve("slow.js", &script, &[]));
        let (mut fast, mut slow) = (b.connect(), b.connect());
        for subscriber in [&mut fast, &mut slow] {
            subscriber.send_text("subscribe long").unwrap();
            assert_eq!(text(subscriber), "subscribed long");
        }
        b.flush();
        let mut publisher = a.connect();
        for number in 0..MESSAGES {
            publisher
                .send_text(&format!("to long {number}:{filler}"))
                .unwrap();
            let message = text(&mut fast);
            assert!(
                message.starts_with(&format!("{number}:")),
                "{:?}",
                broker.kind
            );
            assert!(message.ends_with(&filler));
        }
        b.running.line("close 1006").unwrap();
        assert!(a.get("/").contains(r#""lost":0,"#), "{}", a.get("/"));
    }
}

#[test]
fn a_broker_that_is_not_there_at_the_start() {
    for mut broker in brokers() {
        broker.kill();
        let mut server = broker.serve("late.js", CHAT, &[]);
        server.running.line_with("down ").unwrap();
        let mut socket = server.connect();
        broker.start();
        server.running.line("up").unwrap();
        let other = broker.serve("late.js", CHAT, &[]);
        other.flush();
        other.connect().send_text("publish hello").unwrap();
        assert_eq!(text(&mut socket), "hello");
    }
}

#[test]
fn tls_by_the_authorities_of_the_program() {
    let authority = Authority::new();
    let identity = authority.server(&["localhost"]);
    let ca = write("ca.pem", &authority.certificate);
    let cert = write("cert.pem", &identity.certificate);
    let key = write("key.pem", &identity.key);
    for mut broker in brokers() {
        broker.kill();
        broker.tls = Some((cert.clone(), key.clone()));
        broker.start();
        let ca_flags = ["--cert", ca.to_str().unwrap()];
        let a = broker.serve("tls.js", CHAT, &ca_flags);
        let b = broker.serve("tls.js", CHAT, &ca_flags);
        let mut socket = a.connect();
        a.flush();
        b.flush();
        b.connect().send_text("publish in secret").unwrap();
        assert_eq!(text(&mut socket), "in secret");
        // A process without the flag does not trust that certificate.
        let mut stranger = broker.serve("tls.js", CHAT, &[]);
        stranger.running.line_with("UnknownIssuer").unwrap();
    }
}

#[test]
fn a_url_and_a_permission_are_needed() {
    let fails = |flags: &[&str], broker: &str, script: &str, problem: &str| {
        let mut command = support::duplex();
        command
            .args(["serve", "--host", "127.0.0.1", "--port", "0"])
            .args(flags)
            .env("DUPLEX_BROKER", broker)
            .arg(write("refused.js", script));
        let finished = support::finish(&mut command).unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
        let is_named = finished.stderr.contains(problem);
        assert!(is_named, "expected {problem}, got {}", finished.report());
    };
    let flag = ["--broker", "nats://127.0.0.1:1"];
    fails(
        &flag,
        "",
        CHAT,
        "NotCapable: Requires net access to \"127.0.0.1:1\"",
    );
    let other = ["--broker", "nats://127.0.0.1:1", "--allow-net=127.0.0.1:2"];
    fails(&other, "", CHAT, "NotCapable");
    fails(&[], "redis://127.0.0.1:3", CHAT, "\"127.0.0.1:3\"");
    // The command line takes precedence over the environment, and the environment over the module.
    fails(&flag, "redis://127.0.0.1:3", CHAT, "\"127.0.0.1:1\"");
    let named = CHAT.replace("prefix: \"app\",", "broker: \"redis://127.0.0.1:4\",");
    fails(&[], "redis://127.0.0.1:3", &named, "\"127.0.0.1:3\"");
    fails(&[], "", &named, "\"127.0.0.1:4\"");
    let flag = ["-N", "--broker", "http://127.0.0.1"];
    fails(
        &flag,
        "",
        CHAT,
        "TypeError: Invalid topics.broker: http: is not a scheme of a broker",
    );
    for (option, problem) in [
        ("topics: 1", "Invalid type for topics: must be an object"),
        (
            "topics: { name: '' }",
            "Invalid topics.name: must be a string",
        ),
        (
            "topics: { broker: 1 }",
            "Invalid topics.broker: must be a string",
        ),
        (
            "topics: { prefix: '' }",
            "Invalid topics.prefix: must be a string",
        ),
        (
            "topics: { down: 1 }",
            "Invalid topics.down: must be a function",
        ),
    ] {
        let script = format!("export default {{ fetch() {{}}, {option} }};");
        fails(&[], "", &script, problem);
    }
    // The error names misspelt members, also if the module does not name the broker.
    let misspelt = CHAT.replace("prefix: \"app\",", "hisotry: {},");
    for (flags, broker) in [
        (&[][..], ""),
        (&[], "redis://127.0.0.1:3"),
        (&["--broker", "nats://127.0.0.1:1"], ""),
    ] {
        let problem =
            "TypeError: Invalid topics: there is no option `hisotry`, did you mean `history`?";
        fails(flags, broker, &misspelt, problem);
    }
}

#[test]
fn a_name_that_stands_for_a_denied_address_is_not_dialled() {
    for broker in brokers() {
        let url = broker.url().replace("127.0.0.1", "localhost");
        let denied = format!("--deny-net=127.0.0.1:{0},[::1]:{0}", broker.port);
        let mut command = support::duplex();
        command
            .args(["serve", "--allow-net", &denied, "--broker", &url])
            .args(["--host", "127.0.0.1", "--port", "0"])
            .arg(write("denied.js", CHAT));
        let mut running = Running::start("the server", &mut command).unwrap();
        let reason = running.line("down ").unwrap();
        assert!(reason.contains("net access"), "{reason}");
    }
}

/// Three processes with sockets on all of them, and topics that come and go. Every subscriber of a
/// topic gets all its messages, once and in order.
#[test]
fn nothing_is_lost() {
    let seconds = std::env::var("DUPLEX_SOAK").unwrap_or_else(|_| "3".to_string());
    let is_long = seconds.parse::<u64>().unwrap() >= 60;
    let sockets = if is_long { "1000" } else { "300" };
    for broker in brokers() {
        let servers = [0, 1, 2].map(|_| broker.serve("soak.js", CHAT, &[]));
        for server in &servers {
            server.flush();
        }
        let mut command = support::duplex_run();
        command
            .arg("--allow-net")
            .arg(write("traffic.js", TRAFFIC))
            .arg(&seconds)
            .arg(sockets)
            .args(servers.each_ref().map(|server| server.port.to_string()));
        let mut running = Running::start("the traffic", &mut command).unwrap();
        let deadline = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
        thread::sleep(deadline.saturating_duration_since(Instant::now()));
        let report = running.line("all came: ").unwrap();
        println!("{:?}: {report}", broker.kind);
        for server in &servers {
            assert!(
                server.get("/").contains(r#""lost":0,"#),
                "{}",
                server.get("/")
            );
        }
    }
}

const TRAFFIC: &str = r#"
const [seconds, sockets, ...ports] = Deno.args;
const TOPICS = 100, SOCKETS = Number(sockets);
let received = 0;

const open = (port) => new Promise((resolve, reject) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.onerror = () => reject(new Error("a socket failed"));
  socket.onclose = () => { if (!over) throw new Error("a socket closed"); };
  socket.onmessage = () => resolve(socket);
});
let over = false;

// What each topic has reached.
const numbers = new Array(TOPICS).fill(0);
class Subscriber {
  // By topic: the last number, or null before the first.
  last = new Map();
  waiting = new Map();
  constructor(socket) {
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      const [word, rest] = data.split(" ");
      if (word === "subscribed") this.last.set(rest, null);
      if (word === "subscribed" || word === "unsubscribed") {
        if (word === "unsubscribed") this.last.delete(rest);
        this.waiting.get(rest)?.();
        return;
      }
      const [topic, text] = data.split(":");
      const number = Number(text);
      const last = this.last.get(topic);
      if (last === undefined) throw new Error(`${topic} came and was not subscribed to`);
      if (last !== null && number !== last + 1) {
        throw new Error(`${topic}: ${number} came after ${last}`);
      }
      this.last.set(topic, number);
      received += 1;
    };
  }
  ask(what, topic) {
    return new Promise((resolve) => {
      this.waiting.set(topic, resolve);
      this.socket.send(`${what} ${topic}`);
    });
  }
}

const publishers = [];
for (let i = 0; i < TOPICS; i++) publishers.push(await open(ports[i % ports.length]));
for (const publisher of publishers) publisher.onmessage = null;
const subscribers = [];
for (let i = 0; i < SOCKETS; i++) {
  const subscriber = new Subscriber(await open(ports[i % ports.length]));
  await subscriber.ask("unsubscribe", "room");
  for (let k = 0; k < 5; k++) await subscriber.ask("subscribe", `t${(i * 7 + k * 13) % TOPICS}`);
  subscribers.push(subscriber);
}
const publish = (topic) =>
  publishers[topic].send(`to t${topic} t${topic}:${numbers[topic]++}`);
const end = performance.now() + Number(seconds) * 1000;
let turn = 0;
while (performance.now() < end) {
  for (let topic = 0; topic < TOPICS; topic++) publish(topic);
  // One leaves a topic and comes back, or takes another.
  const subscriber = subscribers[turn++ % SOCKETS];
  const [topic] = subscriber.last.keys();
  await subscriber.ask("unsubscribe", topic);
  await subscriber.ask("subscribe", turn % 2 ? topic : `t${turn % TOPICS}`);
}
// The last of each comes to all who are subscribed now.
await new Promise((resolve) => setTimeout(resolve, 100));
for (let topic = 0; topic < TOPICS; topic++) publish(topic);
const isDone = () => subscribers.every(({ last }) =>
  [...last].every(([topic, number]) => number === numbers[Number(topic.slice(1))] - 1));
while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 10));
over = true;
console.log(`all came: ${received} messages in ${seconds} s`);
Deno.exit();
"#;

/// Starts servers with a broker.
trait Serve {
    fn serve(&self, name: &str, script: &str, flags: &[&str]) -> Server;
}

impl Serve for Broker {
    fn serve(&self, name: &str, script: &str, flags: &[&str]) -> Server {
        let mut command = support::duplex();
        command
            .args(["serve", "--allow-net", "--host", "127.0.0.1", "--port", "0"])
            .args(["--broker", &self.url()])
            .args(flags)
            .arg(write(name, script));
        let mut running = Running::start("the server", &mut command).unwrap();
        let port = running.line("port ").unwrap().parse().unwrap();
        Server { running, port }
    }
}

struct Server {
    running: Running,
    port: u16,
}

impl Server {
    fn connect(&self) -> Peer {
        let mut peer = Peer::connect(self.port, "");
        assert_eq!(text(&mut peer), "open");
        self.flush();
        peer
    }

    /// Waits until the broker knows all subscriptions, if it runs.
    fn flush(&self) {
        self.get("/flush");
    }

    /// The body of an answer.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        match answer.split_once("\r\n\r\n") {
            Some((_, body)) => body.to_string(),
            None => panic!("{answer}"),
        }
    }
}

#[track_caller]
fn text(peer: &mut Peer) -> String {
    let (opcode, payload) = peer.frame().unwrap();
    assert_eq!(opcode, Opcode::Text);
    String::from_utf8(payload).unwrap()
}

fn write(name: &str, script: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("brokers");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    // The event loops of an earlier server may not have read the file yet.
    if fs::read_to_string(&file).ok().as_deref() != Some(script) {
        fs::write(&file, script).unwrap();
    }
    file
}
