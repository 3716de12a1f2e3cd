//! Reads batches back from a segment file.

use std::{path::Path, rc::Rc, sync::Arc};

use glommio::sync::Semaphore;
use shard_core::{
    format::record_batch::RecordBatch,
    log::{BatchScanner, ReadPlan, Scanned},
    model::OffsetRange,
};

use super::{
    data_dir,
    dma_file::{Access, BlockFile},
};
use crate::{limits, metrics::ShardMetrics, request::ReadError};

const BLOCK: u64 = shard_core::limits::BLOCK_BYTES;

/// Reads from any partition of a shard, a bounded number of reads at a time.
#[derive(Clone, Debug)]
pub(crate) struct SegmentReader {
    permits: Rc<Semaphore>,
    metrics: Arc<ShardMetrics>,
}

impl SegmentReader {
    pub(crate) fn new(metrics: Arc<ShardMetrics>) -> Self {
        Self { permits: Rc::new(Semaphore::new(limits::DISK_READS_MAX)), metrics }
    }

    /// The batches from the one that holds `wanted.start`, up to `wanted.end` and about `bytes_max`; at least one,
    /// at most those of one segment.
    pub(crate) async fn read(
        &self,
        partition_dir: &Path,
        plan: ReadPlan,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<RecordBatch>, ReadError> {
        let corrupt = |reason: String| ReadError::Corrupt { offset: wanted.start, reason };
        let _permit = self.permits.acquire_permit(1).await.map_err(|error| corrupt(error.to_string()))?;
        let path = data_dir::segment_path(partition_dir, plan.segment);
        let file = BlockFile::open(path, Access::Read).await.map_err(|error| corrupt(error.to_string()))?;
        let result = self.scan(&file, plan, wanted, bytes_max).await;
        file.close().await;
        let found = result.map_err(corrupt)?;
        // An index is believed only as far as what stands at its position confirms.
        match found.first() {
            Some(first) if first.offsets().contains(wanted.start) => Ok(found),
            Some(_) | None => Err(corrupt(format!("segment {} does not hold the offset", plan.segment))),
        }
    }

    async fn scan(
        &self,
        file: &BlockFile,
        plan: ReadPlan,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<RecordBatch>, String> {
        let mut found = Vec::new();
        let mut found_bytes = 0;
        let mut position = plan.position;
        let mut length = bytes_max.clamp(limits::DISK_READ_BYTES_MIN, limits::DISK_READ_BYTES_MAX);
        while position < plan.end {
            // Direct I/O reads whole blocks; a batch may begin anywhere in one.
            let aligned = position - position % BLOCK;
            let skip = usize::try_from(position - aligned).map_err(|error| error.to_string())?;
            let to_end = usize::try_from(plan.end - aligned).map_err(|error| error.to_string())?;
            let read_length = (skip + length).next_multiple_of(4096).min(to_end);
            let bytes = file.read(aligned, read_length).await.map_err(|error| error.to_string())?;
            self.metrics.disk_reads.add(1);
            self.metrics.disk_read_bytes.add(u64::try_from(bytes.len()).unwrap_or(0));
            if bytes.len() <= skip {
                return Err(format!("the file ends at {aligned}"));
            }
            let mut scanner = BatchScanner::new(position, bytes.slice(skip..));
            loop {
                match scanner.advance() {
                    Scanned::Batch { batch, .. } if batch.offsets().end <= wanted.start => {}
                    Scanned::Batch { batch, .. } => {
                        let size = batch.bytes().len();
                        let full = !found.is_empty() && found_bytes + size > bytes_max;
                        if full || batch.offsets().start >= wanted.end {
                            return Ok(found);
                        }
                        found_bytes += size;
                        found.push(batch);
                    }
                    Scanned::More { position: next, needed } => {
                        (position, length) = (next, needed.max(length));
                        break;
                    }
                    Scanned::Blank { position: next } if next > position => {
                        position = next;
                        break;
                    }
                    Scanned::Blank { position } => return Err(format!("nothing is written at position {position}")),
                    Scanned::Damage { position, error } => return damage(found, position, &error),
                }
            }
        }
        Ok(found)
    }
}

/// What was whole before a damage is given; the damage itself is met by the read that begins at it.
fn damage(
    found: Vec<RecordBatch>,
    position: u64,
    error: &shard_core::format::record_batch::BatchError,
) -> Result<Vec<RecordBatch>, String> {
    if found.is_empty() { Err(format!("position {position}: {error}")) } else { Ok(found) }
}
