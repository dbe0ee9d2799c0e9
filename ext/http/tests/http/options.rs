//! `Deno.serve` and what it returns.

use deno_permissions::Permissions;
use tokio::net::UnixStream;

use crate::harness::Client;
use crate::harness::Harness;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Options for a server that any test may start beside others.
const PRELUDE: &str = "const options = { port: 0, hostname: '127.0.0.1', onListen() {} };\n";

fn serving(call: &str) -> Harness {
    Harness::new(&format!("{PRELUDE} globalThis.server = {call};"))
}

#[tokio::test]
async fn takes_options_then_handler() {
    let mut harness = serving("Deno.serve(options, () => new Response('a'))");
    assert_eq!(harness.exchange(GET).await.text(), "a");
    harness.shutdown().await;
}

#[tokio::test]
async fn takes_options_with_handler() {
    let mut harness = serving("Deno.serve({ ...options, handler: () => new Response('b') })");
    assert_eq!(harness.exchange(GET).await.text(), "b");
    harness.shutdown().await;
}

#[tokio::test]
async fn takes_a_handler_that_is_async() {
    let mut harness =
        serving("Deno.serve(options, async () => { await sleep(1); return new Response('c'); })");
    assert_eq!(harness.exchange(GET).await.text(), "c");
    harness.shutdown().await;
}

#[tokio::test]
async fn refuses_what_is_no_handler() {
    let mut harness = Harness::new("");
    assert_eq!(
        harness.eval("thrown(() => Deno.serve())"),
        "TypeError: Cannot serve HTTP requests: either a `handler` or `options` must be specified"
    );
    assert_eq!(
        harness.eval("thrown(() => Deno.serve({ port: 0 }))"),
        "TypeError: Cannot serve HTTP requests: handler must be a function, received undefined"
    );
    assert_eq!(
        harness.eval("thrown(() => Deno.serve({ port: 0, handler: 1 }))"),
        "TypeError: Cannot serve HTTP requests: handler must be a function, received number"
    );
}

#[tokio::test]
async fn refuses_bad_options() {
    let mut harness = Harness::new("const h = () => {};");
    for (options, message) in [
        (
            "{ port: 65536 }",
            "RangeError: Invalid port (out of range): 65536",
        ),
        ("{ port: 'x' }", "TypeError: Invalid port: 'x'"),
        (
            "{ port: 0, cert: 'x' }",
            "TypeError: Both 'cert' and 'key' must be provided to enable HTTPS",
        ),
        (
            "{ port: 0, certFile: 'x' }",
            "TypeError: Unsupported 'certFile' / 'keyFile' options provided: use 'cert' / 'key' instead.",
        ),
        (
            "{ port: 0, alpnProtocols: [] }",
            "TypeError: Unsupported 'alpnProtocols' option provided. 'h2' and 'http/1.1' are automatically supported.",
        ),
        (
            "{ port: 0, onListen: 1 }",
            "TypeError: Invalid type for onListen: must be a function",
        ),
        (
            "{ port: 0, onError: 1 }",
            "TypeError: Invalid type for onError: must be a function",
        ),
    ] {
        assert_eq!(
            harness.eval(&format!("thrown(() => Deno.serve({options}, h))")),
            message
        );
    }
    harness.finish().await;
}

#[tokio::test]
async fn says_where_it_listens() {
    let mut harness = Harness::new("globalThis.server = Deno.serve({ port: 0 }, () => {});");
    let port = harness.port();
    assert_eq!(
        harness.log().entries(),
        [format!(
            "info Listening on http://0.0.0.0:{port}/ (http://localhost:{port}/)"
        )]
    );
    assert_eq!(
        harness.eval("JSON.stringify(server.addr)"),
        format!(r#"{{"hostname":"0.0.0.0","port":{port},"transport":"tcp"}}"#)
    );
    harness.shutdown().await;
}

#[tokio::test]
async fn calls_on_listen() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: 'localhost', onListen: (addr) => report(addr.hostname, addr.transport) },
           () => {},
         );",
    );
    assert_eq!(harness.log().entries(), ["127.0.0.1 tcp"]);
    harness.shutdown().await;
}

#[tokio::test]
async fn reports_a_port_in_use() {
    let mut harness = serving("Deno.serve(options, () => {})");
    let port = harness.port();
    let message = harness.eval(&format!(
        "thrown(() => Deno.serve({{ ...options, port: {port} }}, () => {{}}))"
    ));
    assert!(
        message.starts_with("AddrInUse: Address already in use"),
        "{message}"
    );
    harness.shutdown().await;
}

#[tokio::test]
async fn shares_a_port_on_request() {
    let mut harness =
        serving("Deno.serve({ ...options, reusePort: true }, () => new Response('a'))");
    let port = harness.port();
    harness.execute(&format!(
        "globalThis.second = Deno.serve({{ ...options, port: {port}, reusePort: true }}, () => new Response('a'))"
    ));
    assert_eq!(harness.exchange(GET).await.text(), "a");
    harness.execute("second.shutdown()");
    harness.shutdown().await;
}

#[tokio::test]
async fn asks_for_permission_first() {
    let mut harness = Harness::with("", Permissions::none_without_prompt, None);
    let message = harness.eval("thrown(() => Deno.serve({ port: 4545 }, () => {}))");
    assert!(
        message.starts_with("NotCapable: Requires net access to \"0.0.0.0:4545\""),
        "{message}"
    );
    let message = harness.eval("thrown(() => Deno.serve({ path: '/tmp/x.sock' }, () => {}))");
    assert!(message.starts_with("NotCapable: Requires "), "{message}");
    assert!(!std::path::Path::new("/tmp/x.sock").exists());
}

#[tokio::test]
async fn serves_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("duplex_http_{}.sock", std::process::id()));
    let path = path.to_str().unwrap();
    let mut harness = Harness::new(&format!(
        "globalThis.server = Deno.serve({{ path: '{path}' }}, (request, info) => {{
           report(JSON.stringify(info.remoteAddr));
           return new Response(request.url);
         }});"
    ));
    assert_eq!(
        harness.eval("JSON.stringify(server.addr)"),
        format!(r#"{{"transport":"unix","path":"{path}"}}"#)
    );
    let reply = harness
        .run(async {
            let mut client = Client::new(UnixStream::connect(path).await.unwrap());
            client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
            client.reply().await
        })
        .await;
    assert_eq!(reply.text(), "http+unix://a/x");
    assert_eq!(
        harness.log().entries(),
        [
            format!("info Listening on {path}"),
            format!(r#"{{"transport":"unix","path":"{path}"}}"#)
        ]
    );
    harness.shutdown().await;
    assert!(!std::path::Path::new(path).exists());
}

#[tokio::test]
async fn lets_exchanges_end_on_shutdown() {
    let mut harness = serving(
        "Deno.serve(options, async () => {
           report('busy');
           await new Promise((resolve) => globalThis.release = resolve);
           return new Response('late');
         })",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(GET).await;
            log.wait_for("busy").await;
        })
        .await;
    // The connection of that client is gone, so use another.
    let mut busy = None;
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(GET).await;
            log.wait_for_times(2, "busy").await;
            busy = Some(client);
        })
        .await;
    harness.execute("server.shutdown().then(() => report('shut down')); release()");
    let mut client = busy.unwrap();
    let reply = harness.run(async { client.reply().await }).await;
    assert_eq!(reply.text(), "late");
    harness
        .run(async { assert!(client.is_closed().await) })
        .await;
    harness.finish().await;
    assert!(log.entries().contains(&"shut down".to_owned()));
}

#[tokio::test]
async fn closes_idle_connections_on_shutdown() {
    let mut harness = serving("Deno.serve(options, () => new Response('a'))");
    let port = harness.port();
    let mut client = harness.run(Client::connect(port)).await;
    let mut silent = harness.run(Client::connect(port)).await;
    harness
        .run(async {
            client.send(GET).await;
            client.reply().await
        })
        .await;
    harness.shutdown().await;
    assert!(client.is_closed().await);
    assert!(silent.is_closed().await);
}

#[tokio::test]
async fn a_signal_ends_it_at_once() {
    let mut harness = serving(
        "(() => {
           const controller = new AbortController();
           globalThis.abort = () => controller.abort();
           const server = Deno.serve({ ...options, signal: controller.signal }, (request) => {
             request.signal.onabort = () => report('request aborted');
             report('busy');
             return new Promise(() => {});
           });
           server.finished.then(() => report('finished'));
           return server;
         })()",
    );
    let port = harness.port();
    let log = harness.log();
    let mut client = harness.run(Client::connect(port)).await;
    harness
        .run(async {
            client.send(GET).await;
            log.wait_for("busy").await;
        })
        .await;
    harness.execute("abort()");
    harness.finish().await;
    assert!(client.is_closed().await);
    let mut entries = log.entries();
    entries.sort();
    assert_eq!(entries, ["busy", "finished", "request aborted"]);
}

#[tokio::test]
async fn an_aborted_signal_ends_it_too() {
    let mut harness = serving("Deno.serve({ ...options, signal: AbortSignal.abort() }, () => {})");
    harness.finish().await;
}

#[tokio::test]
async fn unref_lets_the_program_end() {
    let mut harness = serving("Deno.serve(options, () => new Response('a'))");
    harness.execute("server.unref()");
    harness.finish().await;
    harness.execute("server.ref()");
    assert_eq!(harness.exchange(GET).await.text(), "a");
    harness.shutdown().await;
}

#[tokio::test]
async fn disposes_of_itself() {
    let mut harness = serving("Deno.serve(options, () => new Response('a'))");
    harness.execute("server[Symbol.asyncDispose]().then(() => report('disposed'))");
    harness.finish().await;
    assert_eq!(harness.log().entries(), ["disposed"]);
}

#[tokio::test]
async fn can_be_shut_down_twice() {
    let mut harness = serving("Deno.serve(options, () => new Response('a'))");
    harness.execute("server.shutdown()");
    harness.shutdown().await;
    harness.shutdown().await;
}

#[tokio::test]
async fn two_servers_do_not_mix() {
    let mut harness = serving("Deno.serve(options, () => new Response('first'))");
    harness.execute("globalThis.second = Deno.serve(options, () => new Response('second'))");
    assert_eq!(harness.exchange(GET).await.text(), "first");
    harness.execute("[server, second] = [second, server]");
    assert_eq!(harness.exchange(GET).await.text(), "second");
    harness.execute("second.shutdown()");
    harness.shutdown().await;
}
