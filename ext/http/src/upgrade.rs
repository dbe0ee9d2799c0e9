//! Turning a request into a WebSocket (RFC 6455, section 4.2; RFC 8441, section 5).

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::OpState;
use deno_core::ToV8;
use deno_core::op2;
use deno_core::v8;
use deno_error::JsErrorBox;
use duplex_protocol::deflate::ServerConfig;
use duplex_protocol::handshake::server::ClientOffer;
use duplex_protocol::handshake::server::OfferError;
use duplex_websocket::Limits;
use duplex_websocket::ServerOptions;
use duplex_websocket::ShownHandshake;
use duplex_websocket::Transport;
use duplex_websocket::deflate::PerMessageDeflate;
use duplex_websocket::limits::LimitOptions;
use duplex_websocket::limits::timeout;
use duplex_websocket::network_events;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::Version;
use http::header;

use crate::error::HttpError;
use crate::exchange::Agreement;
use crate::exchange::Exchange;
use crate::exchange::Exchanges;
use crate::exchange::Outcome;
use crate::exchange::ResponseBody;
use crate::exchange::ServerEvent;
use crate::exchange::Upgrade;
use crate::exchange_table::ExchangeId;
use crate::metrics;
use crate::numbers::NO_CONNECTION;
use crate::peer::Peer;
use crate::request::exchange;
use crate::request::url;
use crate::response::answer;
use crate::response::header_map;
use crate::transport::transport;

/// The result of checking a handshake. An accepted handshake has the value of
/// `Sec-WebSocket-Accept`, which is empty over HTTP/2, and the value of `Sec-WebSocket-Extensions`.
/// A refusal has the status, the message, and the headers, with names and values alternating.
type Verdict = (Option<String>, String, u16, String, Vec<String>);

/// The result of checking a handshake. Most results have only the value of `Sec-WebSocket-Accept`,
/// and become a string instead of a list.
pub(crate) enum Checked {
    Plain(Rc<Exchange>),
    Other(Verdict),
}

impl<'s> ToV8<'s> for Checked {
    type Error = JsErrorBox;

    fn to_v8<'i>(
        self,
        scope: &mut v8::PinScope<'s, 'i>,
    ) -> Result<v8::Local<'s, v8::Value>, Self::Error> {
        match self {
            Self::Plain(exchange) => {
                let accept = &exchange.agreement.borrow().accept;
                let accept = v8::String::new_from_one_byte(
                    scope,
                    accept.as_bytes(),
                    v8::NewStringType::Normal,
                );
                Ok(accept.map_or_else(|| v8::undefined(scope).into(), v8::Local::from))
            }
            Self::Other(verdict) => Ok(verdict.to_v8(scope)?),
        }
    }
}

/// Checks the handshake of an exchange and claims its connection for a
/// WebSocket with `protocol`, or without a subprotocol if that is empty, and
/// with compression if `deflate` and the client allow it.
#[op2]
pub(crate) fn op_http_upgrade_begin(
    state: &OpState,
    id: f64,
    #[string] protocol: &str,
    #[scoped] deflate: Option<PerMessageDeflate>,
) -> Result<Checked, HttpError> {
    let exchanges = state.borrow::<Rc<Exchanges>>();
    let exchange = exchanges
        .get(id as ExchangeId)
        .ok_or(HttpError::AlreadyClosed)?;
    if exchange.is_upgraded() {
        return Err(HttpError::AlreadyUpgraded);
    }
    let offer = exchange.take_offer().unwrap_or_else(|| {
        let head = exchange.head();
        let method = head.method.as_str();
        let headers = lines(&head.headers);
        match head.version {
            Version::HTTP_2 => {
                ClientOffer::parse_http2(method, exchange.connect_protocol(), headers)
            }
            Version::HTTP_11 => ClientOffer::parse(method, (1, 1), headers),
            _ => ClientOffer::parse(method, (1, 0), headers),
        }
    });
    let mut offer = match offer {
        Ok(offer) => offer,
        Err(error) => return Ok(Checked::Other(refusal(&error))),
    };
    if let Some(verdict) = refused_protocol(&offer, protocol) {
        return Ok(Checked::Other(verdict));
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
            Err(error) => return Ok(Checked::Other(refusal(&error))),
        }
    }
    exchange.mark_upgraded();
    let verdict = (!extensions.is_empty()).then(|| accepted(&offer, extensions));
    *exchange.agreement.borrow_mut() = Agreement {
        accept: offer.into_accept_key().unwrap_or_default(),
        protocol: protocol.to_owned(),
        ..Agreement::default()
    };
    Ok(verdict.map_or(Checked::Plain(exchange), Checked::Other))
}

/// Checks a handshake that does not come from a server of this crate, but from
/// a `Request` that a script made. Such a request may leave out the version.
#[op2]
pub(crate) fn op_http_websocket_handshake(
    scope: &mut v8::PinScope<'_, '_>,
    #[string] method: &str,
    headers: v8::Local<v8::Array>,
    #[string] protocol: &str,
) -> Result<Verdict, HttpError> {
    let headers = header_map(scope, headers)?;
    Ok(match client_offer(method, headers) {
        Ok(offer) => {
            refused_protocol(&offer, protocol).unwrap_or_else(|| accepted(&offer, String::new()))
        }
        Err(error) => refusal(&error),
    })
}

/// The handshake in a request that a script made. It may leave out the version.
pub(crate) fn client_offer(
    method: &str,
    mut headers: HeaderMap,
) -> Result<ClientOffer, OfferError> {
    headers
        .entry(header::SEC_WEBSOCKET_VERSION)
        .or_insert(HeaderValue::from_static(
            duplex_protocol::handshake::VERSION,
        ));
    ClientOffer::parse(method, (1, 1), lines(&headers))
}

/// Answers with status 101 if the handshake can be answered at once. The answer has the headers of
/// the script, or the agreed headers if the script gave none. Returns the id of the WebSocket
/// connection, and [`ServerEvent::Opened`] follows. Returns [`NO_CONNECTION`] if hyper has the
/// connection. The script then has to call [`op_http_upgrade_respond`].
#[op2]
#[smi]
pub(crate) fn op_http_upgrade_accept(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    id: f64,
    headers: v8::Local<v8::Value>,
    idle_timeout: f64,
    send_pings: bool,
    #[scoped] limits: Option<LimitOptions>,
) -> Result<i32, HttpError> {
    let exchange = exchange(state, id)?;
    let headers = match headers.try_cast::<v8::Array>() {
        Ok(headers) => Some(header_map(scope, headers)?),
        Err(_) => None,
    };
    let Some(held) = exchange.take_held() else {
        return Ok(NO_CONNECTION);
    };
    state.borrow::<Rc<Exchanges>>().remove(exchange.id());
    let (transport, read_ahead) = held.into_transport()?;
    let options = ServerOptions {
        answer: switching_protocols(&exchange, headers),
        ..server_options(&exchange, idle_timeout, send_pings, limits)
    };
    let shown = network_events::is_on().then(|| options.answer.clone());
    let server = exchange.server();
    let connection = duplex_websocket::accept(state, transport, read_ahead, options);
    metrics::note_upgrade(&exchange, connection);
    if let Some(answer) = shown {
        let answer = network_events::head_lines(&answer).collect();
        tell_debuggers(state, &exchange, connection, answer);
    }
    server.push(ServerEvent::Opened(exchange.id()));
    if server.connections().is_ending() {
        server.close_sockets(state);
    }
    // A process has far fewer than 2^31 sockets.
    Ok(connection as i32)
}

/// Answers with status 101, or 200 over HTTP/2, and with the headers of the
/// script. Returns the number of an [`Outcome`].
#[op2(nofast)]
#[smi]
pub(crate) fn op_http_upgrade_respond(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    id: f64,
    headers: v8::Local<v8::Array>,
) -> Result<u32, HttpError> {
    let exchange = exchange(state, id)?;
    let mut headers = header_map(scope, headers)?;
    for name in NOT_THE_SCRIPTS {
        headers.remove(name);
    }
    let status = match exchange.is_http2() {
        true => StatusCode::OK,
        false => StatusCode::SWITCHING_PROTOCOLS,
    };
    for (name, value) in agreed_headers(&exchange, &exchange.agreement.borrow()) {
        if let Ok(value) = HeaderValue::try_from(&*value) {
            headers.insert(name, value);
        }
    }
    if network_events::is_on() {
        exchange.agreement.borrow_mut().shown = headers.clone();
    }
    let outcome = answer(&exchange, status, headers, ResponseBody::empty());
    if outcome != Outcome::Pending {
        state.borrow::<Rc<Exchanges>>().remove(exchange.id());
    }
    Ok(outcome as u32)
}

/// Resolves with the WebSocket connection when the client has been answered. `idle_timeout` is in
/// seconds. 0 means without a limit.
#[op2]
#[smi]
pub(crate) async fn op_http_upgrade_wait(
    state: Rc<RefCell<OpState>>,
    id: f64,
    idle_timeout: f64,
    send_pings: bool,
    #[scoped] limits: Option<LimitOptions>,
) -> Result<u32, HttpError> {
    let exchange = exchange(&state.borrow(), id)?;
    let upgrade = exchange
        .take_upgrade()
        .ok_or(HttpError::UpgradeUnavailable)?;
    let server = exchange.server().clone();
    let (transport, read_ahead) = match upgrade {
        Upgrade::Http1(upgrade) => {
            let upgraded = upgrade.await;
            transport(upgraded.map_err(|error| HttpError::UpgradeFailed(error.to_string()))?)
        }
        Upgrade::Http2(upgrade) => {
            let gone = || HttpError::UpgradeFailed("the stream was reset".to_owned());
            let stream = upgrade.await.map_err(|_| gone())?;
            (Transport::Stream(Box::new(stream)), Bytes::new())
        }
    };
    let options = server_options(&exchange, idle_timeout, send_pings, limits);
    let mut state = state.borrow_mut();
    let id = duplex_websocket::accept(&mut state, transport, read_ahead, options);
    metrics::note_upgrade(&exchange, id);
    if network_events::is_on() {
        let answer = std::mem::take(&mut exchange.agreement.borrow_mut().shown);
        tell_debuggers(&mut state, &exchange, id, lines(&answer).collect());
    }
    if server.connections().is_ending() {
        server.close_sockets(&mut state);
    }
    Ok(id)
}

/// Shows debuggers the connection `id`, whose handshake got `answer`.
#[cold]
fn tell_debuggers(state: &mut OpState, exchange: &Exchange, id: u32, answer: Vec<(&str, &[u8])>) {
    let url = url(exchange);
    let handshake = ShownHandshake {
        // `http` becomes `ws`, and `https` becomes `wss`.
        url: format!("ws{}", url.strip_prefix("http").unwrap_or_default()),
        request: lines(&exchange.head().headers).collect(),
        status: match exchange.is_http2() {
            true => 200,
            false => 101,
        },
        answer,
    };
    handshake.show(state, id);
}

fn server_options(
    exchange: &Exchange,
    idle_timeout: f64,
    send_pings: bool,
    limits: Option<LimitOptions>,
) -> ServerOptions {
    ServerOptions {
        idle_timeout: timeout(idle_timeout),
        sends_pings: send_pings,
        deflate: exchange.deflate.get(),
        group: Some(exchange.server().sockets().clone()),
        limits: limits.map_or_else(Limits::default, Limits::from),
        remote_addr: match exchange.peer {
            Peer::Ip(address) => Some(address),
            Peer::Unix => None,
        },
        is_http2: exchange.is_http2(),
        is_tls: exchange.server().scheme() == "https://",
        ..ServerOptions::default()
    }
}

/// The head of an answer over HTTP/1.1, with the script's headers.
fn switching_protocols(exchange: &Exchange, headers: Option<HeaderMap>) -> Vec<u8> {
    let agreement = exchange.agreement.borrow();
    let agreed = agreed_headers(exchange, &agreement);
    answer_head(agreed, &agreement.protocol, headers)
}

/// The same of what was `agreed`. Where the script gave no headers, the one of the subprotocol is
/// made here.
pub(crate) fn answer_head<'a>(
    agreed: impl Iterator<Item = (HeaderName, Cow<'a, str>)>,
    protocol: &str,
    headers: Option<HeaderMap>,
) -> Vec<u8> {
    let mut head = Vec::with_capacity(192);
    let mut push = |part: &[u8]| head.extend_from_slice(part);
    push(b"HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in agreed {
        push(name.as_str().as_bytes());
        push(b": ");
        push(value.as_bytes());
        push(b"\r\n");
    }
    match headers {
        Some(headers) => {
            for (name, value) in &headers {
                if !NOT_THE_SCRIPTS.contains(name) {
                    push(name.as_str().as_bytes());
                    push(b": ");
                    push(value.as_bytes());
                    push(b"\r\n");
                }
            }
        }
        None => {
            if !protocol.is_empty() {
                push(b"sec-websocket-protocol: ");
                push(protocol.as_bytes());
                push(b"\r\n");
            }
        }
    }
    push(b"\r\n");
    head
}

/// The headers of the answer that do not depend on the script.
fn agreed_headers<'a>(
    exchange: &Exchange,
    agreement: &'a Agreement,
) -> impl Iterator<Item = (HeaderName, Cow<'a, str>)> {
    let is_http1 = !exchange.is_http2();
    let deflate = exchange.deflate.get();
    [
        is_http1.then(|| (header::UPGRADE, "websocket".into())),
        is_http1.then(|| (header::CONNECTION, "Upgrade".into())),
        is_http1.then(|| (header::SEC_WEBSOCKET_ACCEPT, (&*agreement.accept).into())),
        deflate.map(|(parameters, _)| {
            let value = parameters.to_string().into();
            (header::SEC_WEBSOCKET_EXTENSIONS, value)
        }),
    ]
    .into_iter()
    .flatten()
}

/// The headers that only this server may set.
const NOT_THE_SCRIPTS: [HeaderName; 5] = [
    header::UPGRADE,
    header::CONNECTION,
    header::SEC_WEBSOCKET_ACCEPT,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::CONTENT_LENGTH,
];

pub(crate) fn lines(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn accepted(offer: &ClientOffer, extensions: String) -> Verdict {
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

/// Refuses if the script asks for a subprotocol that the client did not offer.
fn refused_protocol(offer: &ClientOffer, protocol: &str) -> Option<Verdict> {
    if protocol.is_empty() || offer.protocols().iter().any(|offered| offered == protocol) {
        return None;
    }
    let message =
        format!("Protocol '{protocol}' not in the request's protocol list (non negotiable)");
    Some((None, String::new(), 400, message, Vec::new()))
}
