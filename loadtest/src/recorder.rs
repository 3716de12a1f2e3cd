//! What a run measured: latency histograms and counts, kept by each worker and merged at the end.
//!
//! Histograms are merged bucket by bucket, so the percentiles of a run are those of all its samples; percentiles are never
//! averaged.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::limits::LATENCY_MAX;
use crate::series::{Intervals, Series};

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
    /// From a request's intended send time until a connection that waited for nothing else sent it: how late the generator
    /// itself is.
    WakeDelay,
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
            Self::WakeDelay => "wake_delay",
        }
    }
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered with success.
    pub requests: u64,
    /// Messages that were acknowledged.
    pub published: u64,
    /// Their payload bytes.
    pub published_bytes: u64,
    /// Messages that were delivered or read.
    pub delivered: u64,
    /// Their payload bytes.
    pub delivered_bytes: u64,
    /// Arrivals that were due but not sent before the end.
    pub unsent: u64,
    /// Requests whose answer had not come when the run stopped waiting.
    pub unanswered: u64,
    /// Connections that were lost, whether or not they could be opened again.
    pub connections_lost: u64,
}

/// Samples and counts of one worker, or of several after a merge.
#[derive(Debug)]
pub struct Recorder {
    series: Series,
    histograms: BTreeMap<Measure, Histogram<u64>>,
    errors: BTreeMap<String, u64>,
    counts: Counts,
    last_success: Duration,
}

impl Recorder {
    /// Nothing recorded.
    #[must_use]
    pub fn new(intervals: Intervals) -> Self {
        Self {
            series: Series::new(intervals),
            histograms: BTreeMap::new(),
            errors: BTreeMap::new(),
            counts: Counts::default(),
            last_success: Duration::ZERO,
        }
    }

    /// One sample, of something that ended at `at`. Longer than `LATENCY_MAX` is recorded as that.
    pub fn sample(&mut self, measure: Measure, at: Duration, time: Duration) {
        self.samples(measure, at, time, 1);
    }

    /// So many samples of the same.
    pub fn samples(&mut self, measure: Measure, at: Duration, time: Duration, count: u64) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.histograms.entry(measure).or_insert_with(new_histogram).saturating_record_n(nanos, count);
        self.series.sample(measure, at, time, count);
    }

    /// One request was answered at `now`: so many messages are published.
    pub fn published(&mut self, now: Duration, messages: u64, payload_bytes: u64) {
        self.counts.published += messages;
        self.counts.published_bytes += payload_bytes;
        self.series.published(now, messages);
        self.success(now);
    }

    /// Messages came at `now`.
    pub fn delivered(&mut self, now: Duration, messages: u64, payload_bytes: u64) {
        self.counts.delivered += messages;
        self.counts.delivered_bytes += payload_bytes;
        self.series.delivered(now, messages);
        self.success(now);
    }

    fn success(&mut self, now: Duration) {
        self.counts.requests += 1;
        self.last_success = self.last_success.max(now);
    }

    /// `count` requests or messages failed with `code` at `now`.
    pub fn error(&mut self, code: &str, now: Duration, count: u64) {
        self.add_error(code, count);
        self.series.failed(now, count);
    }

    /// An arrival that was not sent by `now`: it has waited at least `waited`, which is recorded as its latency.
    pub fn unsent(&mut self, now: Duration, waited: Duration) {
        self.counts.unsent += 1;
        self.sample(Measure::Publish, now, waited);
        self.sample(Measure::SendDelay, now, waited);
    }

    /// A request that was not answered by `now`: it has waited at least `waited`, which is recorded as its latency.
    pub fn unanswered(&mut self, now: Duration, waited: Duration) {
        self.counts.unanswered += 1;
        self.sample(Measure::Publish, now, waited);
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
            self.add_error(code, *count);
        }
        self.series.merge(&other.series);
        let (mine, its) = (&mut self.counts, other.counts);
        mine.requests += its.requests;
        mine.published += its.published;
        mine.published_bytes += its.published_bytes;
        mine.delivered += its.delivered;
        mine.delivered_bytes += its.delivered_bytes;
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

    /// The percentile curve of every measure that has samples.
    #[must_use]
    pub fn curves(&self) -> BTreeMap<Measure, Vec<CurvePoint>> {
        self.histograms.iter().map(|(measure, histogram)| (*measure, curve(histogram))).collect()
    }

    /// What happened when.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    fn add_error(&mut self, code: &str, count: u64) {
        if count > 0 {
            *self.errors.entry(code.to_owned()).or_default() += count;
        }
    }
}

/// A share of the samples, and the time within which they were done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint(
    /// The quantile, from 0 to 1.
    pub f64,
    /// Microseconds.
    pub f64,
);

/// Ten points for each nine, as far as there are samples to tell them apart.
fn curve(histogram: &Histogram<u64>) -> Vec<CurvePoint> {
    const POINTS_OF_A_NINE: i32 = 10;
    const NINES_MAX: i32 = 6;
    let mut points = Vec::new();
    for step in 0..=POINTS_OF_A_NINE * NINES_MAX {
        let rest = 10_f64.powf(-f64::from(step) / f64::from(POINTS_OF_A_NINE));
        let quantile = ((1.0 - rest) * 1e7).round() / 1e7;
        points.push(CurvePoint(quantile, micros(histogram.value_at_quantile(quantile))));
        // Beyond one sample's share there is only the maximum again.
        if rest * to_f64(histogram.len()) < 1.0 {
            break;
        }
    }
    points
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

/// One measure's distribution, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub count: u64,
    pub mean_us: f64,
    pub min_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    #[serde(default)]
    pub p9999_us: f64,
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
            p9999_us: quantile(0.9999),
            max_us: micros(histogram.max()),
        }
    }
}

/// Nanoseconds as microseconds with one decimal: finer than the histograms' three digits where it matters.
pub(crate) fn micros(nanos: u64) -> f64 {
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

    const AT: Duration = Duration::from_secs(1);

    fn empty() -> Recorder {
        Recorder::new(Intervals::of_run(Duration::ZERO, Duration::from_secs(10)))
    }

    fn recorder(samples: &[u64]) -> Recorder {
        let mut recorder = empty();
        for nanos in samples {
            recorder.sample(Measure::Publish, AT, Duration::from_nanos(*nanos));
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
            let mut merged = empty();
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
        recorder.unsent(AT, Duration::from_secs(3));
        recorder.unanswered(AT, Duration::from_secs(2));
        let latencies = recorder.latencies();
        assert_eq!(latencies[&Measure::Publish].count, 3);
        assert!(latencies[&Measure::SendDelay].max_us > 2_990_000.0);
        assert_eq!((recorder.counts().unsent, recorder.counts().unanswered), (1, 1));
    }

    #[test]
    fn errors_and_counts_add_up() {
        let mut one = empty();
        one.error("overloaded", AT, 2);
        one.published(Duration::from_secs(1), 100, 25_600);
        let mut other = empty();
        other.error("overloaded", AT, 3);
        other.error("unknown", AT, 0);
        other.published(Duration::from_secs(2), 1, 256);
        one.merge(&other);
        assert_eq!(one.errors(), &BTreeMap::from([("overloaded".to_owned(), 5)]));
        assert_eq!((one.counts().requests, one.counts().published), (2, 101));
        assert_eq!(one.last_success(), Duration::from_secs(2));
    }

    #[test]
    fn a_latency_past_the_bound_is_recorded_as_the_bound() {
        let recorder = recorder(&[u64::MAX]);
        assert!(recorder.latencies()[&Measure::Publish].max_us >= 600_000_000.0);
    }

    #[test]
    fn a_curve_rises_to_the_maximum_and_has_no_more_points_than_samples_tell_apart() {
        let samples: Vec<u64> = (1..=1_000).map(|millis| millis * 1_000_000).collect();
        let curve = &recorder(&samples).curves()[&Measure::Publish];
        assert!(curve.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{curve:?}");
        assert_eq!(curve.len(), 32, "three nines and one step, to where one sample is left");
        assert!((curve[10].0 - 0.9).abs() < 1e-9 && (curve[10].1 / 900_000.0 - 1.0).abs() < 0.002, "{curve:?}");
        assert!(curve[31].1 >= 999_000.0);
    }
}
