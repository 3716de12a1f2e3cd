//! A span of ours as the exporter takes it.

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId, Value,
    trace::{Link, SpanContext, SpanKind as OtelKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use shard::tracer::{FinishedSpan, SpanKind, SpanValue};
use shard_core::trace::TraceContext;

/// The same with everything that is known of it.
pub(super) fn of(span: FinishedSpan, scope: &InstrumentationScope) -> SpanData {
    let mut links = SpanLinks::default();
    links.links = span.links.iter().map(|&link| Link::new(context_of(link, true), Vec::new(), 0)).collect();
    links.dropped_count = span.links_dropped;
    SpanData {
        span_context: context_of(span.context, false),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.bytes())),
        parent_span_is_remote: span.is_parent_remote,
        span_kind: match span.kind {
            SpanKind::Server => OtelKind::Server,
            SpanKind::Client => OtelKind::Client,
            SpanKind::Producer => OtelKind::Producer,
            SpanKind::Consumer => OtelKind::Consumer,
            SpanKind::Internal => OtelKind::Internal,
        },
        name: span.name,
        start_time: span.start,
        end_time: span.end,
        attributes: span.attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.error.map_or(Status::Unset, |description| Status::Error { description }),
        instrumentation_scope: scope.clone(),
    }
}

fn context_of(context: TraceContext, is_remote: bool) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(context.trace().bytes()),
        SpanId::from_bytes(context.span().bytes()),
        if context.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED },
        is_remote,
        TraceState::NONE,
    )
}

fn attribute((name, value): (&'static str, SpanValue)) -> KeyValue {
    let value = match value {
        SpanValue::Text(text) => Value::String(text.into()),
        SpanValue::Integer(number) => Value::I64(number),
    };
    KeyValue::new(name, value)
}
