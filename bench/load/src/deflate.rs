//! Echo with permessage-deflate (RFC 7692): JSON as a feed sends it, more of it than the window
//! of 32 KiB holds, so that a server that keeps its context does not know each message already.
//! The load has compressed all beforehand, without context; what comes back on one connection
//! is inflated and compared.

use std::time::Instant;

use flate2::Compress;
use flate2::Compression;
use flate2::Decompress;
use flate2::FlushCompress;
use flate2::FlushDecompress;

use crate::frame;
use crate::frame::COMPRESSED;
use crate::frame::TEXT;
use crate::measure::Work;
use crate::pool::Means;
use crate::pool::Pool;

#[derive(Clone, Copy)]
pub struct Deflate {
    pub connections: usize,
}

impl Deflate {
    pub fn connect(self, port: u16) -> Result<Box<dyn Work>, String> {
        let means = Means {
            extensions: Some("permessage-deflate"),
            ..Means::default()
        };
        let texts: Vec<_> = (0..MESSAGES).map(json).collect();
        let frames = texts
            .iter()
            .map(|text| frame::masked(TEXT | COMPRESSED, &deflated(text)));
        Ok(Box::new(Working {
            pool: Pool::connect(port, self.connections, &means)?,
            frames: frames.collect(),
            texts,
            next: vec![0; self.connections],
            received: vec![Vec::new(); self.connections],
            inflate: Decompress::new(false),
            messages: 0,
            bytes: 0,
        }))
    }
}

const MESSAGES: usize = 64;

/// The connection whose messages are inflated.
const WATCHED: usize = 0;

struct Working {
    pool: Pool,
    texts: Vec<String>,
    frames: Vec<Vec<u8>>,
    /// Of each connection, the message that it sends next.
    next: Vec<usize>,
    received: Vec<Vec<u8>>,
    inflate: Decompress,
    /// What has come in all: messages and their bytes.
    messages: u64,
    bytes: u64,
}

impl Work for Working {
    fn run(&mut self, until: Instant) -> Result<u64, String> {
        let mut buffer = [0; 64 * 1024];
        for index in 0..self.next.len() {
            self.pool
                .send_short(index, &self.frames[self.next[index]])?;
        }
        let (mut echoed, mut in_flight, mut over) = (0, self.next.len(), false);
        while in_flight > 0 {
            for event in 0..self.pool.wait()? {
                let (index, _) = self.pool.epoll.event(event);
                let read = self.pool.connections[index]
                    .read(&mut buffer)
                    .map_err(|e| format!("receive: {e}"))?;
                let Some(count) = read else { continue };
                if count == 0 {
                    return Err("the server closed a connection".into());
                }
                self.received[index].extend_from_slice(&buffer[..count]);
                if !self.take_message(index)? {
                    continue;
                }
                echoed += 1;
                self.next[index] = (self.next[index] + 1) % MESSAGES;
                if over {
                    in_flight -= 1;
                } else {
                    self.pool
                        .send_short(index, &self.frames[self.next[index]])?;
                }
            }
            over |= Instant::now() >= until;
        }
        Ok(echoed)
    }

    fn findings(&mut self) -> Vec<(&'static str, f64)> {
        vec![("bytes", self.bytes as f64 / self.messages as f64)]
    }
}

impl Working {
    /// Whether the message has come as a whole.
    fn take_message(&mut self, index: usize) -> Result<bool, String> {
        let received = &mut self.received[index];
        if received.len() < 2 {
            return Ok(false);
        }
        let (head, length) = match received[1] {
            short @ 0..126 => (2, short as usize),
            126 if received.len() >= 4 => {
                (4, u16::from_be_bytes([received[2], received[3]]) as usize)
            }
            126 => return Ok(false),
            other => return Err(format!("a length of {other:#x} is too long for an echo")),
        };
        if received[0] != 0x80 | COMPRESSED | TEXT {
            return Err(format!(
                "a frame begins with {:#x}: it is not a whole compressed text",
                received[0]
            ));
        }
        if received.len() < head + length {
            return Ok(false);
        }
        if received.len() > head + length {
            return Err("more came back than was sent".into());
        }
        if index == WATCHED {
            received.extend_from_slice(&TAIL);
            let mut text = Vec::with_capacity(64 * 1024);
            self.inflate
                .decompress_vec(&received[head..], &mut text, FlushDecompress::Sync)
                .map_err(|error| format!("what came back does not inflate: {error}"))?;
            if text != self.texts[self.next[index]].as_bytes() {
                return Err("a message is not what was sent".into());
            }
        }
        self.messages += 1;
        self.bytes += (head + length) as u64;
        received.clear();
        Ok(true)
    }
}

/// What ends each message on the way, and is left out (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn deflated(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 64);
    Compress::new(Compression::default(), false)
        .compress_vec(text.as_bytes(), &mut bytes, FlushCompress::Sync)
        .expect("there is room for all of it");
    bytes.truncate(bytes.len() - TAIL.len());
    bytes
}

/// About 1 KiB, of which no two are the same.
fn json(seed: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut random = |below: u64| {
        // Numerical Recipes' generator: the same numbers on each run.
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let trades: Vec<_> = (0..10)
        .map(|at| {
            format!(
                "{{\"id\":{},\"symbol\":\"{}\",\"side\":\"{}\",\"price\":{}.{:02},\"quantity\":{},\"time\":{}}}",
                1_000_000 + seed * 10 + at,
                ["BTC-EUR", "ETH-EUR", "SOL-EUR", "ADA-EUR"][random(4) as usize],
                ["buy", "sell"][random(2) as usize],
                random(60_000),
                random(100),
                random(1000),
                1_764_000_000_000 + random(1_000_000_000),
            )
        })
        .collect();
    format!("{{\"channel\":\"trades\",\"data\":[{}]}}", trades.join(","))
}
