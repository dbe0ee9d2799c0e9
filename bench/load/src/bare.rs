//! An echo server with nothing around it: one thread, epoll, one read and one write for
//! whatever has come. What it costs is what the kernel costs.

use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use crate::frame;
use crate::sys;
use crate::sys::Epoll;
use crate::sys::READ;
use crate::sys::WRITE;

pub fn serve(port: u16) -> io::Result<()> {
    let (listener, port) = sys::listen(port)?;
    println!("{port}");
    let mut epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), READ, LISTENER)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = epoll.wait(None)?;
        for index in 0..count {
            let (token, ready) = epoll.event(index);
            if token == LISTENER {
                while let Some(socket) = sys::accept(&listener)? {
                    let slot = free.pop().unwrap_or_else(|| {
                        connections.push(None);
                        connections.len() - 1
                    });
                    epoll.add(socket.as_raw_fd(), READ, slot)?;
                    connections[slot] = Some(Connection::new(socket));
                }
                continue;
            }
            let Some(connection) = &mut connections[token] else {
                continue;
            };
            let open = connection.on_ready(ready, &mut buffer, &epoll, token);
            if !open.unwrap_or(false) {
                connections[token] = None;
                free.push(token);
            }
        }
    }
}

const LISTENER: usize = usize::MAX;

struct Connection {
    socket: OwnedFd,
    switched: bool,
    /// The beginning of a frame, the rest of which has not come.
    partial: Vec<u8>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
}

impl Connection {
    fn new(socket: OwnedFd) -> Connection {
        Connection {
            socket,
            switched: false,
            partial: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// Whether the connection goes on.
    fn on_ready(
        &mut self,
        ready: u32,
        buffer: &mut [u8],
        epoll: &Epoll,
        token: usize,
    ) -> io::Result<bool> {
        let fd = self.socket.as_raw_fd();
        if !self.unsent.is_empty() {
            if ready & WRITE != 0 {
                let taken = sys::write(fd, &self.unsent)?.unwrap_or(0);
                self.unsent.drain(..taken);
                if self.unsent.is_empty() {
                    self.unsent = Vec::new();
                    epoll.change(fd, READ, token)?;
                }
            }
            return Ok(true);
        }
        let open = if self.partial.is_empty() {
            let Some(count) = sys::read(fd, buffer)? else {
                return Ok(true);
            };
            if count == 0 {
                return Ok(false);
            }
            self.on_bytes(&mut buffer[..count])?
        } else {
            // Straight to where the rest of the frame belongs.
            let mut partial = std::mem::take(&mut self.partial);
            let have = partial.len();
            let wanted = match Frame::parse(&partial) {
                Some(frame) => frame.end().max(have + 1),
                None => have + buffer.len(),
            };
            if partial.capacity() < wanted {
                partial.reserve_exact(wanted - have);
            }
            partial.resize(wanted, 0);
            let count = sys::read(fd, &mut partial[have..])?;
            partial.truncate(have + count.unwrap_or(0));
            if count == Some(0) {
                return Ok(false);
            }
            let whole = !self.switched
                || Frame::parse(&partial).is_some_and(|frame| frame.end() <= partial.len());
            if whole {
                self.on_bytes(&mut partial)?
            } else {
                self.partial = partial;
                true
            }
        };
        if !self.unsent.is_empty() {
            epoll.change(fd, WRITE, token)?;
        }
        Ok(open)
    }

    /// Turns each frame into a server's where it lies, and sends them together.
    fn on_bytes(&mut self, bytes: &mut [u8]) -> io::Result<bool> {
        if !self.switched {
            let Some((answer, end)) = frame::switch(bytes) else {
                self.partial = bytes.to_vec();
                return Ok(true);
            };
            self.switched = true;
            self.send(&answer)?;
            return if end < bytes.len() {
                self.on_bytes(&mut bytes[end..])
            } else {
                Ok(true)
            };
        }
        let mut open = true;
        let (mut from, mut to, mut first) = (0, 0, None);
        while let Some(frame) = Frame::parse(&bytes[from..]) {
            if from + frame.end() > bytes.len() {
                break;
            }
            open &= frame.opcode != frame::CLOSE;
            let payload = from + frame.header;
            unmask(&mut bytes[payload..payload + frame.length], frame.mask);
            // The first frame moves its header up to its payload, the others move down to it.
            let header = frame.header - 4;
            let (head0, head1) = (bytes[from], bytes[from + 1] & 0x7f);
            if first.is_none() {
                first = Some(payload - header);
                bytes.copy_within(from..from + header, payload - header);
                bytes[payload - header + 1] = head1;
                to = payload + frame.length;
            } else {
                bytes.copy_within(from..from + header, to);
                bytes[to] = head0;
                bytes[to + 1] = head1;
                bytes.copy_within(payload..payload + frame.length, to + header);
                to += header + frame.length;
            }
            from = payload + frame.length;
        }
        if let Some(first) = first {
            self.send(&bytes[first..to])?;
        }
        if from < bytes.len() {
            self.partial = bytes[from..].to_vec();
        }
        Ok(open)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = sys::write(self.socket.as_raw_fd(), bytes)?.unwrap_or(0);
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }
}

/// The header of a client's frame.
pub struct Frame {
    pub opcode: u8,
    /// Length of the header, with the mask.
    pub header: usize,
    pub length: usize,
    pub mask: [u8; 4],
}

impl Frame {
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Frame> {
        let short = (*bytes.get(1)? & 0x7f) as usize;
        let (header, length) = match short {
            126 => (
                8,
                u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize,
            ),
            127 => (
                14,
                u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize,
            ),
            _ => (6, short),
        };
        let mask = bytes.get(header - 4..header)?.try_into().ok()?;
        Some(Frame {
            opcode: bytes[0] & 0xf,
            header,
            length,
            mask,
        })
    }

    pub fn end(&self) -> usize {
        self.header + self.length
    }
}

#[inline]
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let word = u32::from_ne_bytes(mask);
    let mut words = payload.chunks_exact_mut(4);
    for four in &mut words {
        let value = u32::from_ne_bytes([four[0], four[1], four[2], four[3]]) ^ word;
        four.copy_from_slice(&value.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
