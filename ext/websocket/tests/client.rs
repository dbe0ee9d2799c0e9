//! The extension alone in a bare `JsRuntime`, against a server made of the
//! protocol crate. The specs under `tests/specs` cover the rest with the binary.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{JsRuntime, OpState, PollEventLoopOptions, RuntimeOptions, op2};
use deno_permissions::{Permissions, PermissionsContainer, RuntimePermissionDescriptorParser};
use duplex_protocol::close::CloseCode;
use duplex_protocol::encoder;
use duplex_protocol::handshake::server::ClientOffer;
use sys_traits::impls::RealSys;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Log = Rc<RefCell<Vec<String>>>;

#[op2(fast)]
fn op_test_log(state: &mut OpState, #[string] entry: String) {
    state.borrow::<Log>().borrow_mut().push(entry);
}

deno_core::extension!(
    websocket_test,
    deps = [duplex_websocket],
    ops = [op_test_log],
    esm_entry_point = "ext:websocket_test/globals.js",
    esm = ["ext:websocket_test/globals.js" = {
        source = r#"
                import { op_test_log } from "ext:core/ops";
                import { WebSocket } from "ext:duplex_websocket/01_websocket.js";
                import {
                    WebSocketError,
                    WebSocketStream,
                } from "ext:duplex_websocket/02_websocketstream.js";
                globalThis.WebSocket = WebSocket;
                globalThis.WebSocketError = WebSocketError;
                globalThis.WebSocketStream = WebSocketStream;
                globalThis.log = (entry) => op_test_log(String(entry));
            "#
    },],
);

/// Runs `script` to the end of its event loop and returns what it logged.
async fn run(script: String, permissions: Permissions) -> Vec<String> {
    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![
            deno_webidl::deno_webidl::init(),
            deno_web::deno_web::init(
                Arc::new(deno_web::BlobStore::default()),
                None,
                false,
                deno_web::InMemoryBroadcastChannel::default(),
            ),
            deno_net::deno_net::init(None, None),
            deno_fetch::deno_fetch::init(deno_fetch::Options::default()),
            duplex_websocket::duplex_websocket::init(),
            websocket_test::init(),
        ],
        ..Default::default()
    });
    let log = Log::default();
    let parser = Arc::new(RuntimePermissionDescriptorParser::new(RealSys));
    let state = runtime.op_state();
    state.borrow_mut().put(log.clone());
    state
        .borrow_mut()
        .put(PermissionsContainer::new(parser, permissions));
    runtime.execute_script("test.js", script).unwrap();
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await
        .unwrap();
    log.take()
}

/// Accepts one connection and answers its handshake.
async fn accept(listener: TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&request).unwrap();
    let lines = parsed.headers.iter().map(|h| (h.name, h.value));
    let offer = ClientOffer::parse(parsed.method.unwrap(), (1, 1), lines).unwrap();
    stream
        .write_all(&offer.answer(None, &[]).unwrap())
        .await
        .unwrap();
    stream
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn continuations_run_before_the_next_message_of_the_same_packet() {
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = accept(listener).await;
        let mut packet = Vec::new();
        encoder::encode_text(&mut packet, None, "1");
        encoder::encode_text(&mut packet, None, "2");
        stream.write_all(&packet).await.unwrap();
        stream.shutdown().await.unwrap();
        // Waits until the client has gone.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let script = format!(
        r#"
        const socket = new WebSocket("{url}");
        socket.onmessage = async ({{ data }}) => {{
            log(data);
            for (let hop = 0; hop < 10; hop++) await hop;
            log(data + "b");
        }};
        socket.onerror = ({{ message }}) => log(message);
        socket.onclose = ({{ code, wasClean }}) => log(`${{code}} ${{wasClean}}`);
        "#
    );
    let (log, ()) = tokio::join!(run(script, Permissions::allow_all()), server);
    assert_eq!(log, ["1", "1b", "2", "2b", "Unexpected EOF", "1006 false"]);
}

#[tokio::test]
async fn a_denied_host_is_not_looked_up() {
    let script = r#"
        try {
            new WebSocket("ws://name.invalid/");
        } catch (error) {
            log(error.name);
        }
    "#;
    let log = run(script.to_owned(), Permissions::none_without_prompt()).await;
    assert_eq!(log, ["NotCapable"]);
}

#[tokio::test]
async fn everything_sent_before_close_arrives_before_the_close_frame() {
    /// The Close frame: header, mask, code, reason.
    const CLOSE: usize = 2 + 4 + 2 + 3;
    /// Header, mask and payload of the messages, and the Close frame.
    const EXPECTED: usize = 100 * (10 + 4 + 100_000) + CLOSE;
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = accept(listener).await;
        let mut received = vec![0; EXPECTED];
        stream.read_exact(&mut received).await.unwrap();
        // This server drops the connection instead of answering the Close frame.
        received
    };
    let script = format!(
        r#"
        const socket = new WebSocket("{url}");
        socket.binaryType = "arraybuffer";
        socket.onopen = () => {{
            for (let i = 0; i < 100; i++) socket.send(new Uint8Array(100_000));
            log(socket.bufferedAmount);
            socket.close(4000, "bye");
            log(socket.readyState);
        }};
        socket.onclose = ({{ code, wasClean }}) => log(`${{code}} ${{wasClean}}`);
        "#
    );
    let (log, received) = tokio::join!(run(script, Permissions::allow_all()), server);
    assert_eq!(log, ["10000000", "2", "1006 false"]);
    assert_eq!(received[EXPECTED - CLOSE], 0x88);
}

#[tokio::test]
async fn a_stream_is_read_as_it_asks() {
    const MESSAGE: usize = 1 << 20;
    const MESSAGES: usize = 32;
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = accept(listener).await;
        let mut message = Vec::new();
        encoder::encode_binary(&mut message, None, &vec![7; MESSAGE]);
        // More than the kernel holds, so the script has to read.
        for _ in 0..MESSAGES {
            stream.write_all(&message).await.unwrap();
        }
        let mut packet = Vec::new();
        encoder::encode_text(&mut packet, None, "last");
        encoder::encode_close(&mut packet, None, &CloseCode::NORMAL.into());
        stream.write_all(&packet).await.unwrap();
        // Waits until the client has gone.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let script = format!(
        r#"
        (async () => {{
            const stream = new WebSocketStream("{url}");
            const {{ readable }} = await stream.opened;
            let received = 0;
            for await (const chunk of readable) {{
                if (typeof chunk === "string") log(`${{received}} ${{chunk}}`);
                else received += chunk.length;
            }}
            const {{ closeCode }} = await stream.closed;
            log(closeCode);
        }})().catch(log);
        "#
    );
    let (log, ()) = tokio::join!(run(script, Permissions::allow_all()), server);
    assert_eq!(log, [&format!("{} last", MESSAGE * MESSAGES), "1000"]);
}
