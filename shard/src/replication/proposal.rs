//! What a leader wants the metadata to say; the control thread proposes it.

use std::{num::NonZeroU64, time::Duration};

use futures_channel::oneshot;
use shard_core::{
    model::{LeaderEpoch, TopicPartition},
    replication::{NodeRun, ProposalEnd},
};

use super::ReplicaFault;

/// How a shard takes part in keeping partitions on several nodes.
#[derive(Clone, Debug)]
pub struct ReplicationConfig {
    /// This run of this node.
    pub run: NodeRun,
    /// Where leaders say who is in sync.
    pub proposals: flume::Sender<IsrProposal>,
    /// Where shards say which replicas of theirs can't be counted on.
    pub faults: flume::Sender<ReplicaFault>,
    /// A follower that has not come up with the log for so long is no longer in sync.
    pub lag_max: Duration,
    /// How many bytes a second this core sends replicas that are not in sync; none for as many as it can.
    pub catch_up_rate: Option<NonZeroU64>,
}

/// A leader has found who is in sync. If it is made so, the shard hears of it as of any change of the metadata.
#[derive(Debug)]
pub struct IsrProposal {
    /// The partition.
    pub partition: TopicPartition,
    /// The epoch of its leader.
    pub leader_epoch: LeaderEpoch,
    /// The epoch of its sets that the change starts from.
    pub partition_epoch: u32,
    /// Those in sync.
    pub isr: Vec<u64>,
    /// Which runs are meant of those that were not in sync.
    pub joining: Vec<NodeRun>,
    /// Told if it is not made so; dropped without a word if it is, or may be.
    pub answer: oneshot::Sender<ProposalEnd>,
}
