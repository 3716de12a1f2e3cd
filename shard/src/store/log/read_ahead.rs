//! What was read of old messages, kept for whoever goes on behind them, and the piece that follows it.
//!
//! A page mostly takes fewer messages than a read of the disk brings, so the next page is there. Whoever goes on where a
//! piece ended reads in order: from then on the next piece is read while this one is sent. All that is kept apart from the
//! tail cache: a reader that catches up takes nothing away from those who keep up. It is a few places of a shard, of one
//! partition or of several.

use std::{cell::RefCell, collections::VecDeque};

use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange, TopicPartition},
};

use super::segment_reader::Rest;
use crate::limits::READ_AHEAD_PLACES_MAX;

/// The pieces of one shard; `N` is what brings the next one.
#[derive(Debug)]
pub(super) struct ReadAhead<N> {
    /// The one used last is the last.
    pieces: RefCell<VecDeque<Piece<N>>>,
}

/// What was read at one place of a partition.
#[derive(Debug)]
pub(super) struct Piece<N> {
    partition: TopicPartition,
    batches: Vec<RecordBatch>,
    /// Where the file goes on.
    pub(super) rest: Option<Rest>,
    /// What follows is being read, or was.
    pub(super) next: Option<N>,
}

impl<N> ReadAhead<N> {
    /// Takes out what is kept for a reader that goes on at `from`: the piece that holds it, else one that ends there.
    pub(super) fn take(&self, partition: TopicPartition, from: Offset) -> Option<Piece<N>> {
        let mut pieces = self.pieces.borrow_mut();
        let of_it = |piece: &Piece<N>| piece.partition == partition;
        let holds = pieces.iter().position(|piece| of_it(piece) && piece.has(from));
        let at = holds.or_else(|| pieces.iter().position(|piece| of_it(piece) && piece.end() == Some(from)))?;
        pieces.remove(at)
    }

    /// Keeps a piece in the place of one that ends where it does, and lets go of the one used longest ago if there are too
    /// many.
    pub(super) fn put(&self, piece: Piece<N>) {
        let mut pieces = self.pieces.borrow_mut();
        pieces.retain(|other| other.partition != piece.partition || other.end() != piece.end());
        if pieces.len() == READ_AHEAD_PLACES_MAX {
            pieces.pop_front();
        }
        pieces.push_back(piece);
    }

    /// Lets go of all that is kept of a partition.
    pub(super) fn forget(&self, partition: TopicPartition) {
        self.pieces.borrow_mut().retain(|piece| piece.partition != partition);
    }
}

impl<N> Default for ReadAhead<N> {
    fn default() -> Self {
        Self { pieces: RefCell::default() }
    }
}

impl<N> Piece<N> {
    pub(super) const fn new(partition: TopicPartition, batches: Vec<RecordBatch>, rest: Option<Rest>) -> Self {
        Self { partition, batches, rest, next: None }
    }

    /// The offset behind the last of it.
    pub(super) fn end(&self) -> Option<Offset> {
        self.batches.last().map(|last| last.offsets().end)
    }

    /// All of it.
    pub(super) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The batches from the one that holds `wanted.start` on; none if it is not there.
    pub(super) fn read(&self, wanted: OffsetRange, bytes_max: usize) -> Vec<RecordBatch> {
        let first = self.batches.partition_point(|batch| batch.offsets().end <= wanted.start);
        let holds = self.has(wanted.start);
        let mut bytes = 0;
        let fits = |batch: &&RecordBatch| {
            let is_first = bytes == 0;
            bytes += batch.bytes().len();
            holds && (is_first || (bytes <= bytes_max && batch.offsets().start < wanted.end))
        };
        self.batches.iter().skip(first).take_while(fits).cloned().collect()
    }

    /// Whether it holds this offset.
    pub(super) fn has(&self, offset: Offset) -> bool {
        let start = self.batches.first().map(|first| first.offsets().start);
        start.is_some_and(|start| start <= offset) && self.end().is_some_and(|end| offset < end)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use shard_core::{
        format::{
            record::{MessageId, RecordHead},
            record_batch::{BatchBuilder, Codec},
        },
        model::{LeaderEpoch, PartitionIndex, Timestamp, TopicId},
    };

    use super::*;

    fn partition(index: u32) -> TopicPartition {
        TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
    }

    /// Batches of two messages each from `base` on, behind which `next` is read.
    fn piece(index: u32, base: u64, count: u64, next: &'static str) -> Piece<&'static str> {
        let batches = (0..count).map(|number| batch(base + 2 * number)).collect();
        Piece { next: Some(next), ..Piece::new(partition(index), batches, None) }
    }

    fn batch(base: u64) -> RecordBatch {
        let mut builder = BatchBuilder::new(100);
        for _ in 0..2 {
            let head = RecordHead {
                id: MessageId::Text("id"),
                key: None,
                content_type: "text/plain",
                priority: 4,
                ttl_ms: None,
                deliver_at: None,
            };
            let Ok(()) = builder.push(&head, &[], |out| {
                out.push(b'x');
                Ok::<(), Infallible>(())
            });
        }
        let batch = builder.finish(Codec::None, None).unwrap();
        batch.assign(Offset::new(base), LeaderEpoch::new(1), Timestamp::default())
    }

    fn taken(kept: &ReadAhead<&'static str>, index: u32, from: u64) -> Option<&'static str> {
        kept.take(partition(index), Offset::new(from))?.next
    }

    #[test]
    fn a_reader_finds_the_piece_that_holds_its_place_or_ends_there() {
        for (from, found) in [(9, None), (10, Some("a")), (15, Some("a")), (16, Some("a")), (17, None)] {
            let kept = ReadAhead::default();
            kept.put(piece(0, 10, 3, "a"));
            assert_eq!(taken(&kept, 1, from), None);
            assert_eq!(taken(&kept, 0, from), found, "{from}");
        }
    }

    #[test]
    fn what_holds_a_place_is_better_than_what_ends_there() {
        let kept = ReadAhead::default();
        kept.put(piece(0, 10, 3, "ends"));
        kept.put(piece(0, 16, 3, "holds"));
        assert_eq!((taken(&kept, 0, 16), taken(&kept, 0, 16)), (Some("holds"), Some("ends")));
    }

    #[test]
    fn readers_at_different_places_of_a_partition_do_not_disturb_each_other() {
        let kept = ReadAhead::default();
        kept.put(piece(0, 0, 3, "one"));
        kept.put(piece(0, 100, 3, "other"));
        kept.put(piece(0, 100, 3, "the other again"));
        assert_eq!((taken(&kept, 0, 6), taken(&kept, 0, 106)), (Some("one"), Some("the other again")));
        assert_eq!(taken(&kept, 0, 106), None);
    }

    #[test]
    fn the_place_used_longest_ago_is_given_up_for_one_too_many() {
        let kept = ReadAhead::default();
        for index in 0..READ_AHEAD_PLACES_MAX {
            kept.put(piece(u32::try_from(index).unwrap(), 0, 1, "kept"));
        }
        let used = kept.take(partition(0), Offset::ZERO).unwrap();
        kept.put(used);
        kept.put(piece(1_000, 0, 1, "new"));
        let left = |index| taken(&kept, index, 0);
        assert_eq!((left(0), left(1), left(2), left(1_000)), (Some("kept"), None, Some("kept"), Some("new")));
    }

    #[test]
    fn nothing_is_kept_of_a_partition_that_is_forgotten() {
        let kept = ReadAhead::default();
        kept.put(piece(0, 0, 3, "a"));
        kept.put(piece(0, 100, 3, "b"));
        kept.put(piece(1, 0, 3, "c"));
        kept.forget(partition(0));
        assert_eq!((taken(&kept, 0, 0), taken(&kept, 0, 100), taken(&kept, 1, 0)), (None, None, Some("c")));
    }

    #[test]
    fn a_piece_is_read_from_its_middle_and_within_bounds() {
        let piece = piece(0, 10, 3, "a");
        let read = |start, end, bytes_max| -> Vec<u64> {
            let wanted = OffsetRange::new(Offset::new(start), Offset::new(end));
            piece.read(wanted, bytes_max).iter().map(|batch| batch.offsets().start.get()).collect()
        };
        assert_eq!(read(13, 100, 1 << 20), [12, 14]);
        assert_eq!(read(10, 13, 1 << 20), [10, 12]);
        assert_eq!(read(10, 100, 1), [10]);
        assert!(read(9, 100, 1 << 20).is_empty() && read(16, 100, 1 << 20).is_empty());
    }
}
