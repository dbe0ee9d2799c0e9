//! The real hub and its connections over a simulated network, kernel and clock, with actors instead
//! of scripts. One seed decides everything.
//!
//! A simulation has up to three hubs, and connections between them. Actors send, publish, ping,
//! pause, close, terminate and drop from every callback and in between. [`checks`] has the
//! conditions that must hold all the time, and those that must hold once everything has settled.
//! Each message arrived once, in order and whole, or the end was told. Each end was told once.
//! Nothing is awaited for ever. Nothing is left of connections that have ended.
//!
//! `make simulate SEEDS=n SEED=s` runs `n` seeds from `s` on. Seeds that once failed are in
//! `seeds.txt` and run with the tests. `TRACE=1` prints what happens.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod actors;
mod checks;
mod end;
mod network;
mod random;
mod tls;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use duplex_protocol::close::CloseCode;
use duplex_protocol::deflate::{Compression, Parameters};
use duplex_protocol::frame::Role;
use duplex_protocol::session::IdleTimeout;

use self::actors::SimulatedDelivery;
use self::end::End;
use self::network::{Network, Sends};
use self::random::Random;
use super::send_batch::SendBatch;
use super::{EventLoop, Hub, ReadyList};
use crate::connection::{Connection, Options, Settings};
use crate::group::SocketGroup;
use crate::limits::Limits;
use crate::tls::Tls;
use crate::transport::Transport;

/// One simulation.
struct Simulation {
    random: Random,
    network: Network,
    clock: Rc<Cell<Instant>>,
    start: Instant,
    hubs: Vec<SimulatedHub>,
    /// The ends, by their sockets. The sockets of connection `n` are `2 n` and
    /// `2 n + 1`.
    ends: RefCell<Vec<End>>,
    /// Whether something was done to a connection that explains a failure, by connection.
    excused: RefCell<Vec<bool>>,
    /// How many messages and bytes may still be sent.
    budget: Cell<(usize, usize)>,
    /// Whether the actors only read.
    is_settling: Cell<bool>,
    /// Whether many messages are long.
    likes_long: bool,
    /// One of this many steps runs a hub. If hubs run seldom, much waits for each run.
    steps_per_run: usize,
    is_traced: bool,
}

/// A hub and its event loop.
struct SimulatedHub {
    hub: RefCell<Option<Rc<Hub>>>,
    ready: Arc<ReadyList>,
    /// Whether the hub must run.
    is_due: Arc<AtomicBool>,
    timer: Rc<Cell<Option<Instant>>>,
    /// How many connections keep the event loop going.
    holds: Rc<Cell<i64>>,
    group: SocketGroup,
    /// Whether texts are kept until something else comes, as V8's are.
    keeps_texts: bool,
}

struct SimulatedLoop {
    clock: Rc<Cell<Instant>>,
    timer: Rc<Cell<Option<Instant>>>,
    holds: Rc<Cell<i64>>,
}

impl EventLoop for SimulatedLoop {
    fn now(&self) -> Instant {
        self.clock.get()
    }

    fn set_timer(&self, due: Option<Instant>) {
        self.timer.set(due);
    }

    fn hold(&self) {
        self.holds.set(self.holds.get() + 1);
    }

    fn release(&self) {
        self.holds.set(self.holds.get() - 1);
    }
}

impl Simulation {
    fn new(seed: u64, is_traced: bool) -> Self {
        let random = Random::new(seed);
        let start = Instant::now();
        let clock = Rc::new(Cell::new(start));
        let network = Network::new(random.clone(), start);
        let hubs = (0..1 + random.below(3))
            .map(|_| SimulatedHub::new(&random, &network, &clock))
            .collect();
        let likes_long = random.one_in(4);
        let bytes = match likes_long {
            true => 3_000_000,
            false => 400_000,
        };
        Self {
            network,
            clock,
            start,
            hubs,
            ends: RefCell::default(),
            excused: RefCell::default(),
            budget: Cell::new((100 + random.below(300), bytes)),
            is_settling: Cell::new(false),
            likes_long,
            steps_per_run: [3, 3, 6, 15][random.below(4)],
            is_traced,
            random,
        }
    }

    fn trace(&self, what: impl FnOnce() -> String) {
        if self.is_traced {
            let at = (self.clock.get() - self.start).as_millis();
            eprintln!("{at:>7} {}", what());
        }
    }

    /// Everything from the first connection to the last end.
    fn run(&self) {
        for _ in 0..1 + self.random.below(12) {
            self.connect();
        }
        for _ in 0..40 + self.random.below(200) {
            self.step();
        }
        self.trace(|| "-- everything settles".to_owned());
        self.is_settling.set(true);
        self.network.become_perfect();
        self.settle();
        self.check_settled();
        self.let_time_pass();
        self.end_everything();
        self.check_ended();
    }

    /// Does one random step.
    fn step(&self) {
        let random = &self.random;
        if random.one_in(self.steps_per_run) {
            let hub = random.below(self.hubs.len());
            if self.hubs[hub].is_due.load(Ordering::Relaxed) || random.one_in(20) {
                self.run_hub(hub);
            }
            return;
        }
        match random.below(16) {
            0..5 => {
                self.network.carry(random.below(self.network.len()));
            }
            5..8 => {
                self.network.wake_one();
            }
            8..12 => {
                // A timer of the script, a promise, or anything else outside of the hub.
                let socket = random.below(self.network.len());
                self.act(socket);
            }
            12 => self.advance(Duration::from_millis(random.below(50) as u64)),
            13 => match random.below(12) {
                0..3 => self.advance(Duration::from_millis(random.below(9_000) as u64)),
                3..7 => self.connect(),
                _ => {}
            },
            14 => self.disturb(),
            _ => self.attach(random.below(self.network.len())),
        }
    }

    /// Makes something go wrong.
    fn disturb(&self) {
        let random = &self.random;
        let socket = random.below(self.network.len());
        match random.below(12) {
            0 => {
                self.trace(|| format!("{socket}: the network resets the connection"));
                self.excuse(socket);
                self.network.reset(socket);
            }
            // A client masks its frames with keys that do not come from the seed, so garbage among
            // them could not be repeated.
            1 if socket % 2 == 1 && random.one_in(2) => {
                self.trace(|| format!("{socket}: garbage is sent"));
                self.excuse(socket);
                for end in [socket, socket ^ 1] {
                    self.ends.borrow_mut()[end].is_corrupt = true;
                }
                let bytes: Vec<u8> = (0..random.part_of(20))
                    .map(|_| random.next() as u8)
                    .collect();
                self.network.inject(socket, &bytes);
            }
            2 if random.one_in(8) => {
                let hub = random.below(self.hubs.len());
                self.drop_hub(hub);
            }
            3 if random.one_in(8) => self.shut_down(random.below(self.hubs.len())),
            3..8 => {
                self.trace(|| format!("{socket}: stalls, or goes on"));
                self.network.toggle_stall(socket);
            }
            _ => {}
        }
    }

    /// The connection of `socket` may fail from now on.
    fn excuse(&self, socket: usize) {
        self.excused.borrow_mut()[socket / 2] = true;
    }

    /// Opens a connection between two hubs that live.
    fn connect(&self) {
        let random = &self.random;
        let live: Vec<_> = (0..self.hubs.len())
            .filter(|hub| self.hubs[*hub].hub.borrow().is_some())
            .collect();
        if live.is_empty() || self.network.len() >= MOST_SOCKETS {
            return;
        }
        let pair = self.network.pair();
        let hubs = [
            live[random.below(live.len())],
            live[random.below(live.len())],
        ];
        let deflate = random
            .one_in(12)
            .then(|| (Parameters::default(), Compression::default()));
        let sockets = [pair.0, pair.1].map(|socket| {
            let handle = self.network.handle(socket);
            Transport::Simulated(Box::new(handle))
        });
        let is_tls = random.one_in(10);
        let transports = match is_tls {
            false => sockets,
            true => {
                let mut sessions = tls::sessions().into_iter();
                sockets.map(|socket| match sessions.next() {
                    Some(session) => Transport::Tls(Box::new(Tls::new(socket, session))),
                    None => socket,
                })
            }
        };
        let ends = [(pair.0, Role::Client), (pair.1, Role::Server)];
        for ((socket, role), transport) in ends.into_iter().zip(transports) {
            self.add(role, hubs[socket % 2], transport, deflate);
            self.ends.borrow_mut()[socket].is_tls = is_tls;
        }
        self.trace(|| {
            format!(
                "{} and {}: connected on hubs {hubs:?}, TLS: {is_tls}",
                pair.0, pair.1
            )
        });
        self.excused.borrow_mut().push(false);
        for socket in [pair.0, pair.1] {
            if random.one_in(2) {
                self.attach(socket);
            }
        }
    }

    fn add(
        &self,
        role: Role,
        index: usize,
        transport: Transport,
        deflate: Option<(Parameters, Compression)>,
    ) {
        let random = &self.random;
        let slot = &self.hubs[index];
        let Some(hub) = slot.hub.borrow().clone() else {
            return;
        };
        let idle_timeout =
            (random.one_in(2)).then(|| Duration::from_secs(2 + random.below(30) as u64));
        let limits = Limits {
            backpressure_limit: match random.one_in(6) {
                true => random.part_of(100_000),
                false => 64 << 20,
            },
            close_on_backpressure_limit: random.one_in(2),
            close_timeout: Some(Duration::from_secs(1 + random.below(10) as u64)),
            max_payload_length: match random.one_in(20) {
                true => 1000,
                false => 64 << 20,
            },
            max_topics: 1 + random.below(4),
            ..Limits::default()
        };
        let idle = idle_timeout.map(|timeout| IdleTimeout {
            timeout,
            sends_pings: true,
        });
        let options = Options {
            settings: hub.shared(Settings::new(limits, idle)),
            deflate,
            ..Options::default()
        };
        let connection = hub
            .add(|place, now| Connection::new(place, role, transport, Bytes::new(), options, now));
        if role == Role::Server {
            let membership = slot.group.join(Rc::downgrade(&connection));
            *connection.membership.borrow_mut() = Some(membership);
        }
        self.ends.borrow_mut().push(End {
            hub: index,
            connection: Rc::downgrade(&connection),
            is_pull: random.one_in(4),
            is_tls: false,
            is_attached: false,
            idle_timeout,
            close_timeout: limits.close_timeout.unwrap_or_default(),
            max_payload_length: limits.max_payload_length,
            sent: VecDeque::new(),
            next_number: 1,
            blobs: VecDeque::new(),
            asked_to_close: None,
            shut_down: None,
            is_terminated: false,
            is_corrupt: false,
            is_gone: false,
            is_refused: false,
            is_drain_awaited: false,
            is_closing_told: false,
            ending: None,
            last_ping: None,
            last_pong: None,
            is_last_ping_covered: false,
        });
    }

    /// The actor of `socket` takes its connection over.
    fn attach(&self, socket: usize) {
        let Some((hub, connection)) = self.connection(socket) else {
            return;
        };
        let is_pull = {
            let end = &mut self.ends.borrow_mut()[socket];
            if end.is_attached {
                return;
            }
            end.is_attached = true;
            end.is_pull
        };
        match is_pull {
            true => hub.attach_pull(connection.id),
            false => hub.attach(connection.id),
        }
    }

    /// The connection of `socket` and its hub, while both live.
    fn connection(&self, socket: usize) -> Option<(Rc<Hub>, Rc<Connection>)> {
        let (hub, connection) = {
            let ends = self.ends.borrow();
            let end = ends.get(socket)?;
            (end.hub, end.connection.upgrade()?)
        };
        let hub = self.hubs[hub].hub.borrow().clone()?;
        Some((hub, connection))
    }

    /// The event loop runs the hub's task.
    fn run_hub(&self, index: usize) {
        let slot = &self.hubs[index];
        let Some(hub) = slot.hub.borrow().clone() else {
            return;
        };
        slot.is_due.store(false, Ordering::Relaxed);
        let mut delivery = SimulatedDelivery {
            simulation: self,
            hub: index,
            has_stopped: false,
        };
        hub.run(&mut delivery);
        match delivery.has_stopped {
            // The engine runs no more script, because it is ending.
            true => self.drop_hub(index),
            false => self.check_run(index, &hub),
        }
    }

    /// A server shuts down: it closes all of its connections.
    fn shut_down(&self, index: usize) {
        self.trace(|| format!("hub {index} shuts down"));
        for socket in (1..self.network.len()).step_by(2) {
            if self.ends.borrow()[socket].hub != index {
                continue;
            }
            if let Some((hub, connection)) = self.connection(socket) {
                let now = self.clock.get();
                self.ends.borrow_mut()[socket].shut_down.get_or_insert(now);
                hub.close(&connection, &CloseCode::GOING_AWAY.into());
            }
        }
    }

    /// The engine of a hub ends.
    fn drop_hub(&self, index: usize) {
        let Some(hub) = self.hubs[index].hub.borrow_mut().take() else {
            return;
        };
        self.trace(|| format!("hub {index} is dropped"));
        let mut gone = Vec::new();
        for (socket, end) in self.ends.borrow_mut().iter_mut().enumerate() {
            if end.hub == index {
                end.is_gone = true;
                gone.push(socket);
            }
        }
        gone.into_iter().for_each(|socket| self.excuse(socket));
        drop(hub);
    }

    /// Time passes, and timers expire.
    fn advance(&self, duration: Duration) {
        let now = self.clock.get() + duration;
        self.clock.set(now);
        self.network.set_now(now);
        for slot in &self.hubs {
            if slot.timer.get().is_some_and(|due| due <= now) {
                slot.timer.set(None);
                slot.ready.schedule();
            }
        }
    }

    /// Lets everything happen that only waits for its turn.
    fn settle(&self) {
        for round in 0.. {
            assert!(round < 100_000, "it never settles");
            let mut has_happened = false;
            for index in 0..self.hubs.len() {
                if self.hubs[index].is_due.load(Ordering::Relaxed)
                    && self.hubs[index].hub.borrow().is_some()
                {
                    self.run_hub(index);
                    has_happened = true;
                }
            }
            for socket in 0..self.network.len() {
                self.attach(socket);
                has_happened |= self.read_blob(socket);
                self.pull(socket);
                self.resume(socket);
            }
            has_happened |= self.network.settle();
            let is_due = |slot: &SimulatedHub| {
                slot.is_due.load(Ordering::Relaxed) && slot.hub.borrow().is_some()
            };
            if !has_happened && !self.hubs.iter().any(is_due) {
                return;
            }
        }
    }

    /// No end sends anything for a long time. Nothing may happen because of the
    /// silence.
    fn let_time_pass(&self) {
        let sound = || {
            let mut sound = self.live();
            let ends = self.ends.borrow();
            sound.retain(|socket| !ends[*socket].is_corrupt);
            sound
        };
        let before = sound();
        for _ in 0..60 {
            self.advance(Duration::from_millis(500 + self.random.below(500) as u64));
            self.settle();
        }
        assert_eq!(sound(), before, "silence ended a connection");
    }

    fn live(&self) -> Vec<usize> {
        let ends = self.ends.borrow();
        let live = ends.iter().enumerate().filter(|(_, end)| end.is_live());
        live.map(|(socket, _)| socket).collect()
    }

    /// Each connection is closed by one end or both, or dropped. Some are closed while the network
    /// has failed.
    fn end_everything(&self) {
        self.trace(|| "-- everything ends".to_owned());
        for pair in 0..self.network.len() / 2 {
            let random = &self.random;
            if random.one_in(5) {
                self.excuse(2 * pair);
                self.network.toggle_stall(2 * pair);
                self.network.toggle_stall(2 * pair + 1);
            }
            let first = 2 * pair + random.below(2);
            self.leave(first);
            // If the first end is gone, only the second end can close.
            if random.one_in(2) || !self.ends.borrow()[first].is_live() {
                self.leave(first ^ 1);
            }
        }
        for _ in 0..60 {
            self.settle();
            self.advance(Duration::from_millis(700));
        }
        self.settle();
        // Each end that closed has given up by now, even without a network. An end whose peer has
        // gone without a Close frame is told when the network is back.
        for (socket, end) in self.ends.borrow().iter().enumerate() {
            let has_closed = end.begun_to_close().is_some() || end.is_terminated;
            let waits = end.is_live() && has_closed;
            assert!(!waits, "{socket}: waits for ever to be closed");
        }
        self.network.become_perfect();
        for _ in 0..10 {
            self.settle();
            self.advance(Duration::from_millis(700));
        }
        self.settle();
    }
}

impl SimulatedHub {
    fn new(random: &Random, network: &Network, clock: &Rc<Cell<Instant>>) -> Self {
        let is_due = Arc::new(AtomicBool::new(false));
        let scheduled = is_due.clone();
        let ready = ReadyList::new(move || scheduled.store(true, Ordering::Relaxed));
        let (timer, holds) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(0)));
        let event_loop = SimulatedLoop {
            clock: clock.clone(),
            timer: timer.clone(),
            holds: holds.clone(),
        };
        let sends = SendBatch::simulated(Box::new(Sends::new(network.clone())));
        let hub = Hub::new(ready.clone(), Box::new(event_loop)).with_batch(sends);
        Self {
            hub: RefCell::new(Some(Rc::new(hub))),
            ready,
            is_due,
            timer,
            holds,
            group: SocketGroup::default(),
            keeps_texts: random.one_in(2),
        }
    }
}

/// The greatest number of sockets in a simulation.
const MOST_SOCKETS: usize = 40;

/// Runs the seeds from `first` on. Returns the seeds that failed.
fn simulate(first: u64, count: u64, threads: u64, is_traced: bool) -> Vec<u64> {
    let next = AtomicU64::new(first);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first.saturating_add(count) {
                        return;
                    }
                    let run = || Simulation::new(seed, is_traced).run();
                    if panic::catch_unwind(AssertUnwindSafe(run)).is_err() {
                        eprintln!("seed {seed} failed: make simulate SEEDS=1 SEED={seed}");
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        _ => default,
    }
}

/// Without variables of the environment, a number of seeds that takes a second or two.
#[test]
fn seeds() {
    let (first, count) = (number("SIMULATE_SEED", 1), number("SIMULATE_SEEDS", 1000));
    let is_traced = number("SIMULATE_TRACE", 0) != 0;
    let threads = match is_traced {
        true => 1,
        false => std::thread::available_parallelism().map_or(1, |count| count.get() as u64),
    };
    let start = Instant::now();
    let failed = simulate(first, count, threads, is_traced);
    eprintln!(
        "{count} seeds from {first} in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert!(failed.is_empty(), "{} seeds failed", failed.len());
}

/// The seeds that have found a fault before.
#[test]
fn seeds_that_failed_once() {
    let seeds = include_str!("seeds.txt").lines();
    for seed in seeds.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let seed = seed.split_whitespace().next().unwrap().parse().unwrap();
        assert!(simulate(seed, 1, 1, false).is_empty(), "seed {seed}");
    }
}

/// A seed always gives the same course, so a failure can be repeated.
#[test]
fn a_seed_says_everything() {
    let course = |seed| {
        let simulation = Simulation::new(seed, false);
        simulation.run();
        let ends = simulation.ends.borrow();
        let ends: Vec<_> = (ends.iter())
            .map(|end| (end.next_number, end.last_pong, end.ending.clone()))
            .collect();
        (ends, simulation.random.next())
    };
    for seed in 0..50 {
        assert!(course(seed) == course(seed), "seed {seed} has two courses");
    }
}
