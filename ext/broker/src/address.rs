//! The URL of a broker.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// The address of a broker, with the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The protocol of the broker.
    pub protocol: Protocol,
    /// Whether the URL asks for TLS.
    pub is_secure: bool,
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The port of TCP.
    pub port: u16,
    /// The user, if the URL names one.
    pub user: Option<String>,
    /// The password, if the URL has one.
    pub password: Option<String>,
    /// The number of the database of Redis. The default is 0.
    pub database: u32,
}

/// The protocol of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// NATS.
    Nats,
    /// Redis, or a server with its protocol.
    Redis,
}

/// Why a URL is not that of a broker.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The text is not a URL.
    #[error("{0}")]
    Url(#[from] url::ParseError),
    /// The scheme is that of no broker.
    #[error("{0}: is not a scheme of a broker: use nats:, tls: (NATS with TLS), redis: or rediss:")]
    Scheme(String),
    /// No host is named.
    #[error("the URL names no host")]
    NoHost,
    /// The path is not the number of a database.
    #[error("the path of the URL must be the number of a database")]
    Database,
    /// The URL of a NATS server has a path.
    #[error("the URL of a NATS server has no path")]
    Path,
    /// The URL has a query or a fragment.
    #[error("the URL of a broker has no query and no fragment")]
    Extra,
    /// The user or the password is not UTF-8.
    #[error("user and password must be UTF-8")]
    Credentials,
}

impl Address {
    /// Reads `nats://`, `tls://`, `redis://` and `rediss://`, with `user:password@` if the broker
    /// needs it. A user without a password is a token for NATS.
    ///
    /// # Errors
    /// [`AddressError`] if the text is not such a URL.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text)?;
        let (protocol, is_secure, default_port) = match url.scheme() {
            "nats" => (Protocol::Nats, false, 4222),
            "tls" => (Protocol::Nats, true, 4222),
            "redis" => (Protocol::Redis, false, 6379),
            "rediss" => (Protocol::Redis, true, 6379),
            other => return Err(AddressError::Scheme(other.to_string())),
        };
        let host = match url.host() {
            None | Some(Host::Domain("")) => return Err(AddressError::NoHost),
            Some(Host::Domain(name)) => decode(name)?,
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Extra);
        }
        let path = url.path().trim_start_matches('/');
        let database = match (protocol, path) {
            (_, "") => 0,
            (Protocol::Redis, path) => path.parse().map_err(|_| AddressError::Database)?,
            (Protocol::Nats, _) => return Err(AddressError::Path),
        };
        let user = match url.username() {
            "" => None,
            user => Some(decode(user)?),
        };
        Ok(Self {
            protocol,
            is_secure,
            host,
            port: url.port().unwrap_or(default_port),
            user,
            password: url.password().map(decode).transpose()?,
            database,
        })
    }
}

fn decode(text: &str) -> Result<String, AddressError> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| AddressError::Credentials)?.into_owned())
}

/// The address without the credentials.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.protocol, self.is_secure) {
            (Protocol::Nats, false) => "nats",
            (Protocol::Nats, true) => "tls",
            (Protocol::Redis, false) => "redis",
            (Protocol::Redis, true) => "rediss",
        };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_says() {
        let address = Address::parse("redis://me:a%40b@[::1]:7000/3").unwrap();
        assert_eq!(address.protocol, Protocol::Redis);
        assert_eq!((address.host.as_str(), address.port), ("::1", 7000));
        assert_eq!(address.user.as_deref(), Some("me"));
        assert_eq!(address.password.as_deref(), Some("a@b"));
        assert_eq!(address.database, 3);
        assert_eq!(address.to_string(), "redis://[::1]:7000");

        let address = Address::parse("tls://token@example.com").unwrap();
        assert_eq!(address.protocol, Protocol::Nats);
        assert!(address.is_secure);
        assert_eq!(address.port, 4222);
        assert_eq!(address.user.as_deref(), Some("token"));
        assert_eq!(address.password, None);
        assert_eq!(format!("{address:?}"), "Address(tls://example.com:4222)");
    }

    #[test]
    fn what_is_no_broker() {
        for (url, problem) in [
            ("http://a", "http: is not a scheme of a broker"),
            ("nats:", "names no host"),
            ("nats://", "host"),
            ("localhost:4222", "localhost: is not a scheme of a broker"),
            ("redis://a/b", "number of a database"),
            ("nats://a/b", "no path"),
            ("nats://a?b", "no query"),
            ("nats://a#b", "no fragment"),
            ("nats://%ff@a", "UTF-8"),
            ("nats://a:b", "port"),
            ("", "relative"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(problem), "{url}: {error}");
        }
    }
}
