//! Echo: each connection has some messages in flight, and sends as many as come back.

use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::frame;
use crate::frame::Expected;
use crate::measure::Report;
use crate::measure::Times;
use crate::measure::Window;
use crate::pool::Frames;
use crate::pool::Pool;
use crate::server::Server;
use crate::sys;
use crate::sys::READ;
use crate::sys::WRITE;

#[derive(Clone, Copy)]
pub struct Echo {
    pub connections: usize,
    pub in_flight: usize,
    pub opcode: u8,
    pub length: usize,
}

impl Echo {
    pub fn run(self, server: &Server, times: Times) -> Result<Report, String> {
        let payload = payload(self.length);
        let frames = Frames::new(frame::masked(self.opcode, &payload), self.in_flight);
        let every = if self.length < 1024 { 1 } else { 16 };
        let expected = Expected {
            opcode: self.opcode,
            payload: &payload,
            every,
        };
        let mut pool = Pool::connect(server.port, self.connections, None)?;
        for index in 0..self.connections {
            pool.send(index, &frames, self.in_flight)?;
        }
        let mut buffer = vec![0; 256 * 1024];
        let mut echoed = 0;
        let mut window = Window::new(server.pid(), times);
        loop {
            for event in 0..pool
                .epoll
                .wait(Some(Duration::from_secs(1)))
                .map_err(|e| e.to_string())?
            {
                let (index, ready) = pool.epoll.event(event);
                if ready & WRITE != 0 {
                    pool.flush(index, &frames)?;
                }
                if ready & READ != 0 {
                    let connection = &mut pool.connections[index];
                    let count = sys::read(connection.socket.as_raw_fd(), &mut buffer)
                        .map_err(|e| format!("receive: {e}"))?;
                    let Some(count) = count else { continue };
                    let messages = connection.reader.feed(&buffer[..count], &expected)?;
                    if count == 0 || connection.reader.closed {
                        return Err("the server closed a connection".into());
                    }
                    if messages > 0 {
                        echoed += messages as u64;
                        pool.send(index, &frames, messages)?;
                    }
                }
            }
            if let Some(report) = window.tick(echoed)? {
                return Ok(report);
            }
        }
    }
}

/// Bytes that are ASCII, and not the same everywhere.
pub fn payload(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| b'a' + (at % 23) as u8 + (at / 23 % 3) as u8)
        .collect()
}
