//! TLS on both ends, with certificates made here.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use certificates::Authority;
use support::Finished;

/// A server with the certificate of its arguments and a client in one script,
/// which prints what becomes of the connection.
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
