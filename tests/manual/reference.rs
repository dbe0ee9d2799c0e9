//! Compares the reference of the manual with the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;

use crate::manual;
use crate::name_of;
use crate::pages;
use crate::support;

/// Checks that the pages that are made from the program match its current output.
pub(crate) fn generated() -> Result<(), Failed> {
    for page in ["cli", "declarations"] {
        let mut command = Command::new(support::repository().join("scripts/manual-reference"));
        command.args([page, env!("CARGO_BIN_EXE_duplex")]);
        support::plain_output(&mut command);
        let finished = support::finish(&mut command)?;
        if finished.code() != 0 {
            return Err(finished.report().into());
        }
        let path = manual().join(format!("reference/{page}.md"));
        if fs::read_to_string(&path)? != finished.stdout {
            let message = format!("{page}.md is stale: run scripts/manual-reference");
            return Err(message.into());
        }
    }
    Ok(())
}

/// Checks that each declared option has a row in the reference, and that each row is an option.
pub(crate) fn options() -> Result<(), Failed> {
    let declarations = support::finish(support::duplex().arg("types"))?.stdout;
    let mut declared = BTreeSet::new();
    let mut inside = false;
    for line in declarations.lines() {
        let words: Vec<&str> = (line.trim_start())
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        if let ["interface", name, ..] = words[..] {
            inside = OPTIONS.contains(&name);
        } else if inside && (line.starts_with("    ") || line.starts_with("  }")) {
            inside = line != "  }";
            let is_member = line.as_bytes().get(4).is_some_and(u8::is_ascii_lowercase)
                && (line.contains("?:") || line.contains("?(") || line.contains(": "));
            if is_member {
                declared.insert(words[0].to_string());
            }
        }
    }
    if declared.len() < 30 {
        return Err(format!("the declarations were not understood: {declared:?}").into());
    }
    let page = fs::read_to_string(manual().join("reference/options.md"))?;
    let mut rows = BTreeSet::new();
    let mut is_of_options = false;
    for line in page.lines() {
        is_of_options = line.starts_with("| Option |") || is_of_options && line.starts_with('|');
        let name = line.strip_prefix("| `").and_then(|row| row.split_once('`'));
        if let Some((name, _)) = name.filter(|_| is_of_options) {
            rows.insert(name.to_string());
        }
    }
    let missing: Vec<_> = declared.difference(&rows).collect();
    let unknown: Vec<_> = rows
        .difference(&declared)
        .filter(|name| !UNDECLARED.contains(&name.as_str()))
        .collect();
    match missing.is_empty() && unknown.is_empty() {
        true => Ok(()),
        false => Err(format!("without a row: {missing:?}; no option: {unknown:?}").into()),
    }
}

/// Checks that each member in a table of the reference is declared, and that each declared member
/// of servers and their sockets is in a table.
pub(crate) fn members() -> Result<(), Failed> {
    let declarations = support::finish(support::duplex().arg("types"))?.stdout;
    let mut declared = BTreeSet::new();
    let mut is_inside = false;
    for line in declarations.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        let words: Vec<&str> = (line.trim_start())
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        if let ["interface", name, ..] = words[..] {
            is_inside = MEMBERS.contains(&name);
        } else if line.starts_with('}') {
            is_inside = false;
        } else if is_inside && line.as_bytes().get(2).is_some_and(u8::is_ascii_lowercase) {
            let name = match words[..] {
                ["extends", ..] | [] => continue,
                ["readonly" | "get" | "set", name, ..] | [name, ..] => name,
            };
            declared.insert(name.to_string());
        }
    }
    let page = fs::read_to_string(manual().join("reference/options.md"))?;
    let mut rows = BTreeSet::new();
    let mut is_of_members = false;
    for line in page.lines() {
        is_of_members = line.starts_with("| Member |") || is_of_members && line.starts_with('|');
        if !is_of_members || !line.starts_with("| `") {
            continue;
        }
        let cell = line.split(" | ").next().unwrap_or_default();
        for name in cell.split('`').skip(1).step_by(2) {
            rows.insert(name.split('(').next().unwrap_or_default().to_string());
        }
    }
    // The members that browsers have too are not explained again.
    let missing: Vec<_> = declared
        .difference(&rows)
        .filter(|name| !OF_BROWSERS.contains(&name.as_str()))
        .collect();
    let unknown: Vec<_> = rows.difference(&declared).collect();
    match missing.is_empty() && unknown.is_empty() && declared.len() > 30 {
        true => Ok(()),
        false => Err(format!("without a row: {missing:?}; no member: {unknown:?}").into()),
    }
}

/// The interfaces of servers and of their sockets.
const MEMBERS: [&str; 7] = [
    "WebSocket",
    "ServerWebSocket",
    "HandlerWebSocket",
    "HttpServer",
    "WebSocketUpgrader",
    "HandlerServer",
    "WebSocketServer",
];

const OF_BROWSERS: [&str; 1] = ["close"];

/// The interfaces whose members are options.
const OPTIONS: [&str; 16] = [
    "CreateHttpClientOptions",
    "PerMessageDeflateOptions",
    "ServeOptions",
    "HandlerOptions",
    "ServeTcpOptions",
    "ServeUnixOptions",
    "ServerWebSocketOptions",
    "TlsCertifiedKeyPem",
    "TopicsOptions",
    "UpgradeOptions",
    "UpgradeWebSocketOptions",
    "WebSocketConnectOptions",
    "WebSocketHandler",
    "WebSocketLimits",
    "WebSocketOptions",
    "WebSocketStreamOptions",
];

/// Rows of members that the declarations have elsewhere, as separate types.
const UNDECLARED: [&str; 3] = ["fetch", "handler", "websocket"];

/// Checks that each flag of duplex in a page exists.
pub(crate) fn flags() -> Result<(), Failed> {
    let help = fs::read_to_string(manual().join("reference/cli.md"))?;
    let known: BTreeSet<&str> = flags_in(&help).collect();
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page)?;
        let mut in_block = false;
        for (index, line) in text.lines().enumerate() {
            if line.starts_with("```") {
                in_block = !in_block;
                continue;
            }
            // Commands of other programs have other flags.
            let codes: Vec<&str> = match in_block {
                true => vec![line],
                false => line.split('`').skip(1).step_by(2).collect(),
            };
            let is_ours =
                |code: &&str| code.starts_with("duplex ") || !in_block && code.starts_with("--");
            for flag in codes.into_iter().filter(is_ours).flat_map(flags_in) {
                count += 1;
                if !known.contains(flag) && !FLAGS_OF_OTHERS.contains(&flag) {
                    let page = name_of(&page);
                    return Err(format!("{page} line {}: there is no {flag}", index + 1).into());
                }
            }
        }
    }
    match count {
        0..200 => Err(format!("only {count} flags were found").into()),
        _ => Ok(()),
    }
}

/// The `--flags` in a text.
fn flags_in(text: &str) -> impl Iterator<Item = &str> {
    let is_of_flag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.split(move |c| !is_of_flag(c))
        .filter(|word| word.starts_with("--") && word.len() > 2)
}

/// Flags of Deno, Bun and wscat.
const FLAGS_OF_OTHERS: [&str; 5] = [
    "--unstable-worker-options",
    "--unstable-net",
    "--unstable-",
    "--hot",
    "--slash",
];

/// Checks that the program has each error text that the manual lists.
pub(crate) fn error_texts() -> Result<(), Failed> {
    let mut source = String::new();
    for folder in ["cli/src", "ext", "runtime/js", "runtime/src"] {
        read_all(&support::repository().join(folder), &mut source)?;
    }
    let mut count = 0;
    for (page, title) in TEXTS {
        let page = fs::read_to_string(manual().join(page))?;
        let (_, section) = page
            .split_once(title)
            .ok_or_else(|| format!("there is no {title:?}"))?;
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        for row in rows {
            let cell = row.split(" | ").next().unwrap_or_default();
            for text in cell.split('`').skip(1).step_by(2) {
                count += 1;
                // The parts that differ from run to run are between these characters.
                let parts = text.split(|c: char| "…\"':".contains(c) || c.is_ascii_digit());
                let part = parts.map(str::trim).max_by_key(|part| part.len());
                let part = part.unwrap_or_default();
                let is_known = source.contains(part) || OF_OTHERS.contains(&part);
                if !is_known {
                    return Err(format!("nothing says {part:?} of {text:?}").into());
                }
            }
        }
    }
    match count {
        0..50 => Err(format!("only {count} texts were found").into()),
        _ => Ok(()),
    }
}

/// The Rust and JavaScript below a folder, with the parts of long texts joined.
fn read_all(folder: &Path, source: &mut String) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_all(&path, source)?;
        } else if path.extension().is_some_and(|it| it == "rs" || it == "js") {
            let text = fs::read_to_string(path)?;
            let lines = text.lines().map(str::trim_start);
            let mut is_joined = false;
            for line in lines {
                let line = match is_joined {
                    true => line.strip_prefix('"').unwrap_or(line),
                    false => line,
                };
                let open = line
                    .strip_suffix("\" +")
                    .or_else(|| line.strip_suffix('\\'));
                is_joined = open.is_some();
                source.push_str(open.unwrap_or(line));
                if !is_joined {
                    source.push('\n');
                }
            }
        }
    }
    Ok(())
}

/// The pages and the headings under which the texts are.
const TEXTS: [(&str, &str); 1] = [("troubleshooting.md", "## By error text")];

/// Parts of texts that come from the system, from a crate, or from a template.
const OF_OTHERS: [&str; 15] = [
    ", run again with the --allow-net flag",
    "Requires read access to",
    "unexpected argument",
    "not a dependency",
    "window is not defined",
    "document is not defined",
    "Deno.test is not a function",
    "Bun is not defined",
    "Unexpected identifier",
    "Address already in use (os error",
    "Permission denied (os error",
    "failed to lookup address information",
    "Connection refused",
    "certificate not valid for name",
    "received corrupt message of type InvalidContentType",
];
