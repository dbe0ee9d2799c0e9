//! Checks the types of the programs in README and the manual.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Failed;

use crate::Note;
use crate::blocks;
use crate::folder_of;
use crate::manual;
use crate::name_of;
use crate::pages;
use crate::support;
use crate::write_below;

/// Checks the types with Deno's type checker.
pub(crate) fn by_deno(deno: OsString) -> Result<(), Failed> {
    let folder = folder_of("types", Path::new("deno"))?;
    let settings = support::tests_dir().join("types/deno.json");
    fs::copy(settings, folder.join("deno.json"))?;
    let mut command = Command::new(deno);
    command
        .current_dir(&folder)
        .env("DENO_DIR", folder.join("cache"))
        .args(["check", "--no-remote", "--config", "deno.json"])
        .args(write_files(&folder)?);
    passes(&mut command)
}

/// Checks the types with tsc, the settings of the page on TypeScript, and the types of Node.js. The
/// examples are checked as well.
pub(crate) fn beside_node(node: OsString) -> Result<(), Failed> {
    let folder = folder_of("types", Path::new("node"))?;
    std::os::unix::fs::symlink(packages(), folder.join("node_modules"))?;
    let page = blocks(&manual().join("guide/types.md"))?;
    let is_settings = |note: &Note| matches!(note, Note::File(name) if name == "tsconfig.json");
    let settings = page
        .iter()
        .find(|block| is_settings(&block.note))
        .ok_or("the page has no tsconfig.json")?;
    let mut settings: serde_json::Value = serde_json::from_str(&settings.text)?;
    settings["compilerOptions"]["types"] = serde_json::json!(["./duplex.d.ts", "node"]);
    let mut files = write_files(&folder)?;
    copy_examples(&support::repository().join("examples"), &folder, &mut files)?;
    settings["files"] = serde_json::json!(files);
    fs::write(folder.join("tsconfig.json"), settings.to_string())?;
    let mut command = Command::new(node);
    command
        .current_dir(&folder)
        .arg(packages().join("typescript/bin/tsc"))
        .args(["--project", "."]);
    passes(&mut command)
}

/// The folder of the packages that `make test` has installed.
pub(crate) fn packages() -> PathBuf {
    support::tests_dir().join("packages/node_modules")
}

/// Writes the declarations, and the files in TypeScript of all pages, each in its own folder with
/// the files above it on the page.
fn write_files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let declarations = support::finish(support::duplex().arg("types"))?;
    fs::write(folder.join("duplex.d.ts"), declarations.stdout)?;
    let mut files = Vec::new();
    for page in pages() {
        let mut above: Vec<(String, String)> = Vec::new();
        for block in blocks(&page)? {
            let is_typed = !matches!(block.note, Note::NotRun) && block.language.starts_with("ts");
            let Some(name) = block.file().filter(|_| is_typed) else {
                continue;
            };
            // A file imports the files above it, and a page may show a file more than once.
            let place = folder.join(name_of(&page)).join(block.line.to_string());
            for (other, text) in &above {
                write_below(&place, other, text)?;
            }
            write_below(&place, &name, &block.text)?;
            files.push(place.join(&name));
            above.push((name, block.text));
        }
    }
    Ok(files)
}

fn copy_examples(from: &Path, to: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failed> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("node_modules") {
            copy_examples(&path, to, files)?;
        } else if path.extension().is_some_and(|it| it == "ts") {
            let name = format!("example{}.ts", files.len());
            write_below(to, &name, &fs::read_to_string(path)?)?;
            files.push(to.join(name));
        }
    }
    Ok(())
}

fn passes(command: &mut Command) -> Result<(), Failed> {
    support::plain_output(command);
    let finished = support::finish(command)?;
    match finished.code() {
        0 => Ok(()),
        _ => Err(finished.report().into()),
    }
}
