//! The opening handshake over HTTP/1.1 (RFC 6455 section 4.1).

use bytes::Bytes;
use duplex_protocol::handshake::client::{Request, Response, ResponseError, ResponseParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dial_error::DialError;
use super::opened::Opened;
use crate::network_events::{self, RequestId};
use crate::transport::Transport;

/// Writes the request and reads the answer.
pub(super) async fn shake_hands(
    mut transport: Transport,
    request: &Request<'_>,
    watched: Option<RequestId>,
) -> Result<Opened, DialError> {
    let (bytes, mut parser) = request.encode(rand::random())?;
    if let Some(id) = watched {
        network_events::asks(id, network_events::head_lines(&bytes));
    }
    let written = async {
        transport.write_all(&bytes).await?;
        transport.flush().await
    }
    .await;
    // A peer that has closed may have sent the reason before, for instance a
    // TLS alert about the client's certificate. Therefore the answer is read
    // even if the write has failed.
    let answer = read_response(&mut transport, &mut parser, watched).await;
    let (response, read_ahead) = match (answer, written) {
        (Err(DialError::Response(ResponseError::Closed)), Err(error)) => return Err(error.into()),
        (answer, _) => answer?,
    };
    Ok(Opened {
        transport,
        read_ahead,
        protocol: response.protocol.unwrap_or_default(),
        is_http2: false,
        deflate: response.deflate,
    })
}

/// Reads the answer, and the bytes after it.
async fn read_response(
    transport: &mut Transport,
    parser: &mut ResponseParser,
    watched: Option<RequestId>,
) -> Result<(Response, Bytes), DialError> {
    let mut buffer = vec![0; 4096];
    // The bytes that debuggers are told. The parser limits their length.
    let mut head = Vec::new();
    loop {
        let count = transport.read(&mut buffer).await?;
        if count == 0 {
            return Err(ResponseError::Closed.into());
        }
        let parsed = parser.parse(&buffer[..count]);
        if let Some(id) = watched {
            head.extend_from_slice(&buffer[..count]);
            if !matches!(parsed, Ok(None)) {
                tell_answer(id, &head);
            }
        }
        if let Some(response) = parsed? {
            let read_ahead = Bytes::copy_from_slice(&buffer[response.consumed..count]);
            return Ok((response, read_ahead));
        }
    }
}

/// Tells debuggers of an answer, if it is HTTP.
fn tell_answer(id: RequestId, head: &[u8]) {
    let status = head.split(|&byte| byte == b' ').nth(1);
    let status = status.and_then(|status| str::from_utf8(status.get(..3)?).ok()?.parse().ok());
    if let Some(status) = status {
        network_events::answered(id, status, network_events::head_lines(head));
    }
}
