//! `POST /v1/topics/{topic}/messages`: publishes a batch of messages.

use std::time::Instant;

use super::{find_topic, publish, query, retry};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    publish_decode::decode_request,
};

/// About what the result of a message takes.
const RESULT_BYTES: usize = 128;

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let started = Instant::now();
    query::check_names(call.request, &[])?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let retry = retry::of_request(call.request, &topic.config)?;
    let target = publish::target(context, topic, retry);
    let plan = context.core.with_message_ids(|ids| decode_request(call.request.body(), &target, ids));
    let plan = plan.map_err(error::of_publish_refused)?;
    let count = plan.messages().len();
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
