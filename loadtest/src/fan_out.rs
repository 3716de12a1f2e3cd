//! Whether each of many readers of a topic was given all of it, once and in order. Pure.
//!
//! Memory is a bit for each message and reader.

use std::collections::BTreeMap;

use crate::deliveries::{Delivery, DeliveryCheck, Verdict};
use crate::stamp::Stamp;

/// What one reader was given.
#[derive(Debug)]
pub struct ReaderCheck {
    deliveries: DeliveryCheck,
    /// The newest offset of each partition.
    newest: BTreeMap<u32, u64>,
    /// Messages that came behind a later one of their partition.
    late: u64,
}

impl ReaderCheck {
    /// A reader of the messages stamped with `run`, before the first.
    #[must_use]
    pub fn new(run: u32) -> Self {
        Self { deliveries: DeliveryCheck::new(run), newest: BTreeMap::new(), late: 0 }
    }

    /// A message came to the reader, from this place in the topic.
    pub fn deliver(&mut self, stamp: Option<Stamp>, partition: u32, offset: u64) -> Delivery {
        let delivery = self.deliveries.deliver(stamp, partition, offset);
        let newest = self.newest.entry(partition).or_insert(offset);
        if offset > *newest {
            *newest = offset;
        } else if offset < *newest && delivery == Delivery::First {
            self.late += 1;
        }
        delivery
    }

    /// What is to be said of this reader, who was to be given all that `publishers` had acknowledged.
    fn verdict(&self, publishers: &DeliveryCheck) -> Verdict {
        let verdict = self.deliveries.verdict_owed_by(publishers, |_| true);
        Verdict { out_of_order: verdict.out_of_order + self.late, ..verdict }
    }
}

/// The sum over all readers. A message that one of them lacks is lost, whoever else has it.
#[must_use]
pub fn verdict(publishers: &DeliveryCheck, readers: &[ReaderCheck]) -> Verdict {
    readers.iter().map(|reader| reader.verdict(publishers)).fold(Verdict::default(), Verdict::plus)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: u32 = 7;

    fn stamp(sequence: u64) -> Stamp {
        Stamp { run: RUN, stream: 0, sequence, intended_micros: 0 }
    }

    /// Three messages are acknowledged; a reader is given those of these sequence numbers, which are their offsets.
    fn reader(given: &[u64]) -> ReaderCheck {
        let mut reader = ReaderCheck::new(RUN);
        for sequence in given {
            reader.deliver(Some(stamp(*sequence)), 0, *sequence);
        }
        reader
    }

    fn judged(readers: &[ReaderCheck]) -> Verdict {
        let mut publishers = DeliveryCheck::new(RUN);
        publishers.acknowledge(0, 0..3);
        verdict(&publishers, readers)
    }

    #[test]
    fn every_reader_is_owed_every_message() {
        let verdict = judged(&[reader(&[0, 1, 2]), reader(&[0, 1, 2])]);
        assert_eq!(verdict, Verdict { acknowledged: 6, delivered: 6, ..Verdict::default() });
        assert!(verdict.is_sound());
    }

    #[test]
    fn what_one_reader_lacks_is_lost_though_another_has_it() {
        let verdict = judged(&[reader(&[0, 1, 2]), reader(&[0, 2])]);
        assert_eq!((verdict.delivered, verdict.lost), (5, 1));
        assert!(!verdict.is_sound());
    }

    #[test]
    fn repeats_and_disorder_are_told_apart() {
        assert_eq!(judged(&[reader(&[0, 1, 1, 2])]).duplicates, 1);
        assert_eq!(judged(&[reader(&[0, 1, 1, 2])]).out_of_order, 0);
        assert_eq!(judged(&[reader(&[0, 2, 1])]).out_of_order, 1);
        assert_eq!(judged(&[reader(&[0, 2, 1])]).duplicates, 0);
    }

    #[test]
    fn partitions_come_in_any_order() {
        let mut reader = ReaderCheck::new(RUN);
        for (sequence, partition, offset) in [(0, 1, 50), (1, 0, 3), (2, 1, 51)] {
            reader.deliver(Some(stamp(sequence)), partition, offset);
        }
        assert_eq!(judged(&[reader]), Verdict { acknowledged: 3, delivered: 3, ..Verdict::default() });
    }

    #[test]
    fn what_is_not_of_the_run_is_foreign() {
        let mut reader = reader(&[0, 1, 2]);
        assert_eq!(reader.deliver(None, 0, 3), Delivery::Foreign);
        assert_eq!(judged(&[reader]).foreign, 1);
    }
}
