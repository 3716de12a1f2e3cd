//! `POST /v1/topics/{topic}/publish`: the body, of any content type, is one message, or one event of CloudEvents.

use std::time::Instant;

use gateway_api::Code;

use super::{find_topic, publish, query, retry};
use crate::{
    call::Call,
    cloud_events::{self, EVENT_JSON, Event, is_event_type, media_type},
    context::Context,
    error::{self, Failure},
    http::{request::Request, response::Response},
    publish_decode::{Hold, Outgoing, PayloadSource, plan_one},
    quota,
    traces::Origin,
};

const PARAMETERS: &[&str] = &["key", "priority", "ttl_ms", "delay_ms", "id", "partition", "acks"];
const ATTRIBUTE_PREFIX: &str = "pubsub-attr-";

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let started = Instant::now();
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let attributes = attributes(call.request)?;
    let event = event(call.request)?;
    let message = message(call.request, &attributes, event.as_ref())?;
    let retry = retry::of_request(call.request, &topic.config)?;
    let origin = Origin::of(&call);
    let trace = origin.publish(context, topic);
    let target = publish::target(context, topic, retry).traced(trace.of_messages());
    let plan = context.core.with_message_ids(|ids| plan_one(&message, &target, ids));
    let mut plan = plan.map_err(error::of_publish_refused)?;
    plan.acks = publish::acks_of(call.request)?;
    quota::publish(context, call.caller, plan.messages().len())?;
    let report = publish::publish(context, topic, plan, trace.span).await;
    if let Some(problem) = report.failure() {
        return Err(problem.into());
    }
    let mut body = Vec::with_capacity(128);
    report.append_only_result(&mut body);
    context.metrics.publish_latency.observe(started.elapsed());
    Ok(Response::json(200, body))
}

/// The event that a request is: in its body, or in its headers with the body as data.
fn event(request: &Request) -> Result<Option<Event<'_>>, Failure> {
    let media_type = request.content_type().map(media_type).unwrap_or_default();
    if media_type.eq_ignore_ascii_case(EVENT_JSON) {
        return cloud_events::in_body(request.body()).map(Some);
    }
    if is_event_type(media_type) {
        let detail = "this path takes an event as application/cloudevents+json, or its data with `ce-` headers; a batch \
                      belongs to …/messages";
        return Err(error::of_code(Code::UnsupportedMediaType, detail));
    }
    cloud_events::in_headers(request)
}

/// The message that a request is.
fn message<'r>(
    request: &'r Request,
    attributes: &'r [(String, &'r str)],
    event: Option<&'r Event<'r>>,
) -> Result<Outgoing<'r>, Failure> {
    query::check_names(request, PARAMETERS)?;
    let plain = Outgoing {
        payload: PayloadSource::Bytes(request.body()),
        id: None,
        key: None,
        content_type: request.content_type(),
        attributes: Vec::new(),
        priority: query::value(request, "priority", "a priority from 0 to 9")?,
        ttl_ms: query::value(request, "ttl_ms", "milliseconds")?,
        hold: query::value(request, "delay_ms", "milliseconds")?.map_or(Hold::None, Hold::For),
        partition: query::value(request, "partition", "a partition's number")?,
    };
    let mut message = match event.map(Event::message) {
        Some(Outgoing { payload, id, key, content_type, attributes, .. }) => {
            Outgoing { payload, id, key, content_type, attributes, ..plain }
        }
        None => plain,
    };
    if let (Some(stated), Some(own)) = (request.query("id"), message.id)
        && stated != own
    {
        return Err(error::invalid("id", "it is not the id of the event"));
    }
    message.id = request.query("id").or(message.id);
    message.key = request.query("key").or(message.key);
    message.attributes.extend(attributes.iter().map(|(name, value)| (name.as_str(), *value)));
    Ok(message)
}

/// The attributes that headers carry, their names in lower case.
fn attributes(request: &Request) -> Result<Vec<(String, &str)>, Failure> {
    let mut attributes = Vec::new();
    for (name, value) in request.headers() {
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
