//! Measures how much publishing costs this process, and how long a message takes through the
//! broker:
//!
//! ```sh
//! cargo run --release -p duplex_broker --example cost -- nats://localhost
//! ```
//!
//! With the further argument `record`, the broker keeps the messages.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use duplex_broker::{
    Address, Broker, Dial, Dialled, Extent, LogSink, Options, Payload, Position, Recorded,
    Recording, Sink, Stream,
};
use tokio::net::TcpStream;

const MESSAGES: usize = 1_000_000;
/// How many are published before the broker is asked whether it has all of
/// them.
const IN_FLIGHT: usize = 10_000;
const ROUND_TRIPS: usize = 5_000;
const PAYLOAD: [u8; 64] = [b'x'; 64];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: cost URL [record]")?;
    let records = std::env::args().nth(2).is_some_and(|it| it == "record");
    let (sender, messages) = mpsc::channel();
    let subscriber = start(&url, Arc::new(Arrivals(sender)), records)?;
    let (nobody, _) = mpsc::channel();
    let publisher = start(&url, Arc::new(Arrivals(nobody)), records)?;
    let publish = |topic: &str| match records {
        true => {
            publisher.record(topic, &PAYLOAD, true, 0);
        }
        false => publisher.publish(topic, &PAYLOAD, true),
    };
    subscriber.set_wanted(&"latency".into(), true);
    subscriber.flush().await?;
    publisher.flush().await?;

    let before = (Instant::now(), processor_time());
    for number in 1..=MESSAGES {
        publish("nobody");
        if number % IN_FLIGHT == 0 {
            publisher.flush().await?;
        }
    }
    let (elapsed, computed) = (before.0.elapsed(), processor_time() - before.1);
    println!(
        "publish: {:.3} us of a core each, {:.0} in a second",
        computed.as_secs_f64() * 1e6 / MESSAGES as f64,
        MESSAGES as f64 / elapsed.as_secs_f64(),
    );

    let mut times: Vec<Duration> = (0..ROUND_TRIPS)
        .map(|_| {
            let start = Instant::now();
            publish("latency");
            messages.recv().map(|arrival: Instant| arrival - start)
        })
        .collect::<Result<_, _>>()?;
    times.sort_unstable();
    println!(
        "one process to another: median {:.0} us, 99 % {:.0} us",
        times[ROUND_TRIPS / 2].as_secs_f64() * 1e6,
        times[ROUND_TRIPS * 99 / 100].as_secs_f64() * 1e6,
    );
    println!("lost: {}", publisher.status().lost);
    Ok(())
}

fn start(
    url: &str,
    sink: Arc<Arrivals>,
    records: bool,
) -> Result<Broker, Box<dyn std::error::Error>> {
    let recording = Recording {
        size: 1000,
        ttl: Duration::from_secs(600),
    };
    Ok(Broker::start(Options {
        address: Address::parse(url)?,
        prefix: "cost".to_string(),
        dial: Arc::new(Plain),
        sink: sink.clone(),
        recording: records.then_some((recording, sink as Arc<dyn LogSink>)),
    })?)
}

struct Arrivals(mpsc::Sender<Instant>);

impl Sink for Arrivals {
    fn message(&self, _topic: &str, _payload: Payload) {
        let _ = self.0.send(Instant::now());
    }
}

impl LogSink for Arrivals {
    fn extent(&self, _topic: &str) -> Option<Extent> {
        None
    }

    fn begin(&self, _topic: &str, _position: Position) {}

    fn append(&self, _topic: &str, _message: Recorded) {
        let _ = self.0.send(Instant::now());
    }

    fn prepend(&self, _topic: &str, _since: u64, _messages: Vec<Recorded>) {}

    fn lose(&self, _topic: &str, _position: Position) {}

    fn forget(&self, _topic: &str) {}
}

struct Plain;

impl Dial for Plain {
    fn connect<'a>(&'a self, address: &'a Address) -> Dialled<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn secure<'a>(&'a self, _address: &'a Address, _stream: Box<dyn Stream>) -> Dialled<'a> {
        Box::pin(async { Err(io::Error::other("this measures without TLS")) })
    }
}

/// The processor time of all threads of the process: user and system (`/proc/self/stat`, fields 14
/// and 15, in hundredths of a second).
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = (behind_name.split_whitespace().skip(11).take(2))
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}
