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
    /// Whether the journal knows of it.
    recorded: bool,
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
            Some((subscription, RedrivenLetters { state, recorded: true, under_way: BTreeSet::new() }))
        };
        Self { cancelled, redriven: set_apart.into_iter().filter_map(letters).collect() }
    }

    /// All of it, for a snapshot of the journal.
    pub(crate) fn states(&self) -> impl Iterator<Item = (SubscriptionId, &CursorState)> {
        let cancelled = self.cancelled.iter().map(|state| (SubscriptionId::CANCELLED, state));
        let recorded = self.redriven.iter().filter(|(_, letters)| letters.recorded);
        recorded.map(|(subscription, letters)| (subscription.redriven(), &letters.state)).chain(cancelled)
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

    /// Messages are cancelled; the changes are to be recorded under `SubscriptionId::CANCELLED`.
    pub(crate) fn cancel(&mut self, offsets: impl IntoIterator<Item = Offset>) -> Vec<CursorChange> {
        let ranges = offsets.into_iter().map(|offset| OffsetRange::new(offset, offset.next()));
        let is_new = self.cancelled.is_none();
        set_apart(self.cancelled.get_or_insert_default(), is_new, ranges)
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
        let is_new = !std::mem::replace(&mut redriven.recorded, true);
        set_apart(&mut redriven.state, is_new, ranges)
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

/// Sets ranges apart, and says what is to be recorded: a journal passes over what it was not told the beginning of.
fn set_apart(
    state: &mut CursorState,
    is_new: bool,
    ranges: impl IntoIterator<Item = OffsetRange>,
) -> Vec<CursorChange> {
    let beginning = is_new.then_some(CursorChange::Opened { start: Offset::ZERO });
    let changes: Vec<_> = beginning.into_iter().chain(ranges.into_iter().map(CursorChange::Acked)).collect();
    for change in &changes {
        state.apply(change);
    }
    changes
}

#[cfg(test)]
mod tests {
    use shard_core::{delivery::CursorReplay, format::cursor_journal::encode_entry};

    use super::*;

    fn range(start: u64, end: u64) -> OffsetRange {
        OffsetRange::new(Offset::new(start), Offset::new(end))
    }

    /// What a journal gives back of changes.
    fn replayed(changes: &[(SubscriptionId, Vec<CursorChange>)]) -> BTreeMap<SubscriptionId, CursorState> {
        let (mut entries, mut replay) = (Vec::new(), CursorReplay::default());
        for (id, changes) in changes {
            for change in changes {
                encode_entry(*id, change, &mut entries);
            }
        }
        replay.take(&entries).unwrap();
        replay.finish()
    }

    #[test]
    fn what_a_journal_was_told_comes_back_as_it_was() {
        let (mut marks, of) = (Marks::default(), SubscriptionId::new(7));
        assert_eq!(marks.states().count(), 0);
        marks.set_out(of, &[]);
        assert_eq!(marks.states().count(), 0, "nothing is known yet that would have to be kept");
        let told = [
            (SubscriptionId::CANCELLED, marks.cancel([Offset::new(3)])),
            (of.redriven(), marks.strike(of, vec![range(0, 2)])),
            (SubscriptionId::CANCELLED, marks.cancel([Offset::new(8)])),
            (of.redriven(), marks.strike(of, vec![range(4, 5)])),
        ];
        let mut journal = replayed(&told);
        let kept: BTreeMap<_, _> = marks.states().map(|(id, state)| (id, state.clone())).collect();
        assert_eq!(journal, kept, "a snapshot says the same");
        journal.insert(of, CursorState::default());
        let again = Marks::take(&mut journal);
        assert_eq!(journal.keys().copied().collect::<Vec<_>>(), [of]);
        assert!(again.is_cancelled(Offset::new(3)) && again.is_cancelled(Offset::new(8)));
        assert!(!again.is_cancelled(Offset::new(2)));
        let letters = again.redriven(of).unwrap();
        assert!(letters.is_gone(Offset::new(4)) && !letters.is_gone(Offset::new(2)));
        assert_eq!(letters.first_left(Offset::ZERO), Offset::new(2));
    }

    #[test]
    fn a_log_that_begins_with_cancelled_messages_has_them_cancelled() {
        let mut marks = Marks::default();
        marks.cancel([Offset::ZERO, Offset::new(2)]);
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
