//! What is known of one segment file: where it begins and ends, and where in it to look for an offset.

use crate::{
    format::{
        offset_index::{IndexEntry, OffsetIndexFile},
        record_batch::BatchHeader,
    },
    limits,
    log::{flush::Flush, segment_log::KnownPlace},
    model::{LeaderEpoch, Offset, Timestamp, TopicPartition},
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
    /// The latest time at which a message in it is to be delivered; the earliest there is if none has one.
    pub deliver_at: Timestamp,
    /// Whether all its batches are plain.
    pub plain: bool,
    /// When it was begun: none of its records is older.
    pub created: Timestamp,
    /// The epoch of its last batch.
    epoch: LeaderEpoch,
    /// Sparse, in order: where flushes start.
    index: Vec<IndexEntry>,
    /// How far apart entries are at least.
    interval: u64,
}

impl Segment {
    /// A segment that holds its header alone.
    #[must_use]
    pub const fn new(base: Offset, created: Timestamp) -> Self {
        let (newest, deliver_at) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MIN));
        let epoch = LeaderEpoch::new(0);
        let (end, interval) = (limits::BLOCK_BYTES, limits::INDEX_INTERVAL_BYTES);
        Self { base, end, newest, deliver_at, plain: true, created, epoch, index: Vec::new(), interval }
    }

    /// A segment as its index file describes it.
    #[must_use]
    pub fn from_index(file: OffsetIndexFile, created: Timestamp) -> Self {
        Self {
            base: file.base_offset,
            end: file.segment_bytes,
            newest: file.max_timestamp,
            deliver_at: file.max_deliver_at,
            plain: file.plain,
            created,
            epoch: file.last_epoch,
            index: file.entries,
            interval: limits::INDEX_INTERVAL_BYTES,
        }
    }

    /// Forgets the batches from `entry` on, to note them again. That one is delivered late, or is not plain, may outlast it: then
    /// the segment is kept for longer, or looked at in vain.
    pub(super) fn rewind(&mut self, entry: IndexEntry) {
        self.index.retain(|earlier| earlier.offset < entry.offset);
        (self.end, self.newest) = (entry.position, entry.max_timestamp_before);
    }

    /// Notes a batch that lies at `position`; batches come in order.
    pub fn note(&mut self, position: u64, batch: &BatchHeader, deliver_at: Option<Timestamp>) {
        if position.is_multiple_of(limits::BLOCK_BYTES) {
            self.index(batch.base_offset, position);
        }
        self.newest = self.newest.max(batch.last_timestamp());
        self.note_delivery(deliver_at);
        self.plain &= batch.is_plain();
        self.epoch = batch.leader_epoch;
    }

    /// Notes a whole flush that was written at the segment's end and goes to `end`.
    pub(super) fn note_flush(&mut self, flush: &Flush, end: u64) {
        self.index(flush.offsets.start, self.end);
        self.newest = self.newest.max(flush.newest);
        self.note_delivery(flush.deliver_at);
        self.plain &= flush.plain;
        self.epoch = flush.epoch;
        self.end = end;
    }

    /// From when on its age counts: when its last record was taken, or is to be delivered, whichever is later.
    #[must_use]
    pub fn ages_from(&self) -> Timestamp {
        self.newest.max(self.deliver_at)
    }

    /// Whether it holds its header alone.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end <= limits::BLOCK_BYTES
    }

    /// What to leave on disk beside the segment, which ends before `end_offset`.
    #[must_use]
    pub fn to_index(&self, partition: TopicPartition, end_offset: Offset) -> OffsetIndexFile {
        OffsetIndexFile {
            partition,
            base_offset: self.base,
            end_offset,
            segment_bytes: self.end,
            last_epoch: self.epoch,
            max_timestamp: self.newest,
            max_deliver_at: self.deliver_at,
            plain: self.plain,
            entries: self.index.clone(),
        }
    }

    /// Where to start reading to meet `offset`: the starts of the two flushes at or before it that are known, last first.
    pub fn places_before(&self, offset: Offset) -> impl Iterator<Item = u64> {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        self.index.iter().take(after).rev().take(2).map(|entry| entry.position)
    }

    /// The first flush behind `offset` whose place is known.
    #[must_use]
    pub fn place_after(&self, offset: Offset) -> Option<KnownPlace> {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        self.index.get(after).map(|entry| KnownPlace { position: entry.position, offset: entry.offset })
    }

    /// No flush starts at `position` after all.
    pub(super) fn forget_place(&mut self, position: u64) {
        self.index.retain(|entry| entry.position != position);
    }

    /// An offset before which no record of the segment was taken at `at` or later.
    #[must_use]
    pub fn offset_before(&self, at: Timestamp) -> Offset {
        let after = self.index.partition_point(|entry| entry.max_timestamp_before < at);
        let entry = after.checked_sub(1).and_then(|at| self.index.get(at));
        entry.map_or(self.base, |entry| entry.offset)
    }

    fn note_delivery(&mut self, deliver_at: Option<Timestamp>) {
        self.deliver_at = self.deliver_at.max(deliver_at.unwrap_or(self.deliver_at));
    }

    /// Takes an entry for what begins on a block at `position`, unless the last one is near.
    fn index(&mut self, offset: Offset, position: u64) {
        let apart = |last: &IndexEntry| position - last.position >= self.interval;
        if self.index.last().is_none_or(apart) {
            if self.index.len() == limits::INDEX_ENTRIES_MAX {
                self.thin();
            }
            self.index.push(IndexEntry { offset, position, max_timestamp_before: self.newest });
        }
    }

    /// Gives up every other entry, and takes new ones half as often.
    fn thin(&mut self) {
        let mut keep = false;
        self.index.retain(|_| {
            keep = !keep;
            keep
        });
        self.interval *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::testing::batch_at,
        model::{PartitionIndex, TopicId},
    };

    fn segment() -> Segment {
        let mut segment = Segment::new(Offset::new(0), Timestamp::default());
        for flush in 0..64 {
            let position = 4096 + flush * 8192;
            segment.note(position, batch_at(flush * 2, 10).header(), None);
            let deliver_at = (flush == 7).then(|| Timestamp::from_millis(9_000));
            segment.note(position + 200, batch_at(flush * 2 + 1, 10).header(), deliver_at);
        }
        segment
    }

    #[test]
    fn a_look_up_starts_at_a_flush_at_or_before_the_offset() {
        let segment = segment();
        for offset in 0..128 {
            let position = segment.places_before(Offset::new(offset)).next().unwrap();
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

    #[test]
    fn an_index_is_bounded_and_still_leads_to_every_offset() {
        let mut segment = Segment::new(Offset::ZERO, Timestamp::default());
        let batch = batch_at(0, 10);
        for flush in 0..5_000 {
            let header = BatchHeader { base_offset: Offset::new(flush), ..*batch.header() };
            segment.note(4096 + flush * limits::INDEX_INTERVAL_BYTES, &header, None);
            assert!(segment.index.len() <= limits::INDEX_ENTRIES_MAX);
        }
        for offset in 0..5_000 {
            let place = segment.places_before(Offset::new(offset)).next().unwrap();
            let found = (place - 4096) / limits::INDEX_INTERVAL_BYTES;
            assert!(found <= offset && offset < found + 16, "offset {offset}: flush {found}");
        }
    }

    #[test]
    fn an_index_file_gives_the_segment_back() {
        let mut segment = segment();
        segment.end = 4096 + 64 * 8192;
        let partition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
        let file = segment.to_index(partition, Offset::new(128));
        assert_eq!(
            Segment::from_index(OffsetIndexFile::decode(&file.encode()).unwrap(), Timestamp::default()),
            segment
        );
    }
}
