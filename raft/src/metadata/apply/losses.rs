//! How a node that has lost what it had promised to have is counted on no more.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::TopicId;

use crate::metadata::{ClusterState, LostPartition, NodeId, Outcome, Refusal, Topic};

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
}

#[cfg(test)]
mod tests;
