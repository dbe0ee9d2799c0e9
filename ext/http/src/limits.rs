//! The limits of a server.

use std::time::Duration;

use hyper::server::conn::http1;

/// hyper's server of HTTP/1.1, with the limits of a server.
pub(crate) type Http1 = http1::Builder;

/// The limits of a server, against clients that send too much or too slowly.
///
/// An embedder overrides the defaults by putting a `ServerLimits` into the
/// `OpState` before a script serves.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// How long a request head may take, from its first byte to its last, and
    /// how long a new connection may take to send its first head. The
    /// connection is closed after that. The time is exact to a sixth of itself.
    /// The default is 30 s.
    pub head_timeout: Duration,
    /// How long a connection may wait for the next request. The connection is closed after that.
    /// Proxies commonly close idle connections after 60 s, and a proxy should close first. The
    /// default is 75 s.
    pub keep_alive_timeout: Duration,
    /// How long a client may send no bytes of a body that the script is reading. Reading fails
    /// after that. The default is 60 s.
    pub body_timeout: Duration,
    /// How long a client may take no bytes of an answer. The connection, or the stream of HTTP/2,
    /// is ended after that. The default is 60 s.
    pub send_timeout: Duration,
    /// The longest request head, in bytes. A longer head is answered with 431,
    /// and a longer request line with 414. The default is 64 KiB.
    pub head_bytes: usize,
    /// The most header fields of a request. A request with more is answered
    /// with 431. The default is 128.
    pub header_fields: usize,
    /// The longest request body, in bytes. A longer body is answered with 413, and reading it
    /// fails. The default is no limit.
    pub body_bytes: u64,
    /// The most connections and WebSockets together. Further connections are closed when they are
    /// accepted. If event loops share a server, the limit holds for all loops together. The default
    /// is no limit.
    pub max_connections: usize,
}

/// The limits that a script sets for its server. 0 leaves a limit unchanged.
#[derive(Clone, Copy, Default)]
pub(crate) struct OwnLimits {
    pub head_bytes: u32,
    pub body_bytes: u64,
}

impl OwnLimits {
    /// The limits of a script. `body_bytes` is a JavaScript number.
    pub(crate) fn new(head_bytes: u32, body_bytes: f64) -> Self {
        Self {
            head_bytes,
            body_bytes: body_bytes as u64,
        }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            head_bytes: 64 * 1024,
            header_fields: 128,
            body_bytes: u64::MAX,
            max_connections: usize::MAX,
        }
    }
}

impl ServerLimits {
    /// These limits, changed by those of a script.
    pub(crate) fn with(mut self, own: OwnLimits) -> Self {
        if own.head_bytes != 0 {
            self.head_bytes = own.head_bytes as usize;
        }
        if own.body_bytes != 0 {
            self.body_bytes = own.body_bytes;
        }
        self
    }

    /// The number of sweeps after which a head is late.
    pub const SWEEPS: u16 = 6;

    /// The time between two sweeps.
    pub fn sweep_interval(&self) -> Duration {
        (self.head_timeout / u32::from(Self::SWEEPS)).max(Duration::from_millis(1))
    }

    /// The number of sweeps after which `timeout` has passed.
    pub fn sweeps(&self, timeout: Duration) -> u16 {
        let sweeps = timeout.div_duration_f64(self.sweep_interval()).ceil();
        // A larger number saturates.
        sweeps as u16
    }

    /// hyper's server of HTTP/1.1 with these limits.
    pub fn http1(&self) -> Http1 {
        let mut protocol = http1::Builder::new();
        protocol
            // hyper refuses buffers of less than 8 KiB.
            .max_buf_size(self.head_bytes.max(8 * 1024))
            .max_header_size(self.head_bytes)
            .max_headers(self.header_fields)
            .header_read_timeout(None);
        protocol
    }
}
