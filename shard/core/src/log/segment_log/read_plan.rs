//! Where to look: for an offset, for a time.

use super::{Offset, Segment, SegmentLog, Timestamp, limits};

/// Where on disk to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPlan {
    /// The segment.
    pub segment: Offset,
    /// The start of a flush at or before the offset asked for.
    pub position: u64,
    /// The position behind the segment's last flush.
    pub end: u64,
    /// The next place behind the offset asked for of which more is known.
    pub known: KnownPlace,
}

/// A place at which a flush starts, or behind a segment's last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPlace {
    /// The position in the file.
    pub position: u64,
    /// The offset of the first record behind it.
    pub offset: Offset,
}

impl SegmentLog {
    /// Where on disk to look for `offset`; `None` if no segment holds it.
    #[must_use]
    pub fn read_plan(&self, offset: Offset) -> Option<ReadPlan> {
        self.read_plans(offset).first().copied()
    }

    /// Where on disk to look for `offset`, the best place first; the others are for when an index proves wrong: the place
    /// before it, and the whole segment to the end of its file.
    #[must_use]
    pub fn read_plans(&self, offset: Offset) -> Vec<ReadPlan> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        let held = offset >= self.log_start && offset < self.written_end;
        let Some(segment) = after.checked_sub(1).and_then(|at| self.segments.get(at)).filter(|_| held) else {
            return Vec::new();
        };
        let following = self.segments.get(after);
        let end_offset = following.map_or(self.written_end, |following| following.base);
        let at_end = KnownPlace { position: segment.end, offset: end_offset };
        let known = segment.place_after(offset).unwrap_or(at_end);
        let plan = |position| ReadPlan { segment: segment.base, position, end: segment.end, known };
        let mut plans: Vec<_> = segment.places_before(offset).map(plan).collect();
        // Where the last segment ends is known from what was written to it.
        let end = if following.is_some() { u64::MAX } else { segment.end };
        let known = KnownPlace { position: end, offset: end_offset };
        plans.push(ReadPlan { segment: segment.base, position: limits::BLOCK_BYTES, end, known });
        plans
    }

    /// A segment's index has proved wrong at this position: it is not looked at there any more.
    pub fn forget_place(&mut self, segment: Offset, position: u64) {
        if let Some(segment) = self.segments.iter_mut().find(|known| known.base == segment) {
            segment.forget_place(position);
        }
    }

    /// An offset at or after `from` before which, from `from` on, no message is to be delivered after `at`; the messages
    /// themselves are found by reading on.
    #[must_use]
    pub fn scheduled_from(&self, from: Offset, at: Timestamp) -> Offset {
        let following = self.segments.iter().skip(1).map(|next| next.base).chain([self.written_end]);
        let holds = |(segment, end): &(&Segment, Offset)| segment.deliver_at > at && *end > from;
        let found = self.segments.iter().zip(following).find(holds);
        found.map_or(self.written_end, |(segment, _)| segment.base).max(from)
    }

    /// An offset at or after `from` before which, from `from` on, every batch is plain.
    #[must_use]
    pub fn plain_to(&self, from: Offset) -> Offset {
        let after = self.segments.partition_point(|segment| segment.base <= from);
        let special = self.segments.iter().skip(after.saturating_sub(1)).find(|segment| !segment.plain);
        special.map_or(self.written_end, |segment| segment.base).max(from)
    }

    /// An offset before which no record was taken at `at` or later; the record itself is found by reading on.
    #[must_use]
    pub fn offset_before(&self, at: Timestamp) -> Offset {
        let newer = self.segments.iter().find(|segment: &&Segment| segment.newest >= at);
        newer.map_or(self.written_end, |segment| segment.offset_before(at).max(self.log_start))
    }
}
