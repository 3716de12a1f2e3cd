//! `POST /v1/subscriptions/{subscription}/pull`: leases messages, waiting for some if asked to.

use std::time::{Duration, Instant};

use gateway_api::{Code, consume::PullRequest, decode::decode, limits as api_limits};
use shard::ConsumerId;
use shard_core::model::TopicPartition;

use super::{
    cursors,
    deadline::{self, Ended},
    deliverable::{await_deliverable, pass_on},
    find_pullable,
    pull_page::{PullBounds, PullPage},
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = read_body(call.request.body())?;
    let state = context.metadata.state();
    let subscription = find_pullable(&state, call.route.name)?;
    let mut cursors = cursors(&state, subscription);
    if cursors.is_empty() {
        return Err(error::of_code(Code::SubscriptionNotFound, "the subscription's topic is gone"));
    }
    let partitions: Vec<TopicPartition> = cursors.iter().map(|cursor| cursor.partition).collect();
    let until = Instant::now() + Duration::from_millis(request.wait_ms);
    let (messages, bytes, consumer) = (request.max_messages, limits::DELIVERY_BYTES_MAX, ConsumerId::default());
    let mut page = PullPage::new(b"{\"messages\":[".to_vec(), PullBounds { messages, bytes, consumer });
    loop {
        // The first partition is another one each time, so that none is left behind.
        let turn = usize::try_from(context.core.next_turn()).unwrap_or_default();
        let first = turn.checked_rem(cursors.len()).unwrap_or_default();
        cursors.rotate_left(first);
        if call.peer.is_gone() {
            // Nothing may be leased for a client that can't get it.
            pass_on(context, &cursors);
            break;
        }
        page.fill(context, subscription.topic_name.as_str(), &cursors).await?;
        let left = until.saturating_duration_since(Instant::now());
        if page.count > 0 || left.is_zero() || context.shutdown.requested() {
            break;
        }
        let wait = await_deliverable(context, subscription.id, &partitions);
        match deadline::while_wanted(context, &call, left, wait).await {
            Ok(Ok(())) | Err(Ended::Elapsed | Ended::Stopping | Ended::Gone) => {}
            Ok(Err(unavailable)) => return Err(error::of_unavailable(&unavailable)),
        }
    }
    context.metrics.messages_consumed.add(u64::from(page.count));
    page.json.extend_from_slice(b"]}");
    Ok(Response::json(200, page.json))
}

/// The request; an empty body asks for the defaults.
fn read_body(body: &[u8]) -> Result<PullRequest, Failure> {
    let request = if body.is_empty() { PullRequest::default() } else { decode(body).map_err(error::of_decode)? };
    if request.consumer_id.is_some() {
        return Err(error::unsupported("consumer_id"));
    }
    if request.generation.is_some() {
        return Err(error::unsupported("generation"));
    }
    if !(1..=api_limits::PULL_MESSAGES_MAX).contains(&request.max_messages) {
        let detail = format!("a pull takes 1 to {} messages", api_limits::PULL_MESSAGES_MAX);
        return Err(error::invalid("max_messages", detail));
    }
    if request.wait_ms > api_limits::WAIT_MS_MAX {
        return Err(error::invalid("wait_ms", format!("a pull waits at most {}", api_limits::WAIT_MS_MAX)));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_has_bounds() {
        for (body, field) in [
            (r#"{"max_messages":0}"#, "max_messages"),
            (r#"{"max_messages":10001}"#, "max_messages"),
            (r#"{"wait_ms":60001}"#, "wait_ms"),
            (r#"{"wait_ms":-1}"#, "wait_ms"),
            (r#"{"consumer_id":"c"}"#, "consumer_id"),
            (r#"{"generation":1}"#, "generation"),
            (r#"{"max":1}"#, "max"),
        ] {
            let failure = read_body(body.as_bytes()).unwrap_err();
            assert_eq!(failure.errors.first().map(|error| error.field.as_str()), Some(field), "{body}");
        }
    }

    #[test]
    fn an_empty_body_asks_for_the_defaults() {
        assert_eq!(read_body(b"").unwrap(), PullRequest::default());
        assert_eq!(read_body(b"{}").unwrap(), PullRequest::default());
    }
}
