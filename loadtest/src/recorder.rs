//! What a run measured: latency histograms and counts, kept by each worker and merged at the end.
//!
//! Histograms are merged bucket by bucket, so the percentiles of a run are those of all its samples; percentiles are never
//! averaged.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::limits::LATENCY_MAX;

/// A time that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// From a publish request's intended send time to its answer.
    Publish,
    /// From a publish request's intended send time until it was really sent.
    SendDelay,
    /// From a pull request to its messages; empty pulls are not counted.
    Pull,
    /// From an ack to its confirmation.
    Ack,
    /// From a read request to its page.
    Read,
    /// From a message's intended send time until a consumer had it.
    EndToEnd,
}

impl Measure {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::SendDelay => "send_delay",
            Self::Pull => "pull",
            Self::Ack => "ack",
            Self::Read => "read",
            Self::EndToEnd => "end_to_end",
        }
    }
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered with success.
    pub requests: u64,
    /// Messages that those requests published, delivered or read.
    pub messages: u64,
    /// Payload bytes of those messages.
    pub payload_bytes: u64,
    /// Arrivals that were due but not sent before the end.
    pub unsent: u64,
    /// Requests whose answer had not come when the run stopped waiting.
    pub unanswered: u64,
    /// Connections that were lost, whether or not they could be opened again.
    pub connections_lost: u64,
}

/// Samples and counts of one worker, or of several after a merge.
#[derive(Debug, Default)]
pub struct Recorder {
    histograms: BTreeMap<Measure, Histogram<u64>>,
    errors: BTreeMap<String, u64>,
    counts: Counts,
    last_success: Duration,
}

impl Recorder {
    /// Nothing recorded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One sample. Longer than `LATENCY_MAX` is recorded as that.
    pub fn sample(&mut self, measure: Measure, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.histograms.entry(measure).or_insert_with(new_histogram).saturating_record(nanos);
    }

    /// One request succeeded at `now`, with so many messages and payload bytes.
    pub fn success(&mut self, now: Duration, messages: u64, payload_bytes: u64) {
        self.counts.requests += 1;
        self.counts.messages += messages;
        self.counts.payload_bytes += payload_bytes;
        self.last_success = self.last_success.max(now);
    }

    /// `count` requests or messages failed with `code`.
    pub fn error(&mut self, code: &str, count: u64) {
        if count > 0 {
            *self.errors.entry(code.to_owned()).or_default() += count;
        }
    }

    /// An arrival that was not sent: it has waited at least `waited`, which is recorded as its latency.
    pub fn unsent(&mut self, waited: Duration) {
        self.counts.unsent += 1;
        self.sample(Measure::Publish, waited);
        self.sample(Measure::SendDelay, waited);
    }

    /// A request that was not answered: it has waited at least `waited`, which is recorded as its latency.
    pub fn unanswered(&mut self, waited: Duration) {
        self.counts.unanswered += 1;
        self.sample(Measure::Publish, waited);
    }

    /// A connection broke.
    pub fn connection_lost(&mut self) {
        self.counts.connections_lost += 1;
    }

    /// Adds what another recorder has.
    pub fn merge(&mut self, other: &Self) {
        for (measure, histogram) in &other.histograms {
            let mine = self.histograms.entry(*measure).or_insert_with(new_histogram);
            // Both have the same bounds, so nothing can fall outside.
            let _ = mine.add(histogram);
        }
        for (code, count) in &other.errors {
            self.error(code, *count);
        }
        let (mine, its) = (&mut self.counts, other.counts);
        mine.requests += its.requests;
        mine.messages += its.messages;
        mine.payload_bytes += its.payload_bytes;
        mine.unsent += its.unsent;
        mine.unanswered += its.unanswered;
        mine.connections_lost += its.connections_lost;
        self.last_success = self.last_success.max(other.last_success);
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Failures by error code.
    #[must_use]
    pub fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    /// When the last success was recorded, since the run's start.
    #[must_use]
    pub fn last_success(&self) -> Duration {
        self.last_success
    }

    /// The percentiles of every measure that has samples.
    #[must_use]
    pub fn latencies(&self) -> BTreeMap<Measure, Latency> {
        self.histograms.iter().map(|(measure, histogram)| (*measure, Latency::of(histogram))).collect()
    }
}

/// One measure's distribution, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub count: u64,
    pub mean_us: f64,
    pub min_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let quantile = |quantile| micros(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            mean_us: (histogram.mean() / 100.0).round() / 10.0,
            min_us: micros(histogram.min()),
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: micros(histogram.max()),
        }
    }
}

/// Nanoseconds as microseconds with one decimal: finer than the histograms' three digits where it matters.
fn micros(nanos: u64) -> f64 {
    let tenths = nanos.saturating_add(50) / 100;
    // LATENCY_MAX bounds this far below 2^52.
    #[expect(clippy::cast_precision_loss, reason = "at most 6 * 10^9 tenths")]
    let tenths = tenths as f64;
    tenths / 10.0
}

/// From 1 µs to `LATENCY_MAX`, three significant digits: 160 KiB.
fn new_histogram() -> Histogram<u64> {
    let high = u64::try_from(LATENCY_MAX.as_nanos()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1_000, high, 3).expect("histogram bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recorder(samples: &[u64]) -> Recorder {
        let mut recorder = Recorder::new();
        for nanos in samples {
            recorder.sample(Measure::Publish, Duration::from_nanos(*nanos));
        }
        recorder
    }

    /// The sample of that rank in the sorted list, as the definition of a percentile has it.
    fn naive_us(sorted: &[u64], per_mille: usize) -> f64 {
        let rank = (sorted.len() * per_mille).div_ceil(1_000).max(1);
        micros(sorted[rank - 1])
    }

    proptest! {
        #[test]
        fn merged_percentiles_are_those_of_all_samples(
            parts in prop::collection::vec(prop::collection::vec(1_000_u64..60_000_000_000, 0..300), 1..6)
        ) {
            let mut merged = Recorder::new();
            for part in &parts {
                merged.merge(&recorder(part));
            }
            let mut all: Vec<u64> = parts.concat();
            all.sort_unstable();
            let latencies = merged.latencies();
            let Some(latency) = latencies.get(&Measure::Publish) else {
                prop_assert!(all.is_empty());
                return Ok(());
            };
            prop_assert_eq!(latency.count, all.len() as u64);
            let pairs =
                [(latency.p50_us, 500), (latency.p90_us, 900), (latency.p99_us, 990), (latency.p999_us, 999), (latency.max_us, 1_000)];
            for (found, per_mille) in pairs {
                let exact = naive_us(&all, per_mille);
                prop_assert!((found - exact).abs() <= exact * 0.002 + 1.1, "{per_mille}: {found} for {exact}");
            }
        }
    }

    #[test]
    fn merging_differs_from_averaging_percentiles() {
        let mut merged = recorder(&[1_000_000; 99]);
        merged.merge(&recorder(&[100_000_000]));
        let latency = &merged.latencies()[&Measure::Publish];
        assert!(latency.p99_us < 1_010.0, "the mean of the two p99 would be 50500 µs, not {}", latency.p99_us);
        assert!(latency.max_us > 99_900.0);
    }

    #[test]
    fn what_was_not_sent_counts_with_the_time_it_waited() {
        let mut recorder = recorder(&[1_000_000]);
        recorder.unsent(Duration::from_secs(3));
        recorder.unanswered(Duration::from_secs(2));
        let latencies = recorder.latencies();
        assert_eq!(latencies[&Measure::Publish].count, 3);
        assert!(latencies[&Measure::SendDelay].max_us > 2_990_000.0);
        assert_eq!((recorder.counts().unsent, recorder.counts().unanswered), (1, 1));
    }

    #[test]
    fn errors_and_counts_add_up() {
        let mut one = Recorder::new();
        one.error("overloaded", 2);
        one.success(Duration::from_secs(1), 100, 25_600);
        let mut other = Recorder::new();
        other.error("overloaded", 3);
        other.error("unknown", 0);
        other.success(Duration::from_secs(2), 1, 256);
        one.merge(&other);
        assert_eq!(one.errors(), &BTreeMap::from([("overloaded".to_owned(), 5)]));
        assert_eq!((one.counts().requests, one.counts().messages), (2, 101));
        assert_eq!(one.last_success(), Duration::from_secs(2));
    }

    #[test]
    fn a_latency_past_the_bound_is_recorded_as_the_bound() {
        let recorder = recorder(&[u64::MAX]);
        assert!(recorder.latencies()[&Measure::Publish].max_us >= 600_000_000.0);
    }
}
