//! What the operator of a server sets and sees: renewed certificates, unix sockets, limits, the
//! time for the shutdown, and error messages.

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
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use certificates::{Authority, Identity};
use peer::Peer;
use support::{Running, duplex, finish};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A server that echoes, and answers requests.
const ECHO: &str = r#"
export default {
  fetch(request, info) {
    if (info.upgrade(request)) return;
    return new Response("served");
  },
  websocket: { message: (ws, data) => ws.send(data) },
};
"#;

#[test]
fn certificates_are_chosen_by_name_and_read_anew() {
    let authority = Authority::new();
    let first = authority.server(&["localhost"]);
    let second = authority.server(&["*.example.test", "example.test"]);
    let folder = Folder::new("certificates");
    let flags = [
        "--tls-cert",
        &folder.write("a.pem", &first.certificate),
        "--tls-key",
        &folder.write("a.key", &first.key),
        "--tls-cert",
        &folder.write("b.pem", &second.certificate),
        "--tls-key",
        &folder.write("b.key", &second.key),
    ];
    let mut server = Server::start(&folder, ECHO, "https", &flags);
    let shown = |name: &str| handshake(&authority, server.port, name);
    assert_eq!(shown("localhost"), first.der());
    assert_eq!(shown("chat.example.test"), second.der());
    assert_eq!(shown("example.test"), second.der());

    // When only one of the files is new, they are not a pair. The earlier certificate is still used
    // then.
    let renewed = authority.server(&["localhost"]);
    folder.write("a.pem", &renewed.certificate);
    while server.running.lines_with("do not fit together").is_empty() {
        assert_eq!(handshake(&authority, server.port, "localhost"), first.der());
    }
    folder.write("a.key", &renewed.key);
    let shown = |name: &str| handshake(&authority, server.port, name);
    while shown("localhost") == first.der() {}
    assert_eq!(shown("localhost"), renewed.der());
    assert_eq!(shown("example.test"), second.der());
    assert_eq!(server.end(), 0);
}

#[test]
fn files_that_are_no_certificates_end_the_program_by_name() {
    let folder = Folder::new("no-certificates");
    let identity = Authority::new().server(&["localhost"]);
    let other = Authority::new().server(&["localhost"]);
    let certificate = folder.write("cert.pem", &identity.certificate);
    let key = folder.write("key.pem", &identity.key);
    let other = folder.write("other.key", &other.key);
    for (chain, key, problem) in [
        ("none.pem", key.as_str(), "Unable to read"),
        (&certificate, "none.pem", "none.pem"),
        (
            &certificate,
            &certificate,
            "cert.pem has no usable private key",
        ),
        (&key, &key, "key.pem has no usable certificate"),
        (&certificate, &other, "do not fit together"),
    ] {
        let flags = ["--tls-cert", chain, "--tls-key", key];
        let finished = finish(&mut serve(&folder, ECHO, &flags)).unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
        assert!(finished.stderr.contains(problem), "{}", finished.report());
    }
    let flags = [
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--tls-key",
        &key,
    ];
    let finished = finish(&mut serve(&folder, ECHO, &flags)).unwrap();
    assert!(
        finished
            .stderr
            .contains("each --tls-cert needs a --tls-key"),
        "{}",
        finished.report()
    );
}

#[test]
fn a_unix_socket_of_the_command_line_needs_no_permission() {
    let folder = Folder::new("unix");
    let socket = folder.path("s");
    // A server that was killed leaves its socket behind.
    drop(UnixListener::bind(&socket).unwrap());
    let flags = ["--unix", socket.to_str().unwrap()];
    let script = "export default { port: 1, fetch: () => new Response('unix') };";
    let mut running = Running::start("the server", &mut serve(&folder, script, &flags)).unwrap();
    running.line("Listening on ").unwrap();
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("unix"), "{answer}");

    // A socket that is in use is not removed.
    let finished = finish(&mut serve(&folder, script, &flags)).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(
        finished.stderr.contains("is in use"),
        "{}",
        finished.report()
    );
    UnixStream::connect(&socket).unwrap();

    // A file is not removed either.
    let file = folder.write("file", "text");
    let finished = finish(&mut serve(&folder, script, &["--unix", &file])).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert_eq!(fs::read_to_string(&file).unwrap(), "text");

    // The program itself may not listen on another socket.
    let script = "export default { path: Deno.args[0], fetch: () => new Response('unix') };";
    let mut elsewhere = serve(&folder, script, &[]);
    let finished = finish(elsewhere.arg(folder.path("t"))).unwrap();
    assert!(
        finished.stderr.contains("NotCapable"),
        "{}",
        finished.report()
    );
    running.signal("TERM").unwrap();
    assert_eq!(running.end().unwrap().code(), 0);
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    for parallel in ["--parallel=1", "--parallel=2"] {
        let folder = Folder::new(&format!("limit{parallel}"));
        let mut server =
            Server::start(&folder, ECHO, "http", &["--max-connections", "3", parallel]);
        let mut peers: Vec<_> = (0..3)
            .map(|number| {
                let mut peer = Peer::connect(server.port, "");
                peer.echo(number);
                peer
            })
            .collect();
        let mut refused = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        let mut byte = [0];
        assert!(
            !matches!(refused.read(&mut byte), Ok(1..)),
            "it was answered"
        );
        server
            .running
            .line_with("there are 3 connections and WebSockets already")
            .unwrap();
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.echo(10 + number as u32);
        }
        // A connection that ends makes room for another.
        peers.pop();
        while get(server.port).is_none_or(|answer| answer != "served") {}
        drop(peers);
        assert_eq!(server.end(), 0);
    }
}

#[test]
fn a_server_without_descriptors_says_so_and_goes_on() {
    let folder = Folder::new("descriptors");
    let program = serve(&folder, ECHO, &["--host", "127.0.0.1", "--port", "0"]);
    let mut command = Command::new("sh");
    support::plain_output(&mut command);
    // This is the hard limit, which the process cannot raise.
    let line = "ulimit -n 40; exec \"$0\" \"$@\"";
    command.arg("-c").arg(line).arg(program.get_program());
    command.args(program.get_args());
    let mut running = Running::start("the server", &mut command).unwrap();
    let port = port_of(&mut running, "http");
    let sockets: Vec<_> = (0..60)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    running.line_with("no file descriptor is left").unwrap();
    drop(sockets);
    while get(port).is_none_or(|answer| answer != "served") {}
    running.signal("TERM").unwrap();
    assert_eq!(running.end().unwrap().code(), 0);
}

#[test]
fn the_time_for_the_end_is_kept() {
    let folder = Folder::new("end");
    let script = r#"
        export default {
          fetch: (request, info) => info.upgrade(request) ? undefined : new Promise(() => {}),
          websocket: { message: (ws, data) => ws.send(data) },
        };
    "#;
    let server = Server::start(&folder, script, "http", &["--shutdown-timeout", "0.1"]);
    let mut request = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    request.write_all(REQUEST).unwrap();
    let mut peer = Peer::connect(server.port, "");
    peer.echo(1);
    server.running.signal("TERM").unwrap();
    assert_eq!(peer.close_code(), 1001);
    // The client does not answer the Close frame, and the request gets no answer. The server must
    // end the connection without waiting for the ten seconds of a close handshake.
    let mut byte = [0];
    assert!(!matches!(request.read(&mut byte), Ok(1..)));
    assert_eq!(server.running.end().unwrap().code(), 0);
}

#[test]
fn a_quiet_server_says_nothing() {
    let folder = Folder::new("quiet");
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut command = duplex();
    let address = ["--host", "127.0.0.1", "--port", &port.to_string()];
    command.args(["-q", "serve"]).args(address);
    command.arg(folder.write("quiet.js", ECHO));
    let running = Running::start("the server", &mut command).unwrap();
    while get(port).is_none_or(|answer| answer != "served") {}
    running.signal("TERM").unwrap();
    let finished = running.end().unwrap();
    assert_eq!(finished.code(), 0);
    assert_eq!(finished.stdout, "", "{}", finished.report());
}

#[test]
fn errors_of_listening_name_the_address() {
    let folder = Folder::new("address");
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let flags = ["--host", "127.0.0.1", "--port", &port.to_string()];
    let finished = finish(&mut serve(&folder, ECHO, &flags)).unwrap();
    let wanted = format!("error: Port {port} of 127.0.0.1 is in use");
    assert!(
        finished.stderr.starts_with(&wanted),
        "{}",
        finished.report()
    );
    // 192.0.2.0/24 is reserved for documentation (RFC 5737).
    let flags = ["--host", "192.0.2.1", "--port", "8000"];
    let finished = finish(&mut serve(&folder, ECHO, &flags)).unwrap();
    let is_named = finished.stderr.starts_with("error: Unable to listen: ")
        && finished.stderr.contains("192.0.2.1:8000")
        && !finished.stderr.contains("ext:");
    assert!(is_named, "{}", finished.report());

    let script = format!("Deno.serve({{ hostname: '127.0.0.1', port: {port} }}, () => {{}});");
    let mut command = support::duplex_run();
    let file = folder.write("taken.js", &script);
    let finished = finish(command.arg("--allow-net").arg(file)).unwrap();
    let wanted = format!("cannot listen on 127.0.0.1:{port}");
    assert!(
        finished.stderr.contains("AddrInUse"),
        "{}",
        finished.report()
    );
    assert!(finished.stderr.contains(&wanted), "{}", finished.report());
}

#[test]
fn whoever_runs_what_is_to_be_served_is_told() {
    let folder = Folder::new("run");
    let run = |script: &str| {
        let file = folder.write("run.js", script);
        let finished = finish(support::duplex_run().arg("--allow-net").arg(file)).unwrap();
        assert_eq!(finished.code(), 0, "{}", finished.report());
        finished.stderr
    };
    assert!(run(ECHO).contains("did you mean `duplex serve`?"));
    let serves = r#"
        const app = { fetch: () => new Response() };
        const server = Deno.serve({ port: 0, onListen() {} }, app.fetch);
        await server.shutdown();
        export default app;
    "#;
    assert_eq!(run(serves), "");
    assert_eq!(run("export default { fetch: 1 };"), "");
}

#[test]
fn a_socket_that_fails_unheard_is_reported_once() {
    let folder = Folder::new("unheard");
    // The port is free again, because the listener is dropped.
    let port = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let run = |script: &str| {
        let file = folder.write(
            "unheard.js",
            &script.replace("URL", &format!("ws://127.0.0.1:{port}/")),
        );
        let finished = finish(support::duplex_run().arg("--allow-net").arg(file)).unwrap();
        assert_eq!(finished.code(), 0, "{}", finished.report());
        finished.stderr
    };
    let said = run("const ws = new WebSocket('URL'); ws.onmessage = () => {};");
    let wanted = format!("WebSocket connection to 'ws://127.0.0.1:{port}/' failed: ");
    assert!(said.starts_with(&wanted), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for heard in [
        "new WebSocket('URL').onerror = () => {};",
        "new WebSocket('URL').onclose = () => {};",
        "new WebSocket('URL').addEventListener('error', () => {});",
        "new WebSocket('URL').close();",
    ] {
        assert_eq!(run(heard), "", "{heard}");
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A folder for the files of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("operator")
            .join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file atomically, by renaming a new file. Returns its path.
    fn write(&self, name: &str, text: &str) -> String {
        let (part, path) = (self.path("part"), self.path(name));
        fs::write(&part, text).unwrap();
        fs::rename(part, &path).unwrap();
        path.to_str().unwrap().to_string()
    }
}

struct Server {
    running: Running,
    port: u16,
}

impl Server {
    /// Serves on a free port of this machine.
    fn start(folder: &Folder, script: &str, scheme: &str, flags: &[&str]) -> Self {
        let address = ["--host", "127.0.0.1", "--port", "0"];
        let flags = [&address, flags].concat();
        let mut running = Running::start("the server", &mut serve(folder, script, &flags)).unwrap();
        let port = port_of(&mut running, scheme);
        Self { running, port }
    }

    fn end(self) -> i32 {
        self.running.signal("TERM").unwrap();
        self.running.end().unwrap().code()
    }
}

fn serve(folder: &Folder, script: &str, flags: &[&str]) -> Command {
    let mut command = duplex();
    command.arg("serve").args(flags);
    command.arg(folder.write("server.js", script));
    command
}

fn port_of(running: &mut Running, scheme: &str) -> u16 {
    let prefix = format!("Listening on {scheme}://127.0.0.1:");
    let address = running.line(&prefix).unwrap();
    let port = address.split('/').next().unwrap();
    port.parse().unwrap()
}

/// The body of an answer, or none if the connection is closed instead.
fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(REQUEST).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_string())
}

/// The certificate that the server shows to a client which asks for `name`.
fn handshake(authority: &Authority, port: u16, name: &str) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_string()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut tls = StreamOwned::new(session, stream);
    tls.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    tls.conn.peer_certificates().unwrap()[0].to_vec()
}

impl Identity {
    fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes())
            .unwrap()
            .to_vec()
    }
}
