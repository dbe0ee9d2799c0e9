//! Latency: echoes at a fixed rate. A message's time runs from when it was due, not from when
//! it could be sent, so that a server that stands still for a moment does not hide it.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::echo::payload;
use crate::frame;
use crate::frame::Expected;
use crate::measure::Work;
use crate::pool::Frames;
use crate::pool::Means;
use crate::pool::Pool;
use crate::sys::READ;
use crate::sys::WRITE;

#[derive(Clone, Copy)]
pub struct Latency {
    pub connections: usize,
    /// Messages a second, over all connections.
    pub rate: u32,
    pub length: usize,
}

impl Latency {
    pub fn connect(self, port: u16, means: &Means) -> Result<Box<dyn Work>, String> {
        let payload = payload(self.length);
        Ok(Box::new(Working {
            latency: self,
            pool: Pool::connect(port, self.connections, means)?,
            frames: Frames::new(frame::masked(frame::TEXT, &payload), 64),
            payload,
            due: vec![VecDeque::new(); self.connections],
            times: Vec::new(),
            warm: false,
        }))
    }
}

struct Working {
    latency: Latency,
    pool: Pool,
    frames: Frames,
    payload: Vec<u8>,
    /// Of each connection, when the messages in flight were due.
    due: Vec<VecDeque<Instant>>,
    /// What each message took, in nanoseconds.
    times: Vec<u32>,
    warm: bool,
}

impl Work for Working {
    fn run(&mut self, until: Instant) -> Result<u64, String> {
        let Working {
            latency,
            pool,
            frames,
            payload,
            due,
            times,
            warm,
        } = self;
        let expected = Expected {
            first: frame::TEXT,
            payload,
            every: 1,
        };
        let interval = Duration::from_secs(1) / latency.rate;
        let mut buffer = [0; 64 * 1024];
        let mut next = Instant::now();
        let (mut sent, mut echoed) = (0, 0);
        let deadline = until + Duration::from_secs(10);
        loop {
            let now = Instant::now();
            while next <= now && next < until {
                let index = sent % latency.connections;
                due[index].push_back(next);
                pool.send(index, frames, 1)?;
                sent += 1;
                next += interval;
            }
            if now > deadline {
                return Err("the server does not keep up".into());
            }
            // Without waiting: it would be late.
            for event in 0..pool
                .epoll
                .wait(Some(Duration::ZERO))
                .map_err(|e| e.to_string())?
            {
                let (index, ready) = pool.epoll.event(event);
                if ready & WRITE != 0 {
                    pool.flush(index, frames)?;
                }
                if ready & READ == 0 {
                    continue;
                }
                let connection = &mut pool.connections[index];
                while let Some(count) = connection
                    .read(&mut buffer)
                    .map_err(|e| format!("receive: {e}"))?
                {
                    let now = Instant::now();
                    for _ in 0..connection.reader.feed(&buffer[..count], &expected)? {
                        let due = due[index]
                            .pop_front()
                            .ok_or("more came back than was sent")?;
                        times.push((now - due).as_nanos().min(u32::MAX as u128) as u32);
                        echoed += 1;
                    }
                    if count == 0 || connection.reader.closed {
                        return Err("the server closed a connection".into());
                    }
                    if !connection.may_have_more() {
                        break;
                    }
                }
            }
            if next >= until && echoed == sent {
                break;
            }
        }
        if !*warm {
            *warm = true;
            times.clear();
        }
        Ok(echoed as u64)
    }

    fn findings(&mut self) -> Vec<(&'static str, f64)> {
        self.times.sort_unstable();
        let at = |share: f64| {
            let index = (self.times.len() as f64 * share) as usize;
            self.times
                .get(index)
                .map_or(f64::NAN, |time| *time as f64 / 1e3)
        };
        vec![
            ("p50_us", at(0.5)),
            ("p99_us", at(0.99)),
            ("p999_us", at(0.999)),
        ]
    }
}
