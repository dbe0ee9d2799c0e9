//! A load for WebSocket servers, and servers with nothing around them to compare with.

mod bare;
mod connect;
mod echo;
mod fan_out;
mod frame;
mod measure;
mod pool;
mod server;
mod sys;

use std::process::ExitCode;
use std::time::Duration;

use crate::connect::Connect;
use crate::echo::Echo;
use crate::fan_out::FanOut;
use crate::measure::Times;
use crate::server::Server;

const HELP: &str = "\
usage: duplex-load WORK [--seconds N] [--warm-up N] [--server-core N] [--load-core N] -- COMMAND...
       duplex-load serve-epoll [PORT]

Starts COMMAND, a server that prints its port, on one core, puts it under load from
another, and prints what the server took as a line of JSON: cpu_us is its time on
the core for one operation in microseconds, all threads, user and system.

  duplex-load echo-20 -- duplex run -A bench/load/servers/deno.js echo
  duplex-load echo-20 -- duplex-load serve-epoll

WORK is one of
  echo-20         100 connections, 20 bytes of text, one message in flight
  echo-20-16      the same, 16 in flight
  echo-16k        32 connections, 16 KiB, binary
  echo-1m         4 connections, 1 MiB, binary
  fan-out         500 connections, 64 bytes to all of them, 4 in flight, a delivery
  connect         connect, open, close; 64 at once
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("duplex-load: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<(), String> {
    let mut arguments = arguments.into_iter();
    let work = arguments.next().unwrap_or_default();
    if work == "serve-epoll" {
        sys::raise_descriptor_limit();
        let port = arguments
            .next()
            .map_or(Ok(0), |port| port.parse())
            .map_err(|_| "PORT is a number")?;
        return bare::serve(port).map_err(|error| error.to_string());
    }
    if work.is_empty() || work == "--help" {
        print!("{HELP}");
        return Ok(());
    }
    let mut times = Times {
        warm_up: Duration::from_secs(1),
        measured: Duration::from_secs(3),
    };
    let (mut server_core, mut load_core) = (0, 1);
    let mut command = Vec::new();
    while let Some(name) = arguments.next() {
        if name == "--" {
            command = arguments.collect();
            break;
        }
        let value = arguments.next().and_then(|value| value.parse::<f64>().ok());
        let value = value
            .filter(|value| *value >= 0.0)
            .ok_or(format!("{name} takes a number"))?;
        match name.as_str() {
            "--seconds" => times.measured = Duration::from_secs_f64(value),
            "--warm-up" => times.warm_up = Duration::from_secs_f64(value),
            "--server-core" => server_core = value as usize,
            "--load-core" => load_core = value as usize,
            _ => return Err(format!("{name} is no option; --help lists them")),
        }
    }
    let echo = |connections, in_flight, opcode, length| Echo {
        connections,
        in_flight,
        opcode,
        length,
    };
    sys::raise_descriptor_limit();
    sys::go_first();
    let start = || {
        let server = Server::start(&command, server_core)?;
        sys::pin(load_core).map_err(|error| format!("core {load_core}: {error}"))?;
        Ok::<_, String>(server)
    };
    let report = match work.as_str() {
        "echo-20" => echo(100, 1, frame::TEXT, 20).run(&start()?, times),
        "echo-20-16" => echo(100, 16, frame::TEXT, 20).run(&start()?, times),
        "echo-16k" => echo(32, 1, frame::BINARY, 16 << 10).run(&start()?, times),
        "echo-1m" => echo(4, 1, frame::BINARY, 1 << 20).run(&start()?, times),
        "fan-out" => FanOut {
            connections: 500,
            in_flight: 4,
            length: 64,
        }
        .run(&start()?, times),
        "connect" => Connect { at_once: 64 }.run(&start()?, times),
        _ => return Err(format!("{work} is no work; --help lists them")),
    }?;
    println!("{}", report.json());
    Ok(())
}
