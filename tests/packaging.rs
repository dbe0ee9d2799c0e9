//! Tests the parts of a release, made from the binary under test: the archive and the script that
//! installs it, the npm packages, and the image, whose steps are done without a container engine.
//!
//! A test that needs a program that is not installed is ignored, except under `CI`, where it fails.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::Finished;
use support::Running;

fn main() -> ExitCode {
    let is_ci = std::env::var_os("CI").is_some();
    let trial = |name: &str, needs: &[&str], test: fn() -> Result<(), Failed>| {
        let missing = needs.iter().find(|program| !is_installed(program));
        let name = match missing {
            Some(program) => format!("{name} (skipped: no {program})"),
            None => name.to_string(),
        };
        Trial::test(name, test).with_ignored_flag(missing.is_some() && !is_ci)
    };
    let trials = vec![
        trial("install script", &["curl", "strip"], install_script),
        trial("npm package", &["npm", "node", "strip"], npm_package),
        trial("image", &["strip"], image),
        trial("what a binary may need", &["objdump"], needs),
    ];
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // The folder has half a gigabyte.
    let _ = fs::remove_dir_all(folder());
    conclusion.exit_code()
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("packaging")
}

/// The target that the archive is named after.
fn target() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-gnu",
        ("linux", "aarch64") => "aarch64-unknown-linux-gnu",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        ("macos", "aarch64") => "aarch64-apple-darwin",
        _ => panic!("releases have no binary for this system"),
    }
}

/// The folder with the archive of the binary under test and its checksum. It is made once.
fn release() -> Result<&'static Path, Failed> {
    static RELEASE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || -> Result<PathBuf, String> {
        let out = folder().join("out");
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(&out).map_err(|error| error.to_string())?;
        let binary = env!("CARGO_BIN_EXE_duplex");
        package(&["archive", binary, target(), &out.to_string_lossy()])?;
        package(&["checksums", &out.to_string_lossy()])?;
        Ok(out)
    };
    match RELEASE.get_or_init(make) {
        Ok(out) => Ok(out),
        Err(message) => Err(message.into()),
    }
}

fn package(arguments: &[&str]) -> Result<(), String> {
    let finished =
        run(Command::new(support::repository().join("scripts/package")).args(arguments))?;
    match finished.code() {
        0 => Ok(()),
        _ => Err(format!("{arguments:?}: {}", finished.report())),
    }
}

/// Runs a program to its end. There is no time limit, because on a busy machine npm takes long for
/// a package of this size.
fn run(command: &mut Command) -> Result<Finished, String> {
    support::plain_output(command);
    let output = command
        .output()
        .map_err(|error| format!("could not start {command:?}: {error}"))?;
    Ok(Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn install_script() -> Result<(), Failed> {
    let release = release()?;
    let home = folder().join("home");
    let install = |from: &Path| {
        run(Command::new("sh")
            .arg(support::repository().join("packaging/install.sh"))
            .env("DUPLEX_DOWNLOAD", format!("file://{}", from.display()))
            .env("DUPLEX_INSTALL", &home))
    };
    let finished = install(release)?;
    assert_eq!(finished.code(), 0, "{}", finished.report());
    let bin = home.join("bin");
    for text in [
        &format!("installed duplex {}", env!("CARGO_PKG_VERSION")),
        &format!("  export PATH=\"{}:$PATH\"", bin.display()),
    ] {
        assert!(finished.stdout.contains(text), "{}", finished.report());
    }
    let hello = ["eval", "console.log('hello')"];
    let finished = run(Command::new(bin.join("duplex")).args(hello))?;
    assert_eq!(finished.stdout, "hello\n", "{}", finished.report());
    assert_eq!(fs::read_dir(&bin)?.count(), 1);

    // If the archive does not match its checksum, nothing of it is installed.
    fs::remove_dir_all(&home)?;
    let damaged = folder().join("damaged");
    fs::create_dir_all(&damaged)?;
    let archive = format!("duplex-{}.tar.gz", target());
    fs::copy(release.join("SHA256SUMS"), damaged.join("SHA256SUMS"))?;
    fs::write(damaged.join(&archive), "no archive")?;
    let finished = install(&damaged)?;
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(
        finished.stderr.contains("is damaged"),
        "{}",
        finished.report()
    );
    fs::write(damaged.join("SHA256SUMS"), "")?;
    let finished = install(&damaged)?;
    assert!(
        finished.stderr.contains("does not name"),
        "{}",
        finished.report()
    );
    assert!(!home.exists());
    Ok(())
}

fn npm_package() -> Result<(), Failed> {
    let release = release()?;
    package(&["npm", &release.to_string_lossy()])?;
    let app = folder().join("app");
    fs::create_dir_all(&app)?;
    fs::write(app.join("package.json"), "{}")?;
    let npm = |arguments: &[&str]| -> Result<String, Failed> {
        let cache = folder().join("npm-cache");
        let finished = run(Command::new("npm")
            .args(arguments)
            .current_dir(&app)
            .env("npm_config_cache", cache)
            .env("npm_config_update_notifier", "false"))?;
        assert_eq!(finished.code(), 0, "{}", finished.report());
        Ok(finished.stdout)
    };
    let mut packed = Vec::new();
    for entry in fs::read_dir(release.join("npm"))? {
        let folder = entry?.path();
        let folder = folder.to_string_lossy();
        packed.push(npm(&["pack", "--silent", &folder])?.trim().to_string());
    }
    assert_eq!(packed.len(), 2, "{packed:?}");
    let files: Vec<String> = packed.iter().map(|name| format!("./{name}")).collect();
    let mut arguments = vec!["install", "--offline", "--no-audit", "--no-fund"];
    arguments.extend(files.iter().map(String::as_str));
    npm(&arguments)?;

    // Older versions of Node.js start the binary in another way. Both ways have to work.
    let preload = app.join("old.cjs");
    fs::write(&preload, "process.execve = undefined;")?;
    let old = format!("--require={}", preload.display());
    for options in ["", &old] {
        let duplex = |arguments: &[&str]| {
            let mut command = Command::new(app.join("node_modules/.bin/duplex"));
            support::plain_output(&mut command);
            command.args(arguments).env("NODE_OPTIONS", options);
            command
        };
        let script = "console.log(Deno.args.join()); Deno.exit(7)";
        let finished = support::finish(&mut duplex(&["eval", script, "a b", "c"]))?;
        assert_eq!(finished.stdout, "a b,c\n", "{}", finished.report());
        assert_eq!(finished.code(), 7, "{}", finished.report());

        fs::write(app.join("service.js"), "export default { fetch() {} };")?;
        let service = app.join("service.js");
        let arguments = ["serve", "--host=127.0.0.1", "--port=0"];
        let mut command = duplex(&arguments);
        let mut server = Running::start("npm", command.arg(service))?;
        server.line("Listening on ")?;
        server.signal("TERM")?;
        let finished = server.end()?;
        assert_eq!(finished.code(), 0, "{}", finished.report());
        assert!(finished.stdout.contains("SIGTERM: shutting down"));
    }

    // The package of another platform is installed, or none.
    let scope = app.join("node_modules/@duplex-rs");
    for entry in fs::read_dir(&scope)? {
        let path = entry?.path();
        if !path.ends_with("duplex") {
            fs::remove_dir_all(path)?;
        }
    }
    let finished = run(&mut Command::new(app.join("node_modules/.bin/duplex")))?;
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(
        finished.stderr.contains("is not installed"),
        "{}",
        finished.report()
    );
    Ok(())
}

/// The steps of both Dockerfiles, in a folder in place of the image's root.
fn image() -> Result<(), Failed> {
    let release = release()?;
    package(&["image", &release.to_string_lossy()])?;
    let root = folder().join("root");
    let context = release.join("image");
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        _ => "arm64",
    };
    let mut image = Image::default();
    image.build(&context, &root, &[("TARGETARCH", architecture)])?;
    assert!(image.base.contains("distroless"), "{}", image.base);
    assert_eq!(image.user, "nonroot");
    let finished = run(&mut image.command(&root, &image.cmd))?;
    assert!(
        finished.stdout.contains("Usage: duplex"),
        "{}",
        finished.report()
    );

    // An image of a service is built on top of it.
    let example = support::repository().join("examples/metrics");
    image.build(&example, &root, &[])?;
    assert!(image.base.starts_with("ghcr.io/duplex-rs/duplex"));
    assert_eq!(image.user, "nonroot");
    // Free ports replace the ports of the container.
    let cmd: Vec<String> = (image.cmd.iter())
        .map(|argument| match argument.as_str() {
            "8000" => "0".to_string(),
            "0.0.0.0:9464" => "127.0.0.1:0".to_string(),
            other => other.to_string(),
        })
        .collect();
    assert_ne!(cmd, image.cmd);
    let mut server = Running::start("image", &mut image.command(&root, &cmd))?;
    let numbers = server.line("Metrics on http://127.0.0.1:")?;
    let port = numbers.strip_suffix("/metrics").unwrap().to_string();
    server.line("Listening on ")?;
    let health = || -> Result<i32, Failed> {
        let command: Vec<String> = (image.health.iter())
            .map(|argument| argument.replace("9464", &port))
            .collect();
        assert_ne!(command, image.health);
        let mut check = Command::new(within(&root, &command[0]));
        Ok(run(check.args(&command[1..]))?.code())
    };
    assert_eq!(health()?, 0);
    server.signal("TERM")?;
    let finished = server.end()?;
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert_ne!(health()?, 0);
    Ok(())
}

/// The settings of an image in a Dockerfile.
#[derive(Default)]
struct Image {
    base: String,
    user: String,
    folder: String,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    health: Vec<String>,
}

impl Image {
    /// Executes the steps of the Dockerfile in the folder `context`.
    fn build(
        &mut self,
        context: &Path,
        root: &Path,
        arguments: &[(&str, &str)],
    ) -> Result<(), Failed> {
        let arguments: BTreeMap<_, _> = arguments.iter().copied().collect();
        let text = fs::read_to_string(context.join("Dockerfile"))?.replace("\\\n", "");
        for line in text.lines() {
            let Some((instruction, rest)) = line.split_once(' ') else {
                continue;
            };
            let list = || serde_json::from_str::<Vec<String>>(rest.trim());
            match instruction {
                "#" | "EXPOSE" => {}
                "ARG" => assert!(arguments.contains_key(rest), "{rest} is not set"),
                "FROM" => self.base = rest.to_string(),
                "USER" => self.user = rest.to_string(),
                "WORKDIR" => {
                    self.folder = rest.to_string();
                    fs::create_dir_all(within(root, rest))?;
                }
                "ENTRYPOINT" => self.entrypoint = list()?,
                "CMD" => self.cmd = list()?,
                "HEALTHCHECK" => {
                    let (_, command) = rest.split_once("CMD ").ok_or("no command")?;
                    self.health = serde_json::from_str(command.trim())?;
                }
                "COPY" => copy(context, root, rest, &arguments)?,
                other => return Err(format!("what is {other}?").into()),
            }
        }
        Ok(())
    }

    fn command(&self, root: &Path, arguments: &[String]) -> Command {
        let mut command = Command::new(within(root, &self.entrypoint[0]));
        support::plain_output(&mut command);
        command
            .args(&self.entrypoint[1..])
            .args(arguments)
            .current_dir(within(root, &self.folder));
        command
    }
}

fn within(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// `COPY [--chmod=MODE] FILE FILE-OR-FOLDER/`
fn copy(
    context: &Path,
    root: &Path,
    rest: &str,
    arguments: &BTreeMap<&str, &str>,
) -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt;

    let mut words = rest.split_whitespace().peekable();
    let mode = words.next_if(|word| word.starts_with("--chmod="));
    let (Some(from), Some(to), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("COPY {rest}").into());
    };
    let mut from = from.to_string();
    for (name, value) in arguments {
        from = from.replace(&format!("${{{name}}}"), value);
    }
    let mut target = within(root, to);
    if to.ends_with('/') {
        target = target.join(Path::new(&from).file_name().ok_or("a folder")?);
    }
    fs::create_dir_all(target.parent().ok_or("a file")?)?;
    fs::copy(context.join(from), &target)?;
    if let Some(mode) = mode {
        let mode = u32::from_str_radix(&mode["--chmod=".len()..], 8)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Checks that a binary that needs zlib, such as curl, is refused, and a binary that needs only
/// glibc is not.
fn needs() -> Result<(), Failed> {
    package(&["check", "/bin/true"])?;
    let refused = package(&["check", "/usr/bin/curl"]).unwrap_err();
    assert!(refused.contains("LIBZ_SYS_STATIC=1"), "{refused}");
    Ok(())
}
