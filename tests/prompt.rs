//! Questions for permissions, on a terminal that the test makes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A script that asks for two permissions, and prints which it got.
const SCRIPT: &str = r#"
    for (const name of ["DUPLEX_A", "DUPLEX_B"]) {
      try {
        Deno.env.get(name);
        console.log(name, "allowed");
      } catch (error) {
        console.log(name, error.name);
      }
    }
"#;

#[test]
fn an_answer_allows_or_denies() {
    if !has_terminals() {
        return;
    }
    let (seen, printed) = answer(SCRIPT, &["y", "n"]);
    assert_eq!(printed, "DUPLEX_A allowed\nDUPLEX_B NotCapable\n", "{seen}");
    for part in [
        "duplex: the program asks for env access to \"DUPLEX_A\"",
        "--allow-env",
        "docs/manual/guide/permissions.md",
        "Allowed: env access to \"DUPLEX_A\"",
        "Denied: env access to \"DUPLEX_B\"",
    ] {
        assert!(seen.contains(part), "no {part} in {seen}");
    }
    assert!(!seen.contains("Deno requests") && !seen.contains("docs.deno.com"));
}

#[test]
fn all_of_a_kind_and_a_whole_word() {
    if !has_terminals() {
        return;
    }
    let (seen, printed) = answer(SCRIPT, &["A"]);
    assert_eq!(printed, "DUPLEX_A allowed\nDUPLEX_B allowed\n", "{seen}");
    let (seen, printed) = answer(SCRIPT, &["yes", "no"]);
    assert_eq!(printed, "DUPLEX_A allowed\nDUPLEX_B NotCapable\n", "{seen}");
}

#[test]
fn another_answer_is_asked_again() {
    if !has_terminals() {
        return;
    }
    let (seen, printed) = answer(SCRIPT, &["maybe", "y", "n"]);
    assert_eq!(printed, "DUPLEX_A allowed\nDUPLEX_B NotCapable\n", "{seen}");
    assert!(
        seen.contains("Please answer by one of these letters"),
        "{seen}"
    );
}

#[test]
fn a_question_cannot_act_on_the_terminal() {
    if !has_terminals() {
        return;
    }
    let script = r#"
        try { Deno.readTextFileSync("/a\x1b[2J\u{202e}b"); } catch (error) { console.log(error.name); }
    "#;
    let (seen, printed) = answer(script, &["n"]);
    assert_eq!(printed, "NotCapable\n", "{seen}");
    assert!(
        !seen.contains("\x1b[2J") && !seen.contains('\u{202e}'),
        "{seen}"
    );
    assert!(seen.contains("u{1b}"), "{seen}");
    assert!(seen.contains("It called Deno.readFileSync()."), "{seen}");

    // A question that is too long is denied, too.
    let script = r#"
        try { Deno.readTextFileSync("/" + "a".repeat(20_000)); } catch (error) { console.log(error.name); }
    "#;
    let (seen, printed) = answer(script, &[]);
    assert_eq!(printed, "NotCapable\n", "{seen}");
    assert!(seen.contains("the question is longer"), "{seen}");
}

/// Whether the system can make terminals. A container may not have any.
fn has_terminals() -> bool {
    let has = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).is_ok();
    if !has {
        println!("skipped: there is no /dev/ptmx");
    }
    has
}

/// Runs the script on a terminal, on which each question gets the next answer. Returns what the
/// terminal showed, and what the script printed.
fn answer(script: &str, answers: &[&str]) -> (String, String) {
    let file = write(script);
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let name = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    let mut command = support::duplex();
    command
        .arg("run")
        .arg(&file)
        .env_remove("DENO_NO_PROMPT")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::from(terminal.try_clone().unwrap()))
        .stderr(Stdio::from(terminal))
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Only the child has the terminal now, so its end is noticed.
    drop(command);

    fcntl_setfl(&master, fcntl_getfl(&master).unwrap() | OFlags::NONBLOCK).unwrap();
    let mut master = File::from(master);
    let mut seen = Vec::new();
    let mut answered = 0;
    let mut buffer = [0; 4096];
    loop {
        match master.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // A question ends with this text. Input that is typed before the question is
                // complete does not count, so the answer is repeated until it has an effect.
                if seen.ends_with(b"> ") && answered < answers.len() {
                    let before = seen.len();
                    while read_more(&mut master, &mut seen, before, answers[answered]) {}
                    answered += 1;
                } else {
                    thread::sleep(Duration::from_millis(5));
                }
            }
            // The other end is closed.
            Err(_) => break,
        }
    }
    let mut printed = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    stdout.read_to_string(&mut printed).unwrap();
    child.wait().unwrap();
    (String::from_utf8_lossy(&seen).into_owned(), printed)
}

/// Types `answer`, and reads for a while. Returns false if more came than the terminal's echo.
fn read_more(master: &mut File, seen: &mut Vec<u8>, before: usize, answer: &str) -> bool {
    let _ = master.write_all(answer.as_bytes());
    let _ = master.write_all(b"\n");
    let mut buffer = [0; 4096];
    for _ in 0..60 {
        match master.read(&mut buffer) {
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(_) => return false,
        }
        let text = String::from_utf8_lossy(&seen[before..]);
        if ["Allowed: ", "Denied: ", "Please answer"]
            .iter()
            .any(|part| text.contains(part))
        {
            return false;
        }
    }
    true
}

fn write(script: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prompt");
    fs::create_dir_all(&folder).unwrap();
    let name = thread::current().name().unwrap_or("test").to_string();
    let file = folder.join(format!("{name}-{}.js", script.len()));
    fs::write(&file, script).unwrap();
    file
}
