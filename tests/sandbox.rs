//! Runs every script under `tests/sandbox` with the `duplex` binary. Each script tries to do things
//! that its flags do not allow, in the main program and in a worker with `permissions: "none"`.
//!
//! A script prints `ok` and nothing else if all its attempts were refused. The test also fails if a
//! secret is printed, or if a client connects to the trap, a listener that no flag allows. Comments
//! at the top of a script say how it is run:
//!
//! ```text
//! // flags: --allow-write={root}
//! // only: main
//! // deno: why Deno does something else here
//! ```
//!
//! `{root}` is a folder that the test makes. It has `secret.txt`, `secret.json`, links to them in
//! `work`, and a copy of the scripts in `scripts`, where the scripts run. The arguments of a script
//! are that folder and the address of the trap.
//!
//! With `DUPLEX_SPECS_ON=/path/to/deno` the scripts run there instead, because Deno is the
//! reference. Scripts with `deno:` are left out then.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};

const SECRET: &str = "TOPSECRET";
const TOKEN: &str = "hunter2";

fn main() -> ExitCode {
    let folder = support::tests_dir().join("sandbox");
    let reference = std::env::var_os("DUPLEX_SPECS_ON").map(PathBuf::from);
    let mut trials = Vec::new();
    for name in names_in(&folder) {
        if name.starts_with('_') || !name.ends_with(".js") {
            continue;
        }
        for place in [Place::Main, Place::Worker] {
            let attempt = Attempt::read(&folder, &name, place);
            if attempt.only.is_some_and(|only| only != place) {
                continue;
            }
            let is_left_out = reference.is_some() && attempt.deno_differs;
            let reference = reference.clone();
            let name = match place {
                Place::Main => name.clone(),
                Place::Worker => format!("{name} in a worker"),
            };
            trials.push(
                Trial::test(name, move || attempt.run(reference.as_deref()))
                    .with_ignored_flag(is_left_out),
            );
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Main,
    Worker,
}

struct Attempt {
    folder: PathBuf,
    name: String,
    place: Place,
    flags: Vec<String>,
    only: Option<Place>,
    deno_differs: bool,
}

impl Attempt {
    fn read(folder: &Path, name: &str, place: Place) -> Self {
        let text = fs::read_to_string(folder.join(name)).expect("a script can be read");
        let mut attempt = Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            place,
            flags: Vec::new(),
            only: None,
            deno_differs: false,
        };
        for line in text.lines().map_while(|line| line.strip_prefix("// ")) {
            match line.split_once(": ") {
                Some(("flags", flags)) => {
                    attempt
                        .flags
                        .extend(flags.split_whitespace().map(str::to_owned));
                }
                Some(("only", "main")) => attempt.only = Some(Place::Main),
                Some(("deno", _)) => attempt.deno_differs = true,
                _ => {}
            }
        }
        attempt
    }

    fn run(self, reference: Option<&Path>) -> Result<(), Failed> {
        let setting = Setting::new(&self.folder)?;
        let trap = TcpListener::bind(("127.0.0.1", 0))?;
        trap.set_nonblocking(true)?;
        let mut command = match reference {
            Some(deno) => {
                let mut command = Command::new(deno);
                support::plain_output(&mut command);
                command.args(["run", "--no-prompt"]);
                if self.place == Place::Worker {
                    command.arg("--unstable-worker-options");
                }
                command
            }
            None => support::duplex_run(),
        };
        let root = setting.root.display().to_string();
        command
            .current_dir(setting.root.join("scripts"))
            .env("SECRET_TOKEN", TOKEN)
            .args(self.flags.iter().map(|flag| flag.replace("{root}", &root)));
        let script = match self.place {
            Place::Main => self.name.as_str(),
            Place::Worker => {
                // The owner reads the worker's modules, and the worker itself has no permissions.
                command.arg("--allow-read");
                "_worker.js"
            }
        };
        let trap_address = trap.local_addr()?.to_string();
        command.args([script, root.as_str(), &trap_address, &self.name]);
        let finished = support::finish(&mut command)?;

        let mut wrong = Vec::new();
        if finished.code() != 0 || finished.stdout.trim_end() != "ok" {
            wrong.push("the script was not refused everything");
        }
        for output in [&finished.stdout, &finished.stderr] {
            if output.contains(SECRET) || output.contains(TOKEN) {
                wrong.push("a secret was printed");
            }
        }
        match trap.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => wrong.push("the trap was connected to"),
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("{}\n--- got {}", wrong.join("\n"), finished.report()).into())
        }
    }
}

/// The files for the scripts. They are removed when this is dropped.
struct Setting {
    root: PathBuf,
}

impl Setting {
    fn new(scripts: &Path) -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "duplex-sandbox-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let root = std::env::temp_dir().canonicalize()?.join(name);
        fs::create_dir_all(root.join("work"))?;
        fs::create_dir_all(root.join("scripts"))?;
        fs::write(root.join("secret.txt"), SECRET)?;
        fs::write(root.join("secret.json"), format!("{{\"is\":\"{SECRET}\"}}"))?;
        for extension in ["txt", "json"] {
            let target = format!("../secret.{extension}");
            for link in [
                format!("work/link.{extension}"),
                format!("scripts/_link.{extension}"),
            ] {
                std::os::unix::fs::symlink(&target, root.join(link))?;
            }
        }
        for name in names_in(scripts) {
            fs::copy(scripts.join(&name), root.join("scripts").join(&name))?;
        }
        Ok(Self { root })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("the folder can be read")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
