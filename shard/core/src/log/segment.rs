//! What is known of one segment file: where it begins and ends, and where in it to look for an offset.

use crate::{
    format::record_batch::BatchHeader,
    limits,
    model::{Offset, Timestamp},
};

/// One file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The offset of its first record, and its name.
    pub base: Offset,
    /// The position behind its last flush; the next one starts there.
    pub end: u64,
    /// The newest time of a record in it.
    pub newest: Timestamp,
    /// Sparse, in order: where flushes start.
    index: Vec<IndexEntry>,
}

/// A flush that starts with this batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IndexEntry {
    offset: Offset,
    position: u64,
    /// No record before this entry is newer.
    newest_before: Timestamp,
}

impl Segment {
    /// A segment that holds its header alone.
    #[must_use]
    pub const fn new(base: Offset, end: u64) -> Self {
        Self { base, end, newest: Timestamp::from_millis(i64::MIN), index: Vec::new() }
    }

    /// Notes a batch that lies at `position`; batches come in order.
    pub fn note(&mut self, position: u64, batch: &BatchHeader) {
        let apart = |last: &IndexEntry| position - last.position >= limits::INDEX_INTERVAL_BYTES;
        let starts_flush = position.is_multiple_of(limits::BLOCK_BYTES);
        if starts_flush && self.index.last().is_none_or(apart) {
            let entry = IndexEntry { offset: batch.base_offset, position, newest_before: self.newest };
            self.index.push(entry);
        }
        self.newest = self.newest.max(batch.last_timestamp());
    }

    /// Where to start reading to meet `offset`: the start of a flush at or before it.
    #[must_use]
    pub fn position_before(&self, offset: Offset) -> u64 {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        let entry = after.checked_sub(1).and_then(|at| self.index.get(at));
        entry.map_or(limits::BLOCK_BYTES, |entry| entry.position)
    }

    /// An offset before which no record of the segment was taken at `at` or later.
    #[must_use]
    pub fn offset_before(&self, at: Timestamp) -> Offset {
        let after = self.index.partition_point(|entry| entry.newest_before < at);
        let entry = after.checked_sub(1).and_then(|at| self.index.get(at));
        entry.map_or(self.base, |entry| entry.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::batch_at;

    fn segment() -> Segment {
        let mut segment = Segment::new(Offset::new(0), 4096);
        for flush in 0..64 {
            let position = 4096 + flush * 8192;
            segment.note(position, batch_at(flush * 2, 10).header());
            segment.note(position + 200, batch_at(flush * 2 + 1, 10).header());
        }
        segment
    }

    #[test]
    fn a_look_up_starts_at_a_flush_at_or_before_the_offset() {
        let segment = segment();
        for offset in 0..128 {
            let position = segment.position_before(Offset::new(offset));
            let flush = (position - 4096) / 8192;
            assert!(flush * 2 <= offset && offset < flush * 2 + 16, "offset {offset} at flush {flush}");
        }
    }

    #[test]
    fn a_look_up_by_time_never_starts_too_late() {
        let segment = segment();
        for millis in 0..130 {
            let found = segment.offset_before(Timestamp::from_millis(millis)).get();
            assert!(found <= millis.unsigned_abs(), "{millis} ms at offset {found}");
        }
        assert_eq!(segment.offset_before(Timestamp::from_millis(100)), Offset::new(96));
    }

    #[test]
    fn the_index_is_sparse() {
        assert_eq!(segment().index.len(), 8);
    }
}
