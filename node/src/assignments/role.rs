//! What this node is to a partition, as the metadata have it.

use raft::metadata::{NodeId, Partition, Topic};
use shard::command::{PartitionChange, PartitionSettings};
use shard_core::{
    model::{LeaderEpoch, TopicPartition},
    replication::ReplicaSet,
};

/// What a node is to a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    None,
    /// It serves the partition, and nobody else keeps it.
    Owns(LeaderEpoch),
    /// It serves the partition, and others follow.
    Leads(LeaderEpoch, ReplicaSet),
    /// It keeps what another one serves, in an incarnation of the log.
    Follows(LeaderEpoch, Option<u64>, u32),
}

impl Role {
    /// What `node` is to a partition of a topic.
    pub(super) fn of(node: NodeId, topic: &Topic, partition: &Partition) -> Self {
        let epoch = partition.leader_epoch;
        let is_kept = partition.replicas.contains(&node);
        if partition.owner != Some(node) {
            let leader = partition.owner.map(NodeId::get);
            return if is_kept { Self::Follows(epoch, leader, partition.incarnation) } else { Self::None };
        }
        let is_alone = partition.replicas.iter().all(|replica| *replica == node);
        if is_alone {
            return Self::Owns(epoch);
        }
        let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect();
        let set = ReplicaSet {
            replicas: numbers(&partition.replicas),
            isr: numbers(&partition.isr),
            elr: numbers(&partition.elr),
            partition_epoch: partition.partition_epoch,
            min_insync: topic.config.min_insync,
        };
        Self::Leads(epoch, set)
    }

    /// Whether the node serves the partition.
    pub(super) const fn serves(&self) -> bool {
        matches!(self, Self::Owns(_) | Self::Leads(..))
    }

    /// Whether a partition that is open for one role stays so for the other.
    pub(super) fn stays_open(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Owns(before), Self::Owns(after)) | (Self::Leads(before, _), Self::Leads(after, _)) => {
                before == after
            }
            (Self::Follows(..), Self::Follows(..)) => true,
            (Self::None | Self::Owns(_) | Self::Leads(..) | Self::Follows(..), _) => false,
        }
    }

    /// What has a shard let go of the role for another one; nothing if there is nothing to let go of. What a follower keeps is
    /// of no use once others keep the partition without it: it would only lie there.
    pub(super) fn end(&self, next: &Self, partition: TopicPartition) -> Option<PartitionChange> {
        match (self, next) {
            (Self::None, _) => None,
            (Self::Follows(..), Self::None) => Some(PartitionChange::Delete { partition }),
            (Self::Owns(_) | Self::Leads(..) | Self::Follows(..), _) => Some(PartitionChange::Release { partition }),
        }
    }

    /// What has a shard take the role; nothing for no role.
    pub(super) fn open(&self, partition: TopicPartition, settings: PartitionSettings) -> Option<PartitionChange> {
        match self {
            Self::None => None,
            Self::Owns(epoch) => Some(PartitionChange::Open { partition, epoch: *epoch, settings, replicas: None }),
            Self::Leads(epoch, set) => {
                Some(PartitionChange::Open { partition, epoch: *epoch, settings, replicas: Some(set.clone()) })
            }
            Self::Follows(epoch, leader, incarnation) => {
                let (epoch, leader, incarnation) = (*epoch, *leader, *incarnation);
                Some(PartitionChange::Follow { partition, epoch, leader, incarnation, settings })
            }
        }
    }

    /// What has a shard, in a role in which the partition is open, take this one.
    pub(super) fn change(&self, partition: TopicPartition) -> Option<PartitionChange> {
        match self {
            Self::None | Self::Owns(_) => None,
            Self::Leads(_, set) => Some(PartitionChange::SetReplicas { partition, replicas: set.clone() }),
            Self::Follows(epoch, leader, incarnation) => {
                let (epoch, leader, incarnation) = (*epoch, *leader, *incarnation);
                Some(PartitionChange::FollowAnother { partition, epoch, leader, incarnation })
            }
        }
    }
}
