//! Peers that try to bring a server down. Each loses its own connection, with the
//! right code; the server's memory stays bounded, and another connection is
//! served all the while.

mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, thread};

use duplex_protocol::deflate::{Compression, Compressor, Parameters};
use duplex_protocol::encoder::{encode_binary_compressed, encode_text};
use duplex_protocol::frame::{FrameHeader, Opcode, Role};
use support::Running;

/// Echoes. The only argument are the options of `upgradeWebSocket`.
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
    // DEFLATE shrinks to a 1032nd at best, and to nearly that here.
    let payload = zeros(10 << 10);
    assert!(payload.len() < 11 << 20);
    let server = Server::start("bomb", r#"{"perMessageDeflate":true}"#);
    // The message may grow to 64 MiB, and is copied once on the way there.
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

#[test]
fn long_messages_that_are_only_announced() {
    let server = Server::start("announced", r#"{"perMessageDeflate":true}"#);
    let before = server.running.peak_memory().unwrap();
    let peers: Vec<_> = (0..500)
        .map(|i| {
            let mut peer = Peer::connect(server.port, "permessage-deflate");
            // A message of 60 MiB, of which a byte comes.
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
    // Behind all of them: what they sent has been read.
    let mut last = Peer::connect(server.port, "");
    last.echo(0);
    let grown = server.running.peak_memory().unwrap() - before;
    assert!(grown < 100 * MIB, "{grown}");
    drop(peers);
    last.echo(1);
}

/// Compressed, so many MiB of zeros.
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
    // With the tail that is left out at its end, a message is the start of a
    // longer one.
    let mut payload = frame.split_off(length);
    payload.extend_from_slice(&[0, 0, 0xff, 0xff]);
    payload.repeat(mebibytes)
}

fn push(frames: &mut Vec<u8>, opcode: Opcode, compressed: bool, payload: &[u8]) {
    let (header, length) = FrameHeader {
        fin: opcode.is_control(),
        rsv1: compressed,
        opcode,
        // The mask that leaves everything as it is.
        mask: Some([0; 4]),
        payload_length: payload.len() as u64,
    }
    .encode();
    frames.extend_from_slice(&header[..length]);
    frames.extend_from_slice(payload);
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

    /// Lets a peer loose. It is closed with `code`, and the server's memory grows
    /// by less than `growth`.
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

/// A client made of a plain socket.
struct Peer(TcpStream);

impl Peer {
    fn connect(port: u16, extensions: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(support::LIMIT)).unwrap();
        stream.set_write_timeout(Some(support::LIMIT)).unwrap();
        let extensions = match extensions {
            "" => String::new(),
            offer => format!("Sec-WebSocket-Extensions: {offer}\r\n"),
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {extensions}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        Self(stream)
    }

    /// Sends `number` and waits for it.
    fn echo(&mut self, number: u32) {
        let text = number.to_string();
        let mut frame = Vec::new();
        encode_text(&mut frame, Some([0; 4]), &text);
        self.0.write_all(&frame).unwrap();
        let (opcode, payload) = self.frame().unwrap();
        assert_eq!((opcode, payload), (Opcode::Text, text.into_bytes()));
    }

    /// Sends a frame, whose payload is compressed where it is a binary one.
    fn send(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let mut frame = Vec::new();
        push(&mut frame, opcode, opcode == Opcode::Binary, payload);
        frame[0] |= if fin { 0x80 } else { 0 };
        self.write(&frame);
    }

    /// Writes as much as the server takes: it may be gone before the end.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// The code of the Close frame, behind whatever else has come.
    fn close_code(&mut self) -> u16 {
        loop {
            let (opcode, payload) = self.frame().expect("a Close frame");
            if opcode == Opcode::Close {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }

    fn frame(&mut self) -> io::Result<(Opcode, Vec<u8>)> {
        let mut head = Vec::new();
        loop {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
            if let Some((header, _)) = FrameHeader::decode(&head, Role::Client).unwrap() {
                let mut payload = vec![0; header.payload_length as usize];
                self.0.read_exact(&mut payload)?;
                return Ok((header.opcode, payload));
            }
        }
    }
}
