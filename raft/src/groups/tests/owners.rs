//! The shards that own partitions: each knows the metadata a little later than the others, and lets members in by it.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::PartitionIndex;

use super::world::{Counts, Mutant, SUBSCRIPTION};
use crate::metadata::{ClusterState, MemberId};

/// How many owners share the partitions.
pub(super) const OWNERS: usize = 2;

#[derive(Debug)]
pub(super) struct Owners {
    views: Vec<Arc<ClusterState>>,
    /// Who was let in on each partition, with the highest generation that it stated.
    accepted: BTreeMap<PartitionIndex, BTreeMap<MemberId, u64>>,
}

impl Owners {
    pub(super) fn new(state: &Arc<ClusterState>) -> Self {
        Self { views: vec![Arc::clone(state); OWNERS], accepted: BTreeMap::new() }
    }

    pub(super) fn learn(&mut self, owner: usize, state: Arc<ClusterState>) {
        if state.version() > self.views[owner].version() {
            self.views[owner] = state;
        }
    }

    /// A member uses a partition, and states the generation that it knows.
    pub(super) fn serve(
        &mut self,
        (partition, member, stated): (PartitionIndex, MemberId, u64),
        mutant: Option<Mutant>,
        counts: &mut Counts,
    ) {
        let view = &self.views[usize::try_from(partition.get()).unwrap() % OWNERS];
        let group = view.group(SUBSCRIPTION).unwrap();
        let assigned = group.assignment(partition);
        let admitted = match mutant {
            Some(Mutant::AcceptsAnyMember) => stated <= group.generation(),
            Some(Mutant::AcceptsStaleGeneration) => assigned.is_some_and(|(owner, _)| owner == member),
            Some(_) | None => assigned
                .is_some_and(|(owner, since)| owner == member && since <= stated && stated <= group.generation()),
        };
        if !admitted {
            counts.refused += 1;
            return;
        }
        counts.accepted += 1;
        let accepted = self.accepted.entry(partition).or_default();
        for (other, generation) in accepted.iter().filter(|(other, _)| **other != member) {
            assert!(
                stated > *generation,
                "{member} was let in on {partition:?} by generation {stated} after {other} by {generation}"
            );
        }
        let highest = accepted.entry(member).or_insert(stated);
        *highest = stated.max(*highest);
    }
}
