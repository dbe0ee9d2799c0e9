//! What Deno's own deno_http keeps from its users, and what deno_runtime asks of it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    dead_code,
    reason = "a test fails by a panic, and other tests use the rest of `support`"
)]

#[path = "../../deno_websocket/tests/support/mod.rs"]
mod support;

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use support::{run, run_telling};

#[test]
fn servers_compress_messages() {
    run(r#"
        const { server, url } = serve((socket) => {
            socket.onmessage = ({ data }) => socket.send(`${socket.extensions}: ${data.length}`);
        }, {}, { perMessageDeflate: true });
        const socket = new WebSocket(url, { perMessageDeflate: true });
        await next(socket, "open");
        is(socket.extensions.startsWith("permessage-deflate"), true, socket.extensions);
        socket.send("a".repeat(1e5));
        is((await next(socket, "message")).data, `${socket.extensions}: 100000`, "the answer");
        socket.close();
        await next(socket, "close");
        await server.shutdown();
    "#);
}

#[test]
fn servers_have_streams() {
    run(r#"
        const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
            const { stream, response } = Deno.upgradeWebSocketStream(request);
            (async () => {
                const { readable, writable } = await stream.opened;
                // The peer ends it, so the writable side has an error.
                await readable.pipeTo(writable).catch(() => {});
            })();
            return response;
        });
        const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
        await next(socket, "open");
        socket.send("through a stream");
        is((await next(socket, "message")).data, "through a stream", "the echo");
        socket.close();
        await next(socket, "close");
        await server.shutdown();
    "#);
}

#[test]
fn servers_have_handlers_and_topics() {
    run(r#"
        const heard = [];
        const server = Deno.serve({
            port: 0,
            onListen() {},
            fetch(request, server) {
                return server.upgrade(request, { data: { name: "a" } })
                    ? undefined
                    : new Response("no handshake");
            },
            websocket: {
                open(socket) {
                    socket.subscribe("news");
                },
                message(socket, message) {
                    heard.push([socket.data.name, message]);
                    server.publish("news", "for all");
                },
            },
        });
        const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`);
        await next(socket, "open");
        socket.send("hello");
        is((await next(socket, "message")).data, "for all", "what was published");
        is(heard, [["a", "hello"]], "what was heard");
        socket.close();
        await next(socket, "close");
        await server.shutdown();
    "#);
}

/// RFC 8441, by a client that speaks HTTP/2 at once.
#[test]
fn servers_accept_over_http2() {
    run(r#"
        const { server, url } = serve((socket) => {
            socket.onmessage = ({ data }) => socket.send(data);
        });
        const client = createHttpClient({ http1: false, http2: true });
        const socket = new WebSocket(url, { client });
        await next(socket, "open");
        socket.send("in a stream of HTTP/2");
        is((await next(socket, "message")).data, "in a stream of HTTP/2", "the echo");
        socket.close();
        await next(socket, "close");
        client.close();
        await server.shutdown();
    "#);
}

/// As `deno serve` does it. A signal shuts the server down.
#[test]
fn modules_that_export_a_server_are_served() {
    let (tell, told) = mpsc::channel();
    let signaller = thread::spawn(move || {
        told.recv().unwrap();
        let process = std::process::id().to_string();
        let kill = Command::new("kill").args(["-TERM", &process]).status();
        assert!(kill.unwrap().success());
    });
    run_telling(
        r#"
        let listening;
        const start = Deno.registerDeclarativeServer({
            onListen(address) {
                listening = address;
            },
            fetch(request, server) {
                return server.upgrade(request) ? undefined : new Response("hello");
            },
            websocket: {
                message(socket, message) {
                    socket.send(message);
                },
            },
        });
        start({ servePort: 0, serveHost: "127.0.0.1", workerCountWhenMain: 0 });
        const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/`);
        await next(socket, "open");
        socket.send("to a module");
        is((await next(socket, "message")).data, "to a module", "the echo");
        const closed = next(socket, "close");
        tell(listening.port);
        is((await closed).code, 1001, "the end by a signal");

        is(Deno.registerDeclarativeServer({}), undefined, "a module without fetch");
        for (const wrong of [{ fetch: 1 }, { fetch() {}, onListen: 1 }]) {
            try {
                Deno.registerDeclarativeServer(wrong);
            } catch (error) {
                is(error instanceof TypeError, true, error.message);
                continue;
            }
            throw new Error("it was taken");
        }
        "#,
        tell,
    );
    signaller.join().unwrap();
}

#[test]
fn connections_that_a_script_has_accepted_are_served() {
    run(r#"
        const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
        const accepting = (async () => {
            for await (const { request, respondWith } of Deno.serveHttp(await listener.accept())) {
                const { socket, response } = Deno.upgradeWebSocket(request);
                socket.onmessage = ({ data }) => socket.send(data);
                await respondWith(response);
            }
        })();
        const socket = new WebSocket(`ws://127.0.0.1:${listener.addr.port}/`);
        await next(socket, "open");
        socket.send("by hand");
        is((await next(socket, "message")).data, "by hand", "the echo");
        socket.close();
        await next(socket, "close");
        await accepting;
        listener.close();
    "#);
}
