//! The opening handshake of a WebSocket in the first packet of a connection, read without
//! hyper.
//!
//! A second parser besides hyper's must not understand a request in another way, because
//! that would allow request smuggling. Therefore this parser takes only plain requests, uses the
//! same crate as hyper, and leaves all other requests to hyper. `first_packet/tests.rs` and the
//! fuzz target `first_packet` compare it with hyper.

use std::ops::Range;

use bytes::Bytes;
use duplex_protocol::handshake::server::ClientOffer;
use duplex_protocol::handshake::server::OfferError;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::Uri;
use http::request::Parts;
use smallvec::SmallVec;

use crate::host::is_host;

/// A whole opening handshake at the start of the first packet.
pub(crate) struct FirstPacket {
    /// The parsed handshake.
    pub offer: Result<ClientOffer, OfferError>,
    /// The places of its parts.
    pub places: Places,
}

/// The places of the parts of a request's head in the bytes that were read.
pub(crate) struct Places {
    /// The request target.
    pub target: Range<usize>,
    /// The value of the field Host.
    pub host: Range<usize>,
    /// The end of the head.
    pub end: usize,
    fields: SmallVec<[FieldPlaces; INLINE_FIELDS]>,
}

/// The places of the name and the value of a field.
struct FieldPlaces {
    name: (u16, u16),
    value: (u16, u16),
}

impl FirstPacket {
    /// Parses the handshake at the start of `bytes`. Returns `None` unless the handshake is whole,
    /// asks for a WebSocket, and is accepted by hyper too, with at most `max_bytes` bytes of head
    /// and `max_fields` fields.
    pub(crate) fn parse(bytes: &[u8], max_bytes: usize, max_fields: usize) -> Option<Self> {
        if bytes.len() > MAX_LENGTH || !bytes.starts_with(b"GET /") {
            return None;
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        let end = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(end)) => end,
            _ => return None,
        };
        let target = parsed.path?;
        if end > max_bytes
            || parsed.headers.len() > max_fields
            || parsed.version != Some(1)
            || !target.bytes().all(is_plain)
        {
            return None;
        }
        let mut is_handshake = false;
        let mut host = None;
        let mut places = SmallVec::new();
        for field in &*parsed.headers {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("upgrade") {
                is_handshake = field.value.eq_ignore_ascii_case(b"websocket");
            } else if is("host") {
                if host.replace(field.value).is_some() {
                    return None;
                }
            } else if is("content-length") || is("transfer-encoding") || is("expect") {
                return None;
            }
            places.push(FieldPlaces {
                name: short_place(bytes, field.name.as_bytes()),
                value: short_place(bytes, field.value),
            });
        }
        let host = host?;
        if !is_handshake || !is_host(host) {
            return None;
        }
        let places = Places {
            target: place(bytes, target.as_bytes()),
            host: place(bytes, host),
            end,
            fields: places,
        };
        let headers = parsed.headers.iter().map(|field| (field.name, field.value));
        let offer = ClientOffer::parse("GET", (1, 1), headers);
        Some(Self { offer, places })
    }
}

impl Places {
    /// The head of the request, as hyper would make it. `bytes` are the parsed bytes.
    pub(crate) fn head(&self, bytes: &Bytes) -> Parts {
        let mut request = Request::new(());
        if let Ok(uri) = Uri::from_maybe_shared(bytes.slice(self.target.clone())) {
            *request.uri_mut() = uri;
        }
        let headers = request.headers_mut();
        headers.reserve(self.fields.len());
        for field in &self.fields {
            let name = HeaderName::from_bytes(&bytes[range(field.name)]);
            let value = match range(field.value) {
                place if place.is_empty() => Ok(HeaderValue::from_static("")),
                place => HeaderValue::from_maybe_shared(bytes.slice(place)),
            };
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        request.into_parts().0
    }
}

/// The place of `part` in `bytes`. `part` must be a part of `bytes`.
fn place(bytes: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - bytes.as_ptr().addr();
    start..start + part.len()
}

/// The place of `part` in small numbers, which suffice for a packet of [`MAX_LENGTH`] bytes.
fn short_place(bytes: &[u8], part: &[u8]) -> (u16, u16) {
    let place = place(bytes, part);
    (place.start as u16, place.end as u16)
}

fn range((start, end): (u16, u16)) -> Range<usize> {
    start.into()..end.into()
}

/// Whether a byte may occur unencoded in the path or the query of a URI (RFC
/// 3986 section 3.3). A target with other bytes is left to hyper.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte)
}

/// The longest first packet that is parsed, in bytes. A longer handshake is left to hyper.
pub(crate) const MAX_LENGTH: usize = 8 << 10;
/// The most fields of a handshake. A handshake with more fields is left to
/// hyper.
const MAX_FIELDS: usize = 64;
/// How many places need no allocation. A browser sends about 15 fields.
const INLINE_FIELDS: usize = 24;

#[cfg(test)]
#[path = "first_packet/against_hyper.rs"]
mod against_hyper;
#[cfg(test)]
#[path = "first_packet/tests.rs"]
mod tests;
