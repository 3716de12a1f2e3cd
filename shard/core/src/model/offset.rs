//! Offsets: positions of records in a partition, dense from 0.

use std::fmt;

/// The position of one record in its partition.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Offset(u64);

/// A half-open range of offsets: `start` is in it, `end` is not.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct OffsetRange {
    /// The first offset of the range.
    pub start: Offset,
    /// The first offset after the range.
    pub end: Offset,
}

impl Offset {
    /// The offset of a partition's first record.
    pub const ZERO: Self = Self(0);

    /// Wraps a position.
    #[must_use]
    pub const fn new(offset: u64) -> Self {
        Self(offset)
    }

    /// The position, for formats and clients.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The offset `count` records on.
    ///
    /// # Panics
    /// Past `u64::MAX`, which a partition can't reach.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        match self.0.checked_add(count) {
            Some(offset) => Self(offset),
            None => panic!("an offset overflowed"),
        }
    }

    /// The offset of the next record.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// How many records lie from `earlier` up to this offset; 0 if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl OffsetRange {
    /// The range from `start` up to, and without, `end`.
    #[must_use]
    pub const fn new(start: Offset, end: Offset) -> Self {
        Self { start, end }
    }

    /// How many offsets the range holds.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end.since(self.start)
    }

    /// Whether the range holds no offset.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `offset` lies in the range.
    #[must_use]
    pub fn contains(&self, offset: Offset) -> bool {
        self.start <= offset && offset < self.end
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
