//! OpenTelemetry: the data that a collector gets by OTLP, if the environment names one.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use serde_json::Value;

/// A server with a client, and a separate request.
const PROGRAM: &str = r#"
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/fails") throw new RangeError("no good");
  if (pathname === "/late") return Promise.resolve(new Response("late", { status: 201 }));
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "chat" });
  socket.onopen = () => socket.close();
  return response;
});
server.port = server.addr.port;
console.log("logged by the program");
const own = `127.0.0.1:${server.addr.port}`;
await (await fetch(`http://${own}/late`)).text();
await (await fetch(`http://${own}/fails`)).text();
const socket = new WebSocket(`ws://${own}/chat?room=1`, ["chat"]);
await new Promise((resolve) => socket.onclose = resolve);
const refused = new WebSocket("ws://127.0.0.1:1/nobody");
await new Promise((resolve) => refused.onerror = resolve);
await server.shutdown();
"#;

#[test]
fn a_collector_gets_spans_numbers_and_logs() {
    let collector = Collector::start();
    let mut command = program(PROGRAM);
    command
        .env("OTEL_DENO", "true")
        .env("OTEL_SERVICE_NAME", "the service")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.code(), 0, "{}", finished.report());
    // The message is still on the console.
    assert!(finished.stdout.contains("logged by the program"));

    let sent = collector.sent();
    let spans = each(
        &sent,
        "/v1/traces",
        &["resourceSpans", "scopeSpans", "spans"],
    );
    let span = |name: &str, path: &str| {
        let is_it = |it: &&Value| it["name"] == name && attribute(it, "url.path") == path;
        let found = spans.iter().find(is_it);
        found.unwrap_or_else(|| panic!("no {name} {path} in {spans:#?}"))
    };
    let connect = span("WebSocket connect", "/chat");
    assert_eq!(connect["kind"], 3);
    assert_eq!(attribute(connect, "http.response.status_code"), "101");
    assert_eq!(attribute(connect, "websocket.subprotocol"), "chat");
    assert_eq!(attribute(connect, "url.query"), "room=1");
    // The server's span is a child of the client's, because the client has sent its trace context.
    let accept = span("WebSocket accept", "/chat");
    assert_eq!(accept["kind"], 2);
    assert_eq!(accept["traceId"], connect["traceId"]);
    assert_eq!(accept["parentSpanId"], connect["spanId"]);
    assert_eq!(attribute(accept, "http.response.status_code"), "101");
    let late = span("GET", "/late");
    let statuses: Vec<_> = (spans.iter())
        .filter(|it| attribute(it, "url.path") == "/late")
        .map(|it| attribute(it, "http.response.status_code"))
        .collect();
    assert_eq!(statuses, ["201", "201"]);
    assert!(late["traceId"].is_string());
    let fails: Vec<_> = (spans.iter())
        .filter(|it| it["kind"] == 2 && attribute(it, "url.path") == "/fails")
        .collect();
    assert_eq!(attribute(fails[0], "error.type"), "RangeError");
    assert_eq!(fails[0]["status"]["code"], 2);
    let refused = span("WebSocket connect", "/nobody");
    assert_eq!(refused["status"]["code"], 2);

    let metrics = each(
        &sent,
        "/v1/metrics",
        &["resourceMetrics", "scopeMetrics", "metrics"],
    );
    let opened = metrics
        .iter()
        .rfind(|it| it["name"] == "duplex_websocket_opened");
    let points = &opened.unwrap()["sum"]["dataPoints"];
    let total: f64 = (points.as_array().unwrap().iter())
        .filter_map(|it| it["asDouble"].as_f64())
        .sum();
    assert_eq!(total, 2.0, "{points}");
    let handshakes = "duplex_websocket_handshake_seconds_count";
    assert!(metrics.iter().any(|it| it["name"] == handshakes));

    let logs = each(
        &sent,
        "/v1/logs",
        &["resourceLogs", "scopeLogs", "logRecords"],
    );
    let is_it = |it: &Value| {
        let text = it["body"]["stringValue"].as_str().unwrap_or_default();
        text.contains("logged by the program")
    };
    assert!(logs.iter().any(is_it), "{logs:#?}");
    assert!(format!("{sent:?}").contains("the service"));
}

#[test]
fn what_the_environment_does_not_ask_for_is_not_sent() {
    let code = "
        const has = Symbol.for('opentelemetry.js.api.1') in globalThis;
        console.log('api', has);";
    for (variables, api) in [
        (&[][..], false),
        (&[("OTEL_DENO", "false")], false),
        (
            &[("OTEL_DENO", "true"), ("OTEL_SDK_DISABLED", "true")],
            false,
        ),
        (&[("OTEL_DENO_TRACING", "true")], true),
    ] {
        let collector = Collector::start();
        let mut command = program(code);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
        command.envs(variables.iter().copied());
        let finished = support::finish(&mut command).unwrap();
        assert_eq!(finished.code(), 0, "{}", finished.report());
        assert_eq!(finished.stdout, format!("api {api}\n"), "{variables:?}");
        let sent = collector.sent();
        let paths: Vec<_> = sent.iter().map(|(path, _)| path).collect();
        assert!(
            !paths.iter().any(|path| *path == "/v1/metrics"),
            "{paths:?}"
        );
    }
}

#[test]
fn a_protocol_that_there_is_not_ends_the_program() {
    let mut command = program("1");
    command
        .env("OTEL_DENO", "true")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon");
    let finished = support::finish(&mut command).unwrap();
    assert_eq!(finished.code(), 1, "{}", finished.report());
    assert!(finished.stderr.contains("pigeon"), "{}", finished.report());
}

fn program(code: &str) -> Command {
    let mut command = support::duplex();
    command.args(["eval", "--ext=js", code]);
    command
}

/// The data of one kind that was sent, as a flat list.
fn each(sent: &[(String, Value)], path: &str, levels: &[&str]) -> Vec<Value> {
    let bodies = sent.iter().filter(|(to, _)| to == path);
    let mut values: Vec<Value> = bodies.map(|(_, body)| body.clone()).collect();
    for level in levels {
        let inside = |it: &Value| it[level].as_array().cloned().unwrap_or_default();
        values = values.iter().flat_map(inside).collect();
    }
    values
}

fn attribute<'v>(span: &'v Value, name: &str) -> &'v str {
    let attributes = span["attributes"].as_array();
    let found = attributes.and_then(|all| all.iter().find(|it| it["key"] == name));
    found.map_or("", |it| {
        it["value"]["stringValue"].as_str().unwrap_or_default()
    })
}

/// A collector, which keeps the data that it gets.
struct Collector {
    url: String,
    received: Receiver<(String, Value)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, received) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                thread::spawn(move || receive(stream.unwrap(), &sender));
            }
        });
        Self { url, received }
    }

    /// All data that a program has sent. The program must have ended.
    fn sent(&self) -> Vec<(String, Value)> {
        self.received.try_iter().collect()
    }
}

fn receive(stream: TcpStream, sender: &Sender<(String, Value)>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        // This is done before the answer, because the program may end after it.
        let _ = sender.send((path, serde_json::from_slice(&body).unwrap_or_default()));
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        if writer.write_all(answer).is_err() {
            return;
        }
    }
}
