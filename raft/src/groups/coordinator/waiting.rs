//! What has happened to a group and is not in the metadata yet, with who waits for it.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::Arc,
};

use crate::{
    groups::GroupError,
    limits,
    metadata::{GroupChange, MemberId},
};

/// Joins, leaves and adoptions on their way.
#[derive(Debug)]
pub(super) struct Waiting<R> {
    /// In the order in which they came, so that none is overtaken for ever.
    pub(super) joins: VecDeque<Joining<R>>,
    /// Members whose time is over; who asked for it waits.
    pub(super) leaves: BTreeMap<MemberId, Vec<R>>,
    /// What members have taken note of that had something taken from them.
    pub(super) adoptions: BTreeMap<MemberId, u64>,
}

/// A consumer that is to become a member.
#[derive(Debug)]
pub(super) struct Joining<R> {
    pub(super) consumer_id: Arc<str>,
    pub(super) replies: Vec<R>,
}

impl<R> Waiting<R> {
    pub(super) fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.leaves.is_empty() && self.adoptions.is_empty()
    }

    pub(super) fn joining(&mut self, consumer_id: &str) -> Option<&mut Joining<R>> {
        self.joins.iter_mut().find(|joining| *joining.consumer_id == *consumer_id)
    }

    /// Takes what fits one command: leaves first, since they make room, then what lets partitions go.
    pub(super) fn take_batch(&mut self) -> Self {
        let mut room = limits::GROUP_COMMAND_BYTES_MAX;
        let mut fits = |bytes: usize| {
            let fits = room >= bytes;
            room = room.saturating_sub(bytes);
            fits
        };
        let mut batch = Self::default();
        while let Some((member, replies)) = self.leaves.pop_first() {
            if !fits(CHANGE_BYTES_MAX) {
                self.leaves.insert(member, replies);
                return batch;
            }
            batch.leaves.insert(member, replies);
        }
        while let Some((member, generation)) = self.adoptions.pop_first() {
            if !fits(CHANGE_BYTES_MAX) {
                self.adoptions.insert(member, generation);
                return batch;
            }
            batch.adoptions.insert(member, generation);
        }
        while let Some(joining) = self.joins.pop_front() {
            if !fits(CHANGE_BYTES_MAX + joining.consumer_id.len()) {
                self.joins.push_front(joining);
                return batch;
            }
            batch.joins.push_back(joining);
        }
        batch
    }

    /// The changes, in the order in which they are to be made.
    pub(super) fn changes(&self) -> Vec<GroupChange> {
        let leaves = self.leaves.keys().map(|member| GroupChange::Leave { member: *member });
        let adopted =
            |(member, generation): (&MemberId, &u64)| GroupChange::Adopt { member: *member, generation: *generation };
        let joins = self.joins.iter().map(|joining| GroupChange::Join { consumer_id: joining.consumer_id.to_string() });
        leaves.chain(self.adoptions.iter().map(adopted)).chain(joins).collect()
    }

    /// Everyone who waits, who is let go with it.
    pub(super) fn take_replies(&mut self) -> Vec<R> {
        let joins = mem::take(&mut self.joins).into_iter().flat_map(|joining| joining.replies);
        let leaves = self.leaves.values_mut().flat_map(mem::take);
        joins.chain(leaves).collect()
    }

    /// Takes back what did not come about: members whose time is over, and what was taken note of.
    pub(super) fn take_back(&mut self, batch: Self) {
        for (member, replies) in batch.leaves {
            self.leaves.entry(member).or_default().extend(replies);
        }
        for (member, generation) in batch.adoptions {
            let known = self.adoptions.entry(member).or_insert(generation);
            *known = generation.max(*known);
        }
    }
}

/// Adds one who waits for the same as others do.
pub(super) fn wait_too<R>(replies: &mut Vec<R>, reply: R) -> Result<(), (R, GroupError)> {
    if replies.len() >= limits::REQUESTS_PER_CONSUMER_MAX {
        return Err((reply, GroupError::Overloaded));
    }
    replies.push(reply);
    Ok(())
}

/// The most bytes of an encoded change, without a consumer's id: its kind, and two numbers or a length.
const CHANGE_BYTES_MAX: usize = 1 + 2 * 10;

impl<R> Default for Waiting<R> {
    fn default() -> Self {
        Self { joins: VecDeque::new(), leaves: BTreeMap::new(), adoptions: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shard_core::model::{SubscriptionId, Timestamp};

    use super::*;
    use crate::metadata::Command;

    proptest! {
        #[test]
        fn every_change_goes_once_into_commands_of_bounded_size(
            joins in proptest::collection::vec("[a-z]{1,100}", 0..400),
            leaves in proptest::collection::btree_set(any::<u64>(), 0..800),
            adoptions in proptest::collection::btree_map(any::<u64>(), any::<u64>(), 0..800),
        ) {
            let mut waiting: Waiting<()> = Waiting {
                joins: joins.iter().map(|id| Joining { consumer_id: id.as_str().into(), replies: vec![] }).collect(),
                leaves: leaves.iter().map(|id| (MemberId::new(*id), vec![])).collect(),
                adoptions: adoptions.iter().map(|(id, generation)| (MemberId::new(*id), *generation)).collect(),
            };
            let (mut count, mut joined) = (0, Vec::new());
            while !waiting.is_empty() {
                let changes = waiting.take_batch().changes();
                prop_assert!(!changes.is_empty());
                count += changes.len();
                joined.extend(changes.iter().filter_map(|change| match change {
                    GroupChange::Join { consumer_id } => Some(consumer_id.clone()),
                    GroupChange::Leave { .. } | GroupChange::Adopt { .. } => None,
                }));
                let (subscription, at) = (SubscriptionId::new(u64::MAX), Timestamp::from_millis(i64::MAX));
                let command = Command::ChangeGroup { subscription, changes, at };
                prop_assert!(postcard::to_allocvec(&command).unwrap().len() <= limits::COMMAND_BYTES_MAX);
            }
            prop_assert_eq!(count, joins.len() + leaves.len() + adoptions.len());
            prop_assert_eq!(joined, joins, "joins keep their order");
        }
    }
}
