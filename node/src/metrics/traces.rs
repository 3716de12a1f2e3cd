//! What became of the spans that were recorded.

use prometheus::proto::MetricFamily;

use super::{
    description::Description,
    family::{labelled, single},
};
use crate::traces::TraceCounters;

const EXPORTED: Description = Description::counter(
    "pubsub_trace_spans_exported_total",
    "Spans that the OpenTelemetry collector has taken.",
    "Traces are missing: at 0 nothing is recorded, or nothing arrives.",
);
const DROPPED: Description = Description::counter(
    "pubsub_trace_spans_dropped_total",
    "Spans that were recorded and are gone, by why: there was no room for them to wait, or the collector did not take them.",
    "Traces have gaps: `export_failed` rises while the collector is away, `queue_full` where it is too slow.",
)
.by(&["reason"]);

pub(super) const ALL: &[Description] = &[EXPORTED, DROPPED];

/// Everything that is counted of spans.
pub(super) fn collect(counters: &TraceCounters) -> Vec<MetricFamily> {
    let dropped = counters.dropped().map(|(reason, count)| (vec![reason.to_owned()], count));
    vec![single(EXPORTED, counters.exported()), labelled(DROPPED, dropped)]
}
