//! The servers between client and server in these tests: proxies, servers that terminate TLS, and a
//! server of HTTP/2. Each counts its connections, or notes what it has seen.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use h2::server::SendResponse;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::certificates::{Authority, Identity};

/// The domain of hosts that only the proxies can resolve, to 127.0.0.1.
pub(crate) const PRIVATE: &str = ".behind.invalid";

/// The servers of a test, which end with the test.
pub(crate) struct Servers {
    runtime: Runtime,
}

/// A server that listens.
pub(crate) struct Server {
    pub port: u16,
    connections: Arc<AtomicUsize>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// How many connections the server has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The notes of the server.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }

    /// Waits until the server has noted `note`.
    pub(crate) fn wait_for(&self, note: &str) {
        let deadline = std::time::Instant::now() + crate::support::LIMIT;
        while !self.notes().iter().any(|noted| noted == note) {
            assert!(
                std::time::Instant::now() < deadline,
                "no {note:?} in {:?}",
                self.notes()
            );
            std::thread::yield_now();
        }
    }
}

/// The notes that a server makes.
#[derive(Clone)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) type Handled = Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>;

/// The handler of a request to the server of HTTP/2.
pub(crate) type Http2Handler =
    fn(Request<h2::RecvStream>, SendResponse<bytes::Bytes>, Notes) -> Handled;

impl Servers {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self { runtime }
    }

    fn listen(
        &self,
        handle: impl Fn(TcpStream, Notes) -> Handled + Send + Sync + 'static,
    ) -> Server {
        let listener = self
            .runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let server = Server {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            notes: Arc::default(),
        };
        let (connections, notes) = (server.connections.clone(), Notes(server.notes.clone()));
        self.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                // An error here is ignored, because the client sees it.
                tokio::spawn(handle(stream, notes.clone()));
            }
        });
        server
    }

    /// Starts a proxy that tunnels, over TLS if there is `tls`, for clients with `credentials`. It
    /// notes the targets.
    pub(crate) fn http_proxy(
        &self,
        tls: Option<ServerConfig>,
        credentials: Option<&'static str>,
    ) -> Server {
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        self.listen(move |stream, notes| {
            let acceptor = acceptor.clone();
            Box::pin(async move {
                match acceptor {
                    None => tunnel(stream, credentials, notes).await,
                    Some(acceptor) => {
                        let stream = acceptor.accept(stream).await?;
                        tunnel(stream, credentials, notes).await
                    }
                }
            })
        })
    }

    /// Starts a proxy by RFC 1928, and by RFC 1929 if there are `credentials`. It notes the targets
    /// as they came, as a name or as an address.
    pub(crate) fn socks_proxy(&self, credentials: Option<(&'static str, &'static str)>) -> Server {
        self.listen(move |stream, notes| Box::pin(socks(stream, credentials, notes)))
    }

    /// Starts a server that terminates TLS for `backend`. It notes the protocol that ALPN has
    /// chosen.
    pub(crate) fn tls_front(&self, config: ServerConfig, backend: u16) -> Server {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        self.listen(move |stream, notes| {
            let acceptor = acceptor.clone();
            Box::pin(async move {
                let mut stream = acceptor.accept(stream).await?;
                notes.add(alpn(&stream));
                let mut server = TcpStream::connect(("127.0.0.1", backend)).await?;
                copy_bidirectional(&mut stream, &mut server).await?;
                Ok(())
            })
        })
    }

    /// Starts a server of HTTP/2, over TLS if there is `tls`. It has WebSockets if
    /// `extended_connect` is true, and passes HTTP/1.1 on to `backend`. It notes the protocol that
    /// ALPN has chosen, and the paths of requests.
    pub(crate) fn http2(
        &self,
        tls: Option<ServerConfig>,
        extended_connect: bool,
        backend: u16,
        handler: Http2Handler,
    ) -> Server {
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        self.listen(move |stream, notes| {
            let acceptor = acceptor.clone();
            Box::pin(async move {
                let Some(acceptor) = acceptor else {
                    return serve_http2(stream, extended_connect, handler, notes).await;
                };
                let mut stream = acceptor.accept(stream).await?;
                let version = alpn(&stream);
                notes.add(version.clone());
                if version == "h2" {
                    return serve_http2(stream, extended_connect, handler, notes).await;
                }
                let mut server = TcpStream::connect(("127.0.0.1", backend)).await?;
                copy_bidirectional(&mut stream, &mut server).await?;
                Ok(())
            })
        })
    }

    /// Passes the connections to a unix socket on to `backend`.
    #[cfg(unix)]
    pub(crate) fn forward_unix(&self, listener: std::os::unix::net::UnixListener, backend: u16) {
        listener.set_nonblocking(true).unwrap();
        self.runtime.spawn(async move {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", backend)).await?;
                    copy_bidirectional(&mut stream, &mut server).await
                });
            }
        });
    }

    /// Starts a server that accepts connections and sends nothing.
    pub(crate) fn silent(&self) -> Server {
        self.listen(|stream, _| {
            Box::pin(async move {
                let _stream = stream;
                std::future::pending().await
            })
        })
    }
}

/// The TLS configuration of a server with this `identity`. If there is an authority for `clients`,
/// only clients with its certificates may connect.
pub(crate) fn tls(identity: &Identity, alpn: &[&str], clients: Option<&Authority>) -> ServerConfig {
    let builder = ServerConfig::builder();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(authority.certificate.as_bytes());
            roots.add(root.unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

fn alpn<T>(stream: &tokio_rustls::server::TlsStream<T>) -> String {
    match stream.get_ref().1.alpn_protocol() {
        Some(name) => String::from_utf8_lossy(name).into_owned(),
        None => "no ALPN".to_owned(),
    }
}

async fn tunnel(
    mut stream: impl Stream,
    credentials: Option<&str>,
    notes: Notes,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap_or_default();
    let target = line
        .strip_prefix("CONNECT ")
        .and_then(|line| line.strip_suffix(" HTTP/1.1"));
    let Some(target) = target else {
        notes.add(line);
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    };
    let authorization = head
        .lines()
        .find_map(|line| line.strip_prefix("Proxy-Authorization: "));
    if authorization != credentials {
        notes.add("denied");
        return stream
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .await;
    }
    notes.add(target);
    let (host, port) = target.rsplit_once(':').unwrap();
    let Some(address) = address(host, port.parse().unwrap()) else {
        return stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    };
    let mut server = TcpStream::connect(address).await?;
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
        .await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

/// The address to which a proxy resolves a host.
fn address(host: &str, port: u16) -> Option<SocketAddr> {
    match host.ends_with(PRIVATE) || host == "localhost" {
        true => Some(([127, 0, 0, 1], port).into()),
        false => Some((host.parse::<std::net::IpAddr>().ok()?, port).into()),
    }
}

async fn socks(
    mut stream: TcpStream,
    credentials: Option<(&str, &str)>,
    notes: Notes,
) -> std::io::Result<()> {
    let text = async |stream: &mut TcpStream| {
        let mut text = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    assert_eq!(stream.read_u8().await?, 5);
    let methods = text(&mut stream).await?;
    let wanted = if credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        notes.add("denied");
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, wanted]).await?;
    if let Some((user, password)) = credentials {
        assert_eq!(stream.read_u8().await?, 1);
        let given = (text(&mut stream).await?, text(&mut stream).await?);
        if given != (user.into(), password.into()) {
            notes.add("denied");
            return stream.write_all(&[1, 1]).await;
        }
        stream.write_all(&[1, 0]).await?;
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request {
        [5, 1, 0, 1] => {
            let mut ip = [0; 4];
            stream.read_exact(&mut ip).await?;
            std::net::Ipv4Addr::from(ip).to_string()
        }
        [5, 1, 0, 3] => String::from_utf8(text(&mut stream).await?).unwrap(),
        other => panic!("request {other:?}"),
    };
    let kind = if request[3] == 3 { "name" } else { "address" };
    let port = stream.read_u16().await?;
    notes.add(format!("{kind} {host}:{port}"));
    let connected = match address(&host, port) {
        Some(address) => TcpStream::connect(address).await.ok(),
        None => None,
    };
    let Some(mut server) = connected else {
        return stream.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    };
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

async fn serve_http2(
    stream: impl Stream,
    extended_connect: bool,
    handler: Http2Handler,
    notes: Notes,
) -> std::io::Result<()> {
    let mut builder = h2::server::Builder::new();
    if extended_connect {
        builder.enable_connect_protocol();
    }
    let mut connection = builder
        .handshake(stream)
        .await
        .map_err(std::io::Error::other)?;
    // The client may end with a reset, because it reads nothing after its GOAWAY.
    while let Some(Ok((request, respond))) = connection.accept().await {
        let protocol = request.extensions().get::<h2::ext::Protocol>();
        let protocol = protocol.map_or("", h2::ext::Protocol::as_str);
        notes.add(format!(
            "{} {} {protocol}",
            request.method(),
            request.uri().path()
        ));
        tokio::spawn(handler(request, respond, notes.clone()));
    }
    notes.add("end");
    Ok(())
}

/// Answers with only a status.
pub(crate) fn status(code: u16, mut respond: SendResponse<bytes::Bytes>) -> Handled {
    let response = Response::builder().status(code).body(()).unwrap();
    let sent = respond.send_response(response, true);
    Box::pin(async move { sent.map(drop).map_err(std::io::Error::other) })
}
