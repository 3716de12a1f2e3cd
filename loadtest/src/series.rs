//! What happened in each second of a run: counts, and latencies by when they ended. Pure.
//!
//! A point's histograms have two significant digits, which is enough to draw and takes a sixth of the memory. Points of
//! workers are merged like whole runs: bucket by bucket.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::limits::{LATENCY_MAX, SERIES_POINTS_MAX};
use crate::recorder::{Measure, micros};

/// Which times are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    origin: Duration,
    length: Duration,
}

/// The points of one worker, or of several after a merge.
#[derive(Debug)]
pub struct Series {
    intervals: Intervals,
    points: BTreeMap<u32, Point>,
}

/// What happened in one interval.
#[derive(Debug, Default)]
struct Point {
    published: u64,
    delivered: u64,
    errors: u64,
    histograms: BTreeMap<Measure, Histogram<u64>>,
}

/// A point as it is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// Where it begins, in seconds since the end of the warm-up.
    pub at_s: f64,
    /// Messages that were acknowledged.
    pub published: u64,
    /// Messages that were delivered or read.
    pub delivered: u64,
    /// Failures, by message.
    pub errors: u64,
    /// Of what ended in it.
    pub latency: BTreeMap<Measure, PointLatency>,
}

/// One measure's latencies within an interval, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PointLatency {
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
}

impl Intervals {
    /// Whole seconds from `origin` on, or longer ones if the run is so long that there would be too many.
    #[must_use]
    pub fn of_run(origin: Duration, duration: Duration) -> Self {
        let seconds = duration.as_secs().div_ceil(u64::from(SERIES_POINTS_MAX)).max(1);
        Self { origin, length: Duration::from_secs(seconds) }
    }

    /// The number of the interval in which `at` lies; `None` in the warm-up. What comes after the last one is in it.
    #[must_use]
    pub fn index(&self, at: Duration) -> Option<u32> {
        let since = at.checked_sub(self.origin)?;
        let index = since.as_nanos().checked_div(self.length.as_nanos()).unwrap_or(0);
        Some(u32::try_from(index).unwrap_or(u32::MAX).min(2 * SERIES_POINTS_MAX))
    }

    /// How long each is.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }
}

impl Series {
    /// No point yet.
    #[must_use]
    pub fn new(intervals: Intervals) -> Self {
        Self { intervals, points: BTreeMap::new() }
    }

    /// Messages were acknowledged at this time.
    pub fn published(&mut self, at: Duration, messages: u64) {
        self.point(at, |point| point.published += messages);
    }

    /// Messages were delivered or read at this time.
    pub fn delivered(&mut self, at: Duration, messages: u64) {
        self.point(at, |point| point.delivered += messages);
    }

    /// Messages failed at this time.
    pub fn failed(&mut self, at: Duration, messages: u64) {
        self.point(at, |point| point.errors += messages);
    }

    /// So many things that took so long ended at this time.
    pub fn sample(&mut self, measure: Measure, at: Duration, time: Duration, count: u64) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.point(at, |point| {
            point.histograms.entry(measure).or_insert_with(coarse).saturating_record_n(nanos, count);
        });
    }

    /// Adds another worker's points of the same run.
    pub fn merge(&mut self, other: &Self) {
        for (index, its) in &other.points {
            let mine = self.points.entry(*index).or_default();
            mine.published += its.published;
            mine.delivered += its.delivered;
            mine.errors += its.errors;
            for (measure, histogram) in &its.histograms {
                // Both have the same bounds, so nothing can fall outside.
                let _ = mine.histograms.entry(*measure).or_insert_with(coarse).add(histogram);
            }
        }
    }

    /// The points from the first to the last, those in which nothing happened included.
    #[must_use]
    pub fn points(&self) -> Vec<SeriesPoint> {
        let Some((last, _)) = self.points.last_key_value() else { return Vec::new() };
        let length = self.intervals.length.as_secs_f64();
        let nothing = Point::default();
        (0..=*last)
            .map(|index| {
                let point = self.points.get(&index).unwrap_or(&nothing);
                SeriesPoint {
                    at_s: f64::from(index) * length,
                    published: point.published,
                    delivered: point.delivered,
                    errors: point.errors,
                    latency: point.histograms.iter().map(|(measure, all)| (*measure, PointLatency::of(all))).collect(),
                }
            })
            .collect()
    }

    fn point(&mut self, at: Duration, change: impl FnOnce(&mut Point)) {
        if let Some(index) = self.intervals.index(at) {
            change(self.points.entry(index).or_default());
        }
    }
}

impl PointLatency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let quantile = |quantile| micros(histogram.value_at_quantile(quantile));
        Self { p50_us: quantile(0.5), p99_us: quantile(0.99), max_us: micros(histogram.max()) }
    }
}

fn coarse() -> Histogram<u64> {
    let high = u64::try_from(LATENCY_MAX.as_nanos()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1_000, high, 2).expect("histogram bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM_UP: Duration = Duration::from_secs(2);

    fn series() -> Series {
        Series::new(Intervals::of_run(WARM_UP, Duration::from_secs(10)))
    }

    #[test]
    fn the_warm_up_is_in_no_point() {
        let mut series = series();
        series.published(Duration::from_millis(1_999), 5);
        assert!(series.points().is_empty());
        series.published(WARM_UP, 3);
        assert_eq!(series.points()[0].published, 3);
    }

    #[test]
    fn a_second_without_anything_is_shown() {
        let mut series = series();
        series.delivered(Duration::from_millis(2_500), 1);
        series.failed(Duration::from_millis(5_999), 2);
        let points = series.points();
        let counts: Vec<_> = points.iter().map(|point| (point.delivered, point.errors)).collect();
        assert_eq!(counts, [(1, 0), (0, 0), (0, 0), (0, 2)]);
        assert!((points[3].at_s - 3.0).abs() < 1e-9);
    }

    #[test]
    fn points_of_workers_are_merged_as_samples() {
        let (mut one, mut other) = (series(), series());
        for _ in 0..99 {
            one.sample(Measure::Publish, WARM_UP, Duration::from_millis(1), 1);
        }
        other.sample(Measure::Publish, WARM_UP, Duration::from_millis(100), 1);
        other.published(WARM_UP, 7);
        one.merge(&other);
        let point = &one.points()[0];
        let latency = point.latency[&Measure::Publish];
        assert_eq!(point.published, 7);
        assert!(latency.p99_us < 1_100.0 && latency.max_us > 99_000.0, "{latency:?}");
    }

    #[test]
    fn the_points_of_a_day_are_bounded() {
        let intervals = Intervals::of_run(Duration::ZERO, Duration::from_hours(24));
        assert_eq!(intervals.length(), Duration::from_secs(144));
        assert_eq!(intervals.index(Duration::from_hours(24)), Some(600));
        assert!(intervals.index(Duration::from_hours(1_000_000)).unwrap() <= 1_200);
    }
}
