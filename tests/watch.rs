//! `--watch`: a program is restarted when one of its files changes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;

use support::Running;

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("duplex-test-watch-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        let _ = fs::remove_dir_all(&folder.0);
        fs::create_dir_all(folder.0.join("sub")).unwrap();
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Replaces a file atomically, as some editors do.
    fn replace(&self, name: &str, text: &str) {
        self.write("new", text);
        fs::rename(self.0.join("new"), self.0.join(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(folder: &Path, args: &[&str]) -> Running {
    let mut command = support::duplex();
    command.current_dir(folder).args(args);
    Running::start("the watcher", &mut command).unwrap()
}

/// Waits for the start of the program that prints this value. A change may start it twice, because
/// a file is written in several steps.
#[track_caller]
fn wait_for_value(running: &mut Running, value: &str) {
    running.line_with(&format!("value {value}")).unwrap();
}

const STAYS: &str = "setInterval(() => {}, 1000);";

#[test]
fn a_change_of_any_module_starts_the_program_anew() {
    let main = format!("import {{ a }} from './a.ts'; console.log(`value ${{a}}`); {STAYS}");
    let folder = Folder::new(
        "modules",
        &[
            ("main.js", &main),
            (
                "a.ts",
                "import b from './sub/b.json' with { type: 'json' };\nexport const a: number = b.b;",
            ),
            ("sub/b.json", "{ \"b\": 1 }"),
        ],
    );
    let mut running = start(&folder.0, &["run", "--watch", "main.js", "--watch"]);
    running.line_with("Watcher Process started.").unwrap();
    wait_for_value(&mut running, "1");

    folder.write("sub/b.json", "{ \"b\": 2 }");
    running
        .line_with("Watcher File change detected! Restarting!")
        .unwrap();
    wait_for_value(&mut running, "2");

    folder.replace("a.ts", "export const a = 3");
    wait_for_value(&mut running, "3");

    // After a program that fails, the watcher waits for the next change.
    folder.write("a.ts", "export const a = ;");
    running
        .line_with("Watcher Process failed. Restarting on file change...")
        .unwrap();
    folder.write("a.ts", "export const a = 4;");
    wait_for_value(&mut running, "4");

    // The same holds after a program that ends.
    folder.write("main.js", "console.log('value', Deno.args[0]);");
    wait_for_value(&mut running, "--watch");
    running
        .line_with("Watcher Process finished. Restarting on file change...")
        .unwrap();
    running.signal("TERM").unwrap();
    running.end().unwrap();
}

#[test]
fn named_files_and_modules_of_node_are_watched() {
    let main = format!("const {{ a }} = require('./a.cjs'); console.log(`value ${{a}}`); {STAYS}");
    let folder = Folder::new(
        "named",
        &[
            ("main.cjs", &main),
            ("a.cjs", "exports.a = 1;"),
            ("sub/template.html", ""),
            ("sub/log.txt", ""),
        ],
    );
    let flags = [
        "run",
        "-A",
        "--watch=sub",
        "--watch-exclude=sub/log.txt",
        "--no-clear-screen",
        "main.cjs",
    ];
    let mut running = start(&folder.0, &flags);
    wait_for_value(&mut running, "1");
    folder.write("a.cjs", "exports.a = 2;");
    wait_for_value(&mut running, "2");
    folder.write("sub/template.html", "changed");
    wait_for_value(&mut running, "2");
    // This change does not restart the program. The next value is from the change after it.
    folder.write("sub/log.txt", "changed");
    folder.write("a.cjs", "exports.a = 3;");
    assert_eq!(running.line("value ").unwrap(), "3");
    running.signal("TERM").unwrap();
    // The watcher ends with the exit code of the program.
    assert_eq!(running.end().unwrap().code(), 143);
}

#[test]
fn a_server_starts_anew_on_its_port() {
    let module =
        |answer: &str| format!("export default {{ fetch: () => new Response('{answer}') }};");
    let folder = Folder::new("serve", &[("main.js", &module("one"))]);
    let flags = [
        "serve",
        "--watch",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "main.js",
    ];
    let mut running = start(&folder.0, &flags);
    assert_eq!(get(&mut running), "one");
    folder.write("main.js", &module("two"));
    while get(&mut running) != "two" {}
    running.signal("INT").unwrap();
    assert_eq!(running.end().unwrap().code(), 0);
}

/// The answer of the server that has just printed its address.
fn get(running: &mut Running) -> String {
    let address = running.after("Listening on http://").unwrap();
    let mut stream = TcpStream::connect(address.trim_end_matches('/')).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n").next().unwrap_or_default().to_string()
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    for (flags, problem) in [
        (&["run", "--watch", "-"][..], "standard input"),
        (&["run", "--watch=none", "main.js"], "Unable to watch"),
        (&["run", "--watch-exclude=a", "main.js"], "--watch"),
    ] {
        let mut command = support::duplex();
        let finished = support::finish(command.args(flags)).unwrap();
        assert_eq!(finished.code(), 1, "{}", finished.report());
        assert!(finished.stderr.contains(problem), "{}", finished.report());
    }
}
