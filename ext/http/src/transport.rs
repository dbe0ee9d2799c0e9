//! The transport of a WebSocket, taken out of hyper's connection.

use bytes::Bytes;
use deno_tls::TlsStream;
use duplex_websocket::Transport;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use crate::server_io::ServerIo;

/// The stream of a connection that hyper has released, and the bytes that were
/// read after the request.
pub(crate) fn transport(upgraded: Upgraded) -> (Transport, Bytes) {
    let upgraded = match upgraded.downcast::<TokioIo<ServerIo<TcpStream>>>() {
        Ok(parts) => {
            let (stream, read_ahead) = parts.io.into_inner().into_parts();
            return (Transport::Tcp(stream), joined(parts.read_buf, read_ahead));
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<ServerIo<UnixStream>>>() {
        Ok(parts) => {
            let (stream, read_ahead) = parts.io.into_inner().into_parts();
            return (Transport::Unix(stream), joined(parts.read_buf, read_ahead));
        }
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<ServerIo<Box<TlsStream<TcpStream>>>>>() {
        Ok(parts) => {
            let (stream, read_ahead) = parts.io.into_inner().into_parts();
            (stream.into(), joined(parts.read_buf, read_ahead))
        }
        Err(upgraded) => {
            let stream = TokioIo::new(upgraded);
            (Transport::Stream(Box::new(stream)), Bytes::new())
        }
    }
}

/// Joins the bytes that hyper read and those that it has not read.
fn joined(read: Bytes, unread: Bytes) -> Bytes {
    match unread.is_empty() {
        true => read,
        false => [read, unread].concat().into(),
    }
}
