//! The opening handshake over HTTP/2, and the stream that it opens (RFC 8441).
//!
//! Each WebSocket has an HTTP/2 connection of its own. [`Http2Stream`] holds the connection and the
//! stream. Each read, write and flush of the stream drives the connection. There is no other task,
//! and flushed bytes have reached the kernel. While the program neither reads nor writes, the
//! connection does not answer the server, for instance its PING.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use duplex_protocol::handshake::PROTOCOL;
use duplex_protocol::handshake::client::{Http2Request, Request};
use h2::client::{Builder, Connection, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial_error::DialError;
use super::opened::Opened;
use crate::network_events::{self, RequestId};
use crate::transport::Transport;

/// Opens an HTTP/2 connection over `transport` and asks for a WebSocket by an
/// extended CONNECT. Returns `None` if the server does not accept WebSockets
/// over HTTP/2: its first SETTINGS frame lacks
/// SETTINGS_ENABLE_CONNECT_PROTOCOL, or the server resets the stream with
/// HTTP_1_1_REQUIRED.
pub(super) async fn shake_hands(
    transport: Transport,
    max_header_list_size: u32,
    request: &Request<'_>,
    watched: Option<RequestId>,
) -> Result<Option<Opened>, DialError> {
    let (request, check) = request.http2()?;
    let mut asked = watched.map(|id| (id, request.headers.clone()));
    let request = extended_connect(request)?;

    let is_blocked = Rc::new(Cell::new(false));
    let io = Watched {
        transport,
        is_blocked: is_blocked.clone(),
    };
    let (mut requests, mut connection) = Builder::new()
        .enable_push(false)
        // No stream may be opened before the server's SETTINGS: see
        // `has_settings`.
        .initial_max_send_streams(0)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(max_header_list_size)
        .handshake(io)
        .await
        .map_err(to_io)?;

    let settled = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        _ if has_settings(&requests) => Poll::Ready(Ok(())),
        Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(to_io(error))),
        Poll::Pending => Poll::Pending,
    });
    settled.await?;
    if !requests.is_extended_connect_protocol_enabled() {
        drop(requests);
        leave(&mut connection);
        return Ok(None);
    }

    let (mut response, send) = requests.send_request(request, false).map_err(to_io)?;
    if let Some((id, headers)) = asked.take() {
        let headers = headers.iter();
        network_events::asks(
            id,
            headers.map(|(name, value)| (name.as_str(), value.as_slice())),
        );
    }
    drop(requests);
    let answered = poll_fn(|cx| {
        let is_over = Pin::new(&mut connection).poll(cx).is_ready();
        match Pin::new(&mut response).poll(cx) {
            // The end of a connection is an error of its streams.
            Poll::Pending if is_over => Poll::Ready(Err(h2::Error::from(Reason::CANCEL))),
            other => other,
        }
    });
    let (head, recv) = match answered.await {
        Ok(response) => response.into_parts(),
        Err(error) if error.reason() == Some(Reason::HTTP_1_1_REQUIRED) => {
            drop(send);
            leave(&mut connection);
            return Ok(None);
        }
        // h2 does not tell a malformed header from a header that is too long.
        Err(error) if error.is_reset() && !error.is_remote() => {
            return Err(DialError::Http2Header {
                limit: max_header_list_size,
            });
        }
        Err(error) => return Err(to_io(error).into()),
    };
    // If a later step fails, dropping this value resets the stream.
    let stream = Http2Stream {
        connection,
        is_over: false,
        is_blocked,
        streams: Some((send, recv)),
        is_shut_down: false,
        chunk: Bytes::new(),
        unreleased: 0,
    };
    let status = head.status.as_u16();
    if let Some(id) = watched {
        network_events::answered(id, status, lines(&head.headers));
    }
    let agreed = check.check(status, lines(&head.headers))?;
    Ok(Some(Opened {
        transport: Transport::Stream(Box::new(stream)),
        read_ahead: Bytes::new(),
        protocol: agreed.protocol.unwrap_or_default(),
        is_http2: true,
        deflate: agreed.deflate,
    }))
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    (headers.iter()).map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn extended_connect(request: Http2Request) -> Result<http::Request<()>, DialError> {
    let Http2Request {
        scheme,
        authority,
        path,
        headers,
    } = request;
    let mut builder = http::Request::builder()
        .method(Method::CONNECT)
        .uri(format!("{scheme}://{authority}{path}"))
        .extension(Protocol::from_static(PROTOCOL));
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder
        .body(())
        .map_err(|error| DialError::Url(error.to_string()))
}

/// Whether the server's first SETTINGS have come: they set how many streams may
/// be open, or remove the limit. Before, the limit was 0.
fn has_settings(requests: &SendRequest<Bytes>) -> bool {
    requests.current_max_send_streams() > 0 || requests.is_extended_connect_protocol_enabled()
}

/// Ends a connection that nothing uses any more. The last frames are sent as
/// far as the kernel takes them at once.
fn leave(connection: &mut Connection<Watched, Bytes>) {
    let mut cx = Context::from_waker(Waker::noop());
    // The first step sends the queued frames, such as RST_STREAM. The second
    // step sends GOAWAY.
    for _ in 0..2 {
        if Pin::new(&mut *connection).poll(&mut cx).is_ready() {
            break;
        }
    }
}

/// The stream of an extended CONNECT, with the connection under it.
///
/// Received bytes free the window when they are read from this stream. Written bytes are accepted
/// if the windows have room and the kernel has taken all earlier bytes. Dropping the stream resets
/// it with CANCEL, unless both ends have ended it.
struct Http2Stream {
    connection: Connection<Watched, Bytes>,
    is_over: bool,
    /// Whether the kernel has refused bytes.
    is_blocked: Rc<Cell<bool>>,
    /// `Some` until the drop.
    streams: Option<(SendStream<Bytes>, RecvStream)>,
    /// Whether END_STREAM has been sent.
    is_shut_down: bool,
    /// Bytes that have been received and not read.
    chunk: Bytes,
    /// How many bytes have been read since the window was last opened.
    unreleased: usize,
}

impl Http2Stream {
    /// Makes the connection read and write as far as it can. The streams return the errors of the
    /// connection.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_over {
            self.is_over = Pin::new(&mut self.connection).poll(cx).is_ready();
        }
    }

    /// Whether bytes wait for the kernel. The kernel will wake the task that drove the connection
    /// last.
    fn is_blocked(&self) -> bool {
        self.is_blocked.get() && !self.is_over
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.drive(cx);
            let Some((_, recv)) = &mut this.streams else {
                return Poll::Ready(Ok(()));
            };
            if this.chunk.has_remaining() {
                let count = this.chunk.len().min(buf.remaining());
                buf.put_slice(&this.chunk[..count]);
                this.chunk.advance(count);
                this.unreleased += count;
                if this.unreleased >= RELEASE {
                    let count = std::mem::take(&mut this.unreleased);
                    recv.flow_control().release_capacity(count).map_err(to_io)?;
                    // The window is opened at once, and not only when there is nothing to read.
                    this.drive(cx);
                }
                return Poll::Ready(Ok(()));
            }
            match ready!(recv.poll_data(cx)) {
                Some(Ok(chunk)) => this.chunk = chunk,
                None => return Poll::Ready(Ok(())),
                // The server wants no more bytes, and has ended the stream
                // without an error.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(to_io(error))),
            }
        }
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        this.drive(cx);
        if this.is_blocked() {
            return Poll::Pending;
        }
        let Some((send, _)) = this.streams.as_mut().filter(|_| !this.is_shut_down) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        send.reserve_capacity(buf.len().min(CHUNK));
        let capacity = match send.capacity() {
            0 => match ready!(send.poll_capacity(cx)) {
                Some(capacity) => capacity.map_err(to_io)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            },
            capacity => capacity,
        };
        let count = capacity.min(buf.len()).min(CHUNK);
        send.send_data(Bytes::copy_from_slice(&buf[..count]), false)
            .map_err(to_io)?;
        this.drive(cx);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.drive(cx);
        match this.is_blocked() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut_down
            && let Some((send, _)) = &mut this.streams
        {
            this.is_shut_down = true;
            // If the server has reset the stream, the stream has ended already.
            let _ = send.send_data(Bytes::new(), true);
        }
        self.poll_flush(cx)
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        self.streams = None;
        if !self.is_over {
            leave(&mut self.connection);
        }
    }
}

/// A transport that remembers whether its last write or flush was pending.
struct Watched {
    transport: Transport,
    is_blocked: Rc<Cell<bool>>,
}

impl Watched {
    fn note<T>(&self, result: Poll<T>) -> Poll<T> {
        self.is_blocked.set(result.is_pending());
        result
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.transport).poll_write(cx, buf);
        self.note(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.transport).poll_flush(cx);
        self.note(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

/// Returns an error of the transport unchanged, and any other error with the
/// message of h2.
fn to_io(error: h2::Error) -> io::Error {
    match error.is_io() {
        true => error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()),
        false => io::Error::other(error),
    }
}

/// How many bytes a server may send that have not been read.
const WINDOW: u32 = 1 << 20;
/// How many bytes are read before the window is opened again. If the window is opened by few bytes,
/// the server sends small frames, and h2 limits the number of small frames.
const RELEASE: usize = WINDOW as usize / 4;
/// How many bytes are handed to HTTP/2 at a time.
const CHUNK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use h2::server;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    const REQUEST: Request<'static> = Request {
        authority: None,
        host: "localhost",
        port: 443,
        secure: true,
        target: "/",
        protocols: &[],
        require_protocol: false,
        deflate: None,
        headers: &[],
    };

    async fn dial(stream: DuplexStream) -> Transport {
        let transport = Transport::Stream(Box::new(stream));
        let opened = shake_hands(transport, 1 << 16, &REQUEST, None)
            .await
            .unwrap();
        opened.unwrap().transport
    }

    /// Accepts one WebSocket.
    async fn accept(
        stream: DuplexStream,
    ) -> (
        server::Connection<DuplexStream, Bytes>,
        RecvStream,
        SendStream<Bytes>,
    ) {
        let mut connection = server::Builder::new()
            .enable_connect_protocol()
            .handshake(stream)
            .await
            .unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let send = respond.send_response(http::Response::new(()), false);
        (connection, request.into_body(), send.unwrap())
    }

    #[tokio::test]
    async fn a_drop_resets_the_stream() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = async {
            let (mut connection, _receive, mut send) = accept(theirs).await;
            poll_fn(|cx| {
                let _ = connection.poll_closed(cx);
                send.poll_reset(cx)
            })
            .await
        };
        let client = async { drop(dial(ours).await) };
        let (reset, ()) = tokio::join!(server, client);
        assert_eq!(reset.unwrap(), Reason::CANCEL);
    }

    #[tokio::test]
    async fn both_ends_end_the_stream() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = async {
            let (mut connection, mut receive, mut send) = accept(theirs).await;
            send.send_data(Bytes::from_static(b"last"), true).unwrap();
            let mut received = Vec::new();
            let ended = poll_fn(|cx| {
                let is_over = connection.poll_closed(cx).is_ready();
                loop {
                    match receive.poll_data(cx) {
                        Poll::Ready(Some(Ok(data))) => received.extend_from_slice(&data),
                        Poll::Ready(Some(Err(error))) => break Poll::Ready(Err(error)),
                        Poll::Ready(None) if is_over => break Poll::Ready(Ok(())),
                        _ => break Poll::Pending,
                    }
                }
            });
            ended.await.unwrap();
            received
        };
        let client = async {
            let mut stream = dial(ours).await;
            let mut received = Vec::new();
            stream.read_to_end(&mut received).await.unwrap();
            stream.write_all(b"ours").await.unwrap();
            stream.shutdown().await.unwrap();
            assert!(stream.write_all(b"more").await.is_err());
            received
        };
        let (to_server, to_client) = tokio::join!(server, client);
        assert_eq!(to_server, b"ours");
        assert_eq!(to_client, b"last");
    }
}
