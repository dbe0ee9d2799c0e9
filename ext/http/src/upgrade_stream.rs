//! The upgrade of a connection on which the script has read a handshake itself: a socket that the
//! event `upgrade` of a `node:http` server gives.

use bytes::Bytes;
use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::op2;
use deno_core::v8;
use deno_net::raw::NetworkStream;
use deno_net::raw::NetworkStreamAddress;
use deno_net::raw::take_network_stream_resource;
use duplex_protocol::deflate::ServerConfig;
use duplex_websocket::Limits;
use duplex_websocket::ServerOptions;
use duplex_websocket::ShownHandshake;
use duplex_websocket::SocketGroup;
use duplex_websocket::deflate::PerMessageDeflate;
use duplex_websocket::limits::LimitOptions;
use duplex_websocket::limits::timeout;
use duplex_websocket::network_events;
use http::header;

use crate::error::HttpError;
use crate::peer::Peer;
use crate::response::header_map;
use crate::upgrade::answer_head;
use crate::upgrade::client_offer;
use crate::upgrade::lines;

/// What the script knows of a handshake.
#[derive(deno_core::FromV8)]
struct Handshake {
    method: String,
    url: String,
    /// The subprotocol that the server picked, or an empty string.
    protocol: String,
}

/// The sockets of this runtime that came this way: they have their topics in common.
struct Sockets(SocketGroup);

/// Answers the handshake whose client is at the other end of the stream `rid`, with the headers
/// `answer` of the script. The script has read `read_ahead` behind the `request`. Returns the
/// connection and the value of Sec-WebSocket-Extensions.
#[op2]
pub(crate) fn op_http_upgrade_stream(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[buffer] read_ahead: &[u8],
    #[scoped] handshake: Handshake,
    request: v8::Local<v8::Array>,
    answer: v8::Local<v8::Array>,
    #[scoped] deflate: Option<PerMessageDeflate>,
    idle_timeout: f64,
    send_pings: bool,
    #[scoped] limits: Option<LimitOptions>,
) -> Result<(u32, String), HttpError> {
    let stream = take_network_stream_resource(&mut state.resource_table, rid)?;
    let request = header_map(scope, request)?;
    let answer = header_map(scope, answer)?;
    let Handshake {
        method,
        url,
        protocol,
    } = handshake;
    let refused = |error: &dyn std::fmt::Display| HttpError::UpgradeFailed(error.to_string());
    let mut offer = client_offer(&method, request.clone()).map_err(|error| refused(&error))?;
    let deflate = match deflate.map(ServerConfig::from) {
        Some(config) => offer
            .negotiate_deflate(&config)
            .map_err(|error| refused(&error))?
            .map(|parameters| (parameters, config.compression)),
        None => None,
    };
    let extensions = deflate.map_or_else(String::new, |(agreed, _)| agreed.to_string());
    let accept = offer.into_accept_key().unwrap_or_default();
    let agreed = [
        (header::UPGRADE, "websocket"),
        (header::CONNECTION, "Upgrade"),
        (header::SEC_WEBSOCKET_ACCEPT, &accept),
        (header::SEC_WEBSOCKET_EXTENSIONS, &extensions),
    ];
    let agreed = agreed.into_iter().filter(|(_, value)| !value.is_empty());
    let agreed = agreed.map(|(name, value)| (name, value.into()));
    let head = answer_head(agreed, &protocol, Some(answer));

    let peer = match stream.peer_address() {
        Ok(NetworkStreamAddress::Ip(address)) => Peer::Ip(address),
        _ => Peer::Unix,
    };
    if !state.has::<Sockets>() {
        state.put(Sockets(SocketGroup::default()));
    }
    let options = ServerOptions {
        idle_timeout: timeout(idle_timeout),
        sends_pings: send_pings,
        limits: limits.map_or_else(Limits::default, Limits::from),
        deflate,
        group: Some(state.borrow::<Sockets>().0.clone()),
        remote_addr: match peer {
            Peer::Ip(address) => Some(address),
            Peer::Unix => None,
        },
        is_tls: matches!(stream, NetworkStream::Tls(_)),
        answer: head.clone(),
        ..ServerOptions::default()
    };
    let read_ahead = Bytes::copy_from_slice(read_ahead);
    let id = duplex_websocket::accept(state, stream.into(), read_ahead, options);
    if duplex_websocket::logs_connections() {
        duplex_websocket::log_opened(id, &peer, &url, &protocol, &extensions);
    }
    if network_events::is_on() {
        let handshake = ShownHandshake {
            url: format!("ws{}", url.strip_prefix("http").unwrap_or_default()),
            request: lines(&request).collect(),
            status: 101,
            answer: network_events::head_lines(&head).collect(),
        };
        handshake.show(state, id);
    }
    Ok((id, extensions))
}
