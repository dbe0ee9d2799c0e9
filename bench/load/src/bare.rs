//! An echo server with nothing around it: one thread, epoll, one read and one write for
//! whatever has come. What it costs is what the kernel costs.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use crate::batch::Batch;
use crate::frame;
use crate::sys;
use crate::sys::Epoll;
use crate::sys::READ;
use crate::sys::WRITE;

/// Sends what comes back to where it came from, or with `to_all` to everybody; with `in_batches`
/// to all sockets of a turn in one system call.
pub fn serve(to_all: bool, in_batches: bool) -> io::Result<()> {
    let (listener, port) = sys::listen(0)?;
    println!("{port}");
    let epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), READ, LISTENER)?;
    let batch = in_batches.then(Batch::new).transpose()?;
    let mut server = Server {
        listener,
        epoll,
        batch,
        connections: Vec::new(),
        free: Vec::new(),
    };
    let mut buffer = vec![0; 64 * 1024];
    // What is sent later than where it was read: frames, and whose they are.
    let (mut frames, mut owners) = (Vec::new(), Vec::new());
    loop {
        let count = server.epoll.wait(None)?;
        for index in 0..count {
            let (token, ready) = server.epoll.event(index);
            if token == LISTENER {
                server.accept()?;
                continue;
            }
            let begin = frames.len();
            let later = if to_all || in_batches {
                Some(&mut frames)
            } else {
                None
            };
            server.on_ready(token, ready, &mut buffer, later);
            if frames.len() == begin {
                continue;
            }
            if to_all {
                let open = server.connections.iter().enumerate();
                owners.extend(
                    open.filter(|(_, c)| c.is_some())
                        .map(|(slot, _)| (slot, 0..frames.len())),
                );
                server.send(&owners, &frames)?;
                owners.clear();
                frames.clear();
            } else {
                owners.push((token, begin..frames.len()));
            }
        }
        if !owners.is_empty() {
            server.send(&owners, &frames)?;
            owners.clear();
            frames.clear();
        }
    }
}

struct Server {
    listener: OwnedFd,
    epoll: Epoll,
    batch: Option<Batch>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
}

impl Server {
    fn accept(&mut self) -> io::Result<()> {
        while let Some(socket) = sys::accept(&self.listener)? {
            let slot = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.epoll.add(socket.as_raw_fd(), READ, slot)?;
            self.connections[slot] = Some(Connection::new(socket));
        }
        Ok(())
    }

    fn on_ready(
        &mut self,
        slot: usize,
        ready: u32,
        buffer: &mut [u8],
        later: Option<&mut Vec<u8>>,
    ) {
        let Some(connection) = &mut self.connections[slot] else {
            return;
        };
        let open = connection.on_ready(ready, buffer, later, &self.epoll, slot);
        if !open.unwrap_or(false) {
            self.connections[slot] = None;
            self.free.push(slot);
        }
    }

    /// Sends to each connection its part of `frames`. One that has gone says so by its own event.
    fn send(&mut self, owners: &[(usize, Range<usize>)], frames: &[u8]) -> io::Result<()> {
        let Some(batch) = &mut self.batch else {
            for (slot, range) in owners {
                if let Some(connection) = &mut self.connections[*slot] {
                    let sent = connection.send(&frames[range.clone()]);
                    let _ = sent.and_then(|()| connection.wait_to_write(&self.epoll, *slot));
                }
            }
            return Ok(());
        };
        let fd = |slot: usize| {
            self.connections[slot]
                .as_ref()
                .map_or(-1, |c| c.socket.as_raw_fd())
        };
        let sends: Vec<_> = owners
            .iter()
            .map(|(slot, range)| (fd(*slot), range.clone()))
            .collect();
        for ((slot, range), taken) in owners.iter().zip(batch.send(&sends, frames)?) {
            let Some(connection) = &mut self.connections[*slot] else {
                continue;
            };
            let taken = (*taken).max(0) as usize;
            if taken < range.len() {
                connection
                    .unsent
                    .extend_from_slice(&frames[range.clone()][taken..]);
                let _ = connection.wait_to_write(&self.epoll, *slot);
            }
        }
        Ok(())
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
        later: Option<&mut Vec<u8>>,
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
            self.on_bytes(&mut buffer[..count], later)?
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
                self.on_bytes(&mut partial, later)?
            } else {
                self.partial = partial;
                true
            }
        };
        self.wait_to_write(epoll, token)?;
        Ok(open)
    }

    /// Turns each frame into a server's where it lies, and sends them together.
    fn on_bytes(&mut self, bytes: &mut [u8], later: Option<&mut Vec<u8>>) -> io::Result<bool> {
        if !self.switched {
            let Some((answer, end)) = frame::switch(bytes) else {
                self.partial = bytes.to_vec();
                return Ok(true);
            };
            self.switched = true;
            self.send(&answer)?;
            return if end < bytes.len() {
                self.on_bytes(&mut bytes[end..], later)
            } else {
                Ok(true)
            };
        }
        let echo = turn(bytes);
        if !echo.frames.is_empty() {
            match later {
                Some(frames) if echo.open => frames.extend_from_slice(&bytes[echo.frames]),
                _ => self.send(&bytes[echo.frames])?,
            }
        }
        if echo.used < bytes.len() {
            self.partial = bytes[echo.used..].to_vec();
        }
        Ok(echo.open)
    }

    fn wait_to_write(&mut self, epoll: &Epoll, token: usize) -> io::Result<()> {
        if self.unsent.is_empty() {
            Ok(())
        } else {
            epoll.change(self.socket.as_raw_fd(), WRITE, token)
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = match self.unsent.is_empty() {
            true => sys::write(self.socket.as_raw_fd(), bytes)?.unwrap_or(0),
            false => 0,
        };
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }
}

/// What [`turn`] made.
pub struct Echo {
    /// Where the server's frames are.
    pub frames: Range<usize>,
    /// How much of the client's bytes was frames.
    pub used: usize,
    /// Whether none of them was Close.
    pub open: bool,
}

/// Turns the frames of a client into a server's, one behind another, where they lie.
#[inline]
pub fn turn(bytes: &mut [u8]) -> Echo {
    let mut echo = Echo {
        frames: 0..0,
        used: 0,
        open: true,
    };
    while let Some(frame) = Frame::parse(&bytes[echo.used..]) {
        let from = echo.used;
        if from + frame.end() > bytes.len() {
            break;
        }
        echo.open &= frame.opcode != frame::CLOSE;
        let payload = from + frame.header;
        let end = payload + frame.length;
        unmask(&mut bytes[payload..end], frame.mask);
        let header = frame.header - 4;
        if from == 0 {
            // The first frame's header moves up to its payload, and the others down to it.
            let to = payload - header;
            bytes.copy_within(..header, to);
            bytes[to + 1] &= 0x7f;
            echo.frames = to..end;
        } else {
            let to = echo.frames.end;
            bytes.copy_within(from..from + header, to);
            bytes[to + 1] &= 0x7f;
            bytes.copy_within(payload..end, to + header);
            echo.frames.end = to + header + frame.length;
        }
        echo.used = end;
    }
    echo
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::TEXT;
    use crate::frame::header;
    use crate::frame::masked;

    #[test]
    fn turns_a_client_s_frames_into_a_server_s() {
        let payloads = [&b"a"[..], b"", &[b'b'; 200], &[b'c'; 70_000]];
        let mut bytes = payloads.map(|payload| masked(TEXT, payload)).concat();
        let whole = bytes.len();
        bytes.extend_from_slice(&masked(TEXT, b"unfinished")[..9]);
        let echo = turn(&mut bytes);
        let server =
            payloads.map(|payload| [header(TEXT, payload.len()), payload.to_vec()].concat());
        assert!(bytes[echo.frames] == server.concat()[..]);
        assert!(echo.used == whole && echo.open);
        assert!(!turn(&mut masked(frame::CLOSE, b"")).open);
    }
}
