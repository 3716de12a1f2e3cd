//! Holds an index file against what its segment really holds, batch after batch.

use crate::{
    format::{offset_index::OffsetIndexFile, record_batch::BatchHeader},
    limits,
    model::{Offset, Timestamp, TopicPartition},
};

/// Checks one index while its segment is walked from the first block on.
#[derive(Debug)]
pub struct IndexCheck {
    file: OffsetIndexFile,
    /// How many entries the walk has come past.
    passed: usize,
    /// The latest time of a batch so far.
    newest: Timestamp,
    /// A batch was not plain so far.
    special: bool,
    /// A batch was damaged since the last whole one: an entry that leads there can't be judged.
    blind: bool,
    /// The walk has come to the offset at which the index ends.
    reached_end: bool,
    /// The first thing that is wrong.
    astray: Option<String>,
}

impl IndexCheck {
    /// Reads the index of the segment of `partition` that begins at `base`.
    ///
    /// # Errors
    /// For people: why a start passes the index over, whatever its segment holds.
    pub fn new(bytes: &[u8], partition: TopicPartition, base: Offset) -> Result<Self, String> {
        let file = OffsetIndexFile::decode(bytes).map_err(|error| error.to_string())?;
        if file.partition != partition || file.base_offset != base {
            return Err(format!("it is the index of segment {} of partition {}", file.base_offset, file.partition));
        }
        let newest = Timestamp::from_millis(i64::MIN);
        let reached_end = file.end_offset == base;
        Ok(Self { file, passed: 0, newest, special: false, blind: false, reached_end, astray: None })
    }

    /// The next whole batch of the segment lies at `position`.
    pub fn on_batch(&mut self, position: u64, batch: &BatchHeader) {
        while let Some(entry) = self.file.entries.get(self.passed).copied().filter(|entry| entry.position <= position) {
            self.passed += 1;
            if entry.position < position && !self.blind {
                self.blame(format!("no batch begins at position {}", entry.position));
            } else if entry.position == position && entry.offset != batch.base_offset {
                self.blame(format!("offset {} is not at position {position}, {} is", entry.offset, batch.base_offset));
            } else if entry.position == position && entry.max_timestamp_before < self.newest {
                self.blame(format!("what lies before position {position} is later than it says"));
            }
        }
        self.blind = false;
        self.newest = self.newest.max(batch.last_timestamp());
        self.special |= !batch.is_plain();
        let end_offset = batch.offsets().end;
        if end_offset == self.file.end_offset {
            self.reached_end = true;
            let length = u64::try_from(batch.batch_length()).unwrap_or(u64::MAX);
            let end = position.saturating_add(length).next_multiple_of(limits::BLOCK_BYTES);
            if end != self.file.segment_bytes {
                self.blame(format!("the segment is {end} bytes long there, not {}", self.file.segment_bytes));
            }
            if self.newest > self.file.max_timestamp || batch.leader_epoch != self.file.last_epoch {
                self.blame("its latest time or epoch is not that of the segment".to_owned());
            }
            if self.file.plain && self.special {
                self.blame("it has all batches for plain, and one is not".to_owned());
            }
        }
    }

    /// Something in the segment can't be read.
    pub const fn on_damage(&mut self) {
        self.blind = true;
    }

    /// Where the index leads astray, once the segment was walked to its end; `None` if it nowhere does.
    #[must_use]
    pub fn finish(self) -> Option<String> {
        if self.astray.is_some() || self.blind {
            return self.astray;
        }
        if let Some(entry) = self.file.entries.get(self.passed) {
            return Some(format!("no batch begins at position {}", entry.position));
        }
        (!self.reached_end).then(|| format!("no batch ends at offset {}, where it ends", self.file.end_offset))
    }

    fn blame(&mut self, reason: String) {
        self.astray.get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::{Segment, testing::batch_at},
        model::{PartitionIndex, TopicId},
    };

    const HERE: TopicPartition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
    /// One batch a flush, so far apart that each is indexed.
    const APART: u64 = limits::INDEX_INTERVAL_BYTES;

    fn position(offset: u64) -> u64 {
        limits::BLOCK_BYTES + offset * APART
    }

    /// The index of a segment of four batches.
    fn index() -> OffsetIndexFile {
        let mut segment = Segment::new(Offset::ZERO, Timestamp::default());
        for offset in 0..4 {
            segment.note(position(offset), batch_at(offset, 10).header(), None);
        }
        segment.end = position(3) + limits::BLOCK_BYTES;
        segment.to_index(HERE, Offset::new(4))
    }

    /// What the check says of an index when batches at these offsets are whole.
    fn check(index: &OffsetIndexFile, whole: &[u64]) -> Option<String> {
        let mut check = IndexCheck::new(&index.encode(), HERE, Offset::ZERO).unwrap();
        for offset in 0..5 {
            if whole.contains(&offset) {
                check.on_batch(position(offset), batch_at(offset, 10).header());
            } else {
                check.on_damage();
            }
        }
        check.finish()
    }

    #[test]
    fn an_index_that_is_right_is_right_also_when_the_segment_has_grown_since() {
        assert_eq!(check(&index(), &[0, 1, 2, 3, 4]), None);
    }

    #[test]
    fn an_entry_that_leads_to_damage_is_not_blamed() {
        assert_eq!(check(&index(), &[0, 3, 4]), None);
    }

    #[test]
    fn what_leads_astray_is_told() {
        let wrong = |change: fn(&mut OffsetIndexFile)| {
            let mut index = index();
            change(&mut index);
            check(&index, &[0, 1, 2, 3, 4]).unwrap_or_default()
        };
        let shifted = wrong(|index| index.entries[1].position += 4096);
        assert!(shifted.contains(&format!("no batch begins at position {}", position(1) + 4096)), "{shifted}");
        let renamed = wrong(|index| {
            index.entries.remove(1);
            index.entries[1].offset = Offset::new(1);
        });
        assert!(renamed.contains("offset 1 is not at position"), "{renamed}");
        let early = wrong(|index| index.entries[3].max_timestamp_before = Timestamp::from_millis(1));
        assert!(early.contains("is later than it says"), "{early}");
        let longer = wrong(|index| index.segment_bytes += 4096);
        assert!(longer.contains("bytes long there"), "{longer}");
        let further = wrong(|index| index.end_offset = Offset::new(9));
        assert!(further.contains("no batch ends at offset 9"), "{further}");
        let older = wrong(|index| index.max_timestamp = Timestamp::from_millis(0));
        assert!(older.contains("latest time"), "{older}");
    }

    #[test]
    fn an_index_that_goes_further_than_its_segment_leads_astray() {
        let mut check = IndexCheck::new(&index().encode(), HERE, Offset::ZERO).unwrap();
        check.on_batch(position(0), batch_at(0, 10).header());
        assert_eq!(check.finish(), Some(format!("no batch begins at position {}", position(1))));
    }

    #[test]
    fn an_index_of_another_file_and_a_torn_one_are_of_no_use() {
        let bytes = index().encode();
        let of_another = IndexCheck::new(&bytes, HERE, Offset::new(7)).unwrap_err();
        assert_eq!(of_another, "it is the index of segment 0 of partition 1/0");
        assert!(IndexCheck::new(&bytes[..70], HERE, Offset::ZERO).is_err());
    }
}
