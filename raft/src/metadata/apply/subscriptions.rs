//! How commands change subscriptions.

use std::sync::Arc;

use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicName};

use super::{check_limit, check_revision};
use crate::{
    limits,
    metadata::{ClusterState, Outcome, Refusal, Subscription, SubscriptionConfig, SubscriptionPatch},
};

impl ClusterState {
    pub(super) fn create_subscription(
        &mut self,
        name: SubscriptionName,
        topic: &TopicName,
        config: SubscriptionConfig,
        created_at: Timestamp,
    ) -> Result<Outcome, Refusal> {
        if let Some(subscription) = self.subscriptions.get(name.as_str()) {
            let same = subscription.config.is_same_request(&config) && subscription.topic_name == *topic;
            return if same {
                Ok(Outcome::SubscriptionUnchanged(Arc::clone(subscription)))
            } else {
                Err(Refusal::SubscriptionExists)
            };
        }
        config.validate()?;
        let topic = Arc::clone(self.topics.get(topic.as_str()).ok_or(Refusal::TopicNotFound)?);
        check_limit("subscriptions", self.subscriptions.len(), 1, limits::SUBSCRIPTIONS_MAX)?;

        self.counters.subscription += 1;
        let subscription = Arc::new(Subscription {
            id: SubscriptionId::new(self.counters.subscription),
            name,
            topic: topic.id,
            topic_name: topic.name.clone(),
            config,
            revision: self.next_revision(),
            created_at,
        });
        self.add_group(&subscription, topic.partitions.len());
        self.subscriptions.put(Arc::clone(&subscription));
        Ok(Outcome::SubscriptionCreated(subscription))
    }

    pub(super) fn update_subscription(
        &mut self,
        name: &SubscriptionName,
        expected_revision: Option<u64>,
        patch: &SubscriptionPatch,
    ) -> Result<Outcome, Refusal> {
        let subscription = self.subscriptions.get(name.as_str()).ok_or(Refusal::SubscriptionNotFound)?;
        check_revision(subscription.revision, expected_revision)?;
        let config = patch.applied_to(&subscription.config);
        config.validate()?;
        if config == subscription.config {
            return Ok(Outcome::SubscriptionUnchanged(Arc::clone(subscription)));
        }
        let mut changed = Subscription::clone(subscription);
        changed.config = config;
        changed.revision = self.next_revision();
        let changed = Arc::new(changed);
        self.subscriptions.put(Arc::clone(&changed));
        Ok(Outcome::SubscriptionUpdated(changed))
    }

    pub(super) fn delete_subscription(
        &mut self,
        name: &SubscriptionName,
        expected_revision: Option<u64>,
    ) -> Result<Outcome, Refusal> {
        let subscription = self.subscriptions.get(name.as_str()).ok_or(Refusal::SubscriptionNotFound)?;
        check_revision(subscription.revision, expected_revision)?;
        let subscription = Arc::clone(subscription);
        self.subscriptions.remove(name.as_str());
        self.remove_group(subscription.id);
        Ok(Outcome::SubscriptionDeleted(subscription))
    }
}
