//! What a service expects of its server: a client that does not read costs no more than its limit,
//! a shutdown reaches all clients and ends, a busy script loses no client, and messages that were
//! sent arrive. The tests run over HTTP/1.1 and HTTP/2.
//!
//! The scripts are in `tests/service`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/client.rs"]
mod client;
mod support;

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use client::{Frame, Http2, Reader, Writer};
use duplex_protocol::frame::Opcode;
use support::Running;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::JoinSet;

const MIB: u64 = 1 << 20;

#[test]
fn ten_gigabytes_to_a_client_that_does_not_read() {
    for form in ["handlers", "upgrade"] {
        flood(form, Version::Http1);
    }
}

#[test]
fn ten_gigabytes_to_a_client_of_http2_that_does_not_read() {
    for form in ["handlers", "upgrade"] {
        flood(form, Version::Http2);
    }
}

fn flood(form: &str, version: Version) {
    const LIMIT: u64 = 16 * MIB;
    let mut server = Server::start("flood.js", &[form, &LIMIT.to_string()]);
    server.run(async |server| {
        let connections = Connections::new(version, server.port, 1).await;
        let (mut reader, mut writer) = connections.open(0, "/").await;
        let (mut bystander, mut to_bystander) = connections.open(0, "/").await;
        writer.send_text("victim").await;
        assert_eq!(reader.text().await, "yours");
        let before = server.running.peak_memory().unwrap();

        // Each message of this client makes the server send 100 MiB more to the victim. So the
        // client is served all the time.
        for turn in 0..100 {
            to_bystander.send_text(&turn.to_string()).await;
            assert_eq!(bystander.text().await, turn.to_string());
        }
        to_bystander.send_text("said").await;
        let said: HashMap<String, u64> = serde_json::from_str(&bystander.text().await).unwrap();
        let grown = server.running.peak_memory().unwrap() - before;

        let total = said["length"] + said["backpressure"] + said["refused"];
        assert_eq!(total, 10_000_000_000_u64.div_ceil(MIB), "{said:?}");
        assert!(said["backpressure"] > 0, "{said:?}");
        // The bytes in the buffers of the kernels do not count as the server's.
        assert!(said["refused"] > total - 2 * (LIMIT / MIB) - 64, "{said:?}");
        assert!(said["queued"] <= LIMIT + MIB, "{said:?}");
        assert!(grown < LIMIT + 16 * MIB, "grown by {grown} bytes, {said:?}");

        // The messages that were accepted arrive, and no others.
        for number in 0..said["length"] + said["backpressure"] {
            let frame = reader.frame().await.expect("a message");
            assert_eq!(
                (frame.opcode, frame.payload.len()),
                (Opcode::Binary, 1 << 20)
            );
            assert_eq!(number_of(&frame), number);
        }
        assert_eq!(reader.text().await, "drained");
        writer.send_close(1000, "").await;
        assert_eq!(close_of(&mut reader).await.close_code(), 1000);
        server.running.line("closed true 1000").unwrap();
    });
}

/// A server that waits for `drain` buffers no more than the data that it sends next.
#[test]
fn a_gigabyte_in_step_with_a_client_that_reads() {
    for (version, count) in [(Version::Http1, 1024), (Version::Http2, 256)] {
        let mut server = Server::start("flood.js", &["handlers", &(64 * MIB).to_string()]);
        server.run(async |server| {
            let connections = Connections::new(version, server.port, 1).await;
            let (mut reader, mut writer) = connections.open(0, "/").await;
            let before = server.running.peak_memory().unwrap();
            writer.send_text(&format!("stream {count}")).await;
            for number in 0..count {
                let frame = reader.frame().await.expect("a message");
                assert_eq!(number_of(&frame), number);
            }
            let text = reader.text().await;
            let drains: u32 = text.strip_prefix("drains ").unwrap().parse().unwrap();
            assert!(drains > 0);
            let grown = server.running.peak_memory().unwrap() - before;
            assert!(grown < 24 * MIB, "grown by {grown} bytes");
        });
    }
}

/// A peer that reads counts as alive, no matter how much data comes before a Ping or a Close frame.
#[test]
fn a_client_that_reads_slowly_gets_all_of_it() {
    for (version, pause, close_timeout) in [(Version::Http1, 25, 1), (Version::Http2, 1, 5)] {
        let options = format!(
            r#"{{"idleTimeout":1,"closeTimeout":{close_timeout},"backpressureLimit":1000000}}"#
        );
        let mut server = Server::start("backlog.js", &[&options]);
        server.run(async |server| {
            let connections = Connections::new(version, server.port, 1).await;
            for (path, close, closed) in [
                ("/long", None, None),
                ("/close", Some((1000, "bye")), Some("1000 true")),
                (
                    "/limit",
                    Some((
                        1008,
                        "queued messages exceed backpressureLimit (1000000 bytes)",
                    )),
                    None,
                ),
            ] {
                let (mut reader, mut writer) = connections.open(0, path).await;
                reader.slow_down(Duration::from_millis(pause));
                loop {
                    let frame = reader.frame().await.expect("the message");
                    match frame.opcode {
                        Opcode::Ping => {}
                        opcode => {
                            assert_eq!((opcode, frame.payload.len()), (Opcode::Binary, 8 << 20));
                            break;
                        }
                    }
                }
                if let Some((code, reason)) = close {
                    let frame = close_of(&mut reader).await;
                    assert_eq!((frame.close_code(), frame.close_reason()), (code, reason));
                    writer.send_close(code, "").await;
                }
                if let Some(closed) = closed {
                    // The line comes after the lines of the others, which have no order.
                    while server.running.line("closed ").unwrap() != closed {}
                }
            }
        });
    }
}

/// A peer that reads too slowly does not count as alive.
#[test]
fn a_client_that_takes_too_little_is_given_up() {
    let options = r#"{"idleTimeout":0,"closeTimeout":1,"leastProgress":100000000}"#;
    let mut server = Server::start("backlog.js", &[options]);
    server.run(async |server| {
        let connections = Connections::new(Version::Http1, server.port, 1).await;
        let (mut reader, _writer) = connections.open(0, "/close").await;
        reader.slow_down(Duration::from_millis(100));
        assert!(reader.frame().await.is_none());
        assert_eq!(server.running.line("closed ").unwrap(), "1006 false");
    });
}

/// Pings are answered as soon as is practical (RFC 6455, section 5.5.2).
#[test]
fn pings_are_answered_while_something_is_queued() {
    for version in [Version::Http1, Version::Http2] {
        let mut server = Server::start("backlog.js", &[r#"{"idleTimeout":0}"#]);
        server.run(async |server| {
            let connections = Connections::new(version, server.port, 1).await;
            let (mut reader, mut writer) = connections.open(0, "/steady").await;
            for number in 0..5_u8 {
                // Pings in between need not be answered, but the last one must be.
                for of_many in 0..10 {
                    assert!(writer.send(Opcode::Ping, &[number, of_many]).await);
                }
                // The server and the kernels buffer far less than this.
                let mut left = 64 << 20;
                while left > 0 {
                    let frame = reader.frame().await.expect("a frame");
                    if frame.opcode == Opcode::Pong && frame.payload[..] == [number, 9] {
                        break;
                    }
                    left -= frame.payload.len() as i64;
                }
                assert!(left > 0, "no answer to Ping {number}");
            }
        });
    }
}

/// The frames of many sockets are sent by one system call if that is possible, and each is sent
/// once.
#[test]
fn nothing_is_sent_twice() {
    const SOCKETS: usize = 8;
    let mut server = Server::start("backlog.js", &["{}", &SOCKETS.to_string()]);
    server.run(async |server| {
        let connections = Connections::new(Version::Http1, server.port, 1).await;
        let mut reading = JoinSet::new();
        for index in 0..SOCKETS {
            let (mut reader, writer) = connections.open(index, "/numbers").await;
            reading.spawn(async move {
                let mut numbers = 0..;
                loop {
                    let frame = reader.frame().await.expect("a frame");
                    match frame.opcode {
                        Opcode::Text => {
                            let number: u32 =
                                frame.text().split(' ').next().unwrap().parse().unwrap();
                            assert_eq!(number, numbers.next().unwrap(), "{}", frame.text());
                        }
                        Opcode::Close => {
                            let count: u32 = frame.close_reason().parse().unwrap();
                            assert_eq!(count, numbers.next().unwrap());
                            break;
                        }
                        _ => {}
                    }
                }
                (reader, writer)
            });
        }
        server.running.line("sent").unwrap();
        assert_eq!(server.running.has_io_uring(), io_uring_is_allowed());
        finish(reading).await;
    });
}

/// Whether the kernel lets programs have io_uring.
fn io_uring_is_allowed() -> bool {
    #[cfg(target_os = "linux")]
    {
        // The parameters of the system call. All of them can be zero.
        let mut parameters = [0_u64; 15];
        // SAFETY: the structure has 120 bytes, and outlives the call.
        let descriptor =
            unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) };
        if let Ok(descriptor @ 0..) = i32::try_from(descriptor) {
            // SAFETY: no other code has this descriptor.
            unsafe { libc::close(descriptor) };
            return true;
        }
    }
    false
}

#[test]
fn shutdown_reaches_a_thousand_clients() {
    for version in [Version::Http1, Version::Http2] {
        let mut server = Server::start("shutdown.js", &["10"]);
        server.run(async |server| {
            let mut sockets = thousand(server.port, version).await;
            sockets[500].1.send_text("shutdown").await;
            let mut closing = JoinSet::new();
            for (mut reader, mut writer) in sockets {
                closing.spawn(async move {
                    assert_eq!(close_of(&mut reader).await.close_code(), 1001);
                    assert!(writer.send_close(1001, "").await);
                    assert!(reader.frame().await.is_none());
                });
            }
            finish(closing).await;
            let ends = server.running.line("ends ").unwrap();
            assert_eq!(ends, r#"{"1001":1000}"#);
            server.running.line("shut down").unwrap();
        });
        server.ends();
    }
}

#[test]
fn shutdown_does_not_wait_for_clients_that_do_not_answer() {
    for version in [Version::Http1, Version::Http2] {
        let mut server = Server::start("shutdown.js", &["1"]);
        server.run(async |server| {
            let mut sockets = thousand(server.port, version).await;
            let begin = Instant::now();
            sockets[500].1.send_text("shutdown").await;
            let mut closing = JoinSet::new();
            for (mut reader, writer) in sockets {
                closing.spawn(async move {
                    assert_eq!(close_of(&mut reader).await.close_code(), 1001);
                    // The server has ended the connection.
                    assert!(reader.frame().await.is_none());
                    drop(writer);
                });
            }
            finish(closing).await;
            // This is not earlier than `closeTimeout`.
            assert!(begin.elapsed() >= Duration::from_secs(1));
            let ends = server.running.line("ends ").unwrap();
            assert_eq!(ends, r#"{"1006":1000}"#);
            server.running.line("shut down").unwrap();
        });
        server.ends();
    }
}

/// Opens 1000 sockets.
async fn thousand(port: u16, version: Version) -> Vec<(Reader, Writer)> {
    let connections = Connections::new(version, port, 10).await;
    let mut sockets = Vec::new();
    for index in 0..1000 {
        sockets.push(connections.open(index, "/").await);
    }
    sockets[0].1.send_text("count").await;
    assert_eq!(sockets[0].0.text().await, "1000");
    sockets
}

#[test]
fn a_busy_script_drops_nobody() {
    busy(2, 5);
}

#[test]
#[ignore = "takes more than a minute"]
fn a_busy_script_drops_nobody_in_a_minute() {
    busy(30, 60);
}

fn busy(idle_timeout: u32, seconds: u32) {
    let mut server = Server::start(
        "busy.js",
        &[&idle_timeout.to_string(), &seconds.to_string()],
    );
    server.run(async |server| {
        let mut clients = JoinSet::new();
        for version in [Version::Http1, Version::Http2] {
            let connections = Connections::new(version, server.port, 2).await;
            for index in 0..10 {
                let socket = connections.open(index, "/").await;
                clients.spawn(stay(socket));
            }
        }
        // The script is made busy when all sockets are open, so each of them has been pinged
        // before.
        let (mut reader, mut writer) = client::connect(server.port, "/").await.unwrap();
        writer.send_text("echo").await;
        assert_eq!(reader.text().await, "echo");
        writer.send_text("block").await;
        clients.spawn(stay((reader, writer)));
        finish(clients).await;
    });
}

/// Answers pings until it has answered two after the script was no longer busy. The first of them
/// may have been sent before that or may be a late one, but the second is not.
async fn stay((mut reader, mut writer): (Reader, Writer)) {
    let mut pings = 0;
    let mut is_unblocked = false;
    while pings < 2 {
        let frame = reader.frame().await.expect("the server goes on");
        match frame.opcode {
            Opcode::Ping => {
                assert!(writer.send(Opcode::Pong, &frame.payload).await);
                pings += u32::from(is_unblocked);
            }
            Opcode::Text => {
                assert_eq!(frame.text(), "unblocked");
                is_unblocked = true;
            }
            _ => panic!("closed: {} {}", frame.close_code(), frame.close_reason()),
        }
    }
    writer.send_text("still here").await;
    assert_eq!(reader.text().await, "still here");
}

#[test]
fn what_was_sent_arrives_before_the_close() {
    let mut server = Server::start("soak.js", &[]);
    server.run(async |server| {
        let mut talks = JoinSet::new();
        for id in 0..1000 {
            let path = format!("/{id}");
            let socket = match id % 3 {
                0 => client::connect_deflate(server.port, &path).await.unwrap(),
                _ => client::connect(server.port, &path).await.unwrap(),
            };
            talks.spawn(talk(id, socket));
        }
        let connections = Connections::new(Version::Http2, server.port, 4).await;
        for id in 1000..1200 {
            let socket = connections.open(id, &format!("/{id}")).await;
            talks.spawn(talk(id, socket));
        }
        let heard: HashMap<usize, Heard> = finish(talks).await.into_iter().collect();

        for _ in 0..heard.len() {
            let line = server.running.line("").unwrap();
            let end = line
                .strip_prefix("end ")
                .unwrap_or_else(|| panic!("{line}"));
            let fields: Vec<&str> = end.split(' ').collect();
            let [id, sent, received, code, reason] = fields[..] else {
                panic!("{line}");
            };
            let Heard {
                received: heard,
                sent: said,
                close,
            } = &heard[&id.parse().unwrap()];
            let Some((close_code, close_reason)) = close else {
                // The client has vanished.
                assert_eq!(code, "1006", "{line}");
                continue;
            };
            // These are the messages that the server's send() accepted.
            assert_eq!(sent, heard.to_string(), "{line}");
            if *close_code == 4000 {
                assert_eq!(close_reason, sent, "{line}");
            }
            // These are the messages that the client sent, unless the server closed before.
            if (*close_code, code) == (4001, "4001") {
                assert_eq!(reason, said.to_string(), "{line}");
                assert_eq!(received, reason, "{line}");
            }
        }
        assert_eq!(heard.len(), 1200);
    });
}

/// What a client knows of a socket that has ended.
struct Heard {
    received: u32,
    sent: u32,
    /// The server's Close frame.
    close: Option<(u16, String)>,
}

async fn talk(id: usize, (mut reader, mut writer): (Reader, Writer)) -> (usize, Heard) {
    let mut random = Random(id as u64 + 1);
    let closes = matches!(id % 4, 1 | 2);
    let count = random.below(50) as u32;
    let (closed, mut is_closed) = oneshot::channel::<()>();
    // The client vanishes when it has sent everything. Later messages of the server are lost.
    let (vanish, mut vanishes) = oneshot::channel::<()>();

    let writing = async move {
        let mut sent = 0;
        while sent < count && is_closed.try_recv() == Err(TryRecvError::Empty) {
            let length = match random.below(50) {
                0 => 300_000,
                _ => random.below(3000) as usize,
            };
            let is_taken = match random.below(2) {
                0 => {
                    let text = format!("{sent}:{}", "y".repeat(length));
                    writer.send_text(&text).await
                }
                _ => {
                    let mut bytes = u32::to_be_bytes(sent).to_vec();
                    bytes.resize(4 + length, 0);
                    writer.send(Opcode::Binary, &bytes).await
                }
            };
            if !is_taken {
                break;
            }
            sent += 1;
            if random.below(3) == 0 {
                tokio::time::sleep(Duration::from_millis(random.below(10))).await;
            }
        }
        let mut has_closed = false;
        if closes {
            has_closed = writer.send_close(4001, &sent.to_string()).await;
        }
        match id % 4 {
            3 => drop(vanish),
            _ => std::mem::forget(vanish),
        }
        (writer, sent, has_closed)
    };
    let reading = async move {
        let mut random = Random(id as u64 + 7);
        let mut received = 0;
        let mut close = None;
        loop {
            let frame = tokio::select! {
                frame = reader.frame() => frame,
                _ = &mut vanishes => None,
            };
            let Some(frame) = frame else {
                break;
            };
            match frame.opcode {
                Opcode::Text | Opcode::Binary => {
                    assert_eq!(number_of(&frame), u64::from(received));
                    received += 1;
                }
                Opcode::Close => {
                    let reason = frame.close_reason().to_string();
                    close = Some((frame.close_code(), reason));
                    break;
                }
                _ => {}
            }
            // Now and then the client does not read for a while.
            if random.below(5) == 0 {
                tokio::time::sleep(Duration::from_millis(random.below(20))).await;
            }
        }
        let _ = closed.send(());
        (reader, received, close)
    };
    let ((mut writer, sent, has_closed), (mut reader, received, close)) =
        tokio::join!(writing, reading);
    if let Some((code, _)) = &close {
        if !has_closed {
            writer.send_close(*code, "").await;
        }
        assert!(
            reader.frame().await.is_none(),
            "a frame behind a Close frame"
        );
    }
    let heard = Heard {
        received,
        sent,
        close,
    };
    (id, heard)
}

/// The number at the start of a message.
fn number_of(frame: &Frame) -> u64 {
    match frame.opcode {
        Opcode::Text => frame.text().split(':').next().unwrap().parse().unwrap(),
        _ => u32::from_be_bytes(frame.payload[..4].try_into().unwrap()).into(),
    }
}

/// Reads up to the Close frame, and returns it.
async fn close_of(reader: &mut Reader) -> Frame {
    loop {
        let frame = reader.frame().await.expect("a Close frame");
        if frame.opcode == Opcode::Close {
            return frame;
        }
    }
}

/// Waits for all tasks. A panic of a task continues here.
async fn finish<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut results = Vec::new();
    while let Some(result) = tasks.join_next().await {
        match result {
            Ok(result) => results.push(result),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    results
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    Http1,
    Http2,
}

/// The connections to open sockets on. HTTP/2 has only a few.
struct Connections {
    port: u16,
    http2: Vec<Http2>,
}

impl Connections {
    async fn new(version: Version, port: u16, count: usize) -> Self {
        let mut http2 = Vec::new();
        if version == Version::Http2 {
            for _ in 0..count {
                http2.push(Http2::connect(port).await.unwrap());
            }
        }
        Self { port, http2 }
    }

    async fn open(&self, index: usize, path: &str) -> (Reader, Writer) {
        match self.http2.len() {
            0 => client::connect(self.port, path).await.unwrap(),
            count => self.http2[index % count].open(path).await.unwrap(),
        }
    }
}

/// Raises the limit on open files, because each client has a descriptor.
fn raise_open_files() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a valid structure, which outlives them.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

struct Server {
    running: Running,
    port: u16,
}

impl Server {
    fn start(script: &str, args: &[&str]) -> Self {
        let mut command: Command = support::duplex_run();
        command
            .arg("--allow-net")
            .arg(support::tests_dir().join("service").join(script))
            .args(args);
        let mut running = Running::start(script, &mut command).unwrap();
        let port = running.line("listening ").unwrap().parse().unwrap();
        Self { running, port }
    }

    /// Runs a test. Its clients go on while it waits for the server.
    fn run(&mut self, test: impl AsyncFnOnce(&mut Self)) {
        raise_open_files();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let guarded = tokio::time::timeout(2 * support::LIMIT, test(self));
            guarded.await.expect("the test hangs");
        });
    }

    /// Waits until the server has ended by itself.
    fn ends(self) {
        let finished = self.running.end().unwrap();
        assert_eq!(finished.code(), 0, "{}", finished.report());
    }
}

/// xorshift64
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
