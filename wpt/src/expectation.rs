//! `expectation.json`: the subtests that do not pass, for each page.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::{Outcome, Status};

/// The results that are expected. Pages and subtests that are not in the file are expected to pass.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Expectations(BTreeMap<String, Expected>);

/// The expected results of one page.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The status of the page as a whole, if it is not `OK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    harness: Option<Status>,
    /// The statuses of the subtests that do not pass, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    subtests: BTreeMap<String, Status>,
}

/// A difference from the expected results, as text.
pub(crate) type Surprise = String;

impl Expectations {
    /// Reads the file. If there is no file, nothing is expected not to pass.
    ///
    /// # Errors
    /// If the file cannot be read, or does not have the form that [`Expectations::write`] writes.
    pub(crate) fn read(file: &Path) -> io::Result<Expectations> {
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        // The file may be /dev/null.
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&text)
            .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        text.push('\n');
        fs::write(file, text)
    }

    /// The differences of `outcome` from the expected results of `page`.
    pub(crate) fn compare(&self, page: &str, outcome: &Outcome) -> Vec<Surprise> {
        let none = Expected::default();
        let expected = self.0.get(page).unwrap_or(&none);
        let actual = Expected::of(outcome);
        let mut surprises = Vec::new();
        if actual.harness != expected.harness {
            surprises.push(format!(
                "the page: {}, expected {}{}",
                outcome.harness,
                expected.harness.unwrap_or(Status::Ok),
                indented(&outcome.message)
            ));
        }
        for subtest in &outcome.subtests {
            let wanted = expected.subtests.get(&subtest.name);
            let wanted = wanted.copied().unwrap_or(Status::Pass);
            if subtest.status != wanted {
                surprises.push(format!(
                    "{}: {}, expected {wanted}{}",
                    subtest.name,
                    subtest.status,
                    indented(&subtest.message)
                ));
            }
        }
        for name in expected.subtests.keys() {
            if !outcome.subtests.iter().any(|it| it.name == *name) {
                surprises.push(format!("{name}: has no result"));
            }
        }
        surprises
    }

    /// Makes `outcome` the expected result of `page`.
    pub(crate) fn record(&mut self, page: &str, outcome: &Outcome) {
        let actual = Expected::of(outcome);
        match actual == Expected::default() {
            true => self.0.remove(page),
            false => self.0.insert(page.to_owned(), actual),
        };
    }

    /// The pages with expected results, except for these pages.
    pub(crate) fn others(&self, pages: &[String]) -> Vec<String> {
        let names = self.0.keys().filter(|name| !pages.contains(name));
        names.cloned().collect()
    }

    pub(crate) fn remove(&mut self, pages: &[String]) {
        self.0.retain(|name, _| !pages.contains(name));
    }
}

impl Expected {
    fn of(outcome: &Outcome) -> Expected {
        let subtests = outcome.subtests.iter().filter(|it| !it.status.is_good());
        Expected {
            harness: Some(outcome.harness).filter(|status| !status.is_good()),
            subtests: subtests.map(|it| (it.name.clone(), it.status)).collect(),
        }
    }
}

fn indented(message: &str) -> String {
    let lines = message.trim_end().lines();
    lines.map(|line| format!("\n      {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Subtest;

    fn outcome(harness: Status, subtests: &[(&str, Status)]) -> Outcome {
        Outcome {
            harness,
            message: String::new(),
            subtests: subtests
                .iter()
                .map(|&(name, status)| Subtest {
                    name: name.to_owned(),
                    status,
                    message: "because".to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn all_is_expected_to_pass() {
        let expectations = Expectations::default();
        let good = outcome(Status::Ok, &[("a", Status::Pass)]);
        assert_eq!(expectations.compare("p", &good), [""; 0]);
        let bad = outcome(Status::Timeout, &[("a", Status::Pass), ("b", Status::Fail)]);
        assert_eq!(
            expectations.compare("p", &bad),
            [
                "the page: TIMEOUT, expected OK",
                "b: FAIL, expected PASS\n      because"
            ]
        );
    }

    #[test]
    fn what_was_recorded_is_expected() {
        let mut expectations = Expectations::default();
        let bad = outcome(Status::Ok, &[("a", Status::Pass), ("b", Status::Fail)]);
        expectations.record("p", &bad);
        assert_eq!(expectations.compare("p", &bad), [""; 0]);
        let other = outcome(Status::Ok, &[("b", Status::Notrun)]);
        assert_eq!(
            expectations.compare("p", &other),
            ["b: NOTRUN, expected FAIL\n      because"]
        );
        let none = outcome(Status::Ok, &[("a", Status::Pass)]);
        assert_eq!(expectations.compare("p", &none), ["b: has no result"]);
        let good = outcome(Status::Ok, &[("a", Status::Pass), ("b", Status::Pass)]);
        assert_eq!(expectations.compare("p", &good).len(), 1, "it passes now");
        expectations.record("p", &good);
        assert_eq!(expectations.compare("p", &good), [""; 0]);
        assert_eq!(serde_json::to_string(&expectations).unwrap(), "{}");
    }

    #[test]
    fn the_file_has_only_what_does_not_pass() {
        let mut expectations = Expectations::default();
        expectations.record(
            "p",
            &outcome(Status::Ok, &[("b", Status::Fail), ("a", Status::Pass)]),
        );
        expectations.record("q", &outcome(Status::Timeout, &[]));
        let text = serde_json::to_string(&expectations).unwrap();
        assert_eq!(
            text,
            r#"{"p":{"subtests":{"b":"FAIL"}},"q":{"harness":"TIMEOUT"}}"#
        );
        assert_eq!(expectations.others(&["p".to_owned()]), ["q"]);
    }
}
