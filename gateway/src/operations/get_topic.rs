//! `GET /v1/topics/{topic}`: a topic with its configuration and where its partitions are.

use futures_util::{StreamExt, stream};
use gateway_api::topics::{self as api, Owner, PartitionLayout, PartitionState};
use raft::{
    controller::can_be_led,
    metadata::{NodeId, Partition, Topic},
};
use shard::{PartitionStatus, PartitionUnavailable};

use super::{deadline, find_topic, json, preconditions, topic_config};
use crate::{call::Call, context::Context, error::Failure, http::response::Response, limits};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    if let Some(known) = preconditions::not_modified(call.request, &preconditions::etag(topic.revision)) {
        return Ok(known);
    }
    answer(context, topic, 200).await
}

/// The topic as an answer, with its entity tag.
pub(super) async fn answer(context: &Context, topic: &Topic, status: u16) -> Result<Response, Failure> {
    let name = topic.name.as_str().to_owned();
    let mut layout = layout(context, topic).await;
    let state = context.metadata.state();
    for (shown, partition) in layout.iter_mut().zip(&topic.partitions) {
        if !can_be_led(&state, partition) {
            shown.state = PartitionState::Offline;
        }
    }
    let body = api::Topic { name, config: topic_config::to_api(&topic.config), layout };
    Ok(json(status, &body)?.with_header("etag", preconditions::etag(topic.revision)))
}

async fn layout(context: &Context, topic: &Topic) -> Vec<PartitionLayout> {
    stream::iter(topic.placed_partitions())
        .map(|(named, partition)| async move {
            let asked = deadline::within(limits::OPERATION_TIMEOUT, context.shards.status(named)).await;
            let status = asked.unwrap_or(Err(PartitionUnavailable::Overloaded));
            partition_layout(named.partition.get(), partition, status.ok().as_ref())
        })
        .buffered(limits::STATUS_REQUESTS_MAX)
        .collect()
        .await
}

/// A partition that doesn't answer is offline: nothing is known of its offsets.
fn partition_layout(index: u32, partition: &Partition, status: Option<&PartitionStatus>) -> PartitionLayout {
    let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect();
    let shard = status.map(|status| u32::try_from(status.shard).unwrap_or(u32::MAX));
    let owner = partition.owner.zip(shard).map(|(node, shard)| Owner { node: node.get(), shard });
    let offset = |offset: fn(&PartitionStatus) -> u64| status.map_or(0, offset);
    PartitionLayout {
        partition: index,
        owner,
        leader_epoch: partition.leader_epoch.get(),
        replicas: numbers(&partition.replicas),
        isr: numbers(&partition.isr),
        elr: numbers(&partition.elr),
        incarnation: partition.incarnation,
        followers: status.map(followers).unwrap_or_default(),
        start_offset: offset(|status| status.start_offset.get()),
        high_watermark: offset(|status| status.high_watermark.get()),
        end_offset: offset(|status| status.end_offset.get()),
        bytes: offset(|status| status.bytes),
        state: match status {
            None => PartitionState::Offline,
            Some(status) if status.closed.is_some() => PartitionState::Closed,
            Some(_) => PartitionState::Open,
        },
    }
}

fn followers(status: &PartitionStatus) -> Vec<api::FollowerLag> {
    let followers = status.followers.iter().map(|lag| api::FollowerLag {
        node: lag.node,
        lag_messages: lag.messages,
        lag_ms: u64::try_from(lag.behind.as_millis()).unwrap_or(u64::MAX),
    });
    followers.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shard::FollowerLag;
    use shard_core::model::{LeaderEpoch, Offset};

    use super::*;

    fn partition() -> Partition {
        let node = NodeId::new(7);
        Partition {
            owner: Some(node),
            leader_epoch: LeaderEpoch::new(2),
            partition_epoch: 1,
            replicas: vec![node],
            isr: vec![node],
            elr: vec![NodeId::new(8)],
            incarnation: 4,
        }
    }

    #[test]
    fn a_partition_shows_its_owner_and_its_offsets() {
        let mut status = PartitionStatus {
            shard: 1,
            leader_epoch: LeaderEpoch::new(2),
            start_offset: Offset::new(3),
            high_watermark: Offset::new(4),
            end_offset: Offset::new(5),
            bytes: 6,
            followers: vec![FollowerLag { node: 8, messages: 2, behind: Duration::from_millis(1_500) }],
            closed: None,
        };
        let layout = partition_layout(0, &partition(), Some(&status));
        assert_eq!(layout.owner, Some(Owner { node: 7, shard: 1 }));
        assert_eq!((layout.start_offset, layout.high_watermark, layout.end_offset, layout.bytes), (3, 4, 5, 6));
        assert_eq!(layout.followers, [api::FollowerLag { node: 8, lag_messages: 2, lag_ms: 1_500 }]);
        assert_eq!(layout.state, PartitionState::Open);
        status.closed = Some("damage".to_owned());
        assert_eq!(partition_layout(0, &partition(), Some(&status)).state, PartitionState::Closed);
    }

    #[test]
    fn a_partition_that_does_not_answer_is_offline() {
        let layout = partition_layout(3, &partition(), None);
        assert_eq!((layout.partition, layout.owner, layout.state), (3, None, PartitionState::Offline));
        assert_eq!((layout.replicas, layout.isr, layout.elr, layout.incarnation), (vec![7], vec![7], vec![8], 4));
    }
}
