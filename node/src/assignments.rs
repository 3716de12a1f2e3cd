//! Turns changes of the metadata into changes of this node's shards, and tells the metadata when they hold.

use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::future::join_all;
use raft::{
    MetadataUpdates,
    metadata::{ClusterState, Group, NodeId, Subscription, Topic},
};
use shard::{
    command::{PartitionChange, ShardCommand, SubscriptionSettings},
    shard_of,
};
use shard_core::{
    delivery::{Assignee, ConsumerId, PartitionAssignment},
    model::{SubscriptionId, TopicPartition},
};
use tokio::sync::watch;

use crate::settings::{SettingsTranslation, dead_letters, subscription_settings};

/// What a translation of metadata into changes needs to know of this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    /// This node's number.
    pub(crate) node: NodeId,
    /// How many shards it has.
    pub(crate) shard_count: usize,
    /// How settings of topics become settings of partitions.
    pub(crate) settings: SettingsTranslation,
}

/// Brings every new state to the shards, until the metadata or a shard has ended. `ready` becomes true once the first
/// state is in effect: everything that was on disk has been recovered.
pub(crate) async fn run(
    mut updates: MetadataUpdates,
    shards: Vec<flume::Sender<ShardCommand>>,
    placement: Placement,
    ready: watch::Sender<bool>,
) {
    let mut current: Option<Arc<ClusterState>> = None;
    while let Some(state) = updates.next().await {
        let changes = diff(current.as_deref(), &state, &placement);
        if apply(changes, &shards).await.is_err() {
            return;
        }
        updates.published(state.version());
        current = Some(state);
        ready.send_replace(true);
    }
}

/// A shard that has ended can't take changes; the node notices that by itself.
#[derive(Debug)]
struct ShardGone;

async fn apply(changes: Vec<Vec<PartitionChange>>, shards: &[flume::Sender<ShardCommand>]) -> Result<(), ShardGone> {
    let mut applied = Vec::new();
    for (changes, shard) in changes.into_iter().zip(shards).filter(|(changes, _)| !changes.is_empty()) {
        let (done, holds) = oneshot::channel();
        shard.send_async(ShardCommand::Apply { changes, done }).await.map_err(|_| ShardGone)?;
        applied.push(holds);
    }
    let all = join_all(applied).await.into_iter().all(|holds| holds.is_ok());
    if all { Ok(()) } else { Err(ShardGone) }
}

/// What each shard must change to get from one state to another, by shard; `None` is a node that has just started.
pub(crate) fn diff(
    before: Option<&ClusterState>,
    after: &ClusterState,
    placement: &Placement,
) -> Vec<Vec<PartitionChange>> {
    let mut changes = Changes { by_shard: vec![Vec::new(); placement.shard_count], placement };
    let earlier = before.into_iter();
    for topic in earlier.clone().flat_map(ClusterState::topics) {
        if after.topic_by_id(topic.id).is_none() {
            changes.delete_topic(topic);
        }
    }
    for subscription in earlier.flat_map(ClusterState::subscriptions) {
        if let Some(topic) = after.topic_by_id(subscription.topic)
            && after.subscription_by_id(subscription.id).is_none()
        {
            changes.close_subscription(topic, subscription.id);
            // What was sent back of its letters is known where they are.
            let letters = before.and_then(|before| dead_letters(subscription, before));
            if let Some(topic) = letters.and_then(|letters| after.topic_by_id(letters.topic)) {
                changes.close_subscription(topic, subscription.id);
            }
        }
    }
    for topic in after.topics() {
        changes.update_topic(before.and_then(|before| before.topic_by_id(topic.id)), topic);
    }
    for subscription in after.subscriptions() {
        if let Some(topic) = after.topic_by_id(subscription.topic) {
            let known = before.and_then(|before| before.subscription_by_id(subscription.id));
            let known_topic = before.and_then(|before| before.topic_by_id(subscription.topic));
            changes.update_subscription((before, after), (known, known_topic), (subscription, topic));
        }
    }
    changes.by_shard
}

/// Changes on their way to the shards, in the order in which each shard must make them.
struct Changes<'p> {
    by_shard: Vec<Vec<PartitionChange>>,
    placement: &'p Placement,
}

impl Changes<'_> {
    fn delete_topic(&mut self, topic: &Topic) {
        for partition in self.owned(topic) {
            self.push(PartitionChange::Delete { partition });
        }
    }

    fn close_subscription(&mut self, topic: &Topic, subscription: SubscriptionId) {
        for partition in self.owned(topic) {
            self.push(PartitionChange::CloseSubscription { partition, subscription });
        }
    }

    fn update_topic(&mut self, known: Option<&Arc<Topic>>, topic: &Arc<Topic>) {
        if known.is_some_and(|known| Arc::ptr_eq(known, topic)) {
            return;
        }
        let settings = self.placement.settings.partition_settings(&topic.config);
        let configured =
            known.is_some_and(|known| self.placement.settings.partition_settings(&known.config) == settings);
        for (partition, placed) in topic.placed_partitions() {
            if placed.owner != Some(self.placement.node) {
                continue;
            }
            let epoch = placed.leader_epoch;
            let open_since = known.and_then(|known| known.partition(partition.partition));
            let is_open = open_since.is_some_and(|known| known.owner == placed.owner && known.leader_epoch == epoch);
            match (is_open, configured) {
                (false, _) => self.push(PartitionChange::Open { partition, epoch, settings }),
                (true, false) => self.push(PartitionChange::Configure { partition, settings }),
                (true, true) => {}
            }
        }
    }

    fn update_subscription(
        &mut self,
        states: (Option<&ClusterState>, &ClusterState),
        (known, known_topic): (Option<&Arc<Subscription>>, Option<&Arc<Topic>>),
        (subscription, topic): (&Arc<Subscription>, &Arc<Topic>),
    ) {
        let (before, after) = states;
        let same = known.is_some_and(|known| {
            let target = before.and_then(|before| dead_letters(known, before));
            known.config == subscription.config && target == dead_letters(subscription, after)
        });
        let open = match known_topic {
            Some(known_topic) if same => self.owned(known_topic),
            Some(_) | None => Vec::new(),
        };
        let settings = subscription_settings(subscription, after);
        let group = after.group(subscription.id);
        let known_group = before.and_then(|before| before.group(subscription.id));
        let same_group = match (known_group, group) {
            (Some(known), Some(group)) => Arc::ptr_eq(known, group),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        for partition in self.owned(topic) {
            let assignment = group.map(|group| assignment(group, partition));
            if !open.contains(&partition) {
                let settings = SubscriptionSettings { assignment, ..settings.clone() };
                self.push(PartitionChange::OpenSubscription { partition, settings });
            } else if let (Some(assignment), false) = (assignment, same_group)
                && known_group.map(|known| self::assignment(known, partition)) != Some(assignment)
            {
                self.push(PartitionChange::Assign { partition, subscription: subscription.id, assignment });
            }
        }
    }

    fn push(&mut self, change: PartitionChange) {
        let shard = shard_of(change.partition(), self.placement.shard_count);
        if let Some(changes) = self.by_shard.get_mut(shard) {
            changes.push(change);
        }
    }

    fn owned(&self, topic: &Topic) -> Vec<TopicPartition> {
        let ours = topic.placed_partitions().filter(|(_, placed)| placed.owner == Some(self.placement.node));
        ours.map(|(partition, _)| partition).collect()
    }
}

/// What a group says of one of its partitions.
fn assignment(group: &Group, partition: TopicPartition) -> PartitionAssignment {
    let owner = group.assignment(partition.partition);
    let assignee = owner.map(|(member, since)| Assignee { consumer: ConsumerId(member.get()), since });
    PartitionAssignment { generation: group.generation(), assignee }
}

#[cfg(test)]
mod tests;
