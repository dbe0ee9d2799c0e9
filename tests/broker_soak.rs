//! Three processes with a broker under load. The broker is killed, or the network of one process is
//! cut. No socket closes, the sockets of a process still reach each other, and everything works
//! again when the broker is back.
//!
//! The tests use `nats-server` and `redis-server` from the PATH. If one is missing, its tests print
//! `skipped`. `DUPLEX_SOAK` is the duration of the traffic in seconds. From 60 on there are 1000
//! sockets and the broker is away for 10 s, and otherwise there are 150 and it is away for 1 s.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/brokers.rs"]
mod broker;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use broker::{Broker, brokers};
use support::{LIMIT, Running};

const SERVER: &str = r#"
let server;
export default {
  onListen: ({ port }) => console.log("port", port),
  topics: {
    prefix: "app",
    down: (reason) => console.log("down", reason),
    up: () => console.log("up"),
  },
  async fetch(request, info) {
    server = info;
    if (info.upgrade(request)) return;
    if (new URL(request.url).pathname === "/flush") await info.flush();
    return new Response(`${info.broker.state} ${info.broker.lost}`);
  },
  websocket: {
    message(ws, data) {
      const [what, topic, text] = data.split(" ");
      if (what === "subscribe") {
        ws.subscribe(topic);
        ws.send("subscribed");
      } else {
        server.publish(topic, text);
      }
    },
  },
};
"#;

#[test]
fn a_broker_that_is_killed_under_load() {
    let (seconds, away) = if is_long() { (20, 10) } else { (1, 1) };
    for mut broker in brokers() {
        let host = "127.0.0.1";
        let mut servers = [(); 3].map(|()| Server::start(&broker.url(), host, None));
        let mut traffic = Traffic::start(&servers);
        thread::sleep(Duration::from_secs(seconds));
        let before = servers
            .each_ref()
            .map(|it| it.running.peak_memory().unwrap());
        broker.kill();
        for server in &mut servers {
            server.running.line("down ").unwrap();
        }
        thread::sleep(Duration::from_secs(away));
        let during = servers
            .each_ref()
            .map(|it| it.running.peak_memory().unwrap());
        broker.start();
        let start = Instant::now();
        for server in &mut servers {
            server.running.line("up").unwrap();
        }
        println!(
            "{:?}: all subscriptions were back after {:?}",
            broker.kind,
            start.elapsed()
        );
        thread::sleep(Duration::from_secs(seconds));
        let (lost, _) = traffic.end(&broker, &servers);
        // The other processes have missed the messages that were not confirmed, with two
        // exceptions: the broker may have delivered some of these, and some confirmed messages came
        // while another process was not connected again.
        assert!(lost.into_iter().all(|it| it > 0), "{lost:?}");
        for (before, during) in before.into_iter().zip(during) {
            println!(
                "  memory: {} MiB, {} MiB with the broker away",
                before >> 20,
                during >> 20
            );
            assert!(during < before + (64 << 20));
        }
    }
}

#[test]
fn a_network_that_is_cut() {
    let Some(network) = Network::new() else {
        println!("skipped: no network namespaces can be made here");
        return;
    };
    let (seconds, away) = if is_long() { (20, 10) } else { (1, 1) };
    for mut broker in brokers() {
        broker.kill();
        broker.host = network.broker_host();
        broker.start();
        let mut servers = [
            Server::start(&broker.url(), "127.0.0.1", None),
            Server::start(&broker.url(), "127.0.0.1", None),
            Server::start(&broker.url(), &network.server_host(), Some(&network.name)),
        ];
        let mut traffic = Traffic::start(&servers);
        thread::sleep(Duration::from_secs(seconds));
        network.set("down");
        let start = Instant::now();
        servers[2].running.line("down ").unwrap();
        println!(
            "{:?}: the cut was found after {:?}",
            broker.kind,
            start.elapsed()
        );
        thread::sleep(Duration::from_secs(away));
        network.set("up");
        let start = Instant::now();
        servers[2].running.line("up").unwrap();
        println!(
            "{:?}: its subscriptions were back after {:?}",
            broker.kind,
            start.elapsed()
        );
        thread::sleep(Duration::from_secs(seconds));
        let (lost, missed) = traffic.end(&broker, &servers);
        // The processes whose network was not cut have lost nothing between them.
        assert_eq!((lost[0], lost[1]), (0, 0));
        assert_eq!((missed[0][1], missed[1][0]), (0, 0));
        assert!(lost[2] > 0);
        for server in &mut servers[..2] {
            let downs = server.running.lines_with("down ");
            assert!(downs.is_empty(), "{downs:?}");
        }
    }
}

/// The clients of all servers.
struct Traffic {
    running: Running,
    /// A file that exists when the traffic should end.
    stop: PathBuf,
}

impl Traffic {
    fn start(servers: &[Server; 3]) -> Self {
        for server in servers {
            server.get("/flush");
        }
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let [go, stop] = ["go", "stop"].map(|name| {
            let file = write(&format!("{name}-{number}"), "");
            fs::remove_file(&file).unwrap();
            file
        });
        let sockets = if is_long() { "1000" } else { "150" };
        let mut command = support::duplex_run();
        command
            .args(["--allow-net", "--allow-read"])
            .arg(write("traffic.js", TRAFFIC))
            .args([&go, &stop])
            .arg(sockets)
            .args(servers.iter().map(|it| format!("{}:{}", it.host, it.port)));
        let mut running = Running::start("the traffic", &mut command).unwrap();
        running.line("all are subscribed").unwrap();
        for server in servers {
            server.get("/flush");
        }
        fs::write(&go, "").unwrap();
        running.line("it runs").unwrap();
        Self { running, stop }
    }

    /// Ends the traffic when the last messages have come. Returns how many messages each process
    /// has counted as lost, and how many of them each other process has missed.
    fn end(&mut self, broker: &Broker, servers: &[Server; 3]) -> ([u64; 3], [[u64; 3]; 3]) {
        fs::write(&self.stop, "").unwrap();
        println!(
            "{:?}: {}",
            broker.kind,
            self.running.line("all came: ").unwrap()
        );
        let report = self.running.line("missed: ").unwrap();
        let mut missed = [[0; 3]; 3];
        for (words, (from, to)) in report.split(' ').zip(PAIRS) {
            missed[from][to] = words.parse().unwrap();
        }
        let lost = servers.each_ref().map(|server| {
            let status = server.get("/flush");
            status.strip_prefix("up ").unwrap().parse().unwrap()
        });
        for (from, to) in PAIRS {
            let (lost, missed) = (lost[from], missed[from][to]);
            println!(
                "  {from} has counted {lost} as lost, of its messages {to} has missed {missed}"
            );
        }
        (lost, missed)
    }
}

/// The publishing process and the receiving process.
const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];

const TRAFFIC: &str = r#"
const [go, stop, count, ...addresses] = Deno.args;
const SOCKETS = Number(count), TOPICS = 100;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let over = false, received = 0;

const open = (address) => new Promise((resolve, reject) => {
  const socket = new WebSocket(`ws://${address}/`);
  socket.onopen = () => resolve(socket);
  socket.onerror = () => reject(new Error("a socket failed"));
  socket.onclose = ({ code }) => {
    if (!over) throw new Error(`a socket closed: ${code}`);
  };
});
function exists(file) {
  try {
    Deno.statSync(file);
    return true;
  } catch {
    return false;
  }
}

// The process of a topic's publisher; what was published of each.
const home = (topic) => topic % addresses.length;
const numbers = new Array(TOPICS).fill(0);
// What the sockets of a process have missed of a topic: the same for each.
const missed = addresses.map(() => new Array(TOPICS).fill(undefined));

class Subscriber {
  last = new Map();
  lost = new Map();
  constructor(process, socket) {
    this.process = process;
    this.socket = socket;
  }
  async subscribe(topic) {
    this.last.set(topic, -1);
    this.lost.set(topic, 0);
    await new Promise((resolve) => {
      this.socket.onmessage = resolve;
      this.socket.send(`subscribe t${topic}`);
    });
    this.socket.onmessage = ({ data }) => this.receive(data);
  }
  receive(data) {
    const [name, text] = data.split(":");
    const topic = Number(name), number = Number(text), last = this.last.get(topic);
    if (!(number > last)) throw new Error(`t${topic}: ${number} came after ${last}`);
    const lost = number - last - 1;
    if (lost > 0 && home(topic) === this.process) {
      throw new Error(`t${topic}: ${number} came after ${last}, in its own process`);
    }
    this.lost.set(topic, this.lost.get(topic) + lost);
    this.last.set(topic, number);
    received += 1;
  }
}

const publishers = [];
for (let i = 0; i < TOPICS; i++) publishers.push(await open(addresses[home(i)]));
const subscribers = [];
for (let i = 0; i < SOCKETS; i++) {
  const process = i % addresses.length;
  const subscriber = new Subscriber(process, await open(addresses[process]));
  for (let k = 0; k < 3; k++) await subscriber.subscribe((i * 7 + k * 13) % TOPICS);
  subscribers.push(subscriber);
}
console.log("all are subscribed");
while (!exists(go)) await pause(20);

const publish = (topic) => publishers[topic].send(`publish t${topic} ${topic}:${numbers[topic]++}`);
const round = () => {
  for (let topic = 0; topic < TOPICS; topic++) publish(topic);
};
round();
console.log("it runs");
while (!exists(stop)) {
  round();
  await pause(20);
}
// The last of each comes to all.
const isDone = () => subscribers.every(({ last }) =>
  [...last].every(([topic, number]) => number === numbers[topic] - 1));
while (!isDone()) await pause(10);
over = true;
console.log(`all came: ${received} messages, ${numbers[0]} of each topic`);
for (const { process, lost } of subscribers) {
  for (const [topic, count] of lost) {
    const known = missed[process][topic];
    if (known !== undefined && known !== count) {
      throw new Error(`t${topic}: sockets of a process have missed ${known} and ${count}`);
    }
    missed[process][topic] = count;
  }
}
const sums = [];
for (let from = 0; from < addresses.length; from++) {
  for (let to = 0; to < addresses.length; to++) {
    if (from === to) continue;
    let sum = 0;
    for (let topic = 0; topic < TOPICS; topic++) {
      if (home(topic) === from) sum += missed[to][topic] ?? 0;
    }
    sums.push(sum);
  }
}
console.log(`missed: ${sums.join(" ")}`);
Deno.exit();
"#;

fn is_long() -> bool {
    let seconds = std::env::var("DUPLEX_SOAK").map_or(0, |value| value.parse().unwrap());
    seconds >= 60
}

struct Server {
    running: Running,
    host: String,
    port: u16,
}

impl Server {
    /// Starts a server, in a network namespace if one is named.
    fn start(broker: &str, host: &str, namespace: Option<&str>) -> Self {
        let duplex = support::duplex();
        let mut command = match namespace {
            None => duplex,
            Some(name) => {
                let mut command = Command::new("ip");
                command
                    .args(["netns", "exec", name])
                    .arg(duplex.get_program());
                support::plain_output(&mut command);
                command
            }
        };
        command
            .args(["serve", "--allow-net", "--host", host, "--port", "0"])
            .args(["--broker", broker])
            .arg(write("server.js", SERVER));
        let mut running = Running::start("the server", &mut command).unwrap();
        let port = running.line("port ").unwrap().parse().unwrap();
        let host = host.to_string();
        Self {
            running,
            host,
            port,
        }
    }

    /// The body of an answer.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).unwrap();
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

/// A network namespace with a link for clients and a link to the broker, which can be cut. It is
/// removed when this is dropped.
struct Network {
    name: String,
    number: u32,
}

impl Network {
    fn new() -> Option<Self> {
        let number = std::process::id();
        let name = format!("dx{number}");
        if !ip(&["netns", "add", &name]) {
            return None;
        }
        let network = Self { name, number };
        let is_made = ["c", "b"].into_iter().enumerate().all(|(index, way)| {
            let [outside, inside] = ["o", "i"].map(|end| format!("{}{way}{end}", network.name));
            let address = |last: usize| format!("{}.{}/30", network.subnet(), index * 4 + last);
            ip(&[
                "link", "add", &outside, "type", "veth", "peer", "name", &inside,
            ]) && ip(&["link", "set", &inside, "netns", &network.name])
                && ip(&["addr", "add", &address(1), "dev", &outside])
                && ip(&["link", "set", &outside, "up"])
                && network.ip(&["addr", "add", &address(2), "dev", &inside])
                && network.ip(&["link", "set", &inside, "up"])
        });
        (is_made && network.ip(&["link", "set", "lo", "up"])).then_some(network)
    }

    fn subnet(&self) -> String {
        format!("10.213.{}", self.number % 250)
    }

    fn server_host(&self) -> String {
        format!("{}.2", self.subnet())
    }

    fn broker_host(&self) -> String {
        format!("{}.5", self.subnet())
    }

    /// Sets the link to the broker `up` or `down`.
    fn set(&self, state: &str) {
        let inside = format!("{}bi", self.name);
        assert!(self.ip(&["link", "set", &inside, state]));
    }

    /// Runs `ip` inside the namespace.
    fn ip(&self, arguments: &[&str]) -> bool {
        ip(&[&["-n", &self.name], arguments].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    let mut command = Command::new("ip");
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn write(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker-soak");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file
}
