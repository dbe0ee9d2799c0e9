//! The streams of deno_net and deno_tls as transports.

use deno_net::raw::NetworkStream;
use deno_tls::TlsStream;
use tokio::net::TcpStream;

use crate::tls::Tls;
use crate::transport::Transport;

impl From<NetworkStream> for Transport {
    fn from(stream: NetworkStream) -> Self {
        match stream {
            NetworkStream::Tcp(stream) => Self::Tcp(stream),
            NetworkStream::Tls(stream) => Self::from(Box::new(stream)),
            #[cfg(unix)]
            NetworkStream::Unix(stream) => Self::Unix(stream),
            other => Self::Stream(Box::new(other)),
        }
    }
}

/// Takes the connection out of the stream that made the TLS handshake, if the
/// handshake is done.
impl From<Box<TlsStream<TcpStream>>> for Transport {
    fn from(stream: Box<TlsStream<TcpStream>>) -> Self {
        match stream.try_into_inner() {
            Ok((socket, session)) => Self::Tls(Box::new(Tls::new(Self::Tcp(socket), session))),
            Err(stream) => Self::Stream(Box::new(stream)),
        }
    }
}
