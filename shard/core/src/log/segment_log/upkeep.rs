//! What nobody waits for: zeros ahead of the log, indexes of segments that are done.

use super::{Append, AppendPhase, LastSegment, SegmentEffect, SegmentLog, Step, limits};

impl SegmentLog {
    pub(super) fn poll_upkeep(&mut self) -> Step {
        self.plan_prepare();
        self.plan_last_seal();
        let Some(effect) = self.upkeep.pop_front() else { return Step::Done };
        if matches!(effect, SegmentEffect::Seal { .. }) {
            self.sealing += 1;
        }
        Step::Do(effect)
    }

    pub(super) fn on_sealed(&mut self) {
        self.sealing = self.sealing.saturating_sub(1);
        if self.sealing == 0 && self.last == LastSegment::BeingSealed {
            self.last = LastSegment::There;
        }
    }

    /// A range was prepared as far as there was room, which may be not at all; whether all of it `is_there`.
    pub(super) fn on_prepared(&mut self, is_there: bool) {
        let from = self.prepared_end;
        self.prepared_end = self.preparing_end.take().unwrap_or(from);
        if is_there {
            let start = if self.in_place.end == from { self.in_place.start } else { from };
            self.in_place = start..self.prepared_end;
        }
    }

    fn plan_prepare(&mut self) {
        let Some(last) = self.segments.back() else { return };
        let Some(Append { durable: true, phase: AppendPhase::Writing { start, end }, .. }) = self.append else {
            return;
        };
        // Only small durable writes gain by it; an idle log prepares nothing.
        if self.preparing_end.is_some() || self.closing || end - start > limits::PREPARE_FLUSH_BYTES_MAX {
            return;
        }
        let step = (end / 2).next_power_of_two().clamp(limits::PREPARE_BYTES_MIN, limits::PREPARE_BYTES_MAX);
        let from = self.prepared_end.max(end);
        let target = (from + step).min(self.config.segment_bytes_max.next_multiple_of(limits::BLOCK_BYTES));
        if from - end > step / 2 || target <= from {
            return;
        }
        let segment = last.base;
        self.prepared_end = from;
        self.preparing_end = Some(target);
        self.upkeep.push_back(SegmentEffect::Prepare { segment, position: from, length: target - from });
    }

    /// At the end the last segment gets its index too, so that the next start need not read all of it.
    fn plan_last_seal(&mut self) {
        let settled = self.is_still() && !self.has_unsynced() && self.failed.is_none();
        if self.closing && settled && !self.sealed {
            self.seal(self.written_end);
            self.sealed = true;
        }
    }
}
