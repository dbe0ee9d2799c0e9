//! Dialling: the transport, and the opening handshake over it.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use deno_core::{OpState, ResourceId, url};
use deno_error::JsErrorBox;
use deno_fetch::{Client, HttpClientResource, get_or_create_client_from_state};
use deno_net::happy_eyeballs::{DEFAULT_ATTEMPT_DELAY_MS, connect_happy_eyeballs};
use deno_permissions::{PermissionCheckError, PermissionsContainer};
use deno_tls::SocketUse;
use duplex_protocol::deflate::{ClientConfig, Parameters};
use duplex_protocol::handshake::client::{
    Request, RequestError, Response, ResponseError, ResponseParser,
};
use duplex_protocol::handshake::header;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::{Host, Url};

use crate::transport::Transport;

/// Whom to dial and what to ask.
pub(crate) struct Target {
    /// A `ws` or `wss` URL.
    pub url: Url,
    pub protocols: Vec<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    /// A `Deno.HttpClient` to connect with.
    pub client: Option<ResourceId>,
    /// How permessage-deflate is offered, where it is.
    pub deflate: Option<ClientConfig>,
}

/// A connection that a server has agreed to.
pub(crate) struct Opened {
    pub transport: Transport,
    /// What came with the answer.
    pub read_ahead: Bytes,
    pub protocol: String,
    /// What was agreed on for permessage-deflate.
    pub deflate: Option<Parameters>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum DialError {
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[class(inherit)]
    #[error(transparent)]
    Client(JsErrorBox),
    #[class(inherit)]
    #[error(transparent)]
    Resource(#[from] deno_core::error::ResourceError),
    #[class(generic)]
    #[error("dns error: failed to look up address of {host}: {error}")]
    Dns { host: String, error: io::Error },
    #[class(generic)]
    #[error("tcp connect error: {0}")]
    Connect(io::Error),
    #[class(generic)]
    #[error("{0}")]
    Tls(String),
    #[class(generic)]
    #[error(transparent)]
    Io(#[from] io::Error),
    #[class(generic)]
    #[error(transparent)]
    Request(#[from] RequestError),
    #[class(generic)]
    #[error(transparent)]
    Response(#[from] ResponseError),
    #[class(generic)]
    #[error("the server did not answer the opening handshake within {} seconds", .0.as_secs())]
    Timeout(Duration),
    #[class(type)]
    #[error("invalid URL: {0}")]
    Url(String),
}

/// Connects and goes through the opening handshake (RFC 6455 section 4.1).
pub(crate) async fn dial(state: Rc<RefCell<OpState>>, target: Target) -> Result<Opened, DialError> {
    let transport = connect(&state, &target).await?;
    let timed = tokio::time::timeout(HANDSHAKE_TIMEOUT, shake_hands(transport, &state, &target));
    timed
        .await
        .unwrap_or(Err(DialError::Timeout(HANDSHAKE_TIMEOUT)))
}

async fn connect(state: &Rc<RefCell<OpState>>, target: &Target) -> Result<Transport, DialError> {
    let is_plain = target.url.scheme() == "ws";
    if is_plain && target.client.is_none() && !is_proxied() {
        return connect_tcp(state, &target.url).await;
    }
    let client = {
        let mut state = state.borrow_mut();
        match target.client {
            Some(id) => state
                .resource_table
                .get::<HttpClientResource>(id)?
                .client
                .clone(),
            None => get_or_create_client_from_state(&mut state)
                .map_err(|error| DialError::Client(JsErrorBox::from_err(error)))?,
        }
    };
    connect_through(client, &target.url).await
}

/// Connects by the rules of fetch: TLS with its roots, proxies, and what a
/// `Deno.HttpClient` brings.
async fn connect_through(client: Client, url: &Url) -> Result<Transport, DialError> {
    let scheme = match url.scheme() {
        "ws" => "http",
        _ => "https",
    };
    let uri = format!("{scheme}{}", &url[url::Position::AfterScheme..])
        .parse()
        .map_err(|_| DialError::Url(url.to_string()))?;
    let stream = client
        .connect(uri, SocketUse::Http1Only)
        .await
        .map_err(|error| DialError::Tls(with_causes(&error)))?;
    Ok(Transport::Stream(Box::new(stream)))
}

async fn connect_tcp(state: &Rc<RefCell<OpState>>, url: &Url) -> Result<Transport, DialError> {
    let port = url.port_or_known_default().unwrap_or(80);
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(host)) => tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| DialError::Dns {
                host: host.to_owned(),
                error,
            })?
            .collect(),
        None => return Err(DialError::Url(url.to_string())),
    };
    // A name that is allowed may stand for an address that is denied.
    for address in &addresses {
        check_resolved(state, address.ip(), port)?;
    }
    let delay = Duration::from_millis(DEFAULT_ATTEMPT_DELAY_MS);
    let connected = connect_happy_eyeballs(addresses, delay, None)
        .await
        .map_err(DialError::Connect)?;
    connected.stream.set_nodelay(true)?;
    Ok(Transport::Tcp(connected.stream))
}

fn check_resolved(
    state: &Rc<RefCell<OpState>>,
    ip: IpAddr,
    port: u16,
) -> Result<(), PermissionCheckError> {
    state
        .borrow_mut()
        .borrow_mut::<PermissionsContainer>()
        .check_net_resolved(&ip, port, "new WebSocket()")
}

/// Whether the environment sends plain connections through a proxy, as fetch
/// understands it.
fn is_proxied() -> bool {
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

async fn shake_hands(
    mut transport: Transport,
    state: &Rc<RefCell<OpState>>,
    target: &Target,
) -> Result<Opened, DialError> {
    let url = &target.url;
    let secure = url.scheme() == "wss";
    let user_agent = state
        .borrow()
        .try_borrow::<deno_fetch::Options>()
        .map(|options| options.user_agent.clone());
    let mut headers: Vec<(&str, &[u8])> = Vec::new();
    for (name, value) in &target.headers {
        // The handshake's own headers are not the script's to set.
        if !header::is_reserved(name) {
            headers.push((name, value));
        }
    }
    let has_user_agent = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
    if let Some(user_agent) = user_agent.as_deref().filter(|_| !has_user_agent) {
        headers.push(("User-Agent", user_agent.as_bytes()));
    }
    let request = Request {
        host: url.host_str().unwrap_or_default(),
        port: url
            .port_or_known_default()
            .unwrap_or(if secure { 443 } else { 80 }),
        secure,
        target: &url[url::Position::BeforePath..url::Position::AfterQuery],
        protocols: &target.protocols,
        require_protocol: true,
        headers: &headers,
        deflate: target.deflate.as_ref(),
    };
    let (bytes, mut parser) = request.encode(rand::random())?;
    transport.write_all(&bytes).await?;
    transport.flush().await?;
    let (response, read_ahead) = read_response(&mut transport, &mut parser).await?;
    Ok(Opened {
        transport,
        read_ahead,
        protocol: response.protocol.unwrap_or_default(),
        deflate: response.deflate,
    })
}

/// The answer, and what came behind it.
async fn read_response(
    transport: &mut Transport,
    parser: &mut ResponseParser,
) -> Result<(Response, Bytes), DialError> {
    let mut buffer = vec![0; 4096];
    loop {
        let count = transport.read(&mut buffer).await?;
        if count == 0 {
            return Err(ResponseError::Closed.into());
        }
        if let Some(response) = parser.parse(&buffer[..count])? {
            let read_ahead = Bytes::copy_from_slice(&buffer[response.consumed..count]);
            return Ok((response, read_ahead));
        }
    }
}

/// The error with all that caused it: the certificate's fault stands last.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

/// How long a server may take to answer, from the connection to the end of the
/// response's header.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
