//! How commands change where partitions lie.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use shard_core::model::TopicId;

use crate::metadata::{
    ClusterState, NodeId, NodeRun, Outcome, Partition, PartitionTarget, PartitionTransition, RefusedTransition, Topic,
    TransitionRefusal,
};

/// A topic in change, and whether any of its partitions was changed.
type Draft = (Topic, bool);

/// The sets of a [`PartitionTarget::Replicas`].
#[derive(Clone, Copy)]
struct Sets<'a> {
    replicas: &'a [NodeId],
    isr: &'a [NodeId],
    elr: &'a [NodeId],
    owner: NodeId,
}

impl ClusterState {
    pub(super) fn change_partitions(&mut self, changes: Vec<PartitionTransition>) -> Outcome {
        let mut drafts: BTreeMap<TopicId, Draft> = BTreeMap::new();
        let (mut done, mut refused) = (0, Vec::new());
        for change in changes {
            match self.change_partition(&mut drafts, &change) {
                Ok(()) => done += 1,
                Err(reason) => {
                    let PartitionTransition { topic, partition, .. } = change;
                    refused.push(RefusedTransition { topic, partition, reason });
                }
            }
        }
        for (topic, is_changed) in drafts.into_values() {
            if is_changed {
                self.put_topic(Arc::new(topic));
            }
        }
        Outcome::PartitionsChanged { changed: done, refused }
    }

    fn change_partition(
        &self,
        drafts: &mut BTreeMap<TopicId, Draft>,
        change: &PartitionTransition,
    ) -> Result<(), TransitionRefusal> {
        let (topic, is_changed) = match drafts.entry(change.topic) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let topic = self.topics.get_by_id(change.topic).ok_or(TransitionRefusal::PartitionNotFound)?;
                entry.insert((Topic::clone(topic), false))
            }
        };
        let min_insync = topic.config.min_insync;
        let partition = usize::try_from(change.partition).ok().and_then(|index| topic.partitions.get_mut(index));
        let partition = partition.ok_or(TransitionRefusal::PartitionNotFound)?;
        let (leader_epoch, partition_epoch) = (partition.leader_epoch, partition.partition_epoch);
        if (leader_epoch, partition_epoch) != (change.leader_epoch, change.partition_epoch) {
            return Err(TransitionRefusal::Stale { leader_epoch, partition_epoch });
        }
        match &change.to {
            PartitionTarget::Owner(owner) => self.give_to(partition, *owner, min_insync)?,
            PartitionTarget::Replicas { replicas, isr, elr, owner } => {
                let sets = Sets { replicas, isr, elr, owner: *owner };
                self.check_sets(partition, sets)?;
                set(partition, sets, min_insync);
            }
            PartitionTarget::InSync { isr, joining } => self.set_isr(partition, (isr, joining), min_insync)?,
            PartitionTarget::Unclean(owner) => self.elect_unclean(partition, *owner, min_insync)?,
            PartitionTarget::Without(node) => self.go_without(partition, *node, min_insync)?,
        }
        *is_changed = true;
        Ok(())
    }

    fn give_to(&self, partition: &mut Partition, owner: NodeId, min_insync: u16) -> Result<(), TransitionRefusal> {
        let is_shared = self.shared_store == Some(true);
        if partition.owner == Some(owner) && is_shared {
            return Err(TransitionRefusal::Unchanged);
        }
        self.check_live(owner)?;
        if is_shared {
            partition.move_whole(owner);
            return Ok(());
        }
        self.check_eligible(partition, owner)?;
        partition.elect(owner, min_insync);
        Ok(())
    }

    fn check_sets(&self, partition: &Partition, sets: Sets<'_>) -> Result<(), TransitionRefusal> {
        let Sets { replicas, isr, elr, owner } = sets;
        if self.shared_store == Some(true) {
            return Err(TransitionRefusal::SharedStore);
        }
        let within = |set: &[NodeId]| is_distinct(set) && set.iter().all(|node| replicas.contains(node));
        let is_sound = is_distinct(replicas)
            && replicas.iter().all(|node| self.nodes.contains_key(node))
            && within(isr)
            && within(elr)
            && isr.contains(&owner)
            && !elr.iter().any(|node| isr.contains(node));
        if !is_sound {
            return Err(TransitionRefusal::InvalidReplicas);
        }
        let is_same = partition.replicas == replicas && partition.isr == isr && partition.elr == elr;
        if is_same && partition.owner == Some(owner) {
            return Err(TransitionRefusal::Unchanged);
        }
        self.check_live(owner)?;
        self.check_eligible(partition, owner)?;
        let is_from_elr = !partition.isr.contains(&owner);
        for node in isr.iter().copied().filter(|node| *node != owner && !partition.isr.contains(node)) {
            self.check_live(node)?;
            // A replica comes into sync by following an owner, so not with the first moment of a new one.
            if is_from_elr || !partition.replicas.contains(&node) {
                return Err(TransitionRefusal::NotInSync { node });
            }
        }
        let knew_all = |node: &NodeId| partition.isr.contains(node) || partition.elr.contains(node);
        match elr.iter().find(|node| !knew_all(node)) {
            Some(node) => Err(TransitionRefusal::NotInSync { node: *node }),
            None => Ok(()),
        }
    }

    /// The owner has found who is in sync. Those that leave hold all that was acknowledged for as long as nothing more is. If
    /// they are the same as before, what the owner had said earlier holds no more if it comes later.
    fn set_isr(
        &self,
        partition: &mut Partition,
        (isr, joining): (&[NodeId], &[NodeRun]),
        min_insync: u16,
    ) -> Result<(), TransitionRefusal> {
        if self.shared_store == Some(true) {
            return Err(TransitionRefusal::SharedStore);
        }
        let is_sound = is_distinct(isr)
            && isr.iter().all(|node| partition.replicas.contains(node))
            && partition.owner.is_some_and(|owner| isr.contains(&owner) && partition.isr.contains(&owner));
        if !is_sound {
            return Err(TransitionRefusal::InvalidReplicas);
        }
        for node in isr.iter().copied().filter(|node| !partition.isr.contains(node)) {
            self.check_live(node)?;
            let run = joining.iter().find(|run| run.node == node).ok_or(TransitionRefusal::NotInSync { node })?;
            match self.nodes.get(&node) {
                Some(known) if known.epoch != run.epoch => {
                    return Err(TransitionRefusal::StaleRun { node, epoch: known.epoch });
                }
                Some(_) | None => {}
            }
        }
        let left = partition.isr.iter().copied().filter(|node| !isr.contains(node));
        let elr = partition.elr.iter().copied().filter(|node| !isr.contains(node)).chain(left).collect();
        partition.elr = elr;
        partition.isr = isr.to_vec();
        partition.sets_changed(min_insync);
        Ok(())
    }

    pub(super) fn check_live(&self, node: NodeId) -> Result<(), TransitionRefusal> {
        if self.is_live(node) { Ok(()) } else { Err(TransitionRefusal::NodeNotLive { node }) }
    }

    fn check_eligible(&self, partition: &Partition, node: NodeId) -> Result<(), TransitionRefusal> {
        let is_eligible = partition.eligible(|node| self.is_live(node)).contains(&node);
        if is_eligible { Ok(()) } else { Err(TransitionRefusal::NotInSync { node }) }
    }
}

fn set(partition: &mut Partition, sets: Sets<'_>, min_insync: u16) {
    let is_alone = |replicas: &[NodeId]| replicas.len() == 1;
    let is_other_kind = is_alone(&partition.replicas) != is_alone(sets.replicas);
    partition.replicas = sets.replicas.to_vec();
    partition.isr = sets.isr.to_vec();
    partition.elr = sets.elr.to_vec();
    partition.sets_changed(min_insync);
    // Whoever was alone, or is now, opens it again, and does so once in an epoch.
    if partition.owner != Some(sets.owner) || is_other_kind {
        partition.own(sets.owner);
    }
}

fn is_distinct(nodes: &[NodeId]) -> bool {
    nodes.iter().collect::<BTreeSet<_>>().len() == nodes.len()
}

#[cfg(test)]
mod tests;
