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
            // The other one lives on, and its end is noticed.
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
            let other = extended_connect("/", "connect-udp", &[("sec-websocket-version", "13")]);
            assert_eq!(status(&mut client, other).await, 501);
        })
        .await;
    harness.execute("server.shutdown()");
    harness.finish().await;
}

type Client = SendRequest<Empty<Bytes>>;

async fn connect(port: u16) -> Client {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let executor = TokioExecutor::new();
    let handshake = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream));
    let (mut client, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    // With an answer the server's SETTINGS are there.
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
