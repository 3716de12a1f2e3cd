//! The state as it was stored before nodes had epochs: version 1 of the snapshot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use shard_core::model::{LeaderEpoch, Timestamp, TopicId, TopicName};

use super::{StoredGroup, StoredState};
use crate::metadata::{
    AckKey, ApiKey, Incarnation, Node, NodeId, Partition, Principal, Subscription, Topic, TopicConfig, wire,
};

/// Everything there was in a state.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredStateV1 {
    version: u64,
    cluster_id: String,
    ack_key: AckKey,
    nodes: Vec<NodeV1>,
    topics: Vec<TopicV1>,
    subscriptions: Vec<Arc<Subscription>>,
    last_topic_id: u64,
    last_subscription_id: u64,
    last_revision: u64,
    groups: Vec<StoredGroup>,
    last_member_id: u64,
    principals: Vec<Arc<Principal>>,
    keys: Vec<Arc<ApiKey>>,
}

#[derive(Serialize, Deserialize)]
struct NodeV1 {
    id: NodeId,
    address: String,
}

#[derive(Serialize, Deserialize)]
struct TopicV1 {
    #[serde(with = "wire::topic_id")]
    id: TopicId,
    #[serde(with = "wire::topic_name")]
    name: TopicName,
    config: TopicConfig,
    partitions: Vec<PartitionV1>,
    revision: u64,
    #[serde(with = "wire::timestamp")]
    created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct PartitionV1 {
    owner: Option<NodeId>,
    #[serde(with = "wire::leader_epoch")]
    leader_epoch: LeaderEpoch,
    partition_epoch: u32,
    replicas: Vec<NodeId>,
    isr: Vec<NodeId>,
    elr: Vec<NodeId>,
}

impl From<TopicV1> for Topic {
    fn from(old: TopicV1) -> Self {
        let TopicV1 { id, name, config, partitions, revision, created_at } = old;
        let partitions = partitions.into_iter().map(Partition::from).collect();
        Self { id, name, config, partitions, revision, created_at }
    }
}

impl From<PartitionV1> for Partition {
    fn from(old: PartitionV1) -> Self {
        let PartitionV1 { owner, leader_epoch, partition_epoch, replicas, isr, elr } = old;
        Self { owner, leader_epoch, partition_epoch, replicas, isr, elr, incarnation: 0 }
    }
}

impl From<NodeV1> for Node {
    fn from(NodeV1 { id, address }: NodeV1) -> Self {
        Self {
            id,
            address,
            client_address: String::new(),
            incarnation: Incarnation::UNKNOWN,
            epoch: 0,
            fenced: false,
            draining: false,
            rack: None,
            shards: 1,
            software: 1,
        }
    }
}

impl From<StoredStateV1> for StoredState {
    fn from(old: StoredStateV1) -> Self {
        Self {
            version: old.version,
            cluster_id: old.cluster_id,
            ack_key: old.ack_key,
            nodes: old.nodes.into_iter().map(Node::from).collect(),
            topics: old.topics.into_iter().map(|topic| Arc::new(topic.into())).collect(),
            subscriptions: old.subscriptions,
            last_topic_id: old.last_topic_id,
            last_subscription_id: old.last_subscription_id,
            last_revision: old.last_revision,
            groups: old.groups,
            last_member_id: old.last_member_id,
            principals: old.principals,
            keys: old.keys,
            removed: Vec::new(),
            shared_store: None,
            level: 1,
        }
    }
}
