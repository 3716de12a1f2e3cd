//! `POST /v1/topics/{topic}/messages`: publishes a batch of messages, as JSON or as the publisher encoded it.

use std::time::Instant;

use gateway_api::publish::Retry;

use super::{batch_read::BATCH_TYPE, find_topic, publish, query, retry};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    publish_decode::{decode_request, plan_encoded},
    quota,
};

/// About what the result of a message takes.
const RESULT_BYTES: usize = 128;

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let started = Instant::now();
    let is_encoded = call.request.content_type().is_some_and(|content_type| content_type.trim() == BATCH_TYPE);
    query::check_names(call.request, if is_encoded { &["partition"] } else { &[] })?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let retry = retry::of_request(call.request, &topic.config)?;
    let target = publish::target(context, topic, retry);
    let plan = if is_encoded {
        if retry != Retry::Unguarded {
            return Err(error::invalid("Idempotency-Key", "a batch carries its ids and its producer itself"));
        }
        let partition = query::value(call.request, "partition", "a partition's number")?;
        plan_encoded(call.request.body(), &target, (partition, topic.config.dedup_window_ms > 0))
    } else {
        context.core.with_message_ids(|ids| decode_request(call.request.body(), &target, ids))
    };
    let plan = plan.map_err(error::of_publish_refused)?;
    let count = plan.messages().len();
    quota::publish(context, call.caller, plan.messages().len())?;
    let report = publish::publish(context, topic, plan).await;
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
