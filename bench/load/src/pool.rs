//! Connections that have been made and wait for work.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::frame;
use crate::frame::Answer;
use crate::frame::Reader;
use crate::sys;
use crate::sys::Epoll;
use crate::sys::READ;
use crate::sys::WRITE;
use crate::tls::Tls;

pub struct Pool {
    pub epoll: Epoll,
    pub connections: Vec<Connection>,
}

pub struct Connection {
    pub socket: OwnedFd,
    pub reader: Reader,
    tls: Option<Box<Tls>>,
    /// How many bytes of frames are to be sent.
    owed: usize,
    /// Where in the frame the next of them stands.
    at: usize,
    waits: bool,
}

/// How connections are made.
#[derive(Clone, Default)]
pub struct Means {
    /// What the handshake offers.
    pub extensions: Option<&'static str>,
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl Pool {
    /// Makes `count` connections to a server on 127.0.0.1, a hundred at a time.
    pub fn connect(port: u16, count: usize, means: &Means) -> Result<Pool, String> {
        let mut pool = Pool::new(count)?;
        let request = frame::request(port, means.extensions);
        let deadline = Instant::now() + PATIENCE;
        let mut answered = 0;
        let mut buffer = vec![0; 4096];
        let mut answers: Vec<Vec<u8>> = vec![Vec::new(); count];
        while answered < count {
            while pool.connections.len() < count.min(answered + 100) {
                let index = pool.connections.len();
                let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
                let socket = sys::connect(to, source(index))
                    .map_err(|error| format!("connection {index}: {error}"))?;
                let tls = means
                    .tls
                    .as_ref()
                    .map(|config| Box::new(Tls::new(config.clone())));
                pool.push(socket, tls, WRITE)?;
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "only {answered} of {count} handshakes were answered"
                ));
            }
            for event in 0..pool.wait()? {
                let (index, ready) = pool.epoll.event(event);
                let connection = &mut pool.connections[index];
                let failed = |error| format!("handshake {index}: {error}");
                if ready & WRITE != 0 {
                    connection.write(&request).map_err(failed)?;
                    pool.epoll
                        .change(connection.socket.as_raw_fd(), READ, index)
                        .map_err(failed)?;
                    continue;
                }
                let Some(got) = connection.read(&mut buffer).map_err(failed)? else {
                    continue;
                };
                if got == 0 {
                    return Err(format!("the server closed in handshake {index}"));
                }
                answers[index].extend_from_slice(&buffer[..got]);
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

    /// Waits for `count` clients.
    pub fn accept(listener: &OwnedFd, count: usize) -> Result<Pool, String> {
        let mut pool = Pool::new(count)?;
        pool.epoll
            .add(listener.as_raw_fd(), READ, LISTENER)
            .map_err(|e| e.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 4096];
        let mut requests: Vec<Vec<u8>> = vec![Vec::new(); count];
        let mut answered = 0;
        while answered < count {
            if Instant::now() > deadline {
                return Err(format!("only {answered} of {count} clients have come"));
            }
            for event in 0..pool.wait()? {
                let (index, _) = pool.epoll.event(event);
                if index == LISTENER {
                    while let Some(socket) = sys::accept(listener).map_err(|e| e.to_string())? {
                        if pool.connections.len() == count {
                            return Err(format!("more than {count} clients have come"));
                        }
                        pool.push(socket, None, READ)?;
                    }
                    continue;
                }
                let failed = |error: io::Error| format!("client {index}: {error}");
                let connection = &mut pool.connections[index];
                let Some(got) = connection.read(&mut buffer).map_err(failed)? else {
                    continue;
                };
                if got == 0 {
                    return Err(format!("client {index} left in the handshake"));
                }
                requests[index].extend_from_slice(&buffer[..got]);
                if let Some((answer, _)) = frame::switch(&requests[index]) {
                    connection.write(&answer).map_err(failed)?;
                    answered += 1;
                }
            }
        }
        Ok(pool)
    }

    fn new(count: usize) -> Result<Pool, String> {
        let epoll = Epoll::new().map_err(|e| e.to_string())?;
        Ok(Pool {
            epoll,
            connections: Vec::with_capacity(count),
        })
    }

    fn push(
        &mut self,
        socket: OwnedFd,
        tls: Option<Box<Tls>>,
        interest: u32,
    ) -> Result<(), String> {
        self.epoll
            .add(socket.as_raw_fd(), interest, self.connections.len())
            .map_err(|e| e.to_string())?;
        self.connections.push(Connection {
            socket,
            reader: Reader::default(),
            tls,
            owed: 0,
            at: 0,
            waits: false,
        });
        Ok(())
    }

    /// Waits for events; that nothing at all happens is an error.
    #[inline]
    pub fn wait(&mut self) -> Result<usize, String> {
        match self.epoll.wait(Some(Duration::from_secs(10))) {
            Ok(0) => Err("nothing has come for ten seconds".into()),
            Ok(count) => Ok(count),
            Err(error) => Err(error.to_string()),
        }
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

    /// Sends a short frame, for which there must be room.
    pub fn send_short(&mut self, index: usize, frame: &[u8]) -> Result<(), String> {
        match self.connections[index]
            .write(frame)
            .map_err(|e| format!("send: {e}"))?
        {
            Some(taken) if taken == frame.len() => Ok(()),
            _ => Err("the kernel does not take a short frame".into()),
        }
    }

    /// Goes on where the kernel took nothing more.
    #[inline]
    pub fn flush(&mut self, index: usize, frames: &Frames) -> Result<(), String> {
        let connection = &mut self.connections[index];
        let failed = |error: io::Error| format!("send: {error}");
        while connection.owed > 0 {
            let end = frames.bytes.len().min(connection.at + connection.owed);
            let taken = connection
                .write(&frames.bytes[connection.at..end])
                .map_err(failed)?;
            let Some(taken) = taken else { break };
            connection.owed -= taken;
            connection.at = (connection.at + taken) % frames.length;
        }
        let waits =
            connection.owed > 0 || connection.tls.as_ref().is_some_and(|tls| tls.wants_write());
        if waits != connection.waits {
            connection.waits = waits;
            let interest = if waits { READ | WRITE } else { READ };
            self.epoll
                .change(connection.socket.as_raw_fd(), interest, index)
                .map_err(failed)?;
        }
        Ok(())
    }
}

impl Connection {
    /// What was read, or None where nothing is there now. 0 is the end.
    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match &mut self.tls {
            None => sys::read(self.socket.as_raw_fd(), buffer),
            Some(tls) => tls.read(self.socket.as_raw_fd(), buffer),
        }
    }

    /// Whether another read may find something that epoll does not know of.
    #[inline]
    pub fn may_have_more(&self) -> bool {
        self.tls.is_some()
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        match &mut self.tls {
            None => sys::write(self.socket.as_raw_fd(), bytes),
            Some(tls) => tls.write(self.socket.as_raw_fd(), bytes),
        }
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
fn source(index: usize) -> u8 {
    2 + (index / 10_000) as u8
}

const LISTENER: usize = usize::MAX;
const PATIENCE: Duration = Duration::from_secs(120);
