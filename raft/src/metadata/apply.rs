//! How a command changes the state: total and deterministic, and a refused command changes nothing.

mod access;
mod groups;

use std::sync::Arc;

use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicId, TopicName};

use super::{
    AckKey, ClusterState, Command, Node, NodeId, Outcome, Partition, Refusal, Subscription, SubscriptionConfig,
    SubscriptionPatch, Topic, TopicConfig, TopicPatch, placement,
};
use crate::limits;

impl ClusterState {
    /// Applies one command. The version stays: one log entry may hold many commands.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn apply(&mut self, command: Command) -> Result<Outcome, Refusal> {
        match command {
            Command::Bootstrap { cluster_id, ack_key } => self.bootstrap(cluster_id, ack_key),
            Command::RegisterNode { node, address } => self.register_node(node, address),
            Command::CreateTopic { name, config, created_at } => self.create_topic(name, config, created_at),
            Command::UpdateTopic { name, expected_revision, patch } => {
                self.update_topic(&name, expected_revision, &patch)
            }
            Command::DeleteTopic { name, expected_revision } => self.delete_topic(&name, expected_revision),
            Command::CreateSubscription { name, topic, config, created_at } => {
                self.create_subscription(name, &topic, config, created_at)
            }
            Command::UpdateSubscription { name, expected_revision, patch } => {
                self.update_subscription(&name, expected_revision, &patch)
            }
            Command::DeleteSubscription { name, expected_revision } => {
                self.delete_subscription(&name, expected_revision)
            }
            Command::ChangeGroup { subscription, changes, at } => self.change_group(subscription, changes, at),
            Command::PutPrincipal { name, config, expected_revision, at } => {
                self.put_principal(name, config, expected_revision, at)
            }
            Command::DeletePrincipal { name, expected_revision } => self.delete_principal(&name, expected_revision),
            Command::CreateKey { key, principal } => self.create_key(key, principal),
            Command::DeleteKey { id } => self.delete_key(&id),
        }
    }

    /// Notes that log entry `version` has been applied.
    pub(crate) fn advance_to(&mut self, version: u64) {
        self.version = version;
    }

    fn bootstrap(&mut self, cluster_id: String, ack_key: AckKey) -> Result<Outcome, Refusal> {
        if !self.cluster_id.is_empty() {
            return Err(Refusal::AlreadyBootstrapped { cluster_id: self.cluster_id.clone() });
        }
        check_length("cluster_id", &cluster_id, limits::CLUSTER_ID_BYTES_MAX)?;
        self.cluster_id = cluster_id;
        self.ack_key = ack_key;
        Ok(Outcome::Bootstrapped)
    }

    fn register_node(&mut self, id: NodeId, address: String) -> Result<Outcome, Refusal> {
        check_length("address", &address, limits::ADDRESS_BYTES_MAX)?;
        if !self.nodes.contains_key(&id) {
            check_limit("nodes", self.nodes.len(), 1, limits::NODES_MAX)?;
        }
        self.nodes.insert(id, Node { id, address });
        Ok(Outcome::NodeRegistered)
    }

    fn create_topic(
        &mut self,
        name: TopicName,
        config: TopicConfig,
        created_at: Timestamp,
    ) -> Result<Outcome, Refusal> {
        if let Some(topic) = self.topics.get(name.as_str()) {
            // A repetition is recognised before anything else: it holds whatever the limits are by now.
            let same = topic.config == config;
            return if same { Ok(Outcome::TopicUnchanged(Arc::clone(topic))) } else { Err(Refusal::TopicExists) };
        }
        config.validate()?;
        let replication_factor = config.replication_factor;
        if usize::from(replication_factor) > self.nodes.len() {
            return Err(Refusal::NotEnoughNodes { replication_factor, nodes: self.nodes.len() });
        }
        check_limit("topics", self.topics.len(), 1, limits::TOPICS_MAX)?;
        check_limit("partitions", self.partition_count, count(config.partitions), limits::PARTITIONS_MAX)?;

        self.counters.topic += 1;
        let id = TopicId::new(self.counters.topic);
        let partitions = self.place_partitions(id, 0, &config);
        self.partition_count += partitions.len();
        let topic = Arc::new(Topic { id, name, config, partitions, revision: self.next_revision(), created_at });
        self.topics.put(Arc::clone(&topic));
        Ok(Outcome::TopicCreated(topic))
    }

    fn update_topic(
        &mut self,
        name: &TopicName,
        expected_revision: Option<u64>,
        patch: &TopicPatch,
    ) -> Result<Outcome, Refusal> {
        let topic = self.topics.get(name.as_str()).ok_or(Refusal::TopicNotFound)?;
        check_revision(topic.revision, expected_revision)?;
        let config = patch.applied_to(&topic.config);
        config.validate()?;
        if config == topic.config {
            return Ok(Outcome::TopicUnchanged(Arc::clone(topic)));
        }
        let partitions = topic.config.partitions;
        if config.partitions < partitions {
            return Err(Refusal::PartitionsOnlyGrow { partitions });
        }
        let added = count(config.partitions - partitions);
        check_limit("partitions", self.partition_count, added, limits::PARTITIONS_MAX)?;

        let mut changed = Topic::clone(topic);
        changed.partitions.extend(self.place_partitions(changed.id, partitions, &config));
        changed.config = config;
        changed.revision = self.next_revision();
        self.partition_count += added;
        self.grow_groups(changed.id, changed.config.partitions);
        let changed = Arc::new(changed);
        self.topics.put(Arc::clone(&changed));
        Ok(Outcome::TopicUpdated(changed))
    }

    fn delete_topic(&mut self, name: &TopicName, expected_revision: Option<u64>) -> Result<Outcome, Refusal> {
        let topic = self.topics.get(name.as_str()).ok_or(Refusal::TopicNotFound)?;
        check_revision(topic.revision, expected_revision)?;
        let topic = Arc::clone(topic);
        let orphans: Vec<_> = self.subscriptions_of(topic.id).cloned().collect();
        for orphan in orphans {
            self.subscriptions.remove(orphan.name.as_str());
            self.remove_group(orphan.id);
        }
        self.topics.remove(name.as_str());
        self.partition_count -= topic.partitions.len();
        Ok(Outcome::TopicDeleted(topic))
    }

    fn create_subscription(
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

    fn update_subscription(
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

    fn delete_subscription(
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

    fn place_partitions(&self, topic: TopicId, first: u32, config: &TopicConfig) -> Vec<Partition> {
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        let place = |index| placement::place(&nodes, topic, index, config.replication_factor);
        (first..config.partitions).map(place).collect()
    }

    fn next_revision(&mut self) -> u64 {
        self.counters.revision += 1;
        self.counters.revision
    }
}

fn check_revision(revision: u64, expected_revision: Option<u64>) -> Result<(), Refusal> {
    match expected_revision {
        Some(expected_revision) if expected_revision != revision => {
            Err(Refusal::RevisionMismatch { revision, expected_revision })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_limit(what: &str, present: usize, added: usize, limit: usize) -> Result<(), Refusal> {
    if present.saturating_add(added) > limit {
        return Err(Refusal::LimitReached { what: what.to_owned(), limit });
    }
    Ok(())
}

fn check_length(field: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.len() > bytes_max {
        return Err(Refusal::TextTooLong { field: field.to_owned(), bytes: text.len(), bytes_max });
    }
    Ok(())
}

fn count(partitions: u32) -> usize {
    usize::try_from(partitions).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
