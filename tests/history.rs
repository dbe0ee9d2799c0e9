//! `topics.history`: clients that connect again get all messages that they have missed, or are told
//! that some are gone.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/peer.rs"]
mod peer;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use duplex_protocol::frame::Opcode;
use peer::Peer;
use support::Running;

/// A client says its last position. The server answers whether all later messages could be sent.
const FEED: &str = r#"
let server;
export default {
  onListen: ({ port }) => console.log("port", port),
  topics: { history: { size: 1000, ttl: 3600 } },
  fetch(request, info) {
    server = info;
    return info.upgrade(request) ? undefined : new Response();
  },
  websocket: {
    async message(ws, data) {
      const [what, topic, rest] = data.split(" ");
      switch (what) {
        case "since": {
          const result = await ws.subscribe(topic, { since: rest === "null" ? null : rest });
          const { epoch, offset } = result.position;
          ws.send(`now ${epoch}-${offset} ${result.recovered}`);
          break;
        }
        case "publish":
          for (let i = 0; i < Number(rest); i++) server.publish(topic, `text`);
          ws.send("published");
          break;
        case "others": ws.publish(topic, rest); break;
        case "binary": ws.publish(topic, new TextEncoder().encode(rest)); break;
        case "recorded": {
          const { epoch, offset } = await server.publishRecorded(topic, rest);
          ws.send(`recorded ${epoch}-${offset}`);
          break;
        }
      }
    },
  },
};
"#;

#[test]
fn a_client_that_comes_back_gets_what_it_missed_and_then_what_comes() {
    for flags in [&[][..], &["--parallel=2"]] {
        let server = Server::start("back.js", FEED, flags);
        let mut publisher = server.connect();
        let mut client = server.connect();
        let (start, recovered) = since(&mut client, "news", "null");
        assert!(!recovered);
        publish(&mut publisher, "news", 3);
        let (epoch, _) = start.split_once('-').unwrap();
        for offset in 1..=3 {
            assert_eq!(text(&mut client), format!("{epoch}-{offset}\ntext"));
        }
        drop(client);
        publish(&mut publisher, "news", 500);

        // The client may reach any loop.
        for _ in 0..4 {
            let mut client = server.connect();
            client.send_text(&format!("since news {epoch}-3")).unwrap();
            for offset in 4..=503 {
                assert_eq!(text(&mut client), format!("{epoch}-{offset}\ntext"));
            }
            assert_eq!(text(&mut client), format!("now {epoch}-503 true"));
        }
        let mut client = server.connect();
        let (_, recovered) = since(&mut client, "news", &format!("{epoch}-503"));
        assert!(recovered);
        publisher.send_text("recorded news live").unwrap();
        assert_eq!(text(&mut publisher), format!("recorded {epoch}-504"));
        assert_eq!(text(&mut client), format!("{epoch}-504\nlive"));
        publisher.send_text("binary news bytes").unwrap();
        let (opcode, payload) = client.frame().unwrap();
        let expected = format!("{epoch}-505\nbytes").into_bytes();
        assert_eq!((opcode, payload), (Opcode::Binary, expected));
    }
}

#[test]
fn what_cannot_be_made_good_is_told_and_nothing_of_it_is_sent() {
    let server = Server::start("gone.js", FEED, &["--parallel=2"]);
    let mut publisher = server.connect();
    let (start, _) = since(&mut server.connect(), "news", "null");
    let (epoch, _) = start.split_once('-').unwrap();
    publish(&mut publisher, "news", 1500);
    for position in [
        // More messages were missed than are kept.
        format!("{epoch}-0"),
        format!("{epoch}-499"),
        // These positions have never existed, here or anywhere.
        format!("{epoch}-1501"),
        "0000000000000000-1400".to_string(),
        "nonsense".to_string(),
    ] {
        let mut client = server.connect();
        let (now, recovered) = since(&mut client, "news", &position);
        assert!(!recovered, "{position}");
        assert_eq!(now, format!("{epoch}-1500"), "{position}");
    }
    let mut client = server.connect();
    client
        .send_text(&format!("since news {epoch}-500"))
        .unwrap();
    for offset in 501..=1500 {
        assert_eq!(text(&mut client), format!("{epoch}-{offset}\ntext"));
    }
    // The socket is subscribed already, so nothing is missing, and nothing comes twice.
    assert_eq!(text(&mut client), format!("now {epoch}-1500 true"));
    let (_, recovered) = since(&mut client, "news", &format!("{epoch}-1500"));
    assert!(recovered);
    publisher.send_text("others news last").unwrap();
    assert_eq!(text(&mut client), format!("{epoch}-1501\nlast"));
}

/// Clients lose their connections at random while all loops publish. Each client gets every message
/// of the topic once, in order.
#[test]
fn clients_that_come_and_go_miss_nothing() {
    let script = FEED.replace("size: 1000", "size: 100000");
    let server = Server::start("flaky.js", &script, &["--parallel=3"]);
    let client = r#"
        const port = Deno.args[0], CLIENTS = 60, MESSAGES = 3000;
        const open = () => new Promise((resolve, reject) => {
          const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
          socket.onopen = () => resolve(socket);
          socket.onerror = () => reject(new Error("a socket failed"));
        });
        let published = 0;
        const publishers = await Promise.all(Array.from({ length: 6 }, open));
        for (const publisher of publishers) publisher.onmessage = null;

        async function follow() {
          let position = null, offset, epoch;
          let total = 0;
          while (true) {
            const socket = await open();
            const messages = 1 + Math.floor(Math.random() * 200);
            const isDone = await new Promise((resolve, reject) => {
              let left = messages;
              socket.onmessage = ({ data }) => {
                try {
                  if (data.startsWith("now ")) {
                    const [, now, recovered] = data.split(" ");
                    if (position === null) {
                      [epoch, offset] = now.split("-");
                      if (offset !== "0") throw new Error("it begins late");
                      position = now;
                      offset = 0;
                      ready();
                    } else if (recovered !== "true") throw new Error("not recovered");
                    return;
                  }
                  const [at] = data.split("\n");
                  offset += 1;
                  if (at !== `${epoch}-${offset}`) throw new Error(`${at} in place of ${offset}`);
                  position = at;
                  total += 1;
                  if (total === MESSAGES) resolve(true);
                  else if (--left === 0) resolve(false);
                } catch (error) {
                  reject(error);
                }
              };
              socket.send(`since news ${position}`);
            });
            socket.onmessage = null;
            socket.close();
            if (isDone) return;
          }
        }
        let waiting = CLIENTS, begin;
        const all = new Promise((resolve) => begin = resolve);
        function ready() {
          if (--waiting === 0) begin();
        }
        const followers = Array.from({ length: CLIENTS }, follow);
        await Promise.race([all, ...followers]);
        while (published < MESSAGES) {
          for (const publisher of publishers) publisher.send(`others news ${published++}`);
          if (published % 60 === 0) await new Promise((resolve) => setTimeout(resolve));
        }
        await Promise.all(followers);
        console.log("all have all");
        Deno.exit();
    "#;
    let mut command = support::duplex_run();
    command
        .arg("--allow-net")
        .arg(write("flaky-client.js", client))
        .arg(server.port.to_string());
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.stdout, "all have all\n", "{}", finished.report());
}

#[test]
fn wrong_options_are_named() {
    for (option, problem) in [
        ("history: 1", "Invalid type for topics.history"),
        ("history: { ttl: 1 }", "Invalid topics.history.size"),
        (
            "history: { size: 0, ttl: 1 }",
            "Invalid topics.history.size",
        ),
        ("history: { size: 1 }", "Invalid topics.history.ttl"),
        ("history: { size: 1, ttl: 0 }", "Invalid topics.history.ttl"),
    ] {
        let script = format!("export default {{ fetch() {{}}, topics: {{ {option} }} }};");
        let mut command = support::duplex();
        command.arg("serve").arg(write("wrong.js", &script));
        let finished = support::finish(&mut command).unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
        let is_named = finished.stderr.contains(problem);
        assert!(is_named, "expected {problem}, got {}", finished.report());
    }
}

/// Subscribes to a topic. Returns the position, and whether all missed messages have come. Here no
/// message was missed.
#[track_caller]
fn since(peer: &mut Peer, topic: &str, position: &str) -> (String, bool) {
    peer.send_text(&format!("since {topic} {position}"))
        .unwrap();
    let answer = text(peer);
    let words: Vec<_> = answer.split(' ').collect();
    assert_eq!((words.len(), words[0]), (3, "now"), "{answer}");
    (words[1].to_string(), words[2] == "true")
}

#[track_caller]
fn publish(peer: &mut Peer, topic: &str, count: u32) {
    peer.send_text(&format!("publish {topic} {count}")).unwrap();
    assert_eq!(text(peer), "published");
}

struct Server {
    _running: Running,
    port: u16,
}

impl Server {
    fn start(name: &str, script: &str, flags: &[&str]) -> Self {
        let mut command = support::duplex();
        command
            .args(["serve", "--host", "127.0.0.1", "--port", "0"])
            .args(flags)
            .arg(write(name, script));
        let mut running = Running::start("the server", &mut command).unwrap();
        let port = running.line("port ").unwrap().parse().unwrap();
        Self {
            _running: running,
            port,
        }
    }

    fn connect(&self) -> Peer {
        Peer::connect(self.port, "")
    }
}

#[track_caller]
fn text(peer: &mut Peer) -> String {
    let (opcode, payload) = peer.frame().unwrap();
    assert_eq!(opcode, Opcode::Text);
    String::from_utf8(payload).unwrap()
}

fn write(name: &str, script: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("history");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, script).unwrap();
    file
}
