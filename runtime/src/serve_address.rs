//! Where a module is served.

use duplex_http::OwnAddress;

/// Where to serve and through which broker, as far as the command line says. It goes before
/// what the module says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeAddress {
    /// A name or an address, IPv6 without brackets.
    pub hostname: Option<String>,
    /// 0 lets the system choose.
    pub port: Option<u16>,
    /// Where neither the command line nor the module names a port: that of the environment.
    pub default_port: Option<u16>,
    /// The URL of the broker that the topics go through.
    pub broker: Option<String>,
    /// With it the server speaks TLS, whatever the module says.
    pub certificate: Option<ServeCertificate>,
}

/// A chain of certificates and the key of the first, both as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeCertificate {
    /// The certificates.
    pub chain: String,
    /// The key.
    pub key: String,
}

impl ServeAddress {
    /// Where the server may listen without a permission, since serving there is what
    /// the user asked for: an address of the command line, or the default. What the
    /// module says has no part in it.
    pub(crate) fn own(&self) -> OwnAddress {
        OwnAddress {
            hostname: self.hostname.as_deref().unwrap_or("0.0.0.0").to_owned(),
            port: self.port.or(self.default_port).unwrap_or(8000),
        }
    }
}
