//! Families of numbers, and the text format of Prometheus, version 0.0.4.

use std::fmt::Write;

use super::snapshot::HistogramSnapshot;

/// Families of samples. Each family has a name, a type and a meaning.
#[derive(Default)]
pub struct Exposition {
    families: Vec<Family>,
}

/// The samples of one name.
pub struct Family {
    /// The name, in the form of Prometheus.
    pub name: &'static str,
    /// The type of the samples.
    pub kind: Kind,
    /// The meaning of the samples, in a sentence.
    pub help: String,
    /// The samples, in the order in which they were added.
    pub samples: Vec<Sample>,
}

/// One number.
pub struct Sample {
    /// The suffix that follows the name of the family. The samples of a histogram have `_bucket`,
    /// `_sum` or `_count`. All others have an empty suffix.
    pub suffix: &'static str,
    /// The labels that tell the sample from the others of the family: names and
    /// values.
    pub labels: Vec<(String, String)>,
    /// The number itself.
    pub value: f64,
}

/// The type of a family of samples.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A number that never falls while the process lives.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// The buckets of a distribution, with their count and their sum.
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

/// A number that can be a sample. A number above 2^53 may be rounded.
pub trait Number {
    /// The number.
    fn to_f64(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(
            impl Number for $type {
                fn to_f64(self) -> f64 {
                    self as f64
                }
            }
        )*
    };
}

numbers!(u8 i32 u64 usize f64);

impl Exposition {
    /// The content type of the text.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family. The samples that are added next belong to this family.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.families.push(Family {
            name,
            kind,
            help: help.to_owned(),
            samples: Vec::new(),
        });
    }

    /// Adds a sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Number) {
        self.add("", labels, None, value.to_f64());
    }

    /// Adds a histogram.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &HistogramSnapshot) {
        let count = histogram.count.to_f64();
        for (bound, count) in &histogram.buckets {
            self.add("_bucket", labels, Some(bound.to_string()), count.to_f64());
        }
        self.add("_bucket", labels, Some("+Inf".to_owned()), count);
        self.add("_sum", labels, None, histogram.sum);
        self.add("_count", labels, None, count);
    }

    fn add(
        &mut self,
        suffix: &'static str,
        labels: &[(&str, &str)],
        bound: Option<String>,
        value: f64,
    ) {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let bound = bound.map(|bound| ("le".to_owned(), bound));
        let sample = Sample {
            suffix,
            labels: labels.iter().map(owned).chain(bound).collect(),
            value,
        };
        if let Some(family) = self.families.last_mut() {
            family.samples.push(sample);
        }
    }

    /// The families, in the order in which they were added.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The text that Prometheus reads.
    pub fn into_text(self) -> String {
        let mut text = String::new();
        for family in &self.families {
            // A write to memory does not fail.
            let _ = family.write(&mut text);
        }
        text
    }
}

impl Family {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self {
            name,
            kind,
            help,
            samples,
        } = self;
        let kind = kind.name();
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n")?;
        for sample in samples {
            write!(text, "{name}{}", sample.suffix)?;
            for (index, (label, value)) in sample.labels.iter().enumerate() {
                let before = if index == 0 { '{' } else { ',' };
                let value = escaped(value);
                write!(text, "{before}{label}=\"{value}\"")?;
            }
            let after = match sample.labels.is_empty() {
                true => "",
                false => "}",
            };
            writeln!(text, "{after} {}", sample.value)?;
        }
        Ok(())
    }
}

/// The value of a label, escaped as the format asks.
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
