//! `POST /v1/topics/{topic}/publish`: the body, of any content type, is one message.

use std::time::Instant;

use gateway_api::Code;

use super::{find_topic, publish, query, retry};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::{request::Request, response::Response},
    publish_decode::{Hold, Outgoing, PayloadSource, plan_one},
    quota,
};

const PARAMETERS: &[&str] = &["key", "priority", "ttl_ms", "delay_ms", "id", "partition"];
const ATTRIBUTE_PREFIX: &str = "pubsub-attr-";
const CLOUD_EVENT_PREFIX: &str = "ce-";
const CLOUD_EVENT_TYPE: &str = "application/cloudevents";

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let started = Instant::now();
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let attributes = attributes(call.request)?;
    let message = message(call.request, &attributes)?;
    let retry = retry::of_request(call.request, &topic.config)?;
    let target = publish::target(context, topic, retry);
    let plan = context.core.with_message_ids(|ids| plan_one(&message, &target, ids));
    let plan = plan.map_err(error::of_publish_refused)?;
    quota::publish(context, call.caller, plan.messages().len())?;
    let report = publish::publish(context, topic, plan).await;
    if let Some(problem) = report.failure() {
        return Err(problem.into());
    }
    let mut body = Vec::with_capacity(128);
    report.append_only_result(&mut body);
    context.metrics.publish_latency.observe(started.elapsed());
    Ok(Response::json(200, body))
}

/// The message that a request is.
fn message<'r>(request: &'r Request, attributes: &'r [(String, &'r str)]) -> Result<Outgoing<'r>, Failure> {
    query::check_names(request, PARAMETERS)?;
    let content_type = request.content_type();
    if content_type.is_some_and(|content_type| starts_with(content_type, CLOUD_EVENT_TYPE)) {
        return Err(error::of_code(Code::UnsupportedMediaType, "CloudEvents are not supported by this version"));
    }
    Ok(Outgoing {
        payload: PayloadSource::Bytes(request.body()),
        id: request.query("id"),
        key: request.query("key"),
        content_type,
        attributes: attributes.iter().map(|(name, value)| (name.as_str(), *value)).collect(),
        priority: query::value(request, "priority", "a priority from 0 to 9")?,
        ttl_ms: query::value(request, "ttl_ms", "milliseconds")?,
        hold: query::value(request, "delay_ms", "milliseconds")?.map_or(Hold::None, Hold::For),
        partition: query::value(request, "partition", "a partition's number")?,
    })
}

/// The attributes that headers carry, their names in lower case.
fn attributes(request: &Request) -> Result<Vec<(String, &str)>, Failure> {
    let mut attributes = Vec::new();
    for (name, value) in request.headers() {
        if starts_with(name, CLOUD_EVENT_PREFIX) {
            return Err(error::unsupported(&name.to_ascii_lowercase()));
        }
        if let Some(attribute) = name.get(ATTRIBUTE_PREFIX.len()..).filter(|_| starts_with(name, ATTRIBUTE_PREFIX)) {
            let value = std::str::from_utf8(value).map_err(|_| error::invalid(name, "not UTF-8"))?;
            attributes.push((attribute.to_ascii_lowercase(), value));
        }
    }
    Ok(attributes)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
