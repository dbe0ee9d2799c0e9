//! What the released deno_http does with its sockets when its signal is aborted. Servers of duplex_http
//! tell their clients 1001.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    dead_code,
    reason = "a test fails by a panic, and other tests use the rest of `support`"
)]

mod support;

use support::run;

#[test]
fn abort_drops_the_sockets() {
    run(r#"
        const controller = new AbortController();
        const ends = [];
        const { server, url } = serve((socket) => {
            socket.onclose = ({ code, wasClean }) => ends.push([code, wasClean]);
        }, { signal: controller.signal });
        const socket = new WebSocket(url);
        const closed = next(socket, "close");
        await next(socket, "open");
        controller.abort();
        await server.finished;
        const { code, wasClean } = await closed;
        is([code, wasClean], [1006, false], "what the client was told");
        is(ends, [[1006, false]], "what the server was told");
    "#);
}
