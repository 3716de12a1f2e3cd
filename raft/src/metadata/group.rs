//! The consumers of a subscription and which of them has which partition, as the cluster knows it.

mod assign;
mod change;
mod stored;

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use shard_core::model::{PartitionIndex, SubscriptionId, Timestamp};

use super::wire;

pub use change::GroupChange;

pub(in crate::metadata) use change::Newcomers;
pub(super) use stored::StoredGroup;

/// The consumers of a subscription with `assigned` consumption. It is never changed in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    subscription: SubscriptionId,
    generation: u64,
    members: BTreeMap<MemberId, Member>,
    by_consumer: BTreeMap<Arc<str>, MemberId>,
    partitions: Vec<PartitionAssignment>,
}

/// Identifies a membership for ever: a consumer that comes back after its session has a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(u64);

/// A consumer that belongs to a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Identifies this membership.
    pub id: MemberId,
    /// What the consumer calls itself; no other member of its group has it.
    pub consumer_id: Arc<str>,
    /// When it joined, by the proposer's clock.
    #[serde(with = "wire::timestamp")]
    pub joined_at: Timestamp,
}

/// Who has a partition. It goes from one live member to another by way of `Revoked` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionAssignment {
    /// Nobody: the group has no member.
    Free,
    /// The member that owns it may use it, once it has taken note of this generation.
    Owned {
        /// The member.
        owner: MemberId,
        /// The generation in which it got it.
        since: u64,
    },
    /// Nobody may use it until who had it has taken note of this generation, or is gone.
    Revoked {
        /// Who had it.
        from: MemberId,
        /// Who gets it, unless members come or go before.
        wanted: MemberId,
        /// The generation in which it was taken away.
        since: u64,
    },
}

impl MemberId {
    /// Wraps the number that the metadata gave.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number, for formats and the shards.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartitionAssignment {
    /// The owner, and since which generation it is that; `None` while nobody may use the partition.
    #[must_use]
    pub const fn owned(&self) -> Option<(MemberId, u64)> {
        match *self {
            Self::Owned { owner, since } => Some((owner, since)),
            Self::Free | Self::Revoked { .. } => None,
        }
    }
}

impl Group {
    /// The group of a new subscription, without a member.
    pub(super) fn new(subscription: SubscriptionId, partitions: usize) -> Self {
        Self {
            subscription,
            generation: 0,
            members: BTreeMap::new(),
            by_consumer: BTreeMap::new(),
            partitions: vec![PartitionAssignment::Free; partitions],
        }
    }

    /// The subscription whose consumers these are.
    #[must_use]
    pub const fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    /// Rises with each change of what any member owns; 0 before the first.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The owner of a partition and since which generation it is that; `None` while nobody may use the partition.
    #[must_use]
    pub fn assignment(&self, partition: PartitionIndex) -> Option<(MemberId, u64)> {
        self.partitions.get(usize::try_from(partition.get()).ok()?)?.owned()
    }

    /// Every partition, in order.
    #[must_use]
    pub fn partitions(&self) -> &[PartitionAssignment] {
        &self.partitions
    }

    /// Every member, in the order in which they joined.
    #[must_use]
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// The member that a consumer is.
    #[must_use]
    pub fn member(&self, consumer_id: &str) -> Option<&Member> {
        self.member_by_id(*self.by_consumer.get(consumer_id)?)
    }

    /// A member by its id.
    #[must_use]
    pub fn member_by_id(&self, member: MemberId) -> Option<&Member> {
        self.members.get(&member)
    }

    /// The partitions that a member owns, in order.
    pub fn partitions_of(&self, member: MemberId) -> impl Iterator<Item = PartitionIndex> {
        let owned = (0..)
            .zip(&self.partitions)
            .filter(move |(_, assignment)| assignment.owned().is_some_and(|(owner, _)| owner == member));
        owned.map(|(index, _)| PartitionIndex::new(index))
    }

    /// What was taken from members that have not let go of it: who they are and in which generation it was taken.
    pub fn revoked(&self) -> impl Iterator<Item = (MemberId, u64)> {
        self.partitions.iter().filter_map(|assignment| match *assignment {
            PartitionAssignment::Revoked { from, since, .. } => Some((from, since)),
            PartitionAssignment::Free | PartitionAssignment::Owned { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests;
