//! The parser of the addresses in flags on which the process listens.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;

/// Parses `HOST:PORT`, or a port with or without a colon before it, for which the host is
/// 127.0.0.1. If there is a default port, the value may also be only a host, or empty.
pub(super) fn parse_listen_address(
    value: &str,
    default_port: Option<u16>,
) -> Result<SocketAddr, String> {
    if let Ok(address) = value.parse() {
        return Ok(address);
    }
    let localhost = Ipv4Addr::LOCALHOST;
    if let Ok(port) = value.strip_prefix(':').unwrap_or(value).parse::<u16>() {
        return Ok((localhost, port).into());
    }
    let expected = || match default_port {
        Some(_) => "expected HOST:PORT".to_string(),
        None => "expected PORT or HOST:PORT".to_string(),
    };
    if value.is_empty() {
        let port = default_port.ok_or_else(expected)?;
        return Ok((localhost, port).into());
    }
    let (host, port) = match value.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| expected())?),
        None => (value, default_port.ok_or_else(expected)?),
    };
    let mut addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| error.to_string())?;
    addresses
        .next()
        .ok_or_else(|| format!("\"{host}\" has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_enough() {
        let parse = |value| parse_listen_address(value, None).map(|it| it.to_string());
        for (value, address) in [
            ("9090", "127.0.0.1:9090"),
            (":9090", "127.0.0.1:9090"),
            ("0.0.0.0:9090", "0.0.0.0:9090"),
            ("[::1]:0", "[::1]:0"),
        ] {
            assert_eq!(parse(value).as_deref(), Ok(address));
        }
        for value in [
            "",
            "127.0.0.1",
            "::1",
            "localhost",
            "localhost:x",
            "65536",
            "a:65536",
        ] {
            assert!(parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_host_is_enough_where_there_is_a_port() {
        let parse = |value| parse_listen_address(value, Some(9229)).map(|it| it.to_string());
        assert_eq!(parse("").as_deref(), Ok("127.0.0.1:9229"));
        assert_eq!(parse("127.0.0.2").as_deref(), Ok("127.0.0.2:9229"));
        assert!(parse("127.0.0.2:x").is_err());
    }
}
