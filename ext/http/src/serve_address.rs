//! `DENO_SERVE_ADDRESS`: the address of the first server of a program. It replaces the address in
//! the program, as in Deno.

use std::net::SocketAddr;

use deno_core::op2;

const VARIABLE: &str = "DENO_SERVE_ADDRESS";

/// An address in the form that deno_node takes too: its kind, the host or path, the port, and
/// whether the server also listens at the address in the program.
type Override = (u8, String, u32, bool);

const NONE: u8 = 0;
const TCP: u8 = 1;
const UNIX: u8 = 2;
const VSOCK: u8 = 3;

/// Reads `DENO_SERVE_ADDRESS`. A value that is not valid is logged and has no effect, as in Deno.
#[op2]
pub(crate) fn op_http_serve_address_override() -> Override {
    let Ok(value) = std::env::var(VARIABLE) else {
        return (NONE, String::new(), 0, false);
    };
    parse(&value).unwrap_or_else(|problem| {
        log::error!(
            "{VARIABLE}: {problem} in \"{value}\". Use tcp:ADDRESS:PORT, with [] around an IPv6 \
             address, or unix:PATH"
        );
        (NONE, String::new(), 0, false)
    })
}

fn parse(value: &str) -> Result<Override, &'static str> {
    let (value, is_duplicate) = match value.strip_prefix("duplicate,") {
        Some(value) => (value, true),
        None => (value, false),
    };
    match value.split_once(':') {
        Some(("tcp", address)) => {
            let address: SocketAddr = address.parse().map_err(|_| "there is no IP address")?;
            let host = match address {
                SocketAddr::V4(address) => address.ip().to_string(),
                SocketAddr::V6(address) => format!("[{}]", address.ip()),
            };
            Ok((TCP, host, address.port().into(), is_duplicate))
        }
        Some(("unix", "")) => Err("there is no path"),
        Some(("unix", path)) => Ok((UNIX, path.to_string(), 0, is_duplicate)),
        Some(("vsock", address)) => {
            let (cid, port) = address.split_once(':').ok_or("there is no port")?;
            if cid != "-1" && cid.parse::<u32>().is_err() {
                return Err("there is no context id");
            }
            let port = port.parse().map_err(|_| "there is no port")?;
            Ok((VSOCK, cid.to_string(), port, is_duplicate))
        }
        _ => Err("there is no kind of address that duplex knows"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<(u8, String, u32, bool), &'static str> {
        parse(value)
    }

    #[test]
    fn addresses() {
        let tcp = |host: &str, is_duplicate| Ok((TCP, host.to_string(), 80, is_duplicate));
        assert_eq!(parsed("tcp:127.0.0.1:80"), tcp("127.0.0.1", false));
        assert_eq!(parsed("tcp:[::1]:80"), tcp("[::1]", false));
        assert_eq!(parsed("duplicate,tcp:0.0.0.0:80"), tcp("0.0.0.0", true));
        assert_eq!(
            parsed("unix:/run/a:b"),
            Ok((UNIX, "/run/a:b".to_string(), 0, false))
        );
        assert_eq!(
            parsed("vsock:-1:5"),
            Ok((VSOCK, "-1".to_string(), 5, false))
        );
    }

    #[test]
    fn what_is_none() {
        for value in [
            "",
            "8000",
            "tcp:",
            "tcp:localhost:80",
            "tcp:127.0.0.1",
            "tcp:127.0.0.1:65536",
            "unix:",
            "vsock:1",
            "vsock:a:1",
            "vsock:1:a",
            "tunnel:",
            "duplicate,",
        ] {
            assert!(parsed(value).is_err(), "{value}");
        }
    }
}
