//! A subscription, as the cluster knows it.

use serde::{Deserialize, Serialize};
use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicId, TopicName};

use super::{SubscriptionConfig, catalog::Entry, wire};

/// A named, durable reader of a topic. It is never changed in place: a change makes a new one under the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Identifies it for ever.
    #[serde(with = "wire::subscription_id")]
    pub id: SubscriptionId,
    /// What clients call it.
    #[serde(with = "wire::subscription_name")]
    pub name: SubscriptionName,
    /// The topic it reads.
    #[serde(with = "wire::topic_id")]
    pub topic: TopicId,
    /// What clients call that topic.
    #[serde(with = "wire::topic_name")]
    pub topic_name: TopicName,
    /// What its owner chose.
    pub config: SubscriptionConfig,
    /// Rises with each change of the configuration, and is never the same twice in a cluster.
    pub revision: u64,
    /// When it was created, by its proposer's clock.
    #[serde(with = "wire::timestamp")]
    pub created_at: Timestamp,
}

impl Entry for Subscription {
    type Name = SubscriptionName;
    type Id = SubscriptionId;

    fn name(&self) -> &SubscriptionName {
        &self.name
    }

    fn id(&self) -> SubscriptionId {
        self.id
    }
}
