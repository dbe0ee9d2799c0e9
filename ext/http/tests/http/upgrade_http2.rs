//! `Deno.upgradeWebSocket` over HTTP/2 (RFC 8441).

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::Harness;

const SERVE: &str = "globalThis.server = Deno.serve(
  { port: 0, hostname: '127.0.0.1', onListen() {} },
  (request) => {
    if (request.headers.get('upgrade') !== 'websocket') {
      return new Response(request.method);
    }
    report(request.method, request.url, request.headers.get('connection'));
    const query = new URL(request.url).searchParams;
    const { socket, response } = Deno.upgradeWebSocket(request, {
      protocol: query.get('protocol') ?? undefined,
      perMessageDeflate: query.has('deflate'),
    });
    socket.onopen = () => report('open', socket.protocol, socket.extensions);
    socket.onmessage = ({ data }) => socket.send(data);
    socket.onclose = ({ code }) => report('close', code);
    return response;
  },
);";

/// A masked text frame with "Hello" (RFC 6455, section 5.7), and its echo.
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const ECHO: &[u8] = b"\x81\x05Hello";
/// A masked Close with code 1000, and its echo.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";
const CLOSED: &[u8] = b"\x88\x02\x03\xe8";

#[tokio::test]
async fn one_connection_carries_sockets_and_requests() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = connect(port).await;
            let mut one = open(&mut client, "/one", &[]).await.unwrap();
            let mut two = open(
                &mut client,
                "/two?protocol=b&deflate",
                &[
                    ("sec-websocket-protocol", "a, b"),
                    ("sec-websocket-extensions", "permessage-deflate"),
                ],
            )
            .await
            .unwrap();
            log.wait_for("GET http://localhost/one Upgrade").await;
            log.wait_for("open  ").await;
            log.wait_for("open b permessage-deflate").await;
            for _ in 0..3 {
                for socket in [&mut one, &mut two] {
                    socket.write_all(HELLO).await.unwrap();
                    let mut echo = [0; ECHO.len()];
                    socket.read_exact(&mut echo).await.unwrap();
                    assert_eq!(echo, ECHO);
                }
                assert_eq!(get(&mut client).await, "GET");
            }
            one.write_all(CLOSE).await.unwrap();
            let mut closed = Vec::new();
            one.read_to_end(&mut closed).await.unwrap();
            assert_eq!(closed, CLOSED);
            log.wait_for("close 1000").await;
            // The other socket lives on, and its end is noticed.
            two.write_all(HELLO).await.unwrap();
            two.read_exact(&mut [0; ECHO.len()]).await.unwrap();
            drop(two);
            log.wait_for("close 1006").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_message_beyond_the_windows() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let mut client = connect(port).await;
            let mut socket = open(&mut client, "/", &[]).await.unwrap();
            let payload: Vec<u8> = (0..10 << 20).map(|i: u32| (i / 7) as u8).collect();
            let length = (payload.len() as u64).to_be_bytes();
            let frame = [&[0x82, 0xff][..], &length, &[0; 4], &payload].concat();
            let (mut reader, mut writer) = tokio::io::split(&mut socket);
            let echo = async {
                let mut head = [0; 10];
                reader.read_exact(&mut head).await.unwrap();
                assert_eq!(head[..2], [0x82, 0x7f]);
                assert_eq!(head[2..], length);
                let mut echo = vec![0; payload.len()];
                reader.read_exact(&mut echo).await.unwrap();
                assert!(echo == payload);
            };
            let (sent, ()) = tokio::join!(writer.write_all(&frame), echo);
            sent.unwrap();
        })
        .await;
    harness.execute("server.shutdown()");
    harness.finish().await;
}

#[tokio::test]
async fn shutting_down_closes_the_sockets() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    let mut socket = harness
        .run(async { open(&mut connect(port).await, "/", &[]).await.unwrap() })
        .await;
    harness.execute("server.shutdown().then(() => report('shut down'))");
    let log = harness.log();
    harness
        .run(async {
            let mut close = [0; 4];
            socket.read_exact(&mut close).await.unwrap();
            assert_eq!(close[..1], [0x88]);
            assert_eq!(close[2..], 1001u16.to_be_bytes());
            socket.write_all(b"\x88\x82\0\0\0\0\x03\xe9").await.unwrap();
            log.wait_for("close 1001").await;
        })
        .await;
    drop(socket);
    harness.finish().await;
}

#[tokio::test]
async fn refuses_what_is_no_handshake() {
    let mut harness = Harness::new(&SERVE.replace(
        "if (request.headers.get('upgrade') !== 'websocket')",
        "if (new URL(request.url).pathname === '/plain')",
    ));
    let port = harness.port();
    harness
        .run(async {
            let mut client = connect(port).await;
            let request = http::Request::get("http://localhost/");
            assert_eq!(status(&mut client, request).await, 405);
            let request = extended_connect("/", "websocket", &[("sec-websocket-version", "8")]);
            assert_eq!(status(&mut client, request).await, 400);
            let request = extended_connect(
                "/?protocol=c",
                "websocket",
                &[
                    ("sec-websocket-version", "13"),
                    ("sec-websocket-protocol", "a, b"),
                ],
            );
            assert_eq!(status(&mut client, request).await, 400);
        })
        .await;
    harness.execute("server.shutdown()");
    harness.finish().await;
}

/// The handler makes no difference.
#[tokio::test]
async fn refuses_tunnels_and_odd_hosts() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           (request) => {
             report(request.method, request.url);
             return new Response('plain');
           },
         );",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = connect(port).await;
            let plain = http::Request::connect("http://localhost:80");
            assert_eq!(status(&mut client, plain).await, 501);
            for protocol in ["webtransport", "connect-udp"] {
                let other = extended_connect("/", protocol, &[]);
                assert_eq!(status(&mut client, other).await, 501);
            }
            // A status 2xx would open a socket.
            let unanswered = extended_connect("/", "websocket", &[]);
            assert_eq!(status(&mut client, unanswered).await, 501);
            for authority in ["u:p@localhost", "a:99999", "999.1.1.1"] {
                let request = http::Request::get(format!("http://{authority}/"));
                assert_eq!(status(&mut client, request).await, 400, "{authority}");
            }
            let two = http::Request::get("http://localhost/").header("host", "b");
            assert_eq!(status(&mut client, two).await, 400);
            let same = http::Request::get("https://localhost/").header("host", "LOCALHOST:443");
            assert_eq!(status(&mut client, same).await, 200);
            let scheme = http::Request::get("https://localhost/scheme");
            assert_eq!(status(&mut client, scheme).await, 200);
        })
        .await;
    harness.shutdown().await;
    assert_eq!(
        harness.log().entries()[1..4],
        [
            "GET http://localhost/",
            "GET http://localhost/",
            "GET http://localhost/scheme"
        ]
    );
}

/// The stream is reset, and the other streams go on.
#[tokio::test]
async fn a_handshake_with_a_length_ends_only_its_stream() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let mut client = connect(port).await;
            let mut socket = open(&mut client, "/", &[]).await.unwrap();
            let request = extended_connect(
                "/",
                "websocket",
                &[("sec-websocket-version", "13"), ("content-length", "5")],
            );
            let answer = client.send_request(request.body(Empty::new()).unwrap());
            assert!(answer.await.is_err());
            socket.write_all(HELLO).await.unwrap();
            let mut echo = [0; ECHO.len()];
            socket.read_exact(&mut echo).await.unwrap();
            assert_eq!(echo, ECHO);
            assert_eq!(get(&mut client).await, "GET");
        })
        .await;
    harness.execute("server.shutdown()");
    harness.finish().await;
}

/// The end of a socket in the middle of a message does not end the message.
#[tokio::test]
async fn an_abort_resets_the_stream() {
    for (path, end) in [
        ("terminate", "socket.terminate()"),
        ("close", "socket.close()"),
        ("limit", "socket.send(new Uint8Array(2e6)); socket.send('')"),
        (
            "shutdown",
            "server.shutdown().then(() => report('shut down'))",
        ),
    ] {
        let mut harness = Harness::new(
            "globalThis.server = Deno.serve(
               { port: 0, hostname: '127.0.0.1', onListen() {} },
               (request) => {
                 const { socket, response } = Deno.upgradeWebSocket(request, {
                   closeTimeout: 0.2,
                   backpressureLimit: 1e6,
                 });
                 socket.onopen = () => socket.send(new Uint8Array(300_000));
                 socket.onclose = ({ code }) => report('close', code);
                 globalThis.socket = socket;
                 return response;
               },
             );",
        );
        let port = harness.port();
        let (mut client, connection) = narrow(port).await;
        let connection = tokio::spawn(connection);
        let (head, _send) = client.send_request(extended_websocket(), false).unwrap();
        let mut body = harness.run(head).await.unwrap().into_body();
        let log = harness.log();
        // The window is full, and is not opened again.
        harness.run(fill(&mut body)).await;
        harness.execute(end);
        harness
            .run(async {
                let end = body.data().await.unwrap().unwrap_err();
                assert_eq!(end.reason(), Some(h2::Reason::CANCEL), "{path}");
                log.wait_for("close 1006").await;
            })
            .await;
        // The client does not move, and the server ends all the same.
        if path == "shutdown" {
            harness.finish().await;
            log.wait_for("shut down").await;
        } else {
            harness.shutdown().await;
        }
        drop(client);
        connection.await.unwrap().ok();
    }
}

/// The client does not take the rest of an answer.
#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up() {
    let limits = duplex_http::ServerLimits {
        send_timeout: std::time::Duration::from_millis(100),
        ..Default::default()
    };
    let mut harness = Harness::with(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           (_request, info) => {
             info.completed.then(() => report('sent'), () => report('not sent'));
             return new Response(new Uint8Array(300_000));
           },
         );",
        deno_permissions::Permissions::allow_all,
        Some(limits),
    );
    let port = harness.port();
    let (mut client, connection) = narrow(port).await;
    tokio::spawn(connection);
    let request = http::Request::get("http://localhost/").body(()).unwrap();
    let (head, _) = client.send_request(request, true).unwrap();
    let log = harness.log();
    harness
        .run(async {
            let mut body = head.await.unwrap().into_body();
            fill(&mut body).await;
            let end = body.data().await.unwrap().unwrap_err();
            assert_eq!(end.reason(), Some(h2::Reason::CANCEL));
            log.wait_for("not sent").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_client_that_resets_while_the_handler_works() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           {
             port: 0,
             hostname: '127.0.0.1',
             onListen() {},
             websocket: { open() { report('open'); }, close() { report('closed'); } },
           },
           async (request, info) => {
             if (request.method === 'POST') return new Response();
             if (new URL(request.url).pathname === '/plain') return new Response('GET');
             report('begun');
             await new Promise((resolve) => globalThis.goOn = resolve);
             if (new URL(request.url).pathname === '/object') {
               report('upgraded', info.upgrade(request));
               return;
             }
             const { socket, response } = Deno.upgradeWebSocket(request);
             socket.onclose = ({ code }) => report('close', code);
             return response;
           },
         );",
    );
    let port = harness.port();
    for (path, told) in [("/event", "close 1006"), ("/object", "upgraded false")] {
        let log = harness.log();
        let mut client = harness
            .run(async {
                let mut client = connect(port).await;
                let headers = [("sec-websocket-version", "13")];
                let request = extended_connect(path, "websocket", &headers);
                let request = request.body(Empty::new()).unwrap();
                let answer = tokio::spawn(client.send_request(request));
                let begun = 1 + usize::from(path == "/object");
                log.wait_for_times(begun, "begun").await;
                // Resets the stream.
                answer.abort();
                let _ = answer.await;
                // A later request shows that the reset has come.
                get(&mut client).await;
                client
            })
            .await;
        harness.execute("goOn()");
        harness
            .run(async {
                log.wait_for(told).await;
                get(&mut client).await;
            })
            .await;
    }
    let entries = harness.log().entries();
    assert_eq!(entries, ["begun", "close 1006", "begun", "upgraded false"]);
    harness.execute("server.shutdown()");
    harness.finish().await;
}

/// RFC 9110 section 8.6; a strict client would reset the stream.
#[tokio::test]
async fn no_length_with_nothing() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           (request) => {
             const status = Number(new URL(request.url).pathname.slice(1)) || 200;
             const body = status === 200 ? 'hello' : null;
             const headers = { 'content-length': '0', connection: 'x-a, close', 'x-a': '1' };
             return new Response(body, { status, headers: body ? {} : headers });
           },
         );",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = connect(port).await;
            for (method, path, length) in [
                ("GET", "/204", None),
                ("HEAD", "/204", None),
                ("GET", "/404", Some("0")),
                ("GET", "/200", Some("5")),
                ("HEAD", "/200", Some("5")),
            ] {
                let request = http::Request::builder()
                    .method(method)
                    .uri(format!("http://localhost{path}"))
                    .body(Empty::new())
                    .unwrap();
                let response = client.send_request(request).await.unwrap();
                let headers = response.headers().clone();
                let found = headers.get("content-length");
                assert_eq!(found.map(|it| it.to_str().unwrap()), length, "{path}");
                assert!(headers.contains_key("date"));
                assert!(!headers.contains_key("connection") && !headers.contains_key("x-a"));
                let body = response.into_body().collect().await.unwrap().to_bytes();
                let is_whole = method == "GET" && path == "/200";
                assert_eq!(body, if is_whole { "hello" } else { "" });
            }
        })
        .await;
    harness.shutdown().await;
}

/// The answer comes before the request has been read. The answer is whole, and the client is told
/// to send no more (RFC 9113 section 8.1).
#[tokio::test]
async fn an_upload_that_nobody_reads() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           async (request) => {
             if (new URL(request.url).pathname === '/part') {
               await request.body.getReader().read();
             }
             return new Response('answer');
           },
         );",
    );
    let port = harness.port();
    let (mut client, connection) = narrow(port).await;
    tokio::spawn(connection);
    for path in ["/unread", "/part"] {
        let request = http::Request::post(format!("http://localhost{path}"));
        let (head, mut send) = client
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        harness
            .run(async {
                send.send_data(Bytes::from_static(b"begun"), false).unwrap();
                let mut body = head.await.unwrap().into_body();
                assert_eq!(body.data().await.unwrap().unwrap(), "answer");
                let end = std::future::poll_fn(|cx| send.poll_reset(cx)).await;
                assert_eq!(end.unwrap(), h2::Reason::NO_ERROR);
            })
            .await;
    }
    harness.shutdown().await;
}

/// An upload that is given up does not count as finished.
#[tokio::test]
async fn a_body_that_is_reset_fails() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           async (request) => {
             try {
               report('read', await request.text());
             } catch (error) {
               report('failed');
             }
             return new Response();
           },
         );",
    );
    let port = harness.port();
    let (mut client, connection) = narrow(port).await;
    tokio::spawn(connection);
    let request = http::Request::post("http://localhost/").body(()).unwrap();
    let (_answer, mut send) = client.send_request(request, false).unwrap();
    let log = harness.log();
    harness
        .run(async {
            send.send_data(Bytes::from_static(b"half"), false).unwrap();
            tokio::task::yield_now().await;
            send.send_reset(h2::Reason::CANCEL);
            log.wait_for("failed").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_connection_without_streams_is_ended() {
    let limits = duplex_http::ServerLimits {
        keep_alive_timeout: std::time::Duration::from_millis(100),
        ..Default::default()
    };
    let mut harness = Harness::with(
        SERVE,
        deno_permissions::Permissions::allow_all,
        Some(limits),
    );
    let port = harness.port();
    harness
        .run(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (mut client, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            let ended = tokio::spawn(connection);
            assert_eq!(get(&mut client).await, "GET");
            let socket = open(&mut client, "/", &[]).await.unwrap();
            // A connection with a socket is not idle.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            assert!(!ended.is_finished());
            drop(socket);
            ended.await.unwrap().unwrap();
        })
        .await;
    harness.shutdown().await;
}

/// The window of a stream, in bytes, on the connection that [`narrow`] makes.
const NARROW: u32 = 1000;

async fn narrow(
    port: u16,
) -> (
    h2::client::SendRequest<Bytes>,
    h2::client::Connection<TcpStream, Bytes>,
) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    h2::client::Builder::new()
        .initial_window_size(NARROW)
        .handshake(stream)
        .await
        .unwrap()
}

/// Reads all that the window lets through, without opening it again.
async fn fill(body: &mut h2::RecvStream) {
    let mut length = 0;
    while length < NARROW as usize {
        length += body.data().await.unwrap().unwrap().len();
    }
}

fn extended_websocket() -> http::Request<()> {
    http::Request::connect("http://localhost/")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

type Client = SendRequest<Empty<Bytes>>;

async fn connect(port: u16) -> Client {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let executor = TokioExecutor::new();
    let handshake = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream));
    let (mut client, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    // After an answer, the server's SETTINGS have come.
    get(&mut client).await;
    client
}

async fn get(client: &mut Client) -> String {
    let request = http::Request::get("http://localhost/plain");
    let request = request.body(Empty::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn extended_connect(
    path: &str,
    protocol: &'static str,
    headers: &[(&str, &str)],
) -> http::request::Builder {
    let request = http::Request::connect(format!("http://localhost{path}"))
        .extension(Protocol::from_static(protocol));
    headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    })
}

async fn status(client: &mut Client, request: http::request::Builder) -> u16 {
    let request = request.body(Empty::new()).unwrap();
    client
        .send_request(request)
        .await
        .unwrap()
        .status()
        .as_u16()
}

/// Opens a WebSocket, or returns the status.
async fn open(
    client: &mut Client,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<TokioIo<Upgraded>, u16> {
    let headers = [&[("sec-websocket-version", "13")], headers].concat();
    let request = extended_connect(path, "websocket", &headers);
    let request = request.body(Empty::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    if response.status() != 200 {
        return Err(response.status().as_u16());
    }
    for name in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    Ok(TokioIo::new(hyper::upgrade::on(response).await.unwrap()))
}
