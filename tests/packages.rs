//! Tests packages of npm that people build WebSocket programs with, without changes to them. Each
//! program in `tests/packages` imports a package by its name and lets it exchange messages with a
//! counterpart: text, 100 KiB, and closes if the package shows them. It prints "ok" as its last
//! line and ends by itself. The same file also runs with Node.js.
//!
//! Comments at the top of a program describe it:
//!
//! ```text
//! // client: the packages that dial
//! // server: the packages that accept
//! // ci: yes, for those that are tried unless more is asked for
//! // peer: nats-server, rabbitmq-server, redis-server, chromium or examples/chat, which is started
//! // flags: for the runtime
//! // node: why it is not for Node.js
//! // duplex: why it fails there; it has to
//! // quickjs: why it fails with that engine; it has to
//! // deno: why it fails there; it has to
//! ```
//!
//! `PACKAGES=all|ci|NAMES` chooses. `make test` installs the packages, `make packages` runs all of
//! them, in Deno too, and writes `docs/packages.md` from the results. If a peer is not installed,
//! its programs are ignored, and their names say so. Under `CI`, the programs of the `ci` part fail
//! then.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Running;

/// The variable that `make packages` sets to the file for the table.
const TABLE: &str = "DUPLEX_PACKAGES_TABLE";
const DENO: &str = "DUPLEX_TEST_DENO";

fn main() -> ExitCode {
    let folder = support::tests_dir().join("packages");
    let mut programs = Program::read_all(&folder);
    let entries = |programs: &[Program]| -> usize {
        let all: BTreeSet<Entry> = programs.iter().flat_map(Program::entries).collect();
        all.len()
    };
    let all = (programs.len(), entries(&programs));
    let wanted = std::env::var("PACKAGES").unwrap_or_default();
    if let Err(unknown) = choose(&mut programs, &wanted) {
        eprintln!("PACKAGES: there is no {unknown:?} in tests/packages");
        return ExitCode::FAILURE;
    }
    let arguments = Arguments::from_args();
    if !arguments.list {
        println!(
            "{} of {} programs, {} of {} clients and servers",
            programs.len(),
            all.0,
            entries(&programs),
            all.1
        );
    }

    let table = support::program(TABLE).map(PathBuf::from);
    let is_installed = folder.join("node_modules").is_dir();
    let is_ci = std::env::var_os("CI").is_some();
    let results = Arc::new(Mutex::new(BTreeMap::new()));
    let programs: Vec<Arc<Program>> = programs.into_iter().map(Arc::new).collect();
    let trials = programs
        .iter()
        .map(|program| {
            let missing = program.peer.filter(|peer| !peer.is_there());
            let name = match missing {
                Some(peer) => format!("{} (skipped: no {})", program.name, peer.name()),
                None => program.name.clone(),
            };
            // CI must have all that its part needs.
            let may_lack = !(is_ci && program.is_ci);
            let ignored = may_lack && (missing.is_some() || !is_installed);
            let (program, results) = (program.clone(), results.clone());
            let with_deno = table.is_some();
            Trial::test(name, move || {
                let on_duplex = program.run(Runtime::Duplex);
                let on_deno = with_deno.then(|| program.run(Runtime::Deno));
                let outcome = Outcome {
                    duplex: on_duplex.is_ok(),
                    deno: on_deno.as_ref().is_some_and(Result::is_ok),
                };
                let mut results = results.lock().expect("no test panics while it holds it");
                results.insert(program.name.clone(), outcome);
                program.judge(Runtime::Duplex, on_duplex)?;
                on_deno.map_or(Ok(()), |result| program.judge(Runtime::Deno, result))
            })
            .with_ignored_flag(ignored)
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(file) = table {
        let results = results.lock().expect("no test panics while it holds it");
        fs::write(&file, write_table(&programs, &results)).expect("the table can be written");
    }
    conclusion.exit_code()
}

/// Keeps the programs that `PACKAGES` asks for. A name that no program has is an error.
fn choose(programs: &mut Vec<Program>, wanted: &str) -> Result<(), String> {
    match wanted {
        "all" => {}
        "" | "ci" => programs.retain(|program| program.is_ci),
        names => {
            let names: Vec<&str> = names
                .split([',', ' '])
                .filter(|it| !it.is_empty())
                .collect();
            if let Some(unknown) = names
                .iter()
                .find(|name| !programs.iter().any(|program| program.name == **name))
            {
                return Err(unknown.to_string());
            }
            programs.retain(|program| names.contains(&program.name.as_str()));
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Runtime {
    Duplex,
    Deno,
}

struct Outcome {
    duplex: bool,
    deno: bool,
}

/// An end (client or server), and the packages that make it.
type Entry = (&'static str, String);

struct Program {
    name: String,
    file: PathBuf,
    client: Vec<String>,
    server: Vec<String>,
    is_ci: bool,
    peer: Option<PeerKind>,
    flags: Vec<String>,
    /// Why the program fails on duplex, if it does.
    duplex: Option<String>,
    deno: Option<String>,
}

impl Program {
    fn read_all(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder).expect("tests/packages is there");
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let is_program = |file: &&PathBuf| {
            let extension = file.extension().and_then(|it| it.to_str());
            let name = file.file_name().and_then(|it| it.to_str());
            matches!(extension, Some("js" | "cjs" | "ts"))
                && !name.is_some_and(|name| name.starts_with('_'))
        };
        files
            .iter()
            .filter(is_program)
            .map(|it| Self::read(it))
            .collect()
    }

    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a program can be read");
        let name = file.file_stem().expect("it has a name").to_string_lossy();
        let mut program = Self {
            name: name.into_owned(),
            file: file.to_path_buf(),
            client: Vec::new(),
            server: Vec::new(),
            is_ci: false,
            peer: None,
            flags: Vec::new(),
            duplex: None,
            deno: None,
        };
        for line in text.lines() {
            let Some(comment) = line.strip_prefix("// ") else {
                break;
            };
            let Some((key, value)) = comment.split_once(": ") else {
                continue;
            };
            let words = || value.split_whitespace().map(str::to_string).collect();
            match key {
                "client" => program.client = words(),
                "server" => program.server = words(),
                "ci" => program.is_ci = value == "yes",
                "peer" => program.peer = Some(PeerKind::by_name(value)),
                "flags" => program.flags = words(),
                "duplex" => program.duplex = Some(value.to_string()),
                "quickjs" if cfg!(feature = "quickjs") => program.duplex = Some(value.to_string()),
                "deno" => program.deno = Some(value.to_string()),
                _ => {}
            }
        }
        assert!(
            program.entries().next().is_some(),
            "{} names no package",
            program.name
        );
        program
    }

    /// The client and the server of a package count as two entries, because each can be used alone.
    /// An entry that two programs try counts once.
    fn entries(&self) -> impl Iterator<Item = Entry> {
        let ends = [("client", &self.client), ("server", &self.server)];
        ends.into_iter()
            .filter(|(_, packages)| !packages.is_empty())
            .map(|(end, packages)| (end, packages.join(" ")))
    }

    fn run(&self, runtime: Runtime) -> Result<(), String> {
        let peer = self.peer.map(Peer::start).transpose()?;
        let mut command = match runtime {
            Runtime::Duplex => support::duplex_run(),
            Runtime::Deno => {
                let deno = support::program(DENO).ok_or("the table needs Deno: make packages")?;
                let mut command = Command::new(deno);
                command.args(["run", "--no-prompt"]);
                support::plain_output(&mut command);
                command
            }
        };
        command.arg("-A").args(&self.flags).arg(&self.file);
        if let Some(peer) = &peer {
            command.envs(peer.environment.iter().cloned());
        }
        let finished = support::finish(&mut command)?;
        match finished.stdout.lines().last() {
            Some("ok") if finished.code() == 0 => Ok(()),
            _ => Err(finished.report()),
        }
    }

    /// Checks that the program ended as its comments say.
    fn judge(&self, runtime: Runtime, result: Result<(), String>) -> Result<(), Failed> {
        let (name, expected) = match runtime {
            Runtime::Duplex => ("duplex", &self.duplex),
            Runtime::Deno => ("Deno", &self.deno),
        };
        match (result, expected) {
            (Ok(()), Some(cause)) => {
                Err(format!("it runs on {name}, but its comment says: {cause}").into())
            }
            (Err(report), None) => Err(format!("{name}: {report}").into()),
            _ => Ok(()),
        }
    }
}

fn write_table(programs: &[Arc<Program>], results: &BTreeMap<String, Outcome>) -> String {
    let mut rows = String::new();
    let (mut on_duplex, mut on_deno) = (BTreeSet::new(), BTreeSet::new());
    let mut tried = BTreeSet::new();
    for program in programs {
        let mut remarks = Vec::new();
        if let Some(peer) = program.peer {
            remarks.push(format!("against {}", peer.name()));
        }
        if !program.flags.is_empty() {
            remarks.push(format!("with `{}`", program.flags.join(" ")));
        }
        let cell = match results.get(&program.name) {
            Some(outcome) => {
                tried.extend(program.entries());
                if outcome.duplex {
                    on_duplex.extend(program.entries());
                }
                if outcome.deno {
                    on_deno.extend(program.entries());
                }
                for (name, cause) in [("duplex", &program.duplex), ("Deno", &program.deno)] {
                    remarks.extend(cause.iter().map(|cause| format!("{name}: {cause}")));
                }
                let word = |passed| if passed { "yes" } else { "**no**" };
                format!("{} | {}", word(outcome.duplex), word(outcome.deno))
            }
            None => "not tried | not tried".to_string(),
        };
        let list = |packages: &[String]| {
            let marked: Vec<String> = packages.iter().map(|it| format!("`{it}`")).collect();
            marked.join(", ")
        };
        let _ = writeln!(
            rows,
            "| {} | {} | {cell} | {} |",
            list(&program.client),
            list(&program.server),
            remarks.join("; ")
        );
    }
    format!(
        "# Packages from npm\n\n\
         `make packages` writes this file from a run. Each program in `tests/packages` imports a package by its\n\
         name, with `node_modules` beside it, and lets it exchange messages: text, 100 KiB, and a close with its\n\
         code and reason where the package shows them. The versions are those of `tests/packages/package.json`.\n\n\
         Of {} clients and servers {} run on duplex and {} on Deno.\n\n\
         | client | server | duplex | Deno | remarks |\n| --- | --- | --- | --- | --- |\n{rows}",
        tried.len(),
        on_duplex.len(),
        on_deno.len()
    )
}

/// A real counterpart that is not from npm.
#[derive(Clone, Copy)]
enum PeerKind {
    Nats,
    RabbitMq,
    Redis,
    Chromium,
    Chat,
}

impl PeerKind {
    const ALL: [Self; 5] = [
        Self::Nats,
        Self::RabbitMq,
        Self::Redis,
        Self::Chromium,
        Self::Chat,
    ];

    fn by_name(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|peer| peer.name() == name);
        found.unwrap_or_else(|| panic!("there is no peer {name:?}"))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats-server",
            Self::RabbitMq => "rabbitmq-server",
            Self::Redis => "redis-server",
            Self::Chromium => "chromium",
            Self::Chat => "examples/chat",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Nats => support::program("DUPLEX_TEST_NATS").is_some(),
            Self::RabbitMq => support::program("DUPLEX_TEST_RABBITMQ").is_some(),
            Self::Redis => support::program("DUPLEX_TEST_REDIS").is_some(),
            Self::Chromium => support::program("DUPLEX_TEST_CHROMIUM").is_some(),
            Self::Chat => true,
        }
    }
}

/// A peer that runs until this is dropped.
struct Peer {
    /// The environment variables by which the program finds the peer.
    environment: Vec<(&'static str, String)>,
    running: Option<Running>,
    folder: Option<PathBuf>,
}

impl Peer {
    fn start(kind: PeerKind) -> Result<Self, String> {
        let peers = support::tests_dir().join("packages/peers");
        let mut peer = Self {
            environment: Vec::new(),
            running: None,
            folder: None,
        };
        match kind {
            PeerKind::Chromium => {} // The program starts it.
            PeerKind::Chat => {
                let mut command = support::duplex_run();
                let program = support::repository().join("examples/chat/server.ts");
                command
                    .args(["--allow-net", "--allow-read"])
                    .arg(program)
                    .arg("0");
                let mut running = Running::start("examples/chat", &mut command)?;
                let url = running.line("open ")?;
                let url = url.split(' ').next().unwrap_or_default();
                peer.environment.push(("CHAT_URL", url.to_string()));
                peer.running = Some(running);
            }
            PeerKind::Nats => {
                let program = support::program("DUPLEX_TEST_NATS").ok_or("no nats-server")?;
                let mut command = Command::new(program);
                command.arg("-c").arg(peers.join("nats.conf"));
                let mut running = Running::start("nats-server", &mut command)?;
                let url = running.after("Listening for websocket clients on ")?;
                peer.environment.push(("NATS_URL", url));
                peer.running = Some(running);
            }
            PeerKind::Redis => {
                let program = support::program("DUPLEX_TEST_REDIS").ok_or("no redis-server")?;
                let [port] = free_ports()?;
                let mut command = Command::new(program);
                command.args(["--bind", "127.0.0.1", "--save", "", "--port"]);
                command.arg(port.to_string());
                let mut running = Running::start("redis-server", &mut command)?;
                running.line_with("Ready to accept connections")?;
                peer.environment
                    .push(("REDIS_URL", format!("redis://127.0.0.1:{port}")));
                peer.running = Some(running);
            }
            PeerKind::RabbitMq => {
                let program = support::program("DUPLEX_TEST_RABBITMQ").ok_or("no RabbitMQ")?;
                let [stomp, mqtt, distribution, names] = free_ports()?;
                let folder = std::env::temp_dir().join(format!("duplex-rabbitmq-{stomp}"));
                fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
                peer.folder = Some(folder.clone());
                let mut command = Command::new(peers.join("rabbitmq"));
                command.arg(folder);
                command.args([stomp, mqtt, distribution, names].map(|port| port.to_string()));
                command.arg(program);
                std::os::unix::process::CommandExt::process_group(&mut command, 0);
                let running = Running::start("rabbitmq-server", &mut command)?;
                let running = peer.running.insert(running);
                running.line_with("Server startup complete")?;
                peer.environment = vec![
                    ("STOMP_URL", format!("ws://127.0.0.1:{stomp}/ws")),
                    ("MQTT_URL", format!("ws://127.0.0.1:{mqtt}/ws")),
                ];
            }
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let (Some(folder), Some(running)) = (&self.folder, &self.running) {
            let _ = running.signal_group("KILL");
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Ports that are free at the time of the call.
fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        *port = listener
            .local_addr()
            .map_err(|error| error.to_string())?
            .port();
        held.push(listener);
    }
    Ok(ports)
}
