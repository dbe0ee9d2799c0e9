//! A WebSocket handshake as the first request of a connection, and all ways in
//! which a handler can answer it.

use crate::harness::Client;
use crate::harness::Harness;

const HANDSHAKE: &str = "GET /first HTTP/1.1\r\n\
    Host: a\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A masked text frame with "Hello", and its echo.
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const ECHO: &[u8] = b"\x81\x05Hello";

/// Serves with `handler`, the body of a function of `request` and `info`, which may
/// call `upgrade(request)` for a response that opens an echoing socket.
fn serve(handler: &str) -> Harness {
    Harness::new(&format!(
        "const upgrade = (request, options) => {{
           const {{ socket, response }} = Deno.upgradeWebSocket(request, options);
           socket.onopen = () => report('open');
           socket.onmessage = ({{ data }}) => socket.send(data);
           socket.onerror = () => report('error');
           socket.onclose = ({{ code }}) => report('close', code);
           globalThis.socket = socket;
           return response;
         }};
         globalThis.controller = new AbortController();
         globalThis.server = Deno.serve(
           {{ port: 0, hostname: '127.0.0.1', onListen() {{}}, signal: controller.signal }},
           (request, info) => {{ {handler} }},
         );"
    ))
}

#[tokio::test]
async fn any_response_is_sent_and_the_connection_goes_on() {
    let mut harness = serve(
        "const path = new URL(request.url).pathname;
         if (path === '/socket') return upgrade(request);
         return new Response(`${path} ${info.remoteAddr.transport}`, { headers: { a: 'b' } });",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(HANDSHAKE).await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.text()), (200, "/first tcp"));
            assert_eq!(reply.header("a"), Some("b"));
            assert!(reply.header("date").is_some());
            client.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "/second tcp");
            client.send(HANDSHAKE.replace("first", "socket")).await;
            assert_eq!(client.head().await.status, 101);
            client.send(HELLO).await;
            assert_eq!(client.take(ECHO.len()).await, ECHO);
        })
        .await;
    harness.execute("socket.close()");
    harness.shutdown().await;
}

#[tokio::test]
async fn what_follows_in_the_same_packet_is_answered_in_order() {
    let mut harness = serve("return new Response(new URL(request.url).pathname);");
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send(format!(
                    "{HANDSHAKE}GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                ))
                .await;
            assert_eq!(client.reply().await.text(), "/first");
            assert_eq!(client.reply().await.text(), "/second");
            assert!(client.is_closed().await);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_response_may_be_streamed() {
    let mut harness = serve(
        "return new Response(new ReadableStream({
           async pull(controller) {
             await sleep(1);
             controller.enqueue(new TextEncoder().encode('part'));
             controller.close();
           },
         }));",
    );
    let reply = harness.exchange(HANDSHAKE).await;
    assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
    assert_eq!(reply.text(), "part");
    harness.shutdown().await;
}

#[tokio::test]
async fn a_handler_may_take_its_time() {
    for wait in [
        "await 0;",
        "await sleep(1);",
        "await new Promise((resolve) => { globalThis.go = resolve; report('waiting'); });",
    ] {
        let mut harness = serve(&format!(
            "return (async () => {{ {wait} return upgrade(request); }})();"
        ));
        let port = harness.port();
        let log = harness.log();
        let mut client = harness
            .run(async {
                let mut client = Client::connect(port).await;
                client.send([HANDSHAKE.as_bytes(), HELLO].concat()).await;
                if wait.contains("waiting") {
                    log.wait_for("waiting").await;
                }
                client
            })
            .await;
        if wait.contains("waiting") {
            harness.execute("go()");
        }
        harness
            .run(async {
                assert_eq!(client.head().await.status, 101);
                assert_eq!(client.take(ECHO.len()).await, ECHO);
            })
            .await;
        harness.execute("socket.close()");
        drop(client);
        harness.shutdown().await;
    }
}

#[tokio::test]
async fn a_handler_is_told_when_its_client_leaves() {
    let mut harness = serve(
        "request.signal.onabort = () => report('aborted');
         info.completed.catch(() => report('not completed'));
         report('waiting');
         return new Promise(() => {});",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(HANDSHAKE).await;
            log.wait_for("waiting").await;
            drop(client);
            log.wait_for("aborted").await;
            log.wait_for("not completed").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn completion_is_told() {
    let mut harness = serve(
        "info.completed.then(() => report('completed'));
         return upgrade(request);",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(HANDSHAKE).await;
            assert_eq!(client.head().await.status, 101);
            log.wait_for("completed").await;
            log.wait_for("open").await;
        })
        .await;
    harness.execute("socket.close()");
    harness.shutdown().await;
}

#[tokio::test]
async fn a_head_in_parts_is_one_request() {
    let mut harness = serve("report(request.url); return upgrade(request);");
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            for part in HANDSHAKE.as_bytes().chunks(50) {
                client.send(part).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(client.head().await.status, 101);
            client.send(HELLO).await;
            assert_eq!(client.take(ECHO.len()).await, ECHO);
            assert_eq!(log.entries(), ["http://a/first".to_string(), "open".into()]);
        })
        .await;
    harness.execute("socket.close()");
    harness.shutdown().await;
}

#[tokio::test]
async fn what_hyper_refuses_is_refused() {
    let mut harness = serve("report('called'); return upgrade(request);");
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let field = |field: &str| HANDSHAKE.replace("Host: a\r\n", field);
            for (request, status) in [
                (field("Host: a\r\nHost: b\r\n"), 400),
                (field("Host: a/b\r\n"), 400),
                (field("Host: a\r\nno colon\r\n"), 400),
                (field("Host: a\r\nContent-Length: x\r\n"), 400),
                (field("Host: a\r\nTransfer-Encoding: gzip\r\n"), 400),
                (HANDSHAKE.replace("/first", "/\u{1}"), 400),
                (HANDSHAKE.replace("HTTP/1.1", "HTTP/1.7"), 400),
                (
                    field(&format!("Host: a\r\nX: {}\r\n", "x".repeat(70_000))),
                    431,
                ),
                (
                    field(&format!("Host: a\r\n{}", "X: y\r\n".repeat(130))),
                    431,
                ),
            ] {
                let mut client = Client::connect(port).await;
                client.send(&request).await;
                assert_eq!(client.head().await.status, status, "{request:.80?}");
                assert!(client.is_closed().await, "{request:.80?}");
            }
            assert!(log.entries().is_empty());
            // Long, and within the limits.
            for request in [
                field(&format!("Host: a\r\nX: {}\r\n", "x".repeat(20_000))),
                field(&format!("Host: a\r\n{}", "X: y\r\n".repeat(100))),
            ] {
                let mut client = Client::connect(port).await;
                client.send(request).await;
                assert_eq!(client.head().await.status, 101);
                client.send(HELLO).await;
                assert_eq!(client.take(ECHO.len()).await, ECHO);
            }
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn the_answer_has_the_headers_of_the_response() {
    let mut harness = serve(
        "const response = upgrade(request, { protocol: 'b' });
         if (request.url.endsWith('plain')) return response;
         response.headers.append('set-cookie', 'a=1');
         response.headers.append('set-cookie', 'b=2');
         response.headers.set('content-length', '3');
         response.headers.set('upgrade', 'something');
         return request.url.endsWith('new')
           ? new Response(null, { status: 101, headers: response.headers })
           : response;",
    );
    let port = harness.port();
    harness
        .run(async {
            for path in ["/plain", "/same", "/new"] {
                let mut client = Client::connect(port).await;
                let request = HANDSHAKE
                    .replace("/first", path)
                    .replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a, b\r\n\r\n");
                client.send(request).await;
                let reply = client.head().await;
                assert!(
                    reply
                        .head
                        .starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
                    "{reply:?}"
                );
                assert_eq!(reply.headers("upgrade"), ["websocket"]);
                assert_eq!(reply.headers("connection"), ["Upgrade"]);
                assert_eq!(
                    reply.headers("sec-websocket-accept"),
                    ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
                );
                assert_eq!(reply.headers("sec-websocket-protocol"), ["b"]);
                assert_eq!(reply.header("content-length"), None);
                let cookies: &[&str] = match path {
                    "/plain" => &[],
                    _ => &["a=1", "b=2"],
                };
                assert_eq!(reply.headers("set-cookie"), cookies);
            }
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_socket_opens_when_the_handler_and_what_it_left_for_later_have_run() {
    let mut harness = serve(
        "const { socket, response } = Deno.upgradeWebSocket(request);
         Promise.resolve().then(() => {}).then(() => {
           report('microtask', socket.readyState);
           socket.onopen = () => { report('open', socket.readyState); socket.send('welcome'); };
           socket.onmessage = ({ data }) => report(data);
         });
         report('handler', socket.readyState);
         return response;",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send([HANDSHAKE.as_bytes(), HELLO].concat()).await;
            assert_eq!(client.head().await.status, 101);
            assert_eq!(client.take(9).await, b"\x81\x07welcome");
            log.wait_for("Hello").await;
        })
        .await;
    assert_eq!(
        log.entries(),
        ["handler 0", "microtask 0", "open 1", "Hello"]
    );
    harness.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_ends_the_server() {
    for (end, reply) in [
        // The exchange under way is answered, and the socket is closed at once.
        ("server.shutdown().then(() => report('ended'));", Some(101)),
        // The exchange is not answered.
        (
            "controller.abort(); server.finished.then(() => report('ended'));",
            None,
        ),
    ] {
        let mut harness = serve(&format!("{end} return upgrade(request);"));
        let port = harness.port();
        let log = harness.log();
        harness
            .run(async {
                let mut client = Client::connect(port).await;
                client.send(HANDSHAKE).await;
                match reply {
                    Some(status) => {
                        assert_eq!(client.head().await.status, status);
                        // Close, 1001.
                        assert_eq!(client.take(4).await[..1], *b"\x88");
                    }
                    None => assert!(client.is_closed().await),
                }
            })
            .await;
        harness.run(log.wait_for("ended")).await;
        harness.finish().await;
        assert_eq!(
            log.entries()
                .iter()
                .filter(|it| it.starts_with("close"))
                .count(),
            1,
            "{:?}",
            log.entries()
        );
    }
}

#[tokio::test]
async fn a_handler_that_ends_the_server_and_waits() {
    let mut harness = serve(
        "server.shutdown().then(() => report('ended'));
         return sleep(1).then(() => new Response('last'));",
    );
    let reply = harness.exchange(HANDSHAKE).await;
    assert_eq!(reply.text(), "last");
    let log = harness.log();
    harness.run(log.wait_for("ended")).await;
    harness.finish().await;
}

#[tokio::test]
async fn many_at_once() {
    let mut harness = serve("return upgrade(request);");
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut clients = Vec::new();
            for _ in 0..300 {
                let mut client = Client::connect(port).await;
                client.send(HANDSHAKE).await;
                clients.push(client);
            }
            for client in &mut clients {
                assert_eq!(client.head().await.status, 101);
                client.send(HELLO).await;
            }
            for client in &mut clients {
                assert_eq!(client.take(ECHO.len()).await, ECHO);
            }
            log.wait_for_times(300, "open").await;
            drop(clients);
            log.wait_for_times(300, "close 1006").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_handler_sees_the_same_of_the_first_request_as_of_the_second() {
    let mut harness = serve(
        "return new Response(JSON.stringify([
           request.method, request.url, request.body, [...request.headers],
           request.headers.get('x-list'), request.headers.get('x-none'),
         ]));",
    );
    let port = harness.port();
    let fields = b"X-List: a\r\nX-Empty:\r\nX-LIST:  b \r\nX-Text: \xe4\xff\tb\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n";
    harness
        .run(async {
            for (target, host) in [
                ("/", "a"),
                ("/a//b;c/?d=%20&e=[f]", "a.b-c:80"),
                ("/\u{e4}?\u{e4}", "[::1]:8000"),
                ("//a", ""),
            ] {
                let request = HANDSHAKE
                    .replace("/first", target)
                    .replace("Host: a\r\n", &format!("Host: {host}\r\n"));
                let request = [request.trim_end().as_bytes(), b"\r\n", fields].concat();
                let mut client = Client::connect(port).await;
                client.send(&request).await;
                let first = client.reply().await;
                client.send(&request).await;
                let second = client.reply().await;
                assert_eq!(first.status, 200);
                assert!(
                    first.text().contains("[\"x-list\",\"a, b\"]"),
                    "{}",
                    first.text()
                );
                assert_eq!(first.text(), second.text());
            }
        })
        .await;
    harness.shutdown().await;
}
