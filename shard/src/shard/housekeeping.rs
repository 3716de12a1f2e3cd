//! What a shard does from time to time, and how it stops.

use futures_channel::oneshot;
use shard_core::format::durable_ends::{DurableEnd, DurableEndsFile};

use super::Shard;
use crate::{
    clock::Clock,
    event::ShardEvent,
    partition::{Partition, Slot},
    request::PartitionUnavailable,
    store::{StoreError, data_dir, dma_file::off_the_shard},
};

impl Shard {
    pub(super) fn on_tick(&mut self) {
        self.alarm.ticked();
        let now = self.clock.monotonic();
        while let Some(partition) = self.alarm.take_due(now) {
            let Ok(open) = self.open(partition) else { continue };
            open.alarm_at = None;
            open.log.on_deadline(now);
            let subscriptions: Vec<_> = open.subscriptions.keys().copied().collect();
            for subscription in subscriptions {
                if let Ok(subscribed) = open.subscribed(subscription) {
                    subscribed.dispatcher.on_deadline(now);
                }
                open.record_changes(subscription);
            }
            self.expire_waiting_reads(partition);
        }
    }

    pub(super) fn enforce_retention(&mut self) {
        let now = Clock::wall();
        let partitions: Vec<_> = self.partitions.keys().copied().collect();
        for partition in partitions {
            let Ok(open) = self.open(partition) else { continue };
            open.log.enforce_retention(now);
            let start = open.log.readable().start;
            for subscribed in open.subscriptions.values_mut() {
                subscribed.dispatcher.on_log_start(start);
            }
        }
    }

    /// Writes down how far each partition is on the disk, if that has changed: a restart tells a torn tail from damage
    /// by it.
    pub(super) fn write_durable_ends(&mut self) {
        let changed = |open: &Partition| open.log.durable_end() > open.durable_end_noted;
        if self.writing_durable_ends || !self.open_partitions().any(changed) {
            return;
        }
        self.durable_ends_sequence += 1;
        let bytes = self.durable_ends(self.durable_ends_sequence).encode();
        let path = data_dir::durable_ends_path(&self.config.data_dir, self.config.index, self.durable_ends_sequence);
        for slot in self.partitions.values_mut() {
            if let Slot::Open(open) = slot {
                open.durable_end_noted = open.log.durable_end();
            }
        }
        self.writing_durable_ends = true;
        let mailbox = self.mailbox.clone();
        glommio::spawn_local(async move {
            let written = off_the_shard(move || write_durably(&path, &bytes)).await;
            if let Err(error) = written {
                tracing::warn!(%error, "what is durable could not be written down");
            }
            mailbox.push(ShardEvent::DurableEndsWritten);
        })
        .detach();
    }

    pub(super) fn begin_stop(&mut self, done: oneshot::Sender<()>) {
        self.mailbox.close();
        self.stopping = Some(done);
        let partitions: Vec<_> = self.partitions.keys().copied().collect();
        for partition in partitions {
            let Ok(open) = self.open(partition) else { continue };
            open.log.begin_shutdown();
            for waiting in open.reads.take_all() {
                let _ = waiting.reply.send(Err(PartitionUnavailable::Stopping.into()));
            }
            for subscribed in open.subscriptions.values_mut() {
                subscribed.waiters.refuse(&PartitionUnavailable::Stopping);
            }
        }
    }

    /// Ends the loop once everything accepted is on the disk and that is written down.
    pub(super) fn finish_stop(&mut self) {
        if self.stopping.is_none() || self.writing_durable_ends || !self.open_partitions().all(Partition::is_idle) {
            return;
        }
        if self.open_partitions().any(|open| open.log.durable_end() > open.durable_end_noted) {
            self.write_durable_ends();
            return;
        }
        self.stopped.set(true);
        if let Some(done) = self.stopping.take() {
            let _ = done.send(());
        }
    }

    fn open_partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.values().filter_map(|slot| match slot {
            Slot::Open(open) => Some(&**open),
            Slot::Opening | Slot::Closed(_) => None,
        })
    }

    /// What is known to be durable: of this run for partitions that serve, of the last one for those that don't.
    fn durable_ends(&self, sequence: u64) -> DurableEndsFile {
        let open = self.open_partitions().map(|open| {
            let (segment, position) = open.log.last_segment().unwrap_or_default();
            let (leader_epoch, log_start) = (open.log.epoch(), open.log.readable().start);
            let durable_end = open.log.durable_end();
            DurableEnd { partition: open.id, leader_epoch, segment, position, durable_end, log_start }
        });
        let mut entries: Vec<_> = open.chain(self.last_durable_ends.iter().copied()).collect();
        entries.sort_unstable_by_key(|end| end.partition);
        DurableEndsFile { sequence, entries }
    }
}

fn write_durably(path: &std::path::Path, bytes: &[u8]) -> Result<(), StoreError> {
    use std::io::Write as _;

    let error = |error| StoreError::new("writing", path, error);
    let is_new = !path.exists();
    let mut file = std::fs::File::create(path).map_err(error)?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(error)?;
    match path.parent() {
        Some(parent) if is_new => std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(error),
        Some(_) | None => Ok(()),
    }
}
