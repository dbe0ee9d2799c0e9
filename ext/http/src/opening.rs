//! The first request of a connection, where that is the opening handshake of a
//! WebSocket: it is answered without hyper.
//!
//! What the client sends first is read here. A whole handshake is handed to the
//! script at once, and the connection is held meanwhile. If the handler has agreed
//! to it when its turn ends, the connection is the WebSocket's. In all other cases
//! hyper gets the connection with what was read of it, from the first byte on, and
//! asks for the answer of a handler that has been called already.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::io::Read;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use deno_tls::TlsStream;
use duplex_protocol::handshake::server::Offer;
use duplex_protocol::handshake::server::OfferError;
use duplex_websocket::Transport;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::Uri;
use http::request::Parts;
use tokio::io::AsyncRead;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use crate::connection;
use crate::connection::Control;
use crate::connection::Limits;
use crate::connection::Peer;
use crate::connection::Requests;
use crate::connection::ServerIo;
use crate::exchange::Answer;
use crate::exchange::Exchange;
use crate::host::is_host;
use crate::server::Entry;
use crate::server::Server;
use crate::upgrade;

/// Serves a connection from its first byte on.
pub async fn serve(server: Rc<Server>, mut stream: Stream, peer: Peer, entry: Entry) {
    let control = entry.control.clone();
    // Its time for the first head begins now.
    control.clock();
    let read = poll_fn(|cx| {
        if control.poll_signal(cx).is_some() {
            // There is no request to be answered yet.
            return Poll::Ready(None);
        }
        server.first_read.with(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let result = ready!(Pin::new(&mut stream).poll_read(cx, &mut buffer));
            let bytes = buffer.filled();
            if result.is_err() || bytes.is_empty() {
                return Poll::Ready(None);
            }
            Poll::Ready(Some(First::of(bytes, &server.limits)))
        })
    })
    .await;
    if let Some(first) = read {
        start(server, stream, peer, entry, first);
    }
}

/// The same for one that has just been accepted, and may have sent something
/// already.
pub fn serve_accepted(
    server: &Rc<Server>,
    stream: std::net::TcpStream,
    peer: Peer,
) -> io::Result<()> {
    let read: io::Result<First> = server.first_read.with(|buffer| {
        let count = (&stream).read(buffer)?;
        Ok(First::of(&buffer[..count], &server.limits))
    });
    match read {
        Ok(First::Other(bytes)) if bytes.is_empty() => {}
        Ok(first) => {
            let entry = server.enter(Control::new());
            start(server.clone(), Stream::Accepted(stream), peer, entry, first);
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let stream = Stream::Tcp(TcpStream::from_std(stream)?);
            let entry = server.enter(Control::new());
            deno_core::unsync::spawn(serve(server.clone(), stream, peer, entry));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn start(server: Rc<Server>, stream: Stream, peer: Peer, entry: Entry, first: First) {
    match first {
        First::Handshake {
            offer,
            bytes,
            places,
        } => {
            let held = Held {
                stream,
                bytes,
                places,
                entry,
            };
            if let Err(held) = Exchange::hold(server, peer, offer, held) {
                held.pass_to_hyper(peer, None);
            }
        }
        First::Other(bytes) => pass_to_hyper(server, stream, peer, entry, bytes, None),
    }
}

/// A connection whose handshake the script is looking at.
pub struct Held {
    stream: Stream,
    /// All that was read of it.
    bytes: Bytes,
    places: Places,
    entry: Entry,
}

/// What stands where in the head of a request.
#[derive(Clone)]
pub struct Places {
    pub target: Range<usize>,
    pub host: Range<usize>,
    /// The end of the head.
    end: usize,
}

impl Held {
    pub fn control(&self) -> &Rc<Control> {
        &self.entry.control
    }

    /// The head of the request.
    pub fn head(&self) -> (Bytes, Places) {
        (self.bytes.slice(..self.places.end), self.places.clone())
    }

    /// What a WebSocket takes over, and what was read of it behind the head.
    pub fn into_transport(self) -> io::Result<(Transport, Bytes)> {
        let transport = match self.stream {
            Stream::Accepted(stream) => Transport::Tcp(TcpStream::from_std(stream)?),
            Stream::Tcp(stream) => Transport::Tcp(stream),
            Stream::Tls(stream) => upgrade::tls(stream),
            Stream::Unix(stream) => Transport::Unix(stream),
        };
        // A slice would keep the head.
        Ok((
            transport,
            Bytes::copy_from_slice(&self.bytes[self.places.end..]),
        ))
    }

    /// Gives the connection to hyper, which is to send `answer`.
    pub fn pass_to_hyper(self, peer: Peer, answer: Option<Answer>) {
        let server = self.entry.server.clone();
        pass_to_hyper(server, self.stream, peer, self.entry, self.bytes, answer);
    }
}

fn pass_to_hyper(
    server: Rc<Server>,
    stream: Stream,
    peer: Peer,
    entry: Entry,
    bytes: Bytes,
    answer: Option<Answer>,
) {
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
            // Where the reactor takes no more, the client sees the connection end.
            if let Ok(stream) = TcpStream::from_std(stream) {
                spawn!(stream);
            }
        }
        Stream::Tcp(stream) => spawn!(stream),
        Stream::Tls(stream) => spawn!(stream),
        Stream::Unix(stream) => spawn!(stream),
    }
}

/// The stream of a connection.
pub enum Stream {
    /// One that the reactor has not been told of.
    Accepted(std::net::TcpStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Accepted(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

/// What the first read of a connection brought.
enum First {
    /// A whole opening handshake at the start of `bytes`.
    Handshake {
        offer: Result<Offer, OfferError>,
        bytes: Bytes,
        places: Places,
    },
    Other(Bytes),
}

impl First {
    fn of(bytes: &[u8], limits: &Limits) -> Self {
        let bytes = Bytes::copy_from_slice(bytes);
        match parse(&bytes, limits) {
            Some((offer, places)) => Self::Handshake {
                offer,
                bytes,
                places,
            },
            None => Self::Other(bytes),
        }
    }
}

/// The handshake at the start of `bytes`, and what stands where in its head, where that
/// is whole, asks for a WebSocket and is one that hyper takes too.
fn parse(bytes: &[u8], limits: &Limits) -> Option<(Result<Offer, OfferError>, Places)> {
    if !bytes.starts_with(b"GET /") {
        return None;
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let end = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        _ => return None,
    };
    if end > limits.head_bytes
        || parsed.headers.len() > limits.header_fields
        || parsed.version != Some(1)
        || !parsed.path?.bytes().all(is_plain)
    {
        return None;
    }
    let mut is_handshake = false;
    let mut host = None;
    for field in &*parsed.headers {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("upgrade") {
            is_handshake = field.value.eq_ignore_ascii_case(b"websocket");
        } else if is("host") {
            if host.replace(field.value).is_some() {
                return None;
            }
        } else if is("content-length") || is("transfer-encoding") || is("expect") {
            return None;
        }
    }
    let host = host?;
    if !is_handshake || !is_host(host) {
        return None;
    }
    let place = |part: &[u8]| {
        let start = part.as_ptr().addr() - bytes.as_ptr().addr();
        start..start + part.len()
    };
    let places = Places {
        target: place(parsed.path?.as_bytes()),
        host: place(host),
        end,
    };
    let headers = parsed.headers.iter().map(|field| (field.name, field.value));
    Some((Offer::parse("GET", (1, 1), headers), places))
}

/// What [`parse`] has seen, as hyper would give it.
pub fn head(bytes: &Bytes) -> Parts {
    let mut request = Request::new(());
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    if parsed.parse(bytes).is_ok() {
        if let Some(path) = parsed.path
            && let Ok(uri) = Uri::from_maybe_shared(bytes.slice_ref(path.as_bytes()))
        {
            *request.uri_mut() = uri;
        }
        let headers = request.headers_mut();
        headers.reserve(parsed.headers.len());
        for field in &*parsed.headers {
            let value = match field.value {
                [] => Ok(HeaderValue::from_static("")),
                value => HeaderValue::from_maybe_shared(bytes.slice_ref(value)),
            };
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(field.name.as_bytes()), value) {
                headers.append(name, value);
            }
        }
    }
    request.into_parts().0
}

/// Whether a byte may stand in the path or the query of a URI as it is (RFC 3986
/// section 3.3). Others are for hyper to look at.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte)
}

/// What the first read of each connection goes to, one after the other.
#[derive(Default)]
pub struct FirstRead(Cell<Vec<u8>>);

impl FirstRead {
    fn with<R>(&self, read: impl FnOnce(&mut [u8]) -> R) -> R {
        let mut buffer = self.0.take();
        if buffer.is_empty() {
            buffer.resize(FIRST_READ_LENGTH, 0);
        }
        let result = read(&mut buffer);
        self.0.set(buffer);
        result
    }
}

/// A handshake that is longer is left to hyper.
const FIRST_READ_LENGTH: usize = 8 << 10;
/// One with more fields likewise.
const MAX_FIELDS: usize = 64;
