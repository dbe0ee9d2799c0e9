//! Fan-out: rounds in which one connection, each time another, sends some messages, and all
//! connections get all of them. Each wakes once a round (SO_RCVLOWAT), so that the load does
//! not cost more than the server. An operation is a delivery.

use std::time::Instant;

use crate::echo::payload;
use crate::frame;
use crate::frame::Expected;
use crate::measure::Work;
use crate::pool::Frames;
use crate::pool::Means;
use crate::pool::Pool;
use crate::sys;

#[derive(Clone, Copy)]
pub struct FanOut {
    pub connections: usize,
    pub in_flight: usize,
    pub length: usize,
}

impl FanOut {
    pub fn connect(self, port: u16, means: &Means) -> Result<Box<dyn Work>, String> {
        let payload = payload(self.length);
        let frames = Frames::new(frame::masked(frame::TEXT, &payload), self.in_flight);
        let pool = Pool::connect(port, self.connections, means)?;
        let round = self.in_flight * (frame::header(frame::TEXT, self.length).len() + self.length);
        for connection in &pool.connections {
            sys::set_low_water(&connection.socket, round).map_err(|e| e.to_string())?;
        }
        Ok(Box::new(Working {
            fan_out: self,
            pool,
            frames,
            payload,
            buffer: vec![0; 64 * 1024],
            round: 0,
        }))
    }
}

struct Working {
    fan_out: FanOut,
    pool: Pool,
    frames: Frames,
    payload: Vec<u8>,
    buffer: Vec<u8>,
    round: usize,
}

impl Work for Working {
    fn run(&mut self, until: Instant) -> Result<u64, String> {
        let Working {
            fan_out,
            pool,
            frames,
            payload,
            buffer,
            round,
        } = self;
        let expected = Expected {
            first: frame::TEXT,
            payload,
            every: 1,
        };
        let mut delivered = 0;
        while Instant::now() < until {
            pool.send(*round % fan_out.connections, frames, fan_out.in_flight)?;
            *round += 1;
            let mut left = fan_out.in_flight * fan_out.connections;
            delivered += left as u64;
            while left > 0 {
                for event in 0..pool.wait()? {
                    let (index, _) = pool.epoll.event(event);
                    let connection = &mut pool.connections[index];
                    let read = connection
                        .read(buffer)
                        .map_err(|e| format!("receive: {e}"))?;
                    let Some(count) = read else { continue };
                    let messages = connection.reader.feed(&buffer[..count], &expected)?;
                    if count == 0 || connection.reader.closed {
                        return Err("the server closed a connection".into());
                    }
                    left = left
                        .checked_sub(messages)
                        .ok_or("more was delivered than sent")?;
                }
            }
        }
        Ok(delivered)
    }
}
