//! Packages of npm and of JSR, and remote modules, from servers in this test.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::collections::HashMap;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use base64::Engine;
use certificates::Authority;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::Digest;
use support::Finished;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::rustls::StreamOwned;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

#[test]
fn a_package_of_npm_is_installed_with_what_it_needs() {
    let registry = Registry::new();
    registry.publish(
        "needs",
        "1.2.0",
        json!({ "main": "main.js", "dependencies": { "needed": "^2" } }),
        &[(
            "main.js",
            "exports.both = 'needs ' + require('needed').name;",
        )],
    );
    registry.publish(
        "needed",
        "2.0.1",
        json!({}),
        &[("index.js", "exports.name = 'needed';")],
    );
    let program = Program::new(
        "npm",
        &[(
            "main.js",
            "import { both } from 'npm:needs@1'; console.log(both);",
        )],
    );
    let finished = program.run(&registry, &[], "main.js");
    assert_eq!(finished.stdout, "needs needed\n", "{}", finished.report());
    // The package is in the cache now.
    registry.serve_nothing();
    let finished = program.run(&registry, &["--cached-only"], "main.js");
    assert_eq!(finished.stdout, "needs needed\n", "{}", finished.report());
}

#[test]
fn a_lock_file_is_written_and_kept() {
    let registry = Registry::new();
    registry.publish(
        "locked",
        "1.0.0",
        json!({}),
        &[("index.js", "exports.version = 1;")],
    );
    let program = Program::new(
        "lock",
        &[
            (
                "deno.json",
                r#"{ "imports": { "locked": "npm:locked@^1" } }"#,
            ),
            (
                "main.js",
                "import { version } from 'locked'; console.log(version);",
            ),
        ],
    );
    let finished = program.run(&registry, &[], "main.js");
    assert_eq!(finished.stdout, "1\n", "{}", finished.report());
    let lock = fs::read_to_string(program.path("deno.lock")).unwrap();
    assert!(lock.contains("locked@1.0.0"), "{lock}");

    // The registry now has other contents, which do not match the lock file.
    registry.publish(
        "locked",
        "1.0.0",
        json!({}),
        &[("index.js", "exports.version = 'evil';")],
    );
    program.forget_cache();
    let finished = program.run(&registry, &[], "main.js");
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(
        finished.stderr.contains("locked@1.0.0"),
        "{}",
        finished.report()
    );
    assert!(!finished.stdout.contains("evil"));
}

#[test]
fn node_modules_is_filled_by_install() {
    let registry = Registry::new();
    registry.publish(
        "express",
        "5.0.0",
        json!({ "main": "lib.js" }),
        &[("lib.js", "module.exports = () => 'app';")],
    );
    let program = Program::new(
        "install",
        &[
            ("package.json", r#"{ "dependencies": { "express": "^5" } }"#),
            ("main.cjs", "console.log(require('express')());"),
            (
                "main.mjs",
                "import express from 'express'; console.log(express());",
            ),
        ],
    );
    let finished = program.duplex(&registry, &["install"]);
    assert_eq!(finished.code(), 0, "{}", finished.report());
    assert!(program.path("node_modules/express/lib.js").exists());
    registry.serve_nothing();
    for main in ["main.cjs", "main.mjs"] {
        let finished = program.run(&registry, &[], main);
        assert_eq!(finished.stdout, "app\n", "{}", finished.report());
    }
}

#[test]
fn what_a_registry_does_wrong_is_an_error() {
    let registry = Registry::new();
    let program = Program::new("wrong", &[("main.js", "import 'npm:wrong@1';")]);
    let failing = |word: &str| {
        let finished = program.run(&registry, &[], "main.js");
        assert_eq!(finished.code(), 1, "{}", finished.report());
        assert!(finished.stderr.contains(word), "{}", finished.report());
        assert!(!program.path("cache/npm").join("wrong").exists());
    };
    // The package does not exist.
    failing("wrong");
    // The registry answers with an error.
    registry
        .server
        .put("/wrong", 500, "text/plain", b"no".to_vec());
    failing("500");
    // The tarball is cut off.
    registry.publish("wrong", "1.0.0", json!({}), &[("index.js", "")]);
    registry.server.cut("/wrong/-/wrong-1.0.0.tgz");
    failing("wrong");
    // The version does not exist.
    registry.publish("wrong", "2.0.0", json!({}), &[("index.js", "")]);
    failing("wrong");
    // Packages are refused.
    let finished = program.run(&registry, &["--no-npm"], "main.js");
    assert_eq!(finished.code(), 1, "{}", finished.report());
}

#[test]
fn a_package_of_jsr() {
    let registry = Registry::new();
    registry.publish_jsr("@std/assert", "1.0.0", &[
        ("/mod.ts", "export { assert } from './assert.ts';"),
        ("/assert.ts", "export function assert(it: unknown): asserts it { if (!it) throw new Error('no'); }"),
    ]);
    let program = Program::new(
        "jsr",
        &[(
            "main.ts",
            "import { assert } from 'jsr:@std/assert@1'; assert(1); console.log('ok');",
        )],
    );
    let finished = program.run(&registry, &[], "main.ts");
    assert_eq!(finished.stdout, "ok\n", "{}", finished.report());

    // The contents of a file do not match the version's checksum.
    registry.server.put(
        "/@std/assert/1.0.0/assert.ts",
        200,
        "text/typescript",
        b"evil()".to_vec(),
    );
    program.forget_cache();
    let finished = program.run(&registry, &["--reload"], "main.ts");
    assert_eq!(finished.code(), 1, "{}", finished.report());
}

#[test]
fn a_remote_module_takes_a_permission_and_a_trusted_authority() {
    let authority = Authority::new();
    let server = Server::tls(&authority);
    let origin = format!("https://localhost:{}", server.port);
    server.put("/mod.ts", 302, "text/plain", Vec::new());
    server.redirect("/mod.ts", "/v1/mod.ts");
    server.put(
        "/v1/mod.ts",
        200,
        "text/typescript",
        b"import { b } from './b.js';\nexport const a: string = 'a' + b;".to_vec(),
    );
    server.put(
        "/v1/b.js",
        200,
        "text/javascript",
        b"export const b = 'b';".to_vec(),
    );
    server.put(
        "/local.js",
        200,
        "text/javascript",
        b"import 'file:///etc/hostname';".to_vec(),
    );
    let program = Program::new(
        "https",
        &[
            (
                "main.ts",
                &format!("import {{ a }} from '{origin}/mod.ts'; console.log(a);"),
            ),
            ("local.ts", &format!("import '{origin}/local.js';")),
            (
                "dynamic.ts",
                &format!("const {{ a }} = await import('{origin}' + '/mod.ts'); console.log(a);"),
            ),
        ],
    );
    fs::write(program.path("ca.pem"), &authority.certificate).unwrap();
    let allowed = format!("--allow-import=localhost:{}", server.port);

    let finished = program.run_as(&["--no-prompt", "--cert", "ca.pem"], "main.ts");
    assert_eq!(finished.code(), 1);
    assert!(
        finished.stderr.contains("--allow-import"),
        "{}",
        finished.report()
    );
    let finished = program.run_as(&[&allowed], "main.ts");
    assert_eq!(finished.code(), 1);
    assert!(
        finished.stderr.contains("UnknownIssuer"),
        "{}",
        finished.report()
    );
    for main in ["main.ts", "dynamic.ts"] {
        let finished = program.run_as(&[&allowed, "--cert", "ca.pem"], main);
        assert_eq!(finished.stdout, "ab\n", "{}", finished.report());
    }
    let finished = program.run_as(&[&allowed, "--cert", "ca.pem"], "local.ts");
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("local"), "{}", finished.report());
    let finished = program.run_as(&[&allowed, "--no-remote"], "main.ts");
    assert_eq!(finished.code(), 1, "{}", finished.report());
    // `duplex cache` fetches, and runs nothing.
    program.forget_cache();
    let finished = program.duplex_as(&["cache", &allowed, "--cert", "ca.pem", "main.ts"]);
    assert_eq!(
        (finished.code(), finished.stdout.as_str()),
        (0, ""),
        "{}",
        finished.report()
    );
    drop(server);
    let finished = program.run_as(&["--cached-only"], "main.ts");
    assert_eq!(finished.stdout, "ab\n", "{}", finished.report());
}

#[test]
fn an_import_map_may_be_remote() {
    let server = Server::plain();
    let url = format!("http://127.0.0.1:{}/maps/map.json", server.port);
    let map = r#"{ "imports": { "a": "./a.js" } }"#;
    server.put("/maps/map.json", 200, "application/json", map.into());
    let module = "export const a = 'a';";
    server.put("/maps/a.js", 200, "text/javascript", module.into());
    server.put("/broken.json", 200, "application/json", b"{".to_vec());
    let config = format!(r#"{{ "importMap": "{url}" }}"#);
    let program = Program::new(
        "import-map",
        &[
            ("main.js", "import { a } from 'a'; console.log(a);"),
            ("deno.json", &config),
        ],
    );
    let allowed = format!("--allow-import=127.0.0.1:{}", server.port);
    let finished = program.run_as(&["--no-config", "--import-map", &url, &allowed], "main.js");
    assert_eq!(finished.stdout, "a\n", "{}", finished.report());
    // As in Deno, the import map that a deno.json names must be a file.
    let finished = program.run_as(&[&allowed], "main.js");
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(
        finished.stderr.contains("Use the flag --import-map"),
        "{}",
        finished.report()
    );
    for (name, problem) in [("none", "not found"), ("broken", "EOF while parsing")] {
        let wrong = format!("http://127.0.0.1:{}/{name}.json", server.port);
        let finished = program.run_as(&["--no-config", "--import-map", &wrong], "main.js");
        assert_eq!(finished.code(), 1, "{}", finished.report());
        assert!(
            finished.stderr.contains(&wrong) && finished.stderr.contains(problem),
            "{}",
            finished.report()
        );
    }
}

/// A folder with a program and its own cache, which is removed when the test ends.
struct Program(PathBuf);

impl Program {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder =
            std::env::temp_dir().join(format!("duplex-registry-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn forget_cache(&self) {
        fs::remove_dir_all(self.path("cache")).unwrap();
    }

    fn run(&self, registry: &Registry, flags: &[&str], main: &str) -> Finished {
        let allowed = format!("--allow-import=127.0.0.1:{}", registry.server.port);
        let mut args = vec!["run", &allowed];
        args.extend_from_slice(flags);
        args.push(main);
        self.duplex(registry, &args)
    }

    fn duplex(&self, registry: &Registry, args: &[&str]) -> Finished {
        let url = format!("http://127.0.0.1:{}/", registry.server.port);
        self.finish(args, &[("NPM_CONFIG_REGISTRY", &url), ("JSR_URL", &url)])
    }

    fn run_as(&self, flags: &[&str], main: &str) -> Finished {
        let mut args = vec!["run"];
        args.extend_from_slice(flags);
        args.push(main);
        self.duplex_as(&args)
    }

    fn duplex_as(&self, args: &[&str]) -> Finished {
        self.finish(args, &[])
    }

    fn finish(&self, args: &[&str], env: &[(&str, &str)]) -> Finished {
        let mut command = support::duplex();
        command
            .current_dir(&self.0)
            .args(args)
            .env("DENO_DIR", self.path("cache"))
            .env_remove("DENO_CERT")
            .envs(env.iter().copied());
        support::finish(&mut command).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A registry of npm and of JSR.
struct Registry {
    server: Server,
}

impl Registry {
    fn new() -> Self {
        Self {
            server: Server::plain(),
        }
    }

    fn publish(
        &self,
        name: &str,
        version: &str,
        manifest: serde_json::Value,
        files: &[(&str, &str)],
    ) {
        let mut manifest = manifest;
        manifest["name"] = name.into();
        manifest["version"] = version.into();
        let mut tar = Vec::new();
        add_to_tar(&mut tar, "package.json", &manifest.to_string());
        for (file, text) in files {
            add_to_tar(&mut tar, file, text);
        }
        tar.extend_from_slice(&[0; 1024]);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&tar).unwrap();
        let tarball = gzip.finish().unwrap();
        let digest = sha2::Sha512::digest(&tarball);
        let integrity = base64::engine::general_purpose::STANDARD.encode(digest);
        let path = format!("/{name}/-/{name}-{version}.tgz");
        manifest["dist"] = json!({
            "tarball": format!("http://127.0.0.1:{}{path}", self.server.port),
            "integrity": format!("sha512-{integrity}"),
        });
        let packument = json!({
            "name": name,
            "dist-tags": { "latest": version },
            "versions": { version: manifest },
            "time": { version: "2020-01-01T00:00:00.000Z" },
        });
        self.server
            .put(&path, 200, "application/octet-stream", tarball);
        let packument = packument.to_string().into_bytes();
        self.server
            .put(&format!("/{name}"), 200, "application/json", packument);
    }

    fn publish_jsr(&self, name: &str, version: &str, files: &[(&str, &str)]) {
        let mut manifest = json!({});
        for (file, text) in files {
            let digest = sha2::Sha256::digest(text.as_bytes());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            manifest[*file] = json!({ "size": text.len(), "checksum": format!("sha256-{hex}") });
            let path = format!("/{name}/{version}{file}");
            self.server
                .put(&path, 200, "text/typescript", text.as_bytes().to_vec());
        }
        let meta = json!({ "scope": "std", "name": "assert", "latest": version, "versions": { version: {} } });
        let of_version = json!({ "manifest": manifest, "exports": { ".": "./mod.ts" } });
        for (path, value) in [
            (format!("/{name}/meta.json"), meta),
            (format!("/{name}/{version}_meta.json"), of_version),
        ] {
            self.server.put(
                &path,
                200,
                "application/json",
                value.to_string().into_bytes(),
            );
        }
    }

    fn serve_nothing(&self) {
        self.server.answers.lock().unwrap().clear();
    }
}

fn add_to_tar(tar: &mut Vec<u8>, name: &str, text: &str) {
    let mut header = [0; 512];
    let mut put =
        |at: usize, value: &str| header[at..at + value.len()].copy_from_slice(value.as_bytes());
    put(0, &format!("package/{name}"));
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", text.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend_from_slice(&header);
    tar.extend_from_slice(text.as_bytes());
    tar.resize(tar.len().next_multiple_of(512), 0);
}

#[derive(Clone)]
struct Answer {
    status: u16,
    content_type: String,
    location: Option<String>,
    body: Vec<u8>,
    is_cut: bool,
}

/// A server of files, on a port of its own.
struct Server {
    port: u16,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Server {
    fn plain() -> Self {
        Self::start(None)
    }

    fn tls(authority: &Authority) -> Self {
        let identity = authority.server(&["localhost"]);
        let cert = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .unwrap();
        Self::start(Some(Arc::new(config)))
    }

    fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::default();
        let server = Self {
            port,
            answers: Arc::clone(&answers),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                let tls = tls.clone();
                std::thread::spawn(move || match tls {
                    Some(config) => {
                        let session = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(session, stream), &answers);
                    }
                    None => serve(stream, &answers),
                });
            }
        });
        server
    }

    fn put(&self, path: &str, status: u16, content_type: &str, body: Vec<u8>) {
        let answer = Answer {
            status,
            content_type: content_type.to_string(),
            location: None,
            body,
            is_cut: false,
        };
        self.answers
            .lock()
            .unwrap()
            .insert(path.to_string(), answer);
    }

    fn redirect(&self, path: &str, to: &str) {
        let mut answers = self.answers.lock().unwrap();
        answers.get_mut(path).unwrap().location = Some(to.to_string());
    }

    /// Ends the connection in the middle of the body.
    fn cut(&self, path: &str) {
        self.answers.lock().unwrap().get_mut(path).unwrap().is_cut = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.answers.lock().unwrap().clear();
    }
}

/// Answers one request.
fn serve(stream: impl Read + Write, answers: &Mutex<HashMap<String, Answer>>) {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    if stream.read_line(&mut request).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => {}
            Err(_) => return,
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.replace("%2f", "/");
    let answer = answers.lock().unwrap().get(&path).cloned();
    let answer = answer.unwrap_or(Answer {
        status: 404,
        content_type: "text/plain".to_string(),
        location: None,
        body: Vec::new(),
        is_cut: false,
    });
    let location = match &answer.location {
        Some(location) => format!("location: {location}\r\n"),
        None => String::new(),
    };
    let head = format!(
        "HTTP/1.1 {} -\r\ncontent-type: {}\r\n{location}content-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len()
    );
    let length = match answer.is_cut {
        true => answer.body.len() / 2,
        false => answer.body.len(),
    };
    let stream = stream.get_mut();
    // An error is ignored, because the client may have closed the connection.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&answer.body[..length]);
    let _ = stream.flush();
}
