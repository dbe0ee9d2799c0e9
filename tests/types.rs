//! The declarations that `duplex types` prints. Deno checks a program that uses all of them, and
//! they declare exactly what exists when a program runs.
//!
//! `make test` installs Deno and names it in `DUPLEX_TEST_DENO`. If that variable is not set, the
//! tests that need it are ignored, except under `CI`, where they fail.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let deno = support::program("DUPLEX_TEST_DENO");
    let trial = |name: &str, test: fn(OsString) -> Result<(), Failed>| {
        let deno = deno.clone();
        let ignored = deno.is_none() && std::env::var_os("CI").is_none();
        let run = move || test(deno.ok_or("DUPLEX_TEST_DENO is not set: run `make test`")?);
        Trial::test(name, run).with_ignored_flag(ignored)
    };
    let trials = vec![
        trial("uses_and_misuses", uses_and_misuses),
        trial("examples", examples),
        trial("all_that_exists_is_declared", all_that_exists_is_declared),
        Trial::test("all_that_is_declared_exists", all_that_is_declared_exists),
        Trial::test("every_name_has_a_hover", every_name_has_a_hover),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn uses_and_misuses(deno: OsString) -> Result<(), Failed> {
    let uses = fs::read_to_string(support::tests_dir().join("types/uses.ts"))?;
    check(&deno, "uses", &uses)
}

fn examples(deno: OsString) -> Result<(), Failed> {
    let mut folders = vec![support::repository().join("examples")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "ts") {
                check(&deno, "example", &fs::read_to_string(path)?)?;
                count += 1;
            }
        }
    }
    match count {
        0 => Err("there are no examples in TypeScript".into()),
        _ => Ok(()),
    }
}

/// Checks that every name that exists in a program is declared, if it is of a kind that is
/// declared.
fn all_that_exists_is_declared(deno: OsString) -> Result<(), Failed> {
    let names = names(
        r#"
        const of = (prefix, object) => {
          for (const name of Object.getOwnPropertyNames(object)) {
            if (/^[a-z_]\w*$/i.test(name) && name !== "constructor") {
              console.log(prefix + name);
            }
          }
        };
        of("globalThis.", globalThis);
        of("Deno.", Deno);
        of("Deno.errors.", Deno.errors);
        of("Deno.version.", Deno.version);
        for (const name of ["WebSocket", "WebSocketStream", "WebSocketError"]) {
          of(`${name}.prototype.`, globalThis[name].prototype);
        }
        of("Deno.FsFile.prototype.", Deno.FsFile.prototype);
        of("import.meta.", import.meta);
        "#,
    )?;
    let mut program = String::new();
    for name in &names {
        let global = name.strip_prefix("globalThis.");
        // QuickJS's binding needs the names `__v8x…`, which are not for programs.
        if global.is_some_and(|name| OF_OTHERS.contains(&name) || name.starts_with("__v8x")) {
            continue;
        }
        writeln!(program, "void {};", global.unwrap_or(name))?;
    }
    check(&deno, "names", &program)?;
    // The check would find an unknown name.
    match check(&deno, "unknown", "void Deno.noSuchThing;") {
        Ok(()) => Err("a name that is not declared passes".into()),
        Err(failed)
            if failed
                .message()
                .is_some_and(|it| it.contains("noSuchThing")) =>
        {
            Ok(())
        }
        Err(failed) => Err(failed),
    }
}

/// Globals that @types/node declares, and one that lib.dom does not have yet but will.
const OF_OTHERS: [&str; 7] = [
    "Buffer",
    "clearImmediate",
    "global",
    "process",
    "setImmediate",
    "QuotaExceededError",
    // Only QuickJS has this one.
    "InternalError",
];

fn all_that_is_declared_exists() -> Result<(), Failed> {
    let declarations = declarations()?;
    let mut expected = Vec::new();
    // The path of the namespace, interface or class that the line is in.
    let mut place: Option<&str> = None;
    for line in declarations.lines() {
        let words: Vec<_> = line
            .trim_start()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        match (line.find(|c| c != ' '), place) {
            (Some(0), _) => {
                place = match words[..] {
                    ["declare", "namespace", "Deno", ..] => Some("Deno"),
                    ["interface", "WebSocket", ..] => Some("WebSocket.prototype"),
                    ["interface", "WebSocketStream", ..] => Some("WebSocketStream.prototype"),
                    ["declare", "var", name, ..] => {
                        expected.push(format!("globalThis {name}"));
                        None
                    }
                    _ => None,
                };
            }
            (Some(2), Some("Deno")) => {
                if let [
                    "function" | "const" | "let" | "class" | "enum" | "namespace",
                    name,
                    ..,
                ] = words[..]
                {
                    expected.push(format!("Deno {name}"));
                }
            }
            (Some(4), Some("Deno")) => {
                // Only names in a nested namespace are declared in this form.
                if let ["class", name, ..] = words[..] {
                    expected.push(format!("Deno.errors {name}"));
                }
            }
            (Some(2), Some(place)) => {
                let name = match words[..] {
                    ["readonly", name, ..] | [name, ..] => name,
                    [] => "",
                };
                if !name.is_empty() {
                    expected.push(format!("{place} {name}"));
                }
            }
            _ => {}
        }
    }
    for required in [
        "Deno serve",
        "Deno.errors NotFound",
        "WebSocket.prototype send",
        "WebSocketStream.prototype opened",
        "globalThis WebSocketError",
    ] {
        if !expected.iter().any(|name| name == required) {
            return Err(format!("{required} is not found in the declarations").into());
        }
    }
    let missing = names(&format!(
        r#"
        for (const line of {expected:?}) {{
          const [place, name] = line.split(" ");
          const object = place.split(".").reduce((object, key) => object[key], globalThis);
          if (!(name in object)) console.log(line);
        }}
        "#
    ))?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("declared, but not there: {missing:?}").into()),
    }
}

/// Checks that each declaration has a comment before it, which editors show.
fn every_name_has_a_hover() -> Result<(), Failed> {
    let declarations = declarations()?;
    let mut missing = Vec::new();
    let mut count = 0;
    let mut is_comment = false;
    let mut has_comment = false;
    // Parameters have no comment of their own.
    let mut parentheses = 0;
    for line in declarations.lines() {
        let text = line.trim();
        if is_comment || text.starts_with("/*") {
            has_comment |= text.starts_with("/**");
            is_comment = !text.ends_with("*/");
            continue;
        }
        if text.is_empty() || text.starts_with("//") {
            continue;
        }
        if parentheses == 0 && declares(text) {
            count += 1;
            if !has_comment {
                missing.push(line);
            }
        }
        has_comment = false;
        parentheses += text.matches('(').count();
        parentheses = parentheses.saturating_sub(text.matches(')').count());
    }
    match missing[..] {
        [] if count > 700 => Ok(()),
        [] => Err(format!("only {count} names were found").into()),
        _ => Err(format!("without a comment: {missing:#?}").into()),
    }
}

/// Whether a line begins a declaration, or a member of one.
fn declares(line: &str) -> bool {
    const DECLARATIONS: [&str; 9] = [
        "interface",
        "type",
        "class",
        "function",
        "const",
        "let",
        "var",
        "enum",
        "namespace",
    ];
    const MODIFIERS: [&str; 5] = ["declare ", "readonly ", "get ", "set ", "static "];
    let mut rest = line;
    while let Some(modifier) = MODIFIERS.iter().find(|it| rest.starts_with(**it)) {
        rest = &rest[modifier.len()..];
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
    let behind = rest[name.len()..].trim_start_matches('?').trim_start();
    if DECLARATIONS.contains(&name) && behind.starts_with(is_name) {
        return true;
    }
    // `HttpServer<Address>,` is in the list of types that an interface extends.
    let is_type = name.starts_with(|c: char| c.is_ascii_uppercase()) && behind.starts_with('<');
    !name.is_empty() && !is_type && behind.starts_with([':', '(', '<'])
}

/// The lines that a script prints.
fn names(script: &str) -> Result<Vec<String>, Failed> {
    let finished = support::finish(support::duplex().args(["eval", script]))?;
    match finished.code() {
        0 => Ok(finished.stdout.lines().map(str::to_string).collect()),
        _ => Err(finished.report().into()),
    }
}

fn declarations() -> Result<String, Failed> {
    let finished = support::finish(support::duplex().arg("types"))?;
    match (finished.code(), finished.stderr.as_str()) {
        (0, "") => Ok(finished.stdout),
        _ => Err(finished.report().into()),
    }
}

/// Checks a module's types with the declarations of `duplex types` and lib.dom.
fn check(deno: &OsString, name: &str, program: &str) -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("types-{name}"));
    fs::create_dir_all(&folder)?;
    fs::copy(
        support::tests_dir().join("types/deno.json"),
        folder.join("deno.json"),
    )?;
    fs::write(folder.join("duplex.d.ts"), declarations()?)?;
    let file: PathBuf = folder.join("program.ts");
    fs::write(&file, program)?;
    let mut command = Command::new(deno);
    command
        .current_dir(&folder)
        .env("DENO_DIR", folder.join("cache"))
        .args(["check", "--no-remote", "--config", "deno.json"])
        .arg(file);
    support::plain_output(&mut command);
    let finished = support::finish(&mut command)?;
    match finished.code() {
        0 => Ok(()),
        _ => Err(finished.report().into()),
    }
}
