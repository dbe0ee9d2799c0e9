//! Servers and their sockets of both ends: on the released deno_http here, and on the stand-in for it
//! in `ext/deno_http`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use support::{run, run_debugged, run_telling};

#[test]
fn echoes_text_and_bytes() {
    run(r#"
        const { server, url } = serve((socket) => {
            socket.onmessage = ({ data }) => socket.send(data);
        });
        const socket = new WebSocket(url);
        socket.binaryType = "arraybuffer";
        await next(socket, "open");
        for (const text of ["", "short", "\u{1f980}".repeat(1e5)]) {
            socket.send(text);
            const { data } = await next(socket, "message");
            if (data !== text) throw new Error("another text came back");
        }
        const sent = new Uint8Array(3e5).map((_, i) => i % 251);
        socket.send(sent);
        const received = new Uint8Array((await next(socket, "message")).data);
        is(received.length, sent.length, "the length");
        is(received.every((byte, i) => byte === sent[i]), true, "the bytes");

        // Many at once, in order.
        const numbers = [];
        const done = new Promise((resolve) => {
            socket.onmessage = ({ data }) => numbers.push(data) === 1000 && resolve();
        });
        for (let i = 0; i < 1000; i++) socket.send(`${i}`);
        await done;
        is(numbers.every((text, i) => text === `${i}`), true, "the order");

        socket.close(3001, "done");
        const { code, reason, wasClean } = await next(socket, "close");
        is([code, reason, wasClean], [3001, "done", true], "the end");
        await server.shutdown();
    "#);
}

#[test]
fn is_duplex() {
    run(r#"
        let accepted;
        const { server, url } = serve((socket) => accepted = socket);
        const socket = new WebSocket(url);
        await next(socket, "open");
        is(accepted instanceof WebSocket, true, "the server's socket is a WebSocket");
        is(accepted.constructor === WebSocket, true, "its constructor");
        is(accepted.binaryType, "arraybuffer", "its binaryType");
        is(typeof accepted.subscribe, "function", "what only duplex has");
        is(accepted.remoteAddr.hostname, "127.0.0.1", "the address of the client");
        const pong = next(accepted, "pong");
        is(accepted.ping("there?") > 0, true, "a Ping");
        is(new Uint8Array((await pong).data).length, 6, "the answer to it");
        socket.close();
        await server.shutdown();
    "#);
}

#[test]
fn sockets_have_topics() {
    run(r#"
        const accepted = [];
        const { server, url } = serve((socket) => accepted.push(socket));
        const clients = [new WebSocket(url), new WebSocket(url)];
        await Promise.all(clients.map((client) => next(client, "open")));
        const published = next(clients[1], "message");
        for (const socket of accepted) is(socket.subscribe("news"), true, "subscribe()");
        // Which of the two sockets is whose is not said.
        const echo = next(clients[0], "message");
        accepted[0].publish("news", "to the other");
        accepted[1].publish("news", "to the other");
        is((await published).data, "to the other", "the message");
        is((await echo).data, "to the other", "the message");
        for (const client of clients) client.close();
        await server.shutdown();
    "#);
}

#[test]
fn tells_the_end_by_the_events_of_deno() {
    run(r#"
        const ends = [];
        const { server, url } = serve((socket) => {
            socket.onclose = (event) => ends.push(event);
            socket.onmessage = () => socket.close(3000, "bye");
        });
        const socket = new WebSocket(url);
        await next(socket, "open");
        socket.send("close");
        const event = await next(socket, "close");
        await server.shutdown();
        for (const end of [event, ...ends]) {
            is(end instanceof CloseEvent, true, "the class of the event");
            is([end.code, end.reason, end.wasClean], [3000, "bye", true], "the end");
        }
        is(ends.length, 1, "how often the server was told");
    "#);
}

#[test]
fn shutdown_closes_the_sockets_and_waits_for_them() {
    run(r#"
        const ends = [];
        const { server, url } = serve((socket) => {
            socket.onclose = ({ code }) => ends.push(code);
        });
        const sockets = [new WebSocket(url), new WebSocket(url)];
        const closed = sockets.map((socket) => next(socket, "close"));
        await Promise.all(sockets.map((socket) => next(socket, "open")));
        await server.shutdown();
        is(ends, [1001, 1001], "what the server was told before the end of shutdown()");
        for (const { code, reason } of await Promise.all(closed)) {
            is([code, reason], [1001, "Server shutting down"], "what the clients were told");
        }
    "#);
}

#[test]
fn a_socket_that_is_closed_before_the_client_is_answered_closes() {
    run(r#"
        const { server, url } = serve((socket) => socket.close(3003, "not you"));
        const socket = new WebSocket(url);
        const { code, reason } = await next(socket, "close");
        is([code, reason], [3003, "not you"], "the end");
        await server.shutdown();
    "#);
}

#[test]
fn a_socket_can_send_and_close_while_it_opens() {
    run(r#"
        const { server, url } = serve((socket) => {
            socket.onopen = () => {
                socket.send("hello");
                socket.close(3004);
            };
        });
        const socket = new WebSocket(url);
        const closed = next(socket, "close");
        is((await next(socket, "message")).data, "hello", "the message");
        is((await closed).code, 3004, "the code");
        await server.shutdown();
    "#);
}

#[test]
fn streams_reach_such_a_server() {
    run(r#"
        const { server, url } = serve((socket) => {
            socket.onmessage = ({ data }) => socket.send(data);
        });
        const stream = new WebSocketStream(url);
        const { readable, writable } = await stream.opened;
        const writer = writable.getWriter();
        const reader = readable.getReader();
        await writer.write("through a stream");
        is((await reader.read()).value, "through a stream", "the echo");
        stream.close({ closeCode: 3002, reason: "over" });
        const { closeCode, reason } = await stream.closed;
        is([closeCode, reason], [3002, "over"], "the end");
        await server.shutdown();
    "#);
}

#[test]
fn clients_of_deno_fetch_connect() {
    run(r#"
        const seen = [];
        const { server, url } = serve((socket, host) => {
            seen.push(host);
            socket.onmessage = ({ data }) => socket.send(data);
        });
        const client = Deno.createHttpClient({ allowHost: true });
        const socket = new WebSocket(url, { client, headers: { host: "example.test" } });
        await next(socket, "open");
        socket.send("by a client");
        is((await next(socket, "message")).data, "by a client", "the echo");
        is(seen, ["example.test"], "the host");
        socket.close();
        await next(socket, "close");
        client.close();
        await server.shutdown();
    "#);
}

/// A proxy of HTTP that says what it was asked for, and is the server too.
#[test]
fn clients_of_deno_fetch_go_by_their_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        head
    });
    run(&format!(
        r#"
        const proxy = {{
            url: "http://127.0.0.1:{port}",
            basicAuth: {{ username: "user", password: "pass" }},
        }};
        const client = Deno.createHttpClient({{ proxy }});
        const socket = new WebSocket("ws://example.test/path?query", {{ client }});
        const {{ message }} = await next(socket, "error");
        is(message.includes("403"), true, message);
        client.close();
        "#
    ));
    let head = asked.join().unwrap();
    assert!(
        head.starts_with("GET http://example.test/path?query HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase().contains("proxy-authorization: basic "),
        "{head}"
    );
}

#[test]
fn debuggers_are_shown_both_ends() {
    let told = run_debugged(
        r#"
        const { server, url } = serve((socket) => {
            socket.onmessage = ({ data }) => socket.send(data);
        });
        const socket = new WebSocket(url);
        await next(socket, "open");
        socket.send("shown");
        await next(socket, "message");
        socket.close();
        await next(socket, "close");
        await server.shutdown();
        "#,
    );
    let count = |name: &str| {
        let name = format!("Network.webSocket{name}");
        told.iter().filter(|(method, _)| *method == name).count()
    };
    assert_eq!(count("Created"), 2, "{told:?}");
    assert_eq!(count("Closed"), 2, "{told:?}");
    let texts = told
        .iter()
        .filter(|(_, params)| params["response"]["payloadData"] == "shown")
        .map(|(method, _)| &method[..])
        .collect::<Vec<_>>();
    assert_eq!(
        texts.iter().filter(|it| it.ends_with("FrameSent")).count(),
        2,
        "{told:?}"
    );
    assert_eq!(
        texts
            .iter()
            .filter(|it| it.ends_with("FrameReceived"))
            .count(),
        2,
        "{told:?}"
    );
    for (_, params) in told
        .iter()
        .filter(|(method, _)| method.ends_with("Created"))
    {
        assert!(
            params["url"]
                .as_str()
                .unwrap()
                .starts_with("ws://127.0.0.1:")
        );
    }
}

/// A client that says nothing is sent a Ping, and a Close frame with 1001.
#[test]
fn idle_timeouts_are_kept() {
    let (tell, client) = raw_client(b"");
    run_telling(
        r#"
        const ended = new Promise((resolve) => globalThis.onEnd = resolve);
        const { server } = serve((socket) => {
            socket.onclose = ({ code, wasClean }) => onEnd([code, wasClean]);
        }, {}, { idleTimeout: 1 });
        tell(server.addr.port);
        is(await ended, [1001, false], "what the server was told");
        await server.shutdown();
        "#,
        tell,
    );
    let frames = client.join().unwrap();
    assert_eq!(frames[..2], [0x89, 0], "a Ping");
    assert_eq!(frames[2], 0x88, "a Close frame");
    assert_eq!(frames[4..6], 1001u16.to_be_bytes(), "its code");
}

/// A client that does not follow the protocol is told so, though the script has heard of the end
/// by then.
#[test]
fn what_breaks_the_protocol_is_answered() {
    // Reserved bits, and no mask.
    let (tell, client) = raw_client(&[0xff, 0x00]);
    run_telling(
        r#"
        const ended = new Promise((resolve) => globalThis.onEnd = resolve);
        const { server } = serve((socket) => {
            socket.onclose = ({ wasClean }) => onEnd(wasClean);
        });
        tell(server.addr.port);
        is(await ended, false, "whether the end was clean");
        await server.shutdown();
        "#,
        tell,
    );
    let frames = client.join().unwrap();
    assert_eq!(frames[0], 0x88, "a Close frame");
    assert_eq!(frames[2..4], 1002u16.to_be_bytes(), "its code");
}

/// A client without a WebSocket: it shakes hands with the server whose port it is told, sends
/// `frames`, and returns what it is sent until the end.
fn raw_client(frames: &'static [u8]) -> (mpsc::Sender<u16>, thread::JoinHandle<Vec<u8>>) {
    let (tell, told) = mpsc::channel();
    let client = thread::spawn(move || {
        let port = told.recv().unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                  sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            )
            .unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stream.write_all(frames).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received
    });
    (tell, client)
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a head of text")
}
