//! Reads batches back from a segment file.

use std::{path::Path, rc::Rc, sync::Arc};

use glommio::sync::Semaphore;
use shard_core::{
    format::record_batch::RecordBatch,
    log::{BatchScanner, ReadPlan, Scanned},
    model::{Offset, OffsetRange},
};

use super::{
    data_dir,
    dma_file::{Access, BlockFile},
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

/// Where a batch lies in its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) position: u64,
    pub(super) base_offset: Offset,
}

impl SegmentReader {
    pub(super) fn new(metrics: Arc<ShardMetrics>, watch: Rc<Watch>) -> Self {
        Self { permits: Rc::new(Semaphore::new(limits::DISK_READS_MAX)), metrics, watch }
    }

    /// The batches from the one that holds `wanted.start`, up to `wanted.end` and about `bytes_max`; at least one,
    /// at most those of one segment. The error is for people.
    pub(super) async fn read(
        &self,
        partition_dir: &Path,
        plan: ReadPlan,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<RecordBatch>, String> {
        let found = self.find(partition_dir, plan, wanted, bytes_max).await?;
        Ok(found.into_iter().map(|(_, batch)| batch).collect())
    }

    /// Where the batch that holds `wanted.start` lies.
    pub(super) async fn place(
        &self,
        partition_dir: &Path,
        plan: ReadPlan,
        wanted: OffsetRange,
    ) -> Result<Placed, String> {
        let found = self.find(partition_dir, plan, wanted, 1).await?;
        let first = found.first().ok_or("nothing was read")?;
        Ok(Placed { position: first.0, base_offset: first.1.offsets().start })
    }

    async fn find(
        &self,
        partition_dir: &Path,
        plan: ReadPlan,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<(u64, RecordBatch)>, String> {
        let _permit = self.permits.acquire_permit(1).await.map_err(|error| error.to_string())?;
        let _io = self.watch.begin();
        let path = data_dir::segment_path(partition_dir, plan.segment);
        let file = BlockFile::open(path, Access::Read).await.map_err(|error| error.to_string())?;
        let result = self.scan(&file, plan, wanted, bytes_max).await;
        file.close().await;
        let found = result?;
        // An index is believed only as far as what stands at its position confirms.
        match found.first() {
            Some((_, first)) if first.offsets().contains(wanted.start) => Ok(found),
            Some(_) | None => Err(format!("segment {} does not hold the offset", plan.segment)),
        }
    }

    async fn scan(
        &self,
        file: &BlockFile,
        plan: ReadPlan,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<(u64, RecordBatch)>, String> {
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
                    Scanned::Batch { position, batch } => {
                        let size = batch.bytes().len();
                        let full = !found.is_empty() && found_bytes + size > bytes_max;
                        if full || batch.offsets().start >= wanted.end {
                            return Ok(found);
                        }
                        found_bytes += size;
                        found.push((position, batch));
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
    found: Vec<(u64, RecordBatch)>,
    position: u64,
    error: &shard_core::format::record_batch::BatchError,
) -> Result<Vec<(u64, RecordBatch)>, String> {
    if found.is_empty() { Err(format!("position {position}: {error}")) } else { Ok(found) }
}
