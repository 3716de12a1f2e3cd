//! A topic and its partitions, as the cluster knows them.

use serde::{Deserialize, Serialize};
use shard_core::model::{LeaderEpoch, PartitionIndex, Timestamp, TopicId, TopicName, TopicPartition};

use super::{NodeId, TopicConfig, catalog::Entry, wire};

/// A topic. It is never changed in place: a change makes a new one under the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Identifies it for ever.
    #[serde(with = "wire::topic_id")]
    pub id: TopicId,
    /// What clients call it.
    #[serde(with = "wire::topic_name")]
    pub name: TopicName,
    /// What its owner chose.
    pub config: TopicConfig,
    /// Its partitions; a partition's number is its place.
    pub partitions: Vec<Partition>,
    /// Rises with each change of the configuration, and is never the same twice in a cluster.
    pub revision: u64,
    /// When it was created, by its proposer's clock.
    #[serde(with = "wire::timestamp")]
    pub created_at: Timestamp,
}

/// Where a partition lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The node that appends to it and serves it; `None` while there is none.
    pub owner: Option<NodeId>,
    /// Rises by one with each new owner; 1 is the first.
    #[serde(with = "wire::leader_epoch")]
    pub leader_epoch: LeaderEpoch,
    /// Rises by one with each change of the sets below.
    pub partition_epoch: u32,
    /// The nodes that keep it, the preferred owner first.
    pub replicas: Vec<NodeId>,
    /// The replicas in sync.
    pub isr: Vec<NodeId>,
    /// Replicas that left the ISR but hold all that was acknowledged: they may own it if no one else can.
    pub elr: Vec<NodeId>,
    /// Rises by one each time an operator gives up what was acknowledged, so that a node which may lack some of it can own it.
    pub incarnation: u32,
}

impl Topic {
    /// The partition of a number; `None` if the topic has no such partition.
    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index.get()).ok()?)
    }

    /// Every partition with what names it, in order.
    pub fn placed_partitions(&self) -> impl Iterator<Item = (TopicPartition, &Partition)> {
        (0..).zip(&self.partitions).map(|(index, partition)| {
            let named = TopicPartition::new(self.id, PartitionIndex::new(index));
            (named, partition)
        })
    }
}

impl Entry for Topic {
    type Name = TopicName;
    type Id = TopicId;

    fn name(&self) -> &TopicName {
        &self.name
    }

    fn id(&self) -> TopicId {
        self.id
    }
}
