//! The connection: dialling, subscribing, probing, dialling again.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout};

use crate::address::Address;
use crate::embedder::{Dial, Options, Sink, Stream};
use crate::heard::{Heard, WireError};
use crate::logs::Logs;
use crate::recording::Recording;
use crate::shared::{Shared, Work};
use crate::wire::Wire;

/// Starts the broker's thread.
pub(crate) fn spawn(options: Options, shared: Arc<Shared>, node: u64) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    std::thread::Builder::new()
        .name("broker".to_string())
        .spawn(move || {
            let logs = (options.recording.as_ref())
                .map(|(recording, sink)| Logs::new(sink.clone(), recording.ttl));
            let session = Session {
                options,
                shared,
                node,
                interests: Interests::default(),
                logs,
            };
            runtime.block_on(session.run());
            runtime.shutdown_background();
        })
        .map(drop)
}

struct Session {
    options: Options,
    shared: Arc<Shared>,
    node: u64,
    interests: Interests,
    logs: Option<Logs>,
}

/// Why a connection ended, or did not begin.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("the broker has closed the connection")]
    Closed,
    #[error("the broker does not answer")]
    Silent,
    #[error("the broker answers, but does not deliver what is subscribed to")]
    Deaf,
    /// The connection is not wanted any more.
    #[error("the connection was closed")]
    Over,
}

impl Session {
    async fn run(mut self) {
        let mut delay = FIRST_DELAY;
        loop {
            let failure = match timeout(CONNECT_TIMEOUT, self.connect()).await {
                Ok(Ok(connection)) => {
                    let (failure, was_up) = self.serve(connection).await;
                    if was_up {
                        delay = FIRST_DELAY;
                    }
                    failure
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Silent,
            };
            if matches!(failure, Failure::Over) {
                return;
            }
            let reason = failure.to_string();
            if let Some(logs) = &mut self.logs {
                logs.disconnect(&reason);
            }
            self.shared.set_down(reason);
            if !self.pause(delay).await {
                return;
            }
            delay = (delay * 2).min(LAST_DELAY);
        }
    }

    /// Waits before the next attempt. Returns false if there must be no further attempt.
    async fn pause(&mut self, delay: Duration) -> bool {
        // The random factor keeps the processes of a service from dialling at
        // the same moment.
        let end = Instant::now() + delay.mul_f64(rand::random_range(0.75..1.25));
        loop {
            let work = self.shared.take_changes();
            if work.is_closed {
                return false;
            }
            for (topic, is_wanted) in work.changes {
                self.interests.note(topic, is_wanted);
            }
            tokio::select! {
                () = tokio::time::sleep_until(end) => return true,
                () = self.shared.work.notified() => {}
            }
        }
    }

    fn recording(&self) -> Option<Recording> {
        self.options.recording.as_ref().map(|it| it.0)
    }

    /// Dials, and makes the handshake.
    async fn connect(&self) -> Result<Connection, Failure> {
        let options = &self.options;
        let address = &options.address;
        let mut wire = Wire::new(address, &options.prefix, self.node, self.recording());
        let mut stream = options.dial.connect(address).await?;
        if wire.is_secure_at_once() {
            stream = options.dial.secure(address, stream).await?;
        }
        let mut out = Vec::new();
        wire.greet(&mut out);
        stream.write_all(&out).await?;
        out.clear();
        let mut input = BytesMut::with_capacity(READ_LENGTH);
        let longest = loop {
            match wire.next(&mut input, &mut out)? {
                Some(Heard::Ready {
                    longest,
                    must_secure,
                }) => {
                    if must_secure {
                        stream = options.dial.secure(address, stream).await?;
                    }
                    break longest;
                }
                Some(_) => {}
                None if stream.read_buf(&mut input).await? == 0 => return Err(Failure::Closed),
                None => {}
            }
        };
        let (reader, writer) = tokio::io::split(stream);
        Ok(Connection {
            wire,
            reader,
            writer,
            input,
            out,
            written: 0,
            longest,
            heard: Instant::now(),
            logs_checked: Instant::now(),
            sync: Sync::default(),
            probe: Probe::default(),
        })
    }

    /// Serves a connection to its end. Returns why the connection ended, and whether it was up.
    async fn serve(&mut self, mut connection: Connection) -> (Failure, bool) {
        let mut is_up = false;
        let failure = match self.try_serve(&mut connection, &mut is_up).await {
            Ok(()) => Failure::Over,
            Err(failure) => failure,
        };
        (failure, is_up)
    }

    async fn try_serve(
        &mut self,
        connection: &mut Connection,
        is_up: &mut bool,
    ) -> Result<(), Failure> {
        self.apply_changes(self.shared.take_changes(), None);
        connection.wire.subscribe_probe(&mut connection.out);
        let wanted = self.interests.wanted();
        for topic in &wanted {
            connection.wire.subscribe(topic, &mut connection.out);
        }
        if let Some(logs) = &mut self.logs {
            logs.reconnect(&wanted);
        }
        // The connection is up when the broker has all subscriptions.
        connection.sync(0);
        let mut prober = match connection.wire.hears_itself() {
            true => None,
            false => Some(Prober::new()),
        };
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            connection.hear(&self.shared, &*self.options.sink, &mut self.logs, is_up)?;
            connection.sync_again();
            if *is_up && let Some(logs) = &mut self.logs {
                let (wire, out) = (&mut connection.wire, &mut connection.out);
                logs.pump(|number, topic, ask| wire.ask(number, topic, ask, out));
                if logs.take_lost() {
                    self.shared.note_gap();
                }
            }
            // More messages would only wait here for bytes that are not written yet.
            let takes_work = *is_up && connection.out.len() - connection.written < WRITE_AHEAD;
            tokio::select! {
                read = connection.reader.read_buf(&mut connection.input) => {
                    if read? == 0 {
                        return Err(Failure::Closed);
                    }
                    connection.heard = Instant::now();
                }
                written = connection.writer.write(&connection.out[connection.written..]),
                    if connection.written < connection.out.len() =>
                {
                    connection.note_written(written?);
                    if connection.written == 0 {
                        connection.writer.flush().await?;
                    }
                }
                () = self.shared.work.notified(), if takes_work => {
                    connection.compact();
                    let mut published = Vec::new();
                    let work = self.shared.take_work(&mut published);
                    if work.is_closed {
                        return Ok(());
                    }
                    let (first, count, marker) = (work.first, work.published, work.marker);
                    self.apply_changes(work, Some(connection));
                    connection.publish(published, first, count);
                    connection.sync(marker);
                }
                _ = tick.tick() => {
                    for topic in self.interests.take_expired() {
                        connection.wire.unsubscribe(&topic, &mut connection.out);
                        if let Some(logs) = &mut self.logs {
                            logs.forget(&topic);
                        }
                    }
                    if let Some(logs) = &mut self.logs {
                        logs.tick();
                    }
                    connection.check()?;
                    if *is_up {
                        connection.check_logs();
                        match &mut prober {
                            None => connection.probe_itself(),
                            Some(prober) => prober.tick(&self.options, self.node, &mut connection.probe),
                        }
                    }
                }
            }
            if let Some(prober) = &mut prober {
                prober.settle(&mut connection.probe);
            }
        }
    }

    /// Notes which topics are wanted, and subscribes to the new ones.
    fn apply_changes(&mut self, work: Work, mut connection: Option<&mut Connection>) {
        for (topic, is_wanted) in work.changes {
            if self.interests.note(topic.clone(), is_wanted)
                && let Some(connection) = &mut connection
            {
                connection.wire.subscribe(&topic, &mut connection.out);
                if let Some(logs) = &mut self.logs {
                    logs.want(&topic);
                }
            }
        }
        if let Some(logs) = &mut self.logs {
            for read in work.reads {
                logs.read(read);
            }
        }
    }
}

struct Connection {
    wire: Wire,
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    input: BytesMut,
    out: Vec<u8>,
    /// How many bytes of `out` have been written.
    written: usize,
    longest: usize,
    /// When bytes of the broker last came.
    heard: Instant,
    /// When the broker was last asked whether its logs are still the same.
    logs_checked: Instant,
    sync: Sync,
    probe: Probe,
}

/// The question whether the broker has done everything that was asked. One
/// question is asked at a time.
#[derive(Default)]
struct Sync {
    /// When the question was asked, if it has no answer yet.
    asked: Option<Instant>,
    /// The marker of the next question.
    next: Option<u64>,
}

#[derive(Default)]
struct Probe {
    /// When the broker confirmed a probe that has not come back yet.
    sent: Option<Instant>,
    last: Option<Instant>,
    has_come: bool,
}

impl Connection {
    /// Handles the messages that have come.
    fn hear(
        &mut self,
        shared: &Shared,
        sink: &dyn Sink,
        logs: &mut Option<Logs>,
        is_up: &mut bool,
    ) -> Result<(), Failure> {
        let is_settled = self.wire.hears_itself();
        let mut confirmed = 0;
        let result = loop {
            match self.wire.next(&mut self.input, &mut self.out) {
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
                Ok(Some(heard)) => match heard {
                    Heard::Message(topic, payload) => sink.message(&topic, payload),
                    Heard::Recorded(topic, message) => {
                        if let Some(logs) = logs {
                            logs.live(&topic, message);
                        }
                    }
                    Heard::Stored { number, result } => shared.stored(number, result),
                    Heard::Answer { number, answer } => {
                        if let Some(logs) = logs {
                            logs.answer(number, answer);
                        }
                    }
                    Heard::Confirmed(count) => confirmed += count,
                    Heard::Synced(marker) => {
                        let asked = self.sync.asked.take();
                        shared.confirm(std::mem::take(&mut confirmed));
                        if !std::mem::replace(is_up, true) {
                            shared.set_up(self.longest);
                            // There may be work from before the connection was
                            // up.
                            shared.work.notify_one();
                        }
                        let round_trip = asked.map_or(Duration::ZERO, |asked| asked.elapsed());
                        shared.synced(marker, round_trip);
                    }
                    Heard::Refused { message, lost } => shared.refuse(message, lost, is_settled),
                    Heard::Probe => {
                        self.probe.sent = None;
                        self.probe.has_come = true;
                    }
                    Heard::Ready { .. } => {}
                },
            }
        };
        if confirmed > 0 {
            shared.confirm(confirmed);
        }
        if self.input.is_empty() && self.input.capacity() > KEPT_CAPACITY {
            self.input = BytesMut::new();
        }
        self.input.reserve(READ_LENGTH);
        result
    }

    /// Asks whether the broker has done everything up to `marker`, at once or when the broker has
    /// answered the last question.
    fn sync(&mut self, marker: u64) {
        if self.sync.asked.is_some() {
            self.sync.next = Some(marker);
            return;
        }
        self.sync.asked = Some(Instant::now());
        self.wire.sync(marker, &mut self.out);
    }

    fn sync_again(&mut self) {
        if self.sync.asked.is_none()
            && let Some(marker) = self.sync.next.take()
        {
            self.sync(marker);
        }
    }

    fn publish(&mut self, mut commands: Vec<u8>, first: u64, count: u64) {
        self.wire.note_published(first, count);
        match self.out.is_empty() {
            true => self.out = commands,
            false => self.out.append(&mut commands),
        }
    }

    fn note_written(&mut self, count: usize) {
        self.written += count;
        if self.written == self.out.len() {
            self.written = 0;
            self.out.clear();
            if self.out.capacity() > KEPT_CAPACITY {
                self.out = Vec::new();
            }
        }
    }

    /// Removes the bytes that have been written.
    fn compact(&mut self) {
        self.out.drain(..self.written);
        self.written = 0;
    }

    /// Fails if the broker does not answer or does not deliver.
    fn check(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let is_late = |asked: Option<Instant>| asked.is_some_and(|at| now - at > ANSWER_TIMEOUT);
        if is_late(self.probe.sent) {
            return Err(Failure::Deaf);
        }
        // A busy broker sends other bytes meanwhile.
        if is_late(self.sync.asked) && now - self.heard > ANSWER_TIMEOUT {
            return Err(Failure::Silent);
        }
        if self.sync.asked.is_none() && now - self.heard > PROBE_INTERVAL {
            self.sync(0);
        }
        Ok(())
    }

    /// Asks from time to time whether the logs are still the same.
    fn check_logs(&mut self) {
        let now = Instant::now();
        if now - self.logs_checked >= PROBE_INTERVAL {
            self.logs_checked = now;
            self.wire.check(&mut self.out);
        }
    }

    /// Sends a probe to this connection from time to time.
    fn probe_itself(&mut self) {
        if self.probe.is_due() {
            self.wire.probe(&mut self.out);
            self.probe.sent = Some(Instant::now());
        }
    }
}

impl Probe {
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        if self.sent.is_some() || self.last.is_some_and(|last| now - last < PROBE_INTERVAL) {
            return false;
        }
        self.last = Some(now);
        self.has_come = false;
        true
    }
}

/// Sends the probes for a connection that does not receive its own messages. A second connection
/// sends them. If the second connection fails, nothing is known about the first.
struct Prober {
    confirmed: (
        tokio::sync::mpsc::UnboundedSender<()>,
        tokio::sync::mpsc::UnboundedReceiver<()>,
    ),
    /// Wakes the second connection.
    wanted: Option<tokio::sync::mpsc::UnboundedSender<()>>,
}

impl Prober {
    fn new() -> Self {
        Self {
            confirmed: tokio::sync::mpsc::unbounded_channel(),
            wanted: None,
        }
    }

    fn tick(&mut self, options: &Options, node: u64, probe: &mut Probe) {
        if !probe.is_due() {
            return;
        }
        if let Some(wanted) = &self.wanted
            && wanted.send(()).is_ok()
        {
            return;
        }
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let _ = sender.send(());
        self.wanted = Some(sender);
        let task = second_connection(
            options.dial.clone(),
            options.address.clone(),
            options.prefix.clone(),
            node,
            receiver,
            self.confirmed.0.clone(),
        );
        tokio::spawn(task);
    }

    /// Notes the probes that the broker has confirmed.
    fn settle(&mut self, probe: &mut Probe) {
        while self.confirmed.1.try_recv().is_ok() {
            if !probe.has_come {
                probe.sent = Some(Instant::now());
            }
        }
    }
}

/// Publishes a probe each time one is wanted, until the first connection ends
/// or this one fails.
async fn second_connection(
    dial: Arc<dyn Dial>,
    address: Address,
    prefix: String,
    node: u64,
    mut wanted: tokio::sync::mpsc::UnboundedReceiver<()>,
    confirmed: tokio::sync::mpsc::UnboundedSender<()>,
) {
    let attempt = async {
        let mut wire = Wire::new(&address, &prefix, node, None);
        let mut stream = dial.connect(&address).await?;
        let mut input = BytesMut::with_capacity(READ_LENGTH);
        let mut out = Vec::new();
        let mut number = 0;
        loop {
            match wire.next(&mut input, &mut out)? {
                Some(Heard::Ready { must_secure, .. }) => {
                    if must_secure {
                        stream = dial.secure(&address, stream).await?;
                    }
                }
                Some(Heard::Synced(_)) => {
                    let _ = confirmed.send(());
                }
                Some(_) => {}
                None => {
                    stream.write_all(&out).await?;
                    stream.flush().await?;
                    out.clear();
                    tokio::select! {
                        read = stream.read_buf(&mut input) => {
                            if read? == 0 {
                                return Err(Failure::Closed);
                            }
                        }
                        asked = wanted.recv(), if wire.is_greeted() => {
                            if asked.is_none() {
                                return Ok(());
                            }
                            number += 1;
                            wire.probe(&mut out);
                            wire.sync(number, &mut out);
                        }
                    }
                }
            }
        }
    };
    let result: Result<(), Failure> = attempt.await;
    if let Err(failure) = result {
        log::debug!("A probe of the broker failed: {failure}");
    }
}

/// The topics that this process wants.
#[derive(Default)]
struct Interests {
    /// The topics that are subscribed to at the broker. A topic that is not wanted any more has a
    /// time at which its subscription ends.
    topics: HashMap<Arc<str>, Option<Instant>>,
    /// The times at which subscriptions may end.
    expiring: VecDeque<(Instant, Arc<str>)>,
}

impl Interests {
    /// Notes whether a topic is wanted. Returns whether it has to be subscribed to.
    fn note(&mut self, topic: Arc<str>, is_wanted: bool) -> bool {
        if is_wanted {
            return self.topics.insert(topic, None).is_none();
        }
        if let Some(ends) = self.topics.get_mut(&topic) {
            let at = Instant::now() + LINGER;
            *ends = Some(at);
            self.expiring.push_back((at, topic));
        }
        false
    }

    /// The topics that are wanted. All others are forgotten.
    fn wanted(&mut self) -> Vec<Arc<str>> {
        self.topics.retain(|_, ends| ends.is_none());
        self.expiring.clear();
        self.topics.keys().cloned().collect()
    }

    /// Takes the topics that have not been wanted for a while.
    fn take_expired(&mut self) -> Vec<Arc<str>> {
        let now = Instant::now();
        let mut expired = Vec::new();
        while self.expiring.front().is_some_and(|(at, _)| *at <= now)
            && let Some((at, topic)) = self.expiring.pop_front()
        {
            // If the topic has been wanted again, it has no time, or a later
            // time.
            if self.topics.get(&topic) == Some(&Some(at)) {
                self.topics.remove(&topic);
                expired.push(topic);
            }
        }
        expired
    }
}

/// The first and the longest pause before dialling again.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LAST_DELAY: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the broker may take to answer, and a probe may take to come back.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// How long the subscription to a topic is kept after its last subscriber, so that clients that
/// come and go cause no commands to the broker.
const LINGER: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(500);
const READ_LENGTH: usize = 64 << 10;
/// How many bytes may be encoded and not written. Further messages wait in the shared queue, whose
/// length is limited.
const WRITE_AHEAD: usize = 1 << 20;
const KEPT_CAPACITY: usize = 1 << 20;
