//! What a handler sees of a request.

use std::time::Duration;

use crate::harness::Client;
use crate::harness::Harness;

fn serving(handler: &str) -> Harness {
    Harness::new(&format!(
        "globalThis.server = Deno.serve({{ port: 0, hostname: '127.0.0.1', onListen() {{}} }}, {handler});"
    ))
}

#[tokio::test]
async fn has_the_url_that_the_client_meant() {
    let mut harness = serving("(request) => new Response(request.method + ' ' + request.url)");
    let port = harness.port();
    for (request, url) in [
        (
            "GET /a?b=c HTTP/1.1\r\nHost: example.org",
            "GET http://example.org/a?b=c",
        ),
        (
            "GET / HTTP/1.1\r\nHost: example.org:81",
            "GET http://example.org:81/",
        ),
        (
            "GET http://other/x HTTP/1.1\r\nHost: example.org",
            "GET http://other/x",
        ),
        (
            "GET http://other HTTP/1.1\r\nHost: example.org",
            "GET http://other/",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: example.org",
            "OPTIONS http://example.org/*",
        ),
        (
            "GET https://other/x HTTP/1.1\r\nHost: example.org",
            "GET http://other/x",
        ),
        ("GET //a/../b HTTP/1.1\r\nHost: c", "GET http://c//a/../b"),
        ("DELETE /%20 HTTP/1.1\r\nHost: c", "DELETE http://c/%20"),
    ] {
        let reply = harness.exchange(&format!("{request}\r\n\r\n")).await;
        assert_eq!(reply.text(), url);
    }
    for request in ["GET /a HTTP/1.1\r\nHost:", "GET /a HTTP/1.0"] {
        let reply = harness.exchange(&format!("{request}\r\n\r\n")).await;
        assert_eq!(reply.text(), format!("GET http://localhost:{port}/a"));
    }
    harness.shutdown().await;
}

#[tokio::test]
async fn has_headers_byte_for_byte() {
    let mut harness = serving(
        "(request) => {
           const { headers } = request;
           report(headers.get('X-Latin'), headers.get('x-latin').length);
           report(headers.get('accept'), headers.get('COOKIE'), headers.get('none'), headers.has('Accept'));
           report(JSON.stringify([...headers]));
           report(thrown(() => headers.set('a', 'b')));
           return new Response();
         }",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send(
                    b"GET / HTTP/1.1\r\nHost: h\r\nX-Latin: caf\xe9\r\nAccept: a\r\naccept: b\r\n\
                      Cookie: a=b\r\nCookie: c=d\r\n\r\n",
                )
                .await;
            assert_eq!(client.reply().await.status, 200);
        })
        .await;
    assert_eq!(
        harness.log().entries(),
        [
            "café 4",
            "a, b a=b; c=d null true",
            r#"[["accept","a, b"],["cookie","a=b; c=d"],["host","h"],["x-latin","café"]]"#,
            "TypeError: Cannot change headers: headers are immutable",
        ]
    );
    harness.shutdown().await;
}

#[tokio::test]
async fn knows_the_client() {
    let mut harness = serving("(_, info) => Response.json(info.remoteAddr)");
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            let local = client.stream.local_addr().unwrap().port();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(
                client.reply().await.text(),
                format!(r#"{{"transport":"tcp","hostname":"127.0.0.1","port":{local}}}"#)
            );
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn reads_a_body_in_every_form() {
    let mut harness = serving(
        "async (request) => {
           switch (new URL(request.url).pathname) {
             case '/text': return new Response(await request.text());
             case '/json': return Response.json((await request.json()).a);
             case '/bytes': return new Response((await request.bytes()).length);
             case '/used': await request.text(); return new Response(request.bodyUsed);
             case '/clone': return new Response(await request.clone().text() + await request.text());
             case '/none': return new Response(String(request.body));
             case '/twice': await request.text(); return new Response(await request.text().catch((e) => e.name));
           }
         }",
    );
    let body = r#"{"a":"é"}"#;
    for (path, expected) in [
        ("/text", body.to_owned()),
        ("/json", r#""é""#.to_owned()),
        ("/bytes", body.len().to_string()),
        ("/used", "true".to_owned()),
        ("/clone", body.repeat(2)),
        ("/twice", "TypeError".to_owned()),
    ] {
        let length = body.len();
        let whole =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        assert_eq!(harness.exchange(&whole).await.text(), expected);
        let (first, rest) = body.split_at(4);
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             4\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
            rest.len()
        );
        assert_eq!(harness.exchange(&chunked).await.text(), expected);
    }
    let get = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(harness.exchange(get).await.text(), "null");
    harness.shutdown().await;
}

#[tokio::test]
async fn streams_a_body_as_it_comes() {
    let mut harness = serving(
        "async (request) => {
           const decoder = new TextDecoder();
           for await (const chunk of request.body) report(decoder.decode(chunk));
           return new Response('read');
         }",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            for chunk in ["one", "two", "six"] {
                client.send(format!("3\r\n{chunk}\r\n")).await;
                log.wait_for(chunk).await;
            }
            client.send("0\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "read");
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn reads_no_more_than_the_handler_does() {
    let mut harness = serving(
        "async (request) => {
           const reader = request.body.getReader();
           await reader.read();
           report('read');
           await new Promise((resolve) => globalThis.release = resolve);
           let length = 0;
           for (;;) {
             const { done, value } = await reader.read();
             if (done) break;
             length += value.length;
           }
           report('all');
           return new Response();
         }",
    );
    let port = harness.port();
    let log = harness.log();
    const LENGTH: usize = 64 * 1024 * 1024;
    let mut client = harness.run(Client::connect(port)).await;
    let sent = harness
        .run(async {
            client
                .send(format!(
                    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n"
                ))
                .await;
            let chunk = vec![b'x'; 64 * 1024];
            client.send(&chunk).await;
            log.wait_for("read").await;
            let mut sent = chunk.len();
            // The kernel takes some bytes, and then no more.
            loop {
                let send = tokio::io::AsyncWriteExt::write(&mut client.stream, &chunk);
                match tokio::time::timeout(Duration::from_millis(300), send).await {
                    Ok(written) => sent += written.unwrap(),
                    Err(_) => return sent,
                }
                assert!(sent < LENGTH, "everything was taken");
            }
        })
        .await;
    harness.execute("release()");
    harness
        .run(async {
            client.send(vec![b'x'; LENGTH - sent]).await;
            log.wait_for("all").await;
            client.reply().await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn fails_a_body_that_breaks_off() {
    let mut harness = serving(
        "async (request) => {
           const aborted = new Promise((resolve) => {
             request.signal.addEventListener('abort', resolve);
           }).then(() => report('aborted'));
           report('began');
           await request.text().catch((error) => report(error.name));
           if (request.url.endsWith('/left')) await aborted;
           return new Response();
         }",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("POST /left HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
                .await;
            log.wait_for("began").await;
            drop(client);
            log.wait_for("Http").await;
            log.wait_for("aborted").await;

            // A malformed chunk.
            let mut client = Client::connect(port).await;
            client
                .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
                .await;
            client.rest().await;
        })
        .await;
    assert_eq!(
        log.entries()
            .iter()
            .filter(|entry| *entry == "Http")
            .count(),
        2
    );
    harness.shutdown().await;
}

#[tokio::test]
async fn answers_before_the_body_was_read() {
    let mut harness = serving("() => new Response('no', { status: 413 })");
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
                .await;
            assert_eq!(client.reply().await.status, 413);
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn says_continue_when_the_body_is_wanted() {
    let mut harness = serving("async (request) => new Response(await request.text())");
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
                .await;
            assert_eq!(client.head().await.status, 100);
            client.send("abc").await;
            assert_eq!(client.reply().await.text(), "abc");
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn aborts_its_signal_when_the_client_leaves() {
    let mut harness = serving(
        "async (request, info) => {
           request.signal.addEventListener('abort', () => report('aborted', request.signal.reason.name));
           info.completed.catch((error) => report(error.message));
           report('busy');
           await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
           report(request.url, request.headers.get('x'));
           return new Response('nobody reads this');
         }",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n")
                .await;
            log.wait_for("busy").await;
            drop(client);
            log.wait_for("aborted AbortError").await;
            log.wait_for("HTTP response was not sent successfully")
                .await;
            log.wait_for("http://a/ y").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn does_not_abort_its_signal_when_all_is_well() {
    let mut harness = serving(
        "(request, info) => {
           request.signal.addEventListener('abort', () => report('aborted'));
           info.completed.then(() => report('completed', request.signal.aborted));
           return new Response('x');
         }",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "x");
            log.wait_for("completed false").await;
        })
        .await;
    harness.shutdown().await;
    assert!(!log.entries().contains(&"aborted".to_owned()));
}

#[tokio::test]
async fn a_handler_that_never_answers_holds_nobody_up() {
    let mut harness = serving(
        "(request) => request.url.endsWith('/stuck') ? new Promise(() => {}) : new Response('ok')",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut stuck = Client::connect(port).await;
            stuck.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let mut client = Client::connect(port).await;
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "ok");
        })
        .await;
    // Its client has left, so shutting down does not wait for it.
    harness.shutdown().await;
}

#[tokio::test]
async fn microtasks_run_before_the_next_request() {
    let mut harness = serving(
        "(request) => {
           const name = new URL(request.url).pathname;
           report(name);
           Promise.resolve().then(() => {}).then(() => report(name, 'after'));
           return new Response();
         }",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut clients = Vec::new();
            for _ in 0..3 {
                clients.push(Client::connect(port).await);
            }
            for client in &mut clients {
                client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
            }
            for client in &mut clients {
                client.reply().await;
            }
        })
        .await;
    assert_eq!(harness.log().entries(), ["/x", "/x after"].repeat(3));
    harness.shutdown().await;
}
