//! `GET /v1/subscriptions/{subscription}`: a subscription with its configuration and how far it has read.

use futures_util::{StreamExt, TryStreamExt, stream};
use gateway_api::{
    Code,
    subscriptions::{self as api, PartitionCursor},
};
use raft::{
    MemberStatus,
    metadata::{ClusterState, Group, Subscription},
};
use shard::{CursorStatus, PartitionSubscription};
use shard_core::model::{PartitionIndex, SubscriptionId, Timestamp};

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
    if let Some(known) = preconditions::not_modified(call.request, &preconditions::etag(subscription.revision)) {
        return Ok(known);
    }
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
    let group = state.group(subscription.id).map(|group| &**group);
    let consumers = match group {
        Some(_) => members(context, subscription.id).await?,
        None => Vec::new(),
    };
    let now_millis = core_state::now_millis();
    let mut body = api::Subscription {
        consumers: consumers.into_iter().map(|member| consumer(context, member, now_millis)).collect(),
        ..describe(subscription, group, &statuses, now_millis)
    };
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
pub(super) fn partition_cursors(
    group: Option<&Group>,
    statuses: &[(u32, CursorStatus)],
    now_millis: u64,
) -> Vec<PartitionCursor> {
    let owner = |partition: u32| {
        let (member, _) = group?.assignment(PartitionIndex::new(partition))?;
        Some(group?.member_by_id(member)?.consumer_id.to_string())
    };
    let cursor = |(partition, status): &(u32, CursorStatus)| PartitionCursor {
        partition: *partition,
        ack_floor: status.ack_floor.get(),
        backlog: status.backlog,
        leased: status.leased,
        oldest_unacked_ms: status.oldest_unacked.map(|oldest| age(oldest, now_millis)),
        redeliveries: status.redeliveries,
        dead_letters: status.dead_lettered,
        consumer_id: owner(*partition),
    };
    statuses.iter().map(cursor).collect()
}

/// The members of a group, with what their coordinator knows of them.
async fn members(context: &Context, subscription: SubscriptionId) -> Result<Vec<MemberStatus>, Failure> {
    match deadline::within(limits::OPERATION_TIMEOUT, context.groups.members(subscription)).await {
        Some(members) => members.map_err(|error| error::of_group(&error)),
        None => Err(error::of_code(Code::Overloaded, "the group gave no answer in time")),
    }
}

fn consumer(context: &Context, member: MemberStatus, now_millis: u64) -> api::Consumer {
    let silent_ms = u64::try_from(member.silent_for.as_millis()).unwrap_or(u64::MAX);
    let heard_ms = i64::try_from(now_millis.saturating_sub(silent_ms)).unwrap_or(i64::MAX);
    api::Consumer {
        consumer_id: member.consumer_id,
        node: context.config.node_id,
        partitions: member.partitions.iter().map(|partition| partition.get()).collect(),
        last_heartbeat: gateway_api::Timestamp::from_unix_ms(heard_ms),
    }
}

/// All but the consumers.
fn describe(
    subscription: &Subscription,
    group: Option<&Group>,
    statuses: &[(u32, CursorStatus)],
    now_millis: u64,
) -> api::Subscription {
    let sum = |of: fn(&CursorStatus) -> u64| statuses.iter().map(|(_, status)| of(status)).sum();
    let oldest = statuses.iter().filter_map(|(_, status)| status.oldest_unacked).min();
    api::Subscription {
        name: subscription.name.as_str().to_owned(),
        config: subscription_config::to_api(subscription),
        backlog: sum(|status| status.backlog),
        leased: sum(|status| status.leased),
        oldest_unacked_ms: oldest.map(|oldest| age(oldest, now_millis)),
        redeliveries: sum(|status| status.redeliveries),
        dead_letters: sum(|status| status.dead_lettered),
        expired: sum(|status| status.expired),
        filtered: sum(|status| status.filtered),
        generation: group.map(Group::generation).unwrap_or_default(),
        consumers: Vec::new(),
        cursors: partition_cursors(group, statuses, now_millis),
    }
}

fn age(since: Timestamp, now_millis: u64) -> u64 {
    now_millis.saturating_sub(u64::try_from(since.as_millis()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use raft::metadata::SubscriptionConfig;
    use shard_core::model::{Offset, SubscriptionName, TopicId, TopicName};

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
            dead_lettered: 1,
            expired: 2,
            filtered: 4,
        };
        let statuses = [(0, status(5, Some(900))), (1, status(0, None)), (2, status(7, Some(400)))];
        let described = describe(&subscription, None, &statuses, 1_000);
        assert_eq!((described.backlog, described.leased, described.redeliveries), (12, 3, 9));
        assert_eq!((described.dead_letters, described.expired, described.filtered), (3, 6, 12));
        assert_eq!(described.oldest_unacked_ms, Some(600));
        assert_eq!(described.cursors[0].oldest_unacked_ms, Some(100));
        assert_eq!(described.cursors[2].ack_floor, 14);
        assert_eq!(describe(&subscription, None, &[], 1_000).oldest_unacked_ms, None);
        assert_eq!(describe(&subscription, None, &statuses, 10).oldest_unacked_ms, Some(0), "a clock that went back");
    }
}
