//! Which segments have been kept long enough.

use super::{LogEffect, PartitionLog, Timestamp, limits};

impl PartitionLog {
    /// Lets go of the oldest segments that the configuration does not ask to be kept, acked or not; never of the one
    /// that is written to. A round lets go of a bounded number, so that a clock that jumps does not empty a log at once.
    pub fn enforce_retention(&mut self, now: Timestamp) {
        let mut bytes = self.bytes();
        // While the last segment may not be there, the one before it carries the log's end: were it deleted, a restart
        // would give the same offsets anew.
        if self.creating || self.failed.is_some() {
            return;
        }
        for _ in 0..limits::RETENTION_SEGMENTS_MAX.min(self.segments.len().saturating_sub(1)) {
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
