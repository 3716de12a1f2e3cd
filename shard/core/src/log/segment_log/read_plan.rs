//! Where to look: for an offset, for a time.

use super::{Offset, SegmentLog, Timestamp};

/// Where on disk to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPlan {
    /// The segment.
    pub segment: Offset,
    /// The start of a flush at or before the offset asked for.
    pub position: u64,
    /// The position behind the segment's last flush.
    pub end: u64,
}

impl SegmentLog {
    /// Where on disk to look for `offset`; `None` if no segment holds it.
    #[must_use]
    pub fn read_plan(&self, offset: Offset) -> Option<ReadPlan> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (offset >= self.log_start && offset < self.written_end).then(|| ReadPlan {
            segment: segment.base,
            position: segment.position_before(offset),
            end: segment.end,
        })
    }

    /// An offset before which no record was taken at `at` or later; the record itself is found by reading on.
    #[must_use]
    pub fn offset_before(&self, at: Timestamp) -> Offset {
        let newer = self.segments.iter().find(|segment| segment.newest >= at);
        newer.map_or(self.written_end, |segment| segment.offset_before(at).max(self.log_start))
    }
}
