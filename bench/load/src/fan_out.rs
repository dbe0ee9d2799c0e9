//! Fan-out: rounds in which one connection, each time another, sends some messages, and all
//! connections get all of them. Each wakes once a round (SO_RCVLOWAT), so that the load does
//! not cost more than the server.

use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::echo::payload;
use crate::frame;
use crate::frame::Expected;
use crate::measure::Report;
use crate::measure::Times;
use crate::measure::Window;
use crate::pool::Frames;
use crate::pool::Pool;
use crate::server::Server;
use crate::sys;

#[derive(Clone, Copy)]
pub struct FanOut {
    pub connections: usize,
    pub in_flight: usize,
    pub length: usize,
}

impl FanOut {
    pub fn run(self, server: &Server, times: Times) -> Result<Report, String> {
        let payload = payload(self.length);
        let frames = Frames::new(frame::masked(frame::TEXT, &payload), self.in_flight);
        let expected = Expected {
            opcode: frame::TEXT,
            payload: &payload,
            every: 1,
        };
        let mut pool = Pool::connect(server.port, self.connections, None)?;
        let batch = self.in_flight * (frame::header(frame::TEXT, self.length).len() + self.length);
        for connection in &pool.connections {
            sys::set_low_water(&connection.socket, batch).map_err(|e| e.to_string())?;
        }
        let mut buffer = vec![0; 64 * 1024];
        let (mut round, mut delivered, mut left) = (0, 0, 0);
        let mut window = Window::new(server.pid(), times);
        loop {
            if left == 0 {
                left = self.in_flight * self.connections;
                pool.send(round % self.connections, &frames, self.in_flight)?;
                round += 1;
            }
            for event in 0..pool
                .epoll
                .wait(Some(Duration::from_secs(1)))
                .map_err(|e| e.to_string())?
            {
                let (index, _) = pool.epoll.event(event);
                let connection = &mut pool.connections[index];
                let count = sys::read(connection.socket.as_raw_fd(), &mut buffer)
                    .map_err(|e| format!("receive: {e}"))?;
                let Some(count) = count else { continue };
                let messages = connection.reader.feed(&buffer[..count], &expected)?;
                if count == 0 || connection.reader.closed {
                    return Err("the server closed a connection".into());
                }
                delivered += messages as u64;
                left = left
                    .checked_sub(messages)
                    .ok_or("more was delivered than sent")?;
            }
            if let Some(report) = window.tick(delivered)? {
                return Ok(report);
            }
        }
    }
}
