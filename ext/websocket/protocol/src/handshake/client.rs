//! The client's half of the opening handshake, over HTTP/1.1 (RFC 6455 section
//! 4.1), and over HTTP/2 (RFC 8441 section 5).

mod request;
mod response;

pub use self::request::{Http2Request, Request, RequestError};
pub use self::response::{Http2Check, Negotiated, Response, ResponseError, ResponseParser};

#[cfg(test)]
mod tests;
