//! The span of a push request, in the trace that its message names.

use gateway::push::PushHost;
use shard::tracer::{Span, SpanKind, Tracer};
use shard_core::delivery::PushAnswer;

use super::{endpoint::Endpoint, failure::SendError, message::PushMessage};

/// Begins it, if the message names a trace that is recorded; the endpoint is told to go on from it.
pub(super) fn begin(tracer: &Tracer, endpoint: &Endpoint, message: &mut PushMessage) -> Span {
    // Nothing is sampled here: that was decided when the message was published.
    let Some(trace) = message.trace().filter(|trace| tracer.is_on() && trace.is_sampled()) else {
        return Span::default();
    };
    let template = endpoint.template();
    let mut span = tracer.begin(SpanKind::Client, Some(trace), || format!("push {}", template.topic).into());
    if let Some(context) = span.context() {
        message.name_trace(context);
        span.set("messaging.system", "pubsubring");
        span.set("messaging.operation.name", "push");
        span.set("messaging.operation.type", "process");
        span.set("messaging.destination.name", template.topic.clone());
        span.set("messaging.destination.subscription.name", template.subscription.clone());
        span.set("messaging.destination.partition.id", message.cursor.partition.partition.get().to_string());
        span.set("pubsub.message.offset", message.leased.offset.get());
        span.set("pubsub.delivery_attempt", message.leased.delivery_attempt);
        span.set("http.request.method", "POST");
        // The path may hold what only its owner should know.
        span.set(
            "server.address",
            match &template.target.host {
                PushHost::Name(name) => name.clone(),
                PushHost::Address(address) => address.to_string(),
            },
        );
        span.set("server.port", template.target.port);
    }
    span
}

/// Notes what the endpoint answered.
pub(super) fn answered(span: &mut Span, sent: Option<&Result<PushAnswer, SendError>>) {
    match sent {
        Some(Ok(PushAnswer::Status { status, .. })) => {
            span.set("http.response.status_code", *status);
            if *status >= 400 {
                span.set("error.type", status.to_string());
                span.fail(format!("the endpoint answered {status}"));
            }
        }
        Some(Err(error)) if span.is_recorded() => {
            span.set("error.type", error.reason().as_str());
            span.fail(error.detail());
        }
        Some(Ok(PushAnswer::Failed | PushAnswer::Abandoned) | Err(_)) | None => span.fail("given up"),
    }
}
