//! Echo: each connection has some messages in flight, and sends as many as come back.

use std::os::fd::OwnedFd;
use std::time::Instant;

use crate::frame;
use crate::frame::Expected;
use crate::measure::Work;
use crate::pool::Frames;
use crate::pool::Means;
use crate::pool::Pool;
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
    /// The load of clients on a server.
    pub fn connect(self, port: u16, means: &Means) -> Result<Box<dyn Work>, String> {
        let payload = payload(self.length);
        let frame = frame::masked(self.opcode, &payload);
        let pool = Pool::connect(port, self.connections, means)?;
        Ok(self.working(pool, frame, payload))
    }

    /// The load of a server on clients, which echo as servers do.
    pub fn accept(self, listener: &OwnedFd) -> Result<Box<dyn Work>, String> {
        let payload = payload(self.length);
        let mut frame = frame::header(self.opcode, self.length);
        frame.extend_from_slice(&payload);
        let pool = Pool::accept(listener, self.connections)?;
        Ok(self.working(pool, frame, payload))
    }

    fn working(self, pool: Pool, frame: Vec<u8>, payload: Vec<u8>) -> Box<dyn Work> {
        let frames = Frames::new(frame, self.in_flight);
        Box::new(Working {
            echo: self,
            pool,
            frames,
            payload,
            buffer: vec![0; 256 * 1024],
        })
    }
}

struct Working {
    echo: Echo,
    pool: Pool,
    frames: Frames,
    payload: Vec<u8>,
    buffer: Vec<u8>,
}

impl Work for Working {
    fn run(&mut self, until: Instant) -> Result<u64, String> {
        let Working {
            echo,
            pool,
            frames,
            payload,
            buffer,
        } = self;
        let every = if echo.length < 1024 { 1 } else { 16 };
        let expected = Expected {
            first: echo.opcode,
            payload,
            every,
        };
        let mut in_flight = 0;
        for index in 0..echo.connections {
            pool.send(index, frames, echo.in_flight)?;
            in_flight += echo.in_flight;
        }
        let mut echoed = 0;
        let mut over = false;
        while in_flight > 0 {
            for event in 0..pool.wait()? {
                let (index, ready) = pool.epoll.event(event);
                if ready & WRITE != 0 {
                    pool.flush(index, frames)?;
                }
                if ready & READ == 0 {
                    continue;
                }
                let connection = &mut pool.connections[index];
                let mut messages = 0;
                while let Some(count) = connection
                    .read(buffer)
                    .map_err(|e| format!("receive: {e}"))?
                {
                    messages += connection.reader.feed(&buffer[..count], &expected)?;
                    if count == 0 || connection.reader.closed {
                        return Err("the peer closed a connection".into());
                    }
                    if !connection.may_have_more() {
                        break;
                    }
                }
                if messages > 0 {
                    echoed += messages as u64;
                    if over {
                        in_flight -= messages;
                    } else {
                        pool.send(index, frames, messages)?;
                    }
                }
            }
            over |= Instant::now() >= until;
        }
        Ok(echoed)
    }
}

/// Bytes that are ASCII, and not the same everywhere.
pub fn payload(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| b'a' + (at % 23) as u8 + (at / 23 % 3) as u8)
        .collect()
}
