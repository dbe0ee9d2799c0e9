//! The output for the user: progress, unexpected results, and the table.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use crate::engine::{Outcome, Status};
use crate::expectation::Surprise;
use crate::suite::Page;

/// Shows a progress bar on a terminal, and unexpected results when they come.
pub(crate) struct Progress {
    total: usize,
    done: usize,
    surprising: usize,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Progress {
        Progress {
            total,
            done: 0,
            surprising: 0,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Reports that a page has run. With `is_update`, unexpected results are not shown.
    pub(crate) fn page(
        &mut self,
        name: &str,
        outcome: &Outcome,
        surprises: &[Surprise],
        is_update: bool,
    ) {
        self.done += 1;
        if !surprises.is_empty() && !is_update {
            self.surprising += 1;
            self.clear();
            println!("{name}");
            for surprise in surprises {
                println!("    {surprise}");
            }
        }
        if self.is_terminal {
            let filled = WIDTH * self.done / self.total.max(1);
            eprint!(
                "\r\x1b[2K[{}{}] {}/{}  {} unexpected  {} {name}",
                "#".repeat(filled),
                ".".repeat(WIDTH - filled),
                self.done,
                self.total,
                self.surprising,
                outcome.harness,
            );
            let _ = std::io::stderr().flush();
        }
    }

    pub(crate) fn finish(&self) {
        self.clear();
    }

    fn clear(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[2K");
        }
    }
}

/// Counts of pages and subtests, by variant.
#[derive(Default)]
pub(crate) struct Tally {
    rows: BTreeMap<String, Row>,
    surprising: usize,
    /// How many pages do not pass, as expected.
    known: usize,
}

#[derive(Clone, Copy, Default)]
struct Row {
    pages: usize,
    pages_passed: usize,
    subtests: usize,
    subtests_passed: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, page: &Page, outcome: &Outcome, surprises: &[Surprise]) {
        let row = self.rows.entry(page.variant.clone()).or_default();
        let passed = outcome
            .subtests
            .iter()
            .filter(|it| it.status == Status::Pass)
            .count();
        row.subtests += outcome.subtests.len();
        row.subtests_passed += passed;
        row.pages += 1;
        let is_good = outcome.harness.is_good() && passed == outcome.subtests.len();
        row.pages_passed += usize::from(is_good);
        self.surprising += usize::from(!surprises.is_empty());
        self.known += usize::from(!is_good && surprises.is_empty());
    }

    pub(crate) fn is_as_expected(&self) -> bool {
        self.surprising == 0
    }

    /// Prints the table and the result. `gone` are the pages that the suite no longer has.
    pub(crate) fn print(&self, gone: &[String]) {
        let mut all = Row::default();
        println!("\n| variant | pages | passed | subtests | passed |");
        println!("| --- | ---: | ---: | ---: | ---: |");
        for (variant, row) in &self.rows {
            let name = match variant.as_str() {
                "" => "(none)",
                variant => variant,
            };
            row.print(name);
            all.pages += row.pages;
            all.pages_passed += row.pages_passed;
            all.subtests += row.subtests;
            all.subtests_passed += row.subtests_passed;
        }
        all.print("all");
        println!();
        for name in gone {
            println!("{name}: expected not to pass, and not in the suite");
        }
        let failed = self.surprising + gone.len();
        println!(
            "test result: {}. {} passed; {failed} failed; {} known not to pass",
            if failed == 0 { "ok" } else { "FAILED" },
            all.pages_passed,
            self.known,
        );
    }
}

impl Row {
    fn print(&self, name: &str) {
        println!(
            "| {name} | {} | {} | {} | {} |",
            self.pages, self.pages_passed, self.subtests, self.subtests_passed
        );
    }
}

const WIDTH: usize = 30;
