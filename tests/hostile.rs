//! Peers that try to bring a server down. Each loses its own connection with the right code. The
//! server's memory stays bounded, and another connection is served all the time.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/peer.rs"]
mod peer;
mod support;

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, thread};

use duplex_protocol::deflate::{Compression, Compressor, Parameters};
use duplex_protocol::encoder::encode_binary_compressed;
use duplex_protocol::frame::{FrameHeader, Opcode, Role};
use peer::{Peer, push};
use support::Running;

/// An echo server. Its only argument is the options of `upgradeWebSocket`.
const SERVER: &str = r#"
const options = { idleTimeout: 0, ...JSON.parse(Deno.args[0]) };
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
}, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, options);
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});
"#;

const MIB: u64 = 1 << 20;

#[test]
fn ten_gigabytes_in_a_frame_of_ten_megabytes() {
    // DEFLATE reduces data to a 1032nd at best, and here almost to that.
    let payload = zeros(10 << 10);
    assert!(payload.len() < 11 << 20);
    let server = Server::start("bomb", r#"{"perMessageDeflate":true}"#);
    // The message may grow to 64 MiB, and is copied once while it grows.
    server.survives(128 * MIB, 1009, |peer| {
        peer.send(Opcode::Binary, true, &payload);
    });
}

#[test]
fn a_small_bomb_against_a_small_limit() {
    let payload = zeros(10);
    assert!(payload.len() < 11 << 10);
    let options = r#"{"perMessageDeflate":true,"maxPayloadLength":100000}"#;
    let server = Server::start("small-bomb", options);
    server.survives(8 * MIB, 1009, |peer| {
        peer.send(Opcode::Binary, true, &payload);
    });
}

#[test]
fn a_message_in_countless_fragments() {
    let server = Server::start("fragments", "{}");
    server.survives(8 * MIB, 1008, |peer| {
        peer.send(Opcode::Text, false, b"");
        let mut frames = Vec::new();
        for _ in 0..1 << 17 {
            push(&mut frames, Opcode::Continuation, false, b"");
        }
        peer.write(&frames);
    });
}

#[test]
fn a_flood_of_pings_whose_answers_are_not_read() {
    let server = Server::start("pings", "{}");
    server.survives(16 * MIB, 1008, |peer| {
        let mut frames = Vec::new();
        for _ in 0..100_000 {
            push(&mut frames, Opcode::Ping, false, &[7; 125]);
        }
        peer.write(&frames);
    });
}

/// Tiny messages cost their sender almost nothing. The server buffers no more for their echoes than
/// the limit allows.
#[test]
fn tiny_messages_whose_echoes_are_not_read() {
    for payload in [&b""[..], b"x", &[b'x'; 100]] {
        let mut frames = Vec::new();
        for _ in 0..100_000 {
            push(&mut frames, Opcode::Text, false, payload);
        }
        // Each frame is a whole message.
        let length = frames.len() / 100_000;
        let first = frames.iter_mut().step_by(length);
        first.for_each(|first| *first |= 0x80);
        // These are more than enough to fill the server's buffer.
        let rounds = 70 * MIB as usize / (payload.len() + 2) / 100_000 + 1;
        let attack = |peer: &mut Peer| (0..rounds).all(|_| peer.try_write(&frames));

        // The memory that the engine needs for this many messages is the same in both cases.
        let grown = |limit: u64| {
            let options =
                format!(r#"{{"backpressureLimit":{limit},"closeOnBackpressureLimit":false}}"#);
            Server::start("tiny", &options).grown_by_unread(|peer| assert!(attack(peer)))
        };
        let (little, much) = (grown(MIB), grown(64 * MIB));
        let held = much.saturating_sub(little);
        assert!(held > 50 * MIB, "not even the limit: {little} and {much}");
        // The engine may have enlarged its young generation in one of the two cases.
        let young = 16 * MIB;
        assert!(held < 63 * MIB + young, "{little} and {much}");
    }
}

#[test]
fn long_messages_that_are_only_announced() {
    let server = Server::start("announced", r#"{"perMessageDeflate":true}"#);
    let before = server.running.peak_memory().unwrap();
    let peers: Vec<_> = (0..500)
        .map(|i| {
            let mut peer = Peer::connect(server.port, "permessage-deflate");
            // A message of 60 MiB is announced, but only one byte of it comes.
            let (header, length) = FrameHeader {
                fin: true,
                rsv1: i % 2 == 0,
                opcode: Opcode::Binary,
                mask: Some([0; 4]),
                payload_length: 60 << 20,
            }
            .encode();
            peer.write(&header[..length]);
            peer.write(&[0]);
            peer
        })
        .collect();
    // This connection comes after all others, so what they sent has been read.
    let mut last = Peer::connect(server.port, "");
    last.echo(0);
    let grown = server.running.peak_memory().unwrap() - before;
    assert!(grown < 100 * MIB, "{grown}");
    drop(peers);
    last.echo(1);
}

#[test]
fn handshakes_that_are_cut_short_or_garbled() {
    const HANDSHAKE: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let server = Server::start("handshakes", "{}");
    let mut bystander = Peer::connect(server.port, "");
    bystander.echo(0);
    let before = server.running.peak_memory().unwrap();
    let begin = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    for length in 0..=HANDSHAKE.len() {
        // The peer goes at once, and leaves the answer unread if there is one.
        drop(begin(&HANDSHAKE[..length]));
        // The peer ends its side of the connection.
        let stream = begin(&HANDSHAKE[..length]);
        stream.shutdown(Shutdown::Write).unwrap();
    }
    for position in 0..HANDSHAKE.len() {
        for byte in [b"\0", b"\r", b"\n", b":", b" ", b"\xff"] {
            let mut garbled = HANDSHAKE.to_vec();
            garbled[position] = byte[0];
            // The rest of a WebSocket's bytes is not a frame.
            garbled.extend_from_slice(byte);
            drop(begin(&garbled));
        }
        bystander.echo(position as u32 + 1);
    }
    let grown = server.running.peak_memory().unwrap() - before;
    assert!(grown < 32 * MIB, "grown by {grown} bytes");
}

/// This many MiB of zeros, compressed.
fn zeros(mebibytes: usize) -> Vec<u8> {
    let parameters = Parameters {
        server_no_context_takeover: true,
        ..Parameters::default()
    };
    let mut compressor = Compressor::new(Role::Server, &parameters, Compression::default());
    let mut frame = Vec::new();
    encode_binary_compressed(&mut frame, None, &vec![0; 1 << 20], &mut compressor);
    let (header, length) = FrameHeader::decode(&frame, Role::Client).unwrap().unwrap();
    assert!(header.rsv1);
    // With the tail that is left out on the wire, a message is the start of a longer one.
    let mut payload = frame.split_off(length);
    payload.extend_from_slice(&[0, 0, 0xff, 0xff]);
    payload.repeat(mebibytes)
}

struct Server {
    running: Running,
    port: u16,
}

impl Server {
    fn start(name: &str, options: &str) -> Self {
        let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{name}.js"));
        fs::write(&script, SERVER).unwrap();
        let mut command = support::duplex_run();
        command.arg("--allow-net").arg(script).arg(options);
        let mut running = Running::start("the server", &mut command).unwrap();
        let port = running.line("listening ").unwrap().parse().unwrap();
        Self { running, port }
    }

    /// Attacks with a peer that reads nothing until it is dropped. Returns by how much the server's
    /// memory grows.
    fn grown_by_unread(&self, attack: impl FnOnce(&mut Peer)) -> u64 {
        let mut peer = Peer::connect(self.port, "");
        peer.echo(0);
        let before = self.running.peak_memory().unwrap();
        attack(&mut peer);
        let grown = self.running.peak_memory().unwrap() - before;
        Peer::connect(self.port, "").echo(1);
        grown
    }

    /// Attacks with a peer. It is closed with `code`, and the server's memory grows by less than
    /// `growth`.
    fn survives(&self, growth: u64, code: u16, attack: impl FnOnce(&mut Peer)) {
        let mut bystander = Peer::connect(self.port, "");
        bystander.echo(0);
        let before = self.running.peak_memory().unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 1;
                while !is_over.load(Ordering::Relaxed) {
                    bystander.echo(number);
                    number += 1;
                }
                bystander.echo(number);
            });
            let mut peer = Peer::connect(self.port, "permessage-deflate");
            attack(&mut peer);
            let closed = peer.close_code();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(closed, code);
        });
        let grown = self.running.peak_memory().unwrap() - before;
        assert!(grown < growth, "grown by {grown} bytes");
    }
}
