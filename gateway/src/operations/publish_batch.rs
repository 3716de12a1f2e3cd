//! `POST /v1/topics/{topic}/messages`: publishes a batch of messages, as JSON, as CloudEvents, or as the publisher encoded it;
//! or, while they come, as lines.

use std::time::Instant;

use gateway_api::{Code, publish::Retry};

use super::{batch_read::BATCH_TYPE, find_topic, publish, publish_lines, query, retry};
use crate::{
    call::Call,
    cloud_events::{self, Event, is_event_type, media_type},
    context::Context,
    error::{self, Failure},
    http::response::Response,
    publish_decode::{decode_request, plan_encoded, plan_outgoing},
    quota,
    traces::Origin,
};

/// About what the result of a message takes.
const RESULT_BYTES: usize = 128;

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    if publish_lines::is_lines(call.request) {
        return publish_lines::handle(context, call);
    }
    let started = Instant::now();
    let media_type = call.request.content_type().map(media_type).unwrap_or_default();
    let is_encoded = media_type == BATCH_TYPE;
    query::check_names(call.request, if is_encoded { &["partition", "acks"] } else { &["acks"] })?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let retry = retry::of_request(call.request, &topic.config)?;
    let origin = Origin::of(&call);
    let trace = origin.publish(context, topic);
    let target = publish::target(context, topic, retry).traced(trace.of_messages());
    let plan = if is_encoded {
        if retry != Retry::Unguarded {
            return Err(error::invalid("Idempotency-Key", "a batch carries its ids and its producer itself"));
        }
        let partition = query::value(call.request, "partition", "a partition's number")?;
        plan_encoded(call.request.body(), &target, (partition, topic.config.dedup_window_ms > 0))
    } else if media_type.eq_ignore_ascii_case(cloud_events::BATCH_JSON) {
        let events = cloud_events::in_batch(call.request.body())?;
        let messages: Vec<_> = events.iter().map(Event::message).collect();
        context.core.with_message_ids(|ids| plan_outgoing(&messages, &target, ids))
    } else if is_event_type(media_type) {
        let detail = "this path takes events as application/cloudevents-batch+json; a single one belongs to …/publish";
        return Err(error::of_code(Code::UnsupportedMediaType, detail));
    } else {
        context.core.with_message_ids(|ids| decode_request(call.request.body(), &target, ids))
    };
    let mut plan = plan.map_err(error::of_publish_refused)?;
    plan.acks = publish::acks_of(call.request)?;
    let count = plan.messages().len();
    quota::publish(context, call.caller, plan.messages().len())?;
    let report = publish::publish(context, topic, plan, trace.span).await;
    if let Some(problem) = report.failure() {
        return Err(problem.into());
    }
    let mut body = Vec::with_capacity(count * RESULT_BYTES);
    body.extend_from_slice(b"{\"results\":");
    report.append_results(&mut body);
    body.push(b'}');
    context.metrics.publish_latency.observe(started.elapsed());
    Ok(Response::json(200, body))
}
