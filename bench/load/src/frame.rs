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

/// Reads what a peer sends on one connection, masked or not.
#[derive(Default)]
pub struct Reader {
    head: [u8; 14],
    have: usize,
    mask: Option<[u8; 4]>,
    /// What is left of the frame's payload, and where in it the next byte stands.
    left: usize,
    frame_at: usize,
    /// Where in its message the next byte stands.
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
    /// The opcode, with [`COMPRESSED`] where it applies.
    pub first: u8,
    pub payload: &'a [u8],
    /// The contents of each so many messages are compared; of all, the opcode and the length.
    pub every: u64,
}

impl Reader {
    /// Takes what came, and says how many messages have ended in it.
    #[inline]
    pub fn feed(&mut self, mut bytes: &[u8], expected: &Expected) -> Result<usize, String> {
        let mut messages = 0;
        let length = expected.payload.len();
        loop {
            if !self.in_payload {
                // The common case without a detour: a short frame that is there as a whole.
                let whole =
                    self.have == 0 && self.at == 0 && length < 126 && bytes.len() >= 2 + length;
                if whole && bytes[0] == 0x80 | expected.first && bytes[1] as usize == length {
                    if bytes[2..2 + length] != *expected.payload {
                        return Err(self.other());
                    }
                    bytes = &bytes[2 + length..];
                    self.count += 1;
                    messages += 1;
                    continue;
                }
                bytes = self.take_head(bytes, expected)?;
                if !self.in_payload {
                    return Ok(messages);
                }
            }
            let part = self.left.min(bytes.len());
            if self.opcode < CLOSE {
                let end = self.at + part;
                if end > length {
                    return Err(format!(
                        "message {} is longer than the {length} bytes sent",
                        self.count
                    ));
                }
                if self.count.is_multiple_of(expected.every)
                    && !self.same(&bytes[..part], &expected.payload[self.at..end])
                {
                    return Err(self.other());
                }
                self.at = end;
            }
            self.left -= part;
            self.frame_at += part;
            bytes = &bytes[part..];
            if self.left > 0 {
                return Ok(messages);
            }
            self.in_payload = false;
            self.closed |= self.opcode == CLOSE;
            if self.opcode < CLOSE && self.fin {
                if self.at != length {
                    return Err(format!(
                        "message {} has {} bytes, not {length}",
                        self.count, self.at
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
            let wanted = self.head_length();
            let part = (wanted - self.have).min(bytes.len());
            self.head[self.have..self.have + part].copy_from_slice(&bytes[..part]);
            self.have += part;
            bytes = &bytes[part..];
            if self.have < wanted {
                return Ok(bytes);
            }
            if wanted == self.head_length() {
                break;
            }
        }
        let head = &self.head;
        self.left = match head[1] & 0x7f {
            126 => u16::from_be_bytes([head[2], head[3]]) as usize,
            127 => u64::from_be_bytes(head[2..10].try_into().expect("eight bytes")) as usize,
            short => short as usize,
        };
        let masked = head[1] & 0x80 != 0;
        self.mask = masked.then(|| {
            head[self.have - 4..self.have]
                .try_into()
                .expect("four bytes")
        });
        self.fin = head[0] & 0x80 != 0;
        self.opcode = head[0] & 0xf;
        let first = head[0] & 0x7f;
        if self.opcode < CLOSE && first != CONTINUATION && first != expected.first {
            return Err(format!(
                "message {} begins with {first:#x}, not {:#x}",
                self.count, expected.first
            ));
        }
        self.have = 0;
        self.frame_at = 0;
        self.in_payload = true;
        Ok(bytes)
    }

    /// As far as is known by now.
    fn head_length(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let length = match self.head[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if self.head[1] & 0x80 != 0 {
            length + 4
        } else {
            length
        }
    }

    fn same(&self, got: &[u8], expected: &[u8]) -> bool {
        let Some(mut mask) = self.mask else {
            return got == expected;
        };
        mask.rotate_left(self.frame_at % 4);
        let word = u64::from_ne_bytes([mask, mask].concat().try_into().expect("eight bytes"));
        let (got, rest) = got.as_chunks::<8>();
        let (expected, expected_rest) = expected.as_chunks::<8>();
        let words = got.iter().zip(expected);
        let mut equal = words.fold(true, |equal, (got, expected)| {
            equal & (u64::from_ne_bytes(*got) ^ word == u64::from_ne_bytes(*expected))
        });
        for (at, (got, expected)) in rest.iter().zip(expected_rest).enumerate() {
            equal &= got ^ mask[at % 4] == *expected;
        }
        equal
    }

    fn other(&self) -> String {
        format!("message {} is not what was sent", self.count)
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

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: [u8; 300] = [b'x'; 300];

    fn expected(payload: &[u8]) -> Expected<'_> {
        Expected {
            first: TEXT,
            payload,
            every: 1,
        }
    }

    fn unmasked(payload: &[u8]) -> Vec<u8> {
        [header(TEXT, payload.len()), payload.to_vec()].concat()
    }

    #[test]
    fn counts_messages_however_they_are_cut() {
        for payload in [&PAYLOAD[..20], &PAYLOAD[..]] {
            for frame in [unmasked(payload), masked(TEXT, payload)] {
                let bytes = frame.repeat(3);
                for size in 1..=bytes.len() {
                    let mut reader = Reader::default();
                    let feed = |part| reader.feed(part, &expected(payload)).unwrap();
                    assert_eq!(bytes.chunks(size).map(feed).sum::<usize>(), 3);
                }
            }
        }
    }

    #[test]
    fn takes_fragments_and_control_frames_between_them() {
        let mut bytes = vec![TEXT, 2, b'x', b'x'];
        bytes.extend([0x89, 1, b'p']);
        bytes.extend([0x80, 1, b'x']);
        assert_eq!(Reader::default().feed(&bytes, &expected(b"xxx")), Ok(1));
    }

    #[test]
    fn refuses_what_was_not_sent() {
        let wrong = |payload: &[u8]| {
            for frame in [unmasked(payload), masked(TEXT, payload)] {
                assert!(
                    Reader::default()
                        .feed(&frame, &expected(&PAYLOAD[..20]))
                        .is_err()
                );
            }
        };
        wrong(&PAYLOAD[..19]);
        wrong(&PAYLOAD[..21]);
        wrong(b"xxxxxxxxxxxxxxxxxxxy");
        let binary = [header(BINARY, 20), PAYLOAD[..20].to_vec()].concat();
        assert!(
            Reader::default()
                .feed(&binary, &expected(&PAYLOAD[..20]))
                .is_err()
        );
    }

    #[test]
    fn knows_the_answer_to_its_own_request() {
        let (response, used) = switch(&request(80, None)).unwrap();
        assert_eq!(used, request(80, None).len());
        assert!(matches!(answer(&response), Answer::Switched(end) if end == response.len()));
        assert!(matches!(
            answer(&response[..response.len() - 1]),
            Answer::Partial
        ));
        assert!(matches!(
            answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            Answer::Refused(_)
        ));
    }
}
