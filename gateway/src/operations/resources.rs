//! Topics and subscriptions by the names in a request, and their partitions.

use std::sync::Arc;

use gateway_api::Code;
use raft::metadata::{ClusterState, Subscription, SubscriptionKind, Topic};
use shard::PartitionSubscription;
use shard_core::model::{PartitionIndex, TopicPartition};

use crate::error::{self, Failure};

/// The topic of a name, or that there is none.
pub(crate) fn find_topic<'s>(state: &'s ClusterState, name: &str) -> Result<&'s Arc<Topic>, Failure> {
    state.topic(name).ok_or_else(|| error::of_code(Code::TopicNotFound, "there is no topic of this name"))
}

/// The subscription of a name, or that there is none.
pub(crate) fn find_subscription<'s>(state: &'s ClusterState, name: &str) -> Result<&'s Arc<Subscription>, Failure> {
    let missing = || error::of_code(Code::SubscriptionNotFound, "there is no subscription of this name");
    state.subscription(name).ok_or_else(missing)
}

/// The subscription of a name if its messages are there to be fetched.
pub(crate) fn find_pullable<'s>(state: &'s ClusterState, name: &str) -> Result<&'s Arc<Subscription>, Failure> {
    let subscription = find_subscription(state, name)?;
    match subscription.config.kind {
        SubscriptionKind::Pull => Ok(subscription),
        SubscriptionKind::Push => {
            Err(error::invalid("subscription", "its type is `push`: the node sends its messages, nobody fetches them"))
        }
    }
}

/// The partition of a topic by its number as text.
pub(super) fn find_partition(topic: &Topic, number: &str) -> Result<TopicPartition, Failure> {
    let missing = || error::of_code(Code::PartitionNotFound, format!("the topic has no partition {number}"));
    let index = number.parse().map_err(|_| missing())?;
    partition_of(topic, index).ok_or_else(missing)
}

/// A partition by its number.
pub(super) fn partition_of(topic: &Topic, index: u32) -> Option<TopicPartition> {
    let index = PartitionIndex::new(index);
    topic.partition(index).map(|_| TopicPartition::new(topic.id, index))
}

/// All partitions of a topic, in order.
pub(crate) fn partitions(topic: &Topic) -> Vec<TopicPartition> {
    topic.placed_partitions().map(|(partition, _)| partition).collect()
}

/// A subscription on all partitions of its topic, in order; nothing once the topic is gone.
pub(crate) fn cursors(state: &ClusterState, subscription: &Subscription) -> Vec<PartitionSubscription> {
    let topic = state.topic_by_id(subscription.topic);
    let partitions = topic.map(|topic| partitions(topic)).unwrap_or_default();
    let on = |partition| PartitionSubscription { partition, subscription: subscription.id };
    partitions.into_iter().map(on).collect()
}
