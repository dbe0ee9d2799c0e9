//! The opening handshake over HTTP/1.1 (RFC 6455 section 4.1).

use bytes::Bytes;
use duplex_protocol::handshake::client::{Request, Response, ResponseError, ResponseParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dial_error::DialError;
use super::opened::Opened;
use crate::transport::Transport;

/// Writes the request and reads the answer.
pub(super) async fn shake_hands(
    mut transport: Transport,
    request: &Request<'_>,
) -> Result<Opened, DialError> {
    let (bytes, mut parser) = request.encode(rand::random())?;
    let written = async {
        transport.write_all(&bytes).await?;
        transport.flush().await
    }
    .await;
    // A peer that has closed may have said why, for instance with an alert of TLS
    // about the client's certificate. That is read first.
    let answer = read_response(&mut transport, &mut parser).await;
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

/// The answer, and what came behind it.
async fn read_response(
    transport: &mut Transport,
    parser: &mut ResponseParser,
) -> Result<(Response, Bytes), DialError> {
    let mut buffer = vec![0; 4096];
    loop {
        let count = transport.read(&mut buffer).await?;
        if count == 0 {
            return Err(ResponseError::Closed.into());
        }
        if let Some(response) = parser.parse(&buffer[..count])? {
            let read_ahead = Bytes::copy_from_slice(&buffer[response.consumed..count]);
            return Ok((response, read_ahead));
        }
    }
}
