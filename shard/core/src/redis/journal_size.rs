//! When the cursor journal of a partition in Redis is worth replacing by a snapshot.

/// What the cursor journal holds: a first write, which is a snapshot once there was one, and those behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalSize {
    first_bytes: usize,
    later_bytes: usize,
    later_writes: usize,
}

/// With fewer bytes behind the snapshot, replacing it is not worth it.
const BYTES_MIN: usize = 256 << 10;
/// With more writes behind the snapshot, reading them takes too long, however small they are.
const WRITES_MAX: usize = 10_000;

impl JournalSize {
    /// A write was added.
    pub const fn on_appended(&mut self, bytes: usize) {
        if self.first_bytes == 0 {
            self.first_bytes = bytes;
        } else {
            self.later_bytes += bytes;
            self.later_writes += 1;
        }
    }

    /// Whether a snapshot would be worth it.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.later_writes > WRITES_MAX || self.later_bytes > (4 * self.first_bytes).max(BYTES_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_replaced_when_it_has_outgrown_its_snapshot() {
        let mut size = JournalSize::default();
        size.on_appended(BYTES_MIN);
        size.on_appended(4 * BYTES_MIN);
        assert!(!size.is_large());
        size.on_appended(1);
        assert!(size.is_large());
    }

    #[test]
    fn many_small_writes_are_replaced_too() {
        let mut size = JournalSize::default();
        for _ in 0..=WRITES_MAX {
            size.on_appended(1);
        }
        assert!(!size.is_large());
        size.on_appended(1);
        assert!(size.is_large());
    }
}
