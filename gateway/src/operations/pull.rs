//! `POST /v1/subscriptions/{subscription}/pull`: leases messages, waiting for some if asked to.

use std::time::{Duration, Instant, SystemTime};

use futures_lite::future;
use gateway_api::{Code, consume::PullRequest, decode::decode, limits as api_limits};
use raft::GroupError;
use shard::{ConsumerId, PartitionSubscription};
use shard_core::model::{SubscriptionId, TopicPartition};

use super::{
    accept, check_room,
    consumers::{KnownConsumer, StatedConsumer, within_reach},
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
    json_write, limits,
    traces::Delivered,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = read_body(call.request.body())?;
    let state = context.metadata.state();
    let subscription = find_pullable(&state, call.route.name)?;
    let consumer = stated(&request).find(&state, subscription)?;
    let mut cursors = within_reach(&state, subscription, consumer)?;
    if cursors.is_empty() && consumer.is_none() {
        return Err(error::of_code(Code::SubscriptionNotFound, "the subscription's topic is gone"));
    }
    let wait = Wait { context, call: &call, subscription: subscription.id, consumer };
    let until = Instant::now() + Duration::from_millis(request.wait_ms);
    let bounds = PullBounds {
        messages: request.max_messages,
        bytes: context.core.outputs().portion(limits::DELIVERY_BYTES_MAX),
        consumer: ConsumerId::default(),
        claim: consumer.map(|consumer| consumer.claim),
        form: accept::message_form(call.request),
    };
    let mut page = PullPage::new(b"{\"messages\":[".to_vec(), bounds);
    let mut since = SystemTime::now();
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
        let turn = context.core.read_turns().take(bounds.bytes).await;
        check_room(context)?;
        since = SystemTime::now();
        page.fill(context, subscription.topic_name.as_str(), &cursors).await?;
        drop(turn);
        let left = until.saturating_duration_since(Instant::now());
        if page.count > 0 || left.is_zero() || context.shutdown.requested() {
            break;
        }
        if wait.run(left, &cursors).await? == Woken::Reassigned {
            break;
        }
    }
    context.metrics.messages_consumed.add(u64::from(page.count));
    if page.count > 0 {
        let delivered = Delivered { subscription, count: page.count, traced: &page.traced, since, request: call.trace };
        delivered.record(context);
    }
    page.json.push(b']');
    if consumer.is_some()
        && let Some(group) = context.metadata.state().group(subscription.id)
    {
        page.json.extend_from_slice(b",\"generation\":");
        json_write::number(&mut page.json, group.generation());
    }
    page.json.push(b'}');
    Ok(Response::json(200, page.json))
}

/// A pull that has found nothing yet.
struct Wait<'a> {
    context: &'a Context,
    call: &'a Call<'a>,
    subscription: SubscriptionId,
    consumer: Option<KnownConsumer<'a>>,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// There may be messages, or the time is up.
    Look,
    /// The partitions were assigned anew: the consumer should know.
    Reassigned,
}

impl Wait<'_> {
    /// Waits for messages, and where partitions are assigned for a new generation as well.
    async fn run(&self, left: Duration, cursors: &[PartitionSubscription]) -> Result<Woken, Failure> {
        let partitions: Vec<TopicPartition> = cursors.iter().map(|cursor| cursor.partition).collect();
        let deliverable = async {
            if partitions.is_empty() {
                // A consumer without partitions waits for some.
                return future::pending().await;
            }
            let waited = await_deliverable(self.context, self.subscription, &partitions).await;
            waited.map(|()| Woken::Look)
        };
        let woken = future::or(deliverable, async {
            self.reassigned().await;
            Ok(Woken::Reassigned)
        });
        match deadline::while_wanted(self.context, self.call, left, woken).await {
            Ok(Ok(woken)) => Ok(woken),
            Ok(Err(unavailable)) => Err(error::of_unavailable(&unavailable)),
            Err(Ended::Elapsed | Ended::Stopping | Ended::Gone) => Ok(Woken::Look),
        }
    }

    /// Ends when there is a newer generation, or the consumer is no member any more.
    async fn reassigned(&self) {
        let Some(KnownConsumer { consumer_id, newest, .. }) = self.consumer else { return future::pending().await };
        if self.context.groups.changed(self.subscription, consumer_id, newest).await == Err(GroupError::Overloaded) {
            // Ending the pull would only make more of them.
            future::pending::<()>().await;
        }
    }
}

fn stated(request: &PullRequest) -> StatedConsumer<'_> {
    StatedConsumer { consumer_id: request.consumer_id.as_deref(), generation: request.generation }
}

/// The request; an empty body asks for the defaults.
fn read_body(body: &[u8]) -> Result<PullRequest, Failure> {
    let request = if body.is_empty() { PullRequest::default() } else { decode(body).map_err(error::of_decode)? };
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
