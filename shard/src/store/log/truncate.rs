//! Cuts the end off a log, so that a crash at any moment leaves a log that is whole up to somewhere.

use std::rc::Rc;

use shard_core::{
    format::{durable_ends::DurableEnd, segment_header::SegmentHeader},
    log::{Cut, KnownLog, RecoveredLog, Segment, SegmentEvent, SegmentLog, SegmentLogConfig},
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
        self.shared.read_ahead.forget(self.id);
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

    /// Removes every batch, and has the log begin at `start`. A crash on the way leaves a log that is whole up to somewhere,
    /// or one that begins where the old one did, or at `start`.
    pub(super) async fn restart(self: &Rc<Self>, start: Offset) -> Result<(), StoreError> {
        self.shared.read_ahead.forget(self.id);
        let restarted = self.begin_anew(start).await;
        if let Err(error) = &restarted {
            self.on_event(SegmentEvent::Failed { reason: error.to_string() });
        }
        restarted
    }

    async fn begin_anew(self: &Rc<Self>, start: Offset) -> Result<(), StoreError> {
        self.close_files().await;
        let (point, config) = (self.point.get(), self.log.borrow().config());
        // As of a log of which nothing is known, until the new one is there.
        let nothing = DurableEnd { durable_end: Offset::ZERO, log_start: Offset::ZERO, ..point };
        self.shared.ends.take_back(&self.point, nothing).await?;
        let (bases, created) = {
            let log = self.log.borrow();
            (log.segment_bases(), log.newest())
        };
        for &base in bases.iter().rev() {
            self.remove_segment(base).await.map_err(StoreError::new)?;
        }
        let SegmentLogConfig { partition, epoch, .. } = config;
        let header = SegmentHeader { partition, base_offset: start, leader_epoch: epoch, created_at: created };
        self.create_segment(start, &header.encode()).await.map_err(StoreError::new)?;
        let segments = vec![Segment::new(start, created)];
        let recovered = RecoveredLog { segments, log_start: start, log_end: start, cut: None };
        self.log.replace(SegmentLog::open(config, recovered));
        self.note_point();
        self.shared.ends.checkpoint().await
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
            self.remove_segment(base).await?;
        }
        // It would be taken for one of what is written there next.
        remove_file(data_dir::index_path(&self.directory, cut.segment)).await?;
        sync_directory(&self.directory).await?;
        cut_segment(&self.directory, cut).await
    }

    async fn remove_segment(&self, base: Offset) -> Result<(), FileError> {
        remove_file(data_dir::segment_path(&self.directory, base)).await?;
        remove_file(data_dir::index_path(&self.directory, base)).await?;
        sync_directory(&self.directory).await
    }
}
