//! `POST /v1/subscriptions/{subscription}/pull`: leases messages, waiting for some if asked to.

use std::time::{Duration, Instant};

use gateway_api::{Code, consume::PullRequest, decode::decode, limits as api_limits};
use raft::metadata::Subscription;
use shard::{ConsumerId, PartitionSubscription};
use shard_core::model::TopicPartition;

use super::{
    append_leased,
    batch_json::Leased,
    cursors,
    deadline::{self, Ended},
    find_subscription,
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
    let subscription = find_subscription(&state, call.route.name)?;
    let mut cursors = cursors(&state, subscription);
    if cursors.is_empty() {
        return Err(error::of_code(Code::SubscriptionNotFound, "the subscription's topic is gone"));
    }
    let partitions: Vec<TopicPartition> = cursors.iter().map(|cursor| cursor.partition).collect();
    let until = Instant::now() + Duration::from_millis(request.wait_ms);
    let mut page = Page { json: b"{\"messages\":[".to_vec(), count: 0, max: request.max_messages };
    loop {
        // The first partition is another one each time, so that none is left behind.
        let turn = usize::try_from(context.core.next_turn()).unwrap_or_default();
        let first = turn.checked_rem(cursors.len()).unwrap_or_default();
        cursors.rotate_left(first);
        if call.peer.is_gone() {
            break;
        }
        page.fill(context, subscription, &cursors).await?;
        let left = until.saturating_duration_since(Instant::now());
        if page.count > 0 || left.is_zero() || context.shutdown.requested() {
            break;
        }
        let wait = context.shards.await_deliverable(subscription.id, &partitions);
        match deadline::while_wanted(context, &call, left, wait).await {
            Ok(Ok(())) | Err(Ended::Elapsed | Ended::Stopping) => {}
            Ok(Err(unavailable)) => return Err(error::of_unavailable(&unavailable)),
            // Nothing may be leased for a client that can't get it.
            Err(Ended::Gone) => break,
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

/// What a pull has so far.
struct Page {
    json: Vec<u8>,
    count: u32,
    max: u32,
}

impl Page {
    /// Pulls from one partition after the other until the page is full.
    ///
    /// A partition that fails is an answer of its own only if none gave a message: what is leased must be delivered.
    async fn fill(
        &mut self,
        context: &Context,
        subscription: &Subscription,
        cursors: &[PartitionSubscription],
    ) -> Result<(), Failure> {
        let mut failed = None;
        for cursor in cursors {
            let bytes_left = limits::DELIVERY_BYTES_MAX.saturating_sub(self.json.len());
            if self.count >= self.max || bytes_left == 0 {
                break;
            }
            if let Err(failure) = self.pull(context, subscription, *cursor, bytes_left).await {
                failed = failed.or(Some(failure));
            }
        }
        match failed {
            Some(failure) if self.count == 0 => Err(failure),
            Some(_) | None => Ok(()),
        }
    }

    async fn pull(
        &mut self,
        context: &Context,
        subscription: &Subscription,
        cursor: PartitionSubscription,
        bytes_max: usize,
    ) -> Result<(), Failure> {
        let messages_max = self.max - self.count;
        let consumer = ConsumerId::default();
        let request = shard::PullRequest { messages_max, bytes_max, ack_deadline: None, consumer };
        let pulled = context.shards.pull(cursor, request).await.map_err(|error| error::of_subscription(&error))?;
        let leased = Leased { topic: subscription.topic_name.as_str(), cursor, pulled: &pulled };
        let before = self.json.len();
        let appended = append_leased(&mut self.json, &leased);
        let count = appended.map_err(|error| {
            self.json.truncate(before);
            error::of_code(Code::DataCorrupt, format!("partition {}: {error}", cursor.partition))
        })?;
        self.count += u32::try_from(count).unwrap_or(u32::MAX);
        Ok(())
    }
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
