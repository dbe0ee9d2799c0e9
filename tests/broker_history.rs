//! `topics.history` with a broker: several processes share one history of a topic.
//!
//! The tests use `nats-server` and `redis-server` from the PATH. If one is missing, its tests print
//! `skipped`. `DUPLEX_SOAK` is the duration of the traffic of
//! `clients_that_come_and_go_miss_nothing` in seconds. From 60 on there are 500 clients that are
//! away for up to 20 s, and otherwise 100 clients that are away for up to 2 s. `DUPLEX_SEED` is the
//! seed of the traffic.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/brokers.rs"]
mod broker;
#[path = "support/peer.rs"]
mod peer;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use broker::{Broker, Kind, brokers, brokers_that_keep, free_port};
use duplex_protocol::frame::Opcode;
use peer::Peer;
use support::Running;

/// A client says its last position. The server answers whether all later messages could be sent.
const FEED: &str = r#"
let server;
export default {
  onListen: ({ port }) => console.log("port", port),
  topics: {
    prefix: "app",
    history: { size: 1000, ttl: 3600 },
    down: (reason) => console.log("down", reason),
    up: () => console.log("up"),
    gap: (since) => console.log("gap", since instanceof Date),
  },
  fetch(request, info) {
    server = info;
    return info.upgrade(request) ? undefined : new Response();
  },
  websocket: {
    async message(ws, data) {
      const [what, topic, rest] = data.split(" ");
      try {
        switch (what) {
          case "since": {
            const since = rest === "null" ? null : rest;
            const { recovered, position } = await ws.subscribe(topic, { since });
            ws.send(`now ${position.epoch}-${position.offset} ${recovered}`);
            break;
          }
          case "recorded": {
            const { epoch, offset } = await server.publishRecorded(topic, rest);
            ws.send(`recorded ${epoch}-${offset}`);
            break;
          }
          case "publish":
            for (let i = 0; i < Number(rest); i++) server.publish(topic, `${i}`);
            await server.flush();
            ws.send("published");
            break;
          case "all": server.publish(topic, rest); break;
          case "others": ws.publish(topic, rest); break;
          case "binary": ws.publish(topic, new TextEncoder().encode(rest)); break;
          case "local": server.publish(topic, rest, { local: true }); break;
          case "join": ws.subscribe(topic); ws.send("joined"); break;
          case "lost": ws.send(`${server.broker.lost}`); break;
          case "flush": await server.flush(); ws.send("flushed"); break;
        }
      } catch (error) {
        ws.send(`failed ${error}`);
      }
    },
  },
};
"#;

#[test]
fn a_client_comes_back_to_another_process_and_misses_nothing() {
    for broker in brokers_that_keep("back") {
        let [a, b] =
            [&["--parallel=2"][..], &[]].map(|flags| serve(&broker, "back.js", FEED, flags));
        let (mut reader, mut writer) = (a.connect(), b.connect());
        let (start, recovered) = since(&mut reader, "news", "null");
        assert!(!recovered);
        let positions: Vec<_> = (0..3)
            .map(|_| record(&mut writer, "news", "live"))
            .collect();
        for position in &positions {
            assert_eq!(text(&mut reader), format!("{position}\nlive"));
        }
        drop(reader);
        let mut missed: Vec<_> = (0..300)
            .map(|_| record(&mut writer, "news", "missed"))
            .collect();
        // The client may reach any process and loop.
        for server in [&a, &b, &a, &b] {
            let mut reader = server.connect();
            say(&mut reader, "since", "news", &positions[2]);
            // The position is the newest one of this process. The broker may send the last messages
            // to the process later, and then they follow.
            let mut position = None;
            let mut got = Vec::new();
            while position.is_none() || got.len() < missed.len() {
                let text = text(&mut reader);
                if let Some(now) = text.strip_prefix("now ") {
                    assert_eq!(now.split(' ').nth(1), Some("true"), "{now}");
                    position = Some(now.to_string());
                } else {
                    got.push(text.strip_suffix("\nmissed").unwrap().to_string());
                }
            }
            assert_eq!(got, missed);
            let live = record(&mut writer, "news", "missed");
            assert_eq!(text(&mut reader), format!("{live}\nmissed"));
            missed.push(live);
        }
        // A client of a new process, which has seen no message yet.
        let late = serve(&broker, "back.js", FEED, &[]);
        let mut reader = late.connect();
        say(&mut reader, "since", "news", &start);
        for position in positions.iter().chain(&missed) {
            assert!(text(&mut reader).starts_with(&format!("{position}\n")));
        }
        assert!(text(&mut reader).ends_with(" true"));
    }
}

#[test]
fn who_publishes_does_not_get_it_and_the_server_does_all() {
    for broker in brokers_that_keep("own") {
        let [a, b] =
            [&["--parallel=2"][..], &[]].map(|flags| serve(&broker, "own.js", FEED, flags));
        let mut sockets = [a.connect(), a.connect(), a.connect(), b.connect()];
        for socket in &mut sockets {
            since(socket, "room", "null");
        }
        let [sender, others @ ..] = &mut sockets;
        for number in 0..50 {
            say(sender, "others", "room", &number.to_string());
        }
        say(sender, "binary", "room", "bytes");
        say(sender, "all", "room", "everybody");
        for other in others {
            for number in 0..50 {
                assert!(text(other).ends_with(&format!("\n{number}")));
            }
            let (opcode, payload) = other.frame().unwrap();
            assert_eq!(opcode, Opcode::Binary);
            assert!(payload.ends_with(b"\nbytes"));
            assert!(text(other).ends_with("\neverybody"));
        }
        assert!(text(sender).ends_with("\neverybody"));
        // A local message has no position, and is not in the history.
        say(sender, "local", "room", "here");
        assert_eq!(text(sender), "\nhere");
        assert_eq!(text(&mut sockets[1]), "\nhere");
        let last = record(&mut b.connect(), "room", "there");
        assert_eq!(text(&mut sockets[3]), format!("{last}\nthere"));
    }
}

#[test]
fn what_cannot_be_made_good_is_told_and_nothing_of_it_is_sent() {
    let script = FEED.replace("size: 1000", "size: 10");
    for broker in brokers_that_keep("gone") {
        let [a, b] = [(); 2].map(|()| serve(&broker, "gone.js", &script, &[]));
        let (mut reader, mut writer) = (a.connect(), b.connect());
        let (start, _) = since(&mut reader, "news", "null");
        let mut other = b.connect();
        since(&mut other, "news", "null");
        let (epoch, offset) = start.split_once('-').unwrap();
        let positions: Vec<_> = (0..30)
            .map(|_| record(&mut writer, "news", "text"))
            .collect();
        // From then on both processes have all messages.
        for socket in [&mut reader, &mut other] {
            for position in &positions {
                assert_eq!(text(socket), format!("{position}\ntext"));
            }
        }
        let late = serve(&broker, "gone.js", &script, &[]);
        let beyond = format!("{epoch}-{}", offset.parse::<u64>().unwrap() + 1000);
        for position in [
            &start,
            &positions[18],
            &beyond,
            "0000000000000000-3",
            "nonsense",
        ] {
            for server in [&a, &b, &late] {
                let (now, recovered) = since(&mut server.connect(), "news", position);
                assert!(!recovered, "{position}");
                assert_eq!(now, positions[29], "{position}");
            }
        }
        for server in [&a, &b, &late] {
            let mut reader = server.connect();
            say(&mut reader, "since", "news", &positions[19]);
            for position in &positions[20..] {
                assert_eq!(text(&mut reader), format!("{position}\ntext"));
            }
            assert_eq!(text(&mut reader), format!("now {} true", positions[29]));
        }
    }
}

#[test]
fn a_broker_that_goes_and_comes_back() {
    for mut broker in brokers_that_keep("away") {
        let [mut a, mut b] = [(); 2].map(|()| serve(&broker, "away.js", FEED, &[]));
        let (mut here, mut there, mut writer) = (a.connect(), b.connect(), b.connect());
        since(&mut here, "room", "null");
        since(&mut there, "room", "null");
        let first = record(&mut writer, "room", "first");
        for socket in [&mut here, &mut there] {
            assert_eq!(text(socket), format!("{first}\nfirst"));
        }
        broker.kill();
        for server in [&mut a, &mut b] {
            server.running.line("down ").unwrap();
        }
        // A message goes to the sockets of its own process, and is not in the history.
        for number in 0..100 {
            say(&mut here, "all", "room", &number.to_string());
            assert_eq!(text(&mut here), format!("\n{number}"));
        }
        say(&mut here, "lost", "-", "");
        assert_eq!(text(&mut here), "100");
        say(&mut here, "recorded", "room", "not");
        assert!(text(&mut here).starts_with("failed Error: The broker is away: "));
        // A client that has all messages of this process needs no broker. A client that has missed
        // some is told so.
        let mut back = a.connect();
        let (now, recovered) = since(&mut back, "room", &first);
        assert_eq!((now, recovered), (first.clone(), true));
        let mut other = a.connect();
        say(&mut other, "since", "other", "null");
        assert!(text(&mut other).starts_with("failed Error: The broker is away: "));

        broker.start();
        for server in [&mut a, &mut b] {
            server.running.line("up").unwrap();
        }
        let last = record(&mut writer, "room", "last");
        for socket in [&mut here, &mut back, &mut there] {
            assert_eq!(text(socket), format!("{last}\nlast"));
        }
        assert_eq!(first.split('-').next(), last.split('-').next());
        say(&mut here, "lost", "-", "");
        assert_eq!(text(&mut here), "100");
    }
}

#[test]
fn a_history_that_is_lost_closes_those_who_would_not_know() {
    for mut broker in brokers_that_keep("lost") {
        let mut server = serve(&broker, "lost.js", FEED, &[]);
        let (mut socket, mut writer) = (server.connect(), server.connect());
        since(&mut socket, "room", "null");
        let first = record(&mut writer, "room", "first");
        assert_eq!(text(&mut socket), format!("{first}\nfirst"));
        broker.kill();
        server.running.line("down ").unwrap();
        let folder = broker.folder.as_ref().unwrap();
        fs::remove_dir_all(folder).unwrap();
        fs::create_dir_all(folder).unwrap();
        broker.start();
        server.running.line("gap true").unwrap();
        let (opcode, payload) = socket.frame().unwrap();
        assert_eq!(
            (opcode, &payload[..2]),
            (Opcode::Close, &1013_u16.to_be_bytes()[..])
        );
        let mut socket = server.connect();
        let (now, recovered) = since(&mut socket, "room", &first);
        assert!(!recovered);
        assert_ne!(first.split('-').next(), now.split('-').next());
        let next = record(&mut writer, "room", "next");
        assert_eq!(text(&mut socket), format!("{next}\nnext"));
    }
}

#[test]
fn a_nats_server_without_jetstream_is_told() {
    for broker in brokers() {
        if broker.kind == Kind::Nats {
            let mut server = serve(&broker, "without.js", FEED, &[]);
            let reason = server.running.line("down ").unwrap();
            assert!(
                reason.contains("start it with `nats-server -js`"),
                "{reason}"
            );
        }
    }
}

/// Clients lose their connections at random, and connect again to any of three processes, of which
/// one is restarted. Each client gets every message of its topic once, in order.
#[test]
fn clients_that_come_and_go_miss_nothing() {
    let seconds: u64 = variable("DUPLEX_SOAK", 4);
    let seed: u64 = variable("DUPLEX_SEED", 1);
    let (clients, away) = if seconds >= 60 {
        (500, 20_000)
    } else {
        (100, 2_000)
    };
    let script = FEED.replace("size: 1000", "size: 100000");
    for broker in brokers_that_keep("flaky") {
        let ports = [free_port(), free_port(), free_port()];
        let start = |port| serve_on(&broker, "flaky.js", &script, &[], port);
        let mut servers = Vec::from(ports.map(start));
        let mut command = support::duplex_run();
        command
            .arg("--allow-net")
            .arg(write("flaky-clients.js", CLIENTS))
            .args([seconds, clients, away, seed].map(|it| it.to_string()))
            .args(ports.map(|it| it.to_string()));
        let mut running = Running::start("the clients", &mut command).unwrap();
        running.line("all are there").unwrap();
        thread::sleep(Duration::from_secs(seconds / 2));
        drop(servers.pop());
        servers.push(start(ports[2]));
        println!("{:?}: one process was ended and started again", broker.kind);
        thread::sleep(Duration::from_secs(seconds / 2));
        running.line("all is published").unwrap();
        let report = running.line("all have all: ").unwrap();
        println!("{:?}, seed {seed}: {report}", broker.kind);
    }
}

const CLIENTS: &str = r#"
const [seconds, CLIENTS, AWAY, seed, ...ports] = Deno.args.map(Number);
const TOPICS = 10, EACH_SECOND = 20;
const MESSAGES = seconds * EACH_SECOND;

let state = seed;
function random(below) {
  // Numerical Recipes' generator: the same seed does the same.
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * below);
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const open = (port) => new Promise((resolve, reject) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.onopen = () => resolve(socket);
  socket.onerror = () => reject(new Error("a socket failed"));
});

let isOver = false, ready = 0, connections = 0, received = 0, begin;
const allThere = new Promise((resolve) => begin = resolve);

/** Gets all messages of a topic, on one connection after the other. */
async function follow(topic) {
  let position = null, epoch, last = -1, offset;
  while (last < MESSAGES - 1) {
    let socket;
    try {
      socket = await open(ports[random(ports.length)]);
    } catch {
      // That process is being started again.
      await pause(50);
      continue;
    }
    connections += 1;
    // It goes a while after it has what it missed, and now and then amid that.
    let left = 1 + random(30), isComplete = !isOver && random(4) === 0;
    await new Promise((resolve, reject) => {
      socket.onclose = resolve;
      socket.onmessage = ({ data }) => {
        try {
          if (data.startsWith("now ")) {
            const [, now, recovered] = data.split(" ");
            isComplete = true;
            if (position !== null) {
              if (recovered !== "true") throw new Error(`${topic} was not recovered: ${now}`);
              return;
            }
            position = now;
            [epoch, offset] = now.split("-");
            if (++ready === CLIENTS) begin();
            return;
          }
          if (data.startsWith("failed")) throw new Error(data);
          const [at, text] = data.split("\n");
          const number = Number(text);
          if (number !== last + 1) throw new Error(`${topic}: ${number} came after ${last}`);
          const [itsEpoch, itsOffset] = at.split("-");
          if (itsEpoch !== epoch || Number(itsOffset) <= Number(offset)) {
            throw new Error(`${topic}: ${at} came after ${position}`);
          }
          [position, offset, last] = [at, itsOffset, number];
          received += 1;
          if (last === MESSAGES - 1 || (isComplete && --left === 0)) resolve();
        } catch (error) {
          reject(error);
        }
      };
      socket.send(`since ${topic} ${position}`);
    });
    socket.onmessage = null;
    socket.close();
    if (last < MESSAGES - 1) await pause(isOver ? 0 : random(AWAY));
  }
}

const followers = Array.from({ length: CLIENTS }, (_, i) => follow(`t${i % TOPICS}`));
await Promise.race([allThere, ...followers]);
console.log("all are there");

// Each topic has one publisher, on a process that stays.
const publishers = [];
for (let i = 0; i < TOPICS; i++) publishers.push(await open(ports[i % 2]));
for (let number = 0; number < MESSAGES; number++) {
  publishers.forEach((publisher, i) => publisher.send(`all t${i} ${number}`));
  await pause(1000 / EACH_SECOND);
}
isOver = true;
console.log("all is published");
await Promise.all(followers);
console.log(`all have all: ${received} messages on ${connections} connections`);
Deno.exit();
"#;

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Subscribes to a topic. Returns the position, and whether all missed messages have come. Here no
/// message was missed.
#[track_caller]
fn since(peer: &mut Peer, topic: &str, position: &str) -> (String, bool) {
    say(peer, "since", topic, position);
    let answer = text(peer);
    let words: Vec<_> = answer.split(' ').collect();
    assert_eq!((words.len(), words[0]), (3, "now"), "{answer}");
    (words[1].to_string(), words[2] == "true")
}

/// Publishes a message. Returns its position. The peer is subscribed to nothing.
#[track_caller]
fn record(peer: &mut Peer, topic: &str, message: &str) -> String {
    say(peer, "recorded", topic, message);
    let answer = text(peer);
    let position = answer.strip_prefix("recorded ");
    position.unwrap_or_else(|| panic!("{answer}")).to_string()
}

#[track_caller]
fn say(peer: &mut Peer, what: &str, topic: &str, rest: &str) {
    peer.send_text(&format!("{what} {topic} {rest}")).unwrap();
}

struct Server {
    running: Running,
    port: u16,
}

impl Server {
    #[track_caller]
    fn connect(&self) -> Peer {
        Peer::connect(self.port, "")
    }
}

fn serve(broker: &Broker, name: &str, script: &str, flags: &[&str]) -> Server {
    let server = serve_on(broker, name, script, flags, 0);
    let mut peer = server.connect();
    say(&mut peer, "flush", "-", "");
    let _ = text(&mut peer);
    server
}

fn serve_on(broker: &Broker, name: &str, script: &str, flags: &[&str], port: u16) -> Server {
    let port = port.to_string();
    let mut command = support::duplex();
    command
        .args([
            "serve",
            "--allow-net",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
        ])
        .args(["--broker", &broker.url()])
        .args(flags)
        .arg(write(name, script));
    let mut running = Running::start("the server", &mut command).unwrap();
    let port = running.line("port ").unwrap().parse().unwrap();
    Server { running, port }
}

#[track_caller]
fn text(peer: &mut Peer) -> String {
    let (opcode, payload) = peer.frame().unwrap();
    assert_eq!(opcode, Opcode::Text, "{payload:?}");
    String::from_utf8(payload).unwrap()
}

fn write(name: &str, script: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker-history");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    // The event loops of an earlier server may not have read the file yet.
    if fs::read_to_string(&file).ok().as_deref() != Some(script) {
        fs::write(&file, script).unwrap();
    }
    file
}
