//! What the durable-ends files of all shards together say of each partition.

use std::collections::BTreeMap;

use super::KnownLog;
use crate::{format::durable_ends::DurableEnd, model::TopicPartition};

/// What was written down before the stop, of every partition of which something was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownLogs {
    ends: BTreeMap<TopicPartition, DurableEnd>,
}

impl KnownLogs {
    /// Takes an entry of any shard's file, new or old: what goes furthest counts.
    pub fn note(&mut self, end: DurableEnd) {
        self.ends.entry(end.partition).and_modify(|known| *known = further(*known, end)).or_insert(end);
    }

    /// What is known of one partition, perhaps nothing.
    #[must_use]
    pub fn of(&self, partition: TopicPartition) -> KnownLog {
        self.ends.get(&partition).copied().map_or_else(KnownLog::default, KnownLog::from)
    }
}

impl From<DurableEnd> for KnownLog {
    fn from(end: DurableEnd) -> Self {
        Self { durable_end: end.durable_end, log_start: Some(end.log_start) }
    }
}

/// What two entries of one partition say together.
#[must_use]
pub fn further(one: DurableEnd, other: DurableEnd) -> DurableEnd {
    let further = if other.durable_end > one.durable_end { other } else { one };
    DurableEnd { log_start: one.log_start.max(other.log_start), ..further }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LeaderEpoch, Offset, PartitionIndex, TopicId};

    fn end(partition: u32, durable_end: u64, log_start: u64) -> DurableEnd {
        DurableEnd {
            partition: TopicPartition::new(TopicId::new(1), PartitionIndex::new(partition)),
            leader_epoch: LeaderEpoch::new(1),
            segment: Offset::ZERO,
            position: 4096,
            durable_end: Offset::new(durable_end),
            log_start: Offset::new(log_start),
        }
    }

    #[test]
    fn the_highest_end_and_the_highest_start_count_whatever_comes_first() {
        let entries = [end(0, 30, 0), end(0, 20, 10), end(1, 5, 0)];
        let known = |entries: &[DurableEnd]| {
            let mut known = KnownLogs::default();
            for &entry in entries {
                known.note(entry);
            }
            known
        };
        let of_zero = known(&entries).of(entries[0].partition);
        assert_eq!(of_zero, KnownLog { durable_end: Offset::new(30), log_start: Some(Offset::new(10)) });
        let backwards: Vec<_> = entries.iter().rev().copied().collect();
        assert_eq!(known(&backwards).of(entries[0].partition), of_zero);
        assert_eq!(known(&entries).of(end(2, 0, 0).partition), KnownLog::default());
    }
}
