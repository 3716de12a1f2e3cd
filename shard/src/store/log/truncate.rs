//! Cuts the end off a log, so that a crash at any moment leaves a log that is whole up to somewhere.

use std::rc::Rc;

use shard_core::{
    format::durable_ends::DurableEnd,
    log::{Cut, KnownLog, SegmentEvent, SegmentLog},
    model::{Offset, OffsetRange},
};

use super::{
    data_dir,
    dma_file::{remove_file, sync_directory},
    file_error::FileError,
    open::{cut_segment, recover_log},
    partition::Inner,
};
use crate::store::StoreError;

impl Inner {
    /// Removes the batches that hold `to` or a later offset.
    pub(super) async fn truncate(self: &Rc<Self>, to: Offset) -> Result<Offset, StoreError> {
        let (start, end) = {
            let log = self.log.borrow();
            if let Some(reason) = log.failure() {
                return Err(StoreError::new(reason));
            }
            (log.log_start(), log.written_end())
        };
        if to < start {
            return Err(StoreError::new(format!("the log starts at offset {start}, it can't be cut to {to}")));
        }
        if to >= end {
            return Ok(end);
        }
        drop(self.shared.read_ahead.take(self.id));
        let placed = self.find(OffsetRange::new(to, to.next()), 1).await.map_err(StoreError::new)?;
        let Some(placed) = placed.into_iter().next() else { return Ok(end) };
        let base_offset = placed.batch.offsets().start;
        let torn = Some(format!("the log is cut to offset {to}"));
        let cut = Cut { segment: placed.segment, position: placed.position, torn };
        if let Err(error) = self.cut(&cut, base_offset).await {
            self.on_event(SegmentEvent::Failed { reason: error.to_string() });
            return Err(error);
        }
        Ok(base_offset)
    }

    async fn cut(self: &Rc<Self>, cut: &Cut, end: Offset) -> Result<(), StoreError> {
        self.close_files().await;
        // First nothing may claim that what goes is there.
        let point = self.point.get();
        let durable_end = point.durable_end.min(end);
        let lower = DurableEnd { segment: cut.segment, position: cut.position, durable_end, ..point };
        self.shared.ends.take_back(&self.point, lower).await?;
        self.remove_behind(cut).await.map_err(StoreError::new)?;
        let known = KnownLog { durable_end, log_start: Some(point.log_start) };
        let config = self.log.borrow().config();
        let recovered = recover_log(&self.directory, config.partition, known).await?;
        self.log.replace(SegmentLog::open(config, recovered));
        self.note_point();
        Ok(())
    }

    /// Removes the newest segments first, so that what is left is without a gap.
    async fn remove_behind(&self, cut: &Cut) -> Result<(), FileError> {
        let bases = self.log.borrow().segment_bases();
        for &base in bases.iter().rev().filter(|&&base| base > cut.segment) {
            remove_file(data_dir::segment_path(&self.directory, base)).await?;
            remove_file(data_dir::index_path(&self.directory, base)).await?;
            sync_directory(&self.directory).await?;
        }
        // It would be taken for one of what is written there next.
        remove_file(data_dir::index_path(&self.directory, cut.segment)).await?;
        sync_directory(&self.directory).await?;
        cut_segment(&self.directory, cut).await
    }
}
