//! The ops with which a script answers a request.

use std::borrow::Cow;
use std::rc::Rc;

use deno_core::BufView;
use deno_core::JsBuffer;
use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::op2;
use deno_core::v8;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;

use crate::error::HttpError;
use crate::exchange::Exchange;
use crate::exchange::Exchanges;
use crate::exchange::Outcome;
use crate::exchange::ResponseBody;
use crate::exchange::plain;
use crate::exchange_table::ExchangeId;
use crate::metrics;
use crate::request::exchange;

/// Answers with a string. An empty `content_type` means no header. Returns the
/// number of an [`Outcome`].
#[op2(fast)]
#[smi]
pub(crate) fn op_http_respond_text(
    state: &mut OpState,
    id: f64,
    status: u16,
    #[string(onebyte)] content_type: Cow<'_, [u8]>,
    #[string] body: String,
) -> Result<u32, HttpError> {
    let headers = typed(&content_type)?;
    respond(state, id, status, headers, || {
        ResponseBody::whole(BufView::from(body.into_bytes()))
    })
}

/// Answers with bytes, as [`op_http_respond_text`] does with a string.
#[op2]
#[smi]
pub(crate) fn op_http_respond_bytes(
    state: &mut OpState,
    id: f64,
    status: u16,
    #[string(onebyte)] content_type: Cow<'_, [u8]>,
    #[buffer] body: JsBuffer,
) -> Result<u32, HttpError> {
    let headers = typed(&content_type)?;
    respond(state, id, status, headers, || {
        ResponseBody::whole(BufView::from(body))
    })
}

/// Answers with headers, a list of `[name, value]`, and with a string, bytes or
/// no body.
#[op2]
#[smi]
pub(crate) fn op_http_respond(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    id: f64,
    status: u16,
    headers: v8::Local<v8::Array>,
    #[string] text: Option<String>,
    #[buffer] bytes: Option<JsBuffer>,
) -> Result<u32, HttpError> {
    let mut headers = header_map(scope, headers)?;
    let has_body = text.is_some() || bytes.is_some();
    if has_body {
        // The real length is known here. Without a body, the header may tell
        // the length that the answer to a GET would have.
        headers.remove(header::CONTENT_LENGTH);
    }
    respond(state, id, status, headers, || match (text, bytes) {
        (Some(text), _) => ResponseBody::whole(BufView::from(text.into_bytes())),
        (None, Some(bytes)) => ResponseBody::whole(BufView::from(bytes)),
        (None, None) => ResponseBody::empty(),
    })
}

/// Answers with a body that is read from a resource while the client takes it.
/// `length` is the number of bytes, or negative if it is not known. If `owned`,
/// the resource is taken from the script.
#[op2(nofast)]
#[smi]
pub(crate) fn op_http_respond_stream(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    id: f64,
    status: u16,
    headers: v8::Local<v8::Array>,
    #[smi] rid: ResourceId,
    owned: bool,
    length: f64,
) -> Result<u32, HttpError> {
    let resource = if owned {
        state.resource_table.take_any(rid)?
    } else {
        state.resource_table.get_any(rid)?
    };
    // The body is made first, so that the resource is closed if a later step
    // fails.
    let mut body = ResponseBody::stream(resource, owned);
    let mut headers = header_map(scope, headers)?;
    let exchange = exchange(state, id)?;
    let announced = content_length(&headers);
    // The connection writes Content-Length from the length of the body. Only
    // the answer to a HEAD may announce bytes that are not sent.
    if exchange.head().method != Method::HEAD || length >= 0.0 {
        headers.remove(header::CONTENT_LENGTH);
        body.set_length(if length >= 0.0 {
            Some(length as u64)
        } else {
            announced
        });
    } else if announced.is_none() {
        headers.remove(header::CONTENT_LENGTH);
    }
    exchange.watch();
    respond(state, id, status, headers, || body)
}

/// Asks to be told how the exchange ends. Returns false if the exchange has
/// ended.
#[op2(fast)]
pub(crate) fn op_http_watch(state: &OpState, id: f64) -> bool {
    exchange(state, id).is_ok_and(|exchange| exchange.watch())
}

/// Forgets an exchange. A request that was not answered gets 500.
#[op2(fast)]
pub(crate) fn op_http_release(state: &OpState, id: f64) {
    let exchanges = state.borrow::<Rc<Exchanges>>();
    if let Some(exchange) = exchanges.remove(id as ExchangeId) {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        if exchange.answer(plain(status)) {
            metrics::note_answer(&exchange, status);
        }
    }
}

/// Gives the answer, and forgets the exchange if the script does not wait for
/// its end.
fn respond(
    state: &OpState,
    id: f64,
    status: u16,
    headers: HeaderMap,
    body: impl FnOnce() -> ResponseBody,
) -> Result<u32, HttpError> {
    let status = StatusCode::from_u16(status).map_err(|_| HttpError::InvalidStatus(status))?;
    let exchange = exchange(state, id)?;
    let outcome = answer(&exchange, status, headers, body());
    if outcome != Outcome::Gone {
        metrics::note_answer(&exchange, status);
    }
    if outcome != Outcome::Pending {
        let exchanges = state.borrow::<Rc<Exchanges>>();
        exchanges.remove(exchange.id());
    }
    Ok(outcome as u32)
}

pub(crate) fn answer(
    exchange: &Rc<Exchange>,
    status: StatusCode,
    mut headers: HeaderMap,
    mut body: ResponseBody,
) -> Outcome {
    if !exchange.is_open() {
        return Outcome::Gone;
    }
    if status == StatusCode::NO_CONTENT || status.is_informational() {
        // RFC 9110 section 8.6. Clients of HTTP/2 treat such a response as
        // broken.
        headers.remove(header::CONTENT_LENGTH);
    }
    let watched = exchange.is_watched();
    if watched {
        body.report_to(exchange.clone(), exchange.is_bodiless(status));
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    exchange.answer(response);
    if watched {
        Outcome::Pending
    } else {
        Outcome::Sent
    }
}

/// Headers with only a content type.
fn typed(content_type: &[u8]) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    if content_type == TEXT.as_bytes() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT));
    } else if !content_type.is_empty() {
        let value = HeaderValue::from_bytes(content_type)
            .map_err(|_| HttpError::InvalidHeaderValue("content-type".to_owned()))?;
        headers.insert(header::CONTENT_TYPE, value);
    }
    Ok(headers)
}

/// The content type that fetch gives to strings.
const TEXT: &str = "text/plain;charset=UTF-8";

/// Converts a list of `[name, value]`. Transfer-Encoding is left out, because
/// the script does not decide how the body is delimited.
pub(crate) fn header_map(
    scope: &mut v8::PinScope<'_, '_>,
    list: v8::Local<v8::Array>,
) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::with_capacity(list.length() as usize);
    for index in 0..list.length() {
        let entry = list.get_index(scope, index);
        let Some(entry) = entry.and_then(|entry| entry.try_cast::<v8::Array>().ok()) else {
            continue;
        };
        let name = field_bytes(scope, entry, 0);
        let value = field_bytes(scope, entry, 1);
        let name = HeaderName::from_bytes(&name)
            .map_err(|_| HttpError::InvalidHeaderName(lossy(&name)))?;
        if name == header::TRANSFER_ENCODING {
            continue;
        }
        let value = HeaderValue::from_bytes(&value)
            .map_err(|_| HttpError::InvalidHeaderValue(name.to_string()))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// An element of a header, as bytes. Each code point is one byte, because the
/// class Headers allows no others.
fn field_bytes(
    scope: &mut v8::PinScope<'_, '_>,
    entry: v8::Local<v8::Array>,
    index: u32,
) -> Vec<u8> {
    let value = entry.get_index(scope, index);
    let Some(value) = value.and_then(|value| value.try_cast::<v8::String>().ok()) else {
        return Vec::new();
    };
    let mut bytes = vec![0; value.length()];
    value.write_one_byte_v2(scope, 0, &mut bytes, v8::WriteFlags::empty());
    bytes
}

/// The length that a script announces, if it is a valid number.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let value = value.to_str().ok()?;
    if value.starts_with('+') {
        return None;
    }
    value.parse().ok()
}

fn lossy(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
