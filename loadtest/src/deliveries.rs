//! Whether what was acknowledged was delivered: loss, duplicates and order, from the stamps. Pure.
//!
//! Memory is two bits a message. Each worker keeps its own check; a merge finds the duplicates between workers.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::limits::SEQUENCE_MAX;
use crate::stamp::Stamp;

/// What one worker's connections published and were given.
#[derive(Debug)]
pub struct DeliveryCheck {
    run: u32,
    acknowledged: BTreeMap<u32, SequenceSet>,
    seen: BTreeMap<u32, SequenceSet>,
    newest: BTreeMap<(u32, u32), Position>,
    duplicates: u64,
    out_of_order: u64,
    foreign: u64,
}

/// What a delivery turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The first of its message, as far as this worker knows.
    First,
    /// One more of a message that was delivered already.
    Duplicate,
    /// Not a message of this run.
    Foreign,
}

/// The result of a check over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Messages whose publish was answered with success; in a fan-out each as often as there are readers.
    pub acknowledged: u64,
    /// Messages that were delivered, each counted once; in a fan-out once for each reader.
    pub delivered: u64,
    /// Acknowledged and never delivered.
    pub lost: u64,
    /// Deliveries beyond the first of a message; at-least-once delivery allows them.
    pub duplicates: u64,
    /// Messages whose offset contradicts the order in which their publisher sent them. Compared within a worker.
    pub out_of_order: u64,
    /// Deliveries that are not of this run.
    pub foreign: u64,
}

#[derive(Clone, Copy, Debug)]
struct Position {
    offset: u64,
    sequence: u64,
}

impl DeliveryCheck {
    /// An empty check of the messages stamped with `run`.
    #[must_use]
    pub fn new(run: u32) -> Self {
        Self {
            run,
            acknowledged: BTreeMap::new(),
            seen: BTreeMap::new(),
            newest: BTreeMap::new(),
            duplicates: 0,
            out_of_order: 0,
            foreign: 0,
        }
    }

    /// These messages of a stream were acknowledged.
    pub fn acknowledge(&mut self, stream: u32, sequences: Range<u64>) {
        let set = self.acknowledged.entry(stream).or_default();
        for sequence in sequences {
            set.insert(sequence);
        }
    }

    /// A message was delivered from this place in the topic.
    pub fn deliver(&mut self, stamp: Option<Stamp>, partition: u32, offset: u64) -> Delivery {
        let Some(stamp) = stamp.filter(|stamp| stamp.run == self.run) else {
            self.foreign += 1;
            return Delivery::Foreign;
        };
        if !self.seen.entry(stamp.stream).or_default().insert(stamp.sequence) {
            self.duplicates += 1;
            return Delivery::Duplicate;
        }
        self.check_order((stamp.stream, partition), Position { offset, sequence: stamp.sequence });
        Delivery::First
    }

    /// Adds another worker's check of the same run.
    pub fn merge(&mut self, other: &Self) {
        for (stream, set) in &other.acknowledged {
            self.acknowledged.entry(*stream).or_default().merge(set);
        }
        for (stream, set) in &other.seen {
            self.duplicates += self.seen.entry(*stream).or_default().merge(set);
        }
        self.duplicates += other.duplicates;
        self.out_of_order += other.out_of_order;
        self.foreign += other.foreign;
    }

    /// The result, after all workers were merged.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict_owed_by(self, |_| true)
    }

    /// The result for one who was to be given all that the publishers of another check had acknowledged in these streams.
    #[must_use]
    pub fn verdict_owed_by(&self, publishers: &Self, is_owed: impl Fn(u32) -> bool) -> Verdict {
        let owed = || publishers.acknowledged.iter().filter(|(stream, _)| is_owed(**stream));
        let nothing = SequenceSet::default();
        let lost =
            |(stream, set): (&u32, &SequenceSet)| set.count_missing_in(self.seen.get(stream).unwrap_or(&nothing));
        Verdict {
            acknowledged: owed().map(|(_, set)| set.len()).sum(),
            delivered: self.seen.values().map(SequenceSet::len).sum(),
            lost: owed().map(lost).sum(),
            duplicates: self.duplicates,
            out_of_order: self.out_of_order,
            foreign: self.foreign,
        }
    }

    /// Deliveries may come late (a redelivery, another consumer), so offsets are compared, not arrival times.
    fn check_order(&mut self, key: (u32, u32), position: Position) {
        let newest = self.newest.entry(key).or_insert(position);
        let later_in_log = position.offset > newest.offset;
        if position.sequence != newest.sequence && later_in_log != (position.sequence > newest.sequence) {
            self.out_of_order += 1;
        }
        if later_in_log {
            *newest = position;
        }
    }
}

impl Verdict {
    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            duplicates: self.duplicates + other.duplicates,
            out_of_order: self.out_of_order + other.out_of_order,
            foreign: self.foreign + other.foreign,
        }
    }

    /// Whether nothing acknowledged was lost and nothing was out of order.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.out_of_order == 0
    }
}

/// A set of dense sequence numbers, one bit each.
#[derive(Debug, Default)]
struct SequenceSet(Vec<u64>);

impl SequenceSet {
    /// Whether it was new. A number from `SEQUENCE_MAX` on is not kept and counts as new.
    fn insert(&mut self, sequence: u64) -> bool {
        if sequence >= SEQUENCE_MAX {
            return true;
        }
        let word = usize::try_from(sequence / 64).unwrap_or(usize::MAX);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let bit = 1 << (sequence % 64);
        self.0.get_mut(word).is_some_and(|word| {
            let new = *word & bit == 0;
            *word |= bit;
            new
        })
    }

    /// Adds the other's numbers; returns how many both had.
    fn merge(&mut self, other: &Self) -> u64 {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        let mut both = 0;
        for (mine, its) in self.0.iter_mut().zip(&other.0) {
            both += u64::from((*mine & its).count_ones());
            *mine |= its;
        }
        both
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn count_missing_in(&self, other: &Self) -> u64 {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(others).map(|(mine, its)| u64::from((mine & !its).count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const RUN: u32 = 7;

    fn stamp(stream: u32, sequence: u64) -> Stamp {
        Stamp { run: RUN, stream, sequence, intended_micros: 0 }
    }

    #[test]
    fn an_acknowledged_message_that_never_came_is_lost() {
        let mut check = DeliveryCheck::new(RUN);
        check.acknowledge(1, 0..100);
        for sequence in (0..100).filter(|sequence| *sequence != 70) {
            assert_eq!(check.deliver(Some(stamp(1, sequence)), 0, sequence), Delivery::First);
        }
        let verdict = check.verdict();
        assert_eq!((verdict.acknowledged, verdict.delivered, verdict.lost), (100, 99, 1));
        assert!(!verdict.is_sound());
    }

    #[test]
    fn an_unacknowledged_message_may_come_or_not() {
        let mut check = DeliveryCheck::new(RUN);
        check.deliver(Some(stamp(1, 0)), 0, 0);
        let verdict = check.verdict();
        assert_eq!((verdict.delivered, verdict.lost), (1, 0));
        assert!(verdict.is_sound());
    }

    #[test]
    fn a_duplicate_is_found_within_and_between_workers() {
        let mut one = DeliveryCheck::new(RUN);
        one.deliver(Some(stamp(1, 0)), 0, 0);
        assert_eq!(one.deliver(Some(stamp(1, 0)), 0, 0), Delivery::Duplicate);
        let mut other = DeliveryCheck::new(RUN);
        other.deliver(Some(stamp(1, 0)), 0, 0);
        other.deliver(Some(stamp(2, 0)), 0, 1);
        one.merge(&other);
        assert_eq!((one.verdict().delivered, one.verdict().duplicates), (2, 2));
    }

    #[test]
    fn order_is_that_of_the_log_not_of_delivery() {
        let mut check = DeliveryCheck::new(RUN);
        check.deliver(Some(stamp(1, 0)), 0, 10);
        check.deliver(Some(stamp(1, 2)), 0, 12);
        check.deliver(Some(stamp(1, 1)), 0, 11);
        assert_eq!(check.verdict().out_of_order, 0, "a late delivery is no disorder");
        check.deliver(Some(stamp(1, 3)), 0, 5);
        assert_eq!(check.verdict().out_of_order, 1);
        check.deliver(Some(stamp(1, 0)), 1, 99);
        check.deliver(Some(stamp(2, 0)), 0, 99);
        assert_eq!(check.verdict().out_of_order, 1, "partitions and streams are apart");
    }

    #[test]
    fn other_runs_are_not_counted_as_deliveries() {
        let mut check = DeliveryCheck::new(RUN);
        let other = Stamp { run: RUN + 1, stream: 1, sequence: 0, intended_micros: 0 };
        assert_eq!(check.deliver(Some(other), 0, 0), Delivery::Foreign);
        assert_eq!(check.deliver(None, 0, 1), Delivery::Foreign);
        assert_eq!((check.verdict().delivered, check.verdict().foreign), (0, 2));
    }

    proptest! {
        #[test]
        fn the_sets_behave_as_sets(one in prop::collection::btree_set(0_u64..300, 0..80), other in prop::collection::btree_set(0_u64..300, 0..80)) {
            let build = |numbers: &BTreeSet<u64>| {
                let mut set = SequenceSet::default();
                for number in numbers {
                    assert!(set.insert(*number) && !set.insert(*number));
                }
                set
            };
            let (mut left, right) = (build(&one), build(&other));
            prop_assert_eq!(left.count_missing_in(&right), one.difference(&other).count() as u64);
            prop_assert_eq!(left.merge(&right), one.intersection(&other).count() as u64);
            prop_assert_eq!(left.len(), one.union(&other).count() as u64);
        }
    }
}
