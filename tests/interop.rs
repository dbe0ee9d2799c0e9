//! duplex against other implementations: Deno, Bun, `ws` for Node and Python's
//! `websockets`, each as a client of a duplex server and as a server that duplex
//! dials.
//!
//! The cases, written once for the Web's API and once for Python: subprotocol,
//! text and binary at the edges of the length encodings, a burst in order, pings
//! from whichever side has a way to send one, and closes by either side.
//!
//! They run without compression and, where the peer has it, with
//! permessage-deflate (RFC 7692), once with the contexts taken over from message
//! to message and once without. A relay between the two counts the bytes: what is
//! said to be compressed has to be.
//!
//! `make test` installs the peers and names them in `DUPLEX_TEST_DENO` and so on.
//! Where a name is not set the tests of that peer are ignored, except under
//! `CI`, where they fail.

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

    /// What the scripts know it as.
    fn name(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Takeover => "takeover",
            Self::NoTakeover => "no takeover",
        }
    }

    /// Checks what passed between the two. The cases send 2.5 MB of messages in
    /// each direction, which compress to less than a tenth.
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
    /// The environment variable that names its program.
    variable: &'static str,
    arguments: &'static [&'static str],
    client: &'static str,
    server: &'static str,
    /// As a server it can be told to ping.
    pings: bool,
    /// What it can be told to do.
    compressions: &'static [Compression],
    /// The code of its client's close frame when it is given none: 1005 is no code.
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
