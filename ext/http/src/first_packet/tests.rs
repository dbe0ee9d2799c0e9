use super::FirstPacket;
use super::against_hyper::MAX_BYTES;
use super::against_hyper::MAX_FIELDS;
use super::against_hyper::compare;

const HANDSHAKE: &str = "GET /chat?room=1 HTTP/1.1\r\n\
    Host: a.example:8080\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Requests that clients send, and requests that they should not send.
fn corpus() -> Vec<Vec<u8>> {
    let with = |line: &str| HANDSHAKE.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"));
    let mut corpus: Vec<Vec<u8>> = [
        HANDSHAKE.to_owned(),
        HANDSHAKE.replace("\r\n", "\n"),
        format!("{HANDSHAKE}\u{1}\u{2}what follows"),
        format!("\r\n\r\n{HANDSHAKE}"),
        HANDSHAKE.replace("Upgrade: w", "upgrade:\t w"),
        HANDSHAKE.replace("Connection: Upgrade", "connection: keep-alive, Upgrade"),
        HANDSHAKE.replace("GET /chat?room=1", "GET http://b.example/chat"),
        HANDSHAKE.replace("GET /chat?room=1", "GET //b.example/chat"),
        HANDSHAKE.replace("/chat?room=1", "/%F0%9F%98%80/..;a=b?c#d"),
        HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0"),
        HANDSHAKE.replace("a.example:8080", "[::1]:80"),
        HANDSHAKE.replace("a.example:8080", ""),
        with("Content-Length: 5"),
        with("Content-Length: 0\r\nContent-Length: 5"),
        with("Transfer-Encoding: chunked"),
        with("Transfer-Encoding : chunked"),
        with("Transfer-Encoding:\u{b}chunked"),
        with("Expect: 100-continue"),
        with("Host: b.example"),
        with("X: a\r\n folded: b"),
        with("Upgrade: h2c"),
        with("Cookie: a=b; c=d\r\nCookie: \u{e9}"),
        with("Empty:\r\nSpaces:    \r\nTabs:\t\t a \t"),
        with("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
        with("Sec-WebSocket-Protocol: chat, superchat"),
        with(
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nOrigin: https://a.example\r\n\
              Accept-Encoding: gzip, deflate, br\r\nPragma: no-cache",
        ),
        with(&"Many: 1\r\n".repeat(40)),
    ]
    .map(String::into_bytes)
    .into();
    corpus.push(
        [
            HANDSHAKE.as_bytes(),
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        ]
        .concat(),
    );
    corpus
}

/// Random numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ (value >> 31)) % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Bytes and texts that have a meaning in a request.
const PIECES: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b":",
    b" ",
    b"\t",
    b"\0",
    b",",
    b";",
    b"\"",
    b"/",
    b"?",
    b"#",
    b"%",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"@",
    b"[",
    b"\\",
    b"Host: b\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Upgrade: websocket\r\n",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"GET / HTTP/1.1\r\n",
    b"\r\n folded",
    b"Expect: 100-continue\r\n",
];

fn mutate(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.pick(corpus).clone();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => {
                let piece = *random.pick(PIECES);
                bytes.splice(at..at, piece.iter().copied());
            }
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            3 => {
                let end = (at + 1 + random.below(8)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            // A line is repeated, or moved.
            4 => {
                let other = random.pick(corpus);
                let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
                let line = *random.pick(&lines);
                let start = bytes[..at]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |it| it + 1);
                bytes.splice(start..start, line.iter().copied());
            }
            _ => {
                let piece = *random.pick(PIECES);
                let start = bytes[..at]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |it| it + 1);
                bytes.splice(start..start, piece.iter().copied());
            }
        }
    }
    bytes
}

fn check(bytes: &[u8]) -> bool {
    match compare(bytes) {
        Ok(is_taken) => is_taken,
        Err(difference) => panic!("{difference}: {:?}", bytes.escape_ascii().to_string()),
    }
}

#[test]
fn hyper_reads_the_same_of_known_requests() {
    let taken = corpus().iter().filter(|bytes| check(bytes)).count();
    // The others have a length, two hosts, a fragment, a long head or another version.
    assert_eq!(taken, 15);
}

#[test]
fn hyper_reads_the_same_of_mutated_requests() {
    let corpus = corpus();
    let mut random = Random(16);
    let taken = (0..50_000)
        .filter(|_| check(&mutate(&mut random, &corpus)))
        .count();
    // Enough requests are compared to find a difference.
    assert!(taken > 5_000, "{taken} of 50,000 are taken");
}

#[test]
fn what_hyper_would_treat_in_another_way_is_left_to_it() {
    let is_taken =
        |text: &str| FirstPacket::parse(text.as_bytes(), MAX_BYTES, MAX_FIELDS).is_some();
    assert!(is_taken(HANDSHAKE));
    let with = |line: &str| HANDSHAKE.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"));
    for line in [
        "Content-Length: 5",
        "content-length: 0",
        "TRANSFER-ENCODING: chunked",
        "Transfer-Encoding: identity",
        "Expect: 100-continue",
        "Host: b.example",
    ] {
        assert!(!is_taken(&with(line)), "{line}");
    }
    assert!(!is_taken(&HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0")));
    assert!(!is_taken(&HANDSHAKE.replace("GET", "POST")));
    assert!(!is_taken(&HANDSHAKE.replace("/chat", "http://b.example/")));
    assert!(!is_taken(&HANDSHAKE.replace("/chat", "/#chat")));
    assert!(!is_taken(&HANDSHAKE[..HANDSHAKE.len() - 1]));
}

#[test]
fn the_limits_of_the_server_hold() {
    let bytes = HANDSHAKE.as_bytes();
    assert!(FirstPacket::parse(bytes, bytes.len(), 5).is_some());
    assert!(FirstPacket::parse(bytes, bytes.len() - 1, 5).is_none());
    assert!(FirstPacket::parse(bytes, bytes.len(), 4).is_none());
}
