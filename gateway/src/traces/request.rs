//! The span of a request over HTTP.

use shard::tracer::{Span, SpanKind};
use shard_core::trace::{TRACEPARENT, TraceContext};

use crate::{
    auth::policy::{self, Rule},
    call::Call,
    context::Context,
    http::response::Response,
};

/// Begins a span that goes on with the trace that the request names, or a trace of its own. Whoever watches whether the node
/// lives begins none.
pub(crate) fn begin(context: &Context, call: &Call<'_>) -> Span {
    let tracer = context.shards.tracer();
    let route = call.route.route;
    if !tracer.is_on() || policy::rule(route) == Rule::Public {
        return Span::default();
    }
    let parent = call.request.header(TRACEPARENT).and_then(TraceContext::parse);
    let mut span = tracer.begin(SpanKind::Server, parent, || route.request_line().into());
    if span.is_recorded() {
        let line = route.request_line();
        let (method, path) = line.split_once(' ').unwrap_or_default();
        span.set("http.request.method", method.to_owned());
        span.set("http.route", path.to_owned());
        span.set("http.request.body.size", call.request.body().len());
        span.set("pubsub.request_id", call.request.id().to_string());
    }
    span
}

/// Ends it with what was answered; where an answer is a stream, that begins here.
pub(crate) fn end(mut span: Span, response: &Response) {
    if !span.is_recorded() {
        return;
    }
    let status = response.status();
    span.set("http.response.status_code", status);
    if let Some(code) = response.failure() {
        span.set("error.type", code.as_str());
    }
    if status >= 500 {
        span.fail(format!("answered {status}"));
    }
}
