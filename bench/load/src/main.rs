//! A load for WebSocket servers and clients, and servers with nothing around them to compare
//! with.

mod bare;
mod batch;
mod connect;
mod deflate;
mod echo;
mod fan_out;
mod frame;
mod http2;
mod idle;
mod latency;
mod measure;
mod pool;
mod server;
mod sys;
mod tls;
mod uring;

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::connect::Connect;
use crate::deflate::Deflate;
use crate::echo::Echo;
use crate::fan_out::FanOut;
use crate::http2::Http2;
use crate::idle::Idle;
use crate::latency::Latency;
use crate::measure::Contender;
use crate::measure::Plan;
use crate::measure::Report;
use crate::pool::Means;
use crate::server::Server;

const HELP: &str = "\
usage: duplex-load WORK [OPTION VALUE]... -- COMMAND... [-- COMMAND...]...
       duplex-load serve-epoll [to-all] [in-batches]
       duplex-load serve-uring [to-all] [BYTES OF A BUFFER]
       duplex-load certificate FOLDER

Starts each COMMAND, a server that prints its port, on one core, and puts them under
load from another: one after the other in short slices, so that noise hits all of them.
Prints a line for each: the server's time on a core for one operation (all threads, user
and system; the median of the slices), the ratio to the first, operations a second.

  duplex-load echo-20 -- target/release/duplex run -A bench/load/servers/deno.js echo \\
                      -- bun bench/load/servers/bun.js echo  -- duplex-load serve-epoll

WORK is one of
  echo-20         100 connections, 20 bytes of text, one message in flight
  echo-20-16      the same, 16 in flight
  echo-16k        32 connections, 16 KiB, binary
  echo-1m         4 connections, 1 MiB, binary
  fan-out         500 connections, 64 bytes to all of them, 4 in flight; a delivery
  connect         connect, open, close; 64 at once
  idle-5k         5,000 idle connections; memory for each
  idle-50k        50,000, or as many as `ulimit -Hn` lets
  deflate         100 connections, permessage-deflate, JSON of 1 KiB, one in flight
  http2           HTTP/2, 10 connections with 10 sockets each, 20 bytes of text, one in flight
  latency         1,000 connections, 20 bytes, 30,000 a second over all of them
  tls-20          100 connections, TLS, 20 bytes of text, one in flight
  tls-16k         32 connections, TLS, 16 KiB, binary
  tls-idle-5k     5,000 idle connections with TLS; memory for each
  client-20       COMMAND is a client: it is given a URL and a number of connections, and
                  echoes what it gets on each; 100 connections, 20 bytes, one in flight
  client-20-16    the same, 16 in flight
  client-16k      32 connections, 16 KiB, binary

OPTION is one of
  --seconds N     how long each server is measured (3)
  --slice N       seconds of a slice (0.1)
  --warm-up N     seconds of work before that counts (0.5)
  --core N        the core of the servers (0)
  --load-core N   the core of the load (1)
  --certificate FOLDER   what `duplex-load certificate` wrote, for TLS
  --json yes      print JSON, each slice by itself

As root, `setsid -w duplex-load ...` goes before all else that the machine does.
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

fn run(mut arguments: Vec<String>) -> Result<(), String> {
    if arguments.is_empty() || arguments[0] == "--help" {
        print!("{HELP}");
        return Ok(());
    }
    let work = arguments.remove(0);
    let descriptors = sys::raise_descriptor_limit();
    match work.as_str() {
        "serve-epoll" | "serve-uring" => serve(&work, &arguments),
        "certificate" => {
            let folder = arguments.first().ok_or("certificate takes a folder")?;
            tls::write_certificate(Path::new(folder))
        }
        _ => load(Options::parse(work, &arguments, descriptors)?),
    }
}

fn serve(how: &str, arguments: &[String]) -> Result<(), String> {
    let (mut to_all, mut in_batches, mut size) = (false, false, 4096);
    for argument in arguments {
        match argument.parse() {
            Ok(value) => size = value,
            Err(_) if argument == "to-all" => to_all = true,
            Err(_) if argument == "in-batches" => in_batches = true,
            Err(_) => return Err(format!("{how} does not take {argument}")),
        }
    }
    let served = if how == "serve-epoll" {
        bare::serve(to_all, in_batches)
    } else {
        uring::serve(size, to_all)
    };
    served.map_err(|error| error.to_string())
}

fn load(options: Options) -> Result<(), String> {
    sys::go_first();
    let reports = options.measure()?;
    let failed = reports
        .iter()
        .filter(|report| report.error.is_some())
        .count();
    for report in &reports {
        if options.json {
            println!("{}", report.json());
        } else {
            println!("{}", report.line(&reports[0]));
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {} failed", reports.len())),
    }
}

enum Kind {
    Echo(Echo),
    FanOut(FanOut),
    Connect(Connect),
    Latency(Latency),
    Deflate(Deflate),
    Http2(Http2),
    Client(Echo),
    Idle(Idle),
}

fn kind(work: &str) -> Result<Kind, String> {
    let text = |in_flight| Echo {
        connections: 100,
        in_flight,
        opcode: frame::TEXT,
        length: 20,
    };
    let binary = |connections, length| Echo {
        connections,
        in_flight: 1,
        opcode: frame::BINARY,
        length,
    };
    Ok(match work.strip_prefix("tls-").unwrap_or(work) {
        "echo-20" | "20" => Kind::Echo(text(1)),
        "echo-20-16" => Kind::Echo(text(16)),
        "echo-16k" | "16k" => Kind::Echo(binary(32, 16 << 10)),
        "echo-1m" => Kind::Echo(binary(4, 1 << 20)),
        "fan-out" => Kind::FanOut(FanOut {
            connections: 500,
            in_flight: 4,
            length: 64,
        }),
        "connect" => Kind::Connect(Connect { at_once: 64 }),
        "deflate" => Kind::Deflate(Deflate { connections: 100 }),
        "http2" => Kind::Http2(Http2 {
            connections: 10,
            streams: 10,
            length: 20,
        }),
        "latency" => Kind::Latency(Latency {
            connections: 1000,
            rate: 30_000,
            length: 20,
        }),
        "client-20" => Kind::Client(text(1)),
        "client-20-16" => Kind::Client(text(16)),
        "client-16k" => Kind::Client(binary(32, 16 << 10)),
        "idle-5k" => Kind::Idle(Idle { connections: 5000 }),
        "idle-50k" => Kind::Idle(Idle {
            connections: 50_000,
        }),
        _ => return Err(format!("{work} is no work; --help lists them")),
    })
}

struct Options {
    work: String,
    kind: Kind,
    plan: Plan,
    core: usize,
    load_core: usize,
    certificate: Option<PathBuf>,
    json: bool,
    commands: Vec<Vec<String>>,
}

impl Options {
    fn parse(work: String, arguments: &[String], descriptors: u64) -> Result<Options, String> {
        let mut kind = kind(&work)?;
        if let Kind::Idle(idle) = &mut kind {
            // Either side takes one for each, and some besides.
            idle.connections = idle
                .connections
                .min(descriptors.saturating_sub(500) as usize);
        }
        let mut parts = arguments
            .split(|argument| argument == "--")
            .map(<[String]>::to_vec);
        let own = parts.next().unwrap_or_default();
        let commands: Vec<_> = parts.collect();
        if commands.is_empty() || commands.iter().any(Vec::is_empty) {
            return Err("no server: give its command behind --".into());
        }
        let plan = Plan {
            warm_up: Duration::from_millis(500),
            slice: Duration::from_millis(100),
            slices: 30,
        };
        let mut options = Options {
            work,
            kind,
            plan,
            core: 0,
            load_core: 1,
            certificate: None,
            json: false,
            commands,
        };
        let mut seconds = 3.0;
        for pair in own.chunks(2) {
            let [name, value] = pair else {
                return Err(format!("{} takes a value", pair[0]));
            };
            let number = || match value.parse::<f64>() {
                Ok(number) if number >= 0.0 => Ok(number),
                _ => Err(format!("{name} takes a number, not {value}")),
            };
            match name.as_str() {
                "--seconds" => seconds = number()?,
                "--slice" => options.plan.slice = Duration::from_secs_f64(number()?.max(0.01)),
                "--warm-up" => options.plan.warm_up = Duration::from_secs_f64(number()?),
                "--core" => options.core = number()? as usize,
                "--load-core" => options.load_core = number()? as usize,
                "--certificate" => options.certificate = Some(value.into()),
                "--json" => options.json = value == "yes",
                _ => return Err(format!("{name} is no option; --help lists them")),
            }
        }
        options.plan.slices =
            ((seconds / options.plan.slice.as_secs_f64()).round() as usize).max(1);
        Ok(options)
    }

    fn measure(&self) -> Result<Vec<Report>, String> {
        let mut means = Means::default();
        if self.work.starts_with("tls-") {
            let folder = self
                .certificate
                .as_ref()
                .ok_or("TLS takes --certificate FOLDER")?;
            means.tls = Some(tls::trusting(&folder.join("cert.pem"))?);
        }
        if let Kind::Idle(idle) = self.kind {
            let measure = |command: &Vec<String>| {
                let server = Server::start(command, self.core)?;
                idle.measure(&server, &means)
            };
            let report = |command| measure(command).unwrap_or_else(Report::failed);
            return Ok(self.commands.iter().map(report).collect());
        }
        sys::pin(self.load_core).map_err(|error| format!("core {}: {error}", self.load_core))?;
        let contenders = self
            .commands
            .iter()
            .map(|command| self.start(command, &means));
        Ok(measure::measure(contenders, &self.plan))
    }

    fn start(&self, command: &[String], means: &Means) -> Contender {
        if let Kind::Client(echo) = self.kind {
            let (listener, port) = sys::listen(0).map_err(|e| e.to_string())?;
            let mut command = command.to_vec();
            command.extend([
                format!("ws://127.0.0.1:{port}/"),
                echo.connections.to_string(),
            ]);
            let client = Server::start_client(&command, self.core)?;
            return Ok((client, echo.accept(&listener)?));
        }
        let server = Server::start(command, self.core)?;
        let port = server.port;
        let work = match self.kind {
            Kind::Echo(echo) => echo.connect(port, means)?,
            Kind::FanOut(fan_out) => fan_out.connect(port, means)?,
            Kind::Connect(connect) => connect.start(port)?,
            Kind::Latency(latency) => latency.connect(port, means)?,
            Kind::Deflate(deflate) => deflate.connect(port)?,
            Kind::Http2(http2) => http2.connect(port)?,
            Kind::Client(_) | Kind::Idle(_) => unreachable!("dealt with above"),
        };
        Ok((server, work))
    }
}
