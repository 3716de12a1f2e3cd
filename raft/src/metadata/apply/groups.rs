//! How commands change the groups of consumers.

use std::sync::Arc;

use shard_core::model::{SubscriptionId, Timestamp, TopicId};

use super::{check_length, count};
use crate::{
    limits,
    metadata::{ClusterState, Group, GroupChange, Outcome, Refusal, Subscription, group::Newcomers},
};

impl ClusterState {
    pub(super) fn change_group(
        &mut self,
        subscription: SubscriptionId,
        changes: Vec<GroupChange>,
        at: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let group = self.groups.get_mut(&subscription).ok_or(Refusal::GroupNotFound)?;
        for change in &changes {
            if let GroupChange::Join { consumer_id } = change {
                check_length("consumer_id", consumer_id, limits::CONSUMER_ID_BYTES_MAX)?;
            }
        }
        let mut next = Group::clone(group);
        let room = limits::MEMBERS_MAX.saturating_sub(self.member_count);
        next.change(changes, Newcomers { last_member: &mut self.counters.member, room, at });
        if next == **group {
            return Ok(Outcome::GroupUnchanged);
        }
        self.member_count = self.member_count - group.members().len() + next.members().len();
        let generation = next.generation();
        *group = Arc::new(next);
        Ok(Outcome::GroupChanged { generation })
    }

    /// Makes the group of a new subscription, if it is one with a group.
    pub(super) fn add_group(&mut self, subscription: &Subscription, partitions: usize) {
        if subscription.config.has_group() {
            self.groups.insert(subscription.id, Arc::new(Group::new(subscription.id, partitions)));
        }
    }

    /// Forgets the group of a subscription that is gone.
    pub(super) fn remove_group(&mut self, subscription: SubscriptionId) {
        if let Some(group) = self.groups.remove(&subscription) {
            self.member_count -= group.members().len();
        }
    }

    /// A topic has more partitions: the groups that read it share them out.
    pub(super) fn grow_groups(&mut self, topic: TopicId, partitions: u32) {
        let subscriptions = self.subscriptions.iter().filter(|subscription| subscription.topic == topic);
        for subscription in subscriptions {
            if let Some(group) = self.groups.get_mut(&subscription.id) {
                Arc::make_mut(group).add_partitions(count(partitions));
            }
        }
    }
}
