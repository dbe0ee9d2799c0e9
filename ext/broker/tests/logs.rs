//! Topics whose messages real brokers keep: every message comes once, in the order of its log, or a
//! gap is reported.
//!
//! `nats-server` and `redis-server` are taken from the PATH. Without a server, its tests print
//! `skipped`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use duplex_broker::{
    Address, Broker, BrokerEvent, Extent, LogSink, Options, Payload, Position, Recorded, Recording,
    Sink,
};
use support::{Kind, Plain, Server, limited, servers, servers_that_keep};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

const RECORDING: Recording = Recording {
    size: 1000,
    ttl: Duration::from_secs(3600),
};

#[tokio::test]
async fn all_processes_see_one_order() {
    for server in servers_that_keep("order") {
        let nodes = [
            server.node("app", RECORDING).await,
            server.node("app", RECORDING).await,
        ];
        for node in &nodes {
            node.join("room").await;
        }
        for number in 0..500 {
            for (tag, node) in (1..).zip(&nodes) {
                let text = format!("{tag} {number}");
                assert!(node.broker.record("room", text.as_bytes(), tag == 1, tag));
            }
        }
        for node in &nodes {
            node.broker.flush().await.unwrap();
            assert_eq!(node.broker.status().lost, 0);
        }
        let mut logs = Vec::new();
        for (tag, node) in (1..).zip(&nodes) {
            let log = node.wait("room", 1000).await;
            let mut own = 0;
            for message in &log {
                // A process's own messages have the tag. Those of others have
                // none.
                let is_own = message.tag == Some(tag);
                assert!(is_own || message.tag.is_none());
                if is_own {
                    let expected = format!("{tag} {own}");
                    let payload = match tag {
                        1 => Payload::Text(expected),
                        _ => Payload::Binary(expected.into()),
                    };
                    assert_eq!(message.payload, Some(payload));
                    own += 1;
                }
            }
            assert_eq!(own, 500);
            assert!(log.is_sorted_by(|a, b| a.position.offset < b.position.offset));
            let pairs = log.into_iter().map(|it| (it.position, it.payload));
            logs.push(pairs.collect::<Vec<_>>());
        }
        assert_eq!(logs[0], logs[1]);
    }
}

#[tokio::test]
async fn a_recorded_message_has_a_position_and_can_be_read_again() {
    for server in servers_that_keep("again") {
        let node = server.node("app", RECORDING).await;
        let mut positions = Vec::new();
        for number in 0..300 {
            let text = number.to_string();
            let position = node.broker.record_and_tell("a.b", text.as_bytes(), true);
            positions.push(position.await.unwrap());
        }
        // Another process comes later.
        let late = server.node("app", RECORDING).await;
        late.join("a.b").await;
        assert_eq!(late.position("a.b"), positions[299]);
        late.read("a.b", Some(positions[299])).await;
        assert_eq!(late.texts("a.b"), Vec::<String>::new());
        late.read("a.b", Some(positions[290])).await;
        assert_eq!(late.texts("a.b").first().unwrap(), "291");
        late.read("a.b", Some(positions[9])).await;
        let expected: Vec<_> = (10..300).map(|it| it.to_string()).collect();
        assert_eq!(late.texts("a.b"), expected);
        node.broker.record("a.b", b"300", true, 0);
        late.wait("a.b", 291).await;
        assert_eq!(late.texts("a.b").last().unwrap(), "300");
        // A position that never was, or of another log, changes nothing.
        let Position { epoch, offset } = positions[299];
        for since in [
            Position {
                epoch,
                offset: offset + 1000,
            },
            Position {
                epoch: epoch ^ 1,
                offset,
            },
        ] {
            late.read("a.b", Some(since)).await;
            assert_eq!(late.texts("a.b").len(), 291);
        }
        assert_eq!(late.lost(), 0);
    }
}

#[tokio::test]
async fn who_comes_to_an_empty_topic_misses_nothing_later() {
    for server in servers_that_keep("empty") {
        let node = server.node("app", RECORDING).await;
        node.join("new").await;
        let start = node.position("new");
        let writer = server.node("app", RECORDING).await;
        for number in 0..3 {
            let text = number.to_string();
            writer.broker.record("new", text.as_bytes(), true, 0);
        }
        writer.broker.flush().await.unwrap();
        let late = server.node("app", RECORDING).await;
        late.join("new").await;
        late.read("new", Some(start)).await;
        assert_eq!(late.texts("new"), ["0", "1", "2"]);
    }
}

#[tokio::test]
async fn a_topic_that_is_only_subscribed_to_leaves_nothing_at_the_broker() {
    for server in servers_that_keep("nothing") {
        let node = server.node("app", RECORDING).await;
        for topic in ["a", "b", "c"] {
            node.broker.set_wanted(&topic.into(), true);
        }
        node.broker.flush().await.unwrap();
        node.broker.flush().await.unwrap();
        let position = node.broker.record_and_tell("a", b"first", true);
        assert_eq!(position.await.unwrap().offset, 1);
        let mut changed = node.changed.clone();
        let has_it = |_: &u64| node.log.lock().unwrap().contains_key("a");
        limited(changed.wait_for(has_it)).await.unwrap();
        node.wait("a", 1).await;
        assert_eq!(node.texts("a"), ["first"]);
        assert!(!node.log.lock().unwrap().contains_key("b"));
    }
}

#[tokio::test]
async fn a_gap_that_is_longer_than_the_log_is_not_there_in_part() {
    let recording = Recording {
        size: 10,
        ..RECORDING
    };
    for server in servers_that_keep("short") {
        let node = server.node("app", recording).await;
        let mut positions = Vec::new();
        for number in 0..30 {
            let text = number.to_string();
            let position = node.broker.record_and_tell("room", text.as_bytes(), true);
            positions.push(position.await.unwrap());
        }
        let late = server.node("app", recording).await;
        late.join("room").await;
        late.read("room", Some(positions[18])).await;
        assert_eq!(late.texts("room"), Vec::<String>::new());
        late.read("room", Some(positions[19])).await;
        assert_eq!(late.texts("room").len(), 10);
    }
}

#[tokio::test]
async fn what_was_missed_while_the_connection_was_away_comes_in_order() {
    for server in servers_that_keep("away") {
        let network = Network::to(server.address()).await;
        let cut = node(&network.url(server.kind), "app", RECORDING).await;
        let topics: Vec<String> = (0..20).map(|it| format!("topic {it}")).collect();
        for topic in &topics {
            cut.join(topic).await;
        }
        let writer = server.node("app", RECORDING).await;
        for round in 0..4 {
            let seen = cut.broker.last_event();
            network.cut();
            assert!(matches!(cut.event(seen).await, BrokerEvent::Down { .. }));
            assert!(!cut.broker.record("topic 0", b"lost", true, 0));
            assert_eq!(cut.broker.status().lost, round + 1);
            let error = cut
                .broker
                .record_and_tell("topic 0", b"not recorded", true)
                .await;
            assert!(
                error
                    .unwrap_err()
                    .to_string()
                    .starts_with("The broker is away: ")
            );
            cut.broker.read(&"topic 0".into(), None).await.unwrap_err();
            for number in 0..200 {
                for topic in &topics {
                    let text = format!("{}", round * 400 + number);
                    writer.broker.record(topic, text.as_bytes(), true, 0);
                }
            }
            network.mend();
            // Some messages come while the missed messages are being read.
            for number in 200..400 {
                for topic in &topics {
                    let text = format!("{}", round * 400 + number);
                    writer.broker.record(topic, text.as_bytes(), true, 0);
                }
            }
            let count = (round as usize + 1) * 400;
            for topic in &topics {
                cut.wait(topic, count).await;
                let expected: Vec<_> = (0..count).map(|it| it.to_string()).collect();
                assert_eq!(cut.texts(topic), expected);
            }
            // No message is missing, so there is no gap.
            assert_eq!(cut.event(seen + 1).await, BrokerEvent::Up);
            assert_eq!(cut.broker.last_event(), seen + 2);
        }
        assert_eq!(cut.lost(), 0);
    }
}

#[tokio::test]
async fn what_is_gone_after_the_connection_was_away_is_told() {
    let recording = Recording {
        size: 10,
        ..RECORDING
    };
    for server in servers_that_keep("gone") {
        let network = Network::to(server.address()).await;
        let cut = node(&network.url(server.kind), "app", recording).await;
        cut.join("room").await;
        let writer = server.node("app", recording).await;
        writer.broker.record("room", b"first", true, 0);
        cut.wait("room", 1).await;
        let seen = cut.broker.last_event();
        network.cut();
        assert!(matches!(cut.event(seen).await, BrokerEvent::Down { .. }));
        for number in 0..20 {
            let text = number.to_string();
            writer.broker.record("room", text.as_bytes(), true, 0);
        }
        writer.broker.flush().await.unwrap();
        network.mend();
        assert_eq!(cut.event(seen + 1).await, BrokerEvent::Up);
        assert!(matches!(cut.event(seen + 2).await, BrokerEvent::Gap { .. }));
        assert_eq!(cut.lost(), 1);
        writer.broker.record("room", b"behind", true, 0);
        cut.wait("room", 1).await;
        assert_eq!(cut.texts("room"), ["behind"]);
    }
}

#[tokio::test]
async fn a_broker_that_is_killed_keeps_its_logs() {
    for mut server in servers_that_keep("killed") {
        let [a, b] = [
            server.node("app", RECORDING).await,
            server.node("app", RECORDING).await,
        ];
        a.join("room").await;
        b.join("room").await;
        for number in 0..100 {
            let text = number.to_string();
            a.broker.record("room", text.as_bytes(), true, 0);
        }
        a.broker.flush().await.unwrap();
        b.wait("room", 100).await;
        let before = b.position("room");
        let (seen_a, seen_b) = (a.broker.last_event(), b.broker.last_event());
        server.kill();
        assert!(matches!(a.event(seen_a).await, BrokerEvent::Down { .. }));
        assert!(matches!(b.event(seen_b).await, BrokerEvent::Down { .. }));
        server.start();
        assert_eq!(a.event(seen_a + 1).await, BrokerEvent::Up);
        assert_eq!(b.event(seen_b + 1).await, BrokerEvent::Up);
        let position = a
            .broker
            .record_and_tell("room", b"100", true)
            .await
            .unwrap();
        assert_eq!(position.epoch, before.epoch);
        assert!(position.offset > before.offset);
        b.wait("room", 101).await;
        let expected: Vec<_> = (0..=100).map(|it| it.to_string()).collect();
        assert_eq!(b.texts("room"), expected);
        assert_eq!((a.lost(), b.lost()), (0, 0));
    }
}

#[tokio::test]
async fn a_broker_that_has_lost_its_logs_begins_anew_and_that_is_told() {
    for mut server in servers_that_keep("wiped") {
        let node = server.node("app", RECORDING).await;
        node.join("room").await;
        node.join("empty").await;
        node.broker.record("room", b"1", true, 0);
        node.wait("room", 1).await;
        let before = node.position("room");
        let seen = node.broker.last_event();
        server.kill();
        assert!(matches!(node.event(seen).await, BrokerEvent::Down { .. }));
        std::fs::remove_dir_all(server.folder.as_ref().unwrap()).unwrap();
        std::fs::create_dir_all(server.folder.as_ref().unwrap()).unwrap();
        server.start();
        assert_eq!(node.event(seen + 1).await, BrokerEvent::Up);
        assert!(matches!(
            node.event(seen + 2).await,
            BrokerEvent::Gap { .. }
        ));
        node.broker.record("room", b"2", true, 0);
        node.wait("room", 1).await;
        assert_eq!(node.texts("room"), ["2"]);
        assert_ne!(node.position("room").epoch, before.epoch);
    }
}

#[tokio::test]
async fn a_log_that_is_deleted_under_a_connection_begins_anew() {
    for server in servers_that_keep("deleted") {
        let node = server.node("app", RECORDING).await;
        node.join("room").await;
        node.broker.record("room", b"1", true, 0);
        node.wait("room", 1).await;
        let before = node.position("room");
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let command: &[u8] = match server.kind {
            Kind::Nats => b"CONNECT {}\r\nPUB $JS.API.STREAM.DELETE.duplex_app 0\r\n\r\nPING\r\n",
            Kind::Redis => b"FLUSHALL\r\nSCRIPT FLUSH\r\n",
        };
        tokio::io::AsyncWriteExt::write_all(&mut stream, command)
            .await
            .unwrap();
        // The server does not tell when this is done. Until then, messages go into the old log or
        // are lost.
        let mut positions = 0;
        while positions < 3 {
            if let Ok(position) = limited(node.broker.record_and_tell("room", b"2", true)).await
                && position.epoch != before.epoch
            {
                positions += 1;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        limited(
            node.changed
                .clone()
                .wait_for(|_| node.log.lock().unwrap()["room"].last.epoch != before.epoch),
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn the_values_of_the_process_that_came_last_hold() {
    for server in servers_that_keep("values") {
        let long = server.node("app", RECORDING).await;
        let recording = Recording {
            size: 5,
            ttl: Duration::from_secs(60),
        };
        let short = server.node("app", recording).await;
        let mut positions = Vec::new();
        for number in 0..20 {
            let text = number.to_string();
            let position = short.broker.record_and_tell("room", text.as_bytes(), true);
            positions.push(position.await.unwrap());
        }
        long.join("room").await;
        long.read("room", Some(positions[13])).await;
        assert_eq!(long.texts("room"), Vec::<String>::new());
        long.read("room", Some(positions[14])).await;
        assert_eq!(long.texts("room").len(), 5);
        assert_eq!(long.broker.status().error, None);
    }
}

#[tokio::test]
async fn a_nats_server_without_jetstream_is_told() {
    for server in servers() {
        if server.kind == Kind::Nats {
            let node = start(&server.url("", ""), "app", RECORDING);
            let error = node.broker.flush().await.unwrap_err().to_string();
            assert!(error.contains("nats-server -js"), "{error}");
        }
    }
}

#[tokio::test]
async fn other_programs_take_part() {
    for server in servers_that_keep("others") {
        let node = server.node("app", RECORDING).await;
        node.join("room").await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        // A message that is not recorded comes as it does without logs.
        let command: &[u8] = match server.kind {
            Kind::Nats => {
                b"CONNECT {}\r\nPUB app.room 5\r\nhello\r\nPUB app.h.room 8\r\nrecorded\r\n"
            }
            Kind::Redis => b"PUBLISH app:room hello\r\n",
        };
        tokio::io::AsyncWriteExt::write_all(&mut stream, command)
            .await
            .unwrap();
        let mut plain = node.plain.lock().unwrap().take().unwrap();
        assert_eq!(
            limited(plain.recv()).await.unwrap(),
            Payload::Text("hello".to_string())
        );
        if server.kind == Kind::Nats {
            node.wait("room", 1).await;
            assert_eq!(node.texts("room"), ["recorded"]);
        }
        // A process without logs gets recorded messages too.
        let (sink, mut messages) = mpsc::unbounded_channel();
        let other = Broker::start(Options {
            address: Address::parse(&server.url("", "")).unwrap(),
            prefix: "app".to_string(),
            dial: Arc::new(Plain),
            sink: Arc::new(Messages(sink)),
            recording: None,
        })
        .unwrap();
        other.set_wanted(&"room".into(), true);
        other.flush().await.unwrap();
        node.broker.record("room", b"to all", true, 0);
        assert_eq!(
            limited(messages.recv()).await.unwrap(),
            Payload::Text("to all".to_string())
        );
    }
}

/// A process, with its own connection and its copies of the logs.
struct Node {
    broker: Broker,
    log: Arc<Mutex<HashMap<String, Log>>>,
    changed: watch::Receiver<u64>,
    plain: Mutex<Option<mpsc::UnboundedReceiver<Payload>>>,
}

struct Log {
    floor: u64,
    last: Position,
    messages: Vec<Recorded>,
    lost: u32,
}

struct Messages(mpsc::UnboundedSender<Payload>);

impl Sink for Messages {
    fn message(&self, _topic: &str, payload: Payload) {
        let _ = self.0.send(payload);
    }
}

struct Collect {
    log: Arc<Mutex<HashMap<String, Log>>>,
    changed: watch::Sender<u64>,
}

impl Collect {
    fn change(&self, topic: &str, change: impl FnOnce(&mut Log)) {
        change(self.log.lock().unwrap().get_mut(topic).unwrap());
        self.changed.send_modify(|it| *it += 1);
    }
}

impl LogSink for Collect {
    fn extent(&self, topic: &str) -> Option<Extent> {
        self.log.lock().unwrap().get(topic).map(|log| Extent {
            epoch: log.last.epoch,
            floor: log.floor,
            last: log.last.offset,
        })
    }

    fn begin(&self, topic: &str, position: Position) {
        let log = Log {
            floor: position.offset,
            last: position,
            messages: Vec::new(),
            lost: 0,
        };
        self.log.lock().unwrap().insert(topic.to_string(), log);
        self.changed.send_modify(|it| *it += 1);
    }

    fn append(&self, topic: &str, message: Recorded) {
        self.change(topic, |log| {
            assert_eq!(message.position.epoch, log.last.epoch);
            assert!(message.position.offset > log.last.offset);
            log.last = message.position;
            if message.payload.is_some() {
                log.messages.push(message);
            }
        });
    }

    fn prepend(&self, topic: &str, since: u64, messages: Vec<Recorded>) {
        self.change(topic, |log| {
            let floor = log.floor;
            let mut all: Vec<_> = (messages.into_iter())
                .filter(|it| it.position.offset <= floor && it.payload.is_some())
                .collect();
            all.append(&mut log.messages);
            log.messages = all;
            log.floor = since;
        });
    }

    fn lose(&self, topic: &str, position: Position) {
        self.change(topic, |log| {
            log.floor = position.offset;
            log.last = position;
            log.messages.clear();
            log.lost += 1;
        });
    }

    fn forget(&self, topic: &str) {
        self.log.lock().unwrap().remove(topic);
    }
}

impl Node {
    async fn join(&self, topic: &str) {
        self.broker.set_wanted(&topic.into(), true);
        self.read(topic, None).await;
    }

    async fn read(&self, topic: &str, since: Option<Position>) {
        limited(self.broker.read(&topic.into(), since))
            .await
            .unwrap();
    }

    fn position(&self, topic: &str) -> Position {
        self.log.lock().unwrap()[topic].last
    }

    fn texts(&self, topic: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let text = |message: &Recorded| match &message.payload {
            Some(Payload::Text(text)) => text.clone(),
            other => panic!("{other:?}"),
        };
        log[topic].messages.iter().map(text).collect()
    }

    /// Waits for `count` messages.
    async fn wait(&self, topic: &str, count: usize) -> Vec<Recorded> {
        let mut changed = self.changed.clone();
        let has_all = |_: &u64| self.log.lock().unwrap()[topic].messages.len() >= count;
        limited(changed.wait_for(has_all)).await.unwrap();
        self.log.lock().unwrap()[topic].messages.clone()
    }

    /// How many times messages were lost.
    fn lost(&self) -> u32 {
        self.log.lock().unwrap().values().map(|log| log.lost).sum()
    }

    async fn event(&self, after: u64) -> BrokerEvent {
        limited(self.broker.next_event(after)).await.1
    }
}

fn start(url: &str, prefix: &str, recording: Recording) -> Node {
    let log = Arc::default();
    let (sender, changed) = watch::channel(0);
    let (plain, messages) = mpsc::unbounded_channel();
    let collect = Collect {
        log: Arc::clone(&log),
        changed: sender,
    };
    let broker = Broker::start(Options {
        address: Address::parse(url).unwrap(),
        prefix: prefix.to_string(),
        dial: Arc::new(Plain),
        sink: Arc::new(Messages(plain)),
        recording: Some((recording, Arc::new(collect))),
    })
    .unwrap();
    Node {
        broker,
        log,
        changed,
        plain: Mutex::new(Some(messages)),
    }
}

async fn node(url: &str, prefix: &str, recording: Recording) -> Node {
    let node = start(url, prefix, recording);
    limited(node.broker.flush()).await.unwrap();
    node
}

impl Server {
    async fn node(&self, prefix: &str, recording: Recording) -> Node {
        node(&self.url("", ""), prefix, recording).await
    }
}

/// A network to a broker that can be cut.
struct Network {
    address: SocketAddr,
    is_whole: watch::Sender<bool>,
}

impl Network {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_whole, state) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut state = state.clone();
                if !*state.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|it| !it) => {}
                    }
                });
            }
        });
        Self { address, is_whole }
    }

    fn url(&self, kind: Kind) -> String {
        match kind {
            Kind::Nats => format!("nats://{}", self.address),
            Kind::Redis => format!("redis://{}", self.address),
        }
    }

    fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}
