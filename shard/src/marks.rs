//! Messages of a partition that are set apart in its cursor journal, beside the cursors of its subscriptions: those that were
//! cancelled, and dead letters that were sent back.

use std::collections::{BTreeMap, BTreeSet};

use shard_core::{
    delivery::{Cursor, CursorState},
    format::cursor_journal::CursorChange,
    model::{Offset, OffsetRange, SubscriptionId},
};

/// What is set apart; each kind is kept as if it were what a subscription has acked, so that its memory grows with the gaps.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Only while there are any.
    cancelled: Option<CursorState>,
    /// By the subscription that gave up on the letters.
    redriven: BTreeMap<SubscriptionId, RedrivenLetters>,
}

/// What a subscription was sent back of its letters in a partition.
#[derive(Debug, Default)]
pub(crate) struct RedrivenLetters {
    state: CursorState,
    /// On their way, so that no other call sends them too.
    under_way: BTreeSet<Offset>,
}

impl Marks {
    /// Takes what is set apart out of what the journal holds.
    pub(crate) fn take(cursors: &mut BTreeMap<SubscriptionId, CursorState>) -> Self {
        let cancelled = cursors.remove(&SubscriptionId::CANCELLED);
        let set_apart: Vec<_> = cursors.keys().copied().filter_map(SubscriptionId::of_redriven).collect();
        let letters = |subscription: SubscriptionId| {
            let state = cursors.remove(&subscription.redriven())?;
            Some((subscription, RedrivenLetters { state, under_way: BTreeSet::new() }))
        };
        Self { cancelled, redriven: set_apart.into_iter().filter_map(letters).collect() }
    }

    /// All of it, for a snapshot of the journal.
    pub(crate) fn states(&self) -> impl Iterator<Item = (SubscriptionId, &CursorState)> {
        let cancelled = self.cancelled.iter().map(|state| (SubscriptionId::CANCELLED, state));
        let redriven = self.redriven.iter().map(|(subscription, letters)| (subscription.redriven(), &letters.state));
        redriven.chain(cancelled)
    }

    /// The log now starts there.
    pub(crate) fn on_log_start(&mut self, start: Offset) {
        if let Some(cancelled) = &mut self.cancelled {
            cancelled.ack_below(start);
            let cursor = cancelled.cursor();
            if cursor.floor() == start && cursor.acked_ranges().len() == 0 {
                self.cancelled = None;
            }
        }
        for letters in self.redriven.values_mut() {
            letters.state.ack_below(start);
        }
    }

    /// Whether a message was cancelled.
    pub(crate) fn is_cancelled(&self, offset: Offset) -> bool {
        self.cancelled.as_ref().is_some_and(|cancelled| cancelled.cursor().is_acked(offset))
    }

    /// The messages that were cancelled; what is gone from the log is among them.
    pub(crate) fn cancelled(&self) -> Vec<OffsetRange> {
        let cursor = self.cancelled.as_ref().map(CursorState::cursor);
        let ranges = |cursor: &Cursor| {
            let below = OffsetRange::new(Offset::ZERO, cursor.floor());
            std::iter::once(below).chain(cursor.acked_ranges()).collect()
        };
        cursor.map(ranges).unwrap_or_default()
    }

    /// A message is cancelled; the change is to be recorded under `SubscriptionId::CANCELLED`.
    pub(crate) fn cancel(&mut self, offset: Offset) -> CursorChange {
        let change = CursorChange::Acked(OffsetRange::new(offset, offset.next()));
        self.cancelled.get_or_insert_default().apply(&change);
        change
    }

    /// What a subscription was sent back, if it ever was sent any.
    pub(crate) fn redriven(&self, subscription: SubscriptionId) -> Option<&RedrivenLetters> {
        self.redriven.get(&subscription)
    }

    /// Letters of a subscription set out.
    pub(crate) fn set_out(&mut self, subscription: SubscriptionId, letters: &[Offset]) {
        self.redriven.entry(subscription).or_default().under_way.extend(letters);
    }

    /// Letters have arrived or not: they are not on their way any more.
    pub(crate) fn end_journey(&mut self, subscription: SubscriptionId, letters: &[Offset]) {
        if let Some(redriven) = self.redriven.get_mut(&subscription) {
            for letter in letters {
                redriven.under_way.remove(letter);
            }
        }
    }

    /// Nothing of these ranges is a letter of the subscription any more. The changes are to be recorded; there are none if it
    /// was deleted meanwhile.
    pub(crate) fn strike(&mut self, subscription: SubscriptionId, ranges: Vec<OffsetRange>) -> Vec<CursorChange> {
        let Some(redriven) = self.redriven.get_mut(&subscription) else { return Vec::new() };
        let changes: Vec<_> = ranges.into_iter().map(CursorChange::Acked).collect();
        for change in &changes {
            redriven.state.apply(change);
        }
        changes
    }

    /// The subscription is gone; whether anything was known of it.
    pub(crate) fn forget(&mut self, subscription: SubscriptionId) -> bool {
        self.redriven.remove(&subscription).is_some()
    }
}

impl RedrivenLetters {
    /// Where letters may still be, from `from` on.
    pub(crate) fn first_left(&self, from: Offset) -> Offset {
        self.state.cursor().next_unacked(from)
    }

    /// Whether a letter is none any more.
    pub(crate) fn is_gone(&self, offset: Offset) -> bool {
        self.state.cursor().is_acked(offset)
    }

    /// Whether a letter is on its way back.
    pub(crate) fn is_under_way(&self, offset: Offset) -> bool {
        self.under_way.contains(&offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> OffsetRange {
        OffsetRange::new(Offset::new(start), Offset::new(end))
    }

    #[test]
    fn what_a_journal_holds_comes_back_as_it_was() {
        let mut marks = Marks::default();
        assert_eq!(marks.states().count(), 0);
        marks.cancel(Offset::new(3));
        let changes = {
            marks.set_out(SubscriptionId::new(7), &[]);
            marks.strike(SubscriptionId::new(7), vec![range(0, 2), range(4, 5)])
        };
        assert_eq!(changes.len(), 2);
        let mut journal: BTreeMap<_, _> = marks.states().map(|(id, state)| (id, state.clone())).collect();
        journal.insert(SubscriptionId::new(7), CursorState::default());
        let again = Marks::take(&mut journal);
        assert_eq!(journal.keys().copied().collect::<Vec<_>>(), [SubscriptionId::new(7)]);
        assert!(again.is_cancelled(Offset::new(3)) && !again.is_cancelled(Offset::new(2)));
        let letters = again.redriven(SubscriptionId::new(7)).unwrap();
        assert!(letters.is_gone(Offset::new(4)) && !letters.is_gone(Offset::new(2)));
        assert_eq!(letters.first_left(Offset::ZERO), Offset::new(2));
    }

    #[test]
    fn a_log_that_begins_with_cancelled_messages_has_them_cancelled() {
        let mut marks = Marks::default();
        marks.cancel(Offset::ZERO);
        marks.cancel(Offset::new(2));
        assert_eq!(marks.cancelled(), [range(0, 1), range(2, 3)]);
        marks.on_log_start(Offset::new(2));
        assert_eq!(marks.cancelled(), [range(0, 3)]);
        marks.on_log_start(Offset::new(3));
        assert_eq!((marks.cancelled(), marks.states().count()), (Vec::new(), 0), "nothing is left to be known");
    }

    #[test]
    fn what_is_on_its_way_is_not_sent_twice() {
        let (mut marks, of) = (Marks::default(), SubscriptionId::new(7));
        marks.set_out(of, &[Offset::new(1), Offset::new(2)]);
        marks.end_journey(of, &[Offset::new(1)]);
        let letters = marks.redriven(of).unwrap();
        assert!(!letters.is_under_way(Offset::new(1)) && letters.is_under_way(Offset::new(2)));
        assert!(marks.forget(of) && !marks.forget(of));
        assert_eq!(marks.strike(of, vec![range(0, 9)]), [], "nothing is known of it any more");
    }
}
