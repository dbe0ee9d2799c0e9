//! One request and its answer, shared by the connection and the script.

use std::cell::Cell;
use std::cell::OnceCell;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use duplex_protocol::deflate::Compression;
use duplex_protocol::deflate::Parameters;
use duplex_protocol::handshake::server::ClientOffer;
use duplex_protocol::handshake::server::OfferError;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;

use crate::clock::InFlight;
use crate::exchange_table::ExchangeId;
use crate::first_packet::FirstPacket;
use crate::first_packet::Places;
use crate::held::HeldRequest;
use crate::host;
use crate::http2_stream::Http2Stream;
use crate::peer::Peer;
use crate::received_body::ReceivedBody;
use crate::response_body::Ending;

/// A server of exchanges.
pub(crate) type Server = crate::server::Server<Exchange>;

/// An event of an exchange.
pub(crate) type ServerEvent = crate::server::ServerEvent<Exchange>;

/// The exchanges that scripts of one runtime can name.
pub(crate) type Exchanges = crate::exchange_table::Exchanges<Exchange>;

/// The body of an answer.
pub(crate) type ResponseBody = crate::response_body::ResponseBody<Exchange>;

/// One request with its future answer.
///
/// The connection holds the exchange through [`Answer`]. The script names the
/// exchange by its [`ExchangeId`] in the [`Exchanges`] table.
pub(crate) struct Exchange {
    id: Cell<ExchangeId>,
    server: Rc<Server>,
    pub peer: Peer,
    head: OnceCell<Parts>,
    /// The bytes from which `head` is made when it is needed, unless hyper has
    /// made it.
    raw_head: Bytes,
    places: Option<Places>,
    body: RefCell<Option<ReceivedBody>>,
    upgrade: RefCell<Option<Upgrade>>,
    /// The connection of a handshake, during the script's turn in which the handshake was handed
    /// over.
    held: RefCell<Option<HeldRequest>>,
    /// The parsed handshake, until it is taken.
    offer: RefCell<Option<Result<ClientOffer, OfferError>>>,
    /// Whether the script has taken the connection over, or will.
    upgraded: Cell<bool>,
    /// When the request was read, if it may become a WebSocket.
    began: Option<Instant>,
    /// The terms of the answer to a WebSocket handshake, without the headers of the script.
    pub agreement: RefCell<Agreement>,
    /// The agreed compression.
    pub deflate: Cell<Option<(Parameters, Compression)>>,
    /// Whether the script wants to know how the exchange ends.
    watched: Cell<bool>,
    state: RefCell<State>,
    in_flight: RefCell<Option<InFlight>>,
    /// The body timeout that the script has set. `None` means that of the
    /// server.
    body_timeout: Cell<Option<Duration>>,
}

/// The future stream of a WebSocket, which comes when the client was answered.
pub(crate) enum Upgrade {
    Http1(OnUpgrade),
    Http2(oneshot::Receiver<Http2Stream>),
}

/// The values of Sec-WebSocket-Accept, which HTTP/2 does not have, and of
/// Sec-WebSocket-Protocol. An empty value means no header.
#[derive(Default)]
pub(crate) struct Agreement {
    pub accept: String,
    pub protocol: String,
    /// All headers of the answer, if a debugger shows them.
    pub shown: HeaderMap,
}

enum State {
    /// There is no answer yet. The connection may be waiting for it.
    Waiting(Option<Waker>),
    /// Answered, and the connection has not taken the answer yet.
    Answered(Box<Response<ResponseBody>>),
    /// The connection took the answer.
    Taken,
    /// The connection left without an answer.
    Gone,
}

/// The outcome of an answer that a script gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer is on its way. Nothing more will be told about this exchange.
    Sent = 0,
    /// The answer is on its way. [`ServerEvent::Ended`] will tell how the
    /// exchange ended.
    Pending = 1,
    /// The client was gone, or the request was answered before.
    Gone = 2,
}

impl Exchange {
    /// Hands a request to the script. The returned future is the answer.
    pub(crate) fn start(
        server: Rc<Server>,
        peer: Peer,
        in_flight: InFlight,
        head: Parts,
        mut body: ReceivedBody,
        upgrade: Option<Upgrade>,
    ) -> Answer {
        let limit = server.limits().body_bytes;
        body.set_limit(limit);
        let exchange = Exchange {
            body: RefCell::new(Some(body)),
            began: upgrade.is_some().then(Instant::now),
            upgrade: RefCell::new(upgrade),
            in_flight: RefCell::new(Some(in_flight)),
            head: OnceCell::from(head),
            ..Exchange::new(server.clone(), peer)
        };
        let exchange = Rc::new(exchange);
        let head = exchange.head();
        if let Some(status) = host::refusal(head, exchange.connect_protocol()) {
            let mut response = plain(status);
            if head.version < Version::HTTP_2 {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            exchange.answer(response);
        } else if announced_length(&head.headers).is_some_and(|length| length > limit) {
            exchange.refuse_body();
        } else if let Some(id) = server.exchanges().insert(exchange.clone()) {
            exchange.id.set(id);
            server.push(ServerEvent::Request(exchange.clone()));
        } else {
            exchange.answer(plain(StatusCode::SERVICE_UNAVAILABLE));
        }
        Answer(exchange)
    }

    /// Hands a handshake, and the connection that it came on, to the script. Gives the connection
    /// back if there is no free id.
    #[allow(clippy::result_large_err)] // Boxing the connection would cost each upgrade an allocation.
    pub(crate) fn hold(
        server: Rc<Server>,
        peer: Peer,
        packet: FirstPacket,
        held: HeldRequest,
    ) -> Result<(), HeldRequest> {
        let exchange = Exchange {
            offer: RefCell::new(Some(packet.offer)),
            raw_head: held.head(),
            places: Some(packet.places),
            began: Some(Instant::now()),
            ..Exchange::new(server.clone(), peer)
        };
        let exchange = Rc::new(exchange);
        let Some(id) = server.exchanges().insert(exchange.clone()) else {
            return Err(held);
        };
        exchange.id.set(id);
        *exchange.held.borrow_mut() = Some(held);
        server.push(ServerEvent::Request(exchange));
        Ok(())
    }

    fn new(server: Rc<Server>, peer: Peer) -> Self {
        Self {
            id: Cell::new(0),
            server,
            peer,
            head: OnceCell::new(),
            raw_head: Bytes::new(),
            places: None,
            offer: RefCell::new(None),
            body: RefCell::new(None),
            upgrade: RefCell::new(None),
            held: RefCell::new(None),
            upgraded: Cell::new(false),
            began: None,
            agreement: RefCell::default(),
            deflate: Cell::new(None),
            watched: Cell::new(false),
            state: RefCell::new(State::Waiting(None)),
            in_flight: RefCell::new(None),
            body_timeout: Cell::new(None),
        }
    }

    /// How long the body may bring no bytes. `None` means without a limit.
    pub(crate) fn body_timeout(&self) -> Option<Duration> {
        let timeout = self.body_timeout.get();
        Some(timeout.unwrap_or(self.server.limits().body_timeout)).filter(|it| !it.is_zero())
    }

    /// Sets the body timeout of this exchange. Zero means without a limit.
    pub(crate) fn set_body_timeout(&self, timeout: Duration) {
        self.body_timeout.set(Some(timeout));
    }

    /// Takes the connection if it is still held when the script's turn is over.
    pub(crate) fn release_held(&self) -> Option<HeldRequest> {
        self.held.take()
    }

    /// hyper has read the same request, and the exchange goes on with hyper's
    /// body and upgrade.
    pub(crate) fn resume(&self, body: ReceivedBody, upgrade: Option<Upgrade>, in_flight: InFlight) {
        *self.in_flight.borrow_mut() = Some(in_flight);
        *self.body.borrow_mut() = Some(body);
        *self.upgrade.borrow_mut() = upgrade;
    }

    /// Takes the connection for the WebSocket that the script has agreed to. Returns `None` if
    /// hyper has the connection, or if the connection must end.
    pub(crate) fn take_held(&self) -> Option<HeldRequest> {
        if !self.is_open() || self.held.borrow().as_ref()?.control().is_killed() {
            return None;
        }
        *self.state.borrow_mut() = State::Taken;
        self.held.take()
    }

    pub(crate) fn head(&self) -> &Parts {
        self.head.get_or_init(|| match &self.places {
            Some(places) => places.head(&self.raw_head),
            // Without places, hyper has made the head, and this code does not
            // run.
            None => Request::new(()).into_parts().0,
        })
    }

    /// The host and the target of the request, if hyper has not read it.
    pub(crate) fn raw_host_and_target(&self) -> Option<(&str, &str)> {
        let places = self.places.as_ref()?;
        let part = |range: &Range<usize>| str::from_utf8(&self.raw_head[range.clone()]).ok();
        Some((part(&places.host)?, part(&places.target)?))
    }

    /// The target of the request.
    pub(crate) fn target(&self) -> &str {
        match self.raw_host_and_target() {
            Some((_, target)) => target,
            None => {
                let uri = &self.head().uri;
                uri.path_and_query().map_or("", |target| target.as_str())
            }
        }
    }

    /// When the request was read, if it may become a WebSocket.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// Whether the client asks for a WebSocket.
    pub(crate) fn asks_for_websocket(&self) -> bool {
        if self.began.is_none() {
            return false;
        }
        let is_handshake = self.places.is_some();
        is_handshake || self.is_websocket_connect() || {
            let upgrade = self.head().headers.get(header::UPGRADE);
            upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        }
    }

    pub(crate) fn is_http2(&self) -> bool {
        let head = self.head.get();
        head.is_some_and(|head| head.version == Version::HTTP_2)
    }

    /// Takes the parsed handshake, if there is one.
    pub(crate) fn take_offer(&self) -> Option<Result<ClientOffer, OfferError>> {
        self.offer.take()
    }

    pub(crate) fn id(&self) -> ExchangeId {
        self.id.get()
    }

    pub(crate) fn server(&self) -> &Rc<Server> {
        &self.server
    }

    pub(crate) fn take_body(&self) -> Option<ReceivedBody> {
        self.body.borrow_mut().take()
    }

    /// Puts back a body that was not used.
    pub(crate) fn put_body(&self, body: ReceivedBody) {
        *self.body.borrow_mut() = Some(body);
    }

    /// The protocol that an extended CONNECT asks for (RFC 8441 section 4).
    pub(crate) fn connect_protocol(&self) -> Option<&str> {
        let protocol = self.head().extensions.get::<h2::ext::Protocol>();
        protocol.map(h2::ext::Protocol::as_str)
    }

    /// Whether this is a WebSocket handshake over HTTP/2. A script sees it as a
    /// handshake over HTTP/1.1, so that one handler serves both versions.
    pub(crate) fn is_websocket_connect(&self) -> bool {
        self.connect_protocol() == Some("websocket")
    }

    pub(crate) fn is_upgradable(&self) -> bool {
        self.upgrade.borrow().is_some() || self.held.borrow().is_some()
    }

    pub(crate) fn take_upgrade(&self) -> Option<Upgrade> {
        self.upgrade.borrow_mut().take()
    }

    pub(crate) fn mark_upgraded(&self) {
        self.upgraded.set(true);
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.get()
    }

    /// Whether an answer can still be given.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Waiting(_))
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.get()
    }

    /// Asks for [`ServerEvent::Ended`]. Returns false if the exchange has ended
    /// already.
    pub(crate) fn watch(&self) -> bool {
        self.watched.set(true);
        !matches!(*self.state.borrow(), State::Gone)
    }

    /// Whether the answer with this status carries no body on the wire, so that
    /// an unread body is the normal end.
    pub(crate) fn is_bodiless(&self, status: StatusCode) -> bool {
        self.head().method == Method::HEAD
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
    }

    /// Answers with status 413, because the body is too long, unless there was an answer. The rest
    /// of the body is not read, so a connection of HTTP/1.1 ends.
    pub(crate) fn refuse_body(&self) {
        let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE);
        if self.head().version < Version::HTTP_2 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        self.answer(response);
    }

    /// Gives the answer to the connection. Returns false if no answer is
    /// awaited.
    pub(crate) fn answer(&self, response: Response<ResponseBody>) -> bool {
        let mut state = self.state.borrow_mut();
        let State::Waiting(waker) = &mut *state else {
            return false;
        };
        let waker = waker.take();
        *state = State::Answered(Box::new(response));
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

impl Ending for Exchange {
    /// Tells the script how the exchange ended, if the script watches.
    fn end(&self, success: bool) {
        if self.watched.replace(false) {
            self.server.push(ServerEvent::Ended {
                id: self.id(),
                success,
            });
        }
    }
}

/// How many requests of `server` wait for their answer.
pub(crate) fn pending(server: &Rc<Server>) -> usize {
    (server.exchanges())
        .count(|it| Rc::ptr_eq(&it.server, server) && it.is_open() && !it.is_upgraded())
}

/// The answer to one request, as hyper waits for it.
///
/// Dropping this future before it is ready means that the client went away.
pub(crate) struct Answer(Rc<Exchange>);

impl Answer {
    /// The answer that an exchange still has to be given.
    pub(crate) fn of(exchange: Rc<Exchange>) -> Self {
        Self(exchange)
    }

    /// The exchange of this answer.
    pub(crate) fn exchange(&self) -> &Exchange {
        &self.0
    }
}

impl Future for Answer {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.borrow_mut();
        match &mut *state {
            State::Waiting(waker) => {
                if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            State::Answered(_) => match std::mem::replace(&mut *state, State::Taken) {
                State::Answered(response) => Poll::Ready(Ok(*response)),
                _ => Poll::Pending,
            },
            State::Taken | State::Gone => Poll::Pending,
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let state = self.0.state.replace(State::Gone);
        match state {
            State::Waiting(_) => self.0.end(false),
            // The body of the response tells the end of the exchange when it is
            // dropped.
            State::Answered(mut response) => response.body_mut().abandon(),
            State::Taken => {
                self.0.state.replace(State::Taken);
            }
            State::Gone => {}
        }
    }
}

/// An answer that does not come from the script.
pub(crate) fn plain(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

/// The length of the body that the client announces, in bytes.
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.trim().parse().ok()
}
