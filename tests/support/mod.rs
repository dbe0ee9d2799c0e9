//! What the test targets share: running programs with a limit, and reading what
//! they print.
#![allow(dead_code)] // each target uses a part

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// How long a program may take. Only a guard against one that hangs: no test's
/// outcome depends on how fast the machine is.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The folder `tests`.
pub fn tests_dir() -> PathBuf {
    repository().join("tests")
}

/// The top of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package sits in a folder of the repository")
        .to_path_buf()
}

/// `duplex run --no-prompt`, with an environment that does not change its output.
pub fn duplex_run() -> Command {
    let mut command = duplex();
    command.args(["run", "--no-prompt"]);
    command
}

/// The `duplex` under test.
pub fn duplex() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duplex"));
    plain_output(&mut command);
    command
}

/// No colours, no notes about updates, no Rust backtraces, no input.
pub fn plain_output(command: &mut Command) {
    command
        .env("NO_COLOR", "1")
        .env("DENO_NO_UPDATE_CHECK", "1")
        .env("DENO_NO_PROMPT", "1")
        .env_remove("FORCE_COLOR")
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .stdin(Stdio::null());
}

/// What a program left behind.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Exit code, or 128 + signal as a shell counts.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            (None, None) => unreachable!("ended neither by itself nor by a signal"),
        }
    }

    /// The output in full, for a message about a failed test.
    pub fn report(&self) -> String {
        format!(
            "exit code {}\n--- stdout\n{}\n--- stderr\n{}",
            self.code(),
            self.stdout,
            self.stderr
        )
    }
}

/// Runs a program to its end.
pub fn finish(command: &mut Command) -> Result<Finished, String> {
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

/// A program that runs beside the test, such as a server. Killed when dropped.
pub struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    /// Starts the program. Its standard error joins the lines of its standard
    /// output.
    pub fn start(name: &str, command: &mut Command) -> Result<Running, String> {
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
    pub fn line(&mut self, prefix: &str) -> Result<String, String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let rest = line.strip_prefix(prefix).map(str::to_string);
                    self.seen.push(line);
                    if let Some(rest) = rest {
                        return Ok(rest);
                    }
                }
                Err(_) => {
                    return Err(format!(
                        "{} did not print a line with {prefix:?}; it printed\n{}",
                        self.name,
                        self.seen.join("\n")
                    ));
                }
            }
        }
    }

    /// The most memory that the program has held so far, in bytes.
    pub fn peak_memory(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes
            .and_then(|number| number.parse().ok())
            .ok_or("the kernel does not tell VmHWM")?;
        Ok(kilobytes * 1024)
    }

    /// Sends a signal by its number.
    pub fn signal(&self, signal: &str) -> Result<(), String> {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status()
            .map_err(|error| error.to_string())?;
        sent.success()
            .then_some(())
            .ok_or_else(|| format!("could not signal {}", self.name))
    }

    /// Waits for the program's own end.
    pub fn end(mut self) -> Result<Finished, String> {
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

/// Whether `text` matches `pattern`, in which `[*]` stands for anything.
pub fn matches(pattern: &str, text: &str) -> bool {
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
pub fn program(variable: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(variable).filter(|value| !value.is_empty())
}
