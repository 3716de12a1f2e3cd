//! Metric families from plain numbers.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::description::{Description, Kind};

/// A histogram's counts, with bounds in microseconds.
pub(super) struct Buckets {
    /// Each bound with the observations at most that.
    pub(super) cumulative: Vec<(u64, u64)>,
    pub(super) count: u64,
    pub(super) sum_micros: u64,
}

/// A family of one number without labels.
pub(super) fn single(description: Description, value: u64) -> MetricFamily {
    labelled(description, [(Vec::new(), value)])
}

/// A family of whole numbers, each with the values of its labels.
pub(super) fn labelled(description: Description, values: impl IntoIterator<Item = (Vec<String>, u64)>) -> MetricFamily {
    measured(description, values.into_iter().map(|(labels, value)| (labels, as_float(value))))
}

/// A family of numbers of any kind, each with the values of its labels.
pub(super) fn measured(description: Description, values: impl IntoIterator<Item = (Vec<String>, f64)>) -> MetricFamily {
    let metrics = values.into_iter().map(|(labels, value)| {
        let mut metric = Metric::from_label(label_pairs(description, labels));
        match description.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            Kind::Histogram => {}
        }
        metric
    });
    family(description, metrics.collect())
}

/// A family of durations in seconds.
pub(super) fn durations(description: Description, values: Vec<(Vec<String>, Buckets)>) -> MetricFamily {
    let metrics = values.into_iter().map(|(labels, buckets)| {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(buckets.count);
        histogram.set_sample_sum(seconds(buckets.sum_micros));
        histogram.set_bucket(buckets.cumulative.into_iter().map(bucket).collect());
        let mut metric = Metric::from_label(label_pairs(description, labels));
        metric.set_histogram(histogram);
        metric
    });
    family(description, metrics.collect())
}

/// Seconds from microseconds.
pub(super) const fn seconds(micros: u64) -> f64 {
    as_float(micros) / 1e6
}

/// A whole number, which may be negative, as Prometheus has it.
pub(super) const fn signed(value: i64) -> f64 {
    let size = as_float(value.unsigned_abs());
    if value < 0 { -size } else { size }
}

fn label_pairs(description: Description, values: Vec<String>) -> Vec<LabelPair> {
    assert_eq!(description.labels.len(), values.len(), "{} has a value for each of its labels", description.name);
    let pair = |(name, value): (&&str, String)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value(value);
        label
    };
    description.labels.iter().zip(values).map(pair).collect()
}

fn family(description: Description, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(description.name.to_owned());
    family.set_help(description.help.to_owned());
    family.set_field_type(match description.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    family.set_metric(metrics);
    family
}

fn bucket((bound_micros, cumulative): (u64, u64)) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.set_upper_bound(seconds(bound_micros));
    bucket.set_cumulative_count(cumulative);
    bucket
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only; above 2^53 the last digits don't matter")]
pub(super) const fn as_float(value: u64) -> f64 {
    value as f64
}
