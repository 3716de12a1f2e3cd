//! Reads a log through to its end, past whatever is damaged: all that a check of stored data has to tell.
//!
//! Recovery stops at the first fault, since the partition then stays closed. A survey says how far the fault reaches
//! and what else there is: behind a batch whose header is whole it goes on at once, otherwise at the next block on which a
//! batch begins, since every flush starts on a block.

use bytes::Bytes;

use super::{
    KnownLog,
    scanner::{BatchScanner, Scanned},
};
use crate::{
    format::{
        record_batch::{BatchError, BatchHeader, RecordBatch},
        segment_header::{SegmentHeader, SegmentHeaderError},
    },
    limits,
    model::{LeaderEpoch, Offset, OffsetRange, TopicPartition},
};

/// Surveys one log: the driver reads its segments in order and hands all their bytes in.
#[derive(Debug)]
pub struct LogSurvey {
    partition: TopicPartition,
    known: KnownLog,
    /// The offset that comes next; none before the first segment.
    next: Option<Offset>,
    epoch: LeaderEpoch,
    segment: Offset,
    /// The base of the segment after the one at hand.
    following: Option<Offset>,
    /// The last segment has no valid header, for this reason: if nothing else is in it, it was never finished.
    unfinished: Option<SegmentHeaderError>,
    /// What is being passed over.
    fault: Option<Fault>,
}

/// The beginning of a damage whose end is not met yet.
#[derive(Debug)]
struct Fault {
    position: u64,
    reason: String,
}

/// What the driver does next with the segment at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurveyStep {
    /// Read from `position`, at least `bytes_min` bytes if the file has them, and `feed` them.
    Read {
        /// A position in the file, not aligned to anything.
        position: u64,
        /// How many bytes are needed to get further.
        bytes_min: usize,
    },
    /// This segment is done; begin the next.
    Done,
}

/// What a survey meets, in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Surveyed {
    /// A whole batch, its checksums verified.
    Batch {
        /// Where it lies in the segment.
        position: u64,
        /// The batch.
        batch: RecordBatch,
    },
    /// Something that should be whole is not.
    Damage(LogDamage),
    /// What follows in the last segment was perhaps never finished, and nothing of it was acknowledged.
    TornTail {
        /// Where it begins in the segment.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A piece of a log that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDamage {
    /// The segment, by its base offset.
    pub segment: Offset,
    /// Where it begins in the file.
    pub position: u64,
    /// The records that can't be read for it; none if it is in what stands around them.
    pub lost: OffsetRange,
    /// For people.
    pub reason: String,
}

impl LogSurvey {
    /// Starts a survey of what `known` says was on the disk, without the segments that are expired.
    #[must_use]
    pub const fn new(partition: TopicPartition, known: KnownLog) -> Self {
        Self {
            partition,
            known,
            next: None,
            epoch: LeaderEpoch::new(0),
            segment: Offset::ZERO,
            following: None,
            unfinished: None,
            fault: None,
        }
    }

    /// Begins the next segment in order, given its first block and the base of the one after it.
    pub fn begin(
        &mut self,
        base: Offset,
        following: Option<Offset>,
        first_block: &[u8],
        found: &mut impl FnMut(Surveyed),
    ) -> SurveyStep {
        (self.segment, self.following) = (base, following);
        (self.unfinished, self.fault) = (None, None);
        let missing_from = self.known.log_start.filter(|&start| start < base);
        match (self.next, missing_from) {
            (Some(next), _) if next != base => {
                found(self.damage(0, next, base, format!("the log before it ends at offset {next}")));
            }
            (None, Some(start)) => {
                let reason = format!("the segment before it is missing, the log starts at offset {start}");
                found(self.damage(0, start, base, reason));
            }
            (Some(_) | None, _) => {}
        }
        let is_in_order = self.next.unwrap_or_default() == base;
        self.next = Some(base);
        match SegmentHeader::decode(first_block) {
            Ok(header) if header.partition != self.partition || header.base_offset != base => {
                let reason = format!("it is segment {} of partition {}", header.base_offset, header.partition);
                return self.lose_segment(reason, found);
            }
            Ok(_) => {}
            Err(error @ (SegmentHeaderError::Version { .. } | SegmentHeaderError::BlockBytes { .. })) => {
                return self.lose_segment(error.to_string(), found);
            }
            Err(error) if self.may_be_torn() && is_in_order => self.unfinished = Some(error),
            // The batches have checksums of their own.
            Err(error) => found(self.damage(0, base, base, error.to_string())),
        }
        SurveyStep::Read { position: limits::BLOCK_BYTES, bytes_min: 1 }
    }

    /// Takes bytes of the segment at hand; `at_end` says that the file has none behind them.
    pub fn feed(&mut self, position: u64, bytes: &Bytes, at_end: bool, found: &mut impl FnMut(Surveyed)) -> SurveyStep {
        if let Some(error) = self.unfinished.take() {
            // Nothing is written behind a header before it is durable.
            if bytes.iter().any(|&byte| byte != 0) {
                return self.lose_segment(error.to_string(), found);
            }
            found(Surveyed::TornTail { position: 0, reason: error.to_string() });
            return SurveyStep::Done;
        }
        let end = position + widen(bytes.len());
        let mut at = position;
        while at < end {
            let piece = Piece { start: at, bytes: bytes.slice(narrow(at - position)..), at_end };
            match self.walk(&piece, found) {
                Walked::To(next) => at = next,
                Walked::Short { position, bytes_min } => return SurveyStep::Read { position, bytes_min },
                Walked::Done => return SurveyStep::Done,
            }
        }
        if !at_end {
            return SurveyStep::Read { position: at, bytes_min: 1 };
        }
        self.end_segment(end, found);
        SurveyStep::Done
    }

    /// What is missing from the log after its last segment, or if it has none.
    #[must_use]
    pub fn finish(&self) -> Option<LogDamage> {
        let end = self.next.unwrap_or_default();
        let durable_end = self.known.durable_end();
        let start = self.known.log_start.unwrap_or_default();
        let reason = || format!("the log ends at offset {end}, it was durable up to {durable_end}");
        (end < durable_end).then(|| LogDamage {
            segment: self.segment,
            position: 0,
            lost: OffsetRange::new(end.max(start), durable_end),
            reason: reason(),
        })
    }

    /// The offset behind the last record that is there, or should be.
    #[must_use]
    pub fn log_end(&self) -> Offset {
        self.next.unwrap_or_default()
    }

    /// Takes batch after batch, as far as the piece goes or is whole.
    fn walk(&mut self, piece: &Piece, found: &mut impl FnMut(Surveyed)) -> Walked {
        let end = piece.start + widen(piece.bytes.len());
        let mut scanner = BatchScanner::new(piece.start, piece.bytes.clone());
        loop {
            match scanner.advance() {
                Scanned::Batch { position, batch } => {
                    if !self.take(position, batch, found) {
                        return Walked::Done;
                    }
                }
                Scanned::More { position, needed } if !piece.at_end => {
                    return Walked::Short { position, bytes_min: needed.max(1) };
                }
                Scanned::More { position, .. } => {
                    return self.meet(position, "the file ends within a batch".to_owned(), found);
                }
                Scanned::Blank { position } if position >= end => return Walked::To(end),
                Scanned::Blank { .. } if self.is_complete() => return Walked::Done,
                Scanned::Blank { position } => return self.meet(position, "nothing is written here".to_owned(), found),
                Scanned::Damage { position, error } => {
                    let bytes = piece.bytes.get(narrow(position - piece.start)..).unwrap_or_default();
                    return self.on_damage(position, error, BatchHeader::decode(bytes).ok(), found);
                }
            }
        }
    }

    /// Takes a whole batch; whether there is more to look at.
    fn take(&mut self, position: u64, batch: RecordBatch, found: &mut impl FnMut(Surveyed)) -> bool {
        let header = *batch.header();
        if self.fault.is_some() {
            // What lies between may be anything, a payload that holds a batch too.
            if !self.may_follow(&header) {
                return true;
            }
            self.settle(header.base_offset, found);
        } else if let Some(reason) = self.objection(&header) {
            if self.may_be_torn() {
                found(Surveyed::TornTail { position, reason });
                return false;
            }
            found(self.damage(position, self.log_end(), header.base_offset, reason));
        }
        (self.next, self.epoch) = (Some(header.offsets().end), header.leader_epoch);
        found(Surveyed::Batch { position, batch });
        true
    }

    /// Goes on behind something that is no batch.
    fn on_damage(
        &mut self,
        position: u64,
        error: BatchError,
        header: Option<BatchHeader>,
        found: &mut impl FnMut(Surveyed),
    ) -> Walked {
        match (error, header) {
            // Not torn: nobody tears a batch and leaves its checksum right.
            (BatchError::Version { .. } | BatchError::Attributes { .. }, _) => {
                self.fault.get_or_insert_with(|| Fault { position, reason: error.to_string() });
                Walked::To(next_block(position))
            }
            // The header's checksum holds for where the batch begins and how long it is, not for its number of records.
            (BatchError::BodyChecksum { .. }, Some(header)) if !self.may_be_torn() && self.may_begin(&header) => {
                if self.fault.is_none()
                    && let Some(reason) = self.objection(&header)
                {
                    self.fault = Some(Fault { position, reason });
                }
                self.settle(header.base_offset, found);
                (self.next, self.epoch) = (Some(header.base_offset), header.leader_epoch);
                self.fault = Some(Fault { position, reason: error.to_string() });
                Walked::To(position + widen(header.batch_length()))
            }
            (error, _) => self.meet(position, error.to_string(), found),
        }
    }

    /// Meets the beginning of a fault, unless one is being passed over; goes on at the next block.
    fn meet(&mut self, position: u64, reason: String, found: &mut impl FnMut(Surveyed)) -> Walked {
        if self.may_be_torn() {
            found(Surveyed::TornTail { position, reason });
            return Walked::Done;
        }
        self.fault.get_or_insert(Fault { position, reason });
        Walked::To(next_block(position))
    }

    /// The fault that was being passed over ends, and with it the log goes on at `to`.
    fn settle(&mut self, to: Offset, found: &mut impl FnMut(Surveyed)) {
        if let Some(Fault { position, reason }) = self.fault.take() {
            found(self.damage(position, self.log_end(), to, reason));
        }
    }

    /// The file ends at `end`: what should be in it and was not met is lost.
    fn end_segment(&mut self, end: u64, found: &mut impl FnMut(Surveyed)) {
        let (next, expected) = (self.log_end(), self.expected_end());
        if self.fault.is_none() && next < expected {
            let reason = match self.following {
                Some(following) => format!("the file ends here, the next segment begins at offset {following}"),
                None => format!("the log ends at offset {next}, it was durable up to {expected}"),
            };
            self.fault = Some(Fault { position: end, reason });
        }
        self.settle(expected, found);
        self.next = Some(next.max(expected));
    }

    /// Nothing of the segment at hand can be taken.
    fn lose_segment(&mut self, reason: String, found: &mut impl FnMut(Surveyed)) -> SurveyStep {
        let (base, expected) = (self.log_end(), self.expected_end());
        found(self.damage(0, base, expected, reason));
        self.next = Some(base.max(expected));
        SurveyStep::Done
    }

    fn damage(&self, position: u64, from: Offset, to: Offset, reason: String) -> Surveyed {
        let lost = OffsetRange::new(from, to.max(from));
        Surveyed::Damage(LogDamage { segment: self.segment, position, lost, reason })
    }

    /// What is wrong with the place of a batch, as a recovery sees it.
    fn objection(&self, header: &BatchHeader) -> Option<String> {
        let (next, base, epoch) = (self.log_end(), header.base_offset, header.leader_epoch);
        if base != next {
            return Some(format!("a batch with offset {base} stands where {next} comes next"));
        }
        (epoch < self.epoch).then(|| format!("a batch of leader epoch {epoch} follows one of {}", self.epoch))
    }

    /// Whether a batch behind a fault can be the log's.
    fn may_follow(&self, header: &BatchHeader) -> bool {
        let fits = self.following.is_none_or(|following| header.offsets().end <= following);
        fits && self.may_begin(header)
    }

    /// Whether a batch of the log can begin where this one does.
    fn may_begin(&self, header: &BatchHeader) -> bool {
        let fits = self.following.is_none_or(|following| header.base_offset < following);
        fits && header.base_offset >= self.log_end() && header.leader_epoch >= self.epoch
    }

    /// Whether what comes next was perhaps never finished.
    fn may_be_torn(&self) -> bool {
        self.fault.is_none() && self.following.is_none() && self.log_end() >= self.known.durable_end()
    }

    /// Whether all is there that has to be in this segment.
    fn is_complete(&self) -> bool {
        self.fault.is_none() && self.log_end() >= self.expected_end()
    }

    /// The offset to which this segment has to go at least.
    fn expected_end(&self) -> Offset {
        self.following.unwrap_or_else(|| self.known.durable_end())
    }
}

/// Bytes of a segment from a place on where a batch or a block starts.
struct Piece {
    start: u64,
    bytes: Bytes,
    /// The file has none behind them.
    at_end: bool,
}

/// How far a piece was walked.
enum Walked {
    /// Go on from here, which may lie behind the piece.
    To(u64),
    /// A batch begins here that needs more bytes.
    Short { position: u64, bytes_min: usize },
    /// The segment holds no more.
    Done,
}

const fn next_block(position: u64) -> u64 {
    (position + 1).next_multiple_of(limits::BLOCK_BYTES)
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}

fn narrow(length: u64) -> usize {
    usize::try_from(length).expect("it lies within bytes in memory")
}

#[cfg(test)]
mod tests;
