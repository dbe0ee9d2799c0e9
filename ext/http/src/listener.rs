//! The listeners of servers.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use deno_core::OpState;
use deno_core::ResourceId;
use deno_net::check_unix_socket_path;
use deno_net::ops_unix::UnixListenerWithPath;
use deno_net::raw::NetworkStream;
use deno_net::raw::take_network_stream_resource;
use deno_net::resolve_addr::resolve_addr_sync;
use deno_permissions::OpenAccessKind;
use deno_permissions::PermissionState;
use deno_permissions::PermissionsContainer;
use deno_tls::TlsStream;
use deno_tls::get_ssl_key_log;
use deno_tls::load_certs;
use deno_tls::load_private_keys;
use deno_tls::rustls::ServerConfig;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::percent_encode;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use crate::certificates::Certificates;
use crate::error::HttpError;

/// The name that permission prompts give to the call.
const API_NAME: &str = "Deno.serve()";

/// Bytes of plaintext that a TLS connection buffers in either direction.
const TLS_BUFFER: Option<std::num::NonZeroUsize> = std::num::NonZeroUsize::new(64 * 1024);

/// An address that one server may listen on without the net permission, unless the permission is
/// denied. The server is the one that an embedder starts for its user (`serve` of
/// `02_websocket_handler.js`). The embedder puts the address into the `OpState`. A script cannot
/// set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAddress {
    /// The host name in the server's options.
    pub hostname: String,
    /// The port. 0 means that the system chooses.
    pub port: u16,
}

/// A unix socket that one server may listen on without the net, read and write permissions. The
/// server is the one that an embedder starts for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPath(pub PathBuf);

/// The listener of a server.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, Arc<ServerConfig>),
    Unix(UnixListenerWithPath),
}

/// A connection that was accepted.
pub(crate) enum Accepted {
    /// A socket that is not registered with the reactor.
    Fresh(std::net::TcpStream, SocketAddr),
    Tcp(TcpStream, SocketAddr),
    Tls(Box<TlsStream<TcpStream>>, SocketAddr),
    Unix(UnixStream),
}

impl Listener {
    /// Binds a TCP port. The caller has [checked](Self::check_tcp) the
    /// permission.
    pub(crate) fn tcp(
        state: &mut OpState,
        hostname: &str,
        port: u16,
        reuse_port: bool,
        backlog: i32,
    ) -> Result<Self, HttpError> {
        let wanted = || match hostname.contains(':') {
            true => format!("[{hostname}]:{port}"),
            false => format!("{hostname}:{port}"),
        };
        let failed = |error| HttpError::Listen {
            error,
            address: wanted(),
        };
        let address = resolve_addr_sync(hostname, port)
            .map_err(failed)?
            .next()
            .ok_or(HttpError::NoResolvedAddress)?;
        state
            .borrow_mut::<PermissionsContainer>()
            .check_net_resolved(&address.ip(), address.port(), API_NAME)?;
        let listener = bind(address, reuse_port, backlog).map_err(failed)?;
        Ok(Self::Tcp(listener))
    }

    /// Makes a TCP listener speak TLS with a certificate chain and its private
    /// key, both PEM.
    pub(crate) fn with_tls(self, certificate: &str, key: &str) -> Result<Self, HttpError> {
        let certificates = load_certs(&mut certificate.as_bytes())?;
        let key = load_private_keys(key.as_bytes())?.remove(0);
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        Ok(self.with_config(config))
    }

    /// Makes a TCP listener speak TLS with the certificates that an embedder gives.
    pub(crate) fn with_certificates(self, certificates: Arc<Certificates>) -> Self {
        let config = ServerConfig::builder().with_no_client_auth();
        self.with_config(config.with_cert_resolver(certificates))
    }

    fn with_config(self, mut config: ServerConfig) -> Self {
        config.key_log = get_ssl_key_log();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => Self::Tls(listener, Arc::new(config)),
            other => other,
        }
    }

    /// The listener without TLS, and its configuration of TLS.
    pub(crate) fn without_tls(self) -> (Self, Option<Arc<ServerConfig>>) {
        match self {
            Self::Tls(listener, config) => (Self::Tcp(listener), Some(config)),
            other => (other, None),
        }
    }

    /// Checks the net permission for a TCP port. `is_own` says whether the embedder starts the
    /// server.
    pub(crate) fn check_tcp(
        state: &mut OpState,
        hostname: &str,
        port: u16,
        is_own: bool,
    ) -> Result<(), HttpError> {
        if !is_own || !takes_own_address(state, hostname, port) {
            state
                .borrow_mut::<PermissionsContainer>()
                .check_net(&(hostname, Some(port)), API_NAME)?;
        }
        Ok(())
    }

    /// Checks the net permission, and the permissions to read and write `path`, for a unix socket.
    /// `is_own` says whether the embedder starts the server.
    pub(crate) fn check_unix(
        state: &mut OpState,
        path: &str,
        is_own: bool,
    ) -> Result<PathBuf, HttpError> {
        if is_own
            && let Some(OwnPath(own)) = state.try_take::<OwnPath>()
            && own == Path::new(path)
        {
            return Ok(own);
        }
        let path = check_unix_socket_path(
            state.borrow_mut::<PermissionsContainer>(),
            Cow::Borrowed(Path::new(path)),
            OpenAccessKind::ReadWriteNoFollow,
            Some(API_NAME),
        )?;
        Ok(path.to_path_buf())
    }

    /// Binds a unix socket. The caller has [checked](Self::check_unix) the permissions.
    ///
    /// If `is_own`, a socket that a killed server left behind is removed.
    pub(crate) fn unix(path: &Path, is_own: bool) -> Result<Self, HttpError> {
        if is_own {
            remove_left_over(path);
        }
        let listener = tokio::net::UnixListener::bind(path).map_err(|error| HttpError::Listen {
            error,
            address: path.display().to_string(),
        })?;
        Ok(Self::Unix(UnixListenerWithPath::new(
            listener,
            path.to_path_buf(),
        )))
    }

    /// Waits for connections, and hands at most [`ACCEPTS_IN_TURN`] of them to
    /// `each`.
    pub(crate) async fn accept(&self, mut each: impl FnMut(Accepted)) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                accept(listener, |stream, address| {
                    each(Accepted::Fresh(stream, address));
                })
                .await
            }
            Self::Tls(listener, config) => {
                accept(listener, |stream, address| {
                    // If the reactor does not take the socket, the connection
                    // ends here.
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        each(accept_tls(stream, address, config));
                    }
                })
                .await
            }
            Self::Unix(listener) => {
                each(Accepted::Unix(listener.accept().await?.0));
                Ok(())
            }
        }
    }

    /// The address of a TCP port.
    pub(crate) fn tcp_address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => {
                listener.get_ref().local_addr().map(Some)
            }
            Self::Unix(_) => Ok(None),
        }
    }

    /// The path of a unix socket. The path of an abstract socket is a NUL and
    /// the name.
    pub(crate) fn unix_path(&self) -> Result<Option<String>, HttpError> {
        let listener = match self {
            Self::Unix(listener) => listener,
            Self::Tcp(_) | Self::Tls(..) => return Ok(None),
        };
        match unix_path(&listener.local_addr()?) {
            Some(path) => {
                (String::from_utf8(path).map(Some)).map_err(|_| HttpError::InvalidSocketPath)
            }
            None => Ok(None),
        }
    }

    /// The scheme of the URLs of the requests, with `://`.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "http://",
            Self::Tls(..) => "https://",
            Self::Unix(_) => "http+unix://",
        }
    }

    /// The authority in the URL of a request that names no host.
    pub(crate) fn authority(&self) -> io::Result<String> {
        Ok(match self {
            Self::Tcp(listener) => tcp_authority(listener.get_ref().local_addr()?, 80),
            Self::Tls(listener, _) => tcp_authority(listener.get_ref().local_addr()?, 443),
            Self::Unix(listener) => unix_authority(&listener.local_addr()?),
        })
    }
}

/// A connection that has been accepted for TLS.
pub(crate) fn accept_tls(
    stream: TcpStream,
    address: SocketAddr,
    config: &Arc<ServerConfig>,
) -> Accepted {
    let stream = TlsStream::new_server_side(stream, config.clone(), TLS_BUFFER);
    Accepted::Tls(Box::new(stream), address)
}

impl Accepted {
    /// Takes a connection that a script has accepted out of deno_net. Returns `None` if the
    /// connection has ended, so that it has no peer.
    pub(crate) fn take(state: &mut OpState, rid: ResourceId) -> Result<Option<Self>, HttpError> {
        Ok(
            match take_network_stream_resource(&mut state.resource_table, rid)? {
                NetworkStream::Tcp(stream) => {
                    let _ = stream.set_nodelay(true);
                    let address = stream.peer_addr().ok();
                    address.map(|address| Self::Tcp(stream, address))
                }
                NetworkStream::Tls(stream) => {
                    let address = stream.peer_addr().ok();
                    address.map(|address| Self::Tls(Box::new(stream), address))
                }
                NetworkStream::Unix(stream) => Some(Self::Unix(stream)),
                _ => return Err(HttpError::UnsupportedStream),
            },
        )
    }

    /// See [`Listener::scheme`].
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Fresh(..) | Self::Tcp(..) => "http://",
            Self::Tls(..) => "https://",
            Self::Unix(_) => "http+unix://",
        }
    }

    /// See [`Listener::authority`]. Empty if the connection has ended.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Fresh(stream, _) => stream
                .local_addr()
                .map(|address| tcp_authority(address, 80)),
            Self::Tcp(stream, _) => stream
                .local_addr()
                .map(|address| tcp_authority(address, 80)),
            Self::Tls(stream, _) => stream
                .local_addr()
                .map(|address| tcp_authority(address, 443)),
            Self::Unix(stream) => stream.local_addr().map(|address| unix_authority(&address)),
        }
        .unwrap_or_default()
    }
}

/// A listener whose connections are not registered with the reactor before they
/// need it.
type TcpListener = AsyncFd<mio::net::TcpListener>;

fn bind(address: SocketAddr, reuse_port: bool, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // On other systems the option does not distribute the connections.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    // A server that is restarted can bind its port at once.
    socket.set_reuse_address(true)?;
    // Without TCP_NODELAY, responses in parts wait for acknowledgements. On Linux, accepted sockets
    // inherit the option.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    let listener = mio::net::TcpListener::from_std(socket.into());
    // SAFETY: a listener has the same descriptor for its whole life, and the `AsyncFd` owns the
    // listener.
    Ok(unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?)
}

async fn accept(
    listener: &TcpListener,
    mut each: impl FnMut(std::net::TcpStream, SocketAddr),
) -> io::Result<()> {
    let mut count = 0;
    while count == 0 {
        let mut guard = listener.readable().await?;
        while count < ACCEPTS_IN_TURN
            && let Ok(accepted) = guard.try_io(|listener| listener.get_ref().accept())
        {
            let (stream, address) = accepted?;
            let stream = std::net::TcpStream::from(OwnedFd::from(stream));
            if !cfg!(target_os = "linux") {
                // If the call fails, the connection has been reset already.
                let _ = stream.set_nodelay(true);
            }
            each(stream, address);
            count += 1;
        }
    }
    Ok(())
}

/// Removes a unix socket on which no server listens. A killed server leaves one behind.
fn remove_left_over(path: &Path) {
    let is_socket = |metadata: std::fs::Metadata| metadata.file_type().is_socket();
    let refused = |path: &Path| {
        let error = std::os::unix::net::UnixStream::connect(path).err();
        error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if std::fs::symlink_metadata(path).is_ok_and(is_socket) && refused(path) {
        // If the file cannot be removed, binding fails and tells the reason.
        let _ = std::fs::remove_file(path);
    }
}

/// Whether this is the address that an embedder allows once, and the user does not deny it.
fn takes_own_address(state: &mut OpState, hostname: &str, port: u16) -> bool {
    let Some(own) = state.try_take::<OwnAddress>() else {
        return false;
    };
    if (own.hostname.as_str(), own.port) != (hostname, port) {
        return false;
    }
    let descriptor = if hostname.contains(':') {
        format!("[{hostname}]:{port}")
    } else {
        format!("{hostname}:{port}")
    };
    matches!(
        state
            .borrow::<PermissionsContainer>()
            .query_net(Some(&descriptor)),
        Ok(PermissionState::Prompt | PermissionState::Granted | PermissionState::GrantedPartial)
    )
}

/// The authority in the URL of a request to `address` that names no host.
pub(crate) fn tcp_authority(address: SocketAddr, default_port: u16) -> String {
    let ip = address.ip();
    let host = if ip.is_loopback() || ip.is_unspecified() {
        "localhost".to_owned()
    } else if ip.is_ipv6() {
        format!("[{ip}]")
    } else {
        ip.to_string()
    };
    if address.port() == default_port {
        host
    } else {
        format!("{host}:{}", address.port())
    }
}

fn unix_authority(address: &tokio::net::unix::SocketAddr) -> String {
    percent_encode(&unix_path(address).unwrap_or_default(), NON_ALPHANUMERIC).to_string()
}

fn unix_path(address: &tokio::net::unix::SocketAddr) -> Option<Vec<u8>> {
    match address.as_pathname() {
        Some(path) => Some(path.as_os_str().as_bytes().to_owned()),
        None => (address.as_abstract_name()).map(|name| [b"\0", name].concat()),
    }
}

/// How many connections are accepted before other tasks have their turn.
pub(crate) const ACCEPTS_IN_TURN: u32 = 64;
