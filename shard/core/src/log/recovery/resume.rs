//! Where in a segment a recovery may begin: at its start, or at what its index file says of it.

use super::{LogRecovery, RecoveryStep, Segment, limits};
use crate::{
    format::offset_index::{IndexEntry, OffsetIndexFile},
    model::{LeaderEpoch, Offset},
};

/// A place in the segment at hand at which an index promised a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resumed {
    pub(super) offset: Offset,
    /// The epoch of the last batch before the segment.
    epoch: LeaderEpoch,
}

impl LogRecovery {
    /// Offers the index file of the segment that was just begun, which is `file_bytes` long; the segments after it
    /// begin at `following`. The step returned, if any, takes the place of the one `begin` returned.
    ///
    /// An index that is missing, damaged, of another file or older than the segment is of no use. A good one saves
    /// reading what was durable long ago; the last `limits::RECOVERY_VERIFY_BYTES` below the durable end are read all
    /// the same, and what is found there must be what the index says, or the segment is read whole.
    pub fn use_index(&mut self, index: &[u8], file_bytes: u64, following: &[Offset]) -> Option<RecoveryStep> {
        let &Segment { base, created, .. } = self.segments.last().filter(|_| self.unfinished.is_none())?;
        let index = OffsetIndexFile::decode(index).ok()?;
        let fits = index.partition == self.partition
            && index.base_offset == base
            && index.end_offset >= base
            && index.segment_bytes <= file_bytes
            && index.last_epoch >= self.epoch
            && following.first().is_none_or(|&next| next == index.end_offset);
        if !fits {
            return None;
        }
        // The segment before the last is looked at too: the last one may be short.
        if index.end_offset <= self.known.durable_end() && following.len() > 1 {
            self.next = Some(index.end_offset);
            self.epoch = index.last_epoch;
            self.replace_segment(Segment::from_index(index, created));
            return Some(RecoveryStep::Done);
        }
        let start = verified_from(&index.entries, self.known.durable_end())?;
        self.resumed = Some(Resumed { offset: start.offset, epoch: self.epoch });
        self.next = Some(start.offset);
        let mut segment = Segment::from_index(index, created);
        segment.rewind(start);
        self.replace_segment(segment);
        Some(RecoveryStep::Read { position: start.position, bytes_min: 1 })
    }

    /// Begins the segment at hand anew, from its first block.
    pub(super) fn read_whole(&mut self, resumed: Resumed) -> RecoveryStep {
        let begun = self.segments.last().map(|segment| Segment::new(segment.base, segment.created));
        self.resumed = None;
        self.cut = None;
        self.next = begun.as_ref().map(|segment| segment.base);
        self.epoch = resumed.epoch;
        self.replace_segment(begun.expect("`begin` came first"));
        RecoveryStep::Read { position: limits::BLOCK_BYTES, bytes_min: 1 }
    }

    fn replace_segment(&mut self, segment: Segment) {
        self.segments.pop();
        self.segments.push(segment);
    }
}

/// The entry to begin at, so that enough of what lies below the durable end is read.
fn verified_from(entries: &[IndexEntry], durable_end: Offset) -> Option<IndexEntry> {
    let durable = entries.iter().rev().find(|entry| entry.offset <= durable_end)?;
    let enough = |entry: &&IndexEntry| entry.position.saturating_add(limits::RECOVERY_VERIFY_BYTES) <= durable.position;
    let start = entries.iter().rev().find(enough)?;
    // Flushes alone are indexed, so anything else is not of our making.
    (start.position.is_multiple_of(limits::BLOCK_BYTES) && start.position >= limits::BLOCK_BYTES).then_some(*start)
}
