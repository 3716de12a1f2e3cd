//! Why a partition can't serve at all.

use crate::model::TopicPartition;

/// Why a partition can't serve a request at all; nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PartitionUnavailable {
    #[error("no partition {0} is on this node")]
    NotHere(TopicPartition),
    /// The one it had is gone, and none has taken its place yet.
    #[error("no node owns partition {0} now")]
    NoOwner(TopicPartition),
    /// It may be back soon, or another node takes its partitions over.
    #[error("node {node}, which owns the partition, can't be asked: {reason}")]
    PeerAway { node: u64, reason: String },
    #[error("partition {partition} is closed: {reason}")]
    Closed { partition: TopicPartition, reason: String },
    /// It will be served again by itself once the store is back.
    #[error("partition {partition} waits for its store: {reason}")]
    StoreAway { partition: TopicPartition, reason: String },
    #[error("the queue of the partition's core is full")]
    Overloaded,
    #[error("the node is stopping")]
    Stopping,
    /// It takes messages again once more replicas are in sync.
    #[error("partition {partition} has {insync} replicas in sync, {needed} are needed")]
    NotEnoughReplicas { partition: TopicPartition, insync: u32, needed: u32 },
}
