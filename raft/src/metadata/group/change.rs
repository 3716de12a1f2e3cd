//! How a group changes: members come and go, partitions are revoked, let go and assigned.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use shard_core::model::Timestamp;

use super::{
    Group, Member, MemberId, PartitionAssignment,
    assign::{Holding, assign},
};
use crate::limits;

/// One thing that happened to a group. One that no longer fits the group changes nothing: it came late or twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupChange {
    /// A consumer becomes a member; one that is a member stays as it is.
    Join {
        /// What it calls itself.
        consumer_id: String,
    },
    /// A member has left, its session has ended, or it was expelled.
    Leave {
        /// The membership that ends.
        member: MemberId,
    },
    /// A member has taken note of a generation: it uses nothing any more that was taken from it up to then.
    Adopt {
        /// The member.
        member: MemberId,
        /// The generation; one that there was not yet counts for nothing.
        generation: u64,
    },
}

/// What new members need of the cluster.
#[derive(Debug)]
pub(in crate::metadata) struct Newcomers<'c> {
    /// The last member id that was given out.
    pub(in crate::metadata) last_member: &'c mut u64,
    /// How many members the cluster has room for.
    pub(in crate::metadata) room: usize,
    /// The proposer's time.
    pub(in crate::metadata) at: Timestamp,
}

impl Group {
    /// Makes the changes in their order, then assigns the partitions anew: at most one generation for all of them. A join
    /// for which there is no room is passed over.
    pub(in crate::metadata) fn change(&mut self, changes: Vec<GroupChange>, mut newcomers: Newcomers<'_>) {
        let mut adopted = BTreeMap::new();
        for change in changes {
            match change {
                GroupChange::Join { consumer_id } => self.join(consumer_id, &mut newcomers),
                GroupChange::Leave { member } => newcomers.room += usize::from(self.leave(member)),
                GroupChange::Adopt { member, generation } => {
                    if generation <= self.generation {
                        let known = adopted.entry(member).or_insert(generation);
                        *known = generation.max(*known);
                    }
                }
            }
        }
        self.assign_anew(&adopted);
    }

    /// The topic has more partitions now: they are assigned like those that were there.
    pub(in crate::metadata) fn add_partitions(&mut self, partitions: usize) {
        self.partitions.resize(self.partitions.len().max(partitions), PartitionAssignment::Free);
        self.assign_anew(&BTreeMap::new());
    }

    fn join(&mut self, consumer_id: String, newcomers: &mut Newcomers<'_>) {
        let full = newcomers.room == 0 || self.members.len() >= limits::MEMBERS_PER_GROUP_MAX;
        if full || self.by_consumer.contains_key(consumer_id.as_str()) {
            return;
        }
        newcomers.room -= 1;
        *newcomers.last_member += 1;
        let id = MemberId::new(*newcomers.last_member);
        let consumer_id: Arc<str> = consumer_id.into();
        self.by_consumer.insert(Arc::clone(&consumer_id), id);
        self.members.insert(id, Member { id, consumer_id, joined_at: newcomers.at });
    }

    /// Whether there was such a member.
    fn leave(&mut self, member: MemberId) -> bool {
        let Some(former) = self.members.remove(&member) else { return false };
        self.by_consumer.remove(&former.consumer_id);
        true
    }

    /// One step towards the assignment that the members should have. `adopted` is what members have taken note of.
    fn assign_anew(&mut self, adopted: &BTreeMap<MemberId, u64>) {
        let members: Vec<MemberId> = self.members.keys().copied().collect();
        let holdings: Vec<Holding> = self.partitions.iter().map(|assignment| self.holding(*assignment)).collect();
        let step = Step { members: &self.members, adopted, generation: self.generation + 1 };
        let wanted = assign(&holdings, &members);
        let next: Vec<_> =
            self.partitions.iter().zip(wanted).map(|(assignment, wanted)| step.next(*assignment, wanted)).collect();
        if next.iter().zip(&self.partitions).any(|(next, former)| next.owned() != former.owned()) {
            self.generation = step.generation;
        }
        self.partitions = next;
    }

    fn holding(&self, assignment: PartitionAssignment) -> Holding {
        match assignment {
            PartitionAssignment::Free => Holding { holder: None, settled: false },
            PartitionAssignment::Owned { owner, .. } => Holding { holder: Some(owner), settled: true },
            PartitionAssignment::Revoked { from, wanted, .. } => {
                let holder = if self.members.contains_key(&wanted) { wanted } else { from };
                Holding { holder: Some(holder), settled: false }
            }
        }
    }
}

/// What decides how partitions go from hand to hand in one change.
struct Step<'g> {
    members: &'g BTreeMap<MemberId, Member>,
    adopted: &'g BTreeMap<MemberId, u64>,
    /// The generation that the change makes, if it makes one.
    generation: u64,
}

impl Step<'_> {
    /// What becomes of a partition that is to be `wanted`'s in the end.
    fn next(&self, assignment: PartitionAssignment, wanted: Option<MemberId>) -> PartitionAssignment {
        let Some(wanted) = wanted else { return PartitionAssignment::Free };
        match assignment {
            PartitionAssignment::Owned { owner, .. } if owner == wanted => assignment,
            PartitionAssignment::Owned { owner, .. } if self.members.contains_key(&owner) => {
                PartitionAssignment::Revoked { from: owner, wanted, since: self.generation }
            }
            PartitionAssignment::Revoked { from, since, .. } if from != wanted && self.may_be_used_by(from, since) => {
                PartitionAssignment::Revoked { from, wanted, since }
            }
            PartitionAssignment::Free | PartitionAssignment::Owned { .. } | PartitionAssignment::Revoked { .. } => {
                PartitionAssignment::Owned { owner: wanted, since: self.generation }
            }
        }
    }

    /// Whether a member may not know yet that it lost a partition in generation `since`.
    fn may_be_used_by(&self, member: MemberId, since: u64) -> bool {
        self.members.contains_key(&member) && self.adopted.get(&member).is_none_or(|adopted| *adopted < since)
    }
}
