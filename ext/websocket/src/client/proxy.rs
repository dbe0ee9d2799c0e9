//! Proxies, and sockets that stand for the server.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_socks::tcp::Socks5Stream;

use super::dial_error::DialError;
use super::tcp::bare;
use crate::transport::Transport;

/// An indirect way to a server.
#[derive(Clone)]
pub(crate) enum Proxy {
    /// An HTTP proxy that tunnels by CONNECT (RFC 9110 section 9.3.6).
    Http {
        /// Whether the connection to the proxy uses TLS.
        tls: bool,
        host: String,
        port: u16,
        /// The value of Proxy-Authorization.
        auth: Option<HeaderValue>,
    },
    /// A SOCKS 5 proxy (RFC 1928). The proxy looks up the name of the server.
    Socks {
        host: String,
        port: u16,
        auth: Option<(String, String)>,
    },
    /// A TCP address that stands for all servers.
    Tcp { host: String, port: u16 },
    #[cfg(unix)]
    Unix { path: PathBuf },
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    Vsock { cid: u32, port: u32 },
}

impl Proxy {
    /// The proxy of `Deno.createHttpClient({ proxy })`.
    pub(crate) fn from_options(options: deno_tls::Proxy) -> Result<Self, DialError> {
        Ok(match options {
            deno_tls::Proxy::Http { url, basic_auth } => {
                let mut proxy: Self = url.parse()?;
                if let Some(given) = basic_auth {
                    match &mut proxy {
                        Self::Http { auth, .. } => {
                            let password = Some(given.password.as_str());
                            *auth = Some(deno_fetch::basic_auth(&given.username, password));
                        }
                        Self::Socks { auth, .. } => *auth = Some((given.username, given.password)),
                        _ => {}
                    }
                }
                proxy
            }
            deno_tls::Proxy::Tcp { hostname, port } => Self::Tcp {
                host: hostname,
                port,
            },
            #[cfg(unix)]
            deno_tls::Proxy::Unix { path } => Self::Unix { path: path.into() },
            #[cfg(any(target_os = "linux", target_os = "macos"))]
            deno_tls::Proxy::Vsock { cid, port } => Self::Vsock { cid, port },
            #[cfg(not(all(unix, any(target_os = "linux", target_os = "macos"))))]
            _ => return Err(DialError::ProxyUrl("not on this system")),
        })
    }

    /// The proxy for `target`. `own` is the client's own proxy. A host in
    /// NO_PROXY has no proxy. Otherwise `own` comes first, and then the proxy
    /// of the environment.
    pub(crate) fn select(own: Option<&Self>, target: &Uri) -> Result<Option<Self>, DialError> {
        let environment = Environment::at_start();
        if environment.bypass.intercept(target).is_none() {
            return Ok(None);
        }
        if let Some(own) = own {
            return Ok(Some(own.clone()));
        }
        let value = match target.scheme_str() {
            Some("http") => &environment.http,
            _ => &environment.https,
        };
        value.as_deref().map(Self::from_str).transpose()
    }
}

/// Parses a URL with the scheme http (the default), https, socks5 or socks5h,
/// or `unix:` and a percent-encoded path, or `vsock:CID:PORT`.
impl FromStr for Proxy {
    type Err = DialError;

    fn from_str(value: &str) -> Result<Self, DialError> {
        // The value may contain a password, even if it is not a URL, so the
        // error does not contain the value.
        let invalid = || DialError::ProxyUrl("its URL cannot be read");
        #[cfg(unix)]
        if let Some(path) = value.strip_prefix("unix:") {
            use std::os::unix::ffi::OsStringExt;
            let path = percent_decode_str(path).collect();
            return Ok(Self::Unix {
                path: std::ffi::OsString::from_vec(path).into(),
            });
        }
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        if let Some(address) = value.strip_prefix("vsock:") {
            let (cid, port) = address.split_once(':').ok_or_else(invalid)?;
            return Ok(Self::Vsock {
                cid: cid.parse().map_err(|_| invalid())?,
                port: port.parse().map_err(|_| invalid())?,
            });
        }
        let any = Uri::from_static("http://any.invalid");
        let parsed = Matcher::builder()
            .all(value)
            .build()
            .intercept(&any)
            .ok_or_else(invalid)?;
        let host = parsed.uri().host().ok_or_else(invalid)?.to_owned();
        let port = parsed.uri().port_u16();
        match parsed.uri().scheme_str() {
            Some(scheme @ ("http" | "https")) => Ok(Self::Http {
                tls: scheme == "https",
                host,
                port: port.unwrap_or(if scheme == "https" { 443 } else { 80 }),
                auth: parsed.basic_auth().cloned(),
            }),
            Some("socks5" | "socks5h") => Ok(Self::Socks {
                host,
                port: port.unwrap_or(1080),
                auth: parsed
                    .raw_auth()
                    .map(|(user, password)| (user.to_owned(), password.to_owned())),
            }),
            _ => Err(DialError::ProxyUrl("its scheme is not supported")),
        }
    }
}

/// The proxy without its credentials.
impl Display for Proxy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http {
                tls, host, port, ..
            } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "{scheme}://{host}:{port}")
            }
            Self::Socks { host, port, .. } => write!(f, "socks5://{host}:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
            #[cfg(any(target_os = "linux", target_os = "macos"))]
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
        }
    }
}

/// Asks the HTTP proxy behind `transport` for a tunnel to `host`.
pub(super) async fn tunnel(
    transport: Transport,
    host: &str,
    port: u16,
    user_agent: Option<&str>,
    auth: Option<&HeaderValue>,
) -> Result<Transport, String> {
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(user_agent) = user_agent {
        request.extend_from_slice(format!("User-Agent: {user_agent}\r\n").as_bytes());
    }
    if let Some(auth) = auth {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(auth.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");

    // The bytes after the answer come from the server, and stay in the buffer.
    let mut stream = BufReader::with_capacity(1 << 10, transport);
    let written = async {
        stream.write_all(&request).await?;
        stream.flush().await
    };
    written.await.map_err(|error| error.to_string())?;
    let mut head = Vec::new();
    loop {
        let buffer = stream.fill_buf().await.map_err(|error| error.to_string())?;
        if buffer.is_empty() {
            return Err("connection closed before an answer to CONNECT".to_owned());
        }
        let before = head.len();
        head.extend_from_slice(buffer);
        let length = buffer.len();
        match answer_length(&head)? {
            Some(end) => {
                stream.consume(end - before);
                return Ok(Transport::Stream(Box::new(stream)));
            }
            None if head.len() > MAX_ANSWER => {
                return Err(format!(
                    "answer to CONNECT exceeds the header size limit of {MAX_ANSWER} bytes"
                ));
            }
            None => stream.consume(length),
        }
    }
}

/// The length of a whole answer to CONNECT that opens the tunnel; Returns
/// `None` if the answer is not whole.
fn answer_length(head: &[u8]) -> Result<Option<usize>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(length)) => match response.code {
            Some(200..300) => Ok(Some(length)),
            Some(407) => Err("proxy authentication required (407)".to_owned()),
            code => Err(format!(
                "no tunnel: {} {}",
                code.unwrap_or_default(),
                response.reason.unwrap_or_default()
            )),
        },
        Err(error) => Err(format!("malformed answer to CONNECT: {error}")),
    }
}

/// Asks the SOCKS proxy behind `transport` for a connection to `host`.
pub(super) async fn socks(
    transport: Transport,
    host: &str,
    port: u16,
    auth: Option<&(String, String)>,
) -> Result<Transport, String> {
    let target = (bare(host), port);
    let connected = match auth {
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(transport, target, user, password).await
        }
        None => Socks5Stream::connect_with_socket(transport, target).await,
    };
    connected
        .map(Socks5Stream::into_inner)
        .map_err(|error| error.to_string())
}

/// The environment variables that name proxies. Their names are in upper or
/// lower case, and upper case comes first. ALL_PROXY comes before the others,
/// as for `fetch()`.
pub(crate) struct Environment {
    http: Option<String>,
    https: Option<String>,
    /// Intercepts all but the hosts of NO_PROXY.
    bypass: Matcher,
}

impl Environment {
    /// The variables when the program started. A script that sets a variable
    /// later does not change them, so it cannot reach a forbidden host in this
    /// way.
    pub(crate) fn at_start() -> &'static Self {
        static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
        ENVIRONMENT.get_or_init(|| Self::read(|name| env::var(name).ok()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            variable(name)
                .or_else(|| variable(&name.to_lowercase()))
                .filter(|value| !value.is_empty())
        };
        let all = either("ALL_PROXY");
        // In a CGI script, HTTP_PROXY contains the header `Proxy` of a request.
        let http = either("HTTP_PROXY").filter(|_| variable("REQUEST_METHOD").is_none());
        let no = either("NO_PROXY").unwrap_or_default();
        Self {
            http: all.clone().or(http),
            https: all.or_else(|| either("HTTPS_PROXY")),
            bypass: match no.split(',').any(|entry| entry.trim() == "*") {
                // The matcher would apply `*` to names only, and not to
                // addresses.
                true => Matcher::builder().build(),
                false => Matcher::builder().all("http://any.invalid").no(no).build(),
            },
        }
    }
}

/// The longest answer to CONNECT, in bytes.
const MAX_ANSWER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, expected) in [
            ("proxy", "http://proxy:80"),
            ("proxy:3128", "http://proxy:3128"),
            ("http://user:secret@proxy:3128", "http://proxy:3128"),
            ("https://proxy", "https://proxy:443"),
            ("socks5://proxy", "socks5://proxy:1080"),
            ("socks5h://user:secret@[::1]:9050", "socks5://[::1]:9050"),
            ("unix:/run/a%20b.sock", "unix:/run/a b.sock"),
            ("vsock:2:80", "vsock:2:80"),
        ] {
            let proxy: Proxy = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(proxy.to_string(), expected);
        }
        for url in ["", "socks4://proxy", "ftp://proxy", "http://", "vsock:2"] {
            assert!(url.parse::<Proxy>().is_err(), "{url}");
        }
    }

    #[test]
    fn credentials() {
        let Ok(Proxy::Http { auth, .. }) = "http://us%2Fer:p%2Fass@proxy".parse() else {
            panic!("not an HTTP proxy");
        };
        assert_eq!(auth.unwrap(), "Basic dXMvZXI6cC9hc3M=");
        let Ok(Proxy::Socks { auth, .. }) = "socks5://user:p%2Fass@proxy".parse() else {
            panic!("not a SOCKS proxy");
        };
        assert_eq!(auth.unwrap(), ("user".to_owned(), "p/ass".to_owned()));
    }

    #[test]
    fn environment() {
        let read = |variables: &'static [(&str, &str)]| {
            Environment::read(|wanted| {
                variables
                    .iter()
                    .find(|(name, _)| *name == wanted)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        let environment = read(&[("http_proxy", "a"), ("HTTPS_PROXY", "b")]);
        assert_eq!(environment.http.as_deref(), Some("a"));
        assert_eq!(environment.https.as_deref(), Some("b"));
        let environment = read(&[("all_proxy", "all"), ("HTTPS_PROXY", "b")]);
        assert_eq!(environment.http.as_deref(), Some("all"));
        assert_eq!(environment.https.as_deref(), Some("all"));
        let environment = read(&[("HTTP_PROXY", "a"), ("REQUEST_METHOD", "GET")]);
        assert_eq!(environment.http, None);
        assert_eq!(read(&[("HTTP_PROXY", "")]).http, None);

        let environment = read(&[("NO_PROXY", "example.com, 10.0.0.0/8, ::1")]);
        let passes = |url| {
            environment
                .bypass
                .intercept(&Uri::from_static(url))
                .is_none()
        };
        assert!(passes("http://example.com"));
        assert!(passes("https://sub.example.com:8443"));
        assert!(passes("http://10.1.2.3"));
        assert!(passes("http://[::1]:8000"));
        assert!(!passes("http://notexample.com"));
        assert!(!passes("http://11.1.2.3"));
        let environment = read(&[("no_proxy", "a, *")]);
        for url in ["http://example.com", "http://10.1.2.3", "https://[::1]"] {
            assert!(
                environment
                    .bypass
                    .intercept(&Uri::from_static(url))
                    .is_none()
            );
        }
    }

    #[test]
    fn answers_to_connect() {
        assert_eq!(answer_length(b"HTTP/1.1 200 OK\r\n"), Ok(None));
        assert_eq!(answer_length(b"HTTP/1.1 200 OK\r\n\r\nmore"), Ok(Some(19)));
        assert_eq!(
            answer_length(b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n"),
            Ok(Some(47))
        );
        assert_eq!(
            answer_length(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
            Err("no tunnel: 403 Forbidden".to_owned())
        );
        for other in ["SSH-2.0-OpenSSH\r\n", "\x05\x00"] {
            assert!(answer_length(other.as_bytes()).is_err());
        }
    }
}
