//! Tests duplex with other implementations: Deno, Bun, `ws` for Node and Python's `websockets`.
//! Each is a client of a duplex server, and a server for a duplex client.
//!
//! The cases are written once for the Web's API and once for Python: a subprotocol, text and binary
//! messages at the boundaries of the length encodings, a burst in order, pings from each side that
//! can send them, and closes by either side.
//!
//! They run without compression and, if the peer has it, with permessage-deflate (RFC 7692), once
//! with context takeover and once without. A relay between the two counts the bytes, to check that
//! the messages are compressed.
//!
//! `make test` installs the peers and names them in `DUPLEX_TEST_DENO` and similar variables. If a
//! variable is not set, the tests of that peer are ignored, except under `CI`, where they fail.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::path::Path;
use std::process::Command;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Relay;
use support::Running;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for peer in [&DUPLEX, &DENO, &BUN, &WS, &WEBSOCKETS] {
        let missing = !peer.variable.is_empty() && support::program(peer.variable).is_none();
        let ignored = missing && std::env::var_os("CI").is_none();
        for compression in peer.compressions {
            let mut add = |client: &'static Peer, server: &'static Peer| {
                let name = format!(
                    "{} client, {} server, {}",
                    client.name,
                    server.name,
                    compression.name()
                );
                let test = move || talk(client, server, *compression);
                trials.push(Trial::test(name, test).with_ignored_flag(ignored));
            };
            add(&DUPLEX, peer);
            if peer.name != DUPLEX.name {
                add(peer, &DUPLEX);
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[derive(Clone, Copy, PartialEq)]
enum Compression {
    None,
    Takeover,
    NoTakeover,
}

impl Compression {
    const ALL: &'static [Self] = &[Self::None, Self::Takeover, Self::NoTakeover];

    /// The name that the scripts use.
    fn name(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Takeover => "takeover",
            Self::NoTakeover => "no takeover",
        }
    }

    /// Checks how many bytes passed between the two. The cases send 2.5 MB of messages in each
    /// direction, which compress to less than a tenth.
    fn check(self, relay: &Relay) -> Result<(), Failed> {
        let (to_server, to_client) = relay.bytes();
        for bytes in [to_server, to_client] {
            let is_compressed = bytes < 500_000;
            if is_compressed != (self != Self::None) {
                return Err(format!("{to_server} and {to_client} bytes passed").into());
            }
        }
        for answer in relay.answers() {
            let has = |part| answer.contains(part);
            let is_as_asked = match self {
                Self::None => !has("permessage-deflate"),
                Self::Takeover => has("permessage-deflate") && !has("no_context_takeover"),
                Self::NoTakeover => {
                    has("server_no_context_takeover") && has("client_no_context_takeover")
                }
            };
            if !is_as_asked {
                return Err(format!("the server answered {answer}").into());
            }
        }
        Ok(())
    }
}

/// An implementation: how it is started, and what it can do.
struct Peer {
    name: &'static str,
    /// The environment variable that names the program of the peer.
    variable: &'static str,
    arguments: &'static [&'static str],
    client: &'static str,
    server: &'static str,
    /// Whether the peer can send pings as a server.
    pings: bool,
    /// The kinds of compression that the peer can use.
    compressions: &'static [Compression],
    /// The code of the client's Close frame if the client gives none. 1005 means no code.
    plain_end: &'static str,
}

const DUPLEX: Peer = Peer {
    name: "duplex",
    variable: "",
    arguments: &["--allow-net", "--allow-read"],
    client: "client_deno.js",
    server: "server_deno.js",
    pings: false,
    compressions: Compression::ALL,
    plain_end: "1005 ",
};

const DENO: Peer = Peer {
    name: "Deno",
    variable: "DUPLEX_TEST_DENO",
    arguments: &["run", "--no-prompt", "--allow-net", "--allow-read"],
    compressions: &[Compression::None],
    ..DUPLEX
};

const BUN: Peer = Peer {
    name: "Bun",
    variable: "DUPLEX_TEST_BUN",
    arguments: &[],
    client: "client_bun.js",
    server: "server_bun.js",
    pings: true,
    ..DUPLEX
};

const WS: Peer = Peer {
    name: "ws",
    variable: "DUPLEX_TEST_NODE",
    arguments: &[],
    client: "client_ws.js",
    server: "server_ws.js",
    pings: true,
    ..DUPLEX
};

const WEBSOCKETS: Peer = Peer {
    name: "websockets",
    variable: "DUPLEX_TEST_PYTHON",
    arguments: &[],
    client: "client_websockets.py",
    server: "server_websockets.py",
    pings: true,
    compressions: Compression::ALL,
    plain_end: "1000 ",
};

impl Peer {
    fn command(&self, script: &str) -> Result<Command, Failed> {
        let mut command = if self.variable.is_empty() {
            support::duplex_run()
        } else {
            let program = support::program(self.variable)
                .ok_or_else(|| format!("{} is not set: run `make test`", self.variable))?;
            let mut command = Command::new(program);
            support::plain_output(&mut command);
            command
        };
        let folder: &Path = &support::tests_dir().join("interop");
        command.args(self.arguments).arg(folder.join(script));
        Ok(command)
    }
}

fn talk(client: &Peer, server: &Peer, compression: Compression) -> Result<(), Failed> {
    let mut command = server.command(server.server)?;
    command.arg(compression.name());
    let mut serving = Running::start(server.name, &mut command)?;
    let port = serving.line("listening ")?;
    let relay = Relay::start(port.parse().map_err(|_| "no port")?)?;

    let mut command = client.command(client.client)?;
    command.arg(format!("ws://127.0.0.1:{}/", relay.port));
    command.arg(if server.pings { "pings" } else { "no pings" });
    command.arg(compression.name());
    let finished = support::finish(&mut command)?;
    if finished.code() != 0 || finished.stdout != "ok\n" {
        return Err(format!("the client failed: {}", finished.report()).into());
    }
    compression.check(&relay)?;

    let mut closes = Vec::new();
    for _ in 0..3 {
        closes.push(serving.line("closed ")?);
    }
    closes.sort();
    let expected = [
        client.plain_end,
        "4001 from the client",
        "4002 from the server",
    ];
    if closes == expected {
        Ok(())
    } else {
        Err(format!("the server saw {closes:?}, expected {expected:?}").into())
    }
}
