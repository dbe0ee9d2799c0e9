//! Echo over HTTP/2 (RFC 8441): each connection carries some sockets, as streams that an
//! extended CONNECT has opened. Without TLS and with prior knowledge, so that what is measured
//! is HTTP/2.
//!
//! The windows that the server grants are not counted: a socket sends a message when the one
//! before has come back, so the server has read all but a few hundred bytes.

use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

use crate::echo::payload;
use crate::frame;
use crate::frame::Expected;
use crate::frame::Reader;
use crate::measure::Work;
use crate::sys;
use crate::sys::Epoll;
use crate::sys::READ;
use crate::sys::WRITE;

#[derive(Clone, Copy)]
pub struct Http2 {
    pub connections: usize,
    pub streams: usize,
    pub length: usize,
}

impl Http2 {
    pub fn connect(self, port: u16) -> Result<Box<dyn Work>, String> {
        let payload = payload(self.length);
        let message = frame::masked(frame::TEXT, &payload);
        let mut working = Working {
            http2: self,
            epoll: Epoll::new().map_err(|e| e.to_string())?,
            connections: Vec::new(),
            message,
            payload,
        };
        for index in 0..self.connections {
            let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            let socket = sys::connect(to, 2).map_err(|e| format!("connection {index}: {e}"))?;
            working
                .epoll
                .add(socket.as_raw_fd(), WRITE, index)
                .map_err(|e| e.to_string())?;
            working.connections.push(Connection {
                socket,
                received: Vec::new(),
                to_send: opening(),
                streams: (0..self.streams).map(|_| Reader::default()).collect(),
                allowed: false,
                opened: 0,
                unread: 0,
            });
        }
        working.open(port)?;
        Ok(Box::new(working))
    }
}

struct Working {
    http2: Http2,
    epoll: Epoll,
    connections: Vec<Connection>,
    message: Vec<u8>,
    payload: Vec<u8>,
}

struct Connection {
    socket: OwnedFd,
    received: Vec<u8>,
    to_send: Vec<u8>,
    streams: Vec<Reader>,
    /// Whether the server has said that it takes extended CONNECT.
    allowed: bool,
    opened: usize,
    /// How much of the window that the server has for us is used.
    unread: u32,
}

impl Work for Working {
    fn run(&mut self, until: Instant) -> Result<u64, String> {
        let Http2 {
            connections,
            streams,
            ..
        } = self.http2;
        for connection in &mut self.connections {
            for stream in 0..streams {
                connection.data(stream, &self.message);
            }
            connection.flush()?;
        }
        let (mut echoed, mut in_flight, mut over) = (0, connections * streams, false);
        while in_flight > 0 {
            for event in 0..wait(&mut self.epoll)? {
                let (index, _) = self.epoll.event(event);
                let connection = &mut self.connections[index];
                let expected = Expected {
                    first: frame::TEXT,
                    payload: &self.payload,
                    every: 1,
                };
                for stream in connection.receive(&expected)? {
                    echoed += 1;
                    if over {
                        in_flight -= 1;
                    } else {
                        connection.data(stream, &self.message);
                    }
                }
                connection.flush()?;
            }
            over |= Instant::now() >= until;
        }
        Ok(echoed)
    }
}

impl Working {
    /// Opens the streams of all connections.
    fn open(&mut self, port: u16) -> Result<(), String> {
        let expected = Expected {
            first: frame::TEXT,
            payload: &[],
            every: 1,
        };
        let mut asked = vec![false; self.http2.connections];
        while self
            .connections
            .iter()
            .any(|connection| connection.opened < self.http2.streams)
        {
            for event in 0..wait(&mut self.epoll)? {
                let (index, ready) = self.epoll.event(event);
                let connection = &mut self.connections[index];
                if ready & WRITE != 0 {
                    let fd = connection.socket.as_raw_fd();
                    self.epoll
                        .change(fd, READ, index)
                        .map_err(|e| e.to_string())?;
                } else {
                    connection.receive(&expected)?;
                }
                if connection.allowed && !asked[index] {
                    asked[index] = true;
                    for stream in 0..self.http2.streams {
                        connection.frame(HEADERS, END_HEADERS, id(stream), &connect(port));
                    }
                }
                connection.flush()?;
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Reads what has come; the streams on which a message has ended.
    fn receive(&mut self, expected: &Expected) -> Result<Vec<usize>, String> {
        let mut buffer = [0; 64 * 1024];
        let read =
            sys::read(self.socket.as_raw_fd(), &mut buffer).map_err(|e| format!("receive: {e}"))?;
        match read {
            None => return Ok(Vec::new()),
            Some(0) => return Err("the server closed a connection".into()),
            Some(count) => self.received.extend_from_slice(&buffer[..count]),
        }
        let received = std::mem::take(&mut self.received);
        let mut rest = &received[..];
        let mut ended = Vec::new();
        while let Some((head, after)) = rest.split_at_checked(9) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, after)) = after.split_at_checked(length) else {
                break;
            };
            let stream =
                u32::from_be_bytes(head[5..9].try_into().expect("four bytes")) & 0x7fff_ffff;
            self.take(head[3], head[4], stream, payload, expected, &mut ended)?;
            rest = after;
        }
        self.received = rest.to_vec();
        Ok(ended)
    }

    fn take(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        expected: &Expected,
        ended: &mut Vec<usize>,
    ) -> Result<(), String> {
        let index = (stream as usize).wrapping_sub(1) / 2;
        match kind {
            DATA if flags & PADDED == 0 && index < self.streams.len() => {
                let reader = &mut self.streams[index];
                for _ in 0..reader.feed(payload, expected)? {
                    ended.push(index);
                }
                if reader.closed || flags & END_STREAM != 0 {
                    return Err("the server ended a stream".into());
                }
                self.unread += payload.len() as u32;
                if self.unread >= 1 << 20 {
                    let read = std::mem::take(&mut self.unread);
                    self.frame(WINDOW_UPDATE, 0, 0, &read.to_be_bytes());
                }
            }
            HEADERS => {
                // After a change of the table's size, if any, the status: 200 has an index.
                if payload.iter().find(|byte| **byte & 0xe0 != 0x20) != Some(&0x88) {
                    return Err(format!("CONNECT was refused: {payload:x?}"));
                }
                self.opened += 1;
            }
            SETTINGS if flags & ACK == 0 => {
                let extended = |setting: &[u8]| setting == [0, 8, 0, 0, 0, 1];
                self.allowed |= payload.chunks(6).any(extended);
                if !self.allowed {
                    return Err("the server does not take extended CONNECT (RFC 8441)".into());
                }
                self.frame(SETTINGS, ACK, 0, &[]);
            }
            PING if flags & ACK == 0 => self.frame(PING, ACK, 0, payload),
            RST_STREAM | GOAWAY => {
                return Err(format!("the server gave up stream {stream}: {payload:x?}"));
            }
            // Acknowledgements, windows, and what else may be overheard.
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, stream: usize, payload: &[u8]) {
        self.frame(DATA, 0, id(stream), payload);
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.to_send
            .extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        self.to_send.extend_from_slice(&[kind, flags]);
        self.to_send.extend_from_slice(&stream.to_be_bytes());
        self.to_send.extend_from_slice(payload);
    }

    fn flush(&mut self) -> Result<(), String> {
        if self.to_send.is_empty() {
            return Ok(());
        }
        match sys::write(self.socket.as_raw_fd(), &self.to_send)
            .map_err(|e| format!("send: {e}"))?
        {
            Some(taken) if taken == self.to_send.len() => self.to_send.clear(),
            _ => return Err("the kernel does not take a few short frames".into()),
        }
        Ok(())
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// The preface, and windows that do not matter here.
fn opening() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS: INITIAL_WINDOW_SIZE of 2^31 - 1.
    bytes.extend([
        0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff,
    ]);
    bytes.extend([
        0,
        0,
        4,
        WINDOW_UPDATE,
        0,
        0,
        0,
        0,
        0,
        0x3f,
        0xff,
        0xff,
        0xff,
    ]);
    bytes
}

/// The fields of an extended CONNECT in HPACK, nothing kept in its table.
fn connect(port: u16) -> Vec<u8> {
    let mut block = Vec::new();
    let mut literal = |name: Result<u8, &str>, value: &str| {
        match name {
            Ok(index) => block.push(index),
            Err(name) => {
                block.extend([0, name.len() as u8]);
                block.extend(name.bytes());
            }
        }
        block.push(value.len() as u8);
        block.extend(value.bytes());
    };
    literal(Ok(2), "CONNECT");
    literal(Err(":protocol"), "websocket");
    literal(Ok(1), &format!("127.0.0.1:{port}"));
    literal(Ok(6), "http");
    literal(Ok(4), "/");
    literal(Err("sec-websocket-version"), "13");
    block
}

fn id(stream: usize) -> u32 {
    stream as u32 * 2 + 1
}

fn wait(epoll: &mut Epoll) -> Result<usize, String> {
    match epoll.wait(Some(Duration::from_secs(10))) {
        Ok(0) => Err("nothing has come for ten seconds".into()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}
