//! Cursors, as the entries of a journal tell of them.

use std::collections::BTreeMap;

use crate::{
    delivery::CursorState,
    format::cursor_journal::{self, CursorChange, EntryError},
    limits,
    model::{OffsetRange, SubscriptionId},
};

/// Makes the changes that a journal tells, in order. Acks are gathered and made together: one by one, each costs a search.
#[derive(Debug, Default)]
pub struct CursorReplay {
    cursors: BTreeMap<SubscriptionId, Told>,
}

/// What was told of one subscription.
#[derive(Debug, Default)]
struct Told {
    state: CursorState,
    /// Acks that are yet to be made.
    acked: Vec<OffsetRange>,
}

impl CursorReplay {
    /// Takes the next entries. What is said of a subscription that was removed has no effect.
    ///
    /// # Errors
    /// Bytes that are no entries; those before them were taken.
    pub fn take(&mut self, entries: &[u8]) -> Result<(), EntryError> {
        cursor_journal::decode_entries(entries, |subscription, change| match change {
            CursorChange::Removed => {
                self.cursors.remove(&subscription);
            }
            CursorChange::Opened { .. } | CursorChange::Snapshot(_) => {
                let told = self.cursors.entry(subscription).or_default();
                told.acked.clear();
                told.state.apply(&change);
            }
            CursorChange::Acked(_)
            | CursorChange::AckedBelow { .. }
            | CursorChange::Reset { .. }
            | CursorChange::Attempted { .. } => {
                if let Some(told) = self.cursors.get_mut(&subscription) {
                    told.change(&change);
                }
            }
        })
    }

    /// Every subscription that was not removed, and where it was.
    #[must_use]
    pub fn finish(self) -> BTreeMap<SubscriptionId, CursorState> {
        let cursors = self.cursors.into_iter();
        cursors
            .map(|(subscription, mut told)| {
                told.make_acks();
                (subscription, told.state)
            })
            .collect()
    }
}

impl Told {
    fn change(&mut self, change: &CursorChange) {
        match change {
            CursorChange::Acked(range) => {
                self.acked.push(*range);
                if self.acked.len() >= limits::REPLAYED_ACKS_MAX {
                    self.make_acks();
                }
            }
            CursorChange::Reset { .. } => {
                // What was acked before is not any more.
                self.acked.clear();
                self.state.apply(change);
            }
            // Neither cares whether an ack comes before or behind it.
            CursorChange::AckedBelow { .. }
            | CursorChange::Attempted { .. }
            | CursorChange::Opened { .. }
            | CursorChange::Removed
            | CursorChange::Snapshot(_) => self.state.apply(change),
        }
    }

    fn make_acks(&mut self) {
        if !self.acked.is_empty() {
            self.state.ack_all(std::mem::take(&mut self.acked));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{format::cursor_journal::encode_entry, model::Offset};

    fn change() -> impl Strategy<Value = CursorChange> {
        let offset = || (0..50_u64).prop_map(Offset::new);
        prop_oneof![
            10 => (offset(), 1..4_u64).prop_map(|(start, count)| {
                CursorChange::Acked(OffsetRange::new(start, Offset::new(start.get() + count)))
            }),
            3 => (offset(), 1..9_u32).prop_map(|(offset, attempts)| CursorChange::Attempted { offset, attempts }),
            1 => offset().prop_map(|to| CursorChange::AckedBelow { to }),
            1 => (offset(), 0..9_u64).prop_map(|(to, leases_from)| CursorChange::Reset { to, leases_from }),
            1 => offset().prop_map(|start| CursorChange::Opened { start }),
            1 => Just(CursorChange::Removed),
        ]
    }

    proptest! {
        #[test]
        fn gathered_acks_come_to_the_same_as_one_change_after_the_other(
            changes in prop::collection::vec((1..3_u64, change()), 0..80),
        ) {
            let mut expected = BTreeMap::<SubscriptionId, CursorState>::new();
            let mut replay = CursorReplay::default();
            for (subscription, change) in changes {
                let subscription = SubscriptionId::new(subscription);
                let mut entry = Vec::new();
                encode_entry(subscription, &change, &mut entry);
                replay.take(&entry).unwrap();
                if change == CursorChange::Removed {
                    expected.remove(&subscription);
                } else if matches!(change, CursorChange::Opened { .. }) {
                    expected.entry(subscription).or_default().apply(&change);
                } else if let Some(state) = expected.get_mut(&subscription) {
                    state.apply(&change);
                }
            }
            prop_assert_eq!(replay.finish(), expected);
        }
    }
}
