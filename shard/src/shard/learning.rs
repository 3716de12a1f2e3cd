//! Reads the newest part of a log that was opened, for what must not be stored again.

use std::mem;

use glommio::yield_if_needed;
use shard_core::{
    log::{Dedup, DedupConfig, DedupRebuild},
    model::{Offset, OffsetRange, TopicPartition},
    replication::{Lineage, LineageSearch},
};

use crate::{
    clock::Clock,
    command::PartitionSettings,
    limits,
    store::{AnyPartition, MessageStore as _, Opened, ReadFault, StoreError},
};

/// Learns what the log of one partition holds, once that was opened.
#[derive(Debug)]
pub(super) struct Learner {
    partition: TopicPartition,
    dedup: Dedup,
    /// What lies below is known.
    known_to: Option<Offset>,
}

/// Finds out of which epochs the batches of a log are.
///
/// # Errors
/// It can't be read.
pub(super) async fn find_lineage(opened: &Opened<AnyPartition>) -> Result<Lineage, StoreError> {
    let extent = opened.found.extent;
    let mut search = LineageSearch::new(OffsetRange::new(extent.start, extent.end));
    while let Some(wanted) = search.wanted() {
        let read = opened.store.read(OffsetRange::new(wanted, wanted.next()), 1).await.map_err(StoreError::new)?;
        let batch = read.first().ok_or_else(|| StoreError::new(format_args!("nothing is at offset {wanted}")))?;
        search.take(batch).map_err(StoreError::new)?;
        yield_if_needed().await;
    }
    Ok(search.finish())
}

/// What a partition is to remember.
pub(super) fn dedup_config(settings: &PartitionSettings) -> DedupConfig {
    let window_ms = u64::try_from(settings.dedup_window.as_millis()).unwrap_or(u64::MAX);
    DedupConfig { window_ms, bytes_max: shard_core::limits::DEDUP_BYTES_MAX }
}

impl Learner {
    /// For a log of which nothing is known.
    pub(super) const fn new(partition: TopicPartition, dedup: Dedup) -> Self {
        Self { partition, dedup, known_to: None }
    }

    /// For a log of which `dedup` knows what lies below `known_to`.
    pub(super) const fn beyond(partition: TopicPartition, known_to: Offset, dedup: Dedup) -> Self {
        Self { partition, dedup, known_to: Some(known_to) }
    }

    /// The partition.
    pub(super) const fn partition(&self) -> TopicPartition {
        self.partition
    }

    /// What is known of the log now. What can't be read is left out, with a warning.
    ///
    /// # Errors
    /// The store is away. Nothing was learned: to be tried again when it was opened again.
    pub(super) async fn learn(&mut self, opened: &Opened<AnyPartition>) -> Result<Dedup, StoreError> {
        let end = opened.found.extent.end;
        let from = match self.begin(opened).await {
            Ok(from) => from.max(opened.found.extent.start).min(end),
            Err(fault) => {
                self.on_fault(fault)?;
                end
            }
        };
        let mut rebuild = DedupRebuild::new(mem::take(&mut self.dedup), OffsetRange::new(from, end));
        while let Some(wanted) = rebuild.wanted() {
            match opened.store.read(wanted, limits::RECOVERY_READ_BYTES).await {
                Ok(batches) => rebuild.take(&batches),
                Err(fault) => {
                    if let Err(error) = self.on_fault(fault) {
                        self.dedup = rebuild.abandon();
                        return Err(error);
                    }
                    rebuild.give_up();
                }
            }
            yield_if_needed().await;
        }
        while rebuild.settle() {
            yield_if_needed().await;
        }
        Ok(rebuild.finish())
    }

    /// Where the messages begin that matter.
    async fn begin(&self, opened: &Opened<AnyPartition>) -> Result<Offset, ReadFault> {
        let extent = opened.found.extent;
        match (self.known_to, DedupRebuild::since(&self.dedup, &extent, Clock::wall())) {
            (Some(known_to), _) => Ok(known_to),
            (None, Some(since)) => opened.store.find_time(since, extent.end).await,
            (None, None) => Ok(extent.end),
        }
    }

    fn on_fault(&self, fault: ReadFault) -> Result<(), StoreError> {
        match fault {
            ReadFault::Away { reason } => Err(StoreError::transient(reason)),
            fault @ (ReadFault::Expired { .. }
            | ReadFault::PastEnd { .. }
            | ReadFault::Damaged { .. }
            | ReadFault::Lost { .. }) => {
                let partition = self.partition;
                tracing::warn!(%partition, %fault, "messages that can't be read are not recognised when they come again");
                Ok(())
            }
        }
    }
}
