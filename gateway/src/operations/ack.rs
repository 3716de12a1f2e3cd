//! `POST /v1/subscriptions/{subscription}/ack`: messages that are done, by ack id or all up to an offset.

use gateway_api::{Code, consume::AckRequest, consume::AckResponse, decode::decode};
use raft::metadata::{ClusterState, Subscription};
use shard::{AckAction, Claim, PartitionSubscription};
use shard_core::model::Offset;

use super::{acknowledge, consumers::StatedConsumer, deadline, find_subscription, json, resources::partition_of};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request: AckRequest<'_> = decode(call.request.body()).map_err(error::of_decode)?;
    let way = Way::of(&request)?;
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let response = match way {
        Way::Ids => {
            let report = acknowledge(context, &state, subscription, AckAction::Ack, &request.ack_ids).await?;
            report.into_response(&request.ack_ids)
        }
        Way::UpTo { partition, offset } => {
            let consumer = stated(&request).find(&state, subscription)?;
            let claim = consumer.map(|consumer| consumer.claim);
            ack_up_to(context, (&state, subscription), partition, (offset, claim)).await?;
            AckResponse { succeeded: 1, failed: Vec::new() }
        }
    };
    json(200, &response)
}

/// How a request says what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Ids,
    UpTo { partition: u32, offset: Offset },
}

impl Way {
    fn of(request: &AckRequest<'_>) -> Result<Self, Failure> {
        if request.up_to_offset.is_none() {
            stated(request).expect_nobody::<()>("an ack id says by itself whose it is; up_to_offset needs it")?;
        }
        match (request.partition, request.up_to_offset) {
            (None, None) if request.ack_ids.is_empty() => {
                Err(error::invalid("ack_ids", "a request has ack_ids, or partition with up_to_offset"))
            }
            (None, None) => Ok(Self::Ids),
            (Some(_), Some(_)) if !request.ack_ids.is_empty() => {
                Err(error::invalid("up_to_offset", "a request has ack_ids or up_to_offset, not both"))
            }
            (Some(partition), Some(offset)) => Ok(Self::UpTo { partition, offset: Offset::new(offset) }),
            (Some(_), None) => Err(error::invalid("up_to_offset", "partition needs it")),
            (None, Some(_)) => Err(error::invalid("partition", "up_to_offset needs it")),
        }
    }
}

fn stated<'a>(request: &'a AckRequest<'_>) -> StatedConsumer<'a> {
    StatedConsumer { consumer_id: request.consumer_id.as_deref(), generation: request.generation }
}

async fn ack_up_to(
    context: &Context,
    (state, subscription): (&ClusterState, &Subscription),
    partition: u32,
    (offset, claim): (Offset, Option<Claim>),
) -> Result<(), Failure> {
    let topic = state.topic_by_id(subscription.topic);
    let partition = topic.and_then(|topic| partition_of(topic, partition));
    let partition = partition.ok_or_else(|| error::invalid("partition", "the topic has no such partition"))?;
    let cursor = PartitionSubscription { partition, subscription: subscription.id };
    match deadline::within(limits::OPERATION_TIMEOUT, context.shards.ack_up_to(cursor, offset, claim)).await {
        Some(acked) => acked.map_err(|error| error::of_subscription(&error)),
        None => Err(error::of_code(Code::Timeout, "the partition gave no answer in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(body: &str) -> Result<Way, Failure> {
        Way::of(&decode(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_request_says_it_in_one_way() {
        assert_eq!(way(r#"{"ack_ids":["a"]}"#), Ok(Way::Ids));
        let up_to = Way::UpTo { partition: 1, offset: Offset::new(2) };
        assert_eq!(way(r#"{"partition":1,"up_to_offset":2}"#), Ok(up_to));
        for (body, field) in [
            ("{}", "ack_ids"),
            (r#"{"ack_ids":[]}"#, "ack_ids"),
            (r#"{"partition":1}"#, "up_to_offset"),
            (r#"{"up_to_offset":1}"#, "partition"),
            (r#"{"ack_ids":["a"],"partition":1,"up_to_offset":2}"#, "up_to_offset"),
            (r#"{"ack_ids":["a"],"consumer_id":"c"}"#, "consumer_id"),
            (r#"{"ack_ids":["a"],"generation":1}"#, "generation"),
        ] {
            assert_eq!(way(body).unwrap_err().errors[0].field, field, "{body}");
        }
    }
}
