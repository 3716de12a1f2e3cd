//! Reads batches back from a segment file.

use std::{path::Path, rc::Rc, sync::Arc};

use bytes::Bytes;
use glommio::sync::Semaphore;
use shard_core::{
    format::record_batch::RecordBatch,
    log::{ReadFailure, ReadPlan, ReadStep, SegmentRead},
    model::OffsetRange,
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

impl SegmentReader {
    pub(super) fn new(metrics: Arc<ShardMetrics>, watch: Rc<Watch>) -> Self {
        Self { permits: Rc::new(Semaphore::new(limits::DISK_READS_MAX)), metrics, watch }
    }

    /// The batches from the one that holds `wanted.start`, up to `wanted.end` and about `bytes_max`, with their positions;
    /// at least one, at most those of one segment.
    pub(super) async fn find(
        &self,
        partition_dir: &Path,
        plan: ReadPlan,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<(u64, RecordBatch)>, ReadFailure> {
        let failure = |error: String| ReadFailure { reason: error, astray: false, away: false };
        let permit = self.permits.acquire_permit(1).await;
        let _permit = permit.map_err(|error| failure(error.to_string()))?;
        let _io = self.watch.begin();
        let path = data_dir::segment_path(partition_dir, plan.segment);
        let file = BlockFile::open(path, Access::Read).await;
        // That no more files may be open says nothing of this one.
        let file = file.map_err(|error| ReadFailure { away: error.is_no_file(), ..failure(error.to_string()) })?;
        let result = self.scan(&file, plan, wanted, bytes_max).await;
        file.close().await;
        result.map_err(|error| failure(error.to_string()))?
    }

    async fn scan(
        &self,
        file: &BlockFile,
        plan: ReadPlan,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Result<Vec<(u64, RecordBatch)>, ReadFailure>, FileError> {
        let mut read = SegmentRead::new(plan, wanted, bytes_max);
        let mut length = bytes_max.clamp(limits::DISK_READ_BYTES_MIN, limits::DISK_READ_BYTES_MAX);
        let mut step = read.begin();
        loop {
            match step {
                ReadStep::Read { position, bytes_min } => {
                    // Direct I/O reads whole blocks; a batch may begin anywhere in one.
                    let aligned = position - position % BLOCK;
                    let skip = usize::try_from(position - aligned).unwrap_or_default();
                    length = length.max(bytes_min);
                    let to_end = usize::try_from(plan.end.saturating_sub(aligned)).unwrap_or(usize::MAX);
                    let wanted = (skip + length).next_multiple_of(4096).min(to_end);
                    let bytes = file.read(aligned, wanted).await?;
                    self.metrics.disk_reads.add(1);
                    self.metrics.disk_read_bytes.add(u64::try_from(bytes.len()).unwrap_or(0));
                    let at_end = bytes.len() < wanted;
                    let piece = if skip < bytes.len() { bytes.slice(skip..) } else { Bytes::new() };
                    step = read.feed(position, &piece, at_end);
                }
                ReadStep::Done => return Ok(Ok(read.into_found())),
                ReadStep::Failed(failure) => return Ok(Err(failure)),
            }
        }
    }
}
