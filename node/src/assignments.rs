//! Turns changes of the metadata into changes of this node's shards, and tells the metadata when they hold.

use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::future::join_all;
use raft::{
    MetadataUpdates,
    metadata::{ClusterState, Group, NodeId, Subscription, Topic},
};
use shard::{
    command::{PartitionChange, PartitionSettings, ShardCommand, SubscriptionSettings},
    shard_of,
};
use shard_core::{
    delivery::{Assignee, ConsumerId, PartitionAssignment},
    model::{SubscriptionId, TopicPartition},
};
use tokio::sync::watch;

use crate::{
    routes::RouteBoard,
    settings::{SettingsTranslation, dead_letters, subscription_settings},
};

mod role;

use role::Role;

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

/// Brings every new state to the shards, until the metadata or a shard has ended, and says in `in_effect` which they have
/// taken. Once there is one, everything that was on disk has been recovered.
pub(crate) async fn run(
    mut updates: MetadataUpdates,
    (shards, mut routes): (Vec<flume::Sender<ShardCommand>>, Option<RouteBoard>),
    placement: Placement,
    in_effect: watch::Sender<Option<Arc<ClusterState>>>,
) {
    let mut current: Option<Arc<ClusterState>> = None;
    while let Some(state) = updates.next().await {
        let Steps { let_go_first, make, let_go, follow } = diff(current.as_deref(), &state, &placement);
        for step in [let_go_first, make] {
            if apply(step, &shards).await.is_err() {
                return;
            }
        }
        if let Some(routes) = &mut routes {
            routes.publish(&state);
        }
        for step in [let_go, follow] {
            if apply(step, &shards).await.is_err() {
                return;
            }
        }
        updates.published(state.version());
        current = Some(Arc::clone(&state));
        in_effect.send_replace(Some(state));
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

/// Changes by shard, in the order in which each shard must make them.
pub(crate) type ByShard = Vec<Vec<PartitionChange>>;

/// What each shard must change to get from one state to another, one step after the other.
#[derive(Debug)]
pub(crate) struct Steps {
    /// Partitions that were this node's, went to another one and came back: they are opened anew.
    pub(crate) let_go_first: ByShard,
    /// What comes and what changes.
    pub(crate) make: ByShard,
    /// Partitions that are another node's from now on. Requests find it once the routes of this node say so.
    pub(crate) let_go: ByShard,
    /// Those among them that this node goes on to keep.
    pub(crate) follow: ByShard,
}

/// How one state becomes another; `None` is a node that has just started.
pub(crate) fn diff(before: Option<&ClusterState>, after: &ClusterState, placement: &Placement) -> Steps {
    let none = vec![Vec::new(); placement.shard_count];
    let steps = Steps { let_go_first: none.clone(), make: none.clone(), let_go: none.clone(), follow: none };
    let mut changes = Changes { steps, placement };
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
    changes.steps
}

/// Changes on their way to the shards.
struct Changes<'p> {
    steps: Steps,
    placement: &'p Placement,
}

impl Changes<'_> {
    fn delete_topic(&mut self, topic: &Topic) {
        for (partition, placed) in topic.placed_partitions() {
            if Role::of(self.placement.node, topic, placed) != Role::None {
                self.push(PartitionChange::Delete { partition });
            }
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
            let role = Role::of(self.placement.node, topic, placed);
            let before = known.and_then(|known| Some((known, known.partition(partition.partition)?)));
            let was = before.map_or(Role::None, |(known, before)| Role::of(self.placement.node, known, before));
            self.change_role(partition, (&was, &role), (settings, configured));
        }
    }

    /// A partition that is opened in another way is let go of before: nothing of one role is left in the other.
    fn change_role(
        &mut self,
        partition: TopicPartition,
        (was, role): (&Role, &Role),
        (settings, configured): (PartitionSettings, bool),
    ) {
        if was.stays_open(role) {
            if was != role {
                self.make_all(role.change(partition));
            }
            if !configured {
                self.push(PartitionChange::Configure { partition, settings });
            }
            return;
        }
        let release = was.end(role, partition);
        let opens = role.open(partition, settings);
        if was.serves() && !role.serves() {
            // Requests find it elsewhere once the routes of this node say so.
            self.steps.let_go.extend_changes(release, self.placement);
            self.steps.follow.extend_changes(opens, self.placement);
        } else {
            self.steps.let_go_first.extend_changes(release, self.placement);
            self.make_all(opens);
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
            Some(known_topic) if same => self.kept(known_topic, topic),
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

    fn make_all(&mut self, changes: impl IntoIterator<Item = PartitionChange>) {
        self.steps.make.extend_changes(changes, self.placement);
    }

    fn push(&mut self, change: PartitionChange) {
        self.make_all([change]);
    }

    /// The partitions that are this node's and stay open as they were.
    fn kept(&self, known: &Topic, topic: &Topic) -> Vec<TopicPartition> {
        let mut kept = self.owned(known);
        let role = |topic: &Topic, partition: TopicPartition| {
            let placed = topic.partition(partition.partition);
            placed.map_or(Role::None, |placed| Role::of(self.placement.node, topic, placed))
        };
        kept.retain(|&partition| role(known, partition).stays_open(&role(topic, partition)));
        kept
    }

    fn owned(&self, topic: &Topic) -> Vec<TopicPartition> {
        let ours = topic.placed_partitions().filter(|(_, placed)| placed.owner == Some(self.placement.node));
        ours.map(|(partition, _)| partition).collect()
    }
}

/// Adds changes, each for the shard of its partition.
trait ExtendChanges {
    fn extend_changes(&mut self, changes: impl IntoIterator<Item = PartitionChange>, placement: &Placement);
}

impl ExtendChanges for ByShard {
    fn extend_changes(&mut self, changes: impl IntoIterator<Item = PartitionChange>, placement: &Placement) {
        for change in changes {
            if let Some(of_shard) = self.get_mut(shard_of(change.partition(), placement.shard_count)) {
                of_shard.push(change);
            }
        }
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
