//! The code that the test targets share: running programs with a time limit, and reading their
//! output.
#![allow(dead_code)] // each target uses a part

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// How long a program may take. This is only a guard against a program that hangs. No result of a
/// test depends on how fast the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The folder `tests`.
pub(crate) fn tests_dir() -> PathBuf {
    repository().join("tests")
}

/// The root folder of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package sits in a folder of the repository")
        .to_path_buf()
}

/// The command `duplex run --no-prompt`, in an environment that does not change its output.
pub(crate) fn duplex_run() -> Command {
    let mut command = duplex();
    command.args(["run", "--no-prompt"]);
    command
}

/// The command of the `duplex` under test.
pub(crate) fn duplex() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duplex"));
    plain_output(&mut command);
    command
}

/// Sets the environment of a program: no colours, no notes about updates, no Rust backtraces, no
/// input. Cargo sets LD_LIBRARY_PATH for the tests. It is removed, because a script that may run
/// only some programs may not pass that variable on to them.
pub(crate) fn plain_output(command: &mut Command) {
    command
        .env("NO_COLOR", "1")
        .env("DENO_NO_UPDATE_CHECK", "1")
        .env("DENO_NO_PROMPT", "1")
        .env_remove("FORCE_COLOR")
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null());
}

/// The result of a program that has ended.
pub(crate) struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The exit code, or 128 + the signal as in a shell.
    pub(crate) fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            (None, None) => unreachable!("ended neither by itself nor by a signal"),
        }
    }

    /// The output in full, for a message about a failed test.
    pub(crate) fn report(&self) -> String {
        format!(
            "exit code {}\n--- stdout\n{}\n--- stderr\n{}",
            self.code(),
            self.stdout,
            self.stderr
        )
    }
}

/// Runs a program to its end.
pub(crate) fn finish(command: &mut Command) -> Result<Finished, String> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("could not start {command:?}: {error}"))?;
    let (sender, receiver) = mpsc::channel();
    let pipes: [(bool, Box<dyn Read + Send>); 2] = [
        (true, Box::new(child.stdout.take().expect("piped"))),
        (false, Box::new(child.stderr.take().expect("piped"))),
    ];
    for (is_stdout, mut pipe) in pipes {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = pipe.read(&mut bytes) {
                let _ = sender.send((is_stdout, bytes[..n].to_vec()));
            }
        });
    }
    drop(sender);

    let deadline = Instant::now() + LIMIT;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let in_time = loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((true, bytes)) => stdout.extend(bytes),
            Ok((false, bytes)) => stderr.extend(bytes),
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                break false;
            }
        }
    };
    let finished = Finished {
        status: child.wait().map_err(|error| error.to_string())?,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    };
    if in_time {
        Ok(finished)
    } else {
        Err(format!(
            "hung for {LIMIT:?} and was killed: {command:?}\n{}",
            finished.report()
        ))
    }
}

/// A program that runs during the test, such as a server. It is killed when this is dropped.
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    /// Starts the program. The lines of its standard error are read together with those of its
    /// standard output.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Running, String> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("could not start {name}: {error}"))?;
        let (sender, lines) = mpsc::channel();
        let pipes: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for pipe in pipes {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Running {
            name: name.to_string(),
            child,
            lines,
            seen: Vec::new(),
        })
    }

    /// Waits for a line that starts with `prefix` and returns the rest of it.
    pub(crate) fn line(&mut self, prefix: &str) -> Result<String, String> {
        self.find(prefix, |line| line.strip_prefix(prefix).map(str::to_string))
    }

    /// Waits for a line that contains `part`.
    pub(crate) fn line_with(&mut self, part: &str) -> Result<(), String> {
        self.find(part, |line| line.contains(part).then_some(()))
    }

    /// Waits for a line that contains `part` and returns the text after it.
    pub(crate) fn after(&mut self, part: &str) -> Result<String, String> {
        self.find(part, |line| {
            line.split_once(part).map(|(_, rest)| rest.to_string())
        })
    }

    /// Like [`Self::line`], for a line that may have come before lines that were waited for
    /// earlier, because the two streams of a program have no common order.
    pub(crate) fn line_in_any_order(&mut self, prefix: &str) -> Result<String, String> {
        let seen = self.seen.iter().find_map(|line| line.strip_prefix(prefix));
        match seen {
            Some(rest) => Ok(rest.to_string()),
            None => self.line(prefix),
        }
    }

    fn find<T>(&mut self, wanted: &str, look: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = look(&line);
                    self.seen.push(line);
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
                Err(_) => {
                    return Err(format!(
                        "{} did not print a line with {wanted:?}; it printed\n{}",
                        self.name,
                        self.seen.join("\n")
                    ));
                }
            }
        }
    }

    /// The greatest memory of the program so far, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes
            .and_then(|number| number.parse().ok())
            .ok_or("the kernel does not tell VmHWM")?;
        Ok(kilobytes * 1024)
    }

    /// The lines so far that contain `part`.
    pub(crate) fn lines_with(&mut self, part: &str) -> Vec<String> {
        self.seen.extend(self.lines.try_iter());
        let lines = self.seen.iter().filter(|line| line.contains(part));
        lines.cloned().collect()
    }

    /// How many descriptors the program has open.
    pub(crate) fn descriptors(&self) -> Result<usize, String> {
        let folder = format!("/proc/{}/fd", self.child.id());
        let descriptors = fs::read_dir(folder).map_err(|error| error.to_string())?;
        Ok(descriptors.count())
    }

    /// Whether the program has an io_uring.
    pub(crate) fn has_io_uring(&self) -> bool {
        let folder = format!("/proc/{}/fd", self.child.id());
        let descriptors = fs::read_dir(folder).into_iter().flatten().flatten();
        descriptors
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .any(|link| link.as_os_str() == "anon_inode:[io_uring]")
    }

    /// Sends a signal to the program, by its name.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), String> {
        self.kill(signal, self.child.id().to_string())
    }

    /// Sends a signal to the program's process group. The program must be its leader.
    pub(crate) fn signal_group(&self, signal: &str) -> Result<(), String> {
        self.kill(signal, format!("-{}", self.child.id()))
    }

    fn kill(&self, signal: &str, target: String) -> Result<(), String> {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), "--".to_string(), target])
            .status()
            .map_err(|error| error.to_string())?;
        sent.success()
            .then_some(())
            .ok_or_else(|| format!("could not signal {}", self.name))
    }

    /// Waits until the program ends by itself.
    pub(crate) fn end(mut self) -> Result<Finished, String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "{} did not end; it printed\n{}",
                        self.name,
                        self.seen.join("\n")
                    ));
                }
            }
        }
        Ok(Finished {
            status: self.child.wait().map_err(|error| error.to_string())?,
            stdout: self.seen.join("\n"),
            stderr: String::new(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TCP relay to a port of this machine, which observes the bytes that pass.
pub(crate) struct Relay {
    pub port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    to_server: AtomicU64,
    to_client: AtomicU64,
    /// The first bytes of the server on each connection.
    answers: Mutex<Vec<Vec<u8>>>,
}

impl Relay {
    /// Starts the relay, which accepts connections until the process ends.
    pub(crate) fn start(server_port: u16) -> Result<Self, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?;
        let seen = Arc::new(Seen::default());
        let relay = Self {
            port: port.port(),
            seen: seen.clone(),
        };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) {
                    seen.clone().join(client, server);
                }
            }
        });
        Ok(relay)
    }

    /// How many bytes have passed to the server and to the client.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let Seen {
            to_server,
            to_client,
            ..
        } = &*self.seen;
        (
            to_server.load(Ordering::Relaxed),
            to_client.load(Ordering::Relaxed),
        )
    }

    /// The heads of the server's first answer on each connection, in lower case.
    pub(crate) fn answers(&self) -> Vec<String> {
        let answers = self.seen.answers.lock().expect("no reader panics");
        let head = |answer: &Vec<u8>| {
            let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
            text.split("\r\n\r\n")
                .next()
                .unwrap_or_default()
                .to_string()
        };
        answers.iter().map(head).collect()
    }
}

impl Seen {
    fn join(self: Arc<Self>, client: TcpStream, server: TcpStream) {
        let (mut to_client, mut to_server) = (client, server);
        let (Ok(mut from_client), Ok(mut from_server)) =
            (to_client.try_clone(), to_server.try_clone())
        else {
            return;
        };
        let seen = self.clone();
        thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = from_client.read(&mut bytes) {
                seen.to_server.fetch_add(n as u64, Ordering::Relaxed);
                if to_server.write_all(&bytes[..n]).is_err() {
                    break;
                }
            }
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let index = {
            let mut answers = self.answers.lock().expect("no reader panics");
            answers.push(Vec::new());
            answers.len() - 1
        };
        thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = from_server.read(&mut bytes) {
                self.to_client.fetch_add(n as u64, Ordering::Relaxed);
                {
                    let mut answers = self.answers.lock().expect("no reader panics");
                    let answer = &mut answers[index];
                    let room = MAX_ANSWER - answer.len().min(MAX_ANSWER);
                    answer.extend_from_slice(&bytes[..n.min(room)]);
                }
                if to_client.write_all(&bytes[..n]).is_err() {
                    break;
                }
            }
            let _ = to_client.shutdown(Shutdown::Write);
        });
    }
}

/// How much of an answer a relay keeps.
const MAX_ANSWER: usize = 4096;

/// Whether `text` matches `pattern`, in which `[*]` stands for anything.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split("[*]");
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The program that an environment variable names.
pub(crate) fn program(variable: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(variable).filter(|value| !value.is_empty())
}
