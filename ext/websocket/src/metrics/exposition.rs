//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

use super::snapshot::HistogramSnapshot;

/// A text that Prometheus reads: families of samples, each with its type and its meaning.
#[derive(Default)]
pub struct Exposition {
    text: String,
    name: &'static str,
}

/// What a family of samples is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It never falls, as long as the process lives.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Buckets, their count and their sum.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Exposition {
    /// The content type of the text.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family. The samples that follow are of it.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.name = name;
        let kind = kind.name();
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// Adds a sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// Adds a histogram.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &HistogramSnapshot) {
        for (bound, count) in &histogram.buckets {
            let bound = bound.to_string();
            self.line("_bucket", labels, Some(&bound), count);
        }
        self.line("_bucket", labels, Some("+Inf"), histogram.count);
        self.line("_sum", labels, None, histogram.sum);
        self.line("_count", labels, None, histogram.count);
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: impl Display,
    ) {
        let name = self.name;
        self.push(format_args!("{name}{suffix}"));
        let bound = bound.map(|bound| ("le", bound));
        for (index, (label, value)) in labels.iter().copied().chain(bound).enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let value = escaped(value);
            self.push(format_args!("{before}{label}=\"{value}\""));
        }
        let after = if labels.is_empty() && bound.is_none() {
            ""
        } else {
            "}"
        };
        self.push(format_args!("{after} {value}\n"));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Nothing that is written to memory fails.
        let _ = self.text.write_fmt(text);
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// The value of a label, as the format has it.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => escaped.push_str(r"\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str(r"\n"),
            other => escaped.push(other),
        }
    }
    escaped
}
