//! Appends to one partition on its owner: assigns offsets, groups flushes, releases acknowledgements.

use std::collections::VecDeque;

use super::{
    config::{FlushPolicy, LogConfig},
    effect::{LogEffect, LogEvent, Reached},
    recovery::RecoveredLog,
    segment::Segment,
};
use crate::{
    format::{
        record_batch::{RecordBatch, UnassignedBatch},
        segment_header::SegmentHeader,
    },
    limits,
    model::{LeaderEpoch, Monotonic, Offset, OffsetRange, RequestId, Timestamp, TopicPartition},
};

mod flight;
mod retention;

use flight::{Flight, Pending};

/// The log of one partition: what waits for the disk, what is on it, and where.
///
/// One write is in flight at a time; what is appended meanwhile shares the next. Every write starts on a fresh block.
#[derive(Debug)]
pub struct PartitionLog {
    partition: TopicPartition,
    epoch: LeaderEpoch,
    config: LogConfig,
    /// In order; the last one is written to. Empty before the first append.
    segments: VecDeque<Segment>,
    /// The last segment is asked for and not there yet.
    creating: bool,
    log_start: Offset,
    log_end: Offset,
    written_end: Offset,
    durable_end: Offset,
    high_watermark: Offset,
    newest: Timestamp,
    pending: VecDeque<Pending>,
    /// Bytes appended and not written, those in flight included.
    unflushed_bytes: u64,
    flight: Option<Flight>,
    /// Zeros are in place up to here in the last segment.
    prepared_end: u64,
    /// A prepare in flight ends here; it starts at `prepared_end`.
    preparing_end: Option<u64>,
    sync_due: Option<Monotonic>,
    /// The end of what a sync in flight covers.
    syncing: Option<Offset>,
    /// How many segments are being sealed.
    sealing: usize,
    /// Nothing was written to the last segment since the log was opened or the segment sealed.
    sealed: bool,
    failed: Option<String>,
    stopping: bool,
    effects: VecDeque<LogEffect>,
}

/// Why an append was refused. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum AppendError {
    #[error("{unflushed_bytes} bytes wait for the disk, the limit is {unflushed_bytes_max}")]
    Backpressure { unflushed_bytes: u64, unflushed_bytes_max: u64 },
    #[error("the log failed: {reason}")]
    Failed { reason: String },
    #[error("the log is being closed")]
    Stopping,
}

/// Where on disk to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPlan {
    /// The segment.
    pub segment: Offset,
    /// The start of a flush at or before the offset asked for.
    pub position: u64,
    /// The position behind the segment's last flush.
    pub end: u64,
}

impl PartitionLog {
    /// The log as it was recovered, for its owner in `epoch`.
    #[must_use]
    pub fn open(partition: TopicPartition, epoch: LeaderEpoch, config: LogConfig, recovered: RecoveredLog) -> Self {
        let end = recovered.log_end;
        let segments: VecDeque<Segment> = recovered.segments.into();
        let newest = segments.iter().map(|segment| segment.newest).max().unwrap_or_default();
        Self {
            partition,
            epoch,
            config,
            log_start: segments.front().map_or(end, |first| first.base),
            prepared_end: segments.back().map_or(0, |last| last.end),
            segments,
            creating: false,
            log_end: end,
            written_end: end,
            durable_end: end,
            high_watermark: end,
            newest: newest.max(Timestamp::default()),
            pending: VecDeque::new(),
            unflushed_bytes: 0,
            flight: None,
            preparing_end: None,
            sync_due: None,
            syncing: None,
            sealing: 0,
            sealed: true,
            failed: None,
            stopping: false,
            effects: VecDeque::new(),
        }
    }

    /// Accepts one batch; `Acknowledge` or `Refuse` follows.
    ///
    /// # Errors
    /// Nothing was accepted.
    pub fn append(
        &mut self,
        now: Timestamp,
        request: RequestId,
        batch: UnassignedBatch,
    ) -> Result<Offset, AppendError> {
        if let Some(reason) = &self.failed {
            return Err(AppendError::Failed { reason: reason.clone() });
        }
        if self.stopping {
            return Err(AppendError::Stopping);
        }
        let (unflushed_bytes, unflushed_bytes_max) = (self.unflushed_bytes, self.config.unflushed_bytes_max);
        if unflushed_bytes > 0 && unflushed_bytes + widen(batch.len()) > unflushed_bytes_max {
            return Err(AppendError::Backpressure { unflushed_bytes, unflushed_bytes_max });
        }
        // Times of a log never go back, also when the clock does.
        self.newest = self.newest.max(now);
        let base = self.log_end;
        let batch = batch.assign(base, self.epoch, self.newest);
        self.log_end = batch.offsets().end;
        self.unflushed_bytes += widen(batch.bytes().len());
        self.pending.push_back(Pending { request, batch });
        Ok(base)
    }

    /// Takes the end of something that an effect started.
    pub fn on_event(&mut self, now: Monotonic, event: LogEvent) {
        match event {
            LogEvent::SegmentCreated => self.creating = false,
            LogEvent::Prepared => self.prepared_end = self.preparing_end.take().unwrap_or(self.prepared_end),
            LogEvent::Written => self.on_written(now),
            LogEvent::Synced => self.on_synced(),
            LogEvent::Sealed => self.sealing = self.sealing.saturating_sub(1),
            LogEvent::Failed { reason } => self.fail(reason),
        }
    }

    /// Starts a sync that is due.
    pub fn on_deadline(&mut self, now: Monotonic) {
        if self.next_deadline().is_some_and(|due| due <= now) {
            self.start_sync();
        }
    }

    /// When `on_deadline` has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.sync_due.filter(|_| self.syncing.is_none())
    }

    /// The next thing to do; call until `None`, after all events at hand were given, so that appends share a write.
    pub fn poll_effect(&mut self) -> Option<LogEffect> {
        if self.effects.is_empty() {
            self.plan_write();
            self.plan_prepare();
            self.plan_last_seal();
        }
        self.effects.pop_front()
    }

    /// Takes a new configuration from now on.
    pub fn configure(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Refuses appends from now on, and sees to it that those accepted reach the disk.
    pub fn begin_shutdown(&mut self) {
        self.stopping = true;
        if self.durable_end < self.written_end {
            self.start_sync();
        }
    }

    /// Whether nothing is under way and everything accepted is on the disk, or never will be.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let sealed = self.sealed || !self.stopping;
        let settled = self.failed.is_some() || (sealed && self.durable_end == self.log_end);
        settled && self.is_at_rest() && self.sealing == 0 && self.effects.is_empty()
    }

    /// Where on disk to look for `offset`; `None` if no segment holds it.
    #[must_use]
    pub fn read_plan(&self, offset: Offset) -> Option<ReadPlan> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (offset >= self.log_start && offset < self.written_end).then(|| ReadPlan {
            segment: segment.base,
            position: segment.position_before(offset),
            end: segment.end,
        })
    }

    /// An offset before which no record was taken at `at` or later; the record itself is found by reading on.
    #[must_use]
    pub fn offset_before(&self, at: Timestamp) -> Offset {
        let newer = self.segments.iter().find(|segment| segment.newest >= at);
        newer.map_or(self.written_end, |segment| segment.offset_before(at).max(self.log_start))
    }

    /// The offsets consumers see: from the first still there to the high watermark.
    #[must_use]
    pub fn readable(&self) -> OffsetRange {
        OffsetRange::new(self.log_start, self.high_watermark)
    }

    /// The offset below which consumers see messages; it never falls.
    #[must_use]
    pub const fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The offset below which everything is on this disk.
    #[must_use]
    pub const fn durable_end(&self) -> Offset {
        self.durable_end
    }

    /// The next offset to be assigned.
    #[must_use]
    pub const fn log_end(&self) -> Offset {
        self.log_end
    }

    /// The base offset of the segment that is written to, and the position behind its last flush.
    #[must_use]
    pub fn last_segment(&self) -> Option<(Offset, u64)> {
        self.segments.back().map(|last| (last.base, last.end))
    }

    /// Which owner appends.
    #[must_use]
    pub const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The bytes of all segments, up to the end of what was written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }

    /// Why the log takes no appends any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn is_at_rest(&self) -> bool {
        !self.creating && self.flight.is_none() && self.preparing_end.is_none() && self.syncing.is_none()
    }

    fn plan_write(&mut self) {
        if self.creating || self.flight.is_some() || self.failed.is_some() {
            return;
        }
        let Some(first) = self.pending.front() else { return };
        let (base, first_bytes) = (first.batch.offsets().start, widen(first.batch.bytes().len()));
        let full =
            |last: &Segment| last.end > limits::BLOCK_BYTES && last.end + first_bytes > self.config.segment_bytes_max;
        if self.segments.back().is_none_or(full) {
            // A prepare in flight belongs to the old segment: it has to end first.
            if self.preparing_end.is_none() && self.syncing.is_none() {
                self.roll(base);
            }
            return;
        }
        let durable = self.config.flush == FlushPolicy::Always;
        if durable && self.durable_end < self.written_end {
            // The policy was another one before: a durable write makes nothing durable but itself.
            self.start_sync();
            return;
        }
        let flight = Flight::take(&mut self.pending, self.segments.back().map_or(0, |last| last.end), durable);
        // Zeros on their way must not land on the batches.
        if self.preparing_end.is_some() && self.prepared_end < flight.end {
            flight.give_back(&mut self.pending);
            return;
        }
        self.effects.push_back(LogEffect::Write {
            segment: self.segments.back().map_or(base, |last| last.base),
            position: flight.start,
            batches: flight.batches().cloned().collect(),
            padded_bytes: usize::try_from(flight.end - flight.start).expect("a flush fits in memory"),
            durable,
        });
        self.flight = Some(flight);
        self.sealed = false;
    }

    fn plan_prepare(&mut self) {
        let (Some(last), Some(flight)) = (self.segments.back(), &self.flight) else { return };
        if self.preparing_end.is_some() || self.stopping {
            return;
        }
        // Only small durable writes gain by it; an idle log, whose flight is none, prepares nothing.
        let end = flight.end;
        if !flight.durable || end - flight.start > limits::PREPARE_FLUSH_BYTES_MAX {
            return;
        }
        let step = (end / 2).next_power_of_two().clamp(limits::PREPARE_BYTES_MIN, limits::PREPARE_BYTES_MAX);
        let start = self.prepared_end.max(end);
        let target = (start + step).min(self.config.segment_bytes_max.next_multiple_of(limits::BLOCK_BYTES));
        if start - end > step / 2 || target <= start {
            return;
        }
        self.prepared_end = start;
        self.preparing_end = Some(target);
        let (segment, length) = (last.base, target - start);
        self.effects.push_back(LogEffect::Prepare { segment, position: start, length });
    }

    /// At a stop, the last segment gets its index too, so that the next start need not read all of it.
    fn plan_last_seal(&mut self) {
        let done = self.durable_end == self.log_end && self.is_at_rest() && self.failed.is_none();
        if self.stopping && done && !self.sealed {
            self.seal(self.log_end);
            self.sealed = true;
        }
    }

    fn seal(&mut self, end: Offset) {
        if let Some(last) = self.segments.back() {
            let index = last.to_index(self.partition, end).encode();
            self.effects.push_back(LogEffect::Seal { segment: last.base, length: last.end, index });
            self.sealing += 1;
        }
    }

    fn roll(&mut self, base: Offset) {
        if !self.segments.is_empty() {
            // What a buffered segment holds is synced before it is left.
            if self.durable_end < self.written_end {
                self.start_sync();
                return;
            }
            self.seal(base);
        }
        let header = SegmentHeader {
            partition: self.partition,
            base_offset: base,
            leader_epoch: self.epoch,
            created_at: self.newest,
        };
        self.segments.push_back(Segment::new(base, limits::BLOCK_BYTES));
        self.prepared_end = limits::BLOCK_BYTES;
        self.creating = true;
        self.effects.push_back(LogEffect::CreateSegment { segment: base, header: header.encode() });
    }

    fn on_written(&mut self, now: Monotonic) {
        let Some(flight) = self.flight.take() else { return };
        let last = self.segments.back_mut().expect("a flight has a segment");
        last.end = flight.end;
        let mut position = flight.start;
        for batch in flight.batches() {
            last.note(position, batch.header());
            position += widen(batch.bytes().len());
        }
        self.written_end = flight.offsets_end();
        self.unflushed_bytes -= position - flight.start;
        let reached = if flight.durable {
            self.durable_end = self.written_end;
            Reached::Disk
        } else {
            if let FlushPolicy::Interval(interval) = self.config.flush {
                self.sync_due.get_or_insert(now.plus(interval));
            }
            Reached::Written
        };
        self.high_watermark = self.written_end;
        if self.stopping && self.durable_end < self.written_end {
            self.start_sync();
        }
        self.effects.extend(flight.acknowledgements(reached));
        self.effects.push_back(LogEffect::HighWatermark(self.high_watermark));
    }

    fn start_sync(&mut self) {
        let Some(last) = self.segments.back() else { return };
        if self.syncing.is_none() && self.failed.is_none() {
            self.sync_due = None;
            self.syncing = Some(self.written_end);
            self.effects.push_back(LogEffect::Sync { segment: last.base });
        }
    }

    fn on_synced(&mut self) {
        if let Some(end) = self.syncing.take() {
            self.durable_end = self.durable_end.max(end);
        }
        if self.stopping && self.durable_end < self.written_end {
            self.start_sync();
        }
    }

    fn fail(&mut self, reason: String) {
        self.creating = false;
        self.preparing_end = None;
        self.syncing = None;
        self.sync_due = None;
        let in_flight = self.flight.take().into_iter().flat_map(Flight::into_requests);
        let waiting = self.pending.drain(..).map(|pending| pending.request);
        for request in in_flight.chain(waiting) {
            self.effects.push_back(LogEffect::Refuse { request });
        }
        self.failed.get_or_insert(reason);
    }
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests;
