//! What a subscription has acked of a partition: everything below a floor, and ranges above it.

use std::collections::BTreeMap;

use crate::model::{Offset, OffsetRange};

/// The acked offsets of one subscription on one partition; its memory grows with the gaps between them only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    floor: Offset,
    /// Start to end of each acked range above the floor: none is empty, none touches another or the floor.
    ranges: BTreeMap<Offset, Offset>,
    /// How many offsets `ranges` holds.
    acked_above: u64,
}

impl Cursor {
    /// A cursor that has acked what lies below `floor` and nothing else.
    #[must_use]
    pub const fn new(floor: Offset) -> Self {
        Self { floor, ranges: BTreeMap::new(), acked_above: 0 }
    }

    /// Acks one offset; returns whether it was not acked before.
    pub fn ack(&mut self, offset: Offset) -> bool {
        self.ack_range(OffsetRange::new(offset, offset.next())) == 1
    }

    /// Acks a range; returns how many of its offsets were not acked before.
    pub fn ack_range(&mut self, range: OffsetRange) -> u64 {
        let mut start = range.start.max(self.floor);
        let mut end = range.end;
        if start >= end {
            return 0;
        }
        let mut already = 0;
        if let Some((&before, &before_end)) = self.ranges.range(..start).next_back()
            && before_end >= start
        {
            start = before;
        }
        while let Some((&next, &next_end)) = self.ranges.range(start..=end).next() {
            self.ranges.remove(&next);
            already += next_end.since(next);
            end = end.max(next_end);
        }
        self.acked_above -= already;
        if start == self.floor {
            self.floor = end;
        } else {
            self.ranges.insert(start, end);
            self.acked_above += end.since(start);
        }
        end.since(start) - already
    }

    /// Acks ranges in any order. Many at once cost a sort and one walk over what there was, and not a search each.
    pub fn ack_all(&mut self, mut acked: Vec<OffsetRange>) {
        if acked.len() < self.ranges.len() / 16 {
            for range in acked {
                self.ack_range(range);
            }
            return;
        }
        acked.extend(self.acked_ranges());
        acked.retain(|range| range.start < range.end && range.end > self.floor);
        acked.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<(Offset, Offset)> = Vec::new();
        let mut floor = self.floor;
        for OffsetRange { start, end } in acked {
            match joined.last_mut() {
                _ if start <= floor => floor = floor.max(end),
                Some((_, last)) if start <= *last => *last = end.max(*last),
                Some(_) | None => joined.push((start, end)),
            }
        }
        self.floor = floor;
        self.acked_above = joined.iter().map(|&(start, end)| end.since(start)).sum();
        self.ranges = joined.into_iter().collect();
    }

    /// Acks every offset below `to`; returns how many were not acked before.
    pub fn ack_below(&mut self, to: Offset) -> u64 {
        self.ack_range(OffsetRange::new(self.floor, to))
    }

    /// Every offset below it is acked, it itself is not.
    #[must_use]
    pub const fn floor(&self) -> Offset {
        self.floor
    }

    /// Whether `offset` is acked.
    #[must_use]
    pub fn is_acked(&self, offset: Offset) -> bool {
        offset < self.floor || self.range_end(offset).is_some()
    }

    /// The first offset at or after `from` that is not acked.
    #[must_use]
    pub fn next_unacked(&self, from: Offset) -> Offset {
        let from = from.max(self.floor);
        self.range_end(from).unwrap_or(from)
    }

    /// How many offsets below `high_watermark` are not acked; no offset at or above it has been.
    #[must_use]
    pub const fn backlog(&self, high_watermark: Offset) -> u64 {
        high_watermark.since(self.floor).saturating_sub(self.acked_above)
    }

    /// How many offsets below `to` are not acked, wherever `to` is; its cost grows with the ranges below it.
    #[must_use]
    pub fn backlog_below(&self, to: Offset) -> u64 {
        let acked: u64 = self.ranges.range(..to).map(|(&start, &end)| end.min(to).since(start)).sum();
        to.since(self.floor) - acked
    }

    /// The acked ranges above the floor, in order; between any two of them lies a gap.
    #[must_use]
    pub fn acked_ranges(&self) -> impl ExactSizeIterator<Item = OffsetRange> + '_ {
        self.ranges.iter().map(|(&start, &end)| OffsetRange::new(start, end))
    }

    /// The end of the range above the floor that holds `offset`.
    fn range_end(&self, offset: Offset) -> Option<Offset> {
        self.ranges.range(..=offset).next_back().map(|(_, &end)| end).filter(|&end| offset < end)
    }
}

#[cfg(test)]
mod tests;
