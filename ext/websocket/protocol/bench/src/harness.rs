//! Runs contenders in turns.
//!
//! A machine is never idle, and its clock is not constant. So the contenders of a row run in
//! rounds, each once in a round, and each in turn starts a round. Their times in the same round are
//! compared. The time is the CPU time of the thread, which does not pass while another program has
//! the processor.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// One way to do the work of a row.
pub struct Contender<'a> {
    pub name: &'static str,
    /// Does the work once.
    pub pass: Box<dyn FnMut() + 'a>,
}

impl<'a> Contender<'a> {
    pub fn new(name: &'static str, pass: impl FnMut() + 'a) -> Self {
        Self {
            name,
            pass: Box::new(pass),
        }
    }
}

/// How long a contender took for a message.
pub struct Timing {
    pub name: &'static str,
    /// The median, in nanoseconds.
    pub nanoseconds: f64,
    /// The median over the rounds of the ratio to the first contender.
    pub ratio: f64,
}

/// Runs the contenders of a row in turns. A pass does `messages` messages.
pub fn compare(mut contenders: Vec<Contender<'_>>, messages: usize, rounds: usize) -> Vec<Timing> {
    let repeats = contenders.iter_mut().map(repeats).max().unwrap_or(1);
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..WARM_UP + rounds {
        for turn in 0..contenders.len() {
            let i = (round + turn) % contenders.len();
            let elapsed = time(&mut contenders[i], repeats);
            if round >= WARM_UP {
                times[i].push(elapsed.as_secs_f64() * 1e9 / (repeats * messages) as f64);
            }
        }
    }
    contenders
        .iter()
        .zip(&times)
        .map(|(contender, own)| Timing {
            name: contender.name,
            nanoseconds: median(own.clone()),
            ratio: median(own.iter().zip(&times[0]).map(|(a, b)| a / b).collect()),
        })
        .collect()
}

/// How many passes of `contender` have to be timed together to be long enough.
fn repeats(contender: &mut Contender<'_>) -> usize {
    let mut repeats = 1;
    while time(contender, repeats) < LONG_ENOUGH {
        repeats *= 2;
    }
    repeats
}

fn time(contender: &mut Contender<'_>, repeats: usize) -> Duration {
    let start = now();
    for _ in 0..repeats {
        (contender.pass)();
    }
    now() - start
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How many rounds do not count.
const WARM_UP: usize = 3;

/// Compared with this time, reading the clock takes almost none.
const LONG_ENOUGH: Duration = Duration::from_micros(300);
