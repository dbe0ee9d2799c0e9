//! A server of hyper that hands its WebSockets to a script: the program answers the handshake, and
//! the script gets the sockets. The program publishes to the sockets from Rust and closes them,
//! which ends the event loop.
//!
//!     cargo run --release --example hyper_server

mod support;

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deno_core::{OpState, PollEventLoopOptions, op2};
use deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use duplex_protocol::close::{Close, CloseCode};
use duplex_protocol::deflate::{Compression, Parameters, ServerConfig};
use duplex_protocol::handshake::server::ClientOffer;
use duplex_websocket::{Message, Reach, ServerOptions, SocketGroup, Transport, accept};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sys_traits::impls::RealSys;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Notify};
use tokio::task::{LocalSet, spawn_local};

/// A connection whose handshake was answered.
struct Accepted {
    stream: TcpStream,
    /// The bytes of the client's frames that hyper has read.
    read_ahead: Bytes,
    /// The agreed parameters of permessage-deflate.
    deflate: Option<(Parameters, Compression)>,
}

/// With this the script tells Rust that a client is subscribed and has its
/// answer.
#[derive(Clone, Default)]
struct Served(Rc<Notify>);

/// The queue from which the script takes its connections.
#[derive(Clone)]
struct Queue(Rc<Mutex<UnboundedReceiver<Accepted>>>);

// The script asks for connections by an op, which resolves with the id of the next one.
deno_core::extension!(
    server,
    deps = [duplex_websocket],
    ops = [op_next_connection, op_served],
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
                globalThis.served = () => core.ops.op_served();
                /** Hands each socket to `onSocket`, until the server ends. */
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
        socket.onopen = () => socket.subscribe("news");
        socket.onmessage = ({ data }) => {
            socket.send(data.toUpperCase());
            served();
        };
    });

    const client = new WebSocket(URL_OF_SERVER);
    client.onopen = () => client.send("hello");
    client.onmessage = ({ data }) => print(`the client got: ${data}`);
    client.onclose = ({ code, reason }) => print(`the client was closed: ${code} ${reason}`);
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    LocalSet::new().run_until(run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut runtime = support::runtime(server::init());
    let (sender, receiver) = unbounded_channel();
    let group = SocketGroup::default();
    // The program's ops and Rust find their values in this state.
    let state = runtime.op_state();
    {
        let mut state = state.borrow_mut();
        let parser = RuntimePermissionDescriptorParser::new(RealSys);
        state.put(PermissionsContainer::allow_all(Arc::new(parser)));
        state.put(Queue(Rc::new(Mutex::new(receiver))));
        state.put(group.clone());
        state.put(Served::default());
    }

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    let listening = spawn_local(listen(listener, sender));
    let ending = spawn_local(publish_and_end(state, group, move || listening.abort()));

    runtime.execute_script(
        "server.js",
        SCRIPT.replace("URL_OF_SERVER", &format!("{url:?}")),
    )?;
    // The event loop ends when there is no socket and no further connection.
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    ending.await?;
    Ok(())
}

#[op2]
async fn op_next_connection(state: Rc<RefCell<OpState>>) -> Option<u32> {
    let queue = state.borrow().borrow::<Queue>().clone();
    let accepted = queue.0.lock().await.recv().await?;
    let mut state = state.borrow_mut();
    let options = ServerOptions {
        idle_timeout: Some(Duration::from_secs(30)),
        deflate: accepted.deflate,
        group: Some(state.borrow::<SocketGroup>().clone()),
        remote_addr: accepted.stream.peer_addr().ok(),
        ..ServerOptions::default()
    };
    let transport = Transport::Tcp(accepted.stream);
    Some(accept(&mut state, transport, accepted.read_ahead, options))
}

#[op2(fast)]
fn op_served(state: &mut OpState) {
    state.borrow::<Served>().0.notify_one();
}

async fn listen(listener: TcpListener, sender: UnboundedSender<Accepted>) {
    while let Ok((stream, _)) = listener.accept().await {
        let sender = sender.clone();
        let service = service_fn(move |request| {
            let response = answer(request, sender.clone());
            async move { Ok::<_, Infallible>(response) }
        });
        let serving = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        spawn_local(serving);
    }
}

/// Answers an opening handshake (RFC 6455 section 4.2.2).
fn answer(
    mut request: Request<Incoming>,
    sender: UnboundedSender<Accepted>,
) -> Response<Empty<Bytes>> {
    let lines = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let config = ServerConfig::default();
    let offer = ClientOffer::parse(request.method().as_str(), (1, 1), lines)
        .and_then(|mut offer| Ok((offer.negotiate_deflate(&config)?, offer)));
    let (deflate, offer) = match offer {
        Ok(offer) => offer,
        Err(error) => return refuse(error.status()),
    };

    let upgrade = hyper::upgrade::on(&mut request);
    let compression = config.compression;
    spawn_local(async move {
        // Takes the socket itself out of hyper.
        if let Ok(upgraded) = upgrade.await
            && let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>()
        {
            let _ = sender.send(Accepted {
                stream: parts.io.into_inner(),
                read_ahead: parts.read_buf,
                deflate: deflate.map(|parameters| (parameters, compression)),
            });
        }
    });

    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_ACCEPT, offer.accept_key().unwrap_or_default());
    if let Some(parameters) = deflate {
        response = response.header(SEC_WEBSOCKET_EXTENSIONS, parameters.to_string());
    }
    (response.body(Empty::new())).unwrap_or_else(|_| refuse(500))
}

fn refuse(status: u16) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response
}

/// Publishes to all subscribers, and ends the server.
async fn publish_and_end(
    state: Rc<RefCell<OpState>>,
    group: SocketGroup,
    stop_listening: impl FnOnce(),
) {
    let served = state.borrow().borrow::<Served>().clone();
    served.0.notified().await;
    let news = Message::Text("news from Rust");
    group.publish(&mut state.borrow_mut(), "news", news, Reach::Process);

    stop_listening();
    let close = Close::new(CloseCode::GOING_AWAY, "the server ends");
    group.close_all(&mut state.borrow_mut(), &close);
    group.emptied().await;
}
