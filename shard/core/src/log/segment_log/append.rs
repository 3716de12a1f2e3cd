//! Appends and syncs: into which segment a flush goes, what has to end before it, and what is left of one that found no
//! room.

use super::{
    Append, AppendPhase, Flush, LastSegment, Offset, RecordBatch, Segment, SegmentEffect, SegmentLog, Step, limits,
};

impl SegmentLog {
    /// Begins to append batches, which follow what was written before; the driver keeps them for the write.
    ///
    /// With `durable`, the append ends when they and everything before them are on the disk.
    ///
    /// # Panics
    /// If another append is under way, or the batches are none or don't follow.
    pub fn begin_append(&mut self, batches: &[RecordBatch], durable: bool) {
        assert!(self.append.is_none(), "one append is under way at a time");
        let flush = Flush::of(batches).expect("an append holds a batch");
        assert!(flush.offsets.start == self.written_end, "batches follow what was written");
        self.append = self.failed.is_none().then_some(Append { flush, durable, phase: AppendPhase::Waiting });
    }

    /// Whether an append of these batches that begins now finds its blocks in place: no lack of room can keep it from there.
    #[must_use]
    pub fn finds_room(&self, batches: &[RecordBatch]) -> bool {
        let (Some(last), Some(flush)) = (self.segments.back(), Flush::of(batches)) else { return false };
        let is_ready = self.failed.is_none() && self.append.is_none() && self.last == LastSegment::There;
        let end = (last.end + flush.bytes).next_multiple_of(limits::BLOCK_BYTES);
        is_ready && !self.is_full(last, &flush) && self.in_place.start <= last.end && end <= self.in_place.end
    }

    fn is_full(&self, last: &Segment, flush: &Flush) -> bool {
        !last.is_empty() && last.end + flush.first_bytes > self.config.segment_bytes_max
    }

    /// Begins to make durable what was written so far.
    pub fn begin_sync(&mut self) {
        self.sync_to = Some(self.written_end);
    }

    pub(super) fn poll_append(&mut self) -> Step {
        if self.failed.is_some() {
            return Step::Failed;
        }
        let Some(Append { flush, durable, phase }) = &self.append else { return Step::Done };
        match phase {
            AppendPhase::Waiting => self.place(*flush, *durable),
            AppendPhase::NoRoom { .. } => self.undo(),
            AppendPhase::Writing { .. } | AppendPhase::Undoing { .. } => Step::Wait,
            AppendPhase::Rejected { reason } => {
                let reason = reason.clone();
                self.append = None;
                Step::Rejected { reason }
            }
        }
    }

    pub(super) fn poll_sync(&mut self) -> Step {
        if self.failed.is_some() {
            return Step::Failed;
        }
        match self.sync_to {
            Some(end) if self.durable_end < end && self.syncing.is_some() => Step::Wait,
            Some(end) if self.durable_end < end => self.start_sync(),
            Some(_) | None => {
                self.sync_to = None;
                Step::Done
            }
        }
    }

    pub(super) fn on_written(&mut self) {
        let Some(Append { flush, durable, phase: AppendPhase::Writing { end, .. } }) = self.append.take() else {
            return;
        };
        let last = self.segments.back_mut().expect("a write has a segment");
        last.note_flush(&flush, end);
        self.written_end = flush.offsets.end;
        self.newest = self.newest.max(flush.newest);
        if durable {
            self.durable_end = self.written_end;
        }
    }

    pub(super) fn on_not_written(&mut self, reason: String, touched: bool) {
        let Some(Append { phase, .. }) = &mut self.append else { return };
        let AppendPhase::Writing { start, .. } = *phase else { return };
        *phase = if touched { AppendPhase::NoRoom { start, reason } } else { AppendPhase::Rejected { reason } };
    }

    pub(super) fn on_undone(&mut self) {
        let Some(Append { phase, .. }) = &mut self.append else { return };
        if let AppendPhase::Undoing { reason } = phase {
            *phase = AppendPhase::Rejected { reason: std::mem::take(reason) };
        }
    }

    /// Has everything done that comes before the write of an append, then the write.
    fn place(&mut self, flush: Flush, durable: bool) -> Step {
        if self.last != LastSegment::There {
            return Step::Wait;
        }
        let rolls = self.segments.back().is_none_or(|last| self.is_full(last, &flush));
        // What a buffered segment holds is synced before it is left; and a durable write makes nothing durable but
        // itself.
        if (rolls || durable) && self.has_unsynced() {
            return if self.syncing.is_some() { Step::Wait } else { self.start_sync() };
        }
        if rolls {
            // A prepare or a sync in flight belongs to the old segment: it has to end first.
            if self.preparing_end.is_some() || self.syncing.is_some() {
                return Step::Wait;
            }
            return self.roll(flush.offsets.start, flush.newest, false);
        }
        self.write(flush, durable)
    }

    fn write(&mut self, flush: Flush, durable: bool) -> Step {
        let (segment, start) = self.segments.back().map_or((Offset::ZERO, 0), |last| (last.base, last.end));
        let end = (start + flush.bytes).next_multiple_of(limits::BLOCK_BYTES);
        // Zeros on their way must not land on the batches.
        if self.preparing_end.is_some() && self.prepared_end < end {
            return Step::Wait;
        }
        self.append = Some(Append { flush, durable, phase: AppendPhase::Writing { start, end } });
        self.sealed = false;
        Step::Do(SegmentEffect::Write {
            segment,
            position: start,
            padded_bytes: usize::try_from(end - start).expect("a flush fits in memory"),
            durable,
        })
    }

    /// Cuts off whatever an append that found no room has left: it must not come back after it was refused.
    fn undo(&mut self) -> Step {
        // Zeros on their way would be written behind the cut.
        if self.preparing_end.is_some() {
            return Step::Wait;
        }
        let Some(Append { phase, .. }) = &mut self.append else { return Step::Done };
        let (AppendPhase::NoRoom { start, reason }, Some(last)) = (phase, self.segments.back()) else {
            return Step::Wait;
        };
        let (length, reason) = (*start, std::mem::take(reason));
        self.prepared_end = length;
        self.in_place = 0..0;
        if let Some(append) = &mut self.append {
            append.phase = AppendPhase::Undoing { reason };
        }
        Step::Do(SegmentEffect::Undo { segment: last.base, length })
    }
}
