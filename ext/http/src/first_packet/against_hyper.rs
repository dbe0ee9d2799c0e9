//! Compares the parser of first packets with hyper on the same bytes.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::pin::pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header;
use http::request::Parts;
use http_body_util::Empty;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

use crate::first_packet::FirstPacket;

/// The default limits of a server.
pub(super) const MAX_BYTES: usize = 64 << 10;
pub(super) const MAX_FIELDS: usize = 128;

/// Parses `bytes`. If they are a first packet, hyper must read the same request. Returns whether
/// they are. A difference is an error.
pub(super) fn compare(bytes: &[u8]) -> Result<bool, String> {
    let bytes = Bytes::copy_from_slice(bytes);
    let Some(packet) = FirstPacket::parse(&bytes, MAX_BYTES, MAX_FIELDS) else {
        return Ok(false);
    };
    let Some(seen) = serve(bytes.clone()) else {
        return Err("hyper refuses it".to_owned());
    };
    let places = &packet.places;
    let mut head = places.head(&bytes.slice(..places.end));
    head.extensions = seen.head.extensions.clone();
    if (&head.method, &seen.head.method) != (&Method::GET, &Method::GET) {
        return Err(format!("hyper reads the method {}", seen.head.method));
    }
    if (head.version, seen.head.version) != (Version::HTTP_11, Version::HTTP_11) {
        return Err(format!("hyper reads the version {:?}", seen.head.version));
    }
    if head.uri != seen.head.uri {
        return Err(format!("targets {} and {}", head.uri, seen.head.uri));
    }
    let target = seen.head.uri.path_and_query().map(|target| target.as_str());
    if target.map(str::as_bytes) != Some(&bytes[places.target.clone()]) {
        return Err(format!("the target is not {target:?}"));
    }
    if head.headers != seen.head.headers {
        let (ours, theirs) = (&head.headers, &seen.head.headers);
        return Err(format!("headers {ours:?} and {theirs:?}"));
    }
    let hosts = seen.head.headers.get_all(header::HOST);
    if !(hosts.iter().map(|host| host.as_bytes())).eq([&bytes[places.host.clone()]]) {
        return Err("another host".to_owned());
    }
    if !seen.is_body_empty {
        return Err("hyper reads a body".to_owned());
    }
    match (&packet.offer, &seen.rest) {
        // hyper may not offer an upgrade for a handshake that is refused.
        (Err(_), _) => {}
        (Ok(_), None) => return Err("hyper sees no upgrade".to_owned()),
        (Ok(_), Some(rest)) if *rest != bytes[places.end..] => {
            return Err("the head ends elsewhere".to_owned());
        }
        (Ok(_), Some(_)) => {}
    }
    Ok(true)
}

/// A request as hyper reads it.
struct Seen {
    head: Parts,
    is_body_empty: bool,
    /// The bytes after the head, if the connection can be upgraded.
    rest: Option<Bytes>,
}

fn serve(bytes: Bytes) -> Option<Seen> {
    let seen: Rc<RefCell<Option<(Parts, bool)>>> = Rc::default();
    let upgrade: Rc<RefCell<Option<OnUpgrade>>> = Rc::default();
    let service = service_fn(|request: Request<Incoming>| {
        let (mut head, body) = request.into_parts();
        if seen.borrow().is_none() {
            *upgrade.borrow_mut() = head.extensions.remove::<OnUpgrade>();
            *seen.borrow_mut() = Some((head, body.is_end_stream()));
        }
        let mut response = Response::new(Empty::<Bytes>::new());
        if upgrade.borrow().is_some() {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        ready(Ok::<_, Infallible>(response))
    });
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(MAX_BYTES)
        .max_header_size(MAX_BYTES)
        .max_headers(MAX_FIELDS)
        .header_read_timeout(None);
    let connection = builder.serve_connection(TokioIo::new(Given(bytes)), service);
    let mut cx = Context::from_waker(Waker::noop());
    // All given bytes are there at once, so a wait can only be for bytes that do not come.
    let mut connection = Box::pin(connection.with_upgrades());
    let _ = connection.as_mut().poll(&mut cx);
    drop(connection);
    let (head, is_body_empty) = seen.take()?;
    let rest = upgrade
        .take()
        .and_then(|upgrade| match pin!(upgrade).poll(&mut cx) {
            Poll::Ready(Ok(upgraded)) => {
                let parts = upgraded.downcast::<TokioIo<Given>>().ok()?;
                Some([parts.read_buf, parts.io.into_inner().0].concat().into())
            }
            _ => None,
        });
    Some(Seen {
        head,
        is_body_empty,
        rest,
    })
}

/// A client that has sent these bytes, waits, and takes all bytes that it is
/// sent.
struct Given(Bytes);

impl AsyncRead for Given {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let count = self.0.len().min(buf.remaining());
        buf.put_slice(&self.0.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Given {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
