//! Connect and close: TCP connection, opening handshake, closing handshake, and the server's
//! end of the TCP connection, which is the server's to end first (RFC 6455, 7.1.1).

use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

use crate::frame;
use crate::frame::Answer;
use crate::measure::Work;
use crate::sys;
use crate::sys::Epoll;
use crate::sys::READ;
use crate::sys::WRITE;

#[derive(Clone, Copy)]
pub struct Connect {
    /// How many are on their way at once.
    pub at_once: usize,
}

impl Connect {
    pub fn start(self, port: u16) -> Result<Box<dyn Work>, String> {
        Ok(Box::new(Working {
            connect: self,
            port,
            epoll: Epoll::new().map_err(|e| e.to_string())?,
            request: frame::request(port, None),
            close: frame::masked(frame::CLOSE, &1000u16.to_be_bytes()),
            begun: 0,
        }))
    }
}

struct Working {
    connect: Connect,
    port: u16,
    epoll: Epoll,
    request: Vec<u8>,
    close: Vec<u8>,
    begun: usize,
}

struct Connection {
    socket: OwnedFd,
    state: State,
    got: Vec<u8>,
}

enum State {
    Connecting,
    Opening,
    Closing,
}

impl Work for Working {
    fn run(&mut self, until: Instant) -> Result<u64, String> {
        let mut connections = Vec::new();
        for slot in 0..self.connect.at_once {
            connections.push(Some(self.begin(slot)?));
        }
        let mut closed = 0;
        let mut open = connections.len();
        while open > 0 {
            let events = self
                .epoll
                .wait(Some(Duration::from_secs(10)))
                .map_err(|e| e.to_string())?;
            if events == 0 {
                return Err("nothing has come for ten seconds".into());
            }
            let over = Instant::now() >= until;
            for event in 0..events {
                let (slot, _) = self.epoll.event(event);
                let Some(connection) = &mut connections[slot] else {
                    continue;
                };
                if !self.advance(connection, slot)? {
                    continue;
                }
                closed += 1;
                connections[slot] = if over { None } else { Some(self.begin(slot)?) };
                open -= over as usize;
            }
        }
        Ok(closed)
    }
}

impl Working {
    fn begin(&mut self, slot: usize) -> Result<Connection, String> {
        let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port);
        // Ports rest for a minute after use, so each address gets its turn.
        self.begun += 1;
        let socket =
            sys::connect(to, 2 + (self.begun % 200) as u8).map_err(|e| format!("connect: {e}"))?;
        self.epoll
            .add(socket.as_raw_fd(), WRITE, slot)
            .map_err(|e| e.to_string())?;
        Ok(Connection {
            socket,
            state: State::Connecting,
            got: Vec::with_capacity(512),
        })
    }

    /// Whether the connection is over.
    fn advance(&mut self, connection: &mut Connection, slot: usize) -> Result<bool, String> {
        let fd = connection.socket.as_raw_fd();
        if let State::Connecting = connection.state {
            sys::write(fd, &self.request).map_err(|e| format!("connect: {e}"))?;
            self.epoll
                .change(fd, READ, slot)
                .map_err(|e| e.to_string())?;
            connection.state = State::Opening;
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        let Some(count) = sys::read(fd, &mut buffer).map_err(|e| format!("receive: {e}"))? else {
            return Ok(false);
        };
        connection.got.extend_from_slice(&buffer[..count]);
        match connection.state {
            State::Opening => match frame::answer(&connection.got) {
                Answer::Switched(end) => {
                    connection.got.drain(..end);
                    sys::write(fd, &self.close).map_err(|e| format!("close: {e}"))?;
                    connection.state = State::Closing;
                }
                Answer::Refused(head) => return Err(format!("the handshake was refused: {head}")),
                Answer::Partial if count == 0 => {
                    return Err("the server closed in the handshake".into());
                }
                Answer::Partial => {}
            },
            _ if count == 0 => {
                if connection.got.first() != Some(&(0x80 | frame::CLOSE)) {
                    return Err(format!(
                        "the server answered Close with {:?}",
                        connection.got
                    ));
                }
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }
}
