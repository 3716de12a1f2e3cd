//! Two reports beside each other: each figure, and what differs between the runs. Pure.

use std::io::{self, Write};

use serde_json::Value;

use crate::recorder::Latency;
use crate::report::{Report, units};

type Quantile = fn(&Latency) -> f64;

/// One run in terms of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What the two are called.
    pub titles: [String; 2],
    /// Each figure.
    pub rows: Vec<Row>,
    /// What was not the same, which a reader must know before believing a ratio.
    pub differences: Vec<Difference>,
}

/// A figure of both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Of each run.
    pub values: [f64; 2],
    /// How it is written.
    pub unit: Unit,
    /// Whether more is better, where that can be said.
    pub more_is_better: Option<bool>,
}

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    Count,
    Time,
    Bytes,
    Cores,
}

/// Something that was not the same in both runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is in the reports.
    pub key: String,
    /// In each.
    pub values: [String; 2],
}

impl Unit {
    /// A value with its unit.
    #[must_use]
    pub fn write(self, value: f64) -> String {
        match self {
            Self::Count => units::count(value),
            Self::Time => units::time(value),
            Self::Bytes => units::bytes(value),
            Self::Cores => format!("{value:.2}"),
        }
    }
}

impl Row {
    /// The second in terms of the first; `None` if there is nothing to divide by.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let [a, b] = self.values;
        (a > 0.0).then(|| b / a)
    }

    /// Whether the second is better, by more than a hundredth.
    #[must_use]
    pub fn is_better(&self) -> Option<bool> {
        let ratio = self.ratio().filter(|ratio| (ratio - 1.0).abs() > 0.01)?;
        Some((ratio > 1.0) == self.more_is_better?)
    }
}

impl Comparison {
    /// `b` in terms of `a`.
    #[must_use]
    pub fn of(a: &Report, b: &Report) -> Self {
        let (workload_a, workload_b) = (without_names(a), without_names(b));
        let mut differences = Vec::new();
        differ("workload", &workload_a, &workload_b, &mut differences);
        for (key, of) in [("server", server as fn(&Report) -> Value), ("machine", machine)] {
            differ(key, &of(a), &of(b), &mut differences);
        }
        Self { titles: [a.title(), b.title()], rows: rows(a, b), differences }
    }

    /// As text.
    ///
    /// # Errors
    ///
    /// When `out` fails.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let [a, b] = &self.titles;
        let width = [a, b].iter().map(|title| title.chars().count()).max().unwrap_or(0).max(12);
        writeln!(out, "{:<28}{a:>width$}  {b:>width$}{:>10}", "", "B / A")?;
        for row in &self.rows {
            let [a, b] = row.values.map(|value| row.unit.write(value));
            let ratio = row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
            let verdict = match row.is_better() {
                Some(true) => "  better",
                Some(false) => "  worse",
                None => "",
            };
            writeln!(out, "{:<28}{a:>width$}  {b:>width$}{ratio:>10}{verdict}", row.name)?;
        }
        if !self.differences.is_empty() {
            writeln!(out, "\nwhat differed between the runs:")?;
        }
        for Difference { key, values: [a, b] } in &self.differences {
            writeln!(out, "  {key}: {a} | {b}")?;
        }
        Ok(())
    }
}

fn rows(a: &Report, b: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name: String, unit, more_is_better, of: &dyn Fn(&Report) -> Option<f64>| {
        if let (Some(a), Some(b)) = (of(a), of(b)) {
            rows.push(Row { name, values: [a, b], unit, more_is_better });
        }
    };
    row("messages/s".to_owned(), Unit::Count, Some(true), &|report| Some(report.result.messages_per_s));
    row("payload MB/s".to_owned(), Unit::Count, Some(true), &|report| Some(report.result.payload_mb_per_s));
    for measure in a.result.latency.keys() {
        let name = measure.name().replace('_', " ");
        let quantiles: [(&str, Quantile); 5] = [
            ("p50", |latency| latency.p50_us),
            ("p90", |latency| latency.p90_us),
            ("p99", |latency| latency.p99_us),
            ("p99.9", |latency| latency.p999_us),
            ("max", |latency| latency.max_us),
        ];
        for (quantile, of) in quantiles {
            row(format!("{name} {quantile}"), Unit::Time, Some(false), &|report| {
                report.result.latency.get(measure).map(of)
            });
        }
    }
    let watched = |report: &Report| report.result.usage.server_is_watched;
    row("server cores".to_owned(), Unit::Cores, None, &|report| {
        watched(report).then_some(report.result.usage.server_cores)
    });
    row("server CPU a message".to_owned(), Unit::Time, Some(false), &cpu_of_a_message);
    row("server memory".to_owned(), Unit::Bytes, Some(false), &|report| {
        watched(report).then(|| to_f64(report.result.usage.server_rss_max_bytes))
    });
    row("server written to disk".to_owned(), Unit::Bytes, None, &|report| {
        watched(report).then(|| to_f64(report.result.usage.server_written_bytes))
    });
    row("load generator cores".to_owned(), Unit::Cores, None, &|report| Some(report.result.generator.cpu_cores));
    for (name, of) in [
        ("lost", (|verdict| verdict.lost) as fn(&crate::deliveries::Verdict) -> u64),
        ("out of order", |verdict| verdict.out_of_order),
        ("duplicates", |verdict| verdict.duplicates),
    ] {
        row(name.to_owned(), Unit::Count, Some(false), &|report| report.result.deliveries.as_ref().map(of).map(to_f64));
    }
    row("failed".to_owned(), Unit::Count, Some(false), &|report| Some(to_f64(report.result.errors.values().sum())));
    rows
}

/// Microseconds of the server's CPU time for each message; `None` if its processes are not known.
#[must_use]
pub fn cpu_of_a_message(report: &Report) -> Option<f64> {
    let result = &report.result;
    let known = result.usage.server_is_watched && result.messages_per_s > 0.0;
    known.then(|| result.usage.server_cores * 1e6 / result.messages_per_s)
}

fn without_names(report: &Report) -> Value {
    let mut value = serde_json::to_value(&report.workload).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        for name in ["name", "description", "topic"] {
            fields.remove(name);
        }
    }
    value
}

fn server(report: &Report) -> Value {
    serde_json::to_value(&report.server).unwrap_or_default()
}

fn machine(report: &Report) -> Value {
    serde_json::to_value(&report.machine).unwrap_or_default()
}

/// The leaves that are not the same.
fn differ(key: &str, a: &Value, b: &Value, differences: &mut Vec<Difference>) {
    match (a.as_object(), b.as_object()) {
        (Some(fields_a), Some(fields_b)) => {
            let mut names: Vec<&String> = fields_a.keys().chain(fields_b.keys()).collect();
            names.sort_unstable();
            names.dedup();
            let of =
                |fields: &serde_json::Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
            for name in names {
                differ(&format!("{key}.{name}"), &of(fields_a, name), &of(fields_b, name), differences);
            }
        }
        _ if a == b => {}
        _ => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = |value: &Value| if value.is_null() { "-".to_owned() } else { text(value) };
            differences.push(Difference { key: key.to_owned(), values: [text(a), text(b)] });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts of a run stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Measure;
    use crate::report::tests::example_report;

    fn pair() -> (Report, Report) {
        let (a, mut b) = (example_report(), example_report());
        b.result.messages_per_s *= 2.0;
        if let Some(latency) = b.result.latency.get_mut(&Measure::Publish) {
            latency.p99_us *= 3.0;
        }
        b.workload.publish.connections = 9;
        b.server.version = Some("9".to_owned());
        (a, b)
    }

    fn find<'a>(comparison: &'a Comparison, name: &str) -> &'a Row {
        comparison.rows.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn more_messages_are_better_and_longer_latencies_worse() {
        let (a, b) = pair();
        let comparison = Comparison::of(&a, &b);
        let (rate, p99, p50) =
            (find(&comparison, "messages/s"), find(&comparison, "publish p99"), find(&comparison, "publish p50"));
        assert_eq!((rate.ratio(), rate.is_better()), (Some(2.0), Some(true)));
        assert_eq!(p99.is_better(), Some(false));
        assert_eq!(p50.is_better(), None, "the same is neither");
    }

    #[test]
    fn what_was_not_the_same_is_told() {
        let (a, b) = pair();
        let comparison = Comparison::of(&a, &b);
        let expected = [("workload.publish.connections", ["2", "9"]), ("server.version", ["-", "9"])];
        let told: Vec<_> = comparison
            .differences
            .iter()
            .map(|one| (one.key.as_str(), one.values.each_ref().map(String::as_str)))
            .collect();
        assert_eq!(told, expected);
        let mut text = Vec::new();
        comparison.write(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for part in ["B / A", "2.000  better", "3.000  worse", "workload.publish.connections: 2 | 9"] {
            assert!(text.contains(part), "`{part}` is missing in:\n{text}");
        }
    }

    #[test]
    fn what_is_not_known_of_both_has_no_row() {
        let (a, b) = pair();
        assert!(!Comparison::of(&a, &b).rows.iter().any(|row| row.name.starts_with("server") || row.name == "lost"));
    }
}
