//! A client on a plain socket, which can do what a WebSocket of a library does not allow.
#![allow(dead_code)] // each target uses a part

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use duplex_protocol::encoder::encode_text;
use duplex_protocol::frame::FrameHeader;
use duplex_protocol::frame::Opcode;
use duplex_protocol::frame::Role;

use crate::support::LIMIT;

pub(crate) struct Peer<S = TcpStream>(pub S);

impl Peer {
    /// Opens a WebSocket. It offers `extensions` if that is not empty.
    #[track_caller]
    pub(crate) fn connect(port: u16, extensions: &str) -> Self {
        Self::open(tcp(port), extensions)
    }
}

/// Makes a connection on which no operation waits for ever.
#[track_caller]
pub(crate) fn tcp(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

impl<S: Read + Write> Peer<S> {
    /// Opens a WebSocket over `stream`.
    #[track_caller]
    pub(crate) fn open(mut stream: S, extensions: &str) -> Self {
        let extensions = match extensions {
            "" => String::new(),
            offer => format!("Sec-WebSocket-Extensions: {offer}\r\n"),
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {extensions}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        Self(stream)
    }

    /// Sends `number` and waits for its echo.
    #[track_caller]
    pub(crate) fn echo(&mut self, number: u32) {
        let text = number.to_string();
        self.send_text(&text).unwrap();
        let (opcode, payload) = self.frame().unwrap();
        assert_eq!((opcode, payload), (Opcode::Text, text.into_bytes()));
    }

    pub(crate) fn send_text(&mut self, text: &str) -> io::Result<()> {
        let mut frame = Vec::new();
        encode_text(&mut frame, Some([0; 4]), text);
        self.0.write_all(&frame)
    }

    /// Sends a frame. The payload of a binary frame is compressed.
    pub(crate) fn send(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let mut frame = Vec::new();
        push(&mut frame, opcode, opcode == Opcode::Binary, payload);
        frame[0] |= if fin { 0x80 } else { 0 };
        self.write(&frame);
    }

    /// Writes as many bytes as the server takes. The server may close before the end.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Writes all bytes. Returns whether the server has taken them and has not closed.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// The code of the Close frame. Frames before it are skipped.
    #[track_caller]
    pub(crate) fn close_code(&mut self) -> u16 {
        loop {
            let (opcode, payload) = self.frame().expect("a Close frame");
            if opcode == Opcode::Close {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }

    /// Answers a Close frame.
    pub(crate) fn answer_close(&mut self, code: u16) {
        let mut frame = Vec::new();
        push(&mut frame, Opcode::Close, false, &code.to_be_bytes());
        self.write(&frame);
    }

    /// Waits for the end of the connection. Bytes before it are skipped.
    pub(crate) fn is_dropped(&mut self) -> bool {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            match self.0.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    }

    pub(crate) fn frame(&mut self) -> io::Result<(Opcode, Vec<u8>)> {
        let mut head = Vec::new();
        loop {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
            if let Some((header, _)) = FrameHeader::decode(&head, Role::Client).unwrap() {
                let mut payload = vec![0; header.payload_length as usize];
                self.0.read_exact(&mut payload)?;
                return Ok((header.opcode, payload));
            }
        }
    }
}

/// Appends a frame of a client: a control frame, or a fragment of a message that is not the last.
pub(crate) fn push(frames: &mut Vec<u8>, opcode: Opcode, compressed: bool, payload: &[u8]) {
    let (header, length) = FrameHeader {
        fin: opcode.is_control(),
        rsv1: compressed,
        opcode,
        // This mask does not change the payload.
        mask: Some([0; 4]),
        payload_length: payload.len() as u64,
    }
    .encode();
    frames.extend_from_slice(&header[..length]);
    frames.extend_from_slice(payload);
}
