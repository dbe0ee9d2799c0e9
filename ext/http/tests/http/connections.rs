//! HTTP/1.1 connections: how long they last and what ends them.

use std::time::Duration;

use deno_permissions::Permissions;
use duplex_http::ServerLimits;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::harness::Client;
use crate::harness::Harness;

const SERVE: &str = "globalThis.server = Deno.serve(
  { port: 0, hostname: '127.0.0.1', onListen() {} },
  async (request) => new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`),
);";

fn limited(limits: ServerLimits) -> Harness {
    Harness::with(SERVE, Permissions::allow_all, Some(limits))
}

#[tokio::test]
async fn serves_many_requests_on_one() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            for index in 0..100 {
                client
                    .send(format!("GET /{index} HTTP/1.1\r\nHost: a\r\n\r\n"))
                    .await;
                let reply = client.reply().await;
                assert_eq!(reply.text(), format!("GET /{index} "));
                assert!(reply.header("date").is_some());
                assert_eq!(
                    reply.header("content-type"),
                    Some("text/plain;charset=UTF-8")
                );
            }
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn answers_pipelined_requests_in_order() {
    let mut harness = Harness::new(
        "let n = 0;
         globalThis.server = Deno.serve({ port: 0, onListen() {} }, async (request) => {
           await sleep(10 - 3 * n++);
           return new Response(new URL(request.url).pathname + await request.text());
         });",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send(
                    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
                     POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
                     GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
                )
                .await;
            for expected in ["/1", "/2abc", "/3"] {
                assert_eq!(client.reply().await.text(), expected);
            }
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn closes_when_asked_to() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .await;
            client.reply().await;
            assert!(client.is_closed().await);

            let mut client = Client::connect(port).await;
            client.send("GET / HTTP/1.0\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "GET / ");
            assert!(client.is_closed().await);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_bad_request_ends_only_its_connection() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let mut good = Client::connect(port).await;
            good.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(good.reply().await.text(), "GET /1 ");
            for bad in [
                "nonsense\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: 999.1.1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
                "GET http://a/ HTTP/1.1\r\n\r\n",
                "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
                "GET / HTTP/3.7\r\nHost: a\r\n\r\n",
                "\u{0}\u{1}\u{2}\r\n\r\n",
            ] {
                let mut client = Client::connect(port).await;
                client.send(bad).await;
                let reply = client.head().await;
                assert_eq!(reply.status, 400, "{bad:?}");
                assert!(client.is_closed().await, "{bad:?}");
            }
            good.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(good.reply().await.text(), "GET /2 ");
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn answers_a_client_that_has_ended_its_side() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            for _ in 0..20 {
                let mut client = Client::connect(port).await;
                client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
                client.end().await;
                assert_eq!(client.reply().await.text(), "GET /1 ");
                assert!(client.is_closed().await);
            }
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn limits_the_head() {
    let mut harness = limited(ServerLimits {
        head_bytes: 8 * 1024,
        header_fields: 10,
        ..ServerLimits::default()
    });
    let port = harness.port();
    harness
        .run(async {
            let long = "x".repeat(10_000);
            let mut client = Client::connect(port).await;
            client
                .send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"))
                .await;
            assert_eq!(client.head().await.status, 431);

            let mut client = Client::connect(port).await;
            let many = "X: y\r\n".repeat(11);
            client
                .send(format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"))
                .await;
            assert_eq!(client.head().await.status, 431);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn does_not_wait_forever_for_a_head() {
    let mut harness = limited(ServerLimits {
        head_timeout: Duration::from_millis(120),
        ..ServerLimits::default()
    });
    let port = harness.port();
    harness
        .run(async {
            // A client that sends its head very slowly.
            let mut client = Client::connect(port).await;
            client.send("GET / HTTP/1.1\r\n").await;
            let mut slow = Client::connect(port).await;
            slow.send("GET / HT").await;
            // A client that sends nothing.
            let mut silent = Client::connect(port).await;
            assert!(client.is_closed().await);
            assert!(slow.is_closed().await);
            assert!(silent.is_closed().await);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn waits_for_the_next_request_as_long_as_it_takes() {
    // Long enough for a busy machine to read a head that has come.
    const HEAD_TIMEOUT: Duration = Duration::from_secs(1);
    let mut harness = limited(ServerLimits {
        head_timeout: HEAD_TIMEOUT,
        ..ServerLimits::default()
    });
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "GET /1 ");
            tokio::time::sleep(2 * HEAD_TIMEOUT).await;
            // A body may take longer than a head.
            client
                .send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
                .await;
            tokio::time::sleep(2 * HEAD_TIMEOUT).await;
            client.send("b").await;
            assert_eq!(client.reply().await.text(), "POST /2 ab");
            // But a second head is timed again.
            client.send("GET /3 HTTP/1.1\r\n").await;
            assert!(client.is_closed().await);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn serves_many_at_once() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let clients = (0..200).map(|index| {
                tokio::spawn(async move {
                    let mut client = Client::connect(port).await;
                    for _ in 0..5 {
                        client
                            .send(format!("GET /{index} HTTP/1.1\r\nHost: a\r\n\r\n"))
                            .await;
                        assert_eq!(client.reply().await.text(), format!("GET /{index} "));
                    }
                })
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn survives_connections_that_are_reset() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            for request in [
                "",
                "GET / HTTP/1.1\r\nHo",
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            ] {
                let mut client = Client::connect(port).await;
                client.send(request).await;
                client.stream.set_zero_linger().unwrap();
                drop(client);
            }
            let mut client = Client::connect(port).await;
            client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "GET /1 ");
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn speaks_http2_to_those_who_know() {
    let mut harness = Harness::new(SERVE);
    let port = harness.port();
    harness
        .run(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let executor = hyper_util::rt::TokioExecutor::new();
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(executor, TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let request = http::Request::post("http://a/x")
                .body(http_body_util::Full::new(bytes::Bytes::from("hello")))
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.version(), http::Version::HTTP_2);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "POST /x hello");
        })
        .await;
    harness.shutdown().await;
}

/// The bytes of a long upload: more than the system buffers.
const UPLOAD: usize = 8 << 20;

/// An answer may come before the request has been read, or read to its end. The client gets the
/// whole answer, can finish its upload, and sees an orderly end.
#[tokio::test]
async fn an_upload_that_nobody_reads() {
    let mut harness = Harness::new(
        "globalThis.kept = [];
         globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           async (request) => {
             const { pathname } = new URL(request.url);
             if (pathname !== '/unread') {
               const reader = request.body.getReader();
               // The reader is kept, so that no garbage collection ends it.
               kept.push(reader, request);
               await reader.read();
               if (pathname === '/cancelled') await reader.cancel();
               if (pathname === '/reading') {
                 const read = async () => { while (!(await reader.read()).done); };
                 setTimeout(() => read().catch((error) => report(error.message)), 0);
               }
             }
             return new Response('answer');
           },
         );",
    );
    let port = harness.port();
    for path in ["/unread", "/part", "/cancelled", "/reading"] {
        for head in [
            "Content-Length: 8388608\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n800000\r\n",
        ] {
            harness
                .run(async {
                    let mut client = Client::connect(port).await;
                    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{head}");
                    client.send(head).await;
                    // The client can send all before it reads the answer.
                    client.send(vec![0; UPLOAD]).await;
                    assert_eq!(client.reply().await.text(), "answer", "{path}");
                    let mut byte = [0; 1];
                    let end = tokio::io::AsyncReadExt::read(&mut client.stream, &mut byte).await;
                    assert_eq!(end.unwrap(), 0, "{path}");
                })
                .await;
        }
    }
    let text = "Cannot read request body as underlying resource unavailable";
    let log = harness.log();
    harness.run(log.wait_for_times(2, text)).await;
    harness.shutdown().await;
}

/// The rest of a short body is skipped.
#[tokio::test]
async fn the_request_behind_a_short_body_that_nobody_reads() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           (request) => new Response(request.method),
         );",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            for _ in 0..3 {
                client
                    .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
                    .await;
                assert_eq!(client.reply().await.text(), "POST");
            }
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn ends_a_connection_that_waits_for_no_request() {
    let mut harness = limited(ServerLimits {
        keep_alive_timeout: Duration::from_millis(200),
        head_timeout: Duration::from_millis(600),
        ..ServerLimits::default()
    });
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "GET /1 ");
            assert!(client.is_closed().await);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn does_not_wait_forever_for_a_body() {
    let mut harness = Harness::with(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           async (request) => {
             try {
               return new Response(await request.text());
             } catch (error) {
               return new Response(error.message, { status: 408 });
             }
           },
         );",
        Permissions::allow_all,
        Some(ServerLimits {
            body_timeout: Duration::from_millis(200),
            ..ServerLimits::default()
        }),
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
                .await;
            let reply = client.reply().await;
            assert_eq!(reply.status, 408);
            assert_eq!(
                reply.text(),
                "The client sent nothing of the body for 0.2 s"
            );
            assert!(client.is_closed().await);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn does_not_wait_forever_for_a_client_that_reads_nothing() {
    let mut harness = Harness::with(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           (_request, info) => {
             info.completed.then(() => report('sent'), () => report('not sent'));
             return new Response(new ReadableStream({
               pull(controller) { controller.enqueue(new Uint8Array(1e6)); },
             }));
           },
         );",
        Permissions::allow_all,
        Some(ServerLimits {
            head_timeout: Duration::from_millis(600),
            send_timeout: Duration::from_millis(300),
            ..ServerLimits::default()
        }),
    );
    let port = harness.port();
    let log = harness.log();
    let _client = harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            log.wait_for("not sent").await;
            client
        })
        .await;
    harness.shutdown().await;
}
