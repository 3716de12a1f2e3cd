//! What was read of topics lately, as JSON: readers who are at the same place of a partition share the work and the memory.
//!
//! What has been read of a place never changes: offsets are not used twice, and nothing is read that may still be cut off.

use std::{collections::VecDeque, rc::Rc};

use shard_core::model::{Offset, TopicPartition};

use crate::{limits, operations::ReadEnd};

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadPlace {
    /// The partition.
    pub(crate) partition: TopicPartition,
    /// The first offset.
    pub(crate) from: Offset,
}

/// Messages in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EncodedRead {
    /// A frame up to and with the last message of its list.
    pub(crate) json: String,
    /// Where the read ended.
    pub(crate) end: ReadEnd,
    /// Whether it ended because the frame was full, not because there was no more.
    pub(crate) is_full: bool,
}

/// The latest reads of one core, the newest last.
#[derive(Debug, Default)]
pub(crate) struct EncodedReads {
    kept: VecDeque<(ReadPlace, Rc<EncodedRead>)>,
    bytes: usize,
}

impl EncodedReads {
    /// What was read from a place, if that is as much as a new read would give: as many messages as the frame takes, or all up
    /// to `end`; and not more than `messages_max`.
    pub(crate) fn find(&self, place: ReadPlace, messages_max: usize, end: Offset) -> Option<Rc<EncodedRead>> {
        let mut latest = self.kept.iter().rev();
        let (_, read) = latest.find(|(kept, read)| {
            *kept == place && read.end.count <= messages_max && (read.is_full || read.end.next >= end)
        })?;
        Some(Rc::clone(read))
    }

    /// Keeps what was read for others, and lets go of the oldest beyond what is kept.
    pub(crate) fn keep(&mut self, place: ReadPlace, read: &Rc<EncodedRead>) {
        self.bytes += read.json.len();
        self.kept.push_back((place, Rc::clone(read)));
        while self.kept.len() > limits::ENCODED_READS_MAX || self.bytes > limits::ENCODED_READS_BYTES_MAX {
            let Some((_, oldest)) = self.kept.pop_front() else { return };
            self.bytes -= oldest.json.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use shard_core::model::{PartitionIndex, TopicId};

    use super::*;

    fn place(from: u64) -> ReadPlace {
        let partition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
        ReadPlace { partition, from: Offset::new(from) }
    }

    fn read(count: usize, next: u64, is_full: bool) -> Rc<EncodedRead> {
        let end = ReadEnd { count, next: Offset::new(next), passed_over: 0 };
        Rc::new(EncodedRead { json: "x".repeat(100), end, is_full })
    }

    #[test]
    fn only_what_a_new_read_would_give_is_found() {
        let mut reads = EncodedReads::default();
        reads.keep(place(10), &read(3, 13, false));
        reads.keep(place(20), &read(1_000, 1_020, true));
        let found = |from, messages_max, end| reads.find(place(from), messages_max, Offset::new(end)).is_some();
        assert!(found(10, 3, 13));
        assert!(!found(10, 2, 13), "there is not as much credit");
        assert!(!found(10, 3, 14), "there is more by now");
        assert!(!found(11, 3, 13), "another place");
        assert!(found(20, 1_000, 5_000), "a full frame takes no more");
    }

    #[test]
    fn the_latest_read_of_a_place_is_found() {
        let mut reads = EncodedReads::default();
        reads.keep(place(10), &read(1, 11, false));
        reads.keep(place(10), &read(2, 12, false));
        assert_eq!(reads.find(place(10), 9, Offset::new(11)).unwrap().end.count, 2);
        assert_eq!(reads.find(place(10), 1, Offset::new(11)).unwrap().end.count, 1);
    }

    #[test]
    fn the_oldest_make_room() {
        let mut reads = EncodedReads::default();
        for from in 0..=limits::ENCODED_READS_MAX as u64 {
            reads.keep(place(from), &read(1, from + 1, false));
        }
        assert_eq!(reads.find(place(0), 1, Offset::new(1)), None);
        assert!(reads.find(place(1), 1, Offset::new(2)).is_some());
        let large = EncodedRead { json: "x".repeat(limits::ENCODED_READS_BYTES_MAX), ..(*read(1, 8, true)).clone() };
        reads.keep(place(7), &Rc::new(large));
        assert_eq!((reads.kept.len(), reads.bytes), (1, limits::ENCODED_READS_BYTES_MAX));
    }
}
