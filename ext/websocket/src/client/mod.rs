//! Dialling: from a URL to a connection after its opening handshake.
//!
//! | module | concern |
//! |---|---|
//! | `connector` | a `Deno.HttpClient`, and its default |
//! | `proxy` | proxies: choosing a proxy, and connecting through it |
//! | `queue` | one connection to an endpoint at a time |
//! | `foreign` | a `Deno.HttpClient` that only deno_fetch knows |
//! | `tcp` | look-ups and sockets |
//! | `tls` | TLS and ALPN |
//! | `dial_error`, `opened` | the results of dialling |
//! | `http1`, `http2` | the opening handshake over either version of HTTP |

mod api;
mod connector;
mod dial_error;
mod foreign;
mod http1;
mod http2;
mod opened;
mod proxy;
mod queue;
mod tcp;
mod tls;

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use deno_core::{FromV8, OpState, ResourceId, url};
use deno_permissions::{OpenAccessKind, PermissionCheckError, PermissionsContainer};
use duplex_protocol::deflate::ClientConfig;
use duplex_protocol::handshake::client::Request;
use duplex_protocol::handshake::header;
use http::Uri;
use url::Url;

use self::api::API;
pub(crate) use self::connector::{ClientOptions, Connector};
pub(crate) use self::dial_error::DialError;
pub(crate) use self::opened::Opened;
pub(crate) use self::proxy::Environment;
use self::proxy::Proxy;
use self::queue::{DialQueue, Endpoint};
use crate::limits::timeout;
use crate::network_events::RequestId;
use crate::transport::Transport;

/// The URL to dial, and the options of the dial.
pub(crate) struct Target {
    /// A `ws` or `wss` URL.
    pub url: Url,
    pub protocols: Vec<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    /// A `Deno.HttpClient` to connect with.
    pub client: Option<ResourceId>,
    /// The offer of permessage-deflate, or `None` to offer nothing.
    pub deflate: Option<ClientConfig>,
    pub timeouts: Timeouts,
    /// The id of the request for debuggers, if there is an observer.
    pub request: Option<RequestId>,
}

/// How long the steps to an open connection may take. `None` means without a
/// limit.
#[derive(Clone, Copy)]
pub(crate) struct Timeouts {
    /// `connectTimeout`: look-up, TCP, proxies and TLS.
    pub connect: Option<Duration>,
    /// `handshakeTimeout`: sending the request and reading the answer.
    pub handshake: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Some(CONNECT_TIMEOUT),
            handshake: Some(HANDSHAKE_TIMEOUT),
        }
    }
}

/// The timeouts as `convertTimeouts` of `00_options.js` gives them: seconds, 0
/// for no limit, or `None` for the default.
#[derive(FromV8)]
pub(crate) struct TimeoutOptions {
    connect_timeout: Option<f64>,
    handshake_timeout: Option<f64>,
}

impl From<TimeoutOptions> for Timeouts {
    fn from(options: TimeoutOptions) -> Self {
        let default = Self::default();
        Self {
            connect: options.connect_timeout.map_or(default.connect, timeout),
            handshake: (options.handshake_timeout).map_or(default.handshake, timeout),
        }
    }
}

/// Connects and goes through the opening handshake, after the connections to
/// the same endpoint that have begun before (RFC 6455 section 4.1).
pub(crate) async fn dial(state: Rc<RefCell<OpState>>, target: Target) -> Result<Opened, DialError> {
    let dialer = Dialer::new(state, target)?;
    let Timeouts { connect, handshake } = dialer.target.timeouts;
    if let Some(client) = &dialer.connector.foreign {
        let queue = DialQueue::of(&mut dialer.state.borrow_mut());
        let _turn = queue.turn(vec![dialer.endpoint_by_name()]).await;
        let connecting = foreign::connect(client, dialer.http_uri()?);
        let connected = limit(connect, DialError::ConnectTimeout, connecting).await?;
        let shaking = dialer.shake_hands_foreign(connected);
        return limit(handshake, DialError::HandshakeTimeout, shaking).await;
    }

    let before = Instant::now();
    let hop = limit(connect, DialError::ConnectTimeout, dialer.look_up()).await?;
    let spent = before.elapsed();
    let queue = DialQueue::of(&mut dialer.state.borrow_mut());
    let _turn = queue.turn(dialer.endpoints(&hop)).await;

    let may_use_http2 = dialer.connector.may_use_http2(&dialer.host, dialer.port);
    // The time in the queue does not count.
    let left = connect.map(|connect| connect.saturating_sub(spent));
    let connecting = dialer.connect(&hop, may_use_http2);
    let timeout = |_| DialError::ConnectTimeout(connect.unwrap_or_default());
    let (transport, version) = limit(left, timeout, connecting).await?;
    if version == Version::Http1 {
        let shaking = dialer.shake_hands(transport);
        return limit(handshake, DialError::HandshakeTimeout, shaking).await;
    }
    let shaking = dialer.shake_hands_http2(transport);
    if let Some(opened) = limit(handshake, DialError::HandshakeTimeout, shaking).await? {
        return Ok(opened);
    }

    // The server chose HTTP/2 but does not accept WebSockets over it. This is not an error of the
    // dial: the connection is made again with HTTP/1.1.
    if !dialer.connector.http1 {
        return Err(DialError::OnlyHttp2);
    }
    dialer
        .connector
        .record_without_http2(&dialer.host, dialer.port);
    let connecting = dialer.connect(&hop, false);
    let (transport, _) = limit(connect, DialError::ConnectTimeout, connecting).await?;
    let shaking = dialer.shake_hands(transport);
    limit(handshake, DialError::HandshakeTimeout, shaking).await
}

/// Runs a step for at most `timeout`.
async fn limit<T>(
    timeout: Option<Duration>,
    error: impl FnOnce(Duration) -> DialError,
    step: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    match timeout {
        None => step.await,
        Some(timeout) => tokio::time::timeout(timeout, step)
            .await
            .unwrap_or_else(|_| Err(error(timeout))),
    }
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Version {
    Http1,
    Http2,
}

/// The address of the first hop: the server, a proxy, or a socket that stands
/// for the server.
enum Hop {
    Tcp(Vec<SocketAddr>),
    #[cfg(unix)]
    Unix(PathBuf),
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    Vsock {
        cid: u32,
        port: u32,
    },
}

/// One dial.
struct Dialer {
    state: Rc<RefCell<OpState>>,
    target: Target,
    connector: Rc<Connector>,
    proxy: Option<Proxy>,
    secure: bool,
    host: String,
    port: u16,
}

impl Dialer {
    fn new(state: Rc<RefCell<OpState>>, target: Target) -> Result<Self, DialError> {
        let connector = Connector::of(&mut state.borrow_mut(), target.client)?;
        let url = &target.url;
        let secure = url.scheme() == "wss";
        let invalid = || DialError::Url(url.to_string());
        let host = url.host_str().ok_or_else(invalid)?.to_owned();
        let port = url
            .port_or_known_default()
            .unwrap_or(if secure { 443 } else { 80 });
        let scheme = if secure { "https" } else { "http" };
        let uri: Uri = format!("{scheme}://{host}:{port}")
            .parse()
            .map_err(|_| invalid())?;
        let proxy = match connector.foreign {
            // The client handles proxies itself.
            Some(_) => None,
            None => Proxy::select(connector.proxy.as_ref(), &uri)?,
        };
        for (name, _) in &target.headers {
            warn_of_dropped(name, connector.allow_host);
        }
        Ok(Self {
            state,
            target,
            connector,
            proxy,
            secure,
            host,
            port,
        })
    }

    /// Checks the permission for a client's proxy, and looks up the address of the first hop.
    ///
    /// The permission for the server was checked before. The name of a server
    /// behind a proxy is not looked up.
    async fn look_up(&self) -> Result<Hop, DialError> {
        match &self.proxy {
            None => self.resolve(&self.host, self.port).await,
            Some(
                Proxy::Http { host, port, .. }
                | Proxy::Socks { host, port, .. }
                | Proxy::Tcp { host, port },
            ) => {
                // A proxy of the environment needs no permission, because the
                // user has named it.
                if self.connector.proxy.is_some() {
                    self.permissions(|permissions| {
                        permissions.check_net(&(tcp::bare(host), Some(*port)), API)
                    })?;
                }
                let resolved = self.resolve(host, *port).await;
                resolved.map_err(|error| match error {
                    DialError::Dns { .. } => self.proxy_error(error.to_string()),
                    error => error,
                })
            }
            #[cfg(unix)]
            Some(Proxy::Unix { path }) => {
                let path = self.permissions(|permissions| {
                    let path = permissions
                        .check_open(path.into(), OpenAccessKind::ReadWriteNoFollow, Some(API))?
                        .into_path()
                        .into_owned();
                    permissions.check_net_unix_socket(&path, Some(API))?;
                    Ok(path)
                })?;
                Ok(Hop::Unix(path))
            }
            #[cfg(any(target_os = "linux", target_os = "macos"))]
            Some(Proxy::Vsock { cid, port }) => {
                let (cid, port) = (*cid, *port);
                self.permissions(|permissions| permissions.check_net_vsock(cid, port, API))?;
                Ok(Hop::Vsock { cid, port })
            }
        }
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Hop, DialError> {
        tcp::resolve(&self.state, host, port).await.map(Hop::Tcp)
    }

    fn permissions<T>(
        &self,
        check: impl FnOnce(&mut PermissionsContainer) -> Result<T, PermissionCheckError>,
    ) -> Result<T, PermissionCheckError> {
        check(self.state.borrow_mut().borrow_mut())
    }

    /// The endpoints whose queues this connection joins.
    fn endpoints(&self, hop: &Hop) -> Vec<Endpoint> {
        match (&self.proxy, hop) {
            (None, Hop::Tcp(addresses)) => {
                addresses.iter().copied().map(Endpoint::Address).collect()
            }
            _ => vec![self.endpoint_by_name()],
        }
    }

    /// The endpoint of a server whose name a proxy looks up.
    fn endpoint_by_name(&self) -> Endpoint {
        Endpoint::Behind {
            proxy: (self.proxy.as_ref()).map_or_else(String::new, Proxy::to_string),
            host: self.host.clone(),
            port: self.port,
        }
    }

    /// Makes the connection, including TLS, so that the opening handshake can
    /// begin. Returns the version of HTTP for the handshake.
    async fn connect(
        &self,
        hop: &Hop,
        may_use_http2: bool,
    ) -> Result<(Transport, Version), DialError> {
        let mut transport = match hop {
            Hop::Tcp(addresses) => {
                let local = self.connector.local_address;
                let connecting = tcp::connect(addresses.clone(), local).await;
                Transport::Tcp(match self.proxy {
                    None => connecting?,
                    Some(_) => connecting.map_err(|error| self.proxy_error(error.to_string()))?,
                })
            }
            #[cfg(unix)]
            Hop::Unix(path) => Transport::Unix(
                tokio::net::UnixStream::connect(path)
                    .await
                    .map_err(|error| self.proxy_error(error.to_string()))?,
            ),
            #[cfg(any(target_os = "linux", target_os = "macos"))]
            Hop::Vsock { cid, port } => {
                let address = tokio_vsock::VsockAddr::new(*cid, *port);
                let stream = tokio_vsock::VsockStream::connect(address)
                    .await
                    .map_err(|error| self.proxy_error(error.to_string()))?;
                Transport::Stream(Box::new(stream))
            }
        };
        if let Some(proxy) = &self.proxy {
            transport = self.pass(proxy, transport).await?;
        }
        let without_alpn = match self.connector.http1 {
            true => Version::Http1,
            false => Version::Http2,
        };
        if !self.secure {
            return Ok((transport, without_alpn));
        }
        let tls = self.connector.tls()?;
        let config = match may_use_http2 || !self.connector.http1 {
            true => &tls.any,
            false => &tls.http1,
        };
        let (transport, alpn) = tls::connect(config, &self.host, transport).await?;
        let version = match alpn.as_deref() {
            Some(tls::H2) => Version::Http2,
            Some(_) => Version::Http1,
            None => without_alpn,
        };
        Ok((transport, version))
    }

    /// Makes the proxy behind `transport` connect to the server.
    async fn pass(&self, proxy: &Proxy, mut transport: Transport) -> Result<Transport, DialError> {
        let passed = match proxy {
            Proxy::Http {
                tls, host, auth, ..
            } => {
                if *tls {
                    let config = self.connector.tls()?;
                    transport = tls::connect(&config.none, host, transport)
                        .await
                        .map_err(|error| self.proxy_error(error.to_string()))?
                        .0;
                }
                let user_agent = self.connector.user_agent.as_deref();
                proxy::tunnel(transport, &self.host, self.port, user_agent, auth.as_ref()).await
            }
            Proxy::Socks { auth, .. } => {
                proxy::socks(transport, &self.host, self.port, auth.as_ref()).await
            }
            _ => return Ok(transport),
        };
        passed.map_err(|error| self.proxy_error(error))
    }

    fn proxy_error(&self, error: String) -> DialError {
        DialError::Proxy {
            proxy: self
                .proxy
                .as_ref()
                .map(Proxy::to_string)
                .unwrap_or_default(),
            error,
        }
    }

    async fn shake_hands(&self, transport: Transport) -> Result<Opened, DialError> {
        let headers = self.headers();
        http1::shake_hands(transport, &self.request(&headers), self.target.request).await
    }

    /// The URL with the scheme `http` or `https`.
    fn http_uri(&self) -> Result<Uri, DialError> {
        let scheme = if self.secure { "https" } else { "http" };
        let rest = &self.target.url[url::Position::AfterScheme..url::Position::AfterQuery];
        let uri = format!("{scheme}{rest}").parse();
        uri.map_err(|_| DialError::Url(self.target.url.to_string()))
    }

    async fn shake_hands_foreign(
        &self,
        connected: foreign::Connected,
    ) -> Result<Opened, DialError> {
        let mut headers = self.headers();
        let uri = self.http_uri()?.to_string();
        let mut request = self.request(&[]);
        if connected.is_proxied {
            let others = connected.headers.iter();
            headers.extend(others.map(|(name, value)| (&name[..], &value[..])));
            request.target = &uri;
        }
        request.headers = &headers;
        http1::shake_hands(connected.transport, &request, self.target.request).await
    }

    async fn shake_hands_http2(&self, transport: Transport) -> Result<Option<Opened>, DialError> {
        let headers = self.headers();
        let limit = self.connector.http2_max_header_list_size;
        let request = self.request(&headers);
        http2::shake_hands(transport, limit, &request, self.target.request).await
    }

    fn request<'a>(&'a self, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
        let url = &self.target.url;
        let mut own_host = self.target.headers.iter().filter(|(name, _)| is_host(name));
        let own_host = own_host.next_back().filter(|_| self.connector.allow_host);
        Request {
            authority: own_host.map(|(_, value)| &value[..]),
            host: &self.host,
            port: self.port,
            secure: self.secure,
            target: &url[url::Position::BeforePath..url::Position::AfterQuery],
            protocols: &self.target.protocols,
            require_protocol: true,
            headers,
            deflate: self.target.deflate.as_ref(),
        }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        let mut headers: Vec<(&str, &[u8])> = Vec::new();
        for (name, value) in &self.target.headers {
            // A script cannot set the handshake's own headers.
            if !header::is_reserved(name) {
                headers.push((name, value));
            }
        }
        let has_user_agent = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
        if let Some(user_agent) = &self.connector.user_agent
            && !has_user_agent
        {
            headers.push(("User-Agent", user_agent.as_bytes()));
        }
        headers
    }
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

/// Logs a warning if a header of the script is not sent.
fn warn_of_dropped(name: &str, allow_host: bool) {
    if is_host(name) {
        if !allow_host {
            log::warn!(
                "The header \"{name}\" of a WebSocket is not sent. Pass a client that may: \
                 client: Deno.createHttpClient({{ allowHost: true }})"
            );
        }
    } else if header::is_reserved(name) {
        log::warn!(
            "The header \"{name}\" of a WebSocket is not sent: the opening handshake sets it itself"
        );
    }
}

/// The default of `connectTimeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The default of `handshakeTimeout`.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
