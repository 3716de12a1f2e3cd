//! Which segments have been kept long enough: the start is written down first, then they are deleted, oldest first.

use std::collections::VecDeque;

use super::{LastSegment, Offset, Retention, Segment, SegmentEffect, SegmentLog, Step, Timestamp, limits};

/// One round of retention.
#[derive(Debug)]
pub(super) struct Round {
    now: Timestamp,
    keep: Retention,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The last segment may have to be left, so that it can be deleted some time.
    Leaving,
    /// What goes has to be decided.
    Deciding,
    /// So many segments go once the new start is written down.
    Noting { count: usize, start: Offset },
    /// These files are to be removed.
    Deleting { left: VecDeque<Offset> },
    /// The directory is being synced.
    Syncing,
}

impl SegmentLog {
    /// Begins to let go of the oldest segments that need not be kept, acked or not; never of the one that is written to.
    /// A round lets go of a bounded number, so that a clock that jumps does not empty a log at once.
    ///
    /// A last segment whose first record is old enough is left for a new one, so that a log that is hardly written to,
    /// or not at all, is emptied too; its end stays where it is, and offsets go on from there.
    ///
    /// # Panics
    /// If another round is under way.
    pub fn begin_retention(&mut self, now: Timestamp, keep: Retention) {
        assert!(self.retention.is_none(), "one round of retention is under way at a time");
        self.retention = Some(Round { now, keep, phase: Phase::Leaving });
    }

    pub(super) fn poll_retention(&mut self) -> Step {
        if self.failed.is_some() {
            self.retention = None;
            return Step::Failed;
        }
        let Some(Round { now, keep, phase }) = &mut self.retention else { return Step::Done };
        let (now, keep) = (*now, *keep);
        match phase {
            Phase::Leaving => self.leave_last(now, keep),
            Phase::Deciding => self.decide(now, keep),
            Phase::Deleting { left } => {
                if let Some(segment) = left.pop_front() {
                    return Step::Do(SegmentEffect::Delete { segment });
                }
                *phase = Phase::Syncing;
                Step::Do(SegmentEffect::SyncDirectory)
            }
            Phase::Noting { .. } | Phase::Syncing => Step::Wait,
        }
    }

    /// Where the log is to start, as far as that may be written down already.
    pub(super) fn noted_start(&self) -> Offset {
        match self.retention {
            Some(Round { phase: Phase::Noting { start, .. }, .. }) => start,
            Some(_) | None => self.log_start,
        }
    }

    pub(super) fn on_start_noted(&mut self, durable: bool) {
        let Some(Round { phase: Phase::Noting { count, start }, .. }) = &self.retention else { return };
        let (count, start) = (*count, *start);
        if !durable || self.failed.is_some() {
            self.retention = None;
            return;
        }
        self.log_start = start;
        let left = self.segments.drain(..count).map(|segment| segment.base).collect();
        self.set_phase(Phase::Deleting { left });
    }

    fn leave_last(&mut self, now: Timestamp, keep: Retention) -> Step {
        let is_old = |last: &Segment| !last.is_empty() && keep.has_passed(last.created, now);
        if self.segments.back().is_some_and(is_old) && self.is_still() && !self.closing {
            if self.has_unsynced() {
                return self.start_sync();
            }
            self.set_phase(Phase::Deciding);
            return self.roll(self.written_end, now, true);
        }
        self.set_phase(Phase::Deciding);
        self.decide(now, keep)
    }

    fn decide(&mut self, now: Timestamp, keep: Retention) -> Step {
        // While the last segment may not be there, the one before it carries the log's end: were it deleted, a restart
        // would give the same offsets anew.
        let in_doubt = matches!(self.last, LastSegment::BeingCreated { .. });
        let count = if in_doubt { 0 } else { self.expired(now, keep) };
        let Some(first_kept) = self.segments.get(count).filter(|_| count > 0) else {
            self.retention = None;
            return Step::Done;
        };
        let start = first_kept.base;
        self.set_phase(Phase::Noting { count, start });
        Step::Do(SegmentEffect::NoteStart { start })
    }

    /// How many of the oldest segments may go.
    fn expired(&self, now: Timestamp, keep: Retention) -> usize {
        let mut bytes = self.bytes();
        let mut count = 0;
        let candidates = self.segments.len().saturating_sub(1).min(limits::RETENTION_SEGMENTS_MAX);
        for (oldest, next) in self.segments.iter().zip(self.segments.iter().skip(1)).take(candidates) {
            if keep.below.is_some_and(|below| next.base > below) {
                break;
            }
            let without = bytes - oldest.end;
            let surplus = keep.bytes.is_some_and(|kept| without >= kept);
            if !surplus && !keep.has_passed(oldest.ages_from(), now) {
                break;
            }
            (bytes, count) = (without, count + 1);
        }
        count
    }

    fn set_phase(&mut self, next: Phase) {
        if let Some(round) = &mut self.retention {
            round.phase = next;
        }
    }
}
