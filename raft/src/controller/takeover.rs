//! Partitions whose owner is out, and who takes them over.

use shard_core::model::TopicPartition;

use super::draft::Draft;
use crate::metadata::{NodeId, Partition};

/// Partitions that need another owner.
pub(super) struct Orphans(Vec<(TopicPartition, Partition)>);

impl Orphans {
    /// Looks at all partitions, unless no node that is out owns any.
    pub(super) fn of(draft: &Draft<'_>) -> Self {
        let state = draft.state();
        let is_shared = state.shared_store() == Some(true);
        let with_live: usize = state.nodes().filter(|node| !node.fenced).map(|node| state.load(node.id).owned).sum();
        if is_shared && with_live == state.partition_count() {
            return Self(Vec::new());
        }
        // Where messages lie with their owner, one that came back out of sync has to be chosen anew, or not.
        let is_well = |partition: &Partition| {
            let owner = partition.owner.filter(|owner| state.is_live(*owner));
            owner.is_some_and(|owner| is_shared || partition.isr.contains(&owner))
        };
        let partitions = state.topics().flat_map(|topic| topic.placed_partitions());
        let orphans = partitions.filter(|(_, partition)| !is_well(partition)).take(draft.room());
        Self(orphans.map(|(named, partition)| (named, partition.clone())).collect())
    }

    /// Gives each to a node that may have it; how many there were for which there is one.
    pub(super) fn take_over(self, draft: &mut Draft<'_>) -> usize {
        let takers = draft.takers();
        let is_shared = draft.state().shared_store() == Some(true);
        let mut taken = 0;
        for (named, partition) in self.0 {
            let heir = if is_shared { draft.least(&takers) } else { heir(draft, &partition) };
            if let Some(heir) = heir {
                draft.give(named, &partition, heir);
                taken += 1;
            }
        }
        taken
    }
}

/// The first node that holds all that was acknowledged; rather one that is not to be emptied.
fn heir(draft: &Draft<'_>, partition: &Partition) -> Option<NodeId> {
    let eligible = partition.eligible(|node| draft.state().is_live(node));
    let eligible: Vec<NodeId> = eligible.into_iter().filter(|node| partition.owner != Some(*node)).collect();
    let stays = eligible.iter().find(|node| draft.takes_partitions(**node));
    stays.or(eligible.first()).copied()
}
