//! Runs the program of a page in a process of its own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// The program that runs the pages: duplex, or another program with Deno's command line.
pub(crate) struct Engine {
    pub binary: PathBuf,
    pub args: Vec<String>,
    pub timeout_multiplier: u32,
}

/// The result of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub harness: Status,
    /// The reason if the harness is not [`Status::Ok`].
    pub message: String,
    pub subtests: Vec<Subtest>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subtest {
    pub name: String,
    pub status: Status,
    pub message: String,
}

/// The statuses of `testharness.js` for a page or a subtest, and `CRASH` if the process did not end
/// as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Ok,
    Pass,
    Fail,
    Error,
    Timeout,
    Notrun,
    PreconditionFailed,
    Crash,
}

impl Status {
    pub(crate) fn is_good(self) -> bool {
        matches!(self, Status::Ok | Status::Pass)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Status::Ok => "OK",
            Status::Pass => "PASS",
            Status::Fail => "FAIL",
            Status::Error => "ERROR",
            Status::Timeout => "TIMEOUT",
            Status::Notrun => "NOTRUN",
            Status::PreconditionFailed => "PRECONDITION_FAILED",
            Status::Crash => "CRASH",
        };
        f.write_str(name)
    }
}

impl Engine {
    /// Runs `program` as a page at `url` that trusts `authority`. After `limit` the program ends by
    /// itself. If it does not end, it is killed.
    ///
    /// # Errors
    /// If the binary cannot be started.
    pub(crate) async fn run(
        &self,
        program: &Path,
        url: &str,
        authority: &Path,
        limit: Duration,
    ) -> io::Result<Outcome> {
        let mut command = Command::new(&self.binary);
        command
            .args(["run", "--quiet", "--allow-all", "--location", url, "--cert"])
            .arg(authority)
            .args(&self.args)
            .arg(program)
            .env("NO_COLOR", "1")
            .env("DENO_NO_UPDATE_CHECK", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(proxy);
            command.env_remove(proxy.to_uppercase());
        }
        let child = command
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", self.binary.display())))?;
        Ok(watch(child, limit).await)
    }
}

/// Reads the output of a child process until it ends.
async fn watch(mut child: Child, limit: Duration) -> Outcome {
    let mut outcome = Outcome {
        harness: Status::Crash,
        message: String::new(),
        subtests: Vec::new(),
    };
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return outcome;
    };
    let stderr = tokio::spawn(async move {
        let mut log = Vec::new();
        let _ = stderr.take(MAX_LOG_LENGTH).read_to_end(&mut log).await;
        String::from_utf8_lossy(&log).into_owned()
    });
    let deadline = Instant::now() + limit + GRACE;
    let mut is_over = false;
    let mut lines = BufReader::new(stdout).lines();
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            match line.strip_prefix(MARK).map(serde_json::from_str) {
                Some(Ok(Line::Subtest(subtest))) => outcome.subtests.push(subtest.into()),
                Some(Ok(Line::Harness(harness))) => {
                    is_over = true;
                    outcome.harness = harness.harness;
                    outcome.message = harness.message.unwrap_or_default();
                }
                // This line is output of the page.
                Some(Err(_)) | None => {}
            }
        }
    };
    let has_ended = tokio::time::timeout_at(deadline, reading).await.is_ok();
    let exit = tokio::time::timeout_at(deadline, child.wait()).await;
    let exit = match exit {
        Ok(Ok(exit)) => Some(exit),
        _ => None,
    };
    let _ = child.kill().await;
    let log = stderr.await.unwrap_or_default();
    match exit {
        Some(exit) if is_over && exit.success() => {}
        Some(exit) => {
            outcome.harness = Status::Crash;
            outcome.message = format!("{exit}, {}", last_lines(&log));
        }
        None => {
            outcome.harness = Status::Timeout;
            outcome.message = format!(
                "killed{}, {}",
                if has_ended { " at its end" } else { "" },
                last_lines(&log)
            );
        }
    }
    if outcome.harness == Status::Ok && outcome.subtests.is_empty() {
        outcome.harness = Status::Error;
        outcome.message = "the page has no subtests".to_owned();
    }
    outcome
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Subtest(SubtestLine),
    Harness(HarnessLine),
}

#[derive(Deserialize)]
struct SubtestLine {
    subtest: String,
    status: Status,
    message: Option<String>,
}

#[derive(Deserialize)]
struct HarnessLine {
    harness: Status,
    message: Option<String>,
}

impl From<SubtestLine> for Subtest {
    fn from(line: SubtestLine) -> Subtest {
        Subtest {
            name: line.subtest,
            status: line.status,
            message: line.message.unwrap_or_default(),
        }
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.trim_end().lines().collect();
    if lines.is_empty() {
        return "nothing on standard error".to_owned();
    }
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// The prefix of the lines that `page.js` prints.
const MARK: &str = "##wpt ";
/// How much time a program has beyond its limit, to start and to end.
const GRACE: Duration = Duration::from_secs(10);
const MAX_LOG_LENGTH: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, limit: Duration) -> Outcome {
        let child = Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        watch(child, limit).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn results_are_gathered() {
        let script = r###"
            echo noise
            echo '##wpt {"subtest":"a","status":"PASS","message":null}'
            echo '##wpt {"subtest":"b","status":"FAIL","message":"no"}'
            echo '##wpt {"harness":"OK","message":null}'"###;
        let outcome = shell(script, LONG).await;
        assert_eq!(outcome.harness, Status::Ok);
        let statuses: Vec<Status> = outcome.subtests.iter().map(|it| it.status).collect();
        assert_eq!(statuses, [Status::Pass, Status::Fail]);
        assert_eq!(outcome.subtests[1].message, "no");
    }

    #[tokio::test]
    async fn a_crash_is_not_missed() {
        let over = r###"echo '##wpt {"harness":"OK","message":null}'"###;
        let outcome = shell(&format!("{over}; echo why >&2; exit 3"), LONG).await;
        assert_eq!(outcome.harness, Status::Crash);
        assert!(outcome.message.contains("why"), "{}", outcome.message);
        assert_eq!(shell("exit 0", LONG).await.harness, Status::Crash);
        let outcome = shell(over, LONG).await;
        assert_eq!(outcome.harness, Status::Error, "it has no subtests");
    }
}
