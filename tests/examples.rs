//! Every example, run as its first lines say.

mod support;

use std::fs;

use support::Running;

#[test]
fn echo() {
    let finished = support::finish(
        support::duplex_run()
            .arg("--allow-net")
            .arg(support::repository().join("examples/echo.ts")),
    )
    .unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    for text in [
        "sent 10000 messages and got 10000 back, in order",
        "closed with 1000 \"that was all\", cleanly",
    ] {
        assert!(finished.stdout.contains(text), "{}", finished.report());
    }
    assert_eq!(finished.stderr, "");
}

#[test]
fn chat() {
    let mut server = Running::start(
        "examples/chat/server.ts",
        support::duplex_run()
            .args(["--allow-net", "--allow-read"])
            .arg(support::repository().join("examples/chat/server.ts"))
            .arg("0"),
    )
    .unwrap();
    let announced = server.line("open ").unwrap();
    let url = announced.strip_suffix(" in two tabs").unwrap();
    visit("chat.js", url);
}

#[test]
fn ping() {
    let mut server = Running::start(
        "examples/ping/main.js",
        support::duplex_run()
            .current_dir(support::repository().join("examples/ping"))
            .args(["--allow-net=0.0.0.0", "--allow-read=./index.html"])
            .args(["main.js", "0"]),
    )
    .unwrap();
    let announced = server.line("Listening on http://0.0.0.0:").unwrap();
    let port = announced.split('/').next().unwrap();
    visit("ping.js", &format!("http://127.0.0.1:{port}/"));
    for line in ["connected", "received ping", "disconnected"] {
        server.line(line).unwrap();
    }
}

/// What README shows first runs with the permission that README names.
#[test]
fn readme() {
    let readme = fs::read_to_string(support::repository().join("README.md")).unwrap();
    let program = |name: &str| {
        let (_, rest) = readme.split_once(&format!("// {name}\n")).unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        text.to_owned()
    };
    let folder = std::env::temp_dir().join(format!("duplex-readme-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    assert!(readme.contains("`--allow-net=localhost:8000`"));
    // Somebody may have that port.
    let file = folder.join("server.ts");
    fs::write(&file, program("server.ts").replace("8000", "0")).unwrap();
    let mut server = Running::start(
        "README's server.ts",
        support::duplex_run()
            .arg("--allow-net=localhost:0")
            .arg(&file),
    )
    .unwrap();
    let announced = server.line("Listening on http://").unwrap();
    let port = announced.trim_end_matches('/').rsplit(':').next().unwrap();

    let file = folder.join("client.ts");
    let client = program("client.ts").replace("8000", port);
    // README's goes on for ever.
    fs::write(&file, format!("{client}socket.addEventListener(\"message\", ({{ data }}) => data.startsWith(\"you\") && Deno.exit());\n")).unwrap();
    let finished = support::finish(
        support::duplex_run()
            .arg(format!("--allow-net=localhost:{port}"))
            .arg(&file),
    )
    .unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_eq!(finished.stdout, "welcome\nyou said hello\n");
    fs::remove_dir_all(&folder).unwrap();
}

/// Runs the visitor's script of an example against its server.
fn visit(script: &str, url: &str) {
    let finished = support::finish(
        support::duplex_run()
            .arg("--allow-net")
            .arg(support::tests_dir().join("examples").join(script))
            .arg(url),
    )
    .unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_eq!(finished.stdout, "ok\n", "{}", finished.report());
}
