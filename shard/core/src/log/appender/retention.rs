//! Which segments have been kept long enough.

use super::{LogEffect, PartitionLog, Timestamp};

impl PartitionLog {
    /// Lets go of the oldest segments that the configuration does not ask to be kept, acked or not; never of the one
    /// that is written to.
    pub fn enforce_retention(&mut self, now: Timestamp) {
        let mut bytes = self.bytes();
        while self.segments.len() > 1 && !self.creating {
            let Some(oldest) = self.segments.front() else { return };
            let without = bytes - oldest.end;
            let expired = self.config.retention.is_some_and(|kept| {
                let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
                oldest.newest.plus_millis(kept_ms) < now
            });
            let surplus = self.config.retention_bytes.is_some_and(|kept| without >= kept);
            if !expired && !surplus {
                return;
            }
            bytes = without;
            let segment = oldest.base;
            self.segments.pop_front();
            self.log_start = self.segments.front().map_or(self.log_end, |first| first.base);
            self.effects.push_back(LogEffect::DeleteSegment { segment });
        }
    }
}
