//! The program under load: a process of its own on a core of its own.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::ops::AddAssign;
use std::ops::Sub;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::sys;

pub struct Server {
    child: Child,
    /// Kept open, so that the server may print.
    _output: BufReader<ChildStdout>,
    pub port: u16,
}

impl Server {
    /// Starts a command on `core` and waits for the line in which it names its port.
    pub fn start(command: &[String], core: usize) -> Result<Server, String> {
        let (mut child, mut output) = spawn(command, core)?;
        let mut line = String::new();
        while output.read_line(&mut line).map_err(|e| e.to_string())? > 0 {
            let digits = line
                .rsplit(|c: char| !c.is_ascii_digit())
                .find(|part| !part.is_empty());
            if let Some(port) = digits.and_then(|port| port.parse().ok()) {
                return Ok(Server {
                    child,
                    _output: output,
                    port,
                });
            }
            line.clear();
        }
        let _ = child.kill();
        let _ = child.wait();
        Err("it ended without naming a port".into())
    }

    /// Starts a client on `core`, which has no port.
    pub fn start_client(command: &[String], core: usize) -> Result<Server, String> {
        let (child, output) = spawn(command, core)?;
        Ok(Server {
            child,
            _output: output,
            port: 0,
        })
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    pub cpu: Duration,
    /// The two parts of it, in ticks of the kernel.
    pub user: u64,
    pub system: u64,
}

impl Usage {
    pub fn of(pid: i32) -> Result<Usage, String> {
        let cpu = sys::cpu_time(pid).map_err(|error| format!("the process has gone: {error}"))?;
        let (user, system) = sys::cpu_ticks(pid);
        Ok(Usage { cpu, user, system })
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, before: Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(before.cpu),
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Usage) {
        self.cpu += more.cpu;
        self.user += more.user;
        self.system += more.system;
    }
}

fn spawn(command: &[String], core: usize) -> Result<(Child, BufReader<ChildStdout>), String> {
    let mut start = Command::new(&command[0]);
    start
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let parent = std::process::id();
    // SAFETY: between fork and exec the closure makes system calls only, without memory of its own.
    unsafe {
        start.pre_exec(move || {
            sys::pin(core)?;
            // The server must not outlive the load, however that ends.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() as u32 != parent {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        });
    }
    let mut child = start
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    Ok((child, output))
}
