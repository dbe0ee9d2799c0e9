//! Looks up names, and connects to addresses.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use deno_core::OpState;
use deno_net::happy_eyeballs::{DEFAULT_ATTEMPT_DELAY_MS, connect_happy_eyeballs};
use deno_permissions::PermissionsContainer;
use tokio::net::{TcpSocket, TcpStream};

use super::api::API;
use super::dial_error::DialError;

/// The addresses of `host`. Fails if the program may not connect to one of
/// them. An IPv6 address may have its brackets.
pub(super) async fn resolve(
    state: &Rc<RefCell<OpState>>,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, DialError> {
    let addresses: Vec<SocketAddr> = match bare(host).parse::<IpAddr>() {
        Ok(ip) => vec![(ip, port).into()],
        Err(_) if is_below_localhost(host) => {
            let loopback: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
            loopback.map(|ip| (ip, port).into()).to_vec()
        }
        Err(_) => tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| DialError::Dns {
                host: host.to_owned(),
                error,
            })?
            .collect(),
    };
    // A name that is allowed may stand for an address that is denied.
    for address in &addresses {
        state
            .borrow_mut()
            .borrow_mut::<PermissionsContainer>()
            .check_net_resolved(&address.ip(), port, API)?;
    }
    Ok(addresses)
}

/// Whether `host` is a name such as `a.localhost`. Such a name stands for this machine (RFC 6761
/// section 6.3). Browsers know this rule, but the resolvers of many systems do not.
fn is_below_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (_, last) = host.rsplit_once('.').unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// Connects to the first of the addresses that answers (RFC 8305), from `local`
/// if it is given.
pub(super) async fn connect(
    addresses: Vec<SocketAddr>,
    local: Option<IpAddr>,
) -> Result<TcpStream, DialError> {
    let stream = match local {
        None => {
            let delay = Duration::from_millis(DEFAULT_ATTEMPT_DELAY_MS);
            connect_happy_eyeballs(addresses, delay, None)
                .await
                .map(|connected| connected.stream)
        }
        Some(local) => connect_from(local, &addresses).await,
    }
    .map_err(DialError::Connect)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Tries one address after the other. Addresses of the other family cannot be
/// reached from `local`, so the two families need no race.
async fn connect_from(local: IpAddr, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut result = Err(io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        format!("the host has no address of the family of localAddress {local}"),
    ));
    for &address in addresses {
        if address.is_ipv4() != local.is_ipv4() {
            continue;
        }
        let socket = match local {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind((local, 0).into())?;
        result = socket.connect(address).await;
        if result.is_ok() {
            break;
        }
    }
    result
}

/// The host without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}
