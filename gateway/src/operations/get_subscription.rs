//! `GET /v1/subscriptions/{subscription}`: a subscription with its configuration and how far it has read.

use futures_util::{StreamExt, TryStreamExt, stream};
use gateway_api::{
    Code,
    subscriptions::{self as api, PartitionCursor},
};
use raft::metadata::{ClusterState, Subscription};
use shard::{CursorStatus, PartitionSubscription};

use super::{cursors, deadline, find_subscription, json, preconditions, push_config, subscription_config};
use crate::{
    call::Call,
    context::Context,
    core_state,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    answer(context, &state, subscription, 200).await
}

/// The subscription as an answer, with its entity tag.
pub(super) async fn answer(
    context: &Context,
    state: &ClusterState,
    subscription: &Subscription,
    status: u16,
) -> Result<Response, Failure> {
    let statuses = statuses(context, &cursors(state, subscription)).await?;
    let mut body = describe(subscription, &statuses, core_state::now_millis());
    if let Some(push) = &mut body.config.push {
        push.status = Some(push_config::status(push, context.push.status(subscription.id).as_deref()));
    }
    Ok(json(status, &body)?.with_header("etag", preconditions::etag(subscription.revision)))
}

/// A subscription's cursor on each partition.
pub(super) async fn statuses(
    context: &Context,
    cursors: &[PartitionSubscription],
) -> Result<Vec<(u32, CursorStatus)>, Failure> {
    stream::iter(cursors.iter().copied())
        .map(|cursor| async move {
            let asked = deadline::within(limits::OPERATION_TIMEOUT, context.shards.cursor_status(cursor)).await;
            let late = || error::of_code(Code::StoreUnavailable, "a partition gave no answer in time");
            let status = asked.ok_or_else(late)?.map_err(|error| error::of_subscription(&error))?;
            Ok((cursor.partition.partition.get(), status))
        })
        .buffered(limits::STATUS_REQUESTS_MAX)
        .try_collect()
        .await
}

/// The cursors as clients see them.
pub(super) fn partition_cursors(statuses: &[(u32, CursorStatus)]) -> Vec<PartitionCursor> {
    let cursor = |(partition, status): &(u32, CursorStatus)| PartitionCursor {
        partition: *partition,
        ack_floor: status.ack_floor.get(),
        backlog: status.backlog,
        leased: status.leased,
        consumer_id: None,
    };
    statuses.iter().map(cursor).collect()
}

fn describe(subscription: &Subscription, statuses: &[(u32, CursorStatus)], now_millis: u64) -> api::Subscription {
    let sum = |of: fn(&CursorStatus) -> u64| statuses.iter().map(|(_, status)| of(status)).sum();
    let oldest = statuses.iter().filter_map(|(_, status)| status.oldest_unacked).min();
    let age = |oldest: i64| now_millis.saturating_sub(u64::try_from(oldest).unwrap_or_default());
    api::Subscription {
        name: subscription.name.as_str().to_owned(),
        config: subscription_config::to_api(subscription),
        backlog: sum(|status| status.backlog),
        leased: sum(|status| status.leased),
        oldest_unacked_ms: oldest.map(|oldest| age(oldest.as_millis())),
        redeliveries: sum(|status| status.redeliveries),
        dead_letters: 0,
        generation: 0,
        consumers: Vec::new(),
        cursors: partition_cursors(statuses),
    }
}

#[cfg(test)]
mod tests {
    use raft::metadata::SubscriptionConfig;
    use shard_core::model::{Offset, SubscriptionId, SubscriptionName, Timestamp, TopicId, TopicName};

    use super::*;

    #[test]
    fn the_partitions_add_up() {
        let subscription = Subscription {
            id: SubscriptionId::new(2),
            name: SubscriptionName::new("s").unwrap(),
            topic: TopicId::new(1),
            topic_name: TopicName::new("t").unwrap(),
            config: SubscriptionConfig::default(),
            revision: 1,
            created_at: Timestamp::default(),
        };
        let status = |backlog, oldest: Option<i64>| CursorStatus {
            ack_floor: Offset::new(backlog * 2),
            backlog,
            leased: 1,
            oldest_unacked: oldest.map(Timestamp::from_millis),
            redeliveries: 3,
        };
        let statuses = [(0, status(5, Some(900))), (1, status(0, None)), (2, status(7, Some(400)))];
        let described = describe(&subscription, &statuses, 1_000);
        assert_eq!((described.backlog, described.leased, described.redeliveries), (12, 3, 9));
        assert_eq!(described.oldest_unacked_ms, Some(600));
        assert_eq!(described.cursors[2].ack_floor, 14);
        assert_eq!(describe(&subscription, &[], 1_000).oldest_unacked_ms, None);
        assert_eq!(describe(&subscription, &statuses, 10).oldest_unacked_ms, Some(0), "a clock that went back");
    }
}
