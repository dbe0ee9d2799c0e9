//! The names of commands: the commands of duplex, and commands of other programs.

use std::ffi::OsString;

/// The commands of duplex.
const OWN: [&str; 8] = [
    "run", "eval", "serve", "connect", "cache", "install", "types", "help",
];

/// The commands of Deno, Node.js and npm that duplex does not have, each with what to use instead.
const FOREIGN: [(&str, &str); 29] = [
    (
        "add",
        "npm install, or `duplex install` after naming it in package.json or deno.json",
    ),
    ("bench", "deno bench"),
    ("bundle", "esbuild"),
    (
        "check",
        "deno check or tsc: duplex removes types and does not check them",
    ),
    ("ci", "duplex install --frozen"),
    ("clean", "deno clean, which has the same cache"),
    ("compile", "deno compile"),
    ("completions", "duplex --help"),
    ("coverage", "deno coverage"),
    ("deploy", "deno deploy"),
    ("doc", "deno doc"),
    ("fmt", "deno fmt"),
    ("info", "deno info, which has the same cache"),
    (
        "init",
        "no tool: a program is one file, and needs no project",
    ),
    ("jupyter", "deno jupyter"),
    ("lint", "deno lint"),
    ("list", "npm ls"),
    ("lsp", "deno lsp, with the output of `duplex types`"),
    ("outdated", "npm outdated"),
    ("publish", "deno publish"),
    ("remove", "npm uninstall"),
    ("repl", "duplex eval"),
    (
        "start",
        "duplex run, with the program that package.json names",
    ),
    ("task", "deno task or npm run"),
    (
        "test",
        "a program that imports \"node:test\", with duplex run",
    ),
    ("uninstall", "npm uninstall"),
    ("upgrade", "the tool that installed duplex"),
    ("vendor", "\"vendor\": true in the deno.json"),
    ("watch", "duplex run --watch"),
];

/// The message if a command is refused. It is refused if duplex does not have it or it is misspelt,
/// and no file has that name.
pub(super) fn foreign_command(args: &[OsString]) -> Option<String> {
    let mut rest = args.iter().skip(1).filter_map(|argument| argument.to_str());
    let name = rest.find(|argument| !matches!(*argument, "-q" | "--quiet"))?;
    let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_word || std::path::Path::new(name).exists() {
        return None;
    }
    if let Some((_, instead)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
        let message = format!("duplex has no command \"{name}\"; use {instead}");
        return Some(message);
    }
    if OWN.contains(&name) {
        return None;
    }
    let meant = OWN.into_iter().find(|own| is_misspelt(name, own))?;
    let message = format!("duplex has no command \"{name}\"; did you mean \"{meant}\"?");
    Some(message)
}

/// Whether a name may be a misspelling. At most two letters are wrong, missing, too many or
/// exchanged, or at most one in a short name.
fn is_misspelt(name: &str, meant: &str) -> bool {
    strsim::damerau_levenshtein(name, meant) <= if meant.len() > 4 { 2 } else { 1 }
}

/// Inserts `run` if the user left it out.
pub(super) fn with_subcommand(mut args: Vec<OsString>) -> Vec<OsString> {
    let mut index = 1;
    while let Some(argument) = args.get(index).and_then(|argument| argument.to_str()) {
        match argument {
            "-q" | "--quiet" => index += 1,
            "-L" | "--log-level" => index += 2,
            _ if argument.starts_with("--log-level=") => index += 1,
            "-h" | "--help" | "-V" | "--version" => return args,
            name if OWN.contains(&name) => return args,
            _ => break,
        }
    }
    if index < args.len() {
        args.insert(index, "run".into());
    }
    args
}
