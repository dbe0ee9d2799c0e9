//! Frames and handshakes, as much of RFC 6455 as a load needs: what is sent is encoded
//! beforehand, what comes back is counted and compared.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

/// RSV1: the message is compressed (RFC 7692).
pub const COMPRESSED: u8 = 0x40;

/// A client's frame, whole. `first` is the opcode, with [`COMPRESSED`] where it applies.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = header(first, payload.len());
    frame[1] |= 0x80;
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// The header of a final frame that is not masked.
pub fn header(first: u8, length: usize) -> Vec<u8> {
    let mut header = vec![0x80 | first];
    match length {
        0..126 => header.push(length as u8),
        126..0x10000 => {
            header.push(126);
            header.extend((length as u16).to_be_bytes());
        }
        _ => {
            header.push(127);
            header.extend((length as u64).to_be_bytes());
        }
    }
    header
}

/// A client's opening handshake; `extensions` is its header's value, if any.
pub fn request(port: u16, extensions: Option<&str>) -> Vec<u8> {
    let extensions = extensions.map_or(String::new(), |e| {
        format!("Sec-WebSocket-Extensions: {e}\r\n")
    });
    format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
    )
    .into_bytes()
}

/// The server's answer to a handshake, once it is whole.
pub enum Answer {
    Partial,
    /// Switched, and so many bytes long.
    Switched(usize),
    Refused(String),
}

pub fn answer(bytes: &[u8]) -> Answer {
    let Some(end) = head_end(bytes) else {
        return Answer::Partial;
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    if head.starts_with("HTTP/1.1 101 ") && head.contains(&accept_of(KEY)) {
        Answer::Switched(end)
    } else {
        Answer::Refused(head.into_owned())
    }
}

/// The answer to a request, once that is whole, and how long the request was.
pub fn switch(request: &[u8]) -> Option<(Vec<u8>, usize)> {
    let end = head_end(request)?;
    let head = String::from_utf8_lossy(&request[..end]);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value.trim())
    })?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_of(key)
    );
    Some((answer.into_bytes(), end))
}

/// Reads what a server sends on one connection.
#[derive(Default)]
pub struct Reader {
    head: [u8; 10],
    have: usize,
    /// What is left of the frame's payload.
    left: usize,
    /// Where in its message the frame's next byte stands.
    at: usize,
    fin: bool,
    opcode: u8,
    in_payload: bool,
    /// Messages read so far.
    count: u64,
    pub closed: bool,
}

/// What each message has to be.
pub struct Expected<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// The contents of each so many messages are compared; of all, the opcode and the length.
    pub every: u64,
}

impl Reader {
    /// Takes what came, and says how many messages have ended in it.
    #[inline]
    pub fn feed(&mut self, mut bytes: &[u8], expected: &Expected) -> Result<usize, String> {
        let mut messages = 0;
        loop {
            if !self.in_payload {
                // The common case without a detour: a short frame that is there as a whole.
                let length = expected.payload.len();
                if self.have == 0 && length < 126 && bytes.len() >= 2 + length && self.at == 0 {
                    if bytes[0] == 0x80 | expected.opcode && bytes[1] as usize == length {
                        if bytes[2..2 + length] != *expected.payload {
                            return Err(format!("message {} is not what was sent", self.count));
                        }
                        bytes = &bytes[2 + length..];
                        self.count += 1;
                        messages += 1;
                        continue;
                    }
                }
                if bytes.is_empty() {
                    return Ok(messages);
                }
                bytes = self.take_head(bytes, expected)?;
                if !self.in_payload {
                    return Ok(messages);
                }
            }
            let part = self.left.min(bytes.len());
            if self.opcode < CLOSE {
                let end = self.at + part;
                if end > expected.payload.len() {
                    return Err(format!(
                        "message {} is longer than the {} bytes sent",
                        self.count,
                        expected.payload.len()
                    ));
                }
                if self.count.is_multiple_of(expected.every)
                    && bytes[..part] != expected.payload[self.at..end]
                {
                    return Err(format!("message {} is not what was sent", self.count));
                }
                self.at = end;
            }
            self.left -= part;
            bytes = &bytes[part..];
            if self.left > 0 {
                return Ok(messages);
            }
            self.in_payload = false;
            self.closed |= self.opcode == CLOSE;
            if self.opcode < CLOSE && self.fin {
                if self.at != expected.payload.len() {
                    return Err(format!(
                        "message {} has {} bytes, not {}",
                        self.count,
                        self.at,
                        expected.payload.len()
                    ));
                }
                self.at = 0;
                self.count += 1;
                messages += 1;
            }
        }
    }

    fn take_head<'a>(
        &mut self,
        mut bytes: &'a [u8],
        expected: &Expected,
    ) -> Result<&'a [u8], String> {
        loop {
            let wanted = match self.have {
                0 | 1 => 2,
                _ => match self.head[1] {
                    126 => 4,
                    127 => 10,
                    _ => 2,
                },
            };
            let part = (wanted - self.have).min(bytes.len());
            self.head[self.have..self.have + part].copy_from_slice(&bytes[..part]);
            self.have += part;
            bytes = &bytes[part..];
            if self.have < wanted {
                return Ok(bytes);
            }
            if self.have == 2 && self.head[1] >= 126 && wanted == 2 {
                continue;
            }
            break;
        }
        if self.head[1] > 127 {
            return Err("the server masks".into());
        }
        self.left = match self.have {
            2 => self.head[1] as usize,
            4 => u16::from_be_bytes([self.head[2], self.head[3]]) as usize,
            _ => u64::from_be_bytes(self.head[2..10].try_into().expect("eight bytes")) as usize,
        };
        self.fin = self.head[0] & 0x80 != 0;
        self.opcode = self.head[0] & 0xf;
        let first = self.head[0] & 0x7f;
        if self.opcode < CLOSE && first != CONTINUATION && first != expected.opcode {
            return Err(format!(
                "message {} has the opcode {first:#x}, not {:#x}",
                self.count, expected.opcode
            ));
        }
        self.have = 0;
        self.in_payload = true;
        Ok(bytes)
    }
}

/// The example of RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn accept_of(key: &str) -> String {
    let digest =
        sha1_smol::Sha1::from(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).digest();
    BASE64_STANDARD.encode(digest.bytes())
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}
