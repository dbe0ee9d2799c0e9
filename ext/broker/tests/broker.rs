//! Processes that publish and subscribe through real brokers, and through a faulty one.
//!
//! `nats-server` and `redis-server` are taken from the PATH. Without a server, its tests print
//! `skipped`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use duplex_broker::{Address, Broker, BrokerEvent, Options, Payload, Sink, State};
use support::{Kind, LIMIT, Plain, Server, limited, servers, servers_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

#[tokio::test]
async fn messages_reach_other_processes_in_order() {
    for server in servers() {
        let (a, mut from_b) = server.node("app").await;
        let (b, mut from_a) = server.node("app").await;
        a.want("room").await;
        b.want("room").await;
        for number in 0..1000 {
            a.broker
                .publish("room", format!("{number}").as_bytes(), true);
        }
        b.broker.publish("room", b"\0\xff", false);
        b.broker.publish("room", b"text", false);
        for number in 0..1000 {
            let (topic, payload) = next(&mut from_a).await;
            assert_eq!(topic, "room");
            assert_eq!(payload, Payload::Text(number.to_string()));
        }
        // The messages of the process itself do not come back.
        assert_eq!(next(&mut from_b).await.1, binary(b"\0\xff"));
        // A binary message stays binary, even if its bytes are a valid text.
        assert_eq!(next(&mut from_b).await.1, binary(b"text"));
        a.broker.flush().await.unwrap();
        assert_eq!(a.broker.status().lost, 0);
        assert_eq!(b.broker.status().lost, 0);
    }
}

#[tokio::test]
async fn topics_may_have_any_name() {
    let names = [
        "*",
        ">",
        "a.b",
        "a.*",
        "a b",
        "\0",
        "\r\nPUB x 0\r\n\r\n",
        "",
        "%2A",
        "é",
        "${'x'}",
    ];
    let long = "x".repeat(4096);
    for server in servers() {
        let (a, _) = server.node("any.*").await;
        let (b, mut messages) = server.node("any.*").await;
        let all: Vec<&str> = names.iter().copied().chain([long.as_str()]).collect();
        for name in &all {
            b.want(name).await;
        }
        for name in &all {
            a.broker.publish(name, name.as_bytes(), true);
        }
        // The topic is not subscribed to. With wildcards it would be.
        a.broker.publish("a.c", b"", true);
        a.broker.publish("last", b"", true);
        for name in &all {
            let (topic, payload) = next(&mut messages).await;
            assert_eq!(&topic, name);
            assert_eq!(payload, Payload::Text((*name).to_string()));
        }
        a.broker.flush().await.unwrap();
        b.broker.flush().await.unwrap();
        assert!(messages.try_recv().is_err());
    }
}

#[tokio::test]
async fn prefixes_keep_programs_apart() {
    for server in servers() {
        let (a, _) = server.node("one").await;
        let (b, mut messages) = server.node("two").await;
        let (c, mut others) = server.node("one").await;
        b.want("room").await;
        c.want("room").await;
        a.broker.publish("room", b"hello", true);
        assert_eq!(next(&mut others).await.1, Payload::Text("hello".into()));
        b.broker.flush().await.unwrap();
        assert!(messages.try_recv().is_err());
    }
}

#[tokio::test]
async fn topics_that_nobody_wants_stop_coming_and_come_again() {
    for server in servers() {
        let (a, _) = server.node("app").await;
        let (b, mut messages) = server.node("app").await;
        b.want("room").await;
        let room: Arc<str> = "room".into();
        // The topic is left and taken up again at once. The broker is not told.
        b.broker.set_wanted(&room, false);
        b.broker.set_wanted(&room, true);
        a.broker.publish("room", b"1", true);
        assert_eq!(next(&mut messages).await.1, Payload::Text("1".into()));
        // The topic is left for longer than subscriptions are kept.
        b.broker.set_wanted(&room, false);
        let deadline = Instant::now() + LIMIT;
        loop {
            a.broker.publish("room", b"2", true);
            a.broker.flush().await.unwrap();
            b.broker.flush().await.unwrap();
            let mut came = false;
            while messages.try_recv().is_ok() {
                came = true;
            }
            if !came {
                break;
            }
            assert!(Instant::now() < deadline, "it still comes");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        b.want("room").await;
        a.broker.publish("room", b"3", true);
        loop {
            if next(&mut messages).await.1 == Payload::Text("3".into()) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn long_messages_pass_or_are_counted() {
    for server in servers() {
        let (a, _) = server.node("app").await;
        let (b, mut messages) = server.node("app").await;
        b.want("big").await;
        let text = vec![b'x'; 1 << 20];
        for _ in 0..20 {
            a.broker.publish("big", &text, true);
        }
        for _ in 0..20 {
            match next(&mut messages).await.1 {
                Payload::Text(it) => assert_eq!(it.len(), 1 << 20),
                Payload::Binary(_) => panic!("it was a text"),
            }
        }
        assert_eq!(a.broker.status().lost, 0);
        // A NATS server accepts 1 MiB by default.
        if server.kind == Kind::Nats {
            a.broker.publish("big", &vec![b'x'; (1 << 20) + 1], true);
            let status = a.broker.status();
            assert_eq!((status.lost, status.state), (1, State::Up));
            assert!(
                status
                    .error
                    .unwrap()
                    .contains("longer than the broker takes")
            );
        }
    }
}

#[tokio::test]
async fn a_broker_that_is_killed_and_comes_back() {
    for mut server in servers() {
        let (a, _) = server.node("app").await;
        let (b, mut messages) = server.node("app").await;
        let topics: Vec<String> = (0..100).map(|it| format!("topic {it}")).collect();
        for topic in &topics {
            b.want(topic).await;
        }
        let mut published: u64 = 0;
        let mut publish = |count: u64| {
            for _ in 0..count {
                let topic = &topics[(published % 100) as usize];
                (a.broker).publish(topic, published.to_string().as_bytes(), true);
                published += 1;
            }
        };
        publish(10_000);
        // Messages that the broker has confirmed and not delivered are lost with it without being
        // counted.
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for number in 0..10_000 {
            assert_eq!(take(&mut messages, &mut last).await, number);
        }
        a.broker.flush().await.unwrap();
        let (seen_a, seen_b) = (a.broker.last_event(), b.broker.last_event());
        publish(1000);
        server.kill();
        let (_, event) = limited(a.broker.next_event(seen_a)).await;
        assert!(matches!(event, BrokerEvent::Down { .. }), "{event:?}");
        assert!(matches!(
            limited(b.broker.next_event(seen_b)).await.1,
            BrokerEvent::Down { .. }
        ));
        // Some of the last thousand messages may have arrived. Messages that are published now have
        // not.
        let before = a.broker.status();
        assert_eq!(before.state, State::Down);
        assert!(before.lost <= 1000, "{before:?}");
        publish(5000);
        assert_eq!(a.broker.status().lost, before.lost + 5000);
        assert!(a.broker.flush().await.is_err());

        server.start();
        assert_eq!(
            limited(a.broker.next_event(seen_a + 1)).await.1,
            BrokerEvent::Up
        );
        assert_eq!(
            limited(b.broker.next_event(seen_b + 1)).await.1,
            BrokerEvent::Up
        );
        let (_, event) = limited(b.broker.next_event(seen_b + 2)).await;
        assert!(matches!(event, BrokerEvent::Gap { .. }), "{event:?}");
        // The connection is up when all subscriptions are made.
        publish(10_000);
        a.broker.flush().await.unwrap();
        let lost = a.broker.status().lost;
        assert_eq!(lost, before.lost + 5000);

        // Each topic's messages come in order, and none comes twice. Some of the messages before
        // the end may have come, and all messages after it.
        let mut received = 0;
        while take(&mut messages, &mut last).await != published - 1 {
            received += 1;
        }
        assert!(
            (9_999..11_000).contains(&received),
            "{received} of {published}"
        );
    }
}

/// The number in the next message. It is higher than the numbers before it in its topic.
async fn take(messages: &mut Messages, last: &mut BTreeMap<String, u64>) -> u64 {
    let (topic, payload) = next(messages).await;
    let Payload::Text(text) = payload else {
        panic!("it was a text");
    };
    let number: u64 = text.parse().unwrap();
    if let Some(before) = last.insert(topic, number) {
        assert!(before < number, "{before} before {number}");
    }
    number
}

#[tokio::test]
async fn a_broker_that_is_not_there_yet() {
    for mut server in servers() {
        server.kill();
        let (sink, mut messages) = sink();
        let broker = server.broker("app", sink);
        let (_, event) = limited(broker.next_event(0)).await;
        let BrokerEvent::Down { reason } = event else {
            panic!("{event:?}");
        };
        assert!(reason.contains("refused"), "{reason}");
        broker.set_wanted(&"room".into(), true);
        broker.publish("room", b"lost", true);
        assert_eq!(broker.status().lost, 1);
        server.start();
        assert_eq!(limited(broker.next_event(1)).await.1, BrokerEvent::Up);
        let (other, _) = server.node("app").await;
        other.broker.publish("room", b"hello", true);
        assert_eq!(next(&mut messages).await.1, Payload::Text("hello".into()));
    }
}

#[tokio::test]
async fn wrong_credentials_are_told() {
    for server in servers_with(true) {
        let user = match server.kind {
            Kind::Nats => "user",
            // The default user of Redis.
            Kind::Redis => "",
        };
        let right = server.url(user, "secret");
        let (sink, _messages) = sink();
        let broker = start(&right, "app", sink);
        broker.flush().await.unwrap();
        for wrong in [server.url(user, "wrong"), server.url("", "")] {
            let (sink, _messages) = self::sink();
            let broker = start(&wrong, "app", sink);
            let error = broker.flush().await.unwrap_err().to_string();
            assert!(error.contains("the broker refuses: "), "{wrong}: {error}");
            assert_eq!(broker.status().state, State::Down);
        }
    }
}

#[tokio::test]
async fn a_broker_without_tls_is_told() {
    for server in servers() {
        let url = server.url("", "").replace("nats://", "tls://");
        let url = url.replace("redis://", "rediss://");
        let (sink, _messages) = sink();
        let broker = start(&url, "app", sink);
        let error = broker.flush().await.unwrap_err().to_string();
        match server.kind {
            Kind::Nats => assert!(error.contains("speaks no TLS"), "{error}"),
            // The stand-in for TLS gives this error.
            Kind::Redis => assert!(error.contains("no TLS in this test"), "{error}"),
        }
    }
}

#[tokio::test]
async fn other_programs_publish() {
    for server in servers() {
        let (node, mut messages) = server.node("app").await;
        node.want("room.1").await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let command: &[u8] = match server.kind {
            Kind::Nats => b"CONNECT {}\r\nPUB app.room%2E1 5\r\nhello\r\nPUB app.room%2E1 1\r\n\xff\r\n",
            Kind::Redis => b"PUBLISH app:room.1 hello\r\n*3\r\n$7\r\nPUBLISH\r\n$10\r\napp:room.1\r\n$1\r\n\xff\r\n",
        };
        stream.write_all(command).await.unwrap();
        assert_eq!(next(&mut messages).await.1, Payload::Text("hello".into()));
        assert_eq!(next(&mut messages).await.1, binary(b"\xff"));
    }
}

#[tokio::test]
async fn a_hundred_thousand_topics() {
    for server in servers() {
        let (a, _) = server.node("app").await;
        let (b, mut messages) = server.node("app").await;
        let names: Vec<Arc<str>> = (0..100_000).map(|it| format!("{it}").into()).collect();
        for name in &names {
            b.broker.set_wanted(name, true);
        }
        b.broker.flush().await.unwrap();
        for name in &names {
            a.broker.publish(name, b"", true);
        }
        for name in &names {
            assert_eq!(*next(&mut messages).await.0, **name);
        }
    }
}

/// The broker answers everything and delivers nothing.
#[tokio::test]
async fn a_broker_that_is_alive_but_delivers_nothing_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(deaf_nats(stream));
        }
    });
    let (sink, _messages) = sink();
    let broker = start(&format!("nats://{address}"), "app", sink);
    broker.flush().await.unwrap();
    let (_, event) = limited(broker.next_event(1)).await;
    let BrokerEvent::Down { reason } = event else {
        panic!("{event:?}");
    };
    assert!(reason.contains("does not deliver"), "{reason}");
    assert_eq!(limited(broker.next_event(2)).await.1, BrokerEvent::Up);
}

async fn deaf_nats(mut stream: TcpStream) {
    stream.write_all(b"INFO {}\r\n").await.unwrap();
    let mut input = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut input).await {
        let pings = input.windows(6).filter(|it| *it == b"PING\r\n").count();
        input.clear();
        for _ in 0..pings {
            let _ = stream.write_all(b"PONG\r\n").await;
        }
    }
}

/// The broker accepts the connection and sends nothing, like a network that was
/// cut.
#[tokio::test]
async fn a_broker_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sink, _messages) = sink();
    let broker = start(&format!("redis://{address}"), "app", sink);
    let _held = listener.accept().await.unwrap();
    let error = broker.flush().await.unwrap_err().to_string();
    assert!(error.contains("does not answer"), "{error}");
}

#[tokio::test]
async fn nonsense_ends_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sink, _messages) = sink();
    let broker = start(&format!("nats://{address}"), "app", sink);
    let (mut stream, _) = listener.accept().await.unwrap();
    stream
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .unwrap();
    let error = broker.flush().await.unwrap_err().to_string();
    assert!(error.contains("not what its protocol says"), "{error}");
}

/// A process, with its own connection.
struct Node {
    broker: Broker,
}

type Messages = mpsc::UnboundedReceiver<(String, Payload)>;

impl Node {
    /// Subscribes. Returns when the broker has the subscription.
    async fn want(&self, topic: &str) {
        self.broker.set_wanted(&topic.into(), true);
        self.broker.flush().await.unwrap();
    }
}

struct Collect(mpsc::UnboundedSender<(String, Payload)>);

impl Sink for Collect {
    fn message(&self, topic: &str, payload: Payload) {
        let _ = self.0.send((topic.to_string(), payload));
    }
}

fn sink() -> (Arc<dyn Sink>, Messages) {
    let (sender, messages) = mpsc::unbounded_channel();
    (Arc::new(Collect(sender)), messages)
}

async fn next(messages: &mut Messages) -> (String, Payload) {
    limited(messages.recv()).await.unwrap()
}

fn binary(bytes: &'static [u8]) -> Payload {
    Payload::Binary(Bytes::from_static(bytes))
}

fn start(url: &str, prefix: &str, sink: Arc<dyn Sink>) -> Broker {
    Broker::start(Options {
        address: Address::parse(url).unwrap(),
        prefix: prefix.to_string(),
        dial: Arc::new(Plain),
        sink,
        recording: None,
    })
    .unwrap()
}

/// The connections of tests to a server.
trait Nodes {
    fn broker(&self, prefix: &str, sink: Arc<dyn Sink>) -> Broker;
    async fn node(&self, prefix: &str) -> (Node, Messages);
}

impl Nodes for Server {
    fn broker(&self, prefix: &str, sink: Arc<dyn Sink>) -> Broker {
        start(&self.url("", ""), prefix, sink)
    }

    async fn node(&self, prefix: &str) -> (Node, Messages) {
        let (sink, messages) = sink();
        let broker = self.broker(prefix, sink);
        broker.flush().await.unwrap();
        (Node { broker }, messages)
    }
}
