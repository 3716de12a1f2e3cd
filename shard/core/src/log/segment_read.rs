//! Reads batches of one segment from a place on, past what is damaged before the offset that is wanted.
//!
//! A place comes from an index, which may be wrong; what is met there has to bear it out. What is damaged is passed over:
//! by its length where its header is whole, else block by block, since every flush starts on a block. A block may also lie
//! within a payload that looks like a batch: what is found that way counts only once an unbroken row of batches leads from
//! it to a place that is known.

use bytes::Bytes;

use super::{
    scanner::{BatchScanner, Scanned},
    segment_log::ReadPlan,
};
use crate::{
    format::record_batch::{BatchError, BatchHeader, RecordBatch},
    limits,
    model::{Offset, OffsetRange},
};

/// One read of one segment: the driver hands the bytes in.
#[derive(Debug)]
pub struct SegmentRead {
    plan: ReadPlan,
    wanted: OffsetRange,
    bytes_max: usize,
    found: Vec<(u64, RecordBatch)>,
    found_bytes: usize,
    /// The offset that comes next; none before the first batch.
    next: Option<Offset>,
    /// The first thing that is not whole.
    fault: Option<(u64, String)>,
    /// What is found may be no batch of the log at all.
    unsure: bool,
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadStep {
    /// Read from `position`, at least `bytes_min` bytes if the file has them, and `feed` them.
    Read {
        /// A position in the file, not aligned to anything.
        position: u64,
        /// How many bytes are needed to get further.
        bytes_min: usize,
    },
    /// Take what was found.
    Done,
    /// The offset wanted was not found.
    Failed(ReadFailure),
}

/// Why the offset wanted was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ReadFailure {
    /// For people.
    pub reason: String,
    /// Nothing bears out the place at which the read began: another place may do better.
    pub astray: bool,
    /// Nothing was read, and that says nothing of what is there: later it may be.
    pub away: bool,
}

impl SegmentRead {
    /// A read of the batches from the one that holds `wanted.start` on, up to `wanted.end` and about `bytes_max`; at least
    /// one.
    #[must_use]
    pub const fn new(plan: ReadPlan, wanted: OffsetRange, bytes_max: usize) -> Self {
        Self { plan, wanted, bytes_max, found: Vec::new(), found_bytes: 0, next: None, fault: None, unsure: false }
    }

    /// Where the read begins.
    #[must_use]
    pub const fn begin(&self) -> ReadStep {
        ReadStep::Read { position: self.plan.position, bytes_min: 1 }
    }

    /// Takes bytes of the segment; `at_end` says that the file has none behind them.
    pub fn feed(&mut self, position: u64, bytes: &Bytes, at_end: bool) -> ReadStep {
        let end = (position + widen(bytes.len())).min(self.plan.end);
        let bytes =
            bytes.get(..narrow(end.saturating_sub(position))).map_or_else(Bytes::new, |kept| bytes.slice_ref(kept));
        let mut at = position;
        while at < end {
            let Some(piece) = bytes.get(narrow(at - position)..).map(|piece| bytes.slice_ref(piece)) else { break };
            match self.walk(at, &piece, at_end || end >= self.plan.end) {
                Walked::To(next) => at = next,
                Walked::Ended(step) => return step,
            }
        }
        if at >= self.plan.end || at_end {
            return self.finish();
        }
        ReadStep::Read { position: at, bytes_min: 1 }
    }

    /// The batches found, with the positions at which they lie.
    #[must_use]
    pub fn into_found(self) -> Vec<(u64, RecordBatch)> {
        let mut bytes = 0;
        let mut found = self.found;
        let fits = |(_, batch): &&(u64, RecordBatch)| {
            let is_first = bytes == 0;
            bytes += batch.bytes().len();
            is_first || (bytes <= self.bytes_max && batch.offsets().start < self.wanted.end)
        };
        let count = found.iter().take_while(fits).count();
        found.truncate(count);
        found
    }

    fn walk(&mut self, start: u64, piece: &Bytes, is_last: bool) -> Walked {
        let end = start + widen(piece.len());
        let mut scanner = BatchScanner::new(start, piece.clone());
        loop {
            match scanner.advance() {
                Scanned::Batch { position, batch } => {
                    if let Some(step) = self.take(position, batch) {
                        return Walked::Ended(step);
                    }
                }
                // What is found is enough: the rest of a batch that is not taken anyway would cost another read.
                Scanned::More { needed, .. } if !is_last && self.is_full_with(needed) => {
                    return Walked::Ended(ReadStep::Done);
                }
                Scanned::More { position, needed } if !is_last => {
                    return Walked::Ended(ReadStep::Read { position, bytes_min: needed });
                }
                Scanned::More { position, .. } => {
                    return self.pass_over(position, "the file ends within a batch".into());
                }
                Scanned::Blank { position } if position >= end => return Walked::To(end),
                Scanned::Blank { position } => return self.pass_over(position, "nothing is written here".into()),
                Scanned::Damage { position, error } => {
                    let header = piece.get(narrow(position - start)..).and_then(|rest| BatchHeader::decode(rest).ok());
                    return self.on_damage(position, &error, header);
                }
            }
        }
    }

    /// Takes a whole batch; the read ends there if a step is given.
    fn take(&mut self, position: u64, batch: RecordBatch) -> Option<ReadStep> {
        let offsets = batch.offsets();
        let known = self.plan.known;
        if self.unsure && position >= known.position {
            // A row that misses the place that is known was none.
            if position != known.position || offsets.start != known.offset {
                return Some(self.lost(None));
            }
            self.unsure = false;
        }
        if self.next.is_some_and(|next| next != offsets.start) {
            let behind = self.next.is_none_or(|next| next < offsets.start);
            match (&self.fault, behind) {
                (None, _) => return Some(self.astray(offsets.start)),
                // It lies within what is damaged.
                (Some(_), false) => return None,
                (Some(_), true) => self.forget_found(),
            }
        }
        if self.found.is_empty() && offsets.start > self.wanted.start {
            let is_astray = self.fault.is_none();
            return Some(if is_astray { self.astray(offsets.start) } else { self.lost(Some(offsets.start)) });
        }
        self.next = Some(offsets.end);
        if offsets.end <= self.wanted.start {
            return None;
        }
        if self.is_full_with(batch.bytes().len()) || (!self.unsure && offsets.start >= self.wanted.end) {
            return Some(ReadStep::Done);
        }
        self.found_bytes += batch.bytes().len();
        self.found.push((position, batch));
        None
    }

    /// Whether what is found is known to be the log's, and no more is to be found with so many bytes on top.
    fn is_full_with(&self, bytes: usize) -> bool {
        !self.unsure && !self.found.is_empty() && self.found_bytes + bytes > self.bytes_max
    }

    fn forget_found(&mut self) {
        self.found.clear();
        self.found_bytes = 0;
    }

    fn on_damage(&mut self, position: u64, error: &BatchError, header: Option<BatchHeader>) -> Walked {
        // The header's checksum holds for where the batch begins and how long it is, not for its number of records.
        let header = header.filter(|_| matches!(error, BatchError::BodyChecksum { .. }));
        let known = header.filter(|header| !self.unsure && self.next.is_none_or(|next| next == header.base_offset));
        match known {
            Some(_) if !self.found.is_empty() => Walked::Ended(ReadStep::Done),
            Some(header) if header.base_offset <= self.wanted.start => {
                self.fault.get_or_insert((position, error.to_string()));
                self.next = Some(header.base_offset.next());
                Walked::To(position + widen(header.batch_length()))
            }
            Some(_) | None => self.pass_over(position, error.to_string()),
        }
    }

    /// Goes on at the next block; what was whole before is given if it is known to be the log's.
    fn pass_over(&mut self, position: u64, reason: String) -> Walked {
        if !self.found.is_empty() && !self.unsure {
            return Walked::Ended(ReadStep::Done);
        }
        self.forget_found();
        self.fault.get_or_insert((position, reason));
        self.unsure = true;
        Walked::To((position + 1).next_multiple_of(limits::BLOCK_BYTES))
    }

    /// The segment holds no more.
    fn finish(&self) -> ReadStep {
        let is_row = !self.unsure || self.next == Some(self.plan.known.offset);
        if !self.found.is_empty() && is_row {
            ReadStep::Done
        } else if self.fault.is_some() {
            self.lost(None)
        } else {
            self.astray(self.next.unwrap_or(self.plan.segment))
        }
    }

    /// Where the offset wanted should be is something that can't be read.
    fn lost(&self, behind: Option<Offset>) -> ReadStep {
        let (at, what) = self.fault.as_ref().map_or((0, ""), |(position, reason)| (*position, reason.as_str()));
        let to = behind.map(|behind| format!(", up to offset {behind}")).unwrap_or_default();
        let reason = format!("segment {}, position {at}: {what}{to}", self.plan.segment);
        ReadStep::Failed(ReadFailure { reason, astray: at == self.plan.position, away: false })
    }

    /// What is there is not what the place promised.
    fn astray(&self, met: Offset) -> ReadStep {
        let reason =
            format!("segment {} goes on with offset {met}, position {}", self.plan.segment, self.plan.position);
        ReadStep::Failed(ReadFailure { reason, astray: true, away: false })
    }
}

/// How far a piece was walked.
enum Walked {
    /// Go on from here, which may lie behind the piece.
    To(u64),
    /// The read ends here, or needs more bytes than there are.
    Ended(ReadStep),
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}

fn narrow(length: u64) -> usize {
    usize::try_from(length).expect("it lies within bytes in memory")
}

#[cfg(test)]
mod tests;
