//! From effect to I/O, and from its end back to an event.

use std::rc::Rc;

use shard_core::{
    delivery::JournalEffect,
    format::record_batch::RecordBatch,
    log::{LogEffect, LogEvent},
    model::{Offset, TopicPartition},
};

use super::{Shard, pulling::wake_waiters};
use crate::{
    event::ShardEvent,
    mailbox::Mailbox,
    partition::{ActiveSegment, Partition, Slot, WaitingAck},
    request::SubscriptionError,
    store::{
        StoreError, data_dir,
        dma_file::{Access, BlockFile, off_the_shard, remove_file, sync_directory},
    },
};

/// A write of a log, as its effect states it.
struct Write {
    segment: Offset,
    position: u64,
    batches: Vec<RecordBatch>,
    padded_bytes: usize,
    durable: bool,
}

impl Shard {
    /// Performs what the partitions that had events want done.
    pub(super) fn perform_effects(&mut self) {
        while let Some(partition) = self.touched.pop() {
            // Taken out while it is worked on, so that the shard's other parts can be used beside it.
            match self.partitions.remove(&partition) {
                Some(Slot::Open(mut open)) => {
                    open.touched = false;
                    self.perform(&mut open);
                    self.partitions.insert(partition, Slot::Open(open));
                    self.serve_after(partition);
                }
                Some(slot @ (Slot::Opening | Slot::Closed(_))) => {
                    self.partitions.insert(partition, slot);
                }
                None => {}
            }
        }
    }

    pub(super) fn on_log_event(&mut self, partition: TopicPartition, event: LogEvent) {
        let now = self.clock.monotonic();
        // A partition that was deleted has no more events.
        if let Ok(open) = self.open(partition) {
            if let LogEvent::Failed { reason } = &event {
                tracing::error!(%partition, reason, "a partition takes no more messages until the node is restarted");
            }
            open.log.on_event(now, event);
        }
    }

    pub(super) fn on_segment_created(&mut self, partition: TopicPartition, segment: Offset, file: BlockFile) {
        if let Ok(open) = self.open(partition) {
            open.segment = Some(ActiveSegment { base: segment, file, durable: true });
            self.on_log_event(partition, LogEvent::SegmentCreated);
        }
    }

    pub(super) fn on_journal_written(&mut self, partition: TopicPartition, written: Result<Option<BlockFile>, String>) {
        let Ok(open) = self.open(partition) else { return };
        match written {
            Ok(file) => {
                if let Some(old) = file.and_then(|new| open.journal_file.replace(new)) {
                    glommio::spawn_local(old.close()).detach();
                }
                open.journal.on_written();
            }
            Err(reason) => {
                tracing::error!(%partition, reason, "the partition's cursors can't be stored any more");
                open.journal.on_failed(&reason);
            }
        }
    }

    fn perform(&mut self, open: &mut Partition) {
        let now = self.clock.monotonic();
        while let Some(effect) = open.log.poll_effect() {
            self.perform_log(open, effect);
        }
        while let Some(effect) = open.journal.poll_effect() {
            self.perform_journal(open, effect);
        }
        wake_waiters(open, now);
        // Waking looks at deadlines, which may have brought messages back.
        let subscriptions: Vec<_> = open.subscriptions.keys().copied().collect();
        for subscription in subscriptions {
            open.record_changes(subscription);
        }
        let deadline = open.next_deadline();
        if deadline != open.alarm_at {
            self.alarm.reset(open.id, open.alarm_at, deadline);
            open.alarm_at = deadline;
        }
    }

    /// Answers reads for which there is something now.
    fn serve_after(&mut self, partition: TopicPartition) {
        let Some(Slot::Open(open)) = self.partitions.get(&partition) else { return };
        if open.served_to < open.log.high_watermark() {
            let high_watermark = open.log.high_watermark();
            self.serve_waiting_reads(partition);
            if let Some(Slot::Open(open)) = self.partitions.get_mut(&partition) {
                open.served_to = high_watermark;
            }
        }
    }

    fn perform_log(&mut self, open: &mut Partition, effect: LogEffect) {
        match effect {
            LogEffect::CreateSegment { segment, header } => self.create_segment(open, segment, header),
            LogEffect::Prepare { segment, position, length } => self.prepare(open, segment, position, length),
            LogEffect::Write { segment, position, batches, padded_bytes, durable } => {
                self.write(open, Write { segment, position, batches, padded_bytes, durable });
            }
            LogEffect::Sync { segment } => self.sync(open, segment),
            LogEffect::Seal { segment, length, index } => self.seal(open, segment, length, index),
            LogEffect::DeleteSegment { segment } => {
                let path = data_dir::segment_path(&open.directory, segment);
                let index_path = data_dir::index_path(&open.directory, segment);
                let delete = async move {
                    report(remove_file(path).await);
                    report(remove_file(index_path).await);
                };
                glommio::spawn_local(delete).detach();
            }
            LogEffect::Acknowledge { request, base_offset, timestamp, reached } => {
                self.acknowledge_publish(open, request, (base_offset, timestamp, reached));
            }
            LogEffect::Refuse { request } => self.refuse_publish(open, request),
            LogEffect::HighWatermark(_) => {}
        }
    }

    fn create_segment(&self, open: &Partition, segment: Offset, header: Vec<u8>) {
        let (partition, directory) = (open.id, Rc::clone(&open.directory));
        let mailbox = self.mailbox.clone();
        glommio::spawn_local(async move {
            let path = data_dir::segment_path(&directory, segment);
            mailbox.push(match create_file(path, &directory, &header).await {
                Ok(file) => ShardEvent::SegmentCreated { partition, segment, file },
                Err(error) => failed(partition, &error),
            });
        })
        .detach();
    }

    fn prepare(&self, open: &Partition, segment: Offset, position: u64, length: u64) {
        let (partition, mailbox) = (open.id, self.mailbox.clone());
        let active = open.segment.clone().filter(|active| active.base == segment);
        glommio::spawn_local(async move {
            if let (Some(active), Ok(length)) = (active, usize::try_from(length)) {
                let mut zeros = active.file.buffer(length);
                zeros.as_bytes_mut().fill(0);
                if let Err(error) = active.file.write(position, zeros).await {
                    tracing::debug!(%partition, %error, "space could not be prepared ahead");
                }
            }
            mailbox.push(ShardEvent::Log { partition, event: LogEvent::Prepared });
        })
        .detach();
    }

    fn write(&mut self, open: &mut Partition, write: Write) {
        for batch in &write.batches {
            self.cache.insert(open.id, batch.clone());
        }
        let (partition, mailbox) = (open.id, self.mailbox.clone());
        let (directory, active, clock) = (Rc::clone(&open.directory), open.segment.clone(), self.clock);
        let metrics = std::sync::Arc::clone(&self.metrics);
        glommio::spawn_local(async move {
            let started = clock.monotonic();
            let written = write_batches(&directory, active, &write).await;
            metrics.flushes.add(1);
            metrics.flushed_bytes.add(super::widen(write.padded_bytes));
            metrics.flush_latency.observe(clock.monotonic().since(started));
            mailbox.push(match written {
                Ok(active) => ShardEvent::Written { partition, active },
                Err(error) => failed(partition, &error),
            });
        })
        .detach();
    }

    pub(super) fn on_written(&mut self, partition: TopicPartition, active: ActiveSegment) {
        if let Ok(open) = self.open(partition) {
            open.segment = Some(active);
            self.on_log_event(partition, LogEvent::Written);
        }
    }

    fn sync(&self, open: &Partition, segment: Offset) {
        let (partition, mailbox, directory) = (open.id, self.mailbox.clone(), Rc::clone(&open.directory));
        glommio::spawn_local(async move {
            mailbox.push(match sync_segment(&directory, segment).await {
                Ok(()) => ShardEvent::Log { partition, event: LogEvent::Synced },
                Err(error) => failed(partition, &error),
            });
        })
        .detach();
    }

    fn seal(&self, open: &mut Partition, segment: Offset, length: u64, index: Vec<u8>) {
        let (partition, mailbox, directory) = (open.id, self.mailbox.clone(), Rc::clone(&open.directory));
        let sealed = open.segment.take().filter(|active| active.base == segment);
        glommio::spawn_local(async move {
            if let Some(sealed) = sealed {
                report(sealed.file.truncate(length).await);
                sealed.file.close().await;
            }
            report(write_index(data_dir::index_path(&directory, segment), index).await);
            mailbox.push(ShardEvent::Log { partition, event: LogEvent::Sealed });
        })
        .detach();
    }

    fn perform_journal(&mut self, open: &mut Partition, effect: JournalEffect) {
        match effect {
            JournalEffect::TakeSnapshot => {
                let states = open.subscriptions.iter().map(|(&id, subscribed)| (id, subscribed.dispatcher.state()));
                open.journal.compact(states);
            }
            JournalEffect::CreateJournal { generation, bytes } => {
                let (partition, directory) = (open.id, Rc::clone(&open.directory));
                self.journal_task(partition, async move {
                    let path = data_dir::journal_path(&directory, generation);
                    create_file(path, &directory, &bytes).await.map(Some)
                });
            }
            JournalEffect::Write { generation, position, bytes } => {
                let (partition, directory, file) = (open.id, Rc::clone(&open.directory), open.journal_file.clone());
                self.journal_task(partition, async move {
                    let known = file.is_some();
                    let file = if let Some(file) = file {
                        file
                    } else {
                        let path = data_dir::journal_path(&directory, generation);
                        BlockFile::open(path, Access::WriteDurable).await?
                    };
                    write_bytes(&file, position, &bytes).await?;
                    Ok((!known).then_some(file))
                });
            }
            JournalEffect::DeleteJournal { generation } => {
                let path = data_dir::journal_path(&open.directory, generation);
                glommio::spawn_local(async move { report(remove_file(path).await) }).detach();
            }
            JournalEffect::Release { request } => match open.journaled.remove(&request) {
                Some(WaitingAck::Outcomes(outcomes, reply)) => drop(reply.send(Ok(outcomes))),
                Some(WaitingAck::Done(reply)) => drop(reply.send(Ok(()))),
                Some(WaitingAck::Applying(applying)) => drop(applying),
                None => {}
            },
            JournalEffect::Refuse { request, reason } => match open.journaled.remove(&request) {
                Some(WaitingAck::Outcomes(_, reply)) => {
                    drop(reply.send(Err(SubscriptionError::StoreFailed { reason })));
                }
                Some(WaitingAck::Done(reply)) => drop(reply.send(Err(SubscriptionError::StoreFailed { reason }))),
                Some(WaitingAck::Applying(applying)) => drop(applying),
                None => {}
            },
        }
    }

    fn journal_task(
        &self,
        partition: TopicPartition,
        task: impl Future<Output = Result<Option<BlockFile>, StoreError>> + 'static,
    ) {
        self.metrics.journal_writes.add(1);
        let mailbox: Mailbox<ShardEvent> = self.mailbox.clone();
        glommio::spawn_local(async move {
            let written = task.await.map_err(|error| error.to_string());
            mailbox.push(ShardEvent::Journal { partition, written });
        })
        .detach();
    }
}

/// Makes a file that holds `bytes`, durably, name and all.
async fn create_file(
    path: std::path::PathBuf,
    directory: &std::path::Path,
    bytes: &[u8],
) -> Result<BlockFile, StoreError> {
    let file = BlockFile::create(path, Access::WriteDurable).await?;
    write_bytes(&file, 0, bytes).await?;
    file.sync().await?;
    sync_directory(directory).await?;
    Ok(file)
}

async fn write_bytes(file: &BlockFile, position: u64, bytes: &[u8]) -> Result<(), StoreError> {
    let mut buffer = file.buffer(bytes.len());
    buffer.as_bytes_mut().copy_from_slice(bytes);
    file.write(position, buffer).await
}

/// Writes batches to the end of a segment, which is opened first if it is not open that way.
async fn write_batches(
    directory: &std::path::Path,
    active: Option<ActiveSegment>,
    write: &Write,
) -> Result<ActiveSegment, StoreError> {
    let active = match active {
        Some(active) if active.base == write.segment && active.durable == write.durable => active,
        Some(_) | None => {
            let access = if write.durable { Access::WriteDurable } else { Access::WriteBuffered };
            let file = BlockFile::open(data_dir::segment_path(directory, write.segment), access).await?;
            ActiveSegment { base: write.segment, file, durable: write.durable }
        }
    };
    let mut buffer = active.file.buffer(write.padded_bytes);
    let mut rest = buffer.as_bytes_mut();
    for batch in &write.batches {
        let (to, behind) = rest.split_at_mut(batch.bytes().len());
        to.copy_from_slice(batch.bytes());
        rest = behind;
    }
    rest.fill(0);
    active.file.write(write.position, buffer).await?;
    Ok(active)
}

async fn sync_segment(directory: &std::path::Path, segment: Offset) -> Result<(), StoreError> {
    let file = BlockFile::open(data_dir::segment_path(directory, segment), Access::WriteBuffered).await?;
    file.sync().await?;
    file.close().await;
    Ok(())
}

/// Writes an index without a sync: a torn one is noticed by its checksum, and the segment read instead.
async fn write_index(path: std::path::PathBuf, index: Vec<u8>) -> Result<(), StoreError> {
    off_the_shard(move || std::fs::write(&path, index).map_err(|error| StoreError::new("writing", &path, error))).await
}

fn failed(partition: TopicPartition, error: &StoreError) -> ShardEvent {
    ShardEvent::Log { partition, event: LogEvent::Failed { reason: error.to_string() } }
}

/// Housekeeping that failed is tried again by the next start; nothing depends on it.
fn report(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "housekeeping failed");
    }
}
