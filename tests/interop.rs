//! duplex against other implementations: Deno, Bun, `ws` for Node and Python's
//! `websockets`, each as a client of a duplex server and as a server that duplex
//! dials.
//!
//! The cases, written once for the Web's API and once for Python: subprotocol,
//! text and binary at the edges of the length encodings, a burst in order, pings
//! from whichever side has a way to send one, and closes by either side.
//!
//! `make test` installs the peers and names them in `DUPLEX_TEST_DENO` and so on.
//! Where a name is not set the tests of that peer are ignored, except under
//! `CI`, where they fail.

mod support;

use std::path::Path;
use std::process::Command;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Running;

fn main() -> ExitCode {
    let mut trials = vec![Trial::test("duplex client, duplex server", || {
        talk(&DUPLEX, &DUPLEX)
    })];
    for peer in [&DENO, &BUN, &WS, &WEBSOCKETS] {
        let missing = support::program(peer.variable).is_none();
        let ignored = missing && std::env::var_os("CI").is_none();
        for (name, client, server) in [
            (
                format!("{} client, duplex server", peer.name),
                peer,
                &DUPLEX,
            ),
            (
                format!("duplex client, {} server", peer.name),
                &DUPLEX,
                peer,
            ),
        ] {
            trials.push(Trial::test(name, || talk(client, server)).with_ignored_flag(ignored));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
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
    plain_end: "1005 ",
};

const DENO: Peer = Peer {
    name: "Deno",
    variable: "DUPLEX_TEST_DENO",
    arguments: &["run", "--no-prompt", "--allow-net", "--allow-read"],
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

fn talk(client: &Peer, server: &Peer) -> Result<(), Failed> {
    let mut serving = Running::start(server.name, &mut server.command(server.server)?)?;
    let port = serving.line("listening ")?;

    let mut command = client.command(client.client)?;
    command.arg(format!("ws://127.0.0.1:{port}/"));
    command.arg(if server.pings { "pings" } else { "no pings" });
    let finished = support::finish(&mut command)?;
    if finished.code() != 0 || finished.stdout != "ok\n" {
        return Err(format!("the client failed: {}", finished.report()).into());
    }

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
