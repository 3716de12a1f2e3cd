//! Where the dead letters of a subscription are, and where they come from.

use std::sync::Arc;

use gateway_api::Code;
use raft::metadata::{ClusterState, Subscription, Topic};
use shard::{LetterQuery, PartitionSubscription};
use shard_core::{
    delivery::LetterOwner,
    model::{Offset, SubscriptionId, TopicPartition},
};

use crate::error::{self, Failure};

/// The dead letters of a subscription.
#[derive(Debug)]
pub(super) struct LetterBox<'s> {
    /// The topic that has them, and those of others perhaps.
    pub(super) topic: &'s Topic,
    subscription: SubscriptionId,
    owner: Arc<LetterOwner>,
}

impl<'s> LetterBox<'s> {
    /// Finds them.
    pub(super) fn of(state: &'s ClusterState, subscription: &Subscription) -> Result<Self, Failure> {
        let none = || error::of_code(Code::NoDeadLetterTopic, "the subscription has no topic for dead letters");
        let name = subscription.config.dead_letter_topic.as_ref().ok_or_else(none)?;
        let missing = || {
            let detail = format!("there is no topic {}, where the dead letters should be", name.as_str());
            error::of_code(Code::TopicNotFound, detail)
        };
        let topic = state.topic(name.as_str()).ok_or_else(missing)?;
        let owner = LetterOwner {
            subscription: subscription.name.as_str().to_owned(),
            topic: subscription.topic_name.as_str().to_owned(),
        };
        Ok(Self { topic, subscription: subscription.id, owner: Arc::new(owner) })
    }

    /// Asks for those in a part of a partition.
    pub(super) fn query(&self, (partition, from): (TopicPartition, Offset), count_max: usize) -> LetterQuery {
        let place = PartitionSubscription { partition, subscription: self.subscription };
        LetterQuery { place, owner: Arc::clone(&self.owner), from, count_max }
    }
}
