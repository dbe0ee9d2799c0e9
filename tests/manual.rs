//! Runs every block of code in README.md and in docs/manual, and compares the reference
//! with the program.
//!
//! The test follows a page from the top, as a reader does, in a folder of its own:
//!
//! - A block whose first line is a comment with a file's name (`// server.ts`) is that file.
//!   A format without comments has the name before the block: `<!-- file: deno.json -->`.
//! - Each line of a `sh` block is a command. It must end with success. If it is a server, the line
//!   ends with `# leave it running`.
//! - A `text` block directly after a `sh` block is the output of the last command. `…` stands for
//!   anything.
//! - Any other block of `ts` or `js` is a fragment, and is parsed. A block of `json` is parsed too.
//! - A block after `<!-- from: PATH -->` is a part of that file of the repository.
//! - A block that cannot run says why: `<!-- not run: REASON -->`.
//!
//! Port 8000 is replaced by a port that the system chooses, in the command of a server, in the
//! files at that time, in the commands that follow, and in the files that these name. A server is
//! stopped when the next one starts.
//!
//! With `DUPLEX_TEST_DENO` the files in TypeScript are also type-checked. With `DUPLEX_TEST_NODE`
//! and the packages of `tests/packages` they are checked by tsc, together with @types/node.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "manual/reference.rs"]
mod reference;
mod support;
#[path = "manual/types.rs"]
mod types;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Running;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for path in pages() {
        let name = name_of(&path);
        let page = path.clone();
        trials.push(Trial::test(format!("run {name}"), move || run(&page)));
        trials.push(Trial::test(format!("links {name}"), move || links(&path)));
    }
    for path in other_pages() {
        let name = format!("links {}", name_of(&path));
        trials.push(Trial::test(name, move || links(&path)));
    }
    let deno = support::program("DUPLEX_TEST_DENO");
    let ignored = deno.is_none() && std::env::var_os("CI").is_none();
    let by_deno =
        move || types::by_deno(deno.ok_or("DUPLEX_TEST_DENO is not set: run `make test`")?);
    trials.push(Trial::test("types", by_deno).with_ignored_flag(ignored));
    let node = support::program("DUPLEX_TEST_NODE").filter(|_| types::packages().is_dir());
    let ignored = node.is_none() && std::env::var_os("CI").is_none();
    let beside_node =
        move || types::beside_node(node.ok_or("Node.js or tsc is missing: run `make test`")?);
    trials
        .push(Trial::test("types beside those of Node.js", beside_node).with_ignored_flag(ignored));
    trials.push(Trial::test("summary", summary));
    // The help of a build with QuickJS does not have the flags of V8.
    let is_generated = Trial::test("reference is generated", reference::generated);
    trials.push(is_generated.with_ignored_flag(cfg!(feature = "quickjs")));
    trials.push(Trial::test("reference has the options", reference::options));
    trials.push(Trial::test("reference has the members", reference::members));
    trials.push(Trial::test("flags exist", reference::flags));
    trials.push(Trial::test(
        "error texts are in the source",
        reference::error_texts,
    ));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn manual() -> PathBuf {
    support::repository().join("docs/manual")
}

/// README and all pages of the manual.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![support::repository().join("README.md")];
    let mut folders = vec![manual()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the manual is there") {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() && path != manual().join("book") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// The pages for contributors, and the pages in the folders of examples.
fn other_pages() -> Vec<PathBuf> {
    let root = support::repository();
    let folders = ["", "docs", "examples", "examples/metrics", "wpt"];
    let mut pages = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is there") {
            let path = entry.expect("a folder can be read").path();
            if path.extension().is_some_and(|it| it == "md") && !path.ends_with("README.md")
                || !folder.is_empty() && path.ends_with("README.md")
            {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

fn name_of(page: &Path) -> String {
    let root = support::repository();
    let name = page
        .strip_prefix(root)
        .expect("pages are in the repository");
    name.display().to_string()
}

/// A block between two fences.
struct Block {
    language: String,
    text: String,
    /// The line number of the first fence.
    line: usize,
    /// Whether there is nothing between this block and the block before.
    follows: bool,
    note: Note,
}

enum Note {
    None,
    File(String),
    From(String),
    NotRun,
}

impl Block {
    /// The name of the file that the block is.
    fn file(&self) -> Option<String> {
        if let Note::File(name) = &self.note {
            return Some(name.clone());
        }
        let first = self.text.lines().next()?;
        let name = match self.language.as_str() {
            "ts" | "js" | "tsx" => first.strip_prefix("// ")?,
            "html" => first.strip_prefix("<!-- ")?.strip_suffix(" -->")?,
            _ => return None,
        };
        let is_name = !name.starts_with('.')
            && name.contains('.')
            && (name.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
        is_name.then(|| name.to_string())
    }
}

fn blocks(page: &Path) -> Result<Vec<Block>, Failed> {
    let text = fs::read_to_string(page)?;
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut note = Note::None;
    let mut follows = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(block) = &mut open {
            if line == "```" {
                blocks.extend(open.take());
                follows = true;
            } else {
                block.text.push_str(line);
                block.text.push('\n');
            }
        } else if let Some(language) = line.strip_prefix("```") {
            if language.is_empty() {
                return Err(format!("line {number}: a block needs a language").into());
            }
            open = Some(Block {
                language: language.to_string(),
                text: String::new(),
                line: number,
                follows,
                note: std::mem::replace(&mut note, Note::None),
            });
        } else if line.trim_start().starts_with("```") {
            return Err(format!("line {number}: a block must not be indented").into());
        } else if !line.trim().is_empty() {
            follows = false;
            let comment = line
                .strip_prefix("<!-- ")
                .and_then(|line| line.strip_suffix(" -->"));
            note = match comment.and_then(|comment| comment.split_once(": ")) {
                Some(("file", name)) => Note::File(name.to_string()),
                Some(("from", path)) => Note::From(path.to_string()),
                Some(("not run", reason)) if !reason.is_empty() => Note::NotRun,
                Some((other, _)) => {
                    return Err(format!("line {number}: what is \"{other}\"?").into());
                }
                None => Note::None,
            };
        }
    }
    match open {
        Some(block) => Err(format!("line {}: the block has no end", block.line).into()),
        None => Ok(blocks),
    }
}

/// Follows a page as a reader does.
fn run(page: &Path) -> Result<(), Failed> {
    let mut reader = Reader::new(page)?;
    let blocks = blocks(page)?;
    let mut blocks = blocks.iter().peekable();
    while let Some(block) = blocks.next() {
        let is_output = |next: &&Block| next.follows && next.language == "text";
        let expected = match block.language.as_str() {
            "sh" => blocks.next_if(is_output).map(|next| next.text.as_str()),
            _ => None,
        };
        reader.read(block, expected).map_err(|failed| {
            let message = failed.message().unwrap_or("failed");
            format!("{} line {}: {message}", name_of(page), block.line)
        })?;
    }
    reader.stop_server()?;
    match reader.unused() {
        Some(name) => Err(format!("{}: no command uses {name}", name_of(page)).into()),
        None => Ok(()),
    }
}

/// The state of a reader who follows a page.
struct Reader {
    folder: PathBuf,
    /// The files as they are on the page.
    files: BTreeMap<String, String>,
    server: Option<Server>,
    /// The commands so far.
    commands: String,
    fragments: usize,
}

struct Server {
    program: Running,
    port: String,
    /// Whether the program ends by itself at SIGTERM.
    ends: bool,
}

impl Reader {
    fn new(page: &Path) -> Result<Self, Failed> {
        let folder = folder_of("run", Path::new(&name_of(page)))?;
        let bin = folder.join(".bin");
        fs::create_dir(&bin)?;
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_duplex"), bin.join("duplex"))?;
        Ok(Self {
            folder,
            files: BTreeMap::new(),
            server: None,
            commands: String::new(),
            fragments: 0,
        })
    }

    fn read(&mut self, block: &Block, expected: Option<&str>) -> Result<(), Failed> {
        match (&block.note, block.language.as_str()) {
            (Note::From(path), _) => {
                let text = fs::read_to_string(support::repository().join(path))?;
                return match text.contains(&block.text) {
                    true => Ok(()),
                    false => Err(format!("{path} does not have this block").into()),
                };
            }
            (Note::NotRun, "ts" | "js") => return self.parse(&block.text),
            (Note::NotRun, _) => return Ok(()),
            (Note::File(_) | Note::None, _) => {}
        }
        if let Some(name) = block.file() {
            self.files.insert(name, block.text.clone());
            return Ok(());
        }
        match block.language.as_str() {
            "sh" => self.type_in(&block.text, expected),
            "ts" | "js" => self.parse(&block.text),
            "json" => serde_json::from_str::<serde_json::Value>(&block.text)
                .map(|_| ())
                .map_err(|error| error.to_string().into()),
            other => Err(format!(
                "nothing checks a block of {other}: write <!-- not run: REASON --> before it"
            )
            .into()),
        }
    }

    fn type_in(&mut self, lines: &str, expected: Option<&str>) -> Result<(), Failed> {
        let lines = lines.replace("\\\n", "");
        let lines: Vec<&str> = lines
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let Some((last, others)) = lines.split_last() else {
            return Err("no command".into());
        };
        for line in others {
            self.command(line, None)?;
        }
        self.command(last, expected)
    }

    fn command(&mut self, line: &str, expected: Option<&str>) -> Result<(), Failed> {
        self.commands.push_str(line);
        if line.contains(SERVES) {
            self.stop_server()?;
            return self.serve(line, expected);
        }
        let port = self.server.as_ref().map(|server| server.port.clone());
        let port = port.as_deref().unwrap_or("8000");
        let mut command = self.shell(line, port)?;
        let finished = support::finish(&mut command)?;
        if finished.code() != 0 {
            return Err(format!("{line}\n{}", finished.report()).into());
        }
        match expected {
            Some(expected) if !matches(&expected.replace("8000", port), &finished.stdout) => {
                Err(format!("{line}\nexpected\n{expected}\n{}", finished.report()).into())
            }
            _ => Ok(()),
        }
    }

    fn serve(&mut self, line: &str, expected: Option<&str>) -> Result<(), Failed> {
        let mut program = Running::start(line, &mut self.shell(line, "0")?)?;
        let announced = program.line("Listening on ")?;
        let port: String = match announced.rsplit_once(':') {
            Some((_, rest)) => rest.chars().take_while(char::is_ascii_digit).collect(),
            None => "8000".to_string(),
        };
        if let Some(expected) = expected.map(|expected| expected.replace("8000", &port)) {
            let announced = format!("Listening on {announced}\n");
            if !matches(&expected, &announced) {
                return Err(format!("expected\n{expected}\ngot\n{announced}").into());
            }
        }
        if announced.starts_with("http://") {
            ask(&port)?;
        }
        self.server = Some(Server {
            program,
            port,
            ends: line.starts_with("duplex serve "),
        });
        Ok(())
    }

    /// A file that neither a command nor another file names.
    fn unused(&self) -> Option<&String> {
        self.files.keys().find(|name| {
            let of = |other: &(&String, &String)| other.0 != *name && other.1.contains(*name);
            !name.ends_with(".json")
                && !self.commands.contains(*name)
                && !self.files.iter().any(|other| of(&other))
        })
    }

    fn stop_server(&mut self) -> Result<(), Failed> {
        let Some(server) = self.server.take() else {
            return Ok(());
        };
        server.program.signal("TERM")?;
        let finished = server.program.end()?;
        if server.ends && finished.code() != 0 || finished.stdout.contains("Uncaught") {
            return Err(format!("the server failed: {}", finished.report()).into());
        }
        Ok(())
    }

    /// A command in a shell, with the files as they are on the page, except for the port.
    fn shell(&self, line: &str, port: &str) -> Result<Command, Failed> {
        for (name, text) in &self.files {
            // A file that a server may not have read yet is not changed.
            let is_meant = line.contains(SERVES) || line.contains(name) || !text.contains("8000");
            let text = text.replace("8000", port);
            let path = self.folder.join(name);
            if is_meant && !fs::read_to_string(path).is_ok_and(|there| there == text) {
                write_below(&self.folder, name, &text)?;
            }
        }
        let line = line.replace("8000", port);
        // A signal must reach the program, not the shell.
        let line = match line.starts_with("duplex ") {
            true => format!("exec {line}"),
            false => line,
        };
        let mut command = Command::new("sh");
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.folder.join(".bin");
        command
            .args(["-c", &line])
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", bin.display()));
        support::plain_output(&mut command);
        Ok(command)
    }

    /// Parses a fragment, in a function that is not called.
    fn parse(&mut self, fragment: &str) -> Result<(), Failed> {
        self.fragments += 1;
        let mut text = String::from("async function* _fragment(this: any) {\n");
        let mut imports = false;
        for line in fragment.lines() {
            imports |= line.starts_with("import ");
            if imports {
                imports = !line.ends_with(';');
                continue;
            }
            let line = match line.strip_prefix("export default ") {
                Some(rest) => &format!("void {rest}"),
                None => line.strip_prefix("export ").unwrap_or(line),
            };
            text.push_str(line);
            text.push('\n');
        }
        text.push_str("}\n");
        let file = self.folder.join(format!("fragment{}.ts", self.fragments));
        fs::write(&file, text)?;
        let finished = support::finish(support::duplex_run().arg(&file))?;
        match finished.code() {
            0 => Ok(()),
            _ => Err(finished.report().into()),
        }
    }
}

/// The mark of the command of a server.
const SERVES: &str = "# leave it running";

/// Requests the first page of a server, to check that the server is up and answers.
fn ask(port: &str) -> Result<(), Failed> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    stream.set_read_timeout(Some(support::LIMIT))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    match status {
        "200" | "400" | "401" | "403" | "404" | "426" => Ok(()),
        _ => Err(format!("the server answered {answer:?}").into()),
    }
}

/// Whether `text` is the text on the page, in which `…` stands for anything.
fn matches(page: &str, text: &str) -> bool {
    support::matches(&page.trim_end().replace('…', "[*]"), text.trim_end())
}

fn write_below(folder: &Path, name: &str, text: &str) -> Result<(), Failed> {
    let path = folder.join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}

/// An empty folder for a test.
fn folder_of(test: &str, page: &Path) -> Result<PathBuf, Failed> {
    let name = page.display().to_string().replace('/', "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("manual-{test}-{name}"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Checks that every link to a file of the repository leads to a file, and to a heading of a page.
fn links(page: &Path) -> Result<(), Failed> {
    const HERE: &str = "https://github.com/duplex-rs/duplex/blob/main/";
    let text = fs::read_to_string(page)?;
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        in_block ^= line.starts_with("```");
        if in_block {
            continue;
        }
        for part in line.split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or_default();
            let (link, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if let Some(path) = link.strip_prefix(HERE) {
                support::repository().join(path)
            } else if link.contains("://") || target.is_empty() {
                continue;
            } else if link.is_empty() {
                page.to_path_buf()
            } else {
                page.parent().expect("a file is in a folder").join(link)
            };
            if !path.exists() {
                return Err(format!("{} line {}: {link}", name_of(page), index + 1).into());
            }
            if !heading.is_empty() && !headings(&path)?.contains(heading) {
                let message = format!("{} line {}: {target}", name_of(page), index + 1);
                return Err(message.into());
            }
            let is_outside = !path.canonicalize()?.starts_with(manual());
            if is_outside && page.starts_with(manual()) && !link.starts_with(HERE) {
                let message = format!("line {}: {link} is not in the book", index + 1);
                return Err(message.into());
            }
        }
    }
    Ok(())
}

/// The anchors of a page's headings, as code hosts and mdBook make them.
fn headings(page: &Path) -> Result<BTreeSet<String>, Failed> {
    let text = fs::read_to_string(page)?;
    let mut anchors = BTreeSet::new();
    let mut in_block = false;
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        if in_block || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor: String = (title.trim().to_lowercase().chars())
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        anchors.insert(anchor);
    }
    Ok(anchors)
}

/// Checks that the table of contents and llms.txt name every page.
fn summary() -> Result<(), Failed> {
    for list in ["SUMMARY.md", "llms.txt"] {
        let text = fs::read_to_string(manual().join(list))?;
        for page in pages() {
            let Ok(name) = page.strip_prefix(manual()) else {
                continue;
            };
            let name = name.display().to_string();
            if name != "SUMMARY.md" && !text.contains(&format!("{name})")) {
                return Err(format!("{list} does not name {name}").into());
            }
        }
    }
    Ok(())
}
