//! What became of the spans that were recorded.

use prometheus::proto::MetricFamily;

use super::family::{Kind, label, labelled, single};
use crate::traces::TraceCounters;

/// Everything that is counted of spans.
pub(super) fn collect(counters: &TraceCounters) -> Vec<MetricFamily> {
    let dropped = counters.dropped().map(|(reason, count)| (vec![label("reason", reason)], count));
    vec![
        single(
            "pubsub_trace_spans_exported_total",
            "Spans that the OpenTelemetry collector has taken.",
            Kind::Counter,
            counters.exported(),
        ),
        labelled(
            "pubsub_trace_spans_dropped_total",
            "Spans that were recorded and are gone: there was no room for them to wait, or the collector did not take them.",
            Kind::Counter,
            dropped.into(),
        ),
    ]
}
