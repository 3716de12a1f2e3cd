//! The id of a stream entry: where its batch ends, and how late the log had become by then.

use std::fmt;

use crate::model::{Offset, Timestamp};

/// Names one batch in a partition's stream: `<offset after the batch>-<latest timestamp up to it, ms>`.
///
/// The end of a batch, not its base, because the batch that holds an offset is then the first entry with a greater id:
/// one `XRANGE` from there reads it and what follows. Trimming with `MINID` keeps just what holds the log's start, and
/// the end of the log is the id of its last entry. The first id that a stream allows is 0-1, which no batch needs.
///
/// The latest timestamp is that of any batch so far, so that it never falls along the stream even if the clock did: a
/// time is found by bisection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId {
    end: Offset,
    latest_ms: u64,
}

impl EntryId {
    /// Names the batch that ends at `end`; times before 1970 count as 1970.
    #[must_use]
    pub fn new(end: Offset, latest: Timestamp) -> Self {
        Self { end, latest_ms: u64::try_from(latest.as_millis()).unwrap_or(0) }
    }

    /// Reads what Redis gave; `None` for anything that `Display` doesn't write.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|byte| *byte == b'-')?;
        let (end, rest) = text.split_at(dash);
        Some(Self { end: Offset::new(number(end)?), latest_ms: number(rest.get(1..)?)? })
    }

    /// The lowest id of an entry whose batch holds `offset` or lies after it.
    #[must_use]
    pub fn first_holding(offset: Offset) -> String {
        offset.next().to_string()
    }

    /// The offset after the batch.
    #[must_use]
    pub const fn end(self) -> Offset {
        self.end
    }

    /// The latest timestamp of the log up to and with the batch.
    #[must_use]
    pub fn latest(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.latest_ms).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.end, self.latest_ms)
    }
}

/// A number as Redis and this code write it: digits, and nothing else.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_says_where_the_batch_ends_and_when() {
        let id = EntryId::new(Offset::new(1042), Timestamp::from_millis(1_700_000_000_123));
        assert_eq!(id.to_string(), "1042-1700000000123");
        assert_eq!(EntryId::first_holding(Offset::new(1041)), "1042");
    }

    #[test]
    fn a_time_before_1970_is_no_negative_number() {
        assert_eq!(EntryId::new(Offset::new(1), Timestamp::from_millis(-5)).to_string(), "1-0");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "-", "1", "1-", "-1", "+1-1", "1-2-3", "1- 2", "18446744073709551616-0", "a-b"] {
            assert_eq!(EntryId::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_read_as_it_was_written(end: u64, millis in 0..i64::MAX) {
            let id = EntryId::new(Offset::new(end), Timestamp::from_millis(millis));
            prop_assert_eq!(EntryId::parse(id.to_string().as_bytes()), Some(id));
        }
    }
}
