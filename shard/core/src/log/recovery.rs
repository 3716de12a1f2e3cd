//! Finds out what a log holds after a stop of any kind: verifies it, cuts a torn tail, refuses damage.
//!
//! What lies above the last known durable end was perhaps never finished: it is kept as far as it is whole, and cut
//! from there. What lies below it was acknowledged: if it is not whole, the partition must stay closed.

use bytes::Bytes;

use super::{
    scanner::{BatchScanner, Scanned},
    segment::Segment,
};
use crate::{
    format::{
        record_batch::{BatchError, RecordBatch},
        segment_header::{SegmentHeader, SegmentHeaderError},
    },
    limits,
    model::{LeaderEpoch, Offset, Timestamp, TopicPartition},
};

mod resume;

use resume::Resumed;

/// Recovers one log: the driver reads its segments in order and hands the bytes in.
#[derive(Debug)]
pub struct LogRecovery {
    partition: TopicPartition,
    known: KnownLog,
    segments: Vec<Segment>,
    /// The offset that comes next; none before the first segment.
    next: Option<Offset>,
    epoch: LeaderEpoch,
    /// Whether the segment being read is the log's last one.
    in_last: bool,
    /// The last segment has no valid header, for this reason: it may only go if nothing else is in it.
    unfinished: Option<(Offset, SegmentHeaderError)>,
    /// Where in the segment at hand its index had the recovery begin.
    resumed: Option<Resumed>,
    cut: Option<Cut>,
}

/// What was written down of a log before the stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownLog {
    /// Everything below was known to be on the disk.
    pub durable_end: Offset,
    /// Where retention had the log start, if that was written down at all: it is the base of a segment.
    pub log_start: Option<Offset>,
}

/// What the driver does next with the segment at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryStep {
    /// Read from `position`, at least `bytes_min` bytes if the file has them, and `feed` them.
    Read {
        /// A position in the file, not aligned to anything.
        position: u64,
        /// How many bytes are needed to get further.
        bytes_min: usize,
    },
    /// This segment is done; begin the next.
    Done,
    /// The segment's creation was never finished and nothing is in it: delete the file.
    Discard,
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredLog {
    /// In order.
    pub segments: Vec<Segment>,
    /// The offset of the first record still there, or the end if there is none.
    pub log_start: Offset,
    /// The next offset to be assigned.
    pub log_end: Offset,
    /// Where the last segment was cut; the driver zeroes the rest of that block, cuts the file behind it and syncs,
    /// before the log is opened.
    pub cut: Option<Cut>,
}

/// The end of what is whole in the last segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub segment: Offset,
    /// The position behind the last whole batch.
    pub position: u64,
    /// What was wrong with what follows; `None` if nothing follows.
    pub torn: Option<String>,
}

/// Why a log can't be opened. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment {segment} is damaged at position {position}, offset {offset}: {reason}")]
pub struct DamagedLog {
    /// The segment, by its base offset.
    pub segment: Offset,
    /// The position in its file.
    pub position: u64,
    /// The first offset that can't be read.
    pub offset: Offset,
    /// Whether it may be whole, and only of a version that this software does not know.
    pub is_unknown: bool,
    /// For people.
    pub reason: String,
}

impl KnownLog {
    /// How many of the oldest segments of `bases` retention had given up, all of their records lying below the start.
    ///
    /// Their files are to be removed, oldest first, before the recovery begins; some of them may be gone already, in any
    /// order.
    #[must_use]
    pub fn expired_segments(&self, bases: &[Offset]) -> usize {
        let Some(start) = self.log_start else { return 0 };
        bases.iter().skip(1).take_while(|&&next| next <= start).count()
    }

    /// Everything below was on the disk; a start of a log is the end of segments that were synced.
    pub(super) fn durable_end(&self) -> Offset {
        self.durable_end.max(self.log_start.unwrap_or_default())
    }
}

impl RecoveredLog {
    /// No record was taken later.
    #[must_use]
    pub fn newest(&self) -> Timestamp {
        let newest = self.segments.iter().map(|segment| segment.newest.max(segment.created)).max();
        newest.unwrap_or_default().max(Timestamp::default())
    }
}

impl LogRecovery {
    /// Starts a recovery of what `known` says was on the disk, without the segments that are expired.
    #[must_use]
    pub const fn new(partition: TopicPartition, known: KnownLog) -> Self {
        Self {
            partition,
            known,
            segments: Vec::new(),
            next: None,
            epoch: LeaderEpoch::new(0),
            in_last: false,
            unfinished: None,
            resumed: None,
            cut: None,
        }
    }

    /// Begins the next segment in order, given its first block.
    ///
    /// # Errors
    /// The segment is not the one that has to come here, or its header is damaged.
    pub fn begin(&mut self, base: Offset, is_last: bool, first_block: &[u8]) -> Result<RecoveryStep, DamagedLog> {
        self.in_last = is_last;
        self.resumed = None;
        let at_start =
            |reason: String| DamagedLog { segment: base, position: 0, offset: base, is_unknown: false, reason };
        if let Some(next) = self.next.filter(|&next| next != base) {
            return Err(at_start(format!("the log before it ends at offset {next}")));
        }
        // Nothing is deleted before the new start is written down.
        if let (None, Some(start)) = (self.next, self.known.log_start.filter(|&start| start < base)) {
            return Err(at_start(format!("the segment before it is missing, the log starts at offset {start}")));
        }
        let header = match SegmentHeader::decode(first_block) {
            Ok(header) => header,
            Err(error @ (SegmentHeaderError::Version { .. } | SegmentHeaderError::BlockBytes { .. })) => {
                return Err(DamagedLog { is_unknown: true, ..at_start(error.to_string()) });
            }
            // Older segments go only once the next is there: one that stands alone was finished, but for the very first.
            Err(error) if is_last && base >= self.known.durable_end() && self.next.unwrap_or_default() == base => {
                self.next = Some(base);
                self.unfinished = Some((base, error));
                return Ok(RecoveryStep::Read { position: limits::BLOCK_BYTES, bytes_min: 1 });
            }
            Err(error) => return Err(at_start(error.to_string())),
        };
        if header.partition != self.partition || header.base_offset != base {
            let reason = format!("it is segment {} of partition {}", header.base_offset, header.partition);
            return Err(at_start(reason));
        }
        self.next = Some(base);
        self.segments.push(Segment::new(base, header.created_at));
        Ok(RecoveryStep::Read { position: limits::BLOCK_BYTES, bytes_min: 1 })
    }

    /// Takes bytes of the segment at hand; `at_end` says that the file has none behind them.
    ///
    /// # Errors
    /// Something that was on the disk is no longer whole.
    ///
    /// # Panics
    /// Before `begin`.
    pub fn feed(&mut self, position: u64, bytes: Bytes, at_end: bool) -> Result<RecoveryStep, DamagedLog> {
        if let Some((segment, error)) = self.unfinished {
            // Nothing is written behind a header before it is durable.
            if bytes.iter().all(|&byte| byte == 0) {
                return Ok(RecoveryStep::Discard);
            }
            let reason = error.to_string();
            return Err(DamagedLog { segment, position: 0, offset: segment, is_unknown: false, reason });
        }
        let step = self.walk(position, bytes, at_end);
        match (self.resumed, &step) {
            // Not even the first batch is where the index has it: the index is wrong, whatever it says.
            (Some(resumed), Err(_) | Ok(RecoveryStep::Done)) if self.next == Some(resumed.offset) => {
                Ok(self.read_whole(resumed))
            }
            (Some(_) | None, _) => step,
        }
    }

    /// What the log holds, after its last segment.
    ///
    /// # Errors
    /// The log ends before what is known to have been on the disk.
    pub fn finish(self) -> Result<RecoveredLog, DamagedLog> {
        let log_end = self.next.unwrap_or_default();
        if log_end < self.known.durable_end() {
            let reason = format!("the log ends at offset {log_end}, it was durable up to {}", self.known.durable_end());
            let segment = self.segments.last().map_or(Offset::ZERO, |last| last.base);
            return Err(DamagedLog { segment, position: 0, offset: log_end, is_unknown: false, reason });
        }
        let log_start = self.segments.first().map_or(log_end, |first| first.base);
        Ok(RecoveredLog { segments: self.segments, log_start, log_end, cut: self.cut })
    }

    /// Takes batch after batch, as far as `bytes` go.
    fn walk(&mut self, position: u64, bytes: Bytes, at_end: bool) -> Result<RecoveryStep, DamagedLog> {
        let available = bytes.len();
        let mut scanner = BatchScanner::new(position, bytes);
        loop {
            match scanner.advance() {
                Scanned::Batch { position, batch } => {
                    if let Err(reason) = self.take(position, &batch) {
                        return self.end_segment(position, Some(reason));
                    }
                }
                Scanned::More { position, .. } if at_end => {
                    return self.end_segment(position, Some("the file ends within a batch".into()));
                }
                Scanned::More { position, needed } => {
                    return Ok(RecoveryStep::Read { position, bytes_min: needed.max(1) });
                }
                Scanned::Blank { position: blank } if !at_end && blank == position + widen(available) => {
                    return Ok(RecoveryStep::Read { position: blank, bytes_min: 1 });
                }
                Scanned::Blank { position } => return self.end_segment(position, None),
                Scanned::Damage { position, error } => {
                    if let BatchError::Version { .. } | BatchError::Attributes { .. } = error {
                        return Err(DamagedLog { is_unknown: true, ..self.damage(position, error.to_string()) });
                    }
                    return self.end_segment(position, Some(error.to_string()));
                }
            }
        }
    }

    fn take(&mut self, position: u64, batch: &RecordBatch) -> Result<(), String> {
        let (offsets, epoch) = (batch.offsets(), batch.header().leader_epoch);
        let next = self.next.unwrap_or_default();
        if offsets.start != next {
            return Err(format!("a batch with offset {} stands where {next} comes next", offsets.start));
        }
        if epoch < self.epoch {
            return Err(format!("a batch of leader epoch {epoch} follows one of {}", self.epoch));
        }
        let segment = self.segments.last_mut().expect("`begin` came first");
        segment.note(position, batch.header(), batch.latest_deliver_at());
        segment.end = (position + widen(batch.bytes().len())).next_multiple_of(limits::BLOCK_BYTES);
        (self.next, self.epoch) = (Some(offsets.end), epoch);
        Ok(())
    }

    /// The whole batches of a segment end at `position`; `torn` says what is wrong with what follows, if anything is.
    fn end_segment(&mut self, position: u64, torn: Option<String>) -> Result<RecoveryStep, DamagedLog> {
        let next = self.next.unwrap_or_default();
        match torn {
            Some(reason) if !self.in_last || next < self.known.durable_end() => Err(self.damage(position, reason)),
            torn => {
                if self.in_last {
                    let segment = self.segments.last().expect("`begin` came first").base;
                    self.cut = Some(Cut { segment, position, torn });
                }
                Ok(RecoveryStep::Done)
            }
        }
    }

    fn damage(&self, position: u64, reason: String) -> DamagedLog {
        let segment = self.segments.last().map_or(Offset::ZERO, |last| last.base);
        DamagedLog { segment, position, offset: self.next.unwrap_or_default(), is_unknown: false, reason }
    }
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests;
