//! How a module is served.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deno_core::OpState;
use duplex_http::Certificates;
use duplex_http::OwnAddress;
use duplex_http::OwnPath;
use duplex_http::ServerLimits;

/// Where to serve, through which broker, and within which limits, as far as the command line
/// says. It goes before what the module says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeOptions {
    /// A name or an address, IPv6 without brackets.
    pub hostname: Option<String>,
    /// 0 lets the system choose.
    pub port: Option<u16>,
    /// A unix socket, in place of a name and a port.
    pub path: Option<PathBuf>,
    /// Where neither the command line nor the module names a port: that of the environment.
    pub default_port: Option<u16>,
    /// The URL of the broker that the topics go through.
    pub broker: Option<String>,
    /// With them the server speaks TLS, whatever the module says.
    pub certificates: Option<Arc<Certificates>>,
    /// How many connections and WebSockets all servers of the program may have. Further
    /// connections are closed when they are accepted. No limit by default.
    pub max_connections: Option<usize>,
    /// How many bytes a request body may have. A longer one is answered with 413. No limit by
    /// default.
    pub max_request_body_size: Option<u64>,
    /// How long requests and WebSockets may take to end when a signal has ended the server.
    /// 8 s by default, which is less than the 10 s after which Docker kills.
    pub shutdown_timeout: Option<Duration>,
}

impl ServeOptions {
    /// Puts into the `state` of an event loop, before any of the program runs, what holds for
    /// the server that is started there for the user.
    ///
    /// The server may listen without a permission at an address of the command line, or at the
    /// default, since serving there is what the user asked for. What the module says has no
    /// part in it.
    pub(crate) fn install(&self, state: &mut OpState) {
        match &self.path {
            Some(path) => state.put(OwnPath(path.clone())),
            None => state.put(OwnAddress {
                hostname: self.hostname.as_deref().unwrap_or("0.0.0.0").to_owned(),
                port: self.port.or(self.default_port).unwrap_or(8000),
            }),
        }
        if let Some(certificates) = &self.certificates {
            state.put(certificates.clone());
        }
        let limits = state.try_borrow::<ServerLimits>().copied();
        let limits = limits.unwrap_or_default();
        state.put(ServerLimits {
            max_connections: self.max_connections.unwrap_or(limits.max_connections),
            body_bytes: self.max_request_body_size.unwrap_or(limits.body_bytes),
            ..limits
        });
        state.put(self.clone());
    }

    /// Milliseconds, as the module that serves wants it.
    pub(crate) fn shutdown_milliseconds(&self) -> f64 {
        let timeout = self.shutdown_timeout.unwrap_or(SHUTDOWN_TIMEOUT);
        timeout.as_secs_f64() * 1000.0
    }
}

/// The default.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);
