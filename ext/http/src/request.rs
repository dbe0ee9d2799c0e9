//! The ops with which a script reads a request. No JavaScript value is made
//! before the script asks for it.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::convert::Uint8Array;
use deno_core::op2;
use deno_core::v8;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;

use crate::error::HttpError;
use crate::exchange::Exchange;
use crate::exchange::Exchanges;
use crate::exchange_table::ExchangeId;
use crate::peer::Peer;
use crate::request_body::RequestBody;

/// The exchange that a script names by `id`.
pub(crate) fn exchange(state: &OpState, id: f64) -> Result<Rc<Exchange>, HttpError> {
    state
        .borrow::<Rc<Exchanges>>()
        .get(id as ExchangeId)
        .ok_or(HttpError::RequestClosed)
}

#[op2]
pub(crate) fn op_http_request_method<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &OpState,
    id: f64,
) -> Result<v8::Local<'s, v8::String>, HttpError> {
    let exchange = exchange(state, id)?;
    let method = match exchange.is_websocket_connect() {
        true => &Method::GET,
        false => &exchange.head().method,
    };
    Ok(internalized(scope, method.as_str().as_bytes()))
}

/// The URL of the request: the scheme of the server (not that of the client), then the authority
/// that the client named, then the target as it was sent.
#[op2]
pub(crate) fn op_http_request_url<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &OpState,
    id: f64,
) -> Result<v8::Local<'s, v8::String>, HttpError> {
    let exchange = exchange(state, id)?;
    let url = url(&exchange);
    // A target that is not ASCII is UTF-8.
    Ok(if url.is_ascii() {
        latin1(scope, url.as_bytes())
    } else {
        v8::String::new(scope, &url).unwrap_or_else(|| v8::String::empty(scope))
    })
}

/// The names and the values of the headers, alternating. Lines of one name come
/// together, and names are in lower case.
#[op2]
pub(crate) fn op_http_request_headers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &OpState,
    id: f64,
) -> Result<v8::Local<'s, v8::Array>, HttpError> {
    let exchange = exchange(state, id)?;
    let headers = &exchange.head().headers;
    let mut flat: Vec<v8::Local<v8::Value>> = Vec::with_capacity(headers.len() * 2);
    for_each_header(&exchange, |name, value| {
        flat.push(internalized(scope, name).into());
        flat.push(latin1(scope, value).into());
    });
    Ok(v8::Array::new_with_elements(scope, &flat))
}

/// The same in one string, with a line feed behind each name and each value. No name and no value
/// has a line feed.
#[op2]
pub(crate) fn op_http_request_header_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &OpState,
    id: f64,
) -> Result<v8::Local<'s, v8::String>, HttpError> {
    let exchange = exchange(state, id)?;
    let mut text = Vec::with_capacity(512);
    for_each_header(&exchange, |name, value| {
        for part in [name, value] {
            text.extend_from_slice(part);
            text.push(b'\n');
        }
    });
    Ok(latin1(scope, &text))
}

/// Calls `visit` with the name and the value of each header.
fn for_each_header(exchange: &Exchange, mut visit: impl FnMut(&[u8], &[u8])) {
    let headers = &exchange.head().headers;
    for name in headers.keys() {
        if name == header::COOKIE {
            // HTTP/2 splits cookies into lines, and the lines of this field are
            // not joined with a comma.
            visit(b"cookie", &joined(headers.get_all(name).iter(), name));
            continue;
        }
        for value in headers.get_all(name) {
            visit(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if exchange.is_websocket_connect() {
        for (name, value) in UPGRADE {
            visit(name.as_str().as_bytes(), value.as_bytes());
        }
    }
}

/// The value of one header, with its lines joined, or null if there is none.
#[op2]
pub(crate) fn op_http_request_header<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &OpState,
    id: f64,
    #[string(onebyte)] name: Cow<'_, [u8]>,
) -> Result<v8::Local<'s, v8::Value>, HttpError> {
    let exchange = exchange(state, id)?;
    let Ok(name) = HeaderName::from_bytes(&name) else {
        return Ok(v8::null(scope).into());
    };
    if exchange.is_websocket_connect()
        && let Some((_, value)) = UPGRADE.iter().find(|(upgrade, _)| *upgrade == name)
    {
        return Ok(internalized(scope, value.as_bytes()).into());
    }
    let values = exchange.head().headers.get_all(&name);
    let mut values = values.iter();
    Ok(match (values.next(), values.next()) {
        (None, _) => v8::null(scope).into(),
        (Some(value), None) => latin1(scope, value.as_bytes()).into(),
        (Some(_), Some(_)) => {
            let values = exchange.head().headers.get_all(&name);
            latin1(scope, &joined(values.iter(), &name)).into()
        }
    })
}

/// The address and the port of the client; the address is empty on a unix
/// socket.
#[op2]
pub(crate) fn op_http_request_peer(state: &OpState, id: f64) -> Result<(String, u16), HttpError> {
    Ok(match exchange(state, id)?.peer {
        Peer::Ip(address) => (address.ip().to_string(), address.port()),
        Peer::Unix => (String::new(), 0),
    })
}

/// Sets for how many seconds the body of this request may bring no bytes. 0 means without a limit.
#[op2(fast)]
pub(crate) fn op_http_request_timeout(
    state: &OpState,
    id: f64,
    seconds: f64,
) -> Result<(), HttpError> {
    // A number that a Duration cannot hold also means without a limit.
    let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    exchange(state, id)?.set_body_timeout(timeout);
    Ok(())
}

/// The body if all of it has come, or null if it has to be streamed with
/// [`op_http_request_body_stream`].
#[op2]
pub(crate) fn op_http_request_body(
    state: &OpState,
    id: f64,
) -> Result<Option<Uint8Array>, HttpError> {
    let exchange = exchange(state, id)?;
    let Some(mut body) = exchange.take_body() else {
        return Ok(Some(Vec::new().into()));
    };
    let ready = body.take_ready();
    if ready.is_none() {
        exchange.put_body(body);
    }
    Ok(ready.map(Uint8Array::from))
}

/// Returns a resource that reads the body from the connection when the resource
/// is read.
#[op2(fast)]
#[smi]
pub(crate) fn op_http_request_body_stream(
    state: &mut OpState,
    id: f64,
) -> Result<ResourceId, HttpError> {
    let exchange = exchange(state, id)?;
    let body = exchange.take_body().ok_or(HttpError::RequestClosed)?;
    let body = RequestBody::new(body, exchange);
    Ok(state.resource_table.add(body))
}

pub(crate) fn url(exchange: &Exchange) -> String {
    let server = exchange.server();
    if let Some((host, target)) = exchange.raw_host_and_target() {
        // This does the same as the code below without parsing the head, which
        // may never be needed.
        let host = match host {
            "" => server.fallback_authority(),
            host => host,
        };
        return [server.scheme(), host, target].concat();
    }
    let uri = &exchange.head().uri;
    let host = exchange.head().headers.get(header::HOST);
    let authority: Cow<'_, str> = match (uri.authority(), host) {
        (Some(authority), _) => authority.as_str().into(),
        (None, Some(host)) if !host.is_empty() => match host.to_str() {
            Ok(host) => host.into(),
            Err(_) => host.as_bytes().iter().copied().map(char::from).collect(),
        },
        (None, _) => server.fallback_authority().into(),
    };
    let mut url = String::with_capacity(128);
    // This is not the scheme that the client named.
    url.push_str(server.scheme());
    url.push_str(&authority);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    if !target.starts_with('/') {
        // `OPTIONS *`, or a query right after the authority.
        url.push('/');
    }
    url.push_str(target);
    url
}

/// The fields that are added to a WebSocket handshake over HTTP/2 for the
/// script. HTTP/2 has no such fields (RFC 8441 section 5).
const UPGRADE: [(HeaderName, &str); 2] = [
    (header::UPGRADE, "websocket"),
    (header::CONNECTION, "Upgrade"),
];

/// Joins the lines of a field to one value.
fn joined<'a>(values: impl Iterator<Item = &'a HeaderValue>, name: &HeaderName) -> Vec<u8> {
    let separator: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
    let mut joined = Vec::new();
    for (index, value) in values.enumerate() {
        if index > 0 {
            joined.extend_from_slice(separator);
        }
        joined.extend_from_slice(value.as_bytes());
    }
    joined
}

fn internalized<'s>(scope: &v8::PinScope<'s, '_>, bytes: &[u8]) -> v8::Local<'s, v8::String> {
    v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Internalized)
        .unwrap_or_else(|| v8::String::empty(scope))
}

/// A string with the code points of `bytes`. The limits for fields are far
/// below the length that a string can have.
fn latin1<'s>(scope: &v8::PinScope<'s, '_>, bytes: &[u8]) -> v8::Local<'s, v8::String> {
    v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Normal)
        .unwrap_or_else(|| v8::String::empty(scope))
}
