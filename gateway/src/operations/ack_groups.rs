//! Ack ids by partition: what each partition is asked, and which ids can't be of this subscription at all.

use std::collections::BTreeMap;

use gateway_api::CowStr;
use raft::metadata::{Subscription, Topic};
use shard::{LeaseId, PartitionSubscription};
use shard_core::model::Offset;

use crate::ack_id::AckId;

/// The ack ids of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AckGroups {
    /// What is asked of each partition.
    pub(super) groups: Vec<AckGroup>,
    /// Places, in the request, of ids that are none of this subscription.
    pub(super) foreign: Vec<usize>,
}

/// The ack ids of one partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AckGroup {
    /// The partition.
    pub(super) cursor: PartitionSubscription,
    /// The leases, in the order of the request.
    pub(super) leases: Vec<(Offset, LeaseId)>,
    /// The place of each in the request.
    pub(super) places: Vec<usize>,
}

impl AckGroups {
    /// Sorts ids by partition.
    pub(super) fn of(ids: &[CowStr<'_>], subscription: &Subscription, topic: &Topic) -> Self {
        let mut groups: BTreeMap<PartitionSubscription, AckGroup> = BTreeMap::new();
        let mut foreign = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            let Some(ack_id) = AckId::decode(id).filter(|ack_id| is_of(ack_id, subscription, topic)) else {
                foreign.push(place);
                continue;
            };
            let empty = || AckGroup { cursor: ack_id.cursor, leases: Vec::new(), places: Vec::new() };
            let group = groups.entry(ack_id.cursor).or_insert_with(empty);
            group.leases.push((ack_id.offset, ack_id.lease));
            group.places.push(place);
        }
        Self { groups: groups.into_values().collect(), foreign }
    }
}

fn is_of(ack_id: &AckId, subscription: &Subscription, topic: &Topic) -> bool {
    let AckId { cursor, .. } = ack_id;
    cursor.subscription == subscription.id
        && cursor.partition.topic == topic.id
        && topic.partition(cursor.partition.partition).is_some()
}

#[cfg(test)]
mod tests {
    use raft::metadata::{Partition, SubscriptionConfig, TopicConfig};
    use shard_core::model::{
        LeaderEpoch, PartitionIndex, SubscriptionId, SubscriptionName, Timestamp, TopicId, TopicName, TopicPartition,
    };

    use super::*;

    fn topic(partitions: usize) -> Topic {
        let partition = Partition {
            owner: None,
            leader_epoch: LeaderEpoch::new(1),
            partition_epoch: 1,
            replicas: Vec::new(),
            isr: Vec::new(),
            elr: Vec::new(),
            incarnation: 0,
        };
        Topic {
            id: TopicId::new(1),
            name: TopicName::new("t").unwrap(),
            config: TopicConfig::default(),
            partitions: vec![partition; partitions],
            revision: 1,
            created_at: Timestamp::default(),
        }
    }

    fn subscription() -> Subscription {
        Subscription {
            id: SubscriptionId::new(2),
            name: SubscriptionName::new("s").unwrap(),
            topic: TopicId::new(1),
            topic_name: TopicName::new("t").unwrap(),
            config: SubscriptionConfig::default(),
            revision: 1,
            created_at: Timestamp::default(),
        }
    }

    fn ack_id((subscription, topic, partition): (u64, u64, u32), offset: u64) -> CowStr<'static> {
        let partition = TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition));
        let id = AckId {
            cursor: PartitionSubscription { partition, subscription: SubscriptionId::new(subscription) },
            offset: Offset::new(offset),
            lease: LeaseId { sequence: 1, tag: 2 },
        };
        CowStr::from(String::from_utf8(id.encode().to_vec()).unwrap())
    }

    #[test]
    fn ids_are_grouped_by_partition_and_keep_their_places() {
        let ids = [ack_id((2, 1, 1), 5), ack_id((2, 1, 0), 6), ack_id((2, 1, 1), 4)];
        let groups = AckGroups::of(&ids, &subscription(), &topic(2));
        let found: Vec<_> = groups
            .groups
            .iter()
            .map(|group| {
                let offsets: Vec<_> = group.leases.iter().map(|(offset, _)| offset.get()).collect();
                (group.cursor.partition.partition.get(), offsets, group.places.clone())
            })
            .collect();
        assert_eq!(found, [(0, vec![6], vec![1]), (1, vec![5, 4], vec![0, 2])]);
        assert!(groups.foreign.is_empty());
    }

    #[test]
    fn ids_of_others_reach_no_partition() {
        let ids = [
            CowStr::from("made up"),
            ack_id((3, 1, 0), 1),
            ack_id((2, 9, 0), 1),
            ack_id((2, 1, 2), 1),
            ack_id((2, 1, 1), 1),
        ];
        let groups = AckGroups::of(&ids, &subscription(), &topic(2));
        assert_eq!(groups.foreign, [0, 1, 2, 3]);
        assert_eq!(groups.groups.len(), 1);
    }
}
