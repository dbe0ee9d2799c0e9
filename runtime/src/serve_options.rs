//! The options of serving a module.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deno_core::OpState;
use duplex_http::Certificates;
use duplex_http::OwnAddress;
use duplex_http::OwnPath;
use duplex_http::ServerLimits;

/// The options from the command line: where to serve, through which broker, and within which
/// limits. They take precedence over the options of the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeOptions {
    /// A name or an address. An IPv6 address has no brackets.
    pub hostname: Option<String>,
    /// The port. With 0 the system chooses a port.
    pub port: Option<u16>,
    /// The path of a unix socket, in place of a name and a port.
    pub path: Option<PathBuf>,
    /// The port of the environment, which is used if neither the command line nor the module names
    /// a port.
    pub default_port: Option<u16>,
    /// The URL of the broker that the topics go through.
    pub broker: Option<String>,
    /// The certificates for TLS. If there are any, the server uses TLS even if the module says
    /// nothing of it.
    pub certificates: Option<Arc<Certificates>>,
    /// How many connections and WebSockets all servers of the program may have. Further
    /// connections are closed when they are accepted. No limit by default.
    pub max_connections: Option<usize>,
    /// How many bytes a request body may have. A longer one is answered with 413. No limit by
    /// default.
    pub max_request_body_size: Option<u64>,
    /// How long requests and WebSockets may take to end when a signal has ended the server. 8 s by
    /// default, which is less than the 10 s after which Docker kills a container.
    pub shutdown_timeout: Option<Duration>,
}

impl ServeOptions {
    /// Puts the options into the `state` of an event loop, before any code of the program runs.
    ///
    /// The server may listen without a permission on an address of the command line, or on the
    /// default address, because the user asked to serve there. This does not apply to an address
    /// that the module names.
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

    /// The shutdown timeout in milliseconds, for the serving script.
    pub(crate) fn shutdown_milliseconds(&self) -> f64 {
        let timeout = self.shutdown_timeout.unwrap_or(SHUTDOWN_TIMEOUT);
        timeout.as_secs_f64() * 1000.0
    }
}

/// The default of the shutdown timeout.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);
