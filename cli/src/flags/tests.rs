use super::*;

fn try_flags(line: &str) -> Result<Flags, String> {
    let args = std::iter::once("duplex").chain(line.split_whitespace());
    parse(args.map(OsString::from)).map_err(|error| error.to_string())
}

fn flags(line: &str) -> Flags {
    try_flags(line).unwrap()
}

fn permissions(line: &str) -> PermissionsOptions {
    flags(&format!("run {line} a.ts")).permissions.unwrap()
}

fn strings(values: &[&str]) -> Option<Vec<String>> {
    Some(values.iter().map(|value| value.to_string()).collect())
}

#[test]
fn the_subcommand_may_be_left_out() {
    let run = Action::Run {
        script: "a.ts".to_string(),
    };
    for line in [
        "run a.ts",
        "a.ts",
        "--allow-net a.ts",
        "-q run a.ts",
        "-L debug a.ts",
        "--seed 1 a.ts",
    ] {
        assert_eq!(flags(line).action, run, "{line}");
    }
    let stdin = Action::Run {
        script: "-".to_string(),
    };
    assert_eq!(flags("run -").action, stdin);
    assert_eq!(flags("-").action, stdin);
}

#[test]
fn what_follows_the_program_is_its_own() {
    let flags = flags("run -R a.ts --allow-net -A x -- y --unknown");
    assert_eq!(
        flags.args,
        ["--allow-net", "-A", "x", "--", "y", "--unknown"]
    );
    let permissions = flags.permissions.unwrap();
    assert_eq!(permissions.allow_read, strings(&[]));
    assert_eq!(permissions.allow_net, None);
    assert!(!flags.has_misplaced_permissions);
    assert!(self::flags("run a.ts --allow-net").has_misplaced_permissions);
    assert!(!self::flags("run -A a.ts --allow-net").has_misplaced_permissions);
}

#[test]
fn lists_of_permissions() {
    let options = permissions("--allow-net=a.com,b.com:80 -N=[::1]:8080 --deny-read=/a,,b,/c -E");
    assert_eq!(
        options.allow_net,
        strings(&["a.com", "b.com:80", "[::1]:8080"])
    );
    assert_eq!(options.deny_read, strings(&["/a,b", "/c"]));
    assert_eq!(options.allow_env, strings(&[]));
    assert_eq!(options.allow_write, None);
    assert_eq!(
        permissions("--allow-net=:80").allow_net,
        strings(&["0.0.0.0:80", "127.0.0.1:80", "localhost:80"])
    );
    // The flag without a value applies to everything, even if the flag also has a value.
    assert_eq!(
        permissions("--deny-net=a.com --deny-net").deny_net,
        strings(&[])
    );
}

#[test]
fn an_empty_value_grants_nothing() {
    for line in [
        "run --allow-net= a.ts",
        "run --allow-read=/a, a.ts",
        "run -E= a.ts",
    ] {
        let error = try_flags(line).unwrap_err();
        assert!(error.contains("empty values"), "{line}: {error}");
    }
}

#[test]
fn values_are_checked() {
    for (line, word) in [
        ("run --allow-net=http://a.com a.ts", "http://a.com"),
        ("run --allow-sys=nothing a.ts", "nothing"),
        ("run --allow-env=A=B a.ts", "A=B"),
        ("run --location ftp://a a.ts", "http"),
        ("run --location nowhere a.ts", "relative URL"),
        ("run --seed x a.ts", "--seed"),
        ("run --ext exe a.ts", "exe"),
        ("run -L loud a.ts", "loud"),
        ("run --config a --no-config a.ts", "--no-config"),
        ("run --alow-net a.ts", "--allow-net"),
        ("run", "<FILE>"),
        ("eval --allow-net 1", "--allow-net"),
    ] {
        let error = try_flags(line).unwrap_err();
        assert!(error.contains(word), "{line}: {error}");
    }
}

#[test]
fn all_permissions() {
    assert_eq!(flags("run -A a.ts").permissions, None);
    assert_eq!(flags("eval 1").permissions, None);
    let options = permissions("--allow-all --deny-net=a.com");
    assert_eq!(options.allow_read, strings(&[]));
    assert_eq!(options.allow_net, strings(&[]));
    assert_eq!(options.deny_net, strings(&["a.com"]));
}

#[test]
fn the_rest() {
    let flags = flags(
        "run --no-check --no-check=remote --seed 7 --location https://u:p@a.com/b \
         --v8-flags=--a,--b=1 --v8-flags=--c --unsafely-ignore-certificate-errors=a,b \
         --import-map m.json -c d.json --cert c.pem --ext ts a",
    );
    assert_eq!(flags.seed, Some(7));
    assert_eq!(flags.location.unwrap().as_str(), "https://a.com/b");
    assert_eq!(flags.v8_flags, ["--a", "--b=1", "--c"]);
    assert_eq!(
        flags.unsafely_ignore_certificate_errors,
        strings(&["a", "b"])
    );
    assert_eq!(flags.import_map.as_deref(), Some("m.json"));
    assert_eq!(flags.config, ConfigFlag::Path("d.json".into()));
    assert_eq!(flags.cert, Some("c.pem".into()));
    assert_eq!(flags.extension.as_deref(), Some("ts"));
    assert_eq!(
        self::flags("--unsafely-ignore-certificate-errors a.ts").unsafely_ignore_certificate_errors,
        strings(&[])
    );
}

#[test]
fn evaluation() {
    let flags = flags("eval -p --ext js 1+1 a -b");
    let action = Action::Eval {
        code: "1+1".to_string(),
        print: true,
    };
    assert_eq!(flags.action, action);
    assert_eq!(flags.args, ["a", "-b"]);
}

#[test]
fn serving() {
    let options = |line: &str| match flags(line).action {
        Action::Serve {
            script, options, ..
        } if script == "a.ts" => options,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(options("serve a.ts"), ServeOptions::default());
    assert_eq!(
        options("-q serve --port 0 --host localhost a.ts --port 1"),
        ServeOptions {
            hostname: Some("localhost".to_string()),
            port: Some(0),
            ..ServeOptions::default()
        }
    );
    assert!(
        options("serve --tls-cert a.pem --tls-key b.pem a.ts")
            .certificates
            .is_none(),
        "it is read when the program starts"
    );
    let broker = options("serve --broker redis://a a.ts").broker;
    assert_eq!(broker.as_deref(), Some("redis://a"));
    for host in ["--host [::1]", "--host=::1"] {
        let options = options(&format!("serve {host} -N a.ts"));
        assert_eq!(options.hostname.as_deref(), Some("::1"));
    }
    assert_eq!(flags("serve a.ts b -x").args, ["b", "-x"]);
    assert!(flags("serve a.ts -A").has_misplaced_permissions);
    for (line, word) in [
        ("serve", "<FILE>"),
        ("serve --port 65536 a.ts", "65536"),
        ("serve --tls-cert a.pem a.ts", "--tls-key"),
        ("serve --tls-key a.pem a.ts", "--tls-cert"),
        ("serve --unix a --port 1 a.ts", "--port"),
        ("serve --max-connections 0 a.ts", "0"),
        ("serve --shutdown-timeout -1 a.ts", "-1"),
        ("serve --host a:80 a.ts", "--port"),
        ("serve --host [a] a.ts", "--port"),
        ("serve --host= a.ts", "--host"),
        ("run --port 80 a.ts", "--port"),
    ] {
        let error = try_flags(line).unwrap_err();
        assert!(error.contains(word), "{line}: {error}");
    }
}

#[test]
fn types() {
    assert_eq!(flags("types").action, Action::Types);
    assert!(try_flags("types a.ts").unwrap_err().contains("a.ts"));
}

#[test]
fn help_and_version_are_not_errors() {
    for line in [
        "--help",
        "serve --help",
        "run --help",
        "help run",
        "--version",
        "-V",
    ] {
        let args = std::iter::once("duplex").chain(line.split_whitespace());
        let error = parse(args.map(OsString::from)).unwrap_err();
        assert!(!error.use_stderr(), "{line}");
    }
    assert!(long_version().contains(duplex_runtime::engine_version().0));
}

#[test]
fn the_command_is_consistent() {
    Cli::command().debug_assert();
}
