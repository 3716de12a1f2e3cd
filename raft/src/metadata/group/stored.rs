//! A group in the form in which it is stored: lists, from which the lookups are made again.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use shard_core::model::SubscriptionId;

use super::{Group, Member, MemberId, PartitionAssignment};
use crate::metadata::wire;

/// Everything in a [`Group`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::metadata) struct StoredGroup {
    #[serde(with = "wire::subscription_id")]
    pub(in crate::metadata) subscription: SubscriptionId,
    generation: u64,
    members: Vec<Member>,
    partitions: Vec<PartitionAssignment>,
}

impl From<&Group> for StoredGroup {
    fn from(group: &Group) -> Self {
        Self {
            subscription: group.subscription,
            generation: group.generation,
            members: group.members.values().cloned().collect(),
            partitions: group.partitions.clone(),
        }
    }
}

impl StoredGroup {
    /// The group, unless it contradicts itself.
    pub(in crate::metadata) fn restore(self) -> Option<Group> {
        let Self { subscription, generation, members, partitions } = self;
        let count = members.len();
        let by_consumer: BTreeMap<Arc<str>, MemberId> =
            members.iter().map(|member| (Arc::clone(&member.consumer_id), member.id)).collect();
        let members: BTreeMap<MemberId, Member> = members.into_iter().map(|member| (member.id, member)).collect();
        let is_sound = |assignment: &PartitionAssignment| match *assignment {
            PartitionAssignment::Free => members.is_empty(),
            PartitionAssignment::Owned { owner, since } => members.contains_key(&owner) && since <= generation,
            PartitionAssignment::Revoked { from, wanted, since } => {
                let both = members.contains_key(&from) && members.contains_key(&wanted);
                both && from != wanted && since <= generation
            }
        };
        let unique = members.len() == count && by_consumer.len() == count;
        let sound = unique && partitions.iter().all(is_sound);
        sound.then_some(Group { subscription, generation, members, by_consumer, partitions })
    }
}
