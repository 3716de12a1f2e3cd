//! Finds an entry by something that only grows along the log, in as many look-ups as the offsets have bits.

use super::EntryId;
use crate::model::{Offset, OffsetRange};

/// Bisects a log for its first entry that satisfies a condition which holds for every later entry too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySearch {
    /// The start of an entry, or of the log: every entry before it fails the condition.
    low: Offset,
    /// Some entry that holds an offset from here on satisfies it, or none does.
    high: Offset,
}

impl EntrySearch {
    /// A search among the entries that hold `offsets`.
    #[must_use]
    pub const fn new(offsets: OffsetRange) -> Self {
        Self { low: offsets.start, high: offsets.end }
    }

    /// The offset whose entry is to be looked at next; `None` when the search is over.
    #[must_use]
    pub fn probe(&self) -> Option<Offset> {
        (self.low < self.high).then(|| self.low.plus(self.high.since(self.low) / 2))
    }

    /// Takes what is the entry that holds `probe`, or the first after it where that is lost.
    pub fn on_entry(&mut self, probe: Offset, entry: EntryId, satisfies: bool) {
        if satisfies {
            self.high = probe;
        } else {
            // An id that does not hold what was asked for must not stop the search from ending.
            self.low = entry.end().max(probe.next());
        }
    }

    /// There is no entry that holds `probe`, nor one after it.
    pub fn on_nothing(&mut self, probe: Offset) {
        self.high = probe;
    }

    /// The first offset of the entry sought, once the search is over; the end of the log if there is none.
    #[must_use]
    pub const fn found(&self) -> Offset {
        self.low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Timestamp;

    /// Searches entries given as (end, latest timestamp) for the first with a timestamp of at least `time`.
    fn search(start: u64, entries: &[(u64, i64)], time: i64) -> (u64, usize) {
        let end = entries.last().map_or(start, |entry| entry.0);
        let mut search = EntrySearch::new(OffsetRange::new(Offset::new(start), Offset::new(end)));
        let mut probes = 0;
        while let Some(probe) = search.probe() {
            probes += 1;
            let &(end, latest) = entries.iter().find(|entry| entry.0 > probe.get()).unwrap();
            let id = EntryId::new(Offset::new(end), Timestamp::from_millis(latest));
            search.on_entry(probe, id, id.latest() >= Timestamp::from_millis(time));
        }
        (search.found().get(), probes)
    }

    #[test]
    fn finds_the_first_entry_of_a_time() {
        let entries = [(10, 100), (11, 200), (500, 200), (501, 300)];
        assert_eq!(search(5, &entries, 0).0, 5);
        assert_eq!(search(5, &entries, 101).0, 10);
        assert_eq!(search(5, &entries, 200).0, 10);
        assert_eq!(search(5, &entries, 201).0, 500);
        assert_eq!(search(5, &entries, 301).0, 501);
    }

    proptest! {
        #[test]
        fn agrees_with_looking_at_every_entry(
            start in 0_u64..50,
            steps in proptest::collection::vec((1_u64..100, 0_i64..5), 0..40),
            time in 0_i64..200,
        ) {
            let (mut end, mut latest) = (start, 0);
            let entries: Vec<_> = steps.iter().map(|step| {
                (end, latest) = (end + step.0, latest + step.1);
                (end, latest)
            }).collect();
            let first = entries.iter().take_while(|entry| entry.1 < time).last().map_or(start, |entry| entry.0);
            let (found, probes) = search(start, &entries, time);
            prop_assert_eq!(found, first);
            prop_assert!(probes <= 64);
        }
    }
}
