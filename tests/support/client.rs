//! Clients over HTTP/1.1 and HTTP/2 (RFC 8441) that read only when a test asks for it, and return
//! the frames that come.
#![allow(dead_code)] // each target uses a part

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::deflate::Parameters;
use duplex_protocol::frame::{FrameHeader, Opcode, Role};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{Method, Request, StatusCode};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Opens a WebSocket over HTTP/1.1.
pub(crate) async fn connect(port: u16, path: &str) -> io::Result<(Reader, Writer)> {
    open(port, path, "").await
}

/// Opens a WebSocket whose server compresses its messages (RFC 7692).
pub(crate) async fn connect_deflate(port: u16, path: &str) -> io::Result<(Reader, Writer)> {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut reader, writer) = open(port, path, offer).await?;
    let parameters = Parameters::default();
    let decoder = Decoder::with_deflate(Role::Client, DecoderLimits::default(), &parameters);
    reader.inflate = Some(Box::new(decoder));
    Ok((reader, writer))
}

async fn open(port: u16, path: &str, offer: &str) -> io::Result<(Reader, Writer)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {offer}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut read = BytesMut::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = read.split_to(end);
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let is_taken = head.contains("\r\nsec-websocket-extensions: permessage-deflate\r\n");
    if !head.starts_with("http/1.1 101 ") || is_taken == offer.is_empty() {
        return Err(io::Error::other(head));
    }
    let (reading, writing) = stream.into_split();
    let reader = Reader {
        source: Source::Tcp(reading),
        read,
        inflate: None,
        pause: None,
    };
    Ok((reader, Writer::Tcp(writing)))
}

/// A connection of HTTP/2 without TLS.
pub(crate) struct Http2(SendRequest<Bytes>);

impl Http2 {
    /// Connects, and waits for the server's settings, which allow WebSockets. Each stream has a
    /// window of 65,535 bytes, and the window of the connection is practically unlimited.
    pub(crate) async fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let (send, connection) = h2::client::Builder::new()
            .initial_connection_window_size(1 << 30)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(connection);
        let send = send.ready().await.map_err(io::Error::other)?;
        while !send.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        Ok(Self(send))
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&self, path: &str) -> io::Result<(Reader, Writer)> {
        let mut send = self.0.clone().ready().await.map_err(io::Error::other)?;
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://localhost{path}"))
            .header("sec-websocket-version", "13")
            .body(())
            .map_err(io::Error::other)?;
        request
            .extensions_mut()
            .insert(h2::ext::Protocol::from_static("websocket"));
        let (response, stream) = send
            .send_request(request, false)
            .map_err(io::Error::other)?;
        let response = response.await.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            return Err(io::Error::other(response.status().to_string()));
        }
        let reader = Reader {
            source: Source::Http2(response.into_body()),
            read: BytesMut::new(),
            inflate: None,
            pause: None,
        };
        Ok((reader, Writer::Http2(stream)))
    }
}

pub(crate) struct Frame {
    pub opcode: Opcode,
    pub payload: Bytes,
}

impl Frame {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("text is UTF-8")
    }

    /// The code of a Close frame, or 1005 if it has none.
    pub(crate) fn close_code(&self) -> u16 {
        match self.payload[..] {
            [high, low, ..] => u16::from_be_bytes([high, low]),
            _ => 1005,
        }
    }

    /// The reason of a Close frame.
    pub(crate) fn close_reason(&self) -> &str {
        std::str::from_utf8(self.payload.get(2..).unwrap_or_default()).expect("text is UTF-8")
    }
}

pub(crate) struct Reader {
    source: Source,
    read: BytesMut,
    inflate: Option<Box<Decoder>>,
    /// How long the reader waits before each read of a few bytes.
    pause: Option<Duration>,
}

enum Source {
    Tcp(OwnedReadHalf),
    Http2(RecvStream),
}

impl Reader {
    /// From now on, reads only little at a time, with pauses, and makes the kernel's buffer small.
    pub(crate) fn slow_down(&mut self, pause: Duration) {
        self.pause = Some(pause);
        if let Source::Tcp(stream) = &self.source {
            let socket = SockRef::from(AsRef::<TcpStream>::as_ref(stream));
            socket.set_recv_buffer_size(LITTLE).expect("a socket");
        }
    }

    /// The next frame, or none at the end of the connection, however it ended.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            let header = FrameHeader::decode(&self.read, Role::Client).expect("a frame");
            if let Some((header, length)) = header {
                let payload = usize::try_from(header.payload_length).expect("a length");
                if self.read.len() >= length + payload {
                    assert!(header.fin, "no server's message is in fragments");
                    let frame = self.read.split_to(length + payload);
                    let payload = match header.rsv1 {
                        false => frame.freeze().slice(length..),
                        true => self.inflate(frame),
                    };
                    return Some(Frame {
                        opcode: header.opcode,
                        payload,
                    });
                }
                self.read.reserve(length + payload - self.read.len());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The next text message. Other frames are skipped.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            let frame = self.frame().await.expect("a text");
            if frame.opcode == Opcode::Text {
                return frame.text().to_string();
            }
        }
    }

    /// Inflates the payload of a compressed frame.
    fn inflate(&mut self, mut frame: BytesMut) -> Bytes {
        let decoder = self.inflate.as_mut().expect("compression was agreed on");
        match decoder.decode(&mut frame).expect("a message").event {
            Some(Event::Text { text, .. }) => text.into_owned().into(),
            Some(Event::Binary(bytes)) => bytes.into_owned().into(),
            _ => panic!("a compressed frame without a message"),
        }
    }

    async fn fill(&mut self) -> bool {
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
            if let Source::Tcp(stream) = &mut self.source {
                let mut little = vec![0; LITTLE];
                let count = stream.read(&mut little).await.unwrap_or(0);
                self.read.extend_from_slice(&little[..count]);
                return count > 0;
            }
        }
        match &mut self.source {
            Source::Tcp(stream) => matches!(stream.read_buf(&mut self.read).await, Ok(1..)),
            Source::Http2(stream) => match stream.data().await {
                Some(Ok(data)) => {
                    let _ = stream.flow_control().release_capacity(data.len());
                    self.read.extend_from_slice(&data);
                    true
                }
                _ => false,
            },
        }
    }
}

/// How much a slow reader reads at a time.
const LITTLE: usize = 64 << 10;

pub(crate) enum Writer {
    Tcp(OwnedWriteHalf),
    Http2(SendStream<Bytes>),
}

impl Writer {
    /// Sends a frame. Returns whether that was possible.
    pub(crate) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let (header, length) = FrameHeader {
            fin: true,
            rsv1: false,
            opcode,
            // This mask does not change the payload. Frames over HTTP/2 are masked too.
            mask: Some([0; 4]),
            payload_length: payload.len() as u64,
        }
        .encode();
        let mut frame = BytesMut::with_capacity(length + payload.len());
        frame.extend_from_slice(&header[..length]);
        frame.extend_from_slice(payload);
        match self {
            Self::Tcp(stream) => stream.write_all(&frame).await.is_ok(),
            Self::Http2(stream) => stream.send_data(frame.freeze(), false).is_ok(),
        }
    }

    pub(crate) async fn send_text(&mut self, text: &str) -> bool {
        self.send(Opcode::Text, text.as_bytes()).await
    }

    pub(crate) async fn send_close(&mut self, code: u16, reason: &str) -> bool {
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        self.send(Opcode::Close, &payload).await
    }
}
