//! `Deno.upgradeWebSocket`.

use crate::harness::Client;
use crate::harness::Harness;

const SERVE: &str = "globalThis.server = Deno.serve(
  {
    port: 0,
    hostname: '127.0.0.1',
    onListen() {},
    onError(error) { return new Response(`${error.constructor.name}: ${error.message}`, { status: 500 }); },
  },
  (request) => {
    const protocol = new URL(request.url).searchParams.get('protocol') ?? undefined;
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol });
    socket.onopen = () => report('open', socket.protocol);
    socket.onmessage = ({ data }) => socket.send(data);
    socket.onclose = ({ code }) => report('close', code);
    socket.onerror = ({ message }) => report('error', message);
    return response;
  },
);";

/// The example of RFC 6455, section 1.3.
const HANDSHAKE: &str = "Host: a\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

/// A masked text frame with "Hello" (RFC 6455, section 5.7), and its echo.
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const ECHO: &[u8] = b"\x81\x05Hello";
/// A masked Close with code 1000, and its echo.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";
const CLOSED: &[u8] = b"\x88\x02\x03\xe8";

#[tokio::test]
async fn opens_a_connection() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send(format!("GET / HTTP/1.1\r\n{HANDSHAKE}\r\n"))
                .await;
            let reply = client.head().await;
            assert_eq!(reply.status, 101);
            assert_eq!(
                reply.header("sec-websocket-accept"),
                Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            );
            assert_eq!(reply.header("upgrade"), Some("websocket"));
            assert_eq!(reply.header("connection"), Some("Upgrade"));
            assert_eq!(reply.header("sec-websocket-protocol"), None);
            assert_eq!(reply.header("content-length"), None);
            log.wait_for("open ").await;
            for _ in 0..3 {
                client.send(HELLO).await;
                assert_eq!(client.take(ECHO.len()).await, ECHO);
            }
            client.send(CLOSE).await;
            assert_eq!(client.take(CLOSED.len()).await, CLOSED);
            log.wait_for("close 1000").await;
            assert!(client.is_closed().await);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn takes_frames_that_came_with_the_handshake() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            let mut bytes = format!("GET / HTTP/1.1\r\n{HANDSHAKE}\r\n").into_bytes();
            bytes.extend_from_slice(HELLO);
            bytes.extend_from_slice(CLOSE);
            client.send(bytes).await;
            assert_eq!(client.head().await.status, 101);
            assert_eq!(client.take(ECHO.len()).await, ECHO);
            assert_eq!(client.take(CLOSED.len()).await, CLOSED);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn reads_the_headers_as_lists_in_any_case() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    for headers in [
        "UPGRADE: WebSocket\r\nconnection: keep-alive, upgrade\r\n",
        "Upgrade: foo, websocket\r\nConnection: keep-alive\r\nConnection: UPGRADE\r\n",
        "Upgrade: websocket ,foo\r\nConnection:\tUpgrade\t,\r\n",
    ] {
        let reply = harness
            .run(async {
                let mut client = Client::connect(port).await;
                client
                    .send(format!(
                        "GET / HTTP/1.1\r\nHost: a\r\n{headers}Sec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                    ))
                    .await;
                client.head().await
            })
            .await;
        assert_eq!(reply.status, 101, "{headers}");
    }
    harness.execute("server.shutdown()");
    harness.finish().await;
}

#[tokio::test]
async fn agrees_on_a_protocol() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            for offer in [
                "Sec-WebSocket-Protocol: a,b , c\r\n",
                "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n",
            ] {
                let mut client = Client::connect(port).await;
                client
                    .send(format!(
                        "GET /?protocol=b HTTP/1.1\r\n{HANDSHAKE}{offer}\r\n"
                    ))
                    .await;
                let reply = client.head().await;
                assert_eq!(reply.status, 101);
                assert_eq!(reply.header("sec-websocket-protocol"), Some("b"));
                log.wait_for("open b").await;
            }
            let mut client = Client::connect(port).await;
            client
                .send(format!(
                    "GET /?protocol=x HTTP/1.1\r\n{HANDSHAKE}Sec-WebSocket-Protocol: a\r\n\r\n"
                ))
                .await;
            assert_eq!(
                client.reply().await.text(),
                "TypeError: Protocol 'x' not in the request's protocol list (non negotiable)"
            );
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn throws_when_it_is_no_handshake() {
    let mut harness = Harness::new(SERVE);
    for (headers, message) in [
        (
            HANDSHAKE.replace("Upgrade: websocket\r\n", ""),
            "TypeError: Invalid Header: 'upgrade' header must contain 'websocket'",
        ),
        (
            HANDSHAKE.replace("Connection: Upgrade", "Connection: keep-alive"),
            "TypeError: Invalid Header: 'connection' header must contain 'Upgrade'",
        ),
        (
            HANDSHAKE.replace("Sec-WebSocket-Key", "X"),
            "TypeError: Invalid Header: 'sec-websocket-key' header must be set",
        ),
        (
            HANDSHAKE.replace("Version: 13", "Version: 8"),
            "TypeError: Invalid Header: 'sec-websocket-version' header must be '13'",
        ),
    ] {
        let reply = harness
            .exchange(&format!("GET / HTTP/1.1\r\n{headers}\r\n"))
            .await;
        assert_eq!(reply.status, 500);
        assert_eq!(reply.text(), message);
    }
    harness.shutdown().await;
}

#[tokio::test]
async fn tells_a_client_what_is_wrong_when_nobody_else_does() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve({ port: 0, onListen() {} },
           (request) => Deno.upgradeWebSocket(request).response);",
    );
    let version = HANDSHAKE.replace("Version: 13", "Version: 8");
    let reply = harness
        .exchange(&format!("GET / HTTP/1.1\r\n{version}\r\n"))
        .await;
    assert_eq!(reply.status, 426);
    assert_eq!(reply.header("sec-websocket-version"), Some("13"));
    let reply = harness.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(reply.status, 400);
    let reply = harness
        .exchange(&format!("POST / HTTP/1.1\r\n{HANDSHAKE}\r\n"))
        .await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET")));
    assert!(harness.log().entries().is_empty());
    harness.shutdown().await;
}

#[tokio::test]
async fn upgrades_a_request_once() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve({ port: 0, onListen() {} }, (request) => {
           const { socket, response } = Deno.upgradeWebSocket(request);
           socket.onopen = () => report('open');
           report(thrown(() => Deno.upgradeWebSocket(request)));
           setTimeout(() => report(thrown(() => Deno.upgradeWebSocket(request))), 50);
           return response;
         });",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send(format!("GET / HTTP/1.1\r\n{HANDSHAKE}\r\n"))
                .await;
            assert_eq!(client.head().await.status, 101);
            log.wait_for("Http: Already upgraded").await;
            log.wait_for("Http: Already closed").await;
            log.wait_for("open").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn fails_the_socket_when_something_else_is_answered() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve({ port: 0, onListen() {} }, (request) => {
           const { socket } = Deno.upgradeWebSocket(request);
           socket.onerror = () => report('error');
           socket.onclose = ({ code }) => report('close', code, socket.readyState);
           return new Response('no');
         });",
    );
    let reply = harness
        .exchange(&format!("GET / HTTP/1.1\r\n{HANDSHAKE}\r\n"))
        .await;
    assert_eq!((reply.status, reply.text()), (200, "no"));
    let log = harness.log();
    harness.run(log.wait_for("close 1006 3")).await;
    assert_eq!(log.entries(), ["error", "close 1006 3"]);
    harness.shutdown().await;
}

#[tokio::test]
async fn fails_the_socket_when_the_client_left_before() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve({ port: 0, onListen() {} }, async (request) => {
           const { socket, response } = Deno.upgradeWebSocket(request);
           socket.onopen = () => report('open');
           socket.onerror = () => report('error');
           socket.onclose = ({ code }) => report('close', code);
           report('waiting');
           await new Promise((resolve) => globalThis.answer = resolve);
           report('answered');
           return response;
         });",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send(format!("GET / HTTP/1.1\r\n{HANDSHAKE}\r\n"))
                .await;
            log.wait_for("waiting").await;
            drop(client);
            log.wait_for("close 1006").await;
        })
        .await;
    harness.execute("answer()");
    harness.run(log.wait_for("answered")).await;
    assert_eq!(
        log.entries(),
        ["waiting", "error", "close 1006", "answered"]
    );
    harness.shutdown().await;
}

#[tokio::test]
async fn answers_a_request_that_a_script_made() {
    let mut harness = Harness::new(
        "globalThis.upgrade = (headers) => Deno.upgradeWebSocket(new Request('http://a/', { headers }));
         globalThis.valid = {
           connection: 'Upgrade',
           upgrade: 'websocket',
           'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
         };",
    );
    assert_eq!(harness.eval("upgrade(valid).response.status"), "101");
    assert_eq!(
        harness.eval("upgrade(valid).response.headers.get('sec-websocket-accept')"),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(
        harness.eval("thrown(() => upgrade({ ...valid, upgrade: 'invalid' }))"),
        "TypeError: Invalid Header: 'upgrade' header must contain 'websocket'"
    );
    assert_eq!(
        harness.eval("thrown(() => Deno.upgradeWebSocket({}))"),
        "TypeError: Cannot upgrade to a WebSocket: the first argument must be a Request"
    );
    assert_eq!(
        harness.eval(
            "thrown(() => Deno.upgradeWebSocket(new Request('http://a/'), { idleTimeout: -1 }))"
        ),
        "TypeError: Cannot upgrade to a WebSocket: idleTimeout must be a number of seconds, 0 or more"
    );
}
