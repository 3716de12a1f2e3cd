//! Changes of where partitions lie, and why one of them is refused.

use serde::{Deserialize, Serialize};
use shard_core::model::{LeaderEpoch, TopicId};

use super::{NodeId, wire};

/// One change of one partition: it holds only while the partition is of both epochs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTransition {
    /// The topic.
    #[serde(with = "wire::topic_id")]
    pub topic: TopicId,
    /// The partition's number.
    pub partition: u32,
    /// The epoch of its owner that the change starts from.
    #[serde(with = "wire::leader_epoch")]
    pub leader_epoch: LeaderEpoch,
    /// The epoch of its sets that the change starts from.
    pub partition_epoch: u32,
    /// What it becomes.
    pub to: PartitionTarget,
}

/// What a partition becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionTarget {
    /// Another node owns it. Where messages lie with their owner, that must be one which holds all that was acknowledged;
    /// and it may be the same as before, which has to open it again and does so in a new epoch.
    Owner(NodeId),
    /// Other nodes keep it; only where messages lie with their owner.
    Replicas {
        /// The nodes that keep it, the preferred owner first.
        replicas: Vec<NodeId>,
        /// Those in sync.
        isr: Vec<NodeId>,
        /// Those that left the ISR but hold all that was acknowledged.
        elr: Vec<NodeId>,
        /// The one that owns it.
        owner: NodeId,
    },
    /// Its owner says who is in sync; only where messages lie with their owner.
    InSync {
        /// Those in sync, the owner among them.
        isr: Vec<NodeId>,
        /// Which runs are meant of those that were not in sync: each holds all that was acknowledged, unless it has started
        /// again since (KIP-903).
        joining: Vec<NodeRun>,
    },
    /// A node that may lack what was acknowledged owns it with what it has: an operator gives up the rest, as no node lives
    /// that holds it. Only where messages lie with their owner.
    Unclean(NodeId),
    /// A node is not counted on to have it any more, as its disk has failed or has lost something: it is neither in sync nor
    /// eligible, and if it owned it, another one that lives and holds all that was acknowledged owns it, in a new epoch. Only
    /// where messages lie with their owner, and only if somebody else holds all that.
    Without(NodeId),
}

/// A run of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRun {
    /// The node.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u64,
}

/// A change that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedTransition {
    /// The topic.
    #[serde(with = "wire::topic_id")]
    pub topic: TopicId,
    /// The partition's number.
    pub partition: u32,
    /// Why.
    pub reason: TransitionRefusal,
}

/// Why a partition was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum TransitionRefusal {
    #[error("there is no such partition")]
    PartitionNotFound,
    #[error("it has changed meanwhile: it is of epochs {leader_epoch} and {partition_epoch}")]
    Stale {
        #[serde(with = "wire::leader_epoch")]
        leader_epoch: LeaderEpoch,
        partition_epoch: u32,
    },
    #[error("node {node} is not there, or is fenced")]
    NodeNotLive { node: NodeId },
    #[error("node {node} may lack what was acknowledged")]
    NotInSync { node: NodeId },
    #[error("node {node} has started again since: it is of epoch {epoch}")]
    StaleRun { node: NodeId, epoch: u64 },
    #[error("its replicas contradict themselves")]
    InvalidReplicas,
    #[error("its messages lie where every node reaches them: it has no replicas to choose")]
    SharedStore,
    #[error("it is so already")]
    Unchanged,
    #[error("node {node} does not keep it")]
    NotReplica { node: NodeId },
    #[error("node {node} lives and holds all that was acknowledged")]
    StillHeld { node: NodeId },
    #[error("nobody but node {node} could take it over and holds all that was acknowledged")]
    NobodyElse { node: NodeId },
}

/// A partition whose messages were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPartition {
    /// The topic.
    #[serde(with = "wire::topic_id")]
    pub topic: TopicId,
    /// The partition's number.
    pub partition: u32,
}
