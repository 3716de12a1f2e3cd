//! Metric families from plain numbers.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// Whether a number only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// A histogram's counts, with bounds in microseconds.
pub(super) struct Buckets {
    /// Each bound with the observations at most that.
    pub(super) cumulative: Vec<(u64, u64)>,
    pub(super) count: u64,
    pub(super) sum_micros: u64,
}

/// A family of one number without labels.
pub(super) fn single(name: &str, help: &str, kind: Kind, value: u64) -> MetricFamily {
    labelled(name, help, kind, vec![(Vec::new(), value)])
}

/// A family of numbers told apart by their labels.
pub(super) fn labelled(name: &str, help: &str, kind: Kind, values: Vec<(Vec<LabelPair>, u64)>) -> MetricFamily {
    let metrics = values.into_iter().map(|(labels, value)| match kind {
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(as_float(value));
            let mut metric = Metric::from_label(labels);
            metric.set_counter(counter);
            metric
        }
        Kind::Gauge => gauge(labels, as_float(value)),
    });
    let kind = match kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
    };
    family(name, help, kind, metrics.collect())
}

/// A family of ages in seconds, each told apart by its labels.
pub(super) fn ages(name: &str, help: &str, values_micros: Vec<(Vec<LabelPair>, u64)>) -> MetricFamily {
    let metrics = values_micros.into_iter().map(|(labels, micros)| gauge(labels, as_float(micros) / 1e6));
    family(name, help, MetricType::GAUGE, metrics.collect())
}

/// A family of one number of seconds, which may be negative.
pub(super) fn seconds(name: &str, help: &str, value: i64) -> MetricFamily {
    let size = as_float(value.unsigned_abs());
    let value = if value < 0 { -size } else { size };
    family(name, help, MetricType::GAUGE, vec![gauge(Vec::new(), value)])
}

/// A family of durations in seconds.
pub(super) fn durations(name: &str, help: &str, values: Vec<(Vec<LabelPair>, Buckets)>) -> MetricFamily {
    let metrics = values.into_iter().map(|(labels, buckets)| {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(buckets.count);
        histogram.set_sample_sum(as_float(buckets.sum_micros) / 1e6);
        histogram.set_bucket(buckets.cumulative.into_iter().map(bucket).collect());
        let mut metric = Metric::from_label(labels);
        metric.set_histogram(histogram);
        metric
    });
    family(name, help, MetricType::HISTOGRAM, metrics.collect())
}

/// One label.
pub(super) fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

fn gauge(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_gauge(gauge);
    metric
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn bucket((bound_micros, cumulative): (u64, u64)) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.set_upper_bound(as_float(bound_micros) / 1e6);
    bucket.set_cumulative_count(cumulative);
    bucket
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only; above 2^53 the last digits don't matter")]
const fn as_float(value: u64) -> f64 {
    value as f64
}
