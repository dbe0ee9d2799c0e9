//! Runs every script under `tests/specs` with the `duplex` binary.
//!
//! A spec is a `.js`, `.mjs`, `.ts`, `.tsx` or `.jsx` file. It passes if it exits with 0, prints `ok`
//! and nothing else, and leaves standard error empty. Comments at its top change what is expected:
//!
//! ```text
//! // flags: --allow-net --location http://example.org/
//! // args: a b
//! // env: NAME=value
//! // engine: v8
//! // exit: 1
//! // stdout: a line (repeat for more)
//! // stderr: error: Uncaught[*]
//! // deno: why Deno does something else here
//! ```
//!
//! If such a comment begins with another single word and a colon, that is an error, because the
//! word may be a misspelt key. Longer expectations are in the files `NAME.out` and `NAME.err` in
//! the folder of the spec. In all of them, `[*]` stands for anything. Files and folders whose name
//! starts with `_` are for specs to import, and so are packages in `node_modules`.
//!
//! With `DUPLEX_SPECS_ON=/path/to/deno` the specs run there instead, to check that they expect what
//! Deno, the reference, does. Specs with `deno:` are left out then. `DUPLEX_SPECS_FLAGS` has flags that
//! Deno gets in front of those of the spec.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;

fn main() -> ExitCode {
    let root = support::tests_dir().join("specs");
    let reference = std::env::var_os("DUPLEX_SPECS_ON").map(PathBuf::from);
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();

    let mut trials: Vec<Trial> = files
        .into_iter()
        .map(|file| {
            let name = file
                .strip_prefix(&root)
                .expect("collected below the root")
                .display()
                .to_string();
            let spec = Spec::read(&file);
            let (engine, is_deno) = match &reference {
                Some(_) => ("v8", true),
                None => (engine(), false),
            };
            let ignored = spec.as_ref().is_ok_and(|spec| {
                (is_deno && spec.deno_differs)
                    || spec.engine.as_deref().is_some_and(|it| it != engine)
            });
            let reference = reference.clone();
            Trial::test(name, move || spec?.run(reference.as_deref())).with_ignored_flag(ignored)
        })
        .collect();
    trials.push(Trial::test("a misspelt key is an error", misspelt_keys));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn misspelt_keys() -> Result<(), Failed> {
    let read = |text: &str| Spec::parse(Path::new("misspelt.js"), text).map(|spec| spec.exit);
    for (text, expected) in [
        ("// exit: 3\n", Ok(3)),
        ("// Two words: prose.\n// exit: 3\n", Ok(3)),
        ("// `data:` URLs.\n// exit: 3\n", Ok(3)),
        ("code();\n// exti: 3\n", Ok(0)),
        ("// exti: 3\n", Err("unknown key `exti:`".to_string())),
        ("// Exit: 3\n", Err("unknown key `Exit:`".to_string())),
        (
            "// a.out\n// std-err: no\n",
            Err("unknown key `std-err:`".to_string()),
        ),
    ] {
        if read(text) != expected {
            return Err(format!("{text:?}: {:?} and not {expected:?}", read(text)).into());
        }
    }
    Ok(())
}

struct Spec {
    file: PathBuf,
    flags: Vec<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    engine: Option<String>,
    exit: i32,
    stdout: String,
    stderr: String,
    deno_differs: bool,
}

impl Spec {
    fn read(file: &Path) -> Result<Spec, String> {
        let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
        Self::parse(file, &text)
    }

    fn parse(file: &Path, text: &str) -> Result<Spec, String> {
        let mut spec = Spec {
            file: file.to_path_buf(),
            flags: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            engine: None,
            exit: 0,
            stdout: String::new(),
            stderr: String::new(),
            deno_differs: false,
        };
        for line in text.lines() {
            let Some(comment) = line.strip_prefix("//") else {
                break;
            };
            let Some((key, value)) = comment.trim_start().split_once(':') else {
                continue;
            };
            let value = value.strip_prefix(" ").unwrap_or(value).trim_end();
            let words = || value.split_whitespace().map(str::to_string);
            match key {
                "flags" => spec.flags.extend(words()),
                "args" => spec.args.extend(words()),
                "env" => {
                    let (name, value) = value
                        .split_once('=')
                        .ok_or("`env:` takes NAME=value".to_string())?;
                    spec.env.push((name.to_string(), value.to_string()));
                }
                "engine" => spec.engine = Some(value.to_string()),
                "exit" => {
                    spec.exit = value.parse().map_err(|_| "`exit:` takes a number")?;
                }
                "stdout" => spec.stdout += &format!("{value}\n"),
                "stderr" => spec.stderr += &format!("{value}\n"),
                "deno" => spec.deno_differs = true,
                // In prose, a colon comes after several words.
                word if word
                    .chars()
                    .all(|it| it.is_ascii_alphabetic() || "-_".contains(it)) =>
                {
                    return Err(format!("unknown key `{word}:`"));
                }
                _ => {}
            }
        }
        for (extension, expected) in [("out", &mut spec.stdout), ("err", &mut spec.stderr)] {
            if let Ok(text) = fs::read_to_string(file.with_extension(extension)) {
                if !expected.is_empty() {
                    return Err(format!("both a comment and a .{extension} file"));
                }
                *expected = text;
            }
        }
        if spec.stdout.is_empty() && spec.exit == 0 {
            spec.stdout = "ok\n".to_string();
        }
        Ok(spec)
    }

    fn run(self, reference: Option<&Path>) -> Result<(), Failed> {
        let mut command = match reference {
            Some(deno) => {
                let mut command = Command::new(deno);
                support::plain_output(&mut command);
                command.args(["run", "--no-prompt"]);
                let flags = std::env::var("DUPLEX_SPECS_FLAGS").unwrap_or_default();
                command.args(flags.split_whitespace());
                command
            }
            None => support::duplex_run(),
        };
        command
            .current_dir(self.file.parent().expect("a file has a folder"))
            .args(&self.flags)
            .arg(self.file.file_name().expect("a file has a name"))
            .args(&self.args)
            .envs(self.env);
        let finished = support::finish(&mut command)?;

        let mut wrong = Vec::new();
        if finished.code() != self.exit {
            wrong.push(format!("expected exit code {}", self.exit));
        }
        for (name, expected, text) in [
            ("stdout", &self.stdout, &finished.stdout),
            ("stderr", &self.stderr, &finished.stderr),
        ] {
            if !support::matches(expected.trim_end(), text.trim_end()) {
                wrong.push(format!("expected {name}\n{expected}"));
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("{}\n--- got {}", wrong.join("\n"), finished.report()).into())
        }
    }
}

/// The engine that the binary was built with.
fn engine() -> &'static str {
    if cfg!(feature = "quickjs") {
        "quickjs"
    } else {
        "v8"
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('_') || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if matches!(
            path.extension().and_then(OsStr::to_str),
            Some("js" | "mjs" | "ts" | "tsx" | "jsx")
        ) {
            files.push(path);
        }
    }
}
