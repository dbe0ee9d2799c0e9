//! Measures how long the protocol crate takes for a message, in one run with fastwebsockets,
//! tokio-websockets and tungstenite: `make bench-protocol`.
//!
//! Prints tables in Markdown. Arguments: `--rounds=N`, `--burst=KIB`, and the
//! names of tables to print (all by default).
//!
//! A burst is the data that can be read at once. By default it is so small that it stays in the
//! first level of cache with its copy. With a larger burst, a contender that reads in small
//! portions has an advantage, because here a read costs nothing but the copying.

mod decode;
mod deflate;
mod encode;
mod harness;
mod sample;
mod transport;
mod unmask;

use duplex_protocol::frame::Role;
use harness::{Contender, Timing, compare};
use sample::{Kind, Sample};

fn main() {
    let mut rounds = 101;
    let mut burst = 16 << 10;
    let mut tables = Vec::new();
    for argument in std::env::args().skip(1) {
        if let Some(number) = argument.strip_prefix("--rounds=") {
            rounds = number.parse().expect("a number of rounds");
        } else if let Some(number) = argument.strip_prefix("--burst=") {
            burst = number.parse::<usize>().expect("a number of KiB") << 10;
        } else {
            tables.push(argument);
        }
    }
    if let Some(unknown) = tables.iter().find(|name| !TABLES.contains(&name.as_str())) {
        eprintln!("no table '{unknown}'; there are {}", TABLES.join(", "));
        std::process::exit(1);
    }
    let wanted = |name: &str| tables.is_empty() || tables.iter().any(|table| table == name);

    println!(
        "fastwebsockets {}, tokio-websockets {}, tungstenite {}, zlib-rs {}, {} {}",
        version("fastwebsockets"),
        version("tokio-websockets"),
        version("tungstenite"),
        version("zlib-rs"),
        deflate::FLATE2,
        version("flate2"),
    );
    println!(
        "Bursts of {} KiB; median of {rounds} rounds a message, and of the ratio to the first.",
        burst >> 10
    );

    if wanted("decode") {
        for (role, title) in [(Role::Server, "server"), (Role::Client, "client")] {
            let mut table = Table::new(&format!("decode, as a {title}"));
            for (kind, length) in messages() {
                let sample = Sample::new(kind, length, burst);
                let contenders = decode::contenders(&sample, role);
                table.row(&sample, compare(contenders, sample.count(), rounds));
            }
        }
    }
    if wanted("encode") {
        for (role, title) in [(Role::Client, "client"), (Role::Server, "server")] {
            let mut table = Table::new(&format!("encode, as a {title}"));
            for (kind, length) in messages() {
                let sample = Sample::new(kind, length, burst);
                let contenders = encode::contenders(&sample, role);
                table.row(&sample, compare(contenders, sample.count(), rounds));
            }
        }
    }
    if wanted("unmask") {
        let mut table = Table::new("unmask");
        for length in LENGTHS {
            for aligned in [true, false] {
                let (count, contenders) = unmask::contenders(length, aligned);
                let name = format!(
                    "{}{}",
                    size(length),
                    if aligned { "" } else { ", unaligned" }
                );
                table.named(&name, compare(contenders, count, rounds), &[]);
            }
        }
    }
    if wanted("deflate") {
        let mut table = Table::new("deflate (in brackets: how many times smaller)");
        for length in COMPRESSED_LENGTHS {
            let sample = Sample::new(Kind::Text, length, FEED);
            let (ratios, contenders): (Vec<f64>, Vec<Contender<'_>>) =
                deflate::deflate(&sample).into_iter().unzip();
            let timings = compare(contenders, sample.count(), rounds);
            table.named(&describe(&sample), timings, &ratios);
        }
    }
    if wanted("inflate") {
        let mut table = Table::new("inflate");
        for length in COMPRESSED_LENGTHS {
            let sample = Sample::new(Kind::Text, length, FEED);
            let contenders = deflate::inflate(&sample);
            table.row(&sample, compare(contenders, sample.count(), rounds));
        }
    }
}

fn messages() -> impl Iterator<Item = (Kind, usize)> {
    let kinds = [Kind::Text, Kind::Accented, Kind::Binary];
    LENGTHS
        .into_iter()
        .flat_map(move |length| kinds.map(|kind| (kind, length)))
}

/// A table that is printed row by row.
struct Table {
    title: String,
    has_head: bool,
}

impl Table {
    fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            has_head: false,
        }
    }

    fn row(&mut self, sample: &Sample, timings: Vec<Timing>) {
        self.named(&describe(sample), timings, &[]);
    }

    fn named(&mut self, name: &str, timings: Vec<Timing>, notes: &[f64]) {
        if !self.has_head {
            let names: Vec<&str> = timings.iter().map(|timing| timing.name).collect();
            println!("\n| {} | {} |", self.title, names.join(" | "));
            println!("| --- |{}", " ---: |".repeat(names.len()));
            self.has_head = true;
        }
        let cells: Vec<String> = timings
            .iter()
            .enumerate()
            .map(|(i, timing)| {
                let note = notes.get(i).map(|note| format!(" ({note:.1})"));
                let ratio = match i {
                    0 => String::new(),
                    _ => format!(", {:.2} x", timing.ratio),
                };
                format!(
                    "{}{}{ratio}",
                    duration(timing.nanoseconds),
                    note.unwrap_or_default()
                )
            })
            .collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn describe(sample: &Sample) -> String {
    format!("{} {}", size(sample.length), sample.kind.name())
}

fn size(length: usize) -> String {
    match length {
        0..1024 => format!("{length} B"),
        1024..0x10_0000 => format!("{} KiB", length >> 10),
        _ => format!("{} MiB", length >> 20),
    }
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ..100.0 => format!("{nanoseconds:.1} ns"),
        ..10_000.0 => format!("{nanoseconds:.0} ns"),
        ..100_000.0 => format!("{:.1} µs", nanoseconds / 1e3),
        _ => format!("{:.0} µs", nanoseconds / 1e3),
    }
}

/// The version of a crate in the lock file.
fn version(name: &str) -> &'static str {
    let head = format!("name = \"{name}\"\nversion = \"");
    let lock = include_str!("../Cargo.lock");
    let version = lock
        .split_once(&head)
        .and_then(|(_, it)| it.split_once('"'));
    version.map_or("?", |(version, _)| version)
}

const TABLES: [&str; 5] = ["decode", "encode", "unmask", "deflate", "inflate"];

const LENGTHS: [usize; 5] = [20, 128, 1 << 10, 16 << 10, 1 << 20];

/// How many bytes are compressed before the same data comes again. It is far more than a window.
const FEED: usize = 256 << 10;

const COMPRESSED_LENGTHS: [usize; 4] = [128, 1 << 10, 16 << 10, 1 << 20];
