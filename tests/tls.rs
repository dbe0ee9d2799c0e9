//! TLS on both ends, with certificates made here.

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

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certificates::Authority;
use duplex_protocol::encoder::{encode_binary, encode_text};
use duplex_protocol::frame::Opcode;
use peer::Peer;
use support::{Finished, Running};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A script with a server, which has the certificate in the arguments, and a client. It prints how
/// the connection ends.
const SCRIPT: &str = r#"
const [cert, key] = Deno.args.map((path) => Deno.readTextFileSync(path));
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  },
);
const socket = new WebSocket(`wss://localhost:${server.addr.port}/`);
socket.binaryType = "arraybuffer";
socket.onopen = () => {
  socket.send("text");
  socket.send(new Uint8Array(1_000_000).fill(7));
};
socket.onmessage = ({ data }) => {
  if (typeof data === "string") {
    console.log(data);
    return;
  }
  const bytes = new Uint8Array(data);
  console.log(bytes.length, bytes.every((byte) => byte === 7));
  socket.close(3000, "enough");
};
socket.onerror = ({ message }) => console.log(message);
socket.onclose = ({ code, reason, wasClean }) => {
  console.log(code, reason, wasClean);
  server.shutdown();
};
"#;

#[test]
fn a_private_authority_is_trusted_by_cert() {
    let files = Files::new("trusted");
    let finished = run(&files, &["--cert", files.path("ca.pem").to_str().unwrap()]);
    assert_eq!(
        finished.stdout,
        "text\n1000000 true\n3000 enough true\n",
        "{}",
        finished.report()
    );
}

#[test]
fn an_unknown_authority_fails_with_the_cause() {
    let finished = run(&Files::new("unknown"), &[]);
    assert_eq!(
        finished.stdout,
        "NetworkError: failed to connect to WebSocket: \
         invalid peer certificate: UnknownIssuer\n1006  false\n",
        "{}",
        finished.report()
    );
}

#[test]
fn certificate_errors_can_be_ignored_for_a_host() {
    let files = Files::new("ignored");
    let finished = run(&files, &["--unsafely-ignore-certificate-errors=localhost"]);
    assert!(finished.stdout.ends_with("3000 enough true\n"));
    assert!(finished.stderr.contains("DANGER"), "{}", finished.report());

    let finished = run(&files, &["--unsafely-ignore-certificate-errors=elsewhere"]);
    assert!(finished.stdout.ends_with("1006  false\n"));
}

/// A server for clients of the test, which prints how their connections end.
const SERVER: &str = r#"
const [cert, key] = Deno.args.map((path) => Deno.readTextFileSync(path));
const onListen = ({ port }) => console.log(`listening ${port}`);
Deno.serve({ hostname: "127.0.0.1", port: 0, cert, key, onListen }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = ({ data }) => {
    if (`${data}`.startsWith("note ")) return console.log(data);
    if (data !== "much") return socket.send(data);
    socket.ondrain = () => console.log("drained");
    for (let i = 0; i < 256; i++) socket.send(new Uint8Array(128 << 10).fill(i));
    setTimeout(() => console.log(`buffered ${socket.bufferedAmount > 0}`));
  };
  socket.onerror = ({ message }) => console.log(`error ${message}`);
  socket.onclose = ({ code, wasClean }) => console.log(`closed ${code} ${wasClean}`);
  return response;
});
"#;

type Session = StreamOwned<ClientConnection, TcpStream>;

fn serve(name: &str) -> (Running, Arc<ClientConfig>, u16) {
    let files = Files::new(name);
    files.write("server.js", SERVER);
    let mut server = Running::start(
        "the server",
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .arg(files.path("server.js"))
            .arg(files.path("server.pem"))
            .arg(files.path("server.key")),
    )
    .unwrap();
    let port = server.line("listening ").unwrap().parse().unwrap();
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(files.path("ca.pem")).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, Arc::new(config), port)
}

fn connect(config: &Arc<ClientConfig>, port: u16) -> Peer<Session> {
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(config.clone(), name).unwrap();
    Peer::open(StreamOwned::new(session, peer::tcp(port)), "")
}

#[test]
fn keys_are_changed_when_the_peer_asks() {
    let (_server, config, port) = serve("keys");
    let mut peer = connect(&config, port);
    for number in 0..5 {
        peer.echo(number);
        peer.0.conn.refresh_traffic_keys().unwrap();
    }
}

#[test]
fn records_are_no_frames() {
    let (mut server, config, port) = serve("records");
    let mut peer = connect(&config, port);
    // The record has many frames.
    let mut frames = Vec::new();
    for number in 0..200 {
        encode_text(&mut frames, Some([0; 4]), &number.to_string());
    }
    peer.0.write_all(&frames).unwrap();
    for number in 0..200 {
        let text = number.to_string().into_bytes();
        assert_eq!(peer.frame().unwrap(), (Opcode::Text, text));
    }
    // A frame is in many records, and a record is in many packets.
    peer.0.sock.set_nodelay(true).unwrap();
    let mut frame = Vec::new();
    encode_text(&mut frame, Some([0; 4]), "in pieces");
    for byte in frame {
        peer.0.conn.writer().write_all(&[byte]).unwrap();
        let mut record = Vec::new();
        peer.0.conn.write_tls(&mut record).unwrap();
        for byte in record {
            peer.0.sock.write_all(&[byte]).unwrap();
        }
    }
    assert_eq!(peer.frame().unwrap(), (Opcode::Text, b"in pieces".to_vec()));
    // The message takes many frames and many records.
    let payload: Vec<u8> = (0..1_000_000).map(|at| (at % 251) as u8).collect();
    let mut frame = Vec::new();
    encode_binary(&mut frame, Some([0; 4]), &payload);
    peer.0.write_all(&frame).unwrap();
    assert!(peer.frame().unwrap() == (Opcode::Binary, payload));

    // Both ends close the WebSocket and TLS properly.
    peer.answer_close(1000);
    assert_eq!(peer.close_code(), 1000);
    assert_eq!(peer.0.read(&mut [0]).unwrap(), 0, "by close_notify");
    assert_eq!(server.line("closed ").unwrap(), "1000 true");
}

#[test]
fn a_slow_peer_gets_all_of_it() {
    let (mut server, config, port) = serve("slow");
    let mut peer = connect(&config, port);
    peer.send_text("much").unwrap();
    assert_eq!(server.line("buffered ").unwrap(), "true");
    // Another connection does not wait for this one.
    connect(&config, port).echo(1);
    for number in 0..=255 {
        let (opcode, payload) = peer.frame().unwrap();
        assert_eq!((opcode, payload.len()), (Opcode::Binary, 128 << 10));
        assert!(payload.iter().all(|byte| *byte == number));
    }
    server.line("drained").unwrap();
    peer.echo(1);
}

#[test]
fn a_peer_that_goes_or_breaks_tls_ends_its_own_connection() {
    let (mut server, config, port) = serve("broken");
    let mut other = connect(&config, port);

    // The client drops the connection without closing it.
    drop(connect(&config, port));
    server.line("error ").unwrap();
    assert_eq!(server.line("closed ").unwrap(), "1006 false");
    other.echo(1);

    // The client closes TLS, but not the WebSocket.
    let mut peer = connect(&config, port);
    peer.0.conn.send_close_notify();
    peer.0.flush().unwrap();
    assert_eq!(server.line("error ").unwrap(), "Unexpected EOF");
    assert_eq!(server.line("closed ").unwrap(), "1006 false");
    other.echo(2);

    // The client sends bytes that are not a record, and gets an alert. The data that came before in
    // the same read is delivered.
    let mut peer = connect(&config, port);
    let mut bytes = Vec::new();
    for number in 0..20 {
        let mut frame = Vec::new();
        encode_text(&mut frame, Some([0; 4]), &format!("note {number}"));
        peer.0.conn.writer().write_all(&frame).unwrap();
        peer.0.conn.write_tls(&mut bytes).unwrap();
    }
    bytes.extend([0x17, 3, 3, 0, 20]);
    bytes.extend([0xff; 20]);
    peer.0.sock.write_all(&bytes).unwrap();
    for number in 0..20 {
        assert_eq!(server.line("note ").unwrap(), number.to_string());
    }
    assert!(server.line("error ").unwrap().contains("decrypt"));
    assert_eq!(server.line("closed ").unwrap(), "1006 false");

    let mut peer = connect(&config, port);
    peer.0.sock.write_all(&[0x17, 3, 3, 0, 20]).unwrap();
    peer.0.sock.write_all(&[0xff; 20]).unwrap();
    assert!(server.line("error ").unwrap().contains("decrypt"));
    assert_eq!(server.line("closed ").unwrap(), "1006 false");
    let error = peer.0.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
    other.echo(3);
}

fn run(files: &Files, flags: &[&str]) -> Finished {
    let finished = support::finish(
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .args(flags)
            .arg(files.path("script.js"))
            .arg(files.path("server.pem"))
            .arg(files.path("server.key")),
    )
    .unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    finished
}

/// A folder with an authority, a server's certificate for localhost, and the
/// script.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}"));
        fs::create_dir_all(&folder).unwrap();
        let files = Self(folder);

        let authority = Authority::new();
        let server = authority.server(&["localhost"]);
        files.write("ca.pem", &authority.certificate);
        files.write("server.pem", &server.certificate);
        files.write("server.key", &server.key);
        files.write("script.js", SCRIPT);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }
}
