//! Runs the `websockets/` part of a web-platform-tests checkout; see the README in the folder of
//! `Cargo.toml`.
//!
//! | module | concern |
//! |---|---|
//! | [`suite`] | the pages of the checkout |
//! | [`server`] | starts the suite's servers, and fetches from them |
//! | [`program`] | a page as a program that an engine can run |
//! | [`engine`] | runs a program in a process of its own |
//! | [`expectation`] | `expectation.json`: the subtests that do not pass |
//! | [`report`] | output for the user |

mod engine;
mod expectation;
mod html;
mod program;
mod report;
mod server;
mod suite;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::engine::{Engine, Outcome};
use crate::expectation::Expectations;
use crate::report::{Progress, Tally};
use crate::server::Server;
use crate::suite::{Form, Page};

/// Run the WebSocket part of web-platform-tests against duplex
#[derive(Parser)]
struct Args {
    /// A checkout of web-platform-tests
    #[arg(long, value_name = "DIR")]
    suite: PathBuf,
    /// Run only pages whose name contains this, or matches it if it has a *; can be repeated
    #[arg(long, value_name = "PATTERN")]
    filter: Vec<String>,
    /// The binary to test [default: the duplex beside this one, or the release build]
    #[arg(long, value_name = "PATH")]
    engine_bin: Option<PathBuf>,
    /// One more argument for the binary, after `run`; can be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    engine_arg: Vec<String>,
    /// Which form of the pages to run
    #[arg(long, value_enum, default_value_t = Form::Window)]
    form: Form,
    /// The file of what is expected not to pass
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/expectation.json"))]
    expectations: PathBuf,
    /// Write what does not pass to the file, and do not fail
    #[arg(long)]
    update_expectations: bool,
    /// How many pages to run at a time [default: twice the processors]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Multiply the time that a page has: 10 seconds, or 60 if the page asks for it
    #[arg(long, value_name = "FACTOR", default_value_t = 2)]
    timeout_multiplier: u32,
    /// Print the names of the pages and run none
    #[arg(long)]
    list: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether everything was as expected.
async fn run(args: &Args) -> io::Result<bool> {
    let mut pages = suite::pages(&args.suite, args.form)?;
    let total = pages.len();
    pages.retain(|page| {
        args.filter.is_empty() || args.filter.iter().any(|filter| page.matches(filter))
    });
    if pages.is_empty() {
        return Err(io::Error::other(format!(
            "no page of {total} matches --filter {}",
            args.filter.join(" --filter ")
        )));
    }
    if args.list {
        for page in &pages {
            println!("{}", page.name());
        }
        return Ok(true);
    }

    let mut expectations = Expectations::read(&args.expectations)?;
    let engine = Arc::new(Engine {
        binary: binary(args.engine_bin.as_deref())?,
        args: args.engine_arg.clone(),
        timeout_multiplier: args.timeout_multiplier.max(1),
    });
    eprintln!("{} pages with {}", pages.len(), engine.binary.display());
    let server = Arc::new(Server::start(&args.suite).await?);
    let jobs = args.jobs.unwrap_or_else(default_jobs).max(1);
    let is_complete = pages.len() == total;
    let ran: Vec<String> = pages.iter().map(Page::name).collect();

    let mut progress = Progress::new(pages.len());
    let mut tally = Tally::default();
    let mut results = run_all(pages, engine, server.clone(), jobs);
    while let Some(result) = results.join_next().await {
        let (page, outcome) = result.map_err(io::Error::other)??;
        let name = page.name();
        let surprises = expectations.compare(&name, &outcome);
        if args.update_expectations {
            expectations.record(&name, &outcome);
        }
        progress.page(&name, &outcome, &surprises, args.update_expectations);
        tally.add(&page, &outcome, &surprises);
    }
    progress.finish();
    drop(server);

    // Pages that no longer exist must be found here, because otherwise their expected results would
    // stay forever.
    let mut gone = match is_complete {
        true => expectations.others(&ran),
        false => Vec::new(),
    };
    // Pages of the other form were not run.
    gone.retain(|name| name.contains(".worker.html") == (args.form == Form::Worker));
    if args.update_expectations {
        expectations.remove(&gone);
        expectations.write(&args.expectations)?;
    }
    let gone = if args.update_expectations {
        &[]
    } else {
        &gone[..]
    };
    tally.print(gone);
    Ok(args.update_expectations || (tally.is_as_expected() && gone.is_empty()))
}

/// Runs the pages, `jobs` at a time.
fn run_all(
    pages: Vec<Page>,
    engine: Arc<Engine>,
    server: Arc<Server>,
    jobs: usize,
) -> JoinSet<io::Result<(Page, Outcome)>> {
    let permits = Arc::new(Semaphore::new(jobs));
    let mut results = JoinSet::new();
    for (number, page) in pages.into_iter().enumerate() {
        let (permits, engine, server) = (permits.clone(), engine.clone(), server.clone());
        results.spawn(async move {
            let _permit = permits.acquire().await.map_err(io::Error::other)?;
            let limit =
                Duration::from_secs(if page.is_long { 60 } else { 10 }) * engine.timeout_multiplier;
            let program = program::compose(&page, &server, limit).await?;
            let file = server.folder().join(format!("page-{number}.js"));
            tokio::fs::write(&file, program).await?;
            let url = server.url(&page);
            let outcome = engine.run(&file, &url, server.authority(), limit).await?;
            Ok((page, outcome))
        });
    }
    results
}

fn binary(given: Option<&Path>) -> io::Result<PathBuf> {
    let candidates = match given {
        Some(path) => vec![path.to_owned()],
        None => {
            let own = std::env::current_exe()?;
            let release = own.parent().map(|folder| folder.join("../release/duplex"));
            let mut candidates = vec![own.with_file_name("duplex")];
            candidates.extend(release);
            candidates
        }
    };
    let found = candidates.iter().find_map(|path| path.canonicalize().ok());
    found.filter(|path| path.is_file()).ok_or_else(|| {
        io::Error::other(format!(
            "there is no {}: build duplex (cargo build --release), or name another binary \
             with --engine-bin",
            candidates[0].display()
        ))
    })
}

/// Pages mostly wait, so there are twice as many as processors.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(4, |count| count.get() * 2)
}
