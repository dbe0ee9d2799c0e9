//! `WebSocket` in your own program: a bare deno_core runtime with the
//! extension, and an echo server in Rust for the script.
//!
//!     cargo run --release --example embed

mod support;

use std::error::Error;
use std::sync::Arc;

use deno_core::PollEventLoopOptions;
use deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::encoder;
use duplex_protocol::frame::Role;
use duplex_protocol::handshake::server::ClientOffer;
use sys_traits::impls::RealSys;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

// The global that scripts see. `print` is the output of a bare runtime.
deno_core::extension!(
    embed,
    deps = [duplex_websocket],
    esm_entry_point = "ext:embed/globals.js",
    esm = ["ext:embed/globals.js" = {
        source = r#"
                import { CloseEvent, WebSocket } from "ext:duplex_websocket/01_websocket.js";
                import { core } from "ext:core/mod.js";
                globalThis.CloseEvent = CloseEvent;
                globalThis.WebSocket = WebSocket;
                globalThis.print = (text) => core.print(`${text}\n`);
            "#
    },],
);

const SCRIPT: &str = r#"
    const socket = new WebSocket(URL_OF_SERVER);
    socket.onopen = () => socket.send("hello from the script");
    socket.onmessage = ({ data }) => {
        print(`the server answered: ${data}`);
        socket.close(1000, "done");
    };
    socket.onerror = ({ message }) => print(`error: ${message}`);
    socket.onclose = ({ code, wasClean }) => print(`closed: ${code}, clean: ${wasClean}`);
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        echo(stream).await
    });

    let mut runtime = support::runtime(embed::init());
    // The program decides which hosts a script may dial.
    let parser = RuntimePermissionDescriptorParser::new(RealSys);
    runtime
        .op_state()
        .borrow_mut()
        .put(PermissionsContainer::allow_all(Arc::new(parser)));

    runtime.execute_script(
        "embed.js",
        SCRIPT.replace("URL_OF_SERVER", &format!("{url:?}")),
    )?;
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    server.await?.map_err(|error| -> Box<dyn Error> { error })
}

/// A server of one connection, made with the protocol crate.
async fn echo(mut stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut buffer = vec![0; 4096];
    let count = stream.read(&mut buffer).await?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(&buffer[..count])?;
    let lines = request
        .headers
        .iter()
        .map(|header| (header.name, header.value));
    let offer = ClientOffer::parse(request.method.unwrap_or_default(), (1, 1), lines)?;
    stream.write_all(&offer.answer(None, &[])?).await?;

    let mut decoder = Decoder::new(Role::Server, DecoderLimits::default());
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let mut out = Vec::new();
        let mut input = &mut buffer[..count];
        loop {
            let decoded = decoder.decode(input)?;
            match decoded.event {
                None => break,
                Some(Event::Text { text, .. }) => encoder::encode_text(&mut out, None, &text),
                Some(Event::Binary(bytes)) => encoder::encode_binary(&mut out, None, &bytes),
                Some(Event::Ping(payload)) => encoder::encode_pong(&mut out, None, &payload)?,
                Some(Event::Pong(_)) => {}
                Some(Event::Close(close)) => encoder::encode_close(&mut out, None, &close),
            }
            input = decoded.rest;
        }
        stream.write_all(&out).await?;
    }
}
