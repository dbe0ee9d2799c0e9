//! Tests the systems in which WebSockets are used, each as a server for a duplex client and as a
//! client of a duplex server, if it has both ends: other libraries for Node.js, libraries of
//! Python, Go and PHP, and proxies in front. The programs are in `tests/packages/systems`.
//!
//! Each test exchanges text, 100 KiB of binary data, a ping with its pong, and a close by either
//! side with code and reason, or what the system's own protocol has in place of these.
//!
//! They run if `SYSTEMS` is `all` or has their names, as `make packages` asks for. A system that is
//! not installed is ignored, and the name of the test says so.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Running;

/// The variable that `make packages` sets to the file for the table.
const TABLE: &str = "DUPLEX_SYSTEMS_TABLE";

/// The kind of a program, which decides what runs it.
#[derive(Clone, Copy)]
enum Runner {
    Duplex,
    Node,
    Python,
    /// An application for daphne.
    Daphne,
    /// A program built from a source in Go, in the folder that a variable names.
    Go,
    Php,
}

impl Runner {
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Duplex => None,
            Self::Node => Some("DUPLEX_TEST_NODE"),
            Self::Python | Self::Daphne => Some("DUPLEX_TEST_SYSTEMS_PYTHON"),
            Self::Go => Some("DUPLEX_TEST_GORILLA"),
            Self::Php => Some("DUPLEX_TEST_PHP"),
        }
    }
}

#[derive(Clone, Copy)]
struct End {
    runner: Runner,
    program: &'static str,
    arguments: &'static [&'static str],
}

impl End {
    fn command(&self, role: &[&str]) -> Result<Command, String> {
        let folder = support::tests_dir().join("packages/systems");
        let file = folder.join(self.program);
        let program = match self.runner.variable() {
            None => None,
            Some(name) => {
                let program = support::program(name).ok_or_else(|| format!("{name} is not set"))?;
                Some(PathBuf::from(program))
            }
        };
        let mut command = match (self.runner, program) {
            (Runner::Daphne, Some(python)) => {
                let mut command = Command::new(python.with_file_name("daphne"));
                command.args(["-p", "0", "-b", "127.0.0.1", self.program]);
                return Ok(with_folder(command, &folder));
            }
            (Runner::Go, Some(built)) => Command::new(built),
            (_, Some(program)) => {
                let mut command = Command::new(program);
                command.arg(file);
                command
            }
            (_, None) => {
                let mut command = support::duplex_run();
                command.arg("-A").arg(file);
                command
            }
        };
        command.args(role).args(self.arguments);
        Ok(with_folder(command, &folder))
    }
}

fn with_folder(mut command: Command, folder: &Path) -> Command {
    support::plain_output(&mut command);
    command.current_dir(folder);
    command
}

/// A proxy between the two ends.
#[derive(Clone, Copy)]
enum Proxy {
    Nginx,
    Caddy,
}

struct System {
    /// The name in the table.
    name: &'static str,
    server: End,
    client: End,
    proxy: Option<Proxy>,
    /// The output of the server for a close that the client began.
    sees: Option<&'static str>,
    remark: &'static str,
}

const fn on(runner: Runner, program: &'static str) -> End {
    End {
        runner,
        program,
        arguments: &[],
    }
}

const fn plain(arguments: &'static [&'static str]) -> End {
    End {
        runner: Runner::Duplex,
        program: "plain.js",
        arguments,
    }
}

const PLAIN: System = System {
    name: "",
    server: plain(&[]),
    client: plain(&[]),
    proxy: None,
    sees: Some("closed 4002 réason"),
    remark: "",
};

/// A system in which both ends use its own protocol.
const OWN: System = System {
    sees: None,
    ..PLAIN
};

const SYSTEMS: &[System] = &[
    System {
        name: "uWebSockets.js",
        server: on(Runner::Node, "uws.js"),
        ..PLAIN
    },
    System {
        name: "Socket.IO",
        server: on(Runner::Node, "socket.io.js"),
        client: on(Runner::Duplex, "socket.io.js"),
        ..OWN
    },
    System {
        name: "Socket.IO",
        server: on(Runner::Duplex, "socket.io.js"),
        client: on(Runner::Node, "socket.io.js"),
        ..OWN
    },
    System {
        name: "SocketCluster",
        server: on(Runner::Node, "socketcluster.js"),
        client: on(Runner::Duplex, "socketcluster.js"),
        ..OWN
    },
    System {
        name: "SocketCluster",
        server: on(Runner::Duplex, "socketcluster.js"),
        client: on(Runner::Node, "socketcluster.js"),
        ..OWN
    },
    System {
        name: "WebSocket-Node",
        server: on(Runner::Node, "websocket-node.js"),
        client: plain(&["no-code"]),
        remark: "it answers every close with 1000",
        ..PLAIN
    },
    System {
        name: "WebSocket-Node",
        client: on(Runner::Node, "websocket-node.js"),
        ..PLAIN
    },
    System {
        name: "Total.js",
        server: on(Runner::Node, "total.js"),
        client: plain(&["no-binary", "no-ping", "no-code", "no-answer", "no-reason"]),
        sees: Some("closed 4002"),
        remark: "a route takes text or binary; it does not answer a close, and sends reasons as Latin-1",
        ..PLAIN
    },
    System {
        name: "Total.js",
        client: on(Runner::Node, "total.js"),
        remark: "its client masks its frames only if it is told to",
        ..OWN
    },
    System {
        name: "Faye (Bayeux)",
        server: on(Runner::Node, "faye.js"),
        client: on(Runner::Duplex, "faye.js"),
        ..OWN
    },
    System {
        name: "Faye (Bayeux)",
        server: on(Runner::Duplex, "faye.js"),
        client: on(Runner::Node, "faye.js"),
        ..OWN
    },
    System {
        name: "faye-websocket",
        server: on(Runner::Node, "faye-websocket.js"),
        ..PLAIN
    },
    System {
        name: "faye-websocket",
        client: on(Runner::Node, "faye-websocket.js"),
        ..PLAIN
    },
    System {
        name: "SignalR",
        server: on(Runner::Duplex, "signalr.js"),
        client: on(Runner::Node, "signalr.js"),
        remark: "the server is a stand-in, Microsoft's own needs .NET",
        ..OWN
    },
    System {
        name: "jsonrpc-bidirectional",
        server: on(Runner::Node, "jsonrpc.js"),
        client: on(Runner::Duplex, "jsonrpc.js"),
        ..OWN
    },
    System {
        name: "jsonrpc-bidirectional",
        server: on(Runner::Duplex, "jsonrpc.js"),
        client: on(Runner::Node, "jsonrpc.js"),
        ..OWN
    },
    System {
        name: "ZeroMQ (jszmq)",
        server: on(Runner::Node, "zeromq.js"),
        client: on(Runner::Duplex, "zeromq.js"),
        remark: "libzmq of Debian and of PyPI is built without WebSockets",
        ..OWN
    },
    System {
        name: "ZeroMQ (jszmq)",
        server: on(Runner::Duplex, "zeromq.js"),
        client: on(Runner::Node, "zeromq.js"),
        ..OWN
    },
    System {
        name: "Django Channels, daphne",
        server: on(Runner::Daphne, "channels_server:application"),
        client: plain(&["no-ping", "no-code", "no-reason"]),
        sees: Some("closed 4002"),
        remark: "it answers every close with 1000, and drops reasons",
        ..PLAIN
    },
    System {
        name: "Flask-SocketIO",
        server: on(Runner::Python, "socketio_server.py"),
        client: on(Runner::Duplex, "socket.io.js"),
        ..OWN
    },
    System {
        name: "python-socketio",
        server: on(Runner::Duplex, "socket.io.js"),
        client: on(Runner::Python, "socketio_client.py"),
        ..OWN
    },
    System {
        name: "Phoenix",
        server: on(Runner::Duplex, "phoenix.js"),
        client: on(Runner::Node, "phoenix.js"),
        remark: "the server is a stand-in, Debian and npm have the client only",
        ..OWN
    },
    System {
        name: "Gorilla",
        server: on(Runner::Go, "gorilla"),
        ..PLAIN
    },
    System {
        name: "Gorilla",
        client: on(Runner::Go, "gorilla"),
        ..PLAIN
    },
    System {
        name: "PHP",
        server: on(Runner::Php, "server.php"),
        remark: "a server by PHP's streams, Debian has no package for WebSockets",
        ..PLAIN
    },
    System {
        name: "nginx in front",
        client: plain(&["no-ping"]),
        proxy: Some(Proxy::Nginx),
        ..PLAIN
    },
    System {
        name: "nginx in front",
        client: on(Runner::Python, "websockets_client.py"),
        proxy: Some(Proxy::Nginx),
        ..PLAIN
    },
    System {
        name: "Caddy in front",
        client: plain(&["no-ping"]),
        proxy: Some(Proxy::Caddy),
        ..PLAIN
    },
    System {
        name: "Caddy in front",
        client: on(Runner::Python, "websockets_client.py"),
        proxy: Some(Proxy::Caddy),
        ..PLAIN
    },
];

/// Systems that are tested elsewhere, or are not available.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ws, Deno, Bun, websockets", "`tests/interop.rs`"),
    (
        "cowboy (RabbitMQ's web-stomp and web-mqtt)",
        "`stompjs` and `mqtt` in `tests/packages`",
    ),
    (
        "AsyncAPI",
        "`asyncapi` in `tests/packages`: a description of `examples/chat`",
    ),
    (
        "HumbleNet",
        "not tried: crates.io, npm, PyPI and Debian do not have it",
    ),
];

fn main() -> ExitCode {
    let wanted = std::env::var("SYSTEMS").unwrap_or_default();
    let names: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let chosen: Vec<&'static System> = SYSTEMS
        .iter()
        .filter(|system| wanted == "all" || names.contains(&system.name))
        .collect();
    let results = Arc::new(Mutex::new(Vec::new()));
    let trials = chosen
        .iter()
        .map(|system| {
            let missing = system.missing();
            let mut name = system.title();
            if let Some(variable) = missing {
                let _ = write!(name, " (skipped: {variable} is not set)");
            }
            let (system, results) = (*system, results.clone());
            Trial::test(name, move || {
                let result = system.talk();
                let mut results = results.lock().expect("no test panics while it holds it");
                results.push((system.title(), result.is_ok()));
                result.map_err(Failed::from)
            })
            .with_ignored_flag(missing.is_some())
        })
        .collect();
    let arguments = Arguments::from_args();
    if !arguments.list {
        println!("{} of {} pairs", chosen.len(), SYSTEMS.len());
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(file) = support::program(TABLE) {
        let results = results.lock().expect("no test panics while it holds it");
        fs::write(file, write_table(&chosen, &results)).expect("the table can be written");
    }
    conclusion.exit_code()
}

fn write_table(systems: &[&System], results: &[(String, bool)]) -> String {
    let mut rows = String::new();
    for system in systems {
        let result = results.iter().find(|(title, _)| *title == system.title());
        let word = match result {
            Some((_, true)) => "yes",
            Some((_, false)) => "**no**",
            None => "not tried",
        };
        let (client, server) = system.ends();
        let _ = writeln!(
            rows,
            "| {} | {client} | {server} | {word} | {} |",
            system.name, system.remark
        );
    }
    for (name, place) in ELSEWHERE {
        let _ = writeln!(rows, "| {name} | | | | {place} |");
    }
    format!(
        "# Systems that WebSockets are met with\n\n\
         `make packages` writes this file from a run of `tests/systems.rs`. Text, 100 KiB binary, a ping with its pong\n\
         and closes by both sides pass between the two, or what the system's own protocol makes of these.\n\n\
         | system | client | server | passes | remarks |\n| --- | --- | --- | --- | --- |\n{rows}"
    )
}

impl System {
    fn ends(&self) -> (&'static str, &'static str) {
        let name = |end: &End| match end.runner {
            Runner::Duplex => "duplex",
            Runner::Node => "Node.js",
            Runner::Python | Runner::Daphne => "Python",
            Runner::Go => "Go",
            Runner::Php => "PHP",
        };
        (name(&self.client), name(&self.server))
    }

    fn title(&self) -> String {
        let (client, server) = self.ends();
        format!("{}: {client} client, {server} server", self.name)
    }

    /// The name of a variable that is needed and not set.
    fn missing(&self) -> Option<&'static str> {
        let proxy = self.proxy.map(Proxy::variable);
        let variables = [
            self.server.runner.variable(),
            self.client.runner.variable(),
            proxy,
        ];
        variables
            .into_iter()
            .flatten()
            .find(|name| support::program(name).is_none())
    }

    fn talk(&self) -> Result<(), String> {
        let mut serving = Running::start(self.name, &mut self.server.command(&["serve"])?)?;
        let port = match self.server.runner {
            Runner::Daphne => serving.after("Listening on TCP address 127.0.0.1:")?,
            _ => serving.line("listening ")?,
        };
        let proxy = self
            .proxy
            .map(|proxy| InFront::start(proxy, &port))
            .transpose()?;
        let port = proxy.as_ref().map_or(port, |proxy| proxy.port.to_string());
        // Python's client of Socket.IO accepts no other scheme.
        let scheme = match self.client.program {
            "socketio_client.py" => "http",
            _ => "ws",
        };
        let url = format!("{scheme}://127.0.0.1:{port}/");
        let finished = support::finish(&mut self.client.command(&["talk", &url])?)?;
        if finished.code() != 0 || finished.stdout.lines().last() != Some("ok") {
            return Err(format!("the client failed: {}", finished.report()));
        }
        self.sees
            .map_or(Ok(()), |line| serving.line(line).map(drop))
    }
}

impl Proxy {
    fn variable(self) -> &'static str {
        match self {
            Self::Nginx => "DUPLEX_TEST_NGINX",
            Self::Caddy => "DUPLEX_TEST_CADDY",
        }
    }

    fn configuration(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Caddy => "Caddyfile",
        }
    }
}

/// A proxy that runs until this is dropped.
struct InFront {
    port: u16,
    _running: Running,
    folder: PathBuf,
}

impl InFront {
    fn start(proxy: Proxy, back: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        drop(listener);
        let source = support::tests_dir()
            .join("packages/systems")
            .join(proxy.configuration());
        let text = fs::read_to_string(source).map_err(failed)?;
        let text = text
            .replace("FRONT", &port.to_string())
            .replace("BACK", back);
        let folder = std::env::temp_dir().join(format!("duplex-proxy-{port}"));
        fs::create_dir_all(&folder).map_err(failed)?;
        let file = folder.join(proxy.configuration());
        fs::write(&file, text).map_err(failed)?;
        let program = support::program(proxy.variable()).ok_or("there is no proxy")?;
        let mut command = Command::new(program);
        match proxy {
            Proxy::Nginx => command.arg("-p").arg(&folder).arg("-c").arg(&file),
            Proxy::Caddy => command.arg("run").arg("--config").arg(&file),
        };
        command
            .env("HOME", &folder)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME");
        let in_front = Self {
            port,
            _running: Running::start(proxy.configuration(), &mut command)?,
            folder,
        };
        // Neither proxy prints when it listens.
        let deadline = Instant::now() + support::LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{} does not listen", proxy.configuration()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(in_front)
    }
}

impl Drop for InFront {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
