//! The life of a server, and of its connections up to their first request.
//!
//! This module reads the first bytes of a client. A whole handshake is handed to the script at
//! once, and the connection is held meanwhile. If the handler has agreed to the handshake when its
//! turn ends, the connection becomes the WebSocket. In all other cases hyper gets the connection
//! with all bytes that were read, and waits for the answer of the handler if the handler has been
//! called already.

use std::future::poll_fn;
use std::io;
use std::io::Read;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use deno_core::OpState;
use deno_core::v8;
use http::StatusCode;
use tokio::io::AsyncRead;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

use crate::connection;
use crate::connections::Entry;
use crate::control::Control;
use crate::exchange::Answer;
use crate::exchange::Exchange;
use crate::exchange::Server;
use crate::exchange::plain;
use crate::exchange_table::ExchangeId;
use crate::first_packet::FirstPacket;
use crate::held::HeldRequest;
use crate::held::Stream;
use crate::limits::OwnLimits;
use crate::limits::ServerLimits;
use crate::listener::Accepted;
use crate::peer::Peer;
use crate::requests::Requests;
use crate::server::Deliver;
use crate::server_io::ServerIo;
use crate::server_listener::ServerListener;
use crate::warnings::Warnings;
use crate::warnings::warn_of_limit;

/// How long to wait after the system refused to accept (out of descriptors,
/// out of memory) before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Starts to accept connections on `listener` and to hand their requests to `dispatch`.
/// `limits` are as for [`Server::new`].
pub(crate) fn start_server(
    state: &mut OpState,
    listener: ServerListener,
    dispatch: v8::Global<v8::Function>,
    limits: OwnLimits,
) -> io::Result<Rc<Server>> {
    let shared = listener.as_shared();
    let shared = shared.map(|listener| (listener.key().to_owned(), listener.load()));
    let origin = (listener.scheme(), listener.authority()?);
    let server = Server::new(state, origin, dispatch, limits, shared, false);
    deno_core::unsync::spawn(run(server.clone(), Some(listener)));
    Ok(server)
}

/// Serves one connection that the script has accepted, until it ends or becomes
/// a WebSocket. Without a connection, the server ends at once.
pub(crate) fn start_lone_server(
    state: &mut OpState,
    accepted: Option<Accepted>,
    dispatch: v8::Global<v8::Function>,
) -> Rc<Server> {
    let origin = match &accepted {
        Some(accepted) => (accepted.scheme(), accepted.authority()),
        None => ("http://", String::new()),
    };
    let server = Server::new(state, origin, dispatch, OwnLimits::default(), None, true);
    if let Some(accepted) = accepted {
        accept(&server, accepted);
    }
    deno_core::unsync::spawn(run(server.clone(), None));
    server
}

/// The life of a server, from its first connection to its last.
async fn run(server: Rc<Server>, mut listener: Option<ServerListener>) {
    let mut sweep = tokio::time::interval(server.limits().sweep_interval());
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let connections = server.connections();
    let mut warnings = Warnings::default();
    let mut refused = Warnings::default();
    loop {
        let idle = connections.is_empty();
        if !connections.is_listening() {
            listener = None;
        }
        if idle && listener.is_none() {
            break;
        }
        tokio::select! {
            accepted = accept_next(listener.as_mut(), &server, &mut refused), if listener.is_some() => match accepted {
                Ok(true) => tokio::task::yield_now().await,
                // Another event loop has accepted the connections, and its server has ended.
                Ok(false) => connections.shutdown(),
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    warnings.warn(|| match error.raw_os_error() {
                        Some(libc::EMFILE | libc::ENFILE) => format!(
                            "A connection waits, because no file descriptor is left ({error}): \
                             raise the limit (ulimit -n), or limit the connections"
                        ),
                        _ => format!("Unable to accept a connection: {error}"),
                    });
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            _ = sweep.tick(), if !idle => connections.sweep(server.limits()),
            _ = connections.changed() => {}
        }
    }
    connections.end();
}

/// Accepts the waiting connections, or waits for one.
async fn accept_next(
    listener: Option<&mut ServerListener>,
    server: &Rc<Server>,
    refused: &mut Warnings,
) -> io::Result<bool> {
    let max = server.limits().max_connections;
    match listener {
        Some(listener) => {
            let is_shared = listener.as_shared().is_some();
            let accept = |accepted| match is_shared || server.connection_count() < max {
                true => accept(server, accepted),
                // The connection is closed. A loop that accepts for several loops has counted the
                // connections of all of them.
                false => warn_of_limit(refused, max),
            };
            listener.accept(accept).await
        }
        None => std::future::pending().await,
    }
}

/// Whether the error concerns only the accepted connection, so that the next
/// one can be accepted at once.
fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Serves a connection that has been accepted.
fn accept(server: &Rc<Server>, accepted: Accepted) {
    let (stream, peer) = match accepted {
        Accepted::Fresh(stream, address) => {
            // An error is ignored, because it means that the client has gone.
            let _ = serve_accepted(server, stream, Peer::Ip(address));
            return;
        }
        Accepted::Tcp(stream, address) => (Stream::Tcp(stream), Peer::Ip(address)),
        Accepted::Tls(stream, address) => (Stream::Tls(stream), Peer::Ip(address)),
        Accepted::Unix(stream) => (Stream::Unix(stream), Peer::Unix),
    };
    let entry = server.connections().enter(Control::new());
    deno_core::unsync::spawn(serve(server.clone(), stream, peer, entry));
}

/// Serves a connection from its first byte on.
async fn serve(server: Rc<Server>, mut stream: Stream, peer: Peer, entry: Entry) {
    let control = entry.control.clone();
    // The client's time for the first head begins now.
    control.clock();
    let read = poll_fn(|cx| {
        if control.poll_signal(cx).is_some() {
            // There is no request to answer yet.
            return Poll::Ready(None);
        }
        server.first_read().with(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let result = ready!(Pin::new(&mut stream).poll_read(cx, &mut buffer));
            let bytes = buffer.filled();
            if result.is_err() || bytes.is_empty() {
                return Poll::Ready(None);
            }
            Poll::Ready(Some(First::of(bytes, server.limits())))
        })
    })
    .await;
    if let Some(first) = read {
        start(server, stream, peer, entry, first);
    }
}

/// Serves a connection that has just been accepted, and may have sent bytes
/// already.
fn serve_accepted(server: &Rc<Server>, stream: std::net::TcpStream, peer: Peer) -> io::Result<()> {
    let read: io::Result<First> = server.first_read().with(|buffer| {
        let count = (&stream).read(buffer)?;
        Ok(First::of(&buffer[..count], server.limits()))
    });
    match read {
        Ok(First::Other(bytes)) if bytes.is_empty() => {}
        Ok(first) => {
            let entry = server.connections().enter(Control::new());
            start(server.clone(), Stream::Accepted(stream), peer, entry, first);
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let stream = Stream::Tcp(TcpStream::from_std(stream)?);
            let entry = server.connections().enter(Control::new());
            deno_core::unsync::spawn(serve(server.clone(), stream, peer, entry));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn start(server: Rc<Server>, stream: Stream, peer: Peer, entry: Entry, first: First) {
    match first {
        First::Handshake(packet, bytes) => {
            let held = HeldRequest {
                stream,
                bytes,
                head_end: packet.places.end,
                entry,
            };
            if let Err(held) = Exchange::hold(server.clone(), peer, packet, held) {
                pass_to_hyper(server, held, peer, None);
            }
        }
        First::Other(bytes) => {
            let held = HeldRequest {
                stream,
                bytes,
                head_end: 0,
                entry,
            };
            pass_to_hyper(server, held, peer, None);
        }
    }
}

/// The bytes of the first read of a connection.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack until the connection is served"
)]
enum First {
    /// A whole opening handshake at the start of the bytes.
    Handshake(FirstPacket, Bytes),
    Other(Bytes),
}

impl First {
    fn of(bytes: &[u8], limits: &ServerLimits) -> Self {
        let bytes = Bytes::copy_from_slice(bytes);
        match FirstPacket::parse(&bytes, limits.head_bytes, limits.header_fields) {
            Some(packet) => Self::Handshake(packet, bytes),
            None => Self::Other(bytes),
        }
    }
}

impl Deliver for Exchange {
    fn id(&self) -> ExchangeId {
        self.id()
    }

    fn fail(&self) {
        self.answer(plain(StatusCode::INTERNAL_SERVER_ERROR));
    }

    /// Gives a connection that is still held to hyper.
    fn end_turn(self: &Rc<Self>) {
        let Some(held) = self.release_held() else {
            return;
        };
        // Dropping the answer tells the script that the client is gone.
        let answer = Answer::of(self.clone());
        if !held.control().is_killed() {
            pass_to_hyper(self.server().clone(), held, self.peer, Some(answer));
        }
    }

    fn drop_held(&self) {
        self.release_held();
    }
}

/// Gives a connection to hyper, which sends `answer`.
fn pass_to_hyper(server: Rc<Server>, held: HeldRequest, peer: Peer, answer: Option<Answer>) {
    let HeldRequest {
        stream,
        bytes,
        entry,
        ..
    } = held;
    let control = entry.control.clone();
    let requests = Requests::new(server, peer, control.clock(), answer);
    macro_rules! spawn {
        ($stream:expr) => {{
            let io = ServerIo::new($stream, control.clock(), bytes);
            deno_core::unsync::spawn(async move {
                connection::serve(requests, io, control).await;
                drop(entry);
            });
        }};
    }
    match stream {
        Stream::Accepted(stream) => {
            // If the reactor takes no more sockets, the connection is closed.
            if let Ok(stream) = TcpStream::from_std(stream) {
                spawn!(stream);
            }
        }
        Stream::Tcp(stream) => spawn!(stream),
        Stream::Tls(stream) => spawn!(stream),
        Stream::Unix(stream) => spawn!(stream),
    }
}
