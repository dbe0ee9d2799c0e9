//! Connect and close: TCP connection, opening handshake, closing handshake, and the server's
//! end of the TCP connection, which is the server's to end first (RFC 6455, 7.1.1).

use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::frame;
use crate::frame::Answer;
use crate::measure::Report;
use crate::measure::Times;
use crate::measure::Window;
use crate::server::Server;
use crate::sys;
use crate::sys::Epoll;
use crate::sys::READ;
use crate::sys::WRITE;

#[derive(Clone, Copy)]
pub struct Connect {
    /// How many are on their way at once.
    pub at_once: usize,
}

enum State {
    Connecting,
    Opening,
    Closing,
}

struct Connection {
    socket: OwnedFd,
    state: State,
    got: Vec<u8>,
}

impl Connect {
    pub fn run(self, server: &Server, times: Times) -> Result<Report, String> {
        let mut epoll = Epoll::new().map_err(|e| e.to_string())?;
        let request = frame::request(server.port, None);
        let close = frame::masked(frame::CLOSE, &1000u16.to_be_bytes());
        let mut connections: Vec<Connection> = Vec::new();
        let mut begun = 0;
        let mut begin = |epoll: &Epoll, slot: usize| {
            let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, server.port);
            // Ports rest for a minute after use, so each address gets its turn.
            begun += 1;
            let socket =
                sys::connect(to, 2 + (begun % 200) as u8).map_err(|e| format!("connect: {e}"))?;
            epoll
                .add(socket.as_raw_fd(), WRITE, slot)
                .map_err(|e| e.to_string())?;
            Ok::<_, String>(Connection {
                socket,
                state: State::Connecting,
                got: Vec::with_capacity(512),
            })
        };
        for slot in 0..self.at_once {
            connections.push(begin(&epoll, slot)?);
        }
        let mut buffer = vec![0; 4096];
        let mut closed = 0;
        let mut window = Window::new(server.pid(), times);
        loop {
            for event in 0..epoll
                .wait(Some(Duration::from_secs(1)))
                .map_err(|e| e.to_string())?
            {
                let (slot, _) = epoll.event(event);
                let connection = &mut connections[slot];
                let fd = connection.socket.as_raw_fd();
                if let State::Connecting = connection.state {
                    sys::write(fd, &request).map_err(|e| format!("connect: {e}"))?;
                    epoll.change(fd, READ, slot).map_err(|e| e.to_string())?;
                    connection.state = State::Opening;
                    continue;
                }
                let Some(count) =
                    sys::read(fd, &mut buffer).map_err(|e| format!("receive: {e}"))?
                else {
                    continue;
                };
                connection.got.extend_from_slice(&buffer[..count]);
                match connection.state {
                    State::Opening => match frame::answer(&connection.got) {
                        Answer::Switched(end) => {
                            connection.got.drain(..end);
                            sys::write(fd, &close).map_err(|e| format!("close: {e}"))?;
                            connection.state = State::Closing;
                        }
                        Answer::Refused(head) => {
                            return Err(format!("the handshake was refused: {head}"));
                        }
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
                        closed += 1;
                        *connection = begin(&epoll, slot)?;
                    }
                    _ => {}
                }
            }
            if let Some(report) = window.tick(closed)? {
                return Ok(report);
            }
        }
    }
}
