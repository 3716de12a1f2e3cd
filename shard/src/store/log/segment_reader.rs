//! Reads batches back from a segment file.

use std::{path::Path, rc::Rc, sync::Arc};

use bytes::Bytes;
use glommio::sync::Semaphore;
use shard_core::{
    format::record_batch::RecordBatch,
    log::{ReadFailure, ReadPlan, ReadStep, SegmentRead},
    model::{Offset, OffsetRange},
};

use super::{
    data_dir,
    dma_file::{Access, BlockFile},
    file_error::FileError,
    watch::Watch,
};
use crate::{limits, metrics::ShardMetrics};

const BLOCK: u64 = shard_core::limits::BLOCK_BYTES;

/// Reads from any partition of a shard, a bounded number of reads at a time.
#[derive(Clone, Debug)]
pub(super) struct SegmentReader {
    permits: Rc<Semaphore>,
    metrics: Arc<ShardMetrics>,
    watch: Rc<Watch>,
}

/// What was found of a segment.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Batches, with their positions.
    pub(super) batches: Vec<(u64, RecordBatch)>,
    /// Where the next read goes on, if it goes on behind the last of them.
    pub(super) rest: Option<Rest>,
}

/// Where a read ended, and what it brought of what follows: so much need not be read again, or be looked for.
#[derive(Debug)]
pub(super) struct Rest {
    segment: Offset,
    next: Offset,
    piece: FilePiece,
}

/// A piece of a segment as it lies in the file.
#[derive(Clone, Debug)]
struct FilePiece {
    position: u64,
    bytes: Bytes,
}

impl Rest {
    /// Whether a read by this plan, of what begins at `start`, goes on here.
    pub(super) fn fits(&self, plan: &ReadPlan, start: Offset) -> bool {
        plan.segment == self.segment && start == self.next && self.piece.position < plan.end
    }
}

impl FilePiece {
    /// What there is of it from `position` on. What does not end with a block can't be read on from.
    fn rest_from(&self, position: u64) -> Option<Self> {
        let end = self.position + u64::try_from(self.bytes.len()).ok()?;
        if position < self.position || position > end || !end.is_multiple_of(BLOCK) {
            return None;
        }
        let skip = usize::try_from(position - self.position).ok()?;
        Some(Self { position, bytes: self.bytes.slice(skip..) })
    }
}

impl SegmentReader {
    pub(super) fn new(metrics: Arc<ShardMetrics>, watch: Rc<Watch>) -> Self {
        Self { permits: Rc::new(Semaphore::new(limits::DISK_READS_MAX)), metrics, watch }
    }

    /// The batches from the one that holds `wanted.start`, up to `wanted.end` and about `bytes_max`; at least one, at most
    /// those of one segment.
    pub(super) async fn find(
        &self,
        partition_dir: &Path,
        plan: ReadPlan,
        (wanted, bytes_max): (OffsetRange, usize),
    ) -> Result<Found, ReadFailure> {
        let nothing = FilePiece { position: plan.position, bytes: Bytes::new() };
        self.find_from(partition_dir, (plan, nothing), (wanted, bytes_max)).await
    }

    /// The same where an earlier read ended, whose plan would fit.
    pub(super) async fn go_on(
        &self,
        partition_dir: &Path,
        (plan, rest): (ReadPlan, Rest),
        (wanted, bytes_max): (OffsetRange, usize),
    ) -> Result<Found, ReadFailure> {
        let plan = ReadPlan { position: rest.piece.position, ..plan };
        self.find_from(partition_dir, (plan, rest.piece), (wanted, bytes_max)).await
    }

    async fn find_from(
        &self,
        partition_dir: &Path,
        (plan, known): (ReadPlan, FilePiece),
        (wanted, bytes_max): (OffsetRange, usize),
    ) -> Result<Found, ReadFailure> {
        let failure = |error: String| ReadFailure { reason: error, astray: false, away: false };
        let permit = self.permits.acquire_permit(1).await;
        let _permit = permit.map_err(|error| failure(error.to_string()))?;
        let _io = self.watch.begin();
        let path = data_dir::segment_path(partition_dir, plan.segment);
        let file = BlockFile::open(path, Access::Read).await;
        // That no more files may be open says nothing of this one.
        let file = file.map_err(|error| ReadFailure { away: error.is_no_file(), ..failure(error.to_string()) })?;
        let result = self.scan(&file, (plan, known), (wanted, bytes_max)).await;
        file.close().await;
        result.map_err(|error| failure(error.to_string()))?
    }

    async fn scan(
        &self,
        file: &BlockFile,
        (plan, mut piece): (ReadPlan, FilePiece),
        (wanted, bytes_max): (OffsetRange, usize),
    ) -> Result<Result<Found, ReadFailure>, FileError> {
        let mut read = SegmentRead::new(plan, wanted, bytes_max);
        let mut length = bytes_max.clamp(limits::DISK_READ_BYTES_MIN, limits::DISK_READ_BYTES_MAX);
        let mut step = read.begin();
        loop {
            match step {
                ReadStep::Read { position, bytes_min } => {
                    length = length.max(bytes_min);
                    let known = piece.rest_from(position).unwrap_or(FilePiece { position, bytes: Bytes::new() });
                    let at_end;
                    (piece, at_end) = self.read_behind(file, plan.end, known, length).await?;
                    step = read.feed(position, &piece.bytes, at_end);
                }
                ReadStep::Done => return Ok(Ok(found(plan, read.into_found(), &piece))),
                ReadStep::Failed(failure) => return Ok(Err(failure)),
            }
        }
    }

    /// What is known of a file, and what follows, about `length` bytes together: what is not taken of one piece must not make
    /// the next one larger. Also whether the file, or what is to be read of it, ends there.
    async fn read_behind(
        &self,
        file: &BlockFile,
        end: u64,
        known: FilePiece,
        length: usize,
    ) -> Result<(FilePiece, bool), FileError> {
        let from = known.position + u64::try_from(known.bytes.len()).unwrap_or_default();
        // Direct I/O reads whole blocks; a batch may begin anywhere in one.
        let aligned = from - from % BLOCK;
        let skip = usize::try_from(from - aligned).unwrap_or_default();
        let length = length.saturating_sub(known.bytes.len());
        let to_end = usize::try_from(end.saturating_sub(aligned)).unwrap_or(usize::MAX);
        let wanted = (skip + length).next_multiple_of(4096).min(to_end);
        if length == 0 || wanted == 0 {
            return Ok((known, wanted == 0));
        }
        let (bytes, count) = file.read_behind(&known.bytes, (aligned, skip), wanted).await?;
        self.metrics.disk_reads.add(1);
        self.metrics.disk_read_bytes.add(u64::try_from(count).unwrap_or(0));
        Ok((FilePiece { position: known.position, bytes }, count < wanted))
    }
}

/// What a read found, the last piece of which is this.
fn found(plan: ReadPlan, batches: Vec<(u64, RecordBatch)>, piece: &FilePiece) -> Found {
    let rest = batches.last().and_then(|(position, last)| {
        let behind = position + u64::try_from(last.bytes().len()).ok()?;
        Some(Rest { segment: plan.segment, next: last.offsets().end, piece: piece.rest_from(behind)? })
    });
    Found { batches, rest }
}
