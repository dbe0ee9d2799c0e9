//! Connections that have been made and wait for work.

use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

use crate::frame;
use crate::frame::Answer;
use crate::frame::Reader;
use crate::sys;
use crate::sys::Epoll;
use crate::sys::READ;
use crate::sys::WRITE;

pub struct Pool {
    pub epoll: Epoll,
    pub connections: Vec<Connection>,
}

pub struct Connection {
    pub socket: OwnedFd,
    pub reader: Reader,
    /// How many bytes of frames are to be sent.
    owed: usize,
    /// Where in the frame the next of them stands.
    at: usize,
    waits: bool,
}

impl Pool {
    /// Makes `count` connections, a hundred at a time.
    pub fn connect(port: u16, count: usize, extensions: Option<&str>) -> Result<Pool, String> {
        let mut pool = Pool {
            epoll: Epoll::new().map_err(|e| e.to_string())?,
            connections: Vec::with_capacity(count),
        };
        let request = frame::request(port, extensions);
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut answered = 0;
        let mut buffer = vec![0; 4096];
        let mut answers: Vec<Vec<u8>> = vec![Vec::new(); count];
        while answered < count {
            while pool.connections.len() < count.min(answered + 100) {
                let index = pool.connections.len();
                let socket =
                    sys::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), source(index))
                        .map_err(|error| format!("connection {index}: {error}"))?;
                pool.epoll
                    .add(socket.as_raw_fd(), WRITE, index)
                    .map_err(|e| e.to_string())?;
                pool.connections.push(Connection {
                    socket,
                    reader: Reader::default(),
                    owed: 0,
                    at: 0,
                    waits: false,
                });
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "only {answered} of {count} handshakes were answered"
                ));
            }
            for event in 0..pool
                .epoll
                .wait(Some(Duration::from_secs(1)))
                .map_err(|e| e.to_string())?
            {
                let (index, ready) = pool.epoll.event(event);
                let fd = pool.connections[index].socket.as_raw_fd();
                if ready & WRITE != 0 {
                    sys::write(fd, &request)
                        .map_err(|error| format!("connection {index}: {error}"))?;
                    pool.epoll
                        .change(fd, READ, index)
                        .map_err(|e| e.to_string())?;
                    continue;
                }
                let got = sys::read(fd, &mut buffer)
                    .map_err(|error| format!("handshake {index}: {error}"))?;
                if got == Some(0) {
                    return Err(format!("the server closed in handshake {index}"));
                }
                answers[index].extend_from_slice(&buffer[..got.unwrap_or(0)]);
                match frame::answer(&answers[index]) {
                    Answer::Partial => {}
                    Answer::Switched(end) if end == answers[index].len() => {
                        answers[index] = Vec::new();
                        answered += 1;
                    }
                    Answer::Switched(_) => return Err("the server sends before it is asked".into()),
                    Answer::Refused(head) => {
                        return Err(format!("the handshake was refused: {head}"));
                    }
                }
            }
        }
        Ok(pool)
    }

    /// Sends `count` more of the frame that `frames` repeats.
    #[inline]
    pub fn send(&mut self, index: usize, frames: &Frames, count: usize) -> Result<(), String> {
        self.connections[index].owed += count * frames.length;
        if self.connections[index].waits {
            Ok(())
        } else {
            self.flush(index, frames)
        }
    }

    /// Goes on where the kernel took nothing more.
    #[inline]
    pub fn flush(&mut self, index: usize, frames: &Frames) -> Result<(), String> {
        let connection = &mut self.connections[index];
        let fd = connection.socket.as_raw_fd();
        while connection.owed > 0 {
            let end = frames.bytes.len().min(connection.at + connection.owed);
            let taken = sys::write(fd, &frames.bytes[connection.at..end])
                .map_err(|e| format!("send: {e}"))?;
            let Some(taken) = taken else { break };
            connection.owed -= taken;
            connection.at = (connection.at + taken) % frames.length;
        }
        let waits = connection.owed > 0;
        if waits != connection.waits {
            connection.waits = waits;
            let interest = if waits { READ | WRITE } else { READ };
            self.epoll
                .change(fd, interest, index)
                .map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

/// One frame as often as it may be sent at once.
pub struct Frames {
    bytes: Vec<u8>,
    length: usize,
}

impl Frames {
    pub fn new(frame: Vec<u8>, times: usize) -> Frames {
        Frames {
            length: frame.len(),
            bytes: frame.repeat(times),
        }
    }
}

/// An address of its own for each 10,000 connections, from 127.0.0.2 on.
pub fn source(index: usize) -> u8 {
    2 + (index / 10_000) as u8
}
