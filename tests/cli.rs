//! The command line: flags, `eval`, errors before a script runs, signals.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use support::Finished;
use support::Running;

/// Runs `duplex` with these arguments in `tests/specs`.
fn run(arguments: &[&str]) -> Finished {
    support::finish(
        support::duplex()
            .current_dir(support::tests_dir().join("specs"))
            .args(arguments),
    )
    .unwrap()
}

#[track_caller]
fn fails(arguments: &[&str], pattern: &str) {
    let finished = run(arguments);
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert_eq!(finished.stdout, "", "{}", finished.report());
    assert!(
        support::matches(pattern, finished.stderr.trim_end()),
        "expected {pattern}\ngot {}",
        finished.report()
    );
}

#[track_caller]
fn prints(arguments: &[&str], pattern: &str) {
    let finished = run(arguments);
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_eq!(finished.stderr, "", "{}", finished.report());
    assert!(
        support::matches(pattern, finished.stdout.trim_end()),
        "expected {pattern}\ngot {}",
        finished.report()
    );
}

#[test]
fn version_names_the_engine() {
    let engine = if cfg!(feature = "quickjs") {
        "quickjs"
    } else {
        "v8"
    };
    let expected = format!("duplex {}[*]\n{engine} [*].[*]", env!("CARGO_PKG_VERSION"));
    prints(&["--version"], &expected);
}

#[test]
fn help_names_the_commands_and_flags() {
    prints(&["--help"], "[*]run[*]eval[*]");
    let help = run(&["run", "--help"]).stdout;
    for flag in [
        "--allow-net",
        "--allow-read",
        "--allow-write",
        "--allow-env",
        "--deny-net",
        "--allow-all",
        "--no-prompt",
        "--import-map",
        "--cert",
        "--location",
        "--unsafely-ignore-certificate-errors",
        "--seed",
    ] {
        assert!(help.contains(flag), "{flag} is missing in\n{help}");
    }
    assert_eq!(help.contains("--v8-flags"), cfg!(feature = "v8"));
}

#[test]
fn eval_runs_its_argument() {
    prints(&["eval", "console.log(1 + 1)"], "2");
    prints(
        &[
            "eval",
            "await null; const { port } = Deno.listen({ port: 0 }).addr; console.log(port > 0)",
        ],
        "true",
    );
    fails(
        &["eval", "throw new Error('thrown')"],
        "error: Uncaught (in promise) Error: thrown[*]",
    );
}

#[test]
fn arguments_reach_the_script() {
    prints(
        &["eval", "console.log(Deno.args.join())", "a", "--flag", "-x"],
        "a,--flag,-x",
    );
}

#[test]
fn unknown_flags_are_refused() {
    fails(
        &["run", "--allow-nothing", "x.js"],
        "error: unexpected argument '--allow-nothing' found[*]",
    );
    fails(&["run"], "[*]");
    fails(&["frobnicate"], "error: [*]frobnicate[*]");
}

#[test]
fn commands_of_others_and_misspelt_ones_say_what_to_use() {
    for (args, message) in [
        (
            &["test"][..],
            "error: duplex has no command \"test\"; use [*]node:test[*]",
        ),
        (
            &["fmt", "a.ts"],
            "error: duplex has no command \"fmt\"; use deno fmt[*]",
        ),
        (
            &["rnu", "a.ts"],
            "error: duplex has no command \"rnu\"; did you mean \"run\"?[*]",
        ),
        (&["sever", "a.ts"], "error: [*]did you mean \"serve\"?[*]"),
        (&["-q", "evl", "1"], "error: [*]did you mean \"eval\"?[*]"),
    ] {
        fails(args, message);
    }
}

#[test]
fn flags_of_deno_that_change_nothing_here_are_accepted() {
    let flags = [
        "--no-lock",
        "--frozen",
        "--cached-only",
        "--no-remote",
        "--no-npm",
        "--node-modules-dir=none",
        "--unstable-net",
        "--allow-scripts",
    ];
    let mut args = vec!["eval"];
    args.extend(flags);
    args.push("console.log(1)");
    prints(&args, "1");
}

#[test]
fn missing_files_are_named() {
    fails(
        &["run", "no_such_file.ts"],
        "error: Module not found \"file:///[*]/specs/no_such_file.ts\".",
    );
    fails(
        &["run", "--import-map", "no_such_map.json", "_assert.js"],
        "error: [*]no_such_map.json[*]",
    );
}

#[test]
fn syntax_errors_name_the_place() {
    fails(
        &["run", "errors/syntax/_broken.ts"],
        "error: [*]\n[*]const broken: = 2;\n[*]\n    at file:///[*]/errors/syntax/_broken.ts:2:15",
    );
    fails(
        &["run", "errors/syntax/_broken.js"],
        "error: [*]let b = = 2;[*]\n    at file:///[*]/errors/syntax/_broken.js:2:9",
    );
}

#[test]
fn bad_values_are_refused() {
    fails(
        &["run", "--seed", "many", "_assert.js"],
        "error: [*]seed[*]",
    );
    fails(&["run", "--location", "no url", "_assert.js"], "error: [*]");
    fails(
        &["run", "--allow-net=a b:c", "_assert.js"],
        "error: [*]a b:c[*]",
    );
}

#[test]
fn seed_makes_math_random_repeat() {
    let random = ["eval", "--seed", "7", "console.log(Math.random())"];
    assert_eq!(run(&random).stdout, run(&random).stdout);
}

#[cfg(feature = "v8")]
#[test]
fn v8_flags_reach_v8() {
    prints(
        &["eval", "--v8-flags=--expose-gc", "console.log(typeof gc)"],
        "function",
    );
    fails(
        &["eval", "--v8-flags=--no-such-flag", "1"],
        "error: [*]no-such-flag[*]",
    );
}

/// Each end receives 96 MiB of payload. V8 should collect only the young generation for it, even if
/// V8 keeps its heap small, as it does after a full collection.
#[cfg(feature = "v8")]
#[test]
fn payloads_cost_young_collections() {
    for flags in ["--v8-flags=--trace-gc", "--v8-flags=--trace-gc,--expose-gc"] {
        let finished = run(&["run", "--allow-net", flags, "websocket/_collections.js"]);
        assert_eq!(finished.code(), 0, "{}", finished.report());
        let traced = finished.stdout.split("from here").nth(1).unwrap();
        let traced = traced.split("to here").next().unwrap();
        let count = |kind| traced.matches(kind).count();
        let (young, all) = (count(" Scavenge "), count("Mark-Compact "));
        assert!(young >= 40 && all <= 4, "{young} and {all}:\n{traced}");
    }
}

#[test]
fn a_signal_without_a_listener_ends_the_script() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut running = Running::start(
            "a waiting script",
            support::duplex().args(["eval", "console.log('up'); setInterval(() => {}, 1e6)"]),
        )
        .unwrap();
        running.line("up").unwrap();
        running.signal(name).unwrap();
        assert_eq!(running.end().unwrap().code(), code);
    }
}

#[test]
fn a_signal_listener_can_end_a_server_with_open_sockets() {
    let script = "
        const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
          const { socket, response } = Deno.upgradeWebSocket(request);
          Deno.addSignalListener('SIGTERM', () => {
            console.log('signal');
            socket.close(3001);
          });
          return response;
        });
        const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
        socket.onopen = () => console.log('up');
        socket.onclose = ({ code }) => {
          console.log(`closed ${code}`);
          Deno.exit(3);
        };
    ";
    let mut running = Running::start("a server", support::duplex().args(["eval", script])).unwrap();
    running.line("up").unwrap();
    running.signal("TERM").unwrap();
    running.line("signal").unwrap();
    running.line("closed 3001").unwrap();
    assert_eq!(running.end().unwrap().code(), 3);
}

/// A process inherits which signals are ignored. If SIGCHLD is ignored, the kernel forgets how a
/// child process ended.
#[cfg(unix)]
#[test]
fn children_are_waited_for_where_sigchld_was_ignored() {
    use std::os::unix::process::CommandExt;

    let script = "const { code, stdout } = new Deno.Command('echo', { args: ['a'] }).outputSync();
        console.log(code, new TextDecoder().decode(stdout).trim());";
    let mut command = support::duplex();
    command.args(["eval", script]);
    // SAFETY: the closure calls nothing but signal(), which may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            Ok(())
        });
    }
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.stdout, "0 a\n", "{}", finished.report());
}
