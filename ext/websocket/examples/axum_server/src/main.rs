//! A server of axum on all cores that hands its WebSockets to a script on a thread of its own.
//! The program then stops the script's event loop.
//!
//!     cargo run --release --manifest-path ext/deno_websocket/Cargo.toml -p axum_server

#[path = "../../support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use axum::http::{Response, StatusCode};
use axum::routing::get;
use deno_core::{OpState, PollEventLoopOptions, op2};
use deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use duplex_protocol::handshake::server::ClientOffer;
use duplex_websocket::{ServerOptions, Transport, accept};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use sys_traits::impls::RealSys;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot};

/// The queue from which the script takes its connections.
#[derive(Clone)]
struct Queue(Rc<Mutex<UnboundedReceiver<Upgraded>>>);

deno_core::extension!(
    server,
    deps = [duplex_websocket],
    ops = [op_next_connection],
    esm_entry_point = "ext:server/globals.js",
    esm = ["ext:server/globals.js" = {
        source = r#"
                import { WebSocket } from "ext:duplex_websocket/01_websocket.js";
                import {
                  createServerWebSocket,
                  openServerWebSocket,
                } from "ext:duplex_websocket/02_server_websocket.js";
                import { core } from "ext:core/mod.js";
                globalThis.WebSocket = WebSocket;
                globalThis.print = (text) => core.print(`${text}\n`);
                globalThis.serve = async (onSocket) => {
                  let id;
                  while ((id = await core.ops.op_next_connection()) !== null) {
                    const socket = createServerWebSocket();
                    onSocket(socket);
                    openServerWebSocket(socket, id);
                  }
                };
            "#
    },],
);

const SCRIPT: &str = r#"
    serve((socket) => {
        socket.onmessage = ({ data }) => socket.send(`you said: ${data}`);
    });
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", serve_one_client().await?);
    Ok(())
}

/// Returns the answer of the script.
async fn serve_one_client() -> Result<String, Box<dyn Error>> {
    let (sender, receiver) = unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    // A JavaScript runtime stays on its thread.
    let script = thread::spawn(move || run_script(receiver, stopped));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let routes = Router::new()
        .route("/socket", get(upgrade))
        .with_state(sender);
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });

    let answer = say_hello(address).await?;
    // The event loop ends even if sockets are open. hyper_server.rs shows how to close the sockets
    // first.
    let _ = stop.send(());
    serving.abort();
    match script.join() {
        Ok(ended) => ended.map_err(|error| error.to_string())?,
        Err(_) => return Err("the script's thread panicked".into()),
    }
    Ok(answer)
}

/// The route of the WebSocket. A request that is not an opening handshake is
/// refused.
async fn upgrade(
    State(sender): State<UnboundedSender<Upgraded>>,
    mut request: Request,
) -> Response<Body> {
    let lines = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let mut response = Response::new(Body::empty());
    match ClientOffer::parse(request.method().as_str(), (1, 1), lines) {
        Err(error) => {
            let status = StatusCode::from_u16(error.status());
            *response.status_mut() = status.unwrap_or(StatusCode::BAD_REQUEST);
        }
        Ok(offer) => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                if let Ok(upgraded) = upgrade.await {
                    let _ = sender.send(upgraded);
                }
            });
            let accept = offer.accept_key().unwrap_or_default().parse();
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(UPGRADE, "websocket".parse().unwrap_or(EMPTY));
            headers.insert(CONNECTION, "Upgrade".parse().unwrap_or(EMPTY));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept.unwrap_or(EMPTY));
        }
    }
    response
}

const EMPTY: axum::http::HeaderValue = axum::http::HeaderValue::from_static("");

/// Runs the script until it is told to stop.
fn run_script(
    receiver: UnboundedReceiver<Upgraded>,
    stopped: oneshot::Receiver<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(async {
        let mut runtime = support::runtime(server::init());
        {
            let state = runtime.op_state();
            let mut state = state.borrow_mut();
            // The script dials no server. Without this value, an attempt would
            // panic.
            let parser = RuntimePermissionDescriptorParser::new(RealSys);
            state.put(PermissionsContainer::allow_all(Arc::new(parser)));
            state.put(Queue(Rc::new(Mutex::new(receiver))));
        }
        runtime.execute_script("server.js", SCRIPT)?;
        tokio::select! {
            ended = runtime.run_event_loop(PollEventLoopOptions::default()) => ended?,
            _ = stopped => {}
        }
        Ok(())
    })
}

#[op2]
async fn op_next_connection(state: Rc<RefCell<OpState>>) -> Option<u32> {
    let queue = state.borrow().borrow::<Queue>().clone();
    let upgraded = queue.0.lock().await.recv().await?;
    // Takes the socket itself, which is faster than a stream of hyper. The socket belonged to the
    // reactor of another thread.
    let (transport, read_ahead) = match downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_std();
            let stream = stream.and_then(TcpStream::from_std).ok()?;
            (Transport::Tcp(stream), parts.read_buf)
        }
        Err(upgraded) => {
            let stream = TokioIo::new(upgraded);
            (Transport::Stream(Box::new(stream)), Default::default())
        }
    };
    let mut state = state.borrow_mut();
    Some(accept(
        &mut state,
        transport,
        read_ahead,
        ServerOptions::default(),
    ))
}

/// A client of one message, made with the protocol crate. Returns the answer of the script.
async fn say_hello(address: std::net::SocketAddr) -> Result<String, Box<dyn Error>> {
    use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
    use duplex_protocol::encoder;
    use duplex_protocol::frame::Role;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = TcpStream::connect(address).await?;
    let request = "GET /socket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
                   connection: upgrade\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let mut frame = Vec::new();
    encoder::encode_text(&mut frame, Some(rand::random()), "hello");
    stream.write_all(&frame).await?;

    let mut decoder = Decoder::new(Role::Client, DecoderLimits::default());
    let mut buffer = vec![0; 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err("the server ended the connection".into());
        }
        if let Some(Event::Text { text, .. }) = decoder.decode(&mut buffer[..count])?.event {
            return Ok(text.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test(flavor = "multi_thread")]
    async fn the_script_answers() {
        let answer = super::serve_one_client().await;
        assert_eq!(answer.ok().as_deref(), Some("you said: hello"));
    }
}
