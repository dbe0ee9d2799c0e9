//! The byte stream under a connection.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::tls::{Carrier, Tls};

/// A stream that can carry a WebSocket and is not a socket itself, such as a stream of HTTP/2.
pub trait AsyncStream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncStream for T {}

/// The stream of a connection. Sockets have their own variants, so that the hot
/// path calls them directly.
pub enum Transport {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// TLS over another transport.
    Tls(Box<Tls<Transport>>),
    /// Anything else.
    Stream(Box<dyn AsyncStream>),
    /// A socket of a simulation.
    #[cfg(test)]
    Simulated(Box<dyn SimulatedSocket>),
}

/// A socket of a simulated kernel.
#[cfg(test)]
pub trait SimulatedSocket: AsyncStream {
    /// The number of the socket, which no real socket has.
    fn number(&self) -> RawFd;

    /// How many of the written bytes the peer has not taken.
    fn bytes_in_kernel(&self) -> u64;

    /// Writes without a waker. Returns how many bytes were taken.
    fn try_write(&self, bytes: &[u8]) -> usize;
}

impl Transport {
    /// Whether written bytes go to the kernel unchanged.
    #[inline]
    pub(crate) fn is_socket(&self) -> bool {
        !matches!(self, Self::Tls(_) | Self::Stream(_))
    }

    /// The socket, if the transport is a socket that takes bytes unchanged.
    #[cfg(target_os = "linux")]
    pub(crate) fn socket(&self) -> Option<RawFd> {
        match self {
            Self::Tcp(stream) => Some(stream.as_raw_fd()),
            Self::Unix(stream) => Some(stream.as_raw_fd()),
            Self::Tls(_) | Self::Stream(_) => None,
            #[cfg(test)]
            Self::Simulated(stream) => Some(stream.number()),
        }
    }

    /// How many of the written bytes the kernel still holds, because the peer's kernel has not
    /// taken them. 0 if the number is not known.
    pub(crate) fn bytes_in_kernel(&self) -> u64 {
        #[cfg(target_os = "linux")]
        {
            let socket = match self {
                Self::Tls(tls) => return tls.carrier().bytes_in_kernel(),
                #[cfg(test)]
                Self::Simulated(stream) => return stream.bytes_in_kernel(),
                other => other.socket(),
            };
            let mut count: libc::c_int = 0;
            if let Some(socket) = socket {
                // SAFETY: the socket is open, because `self` owns it, and the request writes one
                // integer.
                unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut count) };
            }
            u64::try_from(count).unwrap_or(0)
        }
        #[cfg(not(target_os = "linux"))]
        0
    }

    /// The address of the other end of a TCP connection.
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Tls(tls) => tls.carrier().peer_addr(),
            _ => None,
        }
    }

    /// Writes the last bytes before [`poll_shutdown`](AsyncWrite::poll_shutdown), so that the bytes
    /// and the end of the stream can leave in one packet. Returns how many bytes were taken. The
    /// number is 0 if the transport cannot do this.
    pub(crate) fn write_last(&self, buf: &[u8]) -> usize {
        #[cfg(target_os = "linux")]
        if let Self::Tcp(stream) = self
            && let Poll::Ready(Ok(count)) = send(stream, buf, NO_SIGNAL | libc::MSG_MORE)
        {
            return count;
        }
        #[cfg(test)]
        if let Self::Simulated(stream) = self {
            return stream.try_write(buf);
        }
        let _ = buf;
        0
    }
}

impl Carrier for Transport {
    #[cfg(target_os = "linux")]
    fn socket(&self) -> Option<RawFd> {
        Self::socket(self)
    }
}

/// Hands `buf` to the kernel even if the reactor does not know that the socket is writable. A new
/// socket can take bytes before the reactor knows.
fn send(stream: &TcpStream, buf: &[u8], flags: i32) -> Poll<io::Result<usize>> {
    match SockRef::from(stream).send_with_flags(buf, flags) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Transport::Tcp($stream) => $call,
            #[cfg(unix)]
            Transport::Unix($stream) => $call,
            Transport::Tls($stream) => $call,
            Transport::Stream($stream) => $call,
            #[cfg(test)]
            Transport::Simulated($stream) => $call,
        }
    };
}

impl AsyncRead for Transport {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Tcp(stream) => match send(stream, buf, NO_SIGNAL) {
                // Only the reactor can wake the task.
                Poll::Pending => Pin::new(stream).poll_write(cx, buf),
                ready => ready,
            },
            #[cfg(unix)]
            Transport::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, part(buf)),
            Transport::Stream(stream) => Pin::new(stream).poll_write(cx, part(buf)),
            #[cfg(test)]
            Transport::Simulated(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Tcp(stream) => {
                let socket = SockRef::from(&*stream);
                match socket.send_vectored_with_flags(bufs, NO_SIGNAL) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        Pin::new(stream).poll_write_vectored(cx, bufs)
                    }
                    result => Poll::Ready(result),
                }
            }
            #[cfg(unix)]
            Transport::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            other => {
                let first = bufs.iter().find(|buf| !buf.is_empty());
                let first = first.map_or(&[][..], |buf| &buf[..]);
                Pin::new(other).poll_write(cx, first)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.is_socket()
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// The part of `buf` that a stream is offered at a time.
fn part(buf: &[u8]) -> &[u8] {
    &buf[..buf.len().min(STREAM_WRITE)]
}

/// With this flag, a write to a peer that has gone is an error of the call. Without it, SIGPIPE
/// would kill a program that does not ignore the signal.
#[cfg(any(target_os = "android", target_os = "linux"))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
const NO_SIGNAL: i32 = 0;

/// How many bytes a stream is offered at a time. A stream of HTTP/2 takes all bytes that it is
/// offered, even if its window is closed. The bytes would then wait in the stream, and not in the
/// out-buffer, whose limit the script sets.
const STREAM_WRITE: usize = 64 << 10;
