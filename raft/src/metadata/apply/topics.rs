//! How commands change topics.

use std::sync::Arc;

use shard_core::model::{Timestamp, TopicId, TopicName};

use super::{check_limit, check_revision, count};
use crate::{
    limits,
    metadata::{ClusterState, Outcome, Partition, Refusal, Topic, TopicConfig, TopicPatch, placement::Placer},
};

impl ClusterState {
    pub(super) fn create_topic(
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
        let partitions = self.place_partitions(0, &config);
        let topic = Arc::new(Topic { id, name, config, partitions, revision: self.next_revision(), created_at });
        self.put_topic(Arc::clone(&topic));
        Ok(Outcome::TopicCreated(topic))
    }

    pub(super) fn update_topic(
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
        let replication_factor = config.replication_factor;
        if replication_factor > topic.config.replication_factor && usize::from(replication_factor) > self.nodes.len() {
            return Err(Refusal::NotEnoughNodes { replication_factor, nodes: self.nodes.len() });
        }
        let added = count(config.partitions - partitions);
        check_limit("partitions", self.partition_count, added, limits::PARTITIONS_MAX)?;

        let mut changed = Topic::clone(topic);
        changed.partitions.extend(self.place_partitions(partitions, &config));
        if config.min_insync != changed.config.min_insync {
            // What was not acknowledged by the old rule may be by the new one.
            changed.partitions.iter_mut().for_each(|partition| _ = partition.clear_elr());
        }
        if replication_factor < changed.config.replication_factor {
            let wanted = usize::from(self.replicas_wanted(&config));
            changed.partitions.iter_mut().for_each(|partition| partition.prefer_to_keep(wanted));
        }
        changed.config = config;
        changed.revision = self.next_revision();
        self.grow_groups(changed.id, changed.config.partitions);
        let changed = Arc::new(changed);
        self.put_topic(Arc::clone(&changed));
        Ok(Outcome::TopicUpdated(changed))
    }

    pub(super) fn delete_topic(
        &mut self,
        name: &TopicName,
        expected_revision: Option<u64>,
    ) -> Result<Outcome, Refusal> {
        let topic = self.topics.get(name.as_str()).ok_or(Refusal::TopicNotFound)?;
        check_revision(topic.revision, expected_revision)?;
        let topic = Arc::clone(topic);
        let orphans: Vec<_> = self.subscriptions_of(topic.id).cloned().collect();
        for orphan in orphans {
            self.subscriptions.remove(orphan.name.as_str());
            self.remove_group(orphan.id);
        }
        self.take_topic(&topic);
        Ok(Outcome::TopicDeleted(topic))
    }

    /// Puts a topic in, or in the place of what it was.
    pub(in crate::metadata) fn put_topic(&mut self, topic: Arc<Topic>) {
        if let Some(former) = self.topics.get_by_id(topic.id) {
            self.loads.remove(former);
            self.partition_count -= former.partitions.len();
        }
        self.loads.add(&topic);
        self.partition_count += topic.partitions.len();
        self.topics.put(topic);
    }

    fn take_topic(&mut self, topic: &Topic) {
        self.topics.remove(topic.name.as_str());
        self.loads.remove(topic);
        self.partition_count -= topic.partitions.len();
    }

    fn place_partitions(&self, first: u32, config: &TopicConfig) -> Vec<Partition> {
        let replicas_wanted = self.replicas_wanted(config);
        let mut placer = Placer::new(self);
        (first..config.partitions).map(|_| placer.place(replicas_wanted)).collect()
    }

    /// On how many nodes a partition is kept; on its owner's alone if every node reaches its messages.
    pub(crate) fn replicas_wanted(&self, config: &TopicConfig) -> u16 {
        if self.shared_store == Some(true) { 1 } else { config.replication_factor }
    }
}
