//! Turning a request into a WebSocket (RFC 6455, section 4.2; RFC 8441, section 5).

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::op2;
use deno_core::v8;
use deno_tls::TlsStream;
use duplex_protocol::deflate::ServerConfig;
use duplex_protocol::handshake::accept_key;
use duplex_protocol::handshake::server::Offer;
use duplex_protocol::handshake::server::OfferError;
use duplex_websocket::ServerOptions;
use duplex_websocket::Transport;
use duplex_websocket::deflate::PerMessageDeflate;
use duplex_websocket::limits::LimitOptions;
use duplex_websocket::limits::timeout;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::Version;
use http::header;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use crate::connection::Peer;
use crate::connection::ServerIo;
use crate::error::HttpError;
use crate::exchange::ExchangeId;
use crate::exchange::Exchanges;
use crate::exchange::Outcome;
use crate::request::exchange;
use crate::response::answer;
use crate::response::header_map;
use crate::response_body::ResponseBody;

/// What the check of a handshake came to: the value of `Sec-WebSocket-Accept`,
/// which is empty over HTTP/2, and that of `Sec-WebSocket-Extensions`, or the status and the message of a
/// refusal, and its headers, names and values alternating.
type Verdict = (Option<String>, String, u16, String, Vec<String>);

/// Checks the handshake of an exchange and claims its connection for a
/// WebSocket with `protocol`, or without a subprotocol if that is empty, and with
/// compression where `deflate` and the client allow it.
#[op2]
pub fn op_http_upgrade_begin(
    state: &OpState,
    id: f64,
    #[string] protocol: &str,
    #[scoped] deflate: Option<PerMessageDeflate>,
) -> Result<Verdict, HttpError> {
    let exchanges = state.borrow::<Rc<Exchanges>>();
    let exchange = exchanges
        .get(id as ExchangeId)
        .ok_or(HttpError::AlreadyClosed)?;
    if exchange.is_upgraded() {
        return Err(HttpError::AlreadyUpgraded);
    }
    let head = &exchange.head;
    let method = head.method.as_str();
    let headers = lines(&head.headers);
    let offer = match head.version {
        Version::HTTP_2 => Offer::parse_http2(method, exchange.connect_protocol(), headers),
        Version::HTTP_11 => Offer::parse(method, (1, 1), headers),
        _ => Offer::parse(method, (1, 0), headers),
    };
    let mut offer = match offer {
        Ok(offer) => offer,
        Err(error) => return Ok(refusal(&error)),
    };
    if let Some(verdict) = refused_protocol(&offer, protocol) {
        return Ok(verdict);
    }
    if !exchange.is_upgradable() {
        return Err(HttpError::UpgradeUnavailable);
    }
    let mut extensions = String::new();
    if let Some(deflate) = deflate {
        let config = ServerConfig::from(deflate);
        match offer.negotiate_deflate(&config) {
            Ok(Some(parameters)) => {
                extensions = parameters.to_string();
                exchange.deflate.set(Some((parameters, config.compression)));
            }
            Ok(None) => {}
            Err(error) => return Ok(refusal(&error)),
        }
    }
    exchange.mark_upgraded();
    Ok(accepted(&offer, extensions))
}

/// Checks a handshake that did not come from a server of this crate: a
/// `Request` that a script made. Such a request may leave out the version.
#[op2]
pub fn op_http_websocket_handshake(
    scope: &mut v8::PinScope<'_, '_>,
    #[string] method: &str,
    headers: v8::Local<v8::Array>,
    #[string] protocol: &str,
) -> Result<Verdict, HttpError> {
    let mut headers = header_map(scope, headers)?;
    headers
        .entry(header::SEC_WEBSOCKET_VERSION)
        .or_insert(HeaderValue::from_static(
            duplex_protocol::handshake::VERSION,
        ));
    Ok(match Offer::parse(method, (1, 1), lines(&headers)) {
        Ok(offer) => {
            refused_protocol(&offer, protocol).unwrap_or_else(|| accepted(&offer, String::new()))
        }
        Err(error) => refusal(&error),
    })
}

/// Answers 101, or over HTTP/2 200, with the headers that the script gave.
/// Returns the number of an [`Outcome`].
#[op2(nofast)]
#[smi]
pub fn op_http_upgrade_respond(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    id: f64,
    headers: v8::Local<v8::Array>,
) -> Result<u32, HttpError> {
    let exchange = exchange(state, id)?;
    let mut headers = header_map(scope, headers)?;
    let status = if exchange.head.version == Version::HTTP_2 {
        for name in [
            header::UPGRADE,
            header::CONNECTION,
            header::SEC_WEBSOCKET_ACCEPT,
        ] {
            headers.remove(name);
        }
        StatusCode::OK
    } else {
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        StatusCode::SWITCHING_PROTOCOLS
    };
    if let Some(key) = exchange.head.headers.get(header::SEC_WEBSOCKET_KEY)
        && let Ok(accept) = HeaderValue::from_str(&accept_key(key.as_bytes()))
    {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    // What was agreed on, whatever the script says.
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    if let Some((parameters, _)) = exchange.deflate.get()
        && let Ok(value) = HeaderValue::try_from(parameters.to_string())
    {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
    }
    headers.remove(header::CONTENT_LENGTH);
    let outcome = answer(&exchange, status, headers, ResponseBody::empty());
    if outcome != Outcome::Pending {
        state.borrow::<Rc<Exchanges>>().remove(exchange.id());
    }
    Ok(outcome as u32)
}

/// Resolves with the WebSocket connection when the client has been answered. `idle_timeout`
/// is in seconds, 0 is none.
#[op2]
#[smi]
pub async fn op_http_upgrade_wait(
    state: Rc<RefCell<OpState>>,
    id: f64,
    idle_timeout: f64,
    send_pings: bool,
    #[scoped] limits: LimitOptions,
) -> Result<ResourceId, HttpError> {
    let exchange = exchange(&state.borrow(), id)?;
    let upgrade = exchange
        .take_upgrade()
        .ok_or(HttpError::UpgradeUnavailable)?;
    let server = exchange.server().clone();
    let upgraded = upgrade.await.map_err(HttpError::UpgradeFailed)?;
    let (transport, read_ahead) = transport(upgraded);
    let options = ServerOptions {
        idle_timeout: timeout(idle_timeout),
        no_pings: !send_pings,
        deflate: exchange.deflate.get(),
        group: Some(server.sockets().clone()),
        limits: limits.into(),
        remote_addr: match exchange.peer {
            Peer::Ip(address) => Some(address),
            Peer::Unix => None,
        },
    };
    let mut state = state.borrow_mut();
    let id = duplex_websocket::accept(&mut state, transport, read_ahead, options);
    if server.is_ending() {
        server.close_sockets(&mut state);
    }
    Ok(id)
}

/// The stream of a connection that hyper has let go, and what hyper read of it
/// beyond the request; or a stream of HTTP/2, which stays hyper's.
fn transport(upgraded: Upgraded) -> (Transport, bytes::Bytes) {
    let upgraded = match downcast::<TokioIo<ServerIo<TcpStream>>>(upgraded) {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_inner();
            return (Transport::Tcp(stream), parts.read_buf);
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match downcast::<TokioIo<ServerIo<UnixStream>>>(upgraded) {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_inner();
            return (Transport::Unix(stream), parts.read_buf);
        }
        Err(upgraded) => upgraded,
    };
    match downcast::<TokioIo<ServerIo<TlsStream<TcpStream>>>>(upgraded) {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_inner();
            (Transport::Stream(Box::new(stream)), parts.read_buf)
        }
        Err(upgraded) => {
            let stream = TokioIo::new(upgraded);
            (Transport::Stream(Box::new(stream)), bytes::Bytes::new())
        }
    }
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn accepted(offer: &Offer, extensions: String) -> Verdict {
    (
        Some(offer.accept_key().unwrap_or_default().to_owned()),
        extensions,
        0,
        String::new(),
        Vec::new(),
    )
}

fn refusal(error: &OfferError) -> Verdict {
    let headers = error.headers().iter();
    let headers = headers.flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]);
    (
        None,
        String::new(),
        error.status(),
        error.to_string(),
        headers.collect(),
    )
}

/// The script asks for a subprotocol that the client did not offer.
fn refused_protocol(offer: &Offer, protocol: &str) -> Option<Verdict> {
    if protocol.is_empty() || offer.protocols().iter().any(|offered| offered == protocol) {
        return None;
    }
    let message =
        format!("Protocol '{protocol}' not in the request's protocol list (non negotiable)");
    Some((None, String::new(), 400, message, Vec::new()))
}
