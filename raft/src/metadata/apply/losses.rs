//! How a node that has lost what it had promised to have is counted on no more.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::TopicId;

use crate::metadata::{ClusterState, LostPartition, NodeId, Outcome, Partition, Refusal, Topic, TransitionRefusal};

impl ClusterState {
    /// A node says what it has lost. What it does not keep, and what is not there any more, changes nothing.
    pub(super) fn lose_replicas(
        &mut self,
        node: NodeId,
        epoch: u64,
        lost: &[LostPartition],
    ) -> Result<Outcome, Refusal> {
        self.check_run(node, epoch)?;
        let mut drafts: BTreeMap<TopicId, Topic> = BTreeMap::new();
        let mut count = 0;
        for lost in lost {
            let Some(topic) = self.topics.get_by_id(lost.topic) else { continue };
            let draft = drafts.entry(lost.topic).or_insert_with(|| Topic::clone(topic));
            let min_insync = draft.config.min_insync;
            let partition = usize::try_from(lost.partition).ok().and_then(|index| draft.partitions.get_mut(index));
            count += usize::from(partition.is_some_and(|partition| partition.lose(node, min_insync)));
        }
        if count > 0 {
            for topic in drafts.into_values() {
                self.put_topic(Arc::new(topic));
            }
        }
        Ok(Outcome::ReplicasLost { changed: count })
    }

    /// A node says that it can't be counted on for a partition. It stays what it is if nobody else could be.
    pub(super) fn go_without(
        &self,
        partition: &mut Partition,
        node: NodeId,
        min_insync: u16,
    ) -> Result<(), TransitionRefusal> {
        if self.shared_store() == Some(true) {
            return Err(TransitionRefusal::SharedStore);
        }
        if !partition.replicas.contains(&node) {
            return Err(TransitionRefusal::NotReplica { node });
        }
        if partition.owner == Some(node) {
            let heirs = partition.eligible(|heir| heir != node && self.is_live(heir));
            let stays = |heir: &&NodeId| self.nodes.get(heir).is_some_and(|heir| !heir.draining);
            let heir = heirs.iter().find(stays).or(heirs.first()).ok_or(TransitionRefusal::NobodyElse { node })?;
            partition.go_without(node, Some(*heir), min_insync);
            return Ok(());
        }
        if !partition.is_counted_on(node) {
            return Err(TransitionRefusal::Unchanged);
        }
        // Whoever comes back with all of it may own it then.
        if partition.isr.iter().chain(&partition.elr).all(|holder| *holder == node) {
            return Err(TransitionRefusal::NobodyElse { node });
        }
        partition.go_without(node, None, min_insync);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
