//! How the answers of handlers reach the wire.

use std::time::Duration;

use crate::harness::Client;
use crate::harness::Harness;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn serving(handler: &str) -> Harness {
    with_options("", handler)
}

fn with_options(options: &str, handler: &str) -> Harness {
    Harness::new(&format!(
        "globalThis.server = Deno.serve(
           {{ port: 0, hostname: '127.0.0.1', onListen() {{}}, {options} }}, {handler});"
    ))
}

#[tokio::test]
async fn sends_every_kind_of_body() {
    let mut harness = serving(
        "(request) => {
           switch (new URL(request.url).pathname) {
             case '/string': return new Response('héllo');
             case '/latin1': return new Response('h\\xe9');
             case '/empty': return new Response('');
             case '/null': return new Response(null);
             case '/none': return new Response();
             case '/bytes': return new Response(new Uint8Array([0, 255, 128]));
             case '/json': return Response.json({ a: 1 });
             case '/typed': return new Response('<p>', { headers: { 'content-type': 'text/html' } });
             case '/more': return new Response('x', { status: 201, headers: { a: 'b', c: 'd' } });
             case '/blob': return new Response(new Blob(['blob'], { type: 'text/x' }));
             case '/search': return new Response(new URL('http://a/?x=y').searchParams);
             case '/stream': return new Response(new Response('streamed').body.pipeThrough(new TransformStream()));
             case '/rewrapped': return new Response(new Response('wrapped').body, { headers: { a: 'b' } });
           }
         }",
    );
    for (path, body, length, content_type) in [
        (
            "/string",
            &b"h\xc3\xa9llo"[..],
            Some("6"),
            Some("text/plain;charset=UTF-8"),
        ),
        (
            "/latin1",
            b"h\xc3\xa9",
            Some("3"),
            Some("text/plain;charset=UTF-8"),
        ),
        ("/empty", b"", Some("0"), Some("text/plain;charset=UTF-8")),
        ("/null", b"", Some("0"), None),
        ("/none", b"", Some("0"), None),
        ("/bytes", b"\0\xff\x80", Some("3"), None),
        ("/json", br#"{"a":1}"#, Some("7"), Some("application/json")),
        ("/typed", b"<p>", Some("3"), Some("text/html")),
        ("/more", b"x", Some("1"), Some("text/plain;charset=UTF-8")),
        ("/blob", b"blob", Some("4"), Some("text/x")),
        (
            "/search",
            b"x=y",
            Some("3"),
            Some("application/x-www-form-urlencoded;charset=UTF-8"),
        ),
        ("/stream", b"streamed", None, None),
        ("/rewrapped", b"wrapped", Some("7"), None),
    ] {
        let reply = harness
            .exchange(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        assert_eq!(reply.body, body, "{path}");
        assert_eq!(reply.header("content-length"), length, "{path}");
        assert_eq!(reply.header("content-type"), content_type, "{path}");
        assert!(reply.header("date").is_some());
        assert_eq!(reply.status, if path == "/more" { 201 } else { 200 });
    }
    harness.shutdown().await;
}

#[tokio::test]
async fn sends_form_data() {
    let mut harness = serving(
        "() => { const form = new FormData(); form.set('a', 'b'); return new Response(form); }",
    );
    let reply = harness.exchange(GET).await;
    let content_type = reply.header("content-type").unwrap();
    let boundary = content_type.split_once("boundary=").unwrap().1;
    assert!(reply.text().contains(boundary));
    assert!(reply.text().contains("name=\"a\"\r\n\r\nb\r\n"));
    assert!(reply.header("content-length").is_some());
    harness.shutdown().await;
}

#[tokio::test]
async fn sends_headers_byte_for_byte() {
    let mut harness = serving(
        "() => new Response('x', { headers: [
           ['X-Latin', 'caf\\xe9'], ['set-cookie', 'a=b'], ['set-cookie', 'c=d'], ['x', '1'], ['x', '2'],
         ] })",
    );
    let reply = harness.exchange(GET).await;
    assert_eq!(reply.header("x-latin"), Some("caf\u{e9}"));
    assert_eq!(reply.headers("set-cookie"), ["a=b", "c=d"]);
    assert_eq!(reply.headers("x").join(", "), "1, 2");
    harness.shutdown().await;
}

#[tokio::test]
async fn frames_bodies_itself() {
    let mut harness = serving(
        "(request) => {
           const stream = () => new Response('12345').body.pipeThrough(new TransformStream());
           switch (new URL(request.url).pathname) {
             case '/wrong': return new Response('12345', { headers: { 'content-length': '3' } });
             case '/wrong-null': return new Response(null, { headers: { 'content-length': '3' } });
             case '/te': return new Response('12345', { headers: { 'transfer-encoding': 'chunked' } });
             case '/known': return new Response(stream(), { headers: { 'content-length': '5' } });
             case '/invalid': return new Response(stream(), { headers: { 'content-length': 'x' } });
             case '/twice': return new Response(stream(), { headers: [['content-length', '5'], ['content-length', '6']] });
           }
         }",
    );
    for (path, length, chunked, body) in [
        ("/wrong", Some("5"), None, "12345"),
        ("/wrong-null", Some("0"), None, ""),
        ("/te", Some("5"), None, "12345"),
        ("/known", Some("5"), None, "12345"),
        ("/invalid", None, Some("chunked"), "12345"),
        ("/twice", None, Some("chunked"), "12345"),
    ] {
        let reply = harness
            .exchange(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        assert_eq!(reply.header("content-length"), length, "{path}");
        assert_eq!(reply.header("transfer-encoding"), chunked, "{path}");
        assert_eq!(reply.text(), body, "{path}");
    }
    harness.shutdown().await;
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_said_ends_the_connection() {
    let mut harness = serving(
        "(request) => {
           const stream = new Response('12345').body.pipeThrough(new TransformStream());
           const length = new URL(request.url).pathname.slice(1);
           return new Response(stream, { headers: { 'content-length': length } });
         }",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send("GET /9 HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.head().await.header("content-length"), Some("9"));
            assert_eq!(client.rest().await, b"12345");

            let mut client = Client::connect(port).await;
            client
                .send("GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .await;
            assert_eq!(client.head().await.header("content-length"), Some("3"));
            assert_eq!(client.rest().await, b"123");
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn sends_no_body_where_none_is_due() {
    let mut harness = serving(
        "(request, info) => {
           info.completed.then(() => report('completed'));
           switch (new URL(request.url).pathname) {
             case '/head': return new Response('hello');
             case '/head-length': return new Response(null, { headers: { 'content-length': '1000' } });
             case '/head-stream': return new Response(new ReadableStream({
               pull(c) { c.enqueue(new Uint8Array(10)); },
               cancel() { report('cancelled'); },
             }));
             case '/204': return new Response(null, { status: 204 });
             case '/304': return new Response(null, { status: 304, headers: { etag: 'x' } });
           }
         }",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            for (method, path, length) in [
                ("HEAD", "/head", Some("5")),
                ("HEAD", "/head-length", Some("1000")),
                ("HEAD", "/head-stream", None),
                ("GET", "/204", None),
                ("GET", "/304", None),
                ("HEAD", "/head", Some("5")),
            ] {
                client
                    .send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
                    .await;
                let reply = client.reply_to(method).await;
                assert_eq!(reply.header("content-length"), length, "{path}");
            }
            log.wait_for("cancelled").await;
        })
        .await;
    harness.shutdown().await;
    assert_eq!(
        log.entries()
            .iter()
            .filter(|entry| *entry == "completed")
            .count(),
        6
    );
}

#[tokio::test]
async fn streams_a_body_as_it_is_made() {
    let mut harness = serving(
        "() => new Response(new ReadableStream({
           start(c) { globalThis.emit = (text) => c.enqueue(new TextEncoder().encode(text)); globalThis.close = () => c.close(); },
         }))",
    );
    let port = harness.port();
    let mut client = harness.run(Client::connect(port)).await;
    harness
        .run(async {
            client.send(GET).await;
            assert_eq!(
                client.head().await.header("transfer-encoding"),
                Some("chunked")
            );
        })
        .await;
    for text in ["one", "two"] {
        harness.execute(&format!("emit('{text}')"));
        let chunk = harness.run(client.chunk()).await;
        assert_eq!(chunk.unwrap(), text.as_bytes());
    }
    harness.execute("close()");
    assert!(harness.run(client.chunk()).await.is_none());
    harness.shutdown().await;
}

#[tokio::test]
async fn makes_no_more_than_the_client_reads() {
    let mut harness = serving(
        "() => {
           globalThis.made = 0;
           return new Response(new ReadableStream({
             pull(c) {
               made += 65536;
               if (made > 256 * 1024 * 1024) c.close(); else c.enqueue(new Uint8Array(65536));
             },
             cancel() { report('cancelled'); },
           }));
         }",
    );
    let port = harness.port();
    let log = harness.log();
    let client = harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(GET).await;
            client.head().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            client
        })
        .await;
    let made: usize = harness.eval("made").parse().unwrap();
    assert!(made < 64 * 1024 * 1024, "{made} bytes were made");
    drop(client);
    harness.run(log.wait_for("cancelled")).await;
    harness.shutdown().await;
}

#[tokio::test]
async fn cancels_a_stream_whose_client_left() {
    let mut harness = serving(
        "(request, info) => {
           request.signal.addEventListener('abort', () => report('aborted'));
           info.completed.catch((error) => report(error.name));
           return new Response(new ReadableStream({
             start(c) { c.enqueue(new TextEncoder().encode('x')); },
             cancel() { report('cancelled'); },
           }));
         }",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(GET).await;
            assert_eq!(client.head().await.status, 200);
            assert_eq!(client.chunk().await.unwrap(), b"x");
            // Nothing is being written, so only reading shows that the client
            // left.
            drop(client);
            log.wait_for("cancelled").await;
            log.wait_for("aborted").await;
            log.wait_for("Interrupted").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn breaks_off_a_stream_that_fails() {
    let mut harness = with_options(
        "onError(error) { report('onError', error.message); return new Response('unused'); }",
        "() => new Response(new ReadableStream({
           start(c) { c.enqueue(new TextEncoder().encode('x')); },
           pull() { throw new Error('broken'); },
         }))",
    );
    let port = harness.port();
    let log = harness.log();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client.send(GET).await;
            client.head().await;
            let rest = client.rest().await;
            assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
            log.wait_for("onError broken").await;
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn echoes_a_body_through() {
    let mut harness = serving("(request) => new Response(request.body)");
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            client
                .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            assert_eq!(
                client.head().await.header("transfer-encoding"),
                Some("chunked")
            );
            for _ in 0..3 {
                client.send("5\r\nhello\r\n").await;
                assert_eq!(client.chunk().await.unwrap(), b"hello");
            }
            client.send("0\r\n\r\n").await;
            assert!(client.chunk().await.is_none());
        })
        .await;
    // A large body arrives whole.
    let body = "x".repeat(1 << 20);
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    harness
        .run(async {
            let client = Client::connect(port).await;
            let (read, mut write) = client.stream.into_split();
            // The sender stays open until the reply is here, because dropping
            // it ends the stream.
            let sent = tokio::spawn(async move {
                tokio::io::AsyncWriteExt::write_all(&mut write, request.as_bytes())
                    .await
                    .unwrap();
                write
            });
            let mut client = Client::new(tokio::io::join(read, tokio::io::sink()));
            assert!(client.reply().await.text() == body);
            drop(sent.await.unwrap());
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn turns_errors_into_500() {
    let mut harness = serving(
        "(request) => {
           switch (new URL(request.url).pathname) {
             case '/throw': throw new Error('thrown');
             case '/reject': return Promise.reject(new Error('rejected'));
             case '/undefined': return undefined;
             case '/string': return 'x';
             case '/error': return Response.error();
             case '/101': return new Response(null, { status: 101 });
             case '/header': return new Response('x', { headers: { a: '\\x01' } });
             case '/used': return (async () => {
               const response = new Response('x');
               await response.text();
               return response;
             })();
             case '/locked': {
               const stream = new ReadableStream();
               const response = new Response(stream);
               stream.getReader();
               return response;
             }
           }
         }",
    );
    for (path, message) in [
        ("/throw", "Error: thrown"),
        ("/reject", "Error: rejected"),
        (
            "/undefined",
            "TypeError: Return value from serve handler must be a response or a promise resolving to a response",
        ),
        (
            "/string",
            "TypeError: Return value from serve handler must be a response or a promise resolving to a response",
        ),
        (
            "/error",
            "TypeError: Return value from serve handler must not be an error response (like Response.error())",
        ),
        (
            "/101",
            "TypeError: A response with status 101 must come from Deno.upgradeWebSocket(), and be returned once",
        ),
        ("/header", "TypeError: Invalid header value for \"a\""),
        (
            "/used",
            "TypeError: The body of the Response returned from the serve handler has already been consumed",
        ),
        (
            "/locked",
            "TypeError: The body of the Response returned from the serve handler is locked",
        ),
    ] {
        let reply = harness
            .exchange(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        assert_eq!(reply.status, 500, "{path}");
        assert_eq!(reply.text(), "Internal Server Error");
        assert_eq!(
            harness.log().entries().last().unwrap(),
            &format!("error {message}")
        );
    }
    harness.shutdown().await;
}

#[tokio::test]
async fn lets_on_error_answer() {
    let mut harness = with_options(
        "async onError(error) {
           if (error.message === 'worse') throw new Error('worst');
           if (error.message === 'odd') return 1;
           return new Response(error.message, { status: 418 });
         }",
        "(request) => { throw new Error(new URL(request.url).pathname.slice(1)); }",
    );
    let reply = harness
        .exchange("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!((reply.status, reply.text()), (418, "bad"));
    for (path, message) in [
        ("/worse", "Error: worst"),
        (
            "/odd",
            "TypeError: Return value from onError handler must be a response or a promise resolving to a response",
        ),
    ] {
        let reply = harness
            .exchange(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        assert_eq!((reply.status, reply.text()), (500, "Internal Server Error"));
        assert_eq!(
            harness.log().entries().last().unwrap(),
            &format!("error Exception in onError while handling exception {message}")
        );
    }
    harness.shutdown().await;
}

#[tokio::test]
async fn sends_one_response_once() {
    let mut harness =
        serving("(() => { const response = new Response('x'); return () => response; })()");
    assert_eq!(harness.exchange(GET).await.status, 200);
    assert_eq!(harness.exchange(GET).await.status, 500);
    harness.shutdown().await;
}

/// RFC 9110 section 8.6.
#[tokio::test]
async fn nothing_has_no_length() {
    let mut harness = Harness::new(
        "globalThis.server = Deno.serve(
           { port: 0, hostname: '127.0.0.1', onListen() {} },
           (request) => new Response(null, {
             status: Number(new URL(request.url).pathname.slice(1)),
             headers: { 'content-length': '0' },
           }),
         );",
    );
    let port = harness.port();
    harness
        .run(async {
            let mut client = Client::connect(port).await;
            for (method, status, length) in [
                ("GET", 204, None),
                ("HEAD", 204, None),
                ("GET", 404, Some("0")),
                ("HEAD", 404, Some("0")),
            ] {
                let request = format!("{method} /{status} HTTP/1.1\r\nHost: a\r\n\r\n");
                client.send(request).await;
                let reply = client.reply_to(method).await;
                assert_eq!(reply.status, status);
                assert_eq!(reply.header("content-length"), length, "{method} {status}");
            }
        })
        .await;
    harness.shutdown().await;
}
