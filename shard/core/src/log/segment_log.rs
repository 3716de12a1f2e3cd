//! Lays the log of one partition out in segment files: where each flush goes, when a segment is left, what is deleted.
//!
//! One append, one sync and one round of retention may be under way at a time, each in a lane of its own; whoever
//! started one asks `poll` what is next for it. Every write starts on a fresh block, behind everything written before.

use std::{collections::VecDeque, ops::Range};

use super::{config::Retention, flush::Flush, recovery::RecoveredLog, segment::Segment};
use crate::{
    format::{durable_ends::DurableEnd, record_batch::RecordBatch, segment_header::SegmentHeader},
    limits,
    model::{LeaderEpoch, Offset, Timestamp, TopicPartition},
};

mod append;
mod effect;
mod read_plan;
mod retention;
mod upkeep;

pub use effect::{Lane, SegmentEffect, SegmentEvent, Step};
pub use read_plan::{KnownPlace, ReadPlan};
use retention::Round;

/// Whose log it is, and how large its segments grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLogConfig {
    /// The partition.
    pub partition: TopicPartition,
    /// Its owner, which the headers of new segments name.
    pub epoch: LeaderEpoch,
    /// The size at which a segment is left and the next begun.
    pub segment_bytes_max: u64,
}

/// The segments of one partition's log: what is in them, and what is being done to them.
#[derive(Debug)]
pub struct SegmentLog {
    config: SegmentLogConfig,
    /// In order; the last one is written to. Empty before the first append.
    segments: VecDeque<Segment>,
    last: LastSegment,
    log_start: Offset,
    written_end: Offset,
    durable_end: Offset,
    newest: Timestamp,
    append: Option<Append>,
    /// What a sync that was asked for has to cover.
    sync_to: Option<Offset>,
    retention: Option<Round>,
    /// The end of what a sync in flight covers.
    syncing: Option<Offset>,
    /// Zeros are in place up to here in the last segment.
    prepared_end: u64,
    /// A part of what is prepared of which it is certain that its blocks are there.
    in_place: Range<u64>,
    /// A prepare in flight ends here; it starts at `prepared_end`.
    preparing_end: Option<u64>,
    /// What waits to be done beside everything else.
    upkeep: VecDeque<SegmentEffect>,
    /// How many segments are being sealed.
    sealing: usize,
    /// Nothing was written to the last segment since the log was opened or the segment sealed.
    sealed: bool,
    closing: bool,
    failed: Option<String>,
}

/// Whether the last segment can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastSegment {
    There,
    /// It is asked for and not there yet.
    BeingCreated {
        /// For a round of retention, and not for an append.
        for_retention: bool,
    },
    /// It was to be left and is not: it may still be being cut to what it held.
    BeingSealed,
}

/// An append that was begun.
#[derive(Debug)]
struct Append {
    flush: Flush,
    durable: bool,
    phase: AppendPhase,
}

/// How far an append has come.
#[derive(Debug)]
enum AppendPhase {
    /// It waits for its turn.
    Waiting,
    /// It is being written from `start` up to `end`.
    Writing { start: u64, end: u64 },
    /// There was no room for it, and some of it may lie behind `start`.
    NoRoom { start: u64, reason: String },
    /// What may lie there is being removed.
    Undoing { reason: String },
    /// Nothing of it is there.
    Rejected { reason: String },
}

impl SegmentLog {
    /// The log as it was recovered.
    #[must_use]
    pub fn open(config: SegmentLogConfig, recovered: RecoveredLog) -> Self {
        let (end, newest) = (recovered.log_end, recovered.newest());
        Self {
            config,
            log_start: recovered.log_start,
            prepared_end: recovered.segments.last().map_or(0, |last| last.end),
            segments: recovered.segments.into(),
            last: LastSegment::There,
            written_end: end,
            durable_end: end,
            newest,
            append: None,
            sync_to: None,
            retention: None,
            syncing: None,
            in_place: 0..0,
            preparing_end: None,
            upkeep: VecDeque::new(),
            sealing: 0,
            sealed: true,
            closing: false,
            failed: None,
        }
    }

    /// What is next in a lane; to be asked after the operation was begun and after each event.
    pub fn poll(&mut self, lane: Lane) -> Step {
        match lane {
            Lane::Append => self.poll_append(),
            Lane::Sync => self.poll_sync(),
            Lane::Retention => self.poll_retention(),
            Lane::Upkeep => self.poll_upkeep(),
        }
    }

    /// Takes the end of something that was to be done.
    pub fn on_event(&mut self, event: SegmentEvent) {
        match event {
            SegmentEvent::Created => self.last = LastSegment::There,
            SegmentEvent::NotCreated { reason } => self.on_not_created(reason),
            SegmentEvent::Prepared => self.on_prepared(true),
            SegmentEvent::Unprepared => self.on_prepared(false),
            SegmentEvent::Written => self.on_written(),
            SegmentEvent::NotWritten { reason, touched } => self.on_not_written(reason, touched),
            SegmentEvent::Undone => self.on_undone(),
            SegmentEvent::Synced => {
                if let Some(end) = self.syncing.take() {
                    self.durable_end = self.durable_end.max(end);
                }
            }
            SegmentEvent::Sealed => self.on_sealed(),
            SegmentEvent::StartNoted { durable } => self.on_start_noted(durable),
            SegmentEvent::Deleted => {}
            SegmentEvent::DirectorySynced => self.retention = None,
            SegmentEvent::Failed { reason } => self.fail(reason),
        }
    }

    /// Nothing more is begun: the last segment is sealed once everything under way has ended.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Whether it was told to close.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether nothing at all is under way or wanted.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        let sealed = self.sealed || !self.closing || self.failed.is_some() || self.durable_end < self.written_end;
        sealed && self.is_still() && self.retention.is_none() && self.upkeep.is_empty() && self.sealing == 0
    }

    /// How it was opened.
    #[must_use]
    pub const fn config(&self) -> SegmentLogConfig {
        self.config
    }

    /// The base offsets of its segments, in order.
    #[must_use]
    pub fn segment_bases(&self) -> Vec<Offset> {
        self.segments.iter().map(|segment| segment.base).collect()
    }

    /// The offset of the first record still there, or the end if there is none.
    #[must_use]
    pub const fn log_start(&self) -> Offset {
        self.log_start
    }

    /// The offset behind the last record written.
    #[must_use]
    pub const fn written_end(&self) -> Offset {
        self.written_end
    }

    /// The offset below which everything is on the disk.
    #[must_use]
    pub const fn durable_end(&self) -> Offset {
        self.durable_end
    }

    /// The newest time of any record.
    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.newest
    }

    /// The bytes of all segments, up to the end of what was written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }

    /// What to write down, so that the next start knows what has to be there, and what need not.
    #[must_use]
    pub fn durable_point(&self) -> DurableEnd {
        let last = self.segments.back();
        DurableEnd {
            partition: self.config.partition,
            leader_epoch: self.config.epoch,
            segment: last.map_or(self.written_end, |last| last.base),
            position: last.map_or(0, |last| last.end),
            durable_end: self.durable_end,
            log_start: self.noted_start(),
        }
    }

    /// Why the log takes nothing any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether no file of the log is being made, written or synced.
    const fn is_still(&self) -> bool {
        matches!(self.last, LastSegment::There)
            && self.append.is_none()
            && self.preparing_end.is_none()
            && self.syncing.is_none()
    }

    fn has_unsynced(&self) -> bool {
        self.durable_end < self.written_end
    }

    /// Starts a sync of the last segment, the only one in which anything may need it.
    fn start_sync(&mut self) -> Step {
        let Some(last) = self.segments.back() else { return Step::Done };
        self.syncing = Some(self.written_end);
        Step::Do(SegmentEffect::Sync { segment: last.base })
    }

    /// Leaves the last segment, all of which is on the disk, and begins another at `base`.
    fn roll(&mut self, base: Offset, now: Timestamp, for_retention: bool) -> Step {
        self.seal(base);
        let created = self.newest.max(now);
        let header = SegmentHeader {
            partition: self.config.partition,
            base_offset: base,
            leader_epoch: self.config.epoch,
            created_at: created,
        };
        self.segments.push_back(Segment::new(base, created));
        self.prepared_end = limits::BLOCK_BYTES;
        self.in_place = 0..0;
        self.last = LastSegment::BeingCreated { for_retention };
        self.sealed = true;
        Step::Do(SegmentEffect::Create { segment: base, header: header.encode() })
    }

    fn seal(&mut self, end: Offset) {
        if let Some(last) = self.segments.back() {
            let index = last.to_index(self.config.partition, end).encode();
            self.upkeep.push_back(SegmentEffect::Seal { segment: last.base, length: last.end, index });
        }
    }

    /// Goes back to the segment that was to be left, once it is no longer being cut to what it held.
    fn on_not_created(&mut self, reason: String) {
        let LastSegment::BeingCreated { for_retention } = self.last else { return };
        self.last = if self.sealing > 0 { LastSegment::BeingSealed } else { LastSegment::There };
        self.segments.pop_back();
        self.prepared_end = self.segments.back().map_or(0, |last| last.end);
        self.in_place = 0..0;
        let planned = self.upkeep.len();
        self.upkeep.retain(|effect| !matches!(effect, SegmentEffect::Seal { .. }));
        self.sealed = self.upkeep.len() == planned;
        if for_retention {
            self.retention = None;
        } else if let Some(append) = &mut self.append {
            append.phase = AppendPhase::Rejected { reason };
        }
    }

    fn fail(&mut self, reason: String) {
        self.failed.get_or_insert(reason);
        self.last = LastSegment::There;
        self.preparing_end = None;
        self.syncing = None;
        self.append = None;
        self.sync_to = None;
        self.retention = None;
        self.upkeep.clear();
    }
}

#[cfg(test)]
mod tests;
